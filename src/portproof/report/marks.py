"""Hidden marks in comments: how a later run knows what was said before.

A mark is an HTML comment, ``<!-- portproof:v1 fingerprint=… key=… -->``. It names the finding, not its words or its
line, so a moved line or a reworded message is not a new finding. Anybody can write a mark into a comment; whoever
reads marks has to look at the author first. A mark has a line of its own: in a comment of ours a stranger's words never
begin a line.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from msgspec import Struct

from portproof.replacing import replace
from portproof.report.model import Result

SUMMARY = "summary"
_MARK = re.compile(r"^<!-- portproof:v1((?: [a-z]+=[0-9A-Za-z._-]{1,80})+) -->\r?$", re.MULTILINE)
_BEGINNING = re.compile(r"^<!-- portproof:", re.MULTILINE)
_PLAIN = re.compile(r"[0-9a-f]{8,64}\Z")


class Mark(Struct, frozen=True):
    """What a comment is about.

    `key` is the job that wrote it, `place` the file and `target` the chart or folder that the finding is about,
    `edit` the suggestion that it offers (all three as short digests; empty when there is none).
    """

    fingerprint: str
    key: str = ""
    place: str = ""
    target: str = ""
    edit: str = ""
    fixed: bool = False

    def __str__(self) -> str:
        fields = {
            "fingerprint": self.fingerprint,
            "key": self.key,
            "place": self.place,
            "target": self.target,
            "edit": self.edit,
            "state": "fixed" if self.fixed else "",
        }
        text = " ".join(f"{name}={value}" for name, value in fields.items() if value)
        return f"<!-- portproof:v1 {text} -->"


def of_result(result: Result, key: str, suggestion: str = "") -> Mark:
    """The mark of a finding."""
    known = bool(_PLAIN.match(result.fingerprint))
    return Mark(
        result.fingerprint if known else digest(result.fingerprint, 32),
        key,
        digest(result.location.path) if result.location else "",
        digest(target_of(result.targets[0])) if result.targets else "",
        digest(suggestion) if suggestion else "",
    )


def target_of(id_: str) -> str:
    """The chart or folder of a target, without its values: what all members of one finding have in common."""
    return id_.partition("?")[0]


def digest(text: str, size: int = 8) -> str:
    """A short name for `text`."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:size]


def read(text: str) -> list[Mark]:
    """The marks in a comment, in their order."""
    found = [_mark(dict(part.split("=", 1) for part in match[1].split())) for match in _MARK.finditer(text)]
    return [mark for mark in found if mark.fingerprint]


def begins_one(text: str) -> bool:
    """Whether a line of `text` begins like a mark."""
    return _BEGINNING.search(text) is not None


def key_of_summary(text: str) -> str | None:
    """Whose summary a comment is; None when it is none."""
    for match in _MARK.finditer(text):
        fields = dict(part.split("=", 1) for part in match[1].split())
        if fields.get("kind") == SUMMARY:
            return fields.get("key", "")
    return None


def summary(key: str) -> str:
    """The mark of a sticky summary."""
    return f"<!-- portproof:v1 kind={SUMMARY} key={key} -->"


def without(text: str) -> str:
    """`text` without its marks."""
    return _MARK.sub("", text).lstrip("\n")


def with_state(text: str, mark: Mark, *, fixed: bool, note: str) -> str:
    """`text` with one mark in another state, and `note` on the line after it; an earlier note of ours goes."""
    new = replace(mark, fixed=fixed)
    pattern = r"(?m)^" + re.escape(str(mark)) + r"\r?\n(?:> \*\*Fixed\*\*[^\n]*\n\n)?"
    return re.sub(pattern, lambda _: f"{new}\n{note}", text, count=1)


def _mark(fields: Mapping[str, str]) -> Mark:
    return Mark(
        fields.get("fingerprint", ""),
        fields.get("key", ""),
        fields.get("place", ""),
        fields.get("target", ""),
        fields.get("edit", ""),
        fields.get("state") == "fixed",
    )
