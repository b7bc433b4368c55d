"""Addresses for people and the name of this job, from the variables of the runner."""

from __future__ import annotations

import re
from collections.abc import Mapping

from portproof.action.inputs import Inputs
from portproof.report import marks
from portproof.report.links import Links
from portproof.source import RelPath

_WEB = "https://github.com"


def links(environ: Mapping[str, str], head: str, unmapped_lines: frozenset[tuple[RelPath, int]]) -> Links:
    """Where the repository at `head` and the job's log can be read."""
    web = environ.get("GITHUB_SERVER_URL", _WEB)
    if not re.fullmatch(r"https?://[\w.:-]+", web, re.ASCII):
        web = _WEB
    run_id = environ.get("GITHUB_RUN_ID", "")
    repository = f"{web}/{environ.get('GITHUB_REPOSITORY', '')}"
    return Links(
        web=repository,
        head=head,
        log=f"{repository}/actions/runs/{run_id}" if run_id.isdigit() else "",
        unmapped_lines=unmapped_lines,
    )


def job_key(environ: Mapping[str, str], inputs: Inputs) -> str:
    """The key of the job's marks: the same for each run of one job with one set of paths."""
    names = (environ.get(name, "") for name in ("GITHUB_WORKFLOW", "GITHUB_JOB"))
    return marks.digest("\0".join((*names, *inputs.paths, inputs.config or "")))
