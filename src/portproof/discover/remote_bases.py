"""What a kustomization means by an address (kustomize ``api/internal/git/repospec.go``): a repository or a file of a host.

Only what is pinned can be fetched: a full commit, a tag, or a file whose path holds a version.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from portproof.source import RelPath, normalise

COMMIT = re.compile(r"[0-9a-f]{40}")
_TAG = re.compile(r"(?!/)(?!.*(?:\.\.|//|@\{|\.lock\Z|/\Z))[A-Za-z0-9._/+-]{1,200}")
_VERSION = re.compile(r"v?\d+\.\d+[\w.+-]*|[0-9a-f]{40}")
_FILE = (".yaml", ".yml", ".json")


class RemoteBase(Struct, frozen=True):
    """A folder of a git repository at a commit or tag; without a `ref` a single file at the address."""

    address: str
    host: str
    path: RelPath = "."
    ref: str = ""


def remote_base(text: str) -> RemoteBase | None:
    """What an entry names; None for what is not fetched: other protocols, branches, what is pinned to nothing."""
    bare = text.removeprefix("git::")
    if re.match(r"(?:www\.)?github\.com/", bare, re.IGNORECASE):
        bare = f"https://{bare}"
    try:
        parts = urlsplit(bare)
        asked = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        host = parts.hostname or ""
    except ValueError:
        return None
    if parts.scheme != "https" or not host or parts.username is not None or not bare.isprintable():
        return None
    ref = asked.get("ref") or asked.get("version") or ""
    if not ref:
        pinned = any(_VERSION.fullmatch(step) for step in parts.path.split("/"))
        return RemoteBase(bare, host) if pinned and parts.path.endswith(_FILE) and not parts.query else None
    repository, path = _split(parts.path)
    inside = normalise(path)
    if inside is None or not repository.strip("/") or not (COMMIT.fullmatch(ref) or _TAG.fullmatch(ref)):
        return None
    return RemoteBase(f"https://{parts.netloc}{repository}", host, inside, ref)


def may_be_fetched(text: str, hosts: Collection[str] | None) -> bool:
    """Whether an entry names something that is fetched if it can be: from one of `hosts`, which somebody has listed."""
    found = remote_base(text)
    return found is not None and hosts is not None and found.host in hosts


def _split(path: str) -> tuple[str, str]:
    """The path of a repository, and of a folder in it: cut at ``//``, after ``.git``, else after two steps."""
    for mark, kept in (("//", ""), (".git/", ".git")):
        at = path.find(mark)
        if at >= 0:
            return path[:at] + kept, path[at + len(mark) :]
    if path.endswith(".git"):
        return path, ""
    steps = path.strip("/").split("/")
    return "/" + "/".join(steps[:2]), "/".join(steps[2:])
