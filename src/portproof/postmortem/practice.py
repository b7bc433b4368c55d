"""What a repository has already of what a post-mortem asks for: checks, a map that is true, probes, connection tests.

Only what lies in the repository counts. A check that runs elsewhere is for people to tick.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from portproof.errors import UsageError
from portproof.portmap import blocks
from portproof.portmap.model import PortMap
from portproof.postmortem.model import ActionItem
from portproof.source import RelPath, Tree

_YAML = (".yaml", ".yml")
_MARKDOWN = (".md", ".markdown")
_WORKFLOW = re.compile(r"\.(?:github|gitea|forgejo)/workflows/[^/]+\.ya?ml")
_OTHER_CI = re.compile(r"\.gitlab-ci\.yml|azure-pipelines\.ya?ml|\.circleci/config\.yml")
_COMMENT = re.compile(r"(?m)(?:^|[ \t])#.*$")
_CHECKS = re.compile(r"uses:\s*[\"']?(?:\S*/)?portproof(?:/[\w./-]*)?@|\bportproof (?:-\S+ )*check\b")
_CONNECTS = re.compile(r"\bportproof connectivity\b")
_PULLS = re.compile(r"\bpull_request(?:_target)?\b|\bmerge_request_event\b|\bmerge_requests\b")
_SCHEDULED = re.compile(r"(?m)^[ \t]*schedule:")
_PROBES = re.compile(r"(?m)^[ \t]*(?:- *)?(?:jobName|job_name):[ \t]*[\"']?portproof\b")
_MADE_BY_US = re.compile(r"app\.kubernetes\.io/managed-by:\s*[\"']?portproof\b")
_JOB = re.compile(r"(?m)^[ \t]*(?:- *)?kind:[ \t]*[\"']?(?:Job|CronJob)\b")


class Practice(Struct, frozen=True):
    """The texts of a repository that may show what is done already, by their paths."""

    workflows: dict[RelPath, str]
    pipelines: dict[RelPath, str]
    manifests: dict[RelPath, str]
    documents: dict[RelPath, str]


def read(tree: Tree, paths: Iterable[RelPath]) -> Practice:
    """Read what may matter of the files that git knows."""
    found = Practice({}, {}, {}, {})
    for path in sorted(paths):
        lower = path.lower()
        if not lower.endswith((*_YAML, *_MARKDOWN)):
            continue
        text = tree.text_or_none(path)
        if text is None or "portproof" not in text:
            continue
        if lower.endswith(_MARKDOWN):
            found.documents[path] = text
        elif _WORKFLOW.fullmatch(path):
            found.workflows[path] = _COMMENT.sub("", text)
        elif _OTHER_CI.fullmatch(path):
            found.pipelines[path] = _COMMENT.sub("", text)
        else:
            found.manifests[path] = _COMMENT.sub("", text)
    return found


def has_map(practice: Practice) -> bool:
    """Whether a file has a block of the map, so that somebody has to make the map to compare it with."""
    return any(map(blocks.has_blocks, practice.documents.values()))


def actions(
    practice: Practice, port_map: PortMap | None, fixed: str, *, fixable: bool
) -> tuple[ActionItem, ...]:
    """What is to be done, and what shows that it is done.

    `fixed` says what ended the findings, or is empty. They are `fixable` when each has a proven, safe fix.
    """
    checking = _with(practice.workflows, _CHECKS, _PULLS) + _with(practice.pipelines, _CHECKS)
    daily = _with(practice.workflows, _CHECKS, _SCHEDULED)
    tests = [
        path for path, text in practice.manifests.items() if _MADE_BY_US.search(text) and _JOB.search(text)
    ]
    running = _with({**practice.workflows, **practice.pipelines}, _CONNECTS)
    return (
        ActionItem("Apply the proven fix" if fixable else "Fix the port", "mitigate", fixed),
        ActionItem("Run `portproof check` on every pull request", "prevent", _named(checking)),
        ActionItem(
            "Run it on a schedule, too: charts and tools change without a pull request",
            "prevent",
            _named(daily),
        ),
        _map(practice, port_map),
        ActionItem(
            "Open every connection after a deployment (`portproof connectivity`)",
            "detect",
            _named([*tests, *running]),
        ),
        ActionItem(
            "Probe every Service port and alert on it (`portproof monitor`)",
            "detect",
            _named(_with(practice.manifests, _PROBES)),
        ),
    )


def runbook(practice: Practice, service: str) -> str:
    """The file with the runbook of a Service and the anchor there; empty when no block of the map has it."""
    heading = re.compile(rf"(?m)^### Service `{re.escape(service)}`\s+<a id=\"([^\"]+)\"")
    for path, text in practice.documents.items():
        found = heading.search(text)
        if found and blocks.has_blocks(text):
            return f"{path}#{found[1]}"
    return ""


def _with(texts: dict[RelPath, str], *patterns: re.Pattern[str]) -> list[RelPath]:
    return [path for path, text in texts.items() if all(one.search(text) for one in patterns)]


def _named(paths: Sequence[RelPath]) -> str:
    return paths[0] if paths else ""


def _map(practice: Practice, port_map: PortMap | None) -> ActionItem:
    """Whether the map is kept, and true."""
    text = "Keep the port map, and check it with `portproof map --check`"
    having = sorted(path for path, each in practice.documents.items() if blocks.has_blocks(each))
    if port_map is None or not having:
        return ActionItem(text, "prevent")
    try:
        stale = [
            path
            for path in having
            if blocks.filled(practice.documents[path], port_map, path) != practice.documents[path]
        ]
    except UsageError as error:
        return ActionItem(text, "prevent", lacking=str(error))
    if stale:
        return ActionItem(text, "prevent", lacking=f"{stale[0]} is out of date")
    return ActionItem(text, "prevent", having[0])
