"""How the repository says that its images are built: Docker Compose, Skaffold, workflows of GitHub, folders.

Only what is written out is read: a name with a variable or a matrix in it names no image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from portproof.builds.model import Mapped
from portproof.discover.builders import COMPOSE, SKAFFOLD
from portproof.source import RelPath, join, parent
from portproof.yamldoc import YamlError, load_all, lookup

MAX_TEXT = 256 * 1024
"""Longer descriptions are not read."""

_BUILD = re.compile(r"docker(?:[ \t]+buildx)?[ \t]+build[ \t]+(?P<rest>[^\n;&|]{1,1000})")
_OPTION = re.compile(r"(?P<name>--tag|--file|-t|-f)(?:[ =])[ \t]*(?P<value>[^\s'\"]{1,300})")
_OTHER_OPTION = re.compile(r"--?[a-z][\w-]*(?:=\S+)?")
_HOST = re.compile(
    r"\A(?:(?:localhost|127\.0\.0\.1|[\w.-]+\.(?:local|localhost|internal))(?::\d+)?/|[\w-]+:\d+/)"
)
_IN_A_VERSION = re.compile(r":v?\d[\w.-]*\Z")
_NOT_LITERAL = re.compile(r"[${}<>%*]")


class Recipe(Struct, frozen=True):
    """An image of these names is built from `dockerfile`, with the files below `context`.

    `stated`: a description gives the image these names, whole but for the tag (``*/web`` if only the last part is
    written out). Else the name of a folder or service is guessed to be the last part of the image's.
    """

    dockerfile: RelPath
    context: RelPath
    names: frozenset[str]
    stated: bool
    target: str = ""
    mapped: tuple[Mapped, ...] = ()


def name_of(image: str) -> str:
    """An image without its tag, its digest, and a registry on this machine."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return _HOST.sub("", head + slash + last.partition(":")[0], count=1)


def of_folders(dockerfiles: frozenset[RelPath]) -> Iterator[Recipe]:
    """A folder that holds one Dockerfile, and no other, is what builds the image of its name."""
    beside: dict[RelPath, list[RelPath]] = {}
    for path in sorted(dockerfiles):
        beside.setdefault(parent(path), []).append(path)
    for folder, paths in beside.items():
        if folder != "." and [one.rpartition("/")[2] for one in paths] == ["Dockerfile"]:
            yield Recipe(paths[0], folder, frozenset({folder.rpartition("/")[2].lower()}), stated=False)


def of_description(path: RelPath, text: str) -> Iterator[Recipe]:
    """What a description says; nothing where it is not what its name says."""
    if len(text) > MAX_TEXT:
        return
    try:
        found = load_all(text)
    except YamlError:
        return
    name = path.rpartition("/")[2]
    read = _skaffold if SKAFFOLD.fullmatch(name) else _compose if COMPOSE.fullmatch(name) else _workflow
    for data in found:
        if isinstance(data, dict):
            yield from read(path, data)


def pulled(path: RelPath, text: str) -> frozenset[str]:
    """The images that a Compose file does not build, and takes in a version: they come from a registry."""
    if len(text) > MAX_TEXT or not COMPOSE.fullmatch(path.rpartition("/")[2]):
        return frozenset()
    try:
        found = [one.get("services") for one in load_all(text) if isinstance(one, dict)]
    except YamlError:
        return frozenset()
    several = [one for some in found if isinstance(some, dict) for one in some.values()]
    images = [str(one.get("image")) for one in several if isinstance(one, dict) and "build" not in one]
    return frozenset(name_of(one).lower() for one in images if _IN_A_VERSION.search(one))


def _recipe(
    folder: RelPath, context: Any, file: Any, names: frozenset[str], *, stated: bool, **more: Any
) -> Iterator[Recipe]:
    """A recipe, where everything that decides it is written out. The Dockerfile's path is relative to `folder`."""
    texts = [str(context), str(file), str(more.get("target") or "")]
    if not names or any(_NOT_LITERAL.search(one) for one in texts):
        return
    place, dockerfile = join(folder, str(context)), join(folder, str(file))
    if place is not None and dockerfile is not None:
        yield Recipe(dockerfile, place, names, stated, **more)


def _literal(*images: Any) -> frozenset[str]:
    """The names of images whose last part is written out, whatever their tags are; ``*/web`` if the rest is not."""
    found = set()
    for one in images:
        name = re.sub(r":[^:/]*\Z", "", str(one or "").strip())
        head, slash, last = name.rpartition("/")
        if last and not _NOT_LITERAL.search(last):
            found.add(f"*/{last}" if _NOT_LITERAL.search(head) else name_of(head + slash + last))
    return frozenset(found)


def _compose(path: RelPath, data: Mapping[str, Any]) -> Iterator[Recipe]:
    """``services`` of the Compose specification that have a ``build``."""
    services = data.get("services")
    for name, service in services.items() if isinstance(services, dict) else ():
        build = service.get("build") if isinstance(service, dict) else None
        given = build if isinstance(build, dict) else {"context": build}
        context = given.get("context") or ("." if isinstance(build, dict) else None)
        if context is None or given.get("dockerfile_inline"):
            continue
        names = _literal(service.get("image"))
        told = service.keys() & {"command", "entrypoint", "environment", "env_file"}
        file = f"{context}/{given.get('dockerfile') or 'Dockerfile'}"
        yield from _recipe(
            parent(path),
            context,
            file,
            names or frozenset({str(name).lower()}),
            stated=bool(names),
            target=str(given.get("target") or ""),
            mapped=() if told else tuple(_mapped(path, str(name), service)),
        )


def _mapped(path: RelPath, name: str, service: Mapping[str, Any]) -> Iterator[Mapped]:
    ports = service.get("ports")
    for one in ports if isinstance(ports, list) else ():
        if isinstance(one, dict):
            text, protocol = str(one.get("target")), str(one.get("protocol") or "tcp")
        else:
            text, _, protocol = str(one).rpartition(":")[2].partition("/")
        if text.isascii() and text.isdecimal() and protocol in ("", "tcp") and len(text) <= 5:
            yield Mapped(int(text), path, name)


def _skaffold(path: RelPath, data: Mapping[str, Any]) -> Iterator[Recipe]:
    """``build.artifacts`` that Docker or Kaniko builds."""
    artifacts = lookup(data, ("build", "artifacts"))
    for one in artifacts if isinstance(artifacts, list) else ():
        if not isinstance(one, dict):
            continue
        context = one.get("context") or "."
        other = one.keys() & {"jib", "ko", "buildpacks", "bazel", "custom"}
        docker = one.get("docker") or one.get("kaniko") or {}
        if not other and isinstance(docker, dict):
            yield from _recipe(
                parent(path),
                context,
                f"{context}/{docker.get('dockerfile') or 'Dockerfile'}",
                _literal(one.get("image")),
                stated=True,
                target=str(docker.get("target") or ""),
            )


def _workflow(_path: RelPath, data: Mapping[str, Any]) -> Iterator[Recipe]:
    """Steps of workflows with ``docker/build-push-action``, or with ``docker build`` in a line."""
    jobs = data.get("jobs")
    for job in jobs.values() if isinstance(jobs, dict) else ():
        steps = job.get("steps") if isinstance(job, dict) else None
        for step in steps if isinstance(steps, list) else ():
            if not isinstance(step, dict):
                continue
            given = step.get("with")
            if str(step.get("uses")).startswith("docker/build-push-action") and isinstance(given, dict):
                yield from _action(given)
            elif isinstance(step.get("run"), str):
                yield from _line(
                    str(step.get("working-directory") or "."), _filled_in(step["run"].replace("\\\n", " "))
                )


def _filled_in(text: str) -> str:
    """A text in which an expression of a workflow is one word."""
    return re.sub(r"\$\{\{[^{}\n]{0,200}\}\}", "$", text)


def _action(given: Mapping[str, Any]) -> Iterator[Recipe]:
    context = given.get("context") or "."
    tags = re.split(r"[\s,]+", _filled_in(str(given.get("tags") or "")))
    file = given.get("file") or f"{context}/Dockerfile"  # relative to the workspace
    yield from _recipe(
        ".", context, file, _literal(*tags), stated=True, target=str(given.get("target") or "")
    )


def _line(folder: str, run: str) -> Iterator[Recipe]:
    if _NOT_LITERAL.search(folder):
        return
    here = join(".", folder)
    for match in _BUILD.finditer(run):
        rest = match["rest"]
        options = [(one["name"], one["value"]) for one in _OPTION.finditer(rest)]
        left = _OTHER_OPTION.sub(" ", _OPTION.sub(" ", rest)).split()
        files = [value for name, value in options if name in ("-f", "--file")]
        tags = [value for name, value in options if name in ("-t", "--tag")]
        if here is None or len(left) != 1 or len(files) > 1:
            continue
        yield from _recipe(
            here, left[0], files[0] if files else f"{left[0]}/Dockerfile", _literal(*tags), stated=True
        )
