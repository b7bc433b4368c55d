"""The rules by their ids, severities and summaries, read from their files without running them.

Running all of them loads the whole port graph, which takes longer than a render; naming them must not. The modules
stay the only list: a rule is a file with a page on top and `RULE = rule(__name__, __doc__, severity=…` as its last
statement, and a test holds what is read here against what the modules say of themselves.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from msgspec import Struct

from portproof.rules.severity import Severity

_SUMMARY = re.compile(r'"""(?P<summary>[^\n]+?)\.?(?:"""|\n)')
_STATED = re.compile(
    r"^RULE = rule\(\s*__name__,\s*__doc__,\s*severity=Severity\.(?P<severity>[A-Z]+)", re.MULTILINE
)


class Listed(Struct, frozen=True):
    """What a list of rules says of one of them; its `family` is the package that its module is in."""

    id: str
    family: str
    severity: Severity
    summary: str

    @property
    def module(self) -> str:
        """The module's name below ``portproof.rules``."""
        return f"{self.family}.{self.id.replace('-', '_')}"


@cache
def listed() -> tuple[Listed, ...]:
    """Every rule, in the order of their ids."""
    found = (_read(file) for file in Path(__file__).parent.glob("*/*.py"))
    return tuple(sorted((one for one in found if one), key=lambda one: one.id))


def _read(file: Path) -> Listed | None:
    text = file.read_text(encoding="utf-8")
    stated, page = _STATED.search(text), _SUMMARY.match(text)
    if stated is None or page is None:
        return None
    return Listed(
        file.stem.replace("_", "-"), file.parent.name, Severity[stated["severity"]], page["summary"]
    )
