"""Jinja templates for Markdown; untrusted text enters them through the filters ``code``, ``prose`` and ``fence`` only."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from portproof.report import phrases, safe


@cache
def _environment() -> Environment:
    # Escaping for HTML would be wrong in Markdown, where a code span shows "&lt;" as it is written.
    environment = Environment(
        loader=PackageLoader("portproof", "report/templates"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "code": safe.code_span,
        "prose": phrases.prose,
        "fence": safe.fenced,
        "cell": safe.cell,
    }
    return environment


def render(template: str, **names: Any) -> str:
    """Fill in a template of this package."""
    return _environment().get_template(template).render(**names)
