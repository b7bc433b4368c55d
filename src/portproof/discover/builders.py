"""The files of a tree that say how its images are built: Dockerfiles, Docker Compose, Skaffold, workflows of GitHub."""

from __future__ import annotations

import re

from portproof.discover.walk import Listing
from portproof.source import RelPath

COMPOSE = re.compile(r"(?:docker-)?compose(?:[.-][\w.-]{1,60})?\.ya?ml")
SKAFFOLD = re.compile(r"skaffold(?:[.-][\w.-]{1,60})?\.ya?ml")
_WORKFLOWS = ".github/workflows"
_DOCKERFILE = re.compile(
    r"(?:Dockerfile|Containerfile)(?:[.-][\w.-]{1,60})?|[\w.-]{1,60}\.(?:Dockerfile|dockerfile)"
)


def is_dockerfile(path: RelPath) -> bool:
    """Whether a file is one by its name."""
    return _DOCKERFILE.fullmatch(path.rpartition("/")[2]) is not None


def is_builder(path: RelPath) -> bool:
    """Whether a file is one of those by its name and place."""
    folder, _, name = path.rpartition("/")
    is_workflow = folder == _WORKFLOWS and name.endswith((".yaml", ".yml"))
    return bool(is_dockerfile(name) or COMPOSE.fullmatch(name) or SKAFFOLD.fullmatch(name) or is_workflow)


def builders(listing: Listing) -> tuple[RelPath, ...]:
    """Those files, sorted; none where no Dockerfile is among them."""
    paths = (folder.child(name) for folder in listing.folders.values() for name in folder.files)
    found = sorted(filter(is_builder, paths))
    return tuple(found) if any(map(is_dockerfile, found)) else ()
