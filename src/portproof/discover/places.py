"""What the names of files and folders say of environments: ``overlays/prod``, ``envs/staging.yaml``, ``values-qa.yaml``."""

from __future__ import annotations

import re

ENVIRONMENT = re.compile(
    r"(?:dev|devel|development|test|testing|qa|uat|int|integration|stag(?:e|ing)|stg|pre-?prod|prod|prd|production|live|local|"
    r"sandbox|demo|perf|acc|acceptance|canary|preview)(?:[-_0-9][a-z0-9-]*)?\Z"
)
"""A word that is an environment's name wherever it is written."""

OF_ENVIRONMENTS = frozenset(
    {"overlays", "environments", "environment", "envs", "env", "clusters", "stages", "tenants", "regions"}
)
"""Folders with one folder or file for each environment: what lies in them is called like one."""

_VALUES = re.compile(r"values[-._](.+)\.ya?ml|(.+)[-._]values\.ya?ml")
_ENDING = re.compile(r"\.ya?ml\Z")


def named_by_values(name: str) -> str:
    """What the name of a values file says beside ``values``: ``prod`` for ``values-prod.yaml``; empty for nothing."""
    match = _VALUES.fullmatch(name)
    return str(match[1] or match[2]) if match else ""


def environment_in(path: str) -> str:
    """The environment that the steps of a path name, the outermost first; empty for none.

    In ``clusters/stages/dev`` that is ``dev``: a folder of environments is none.
    """
    steps = _ENDING.sub("", path).split("/")
    for above, step in zip(["", *steps], steps, strict=False):
        if (above in OF_ENVIRONMENTS and step not in OF_ENVIRONMENTS) or ENVIRONMENT.match(step):
            return step
    return ""
