"""Addresses for people and the name of this job, from the variables of the runner."""

from __future__ import annotations

import re
from collections.abc import Mapping

from portproof.action.event import is_repository
from portproof.action.inputs import Inputs
from portproof.report import marks
from portproof.report.links import Links
from portproof.source import RelPath

_WEB = "https://github.com"


def links(environ: Mapping[str, str], head: str, unmapped_lines: frozenset[tuple[RelPath, int]]) -> Links:
    """Where the repository at `head`, the rules' pages and the job's log can be read."""
    web = environ.get("GITHUB_SERVER_URL", _WEB)
    if not re.fullmatch(r"https?://[\w.:-]+", web, re.ASCII):
        web = _WEB
    own, ref = environ.get("GITHUB_ACTION_REPOSITORY", ""), environ.get("GITHUB_ACTION_REF", "")
    known = is_repository(own) and re.fullmatch(r"[\w./-]{1,100}", ref, re.ASCII)
    run_id = environ.get("GITHUB_RUN_ID", "")
    repository = f"{web}/{environ.get('GITHUB_REPOSITORY', '')}"
    return Links(
        web=repository,
        head=head,
        rules=f"{web}/{own}/blob/{ref}/docs/rules.md" if known else "",
        log=f"{repository}/actions/runs/{run_id}" if run_id.isdigit() else "",
        unmapped_lines=unmapped_lines,
    )


def job_key(environ: Mapping[str, str], inputs: Inputs) -> str:
    """The key of the job's marks: the same for each run of one job with one set of paths."""
    names = (environ.get(name, "") for name in ("GITHUB_WORKFLOW", "GITHUB_JOB"))
    return marks.digest("\0".join((*names, *inputs.paths, inputs.config or "")))
