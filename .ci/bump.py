"""Raise the pinned helm and kustomize: ``make bump-tools`` rewrites src/portproof/pins.py, or changes nothing at all.

Each pinned release is held against the newest one of its major version. A sum is taken only when two publications
agree on it and the file itself has it:

* helm: the checksum file on get.helm.sh, and the release notes on GitHub;
* kustomize: checksums.txt of the release, and the digest that GitHub computed when the file was uploaded.

The sums of a release that stays are compared, too. Whatever is missing, cut short or contradicts another is an error:
exit code 1, and pins.py is as it was. A new major version is only announced, and the wheel that stands in for the
official files is not touched: both take a look by a person.

GH_TOKEN, if set, goes to GitHub's API and nowhere else; without it GitHub answers 60 requests an hour.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from portproof import download
from portproof.errors import ToolError
from portproof.pins import Archive, Build, Catalogue, Wheel
from portproof.replacing import replace

PINS = Path(__file__).resolve().parents[1] / "src" / "portproof" / "pins.py"
API = "https://api.github.com"
_REPOSITORIES = {"helm": ("helm/helm", ""), "kustomize": ("kubernetes-sigs/kustomize", "kustomize/")}
"""Where a tool is released, and what its tags begin with."""
_SECONDS = 60.0
_MAX_TEXT = 32 * 1024 * 1024
_MAX_BINARY = 256 * 1024 * 1024
_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
_SUM = r"[0-9a-f]{64}"


class BumpError(Exception):
    """Something upstream is missing, cut short or contradictory: nothing may be changed."""


@dataclass(frozen=True, slots=True)
class Line:
    """One pinned release: its official files, one a platform."""

    tool: str
    version: str
    builds: tuple[Build, ...]

    @property
    def major(self) -> int:
        """The major version, which a bump does not leave."""
        return _numbers(self.version)[0]

    @property
    def files(self) -> list[tuple[Build, Archive]]:
        """Each build with its file."""
        return [(build, build.source) for build in self.builds if isinstance(build.source, Archive)]

    def at(self, version: str, sums: Mapping[str, str] | None = None) -> Line:
        """The same builds of another release; `sums`, by platform, are those of its files."""
        builds = []
        for build, file in self.files:
            url = file.url.replace(self.version, version)
            source = Archive(url, sums[build.platform] if sums else file.sha256)
            builds.append(replace(build, version=version, release=version, source=source))
        return Line(self.tool, version, tuple(builds))


def main(pins: Path = PINS, api: str = API, token: str = "") -> int:
    """Raise what can be raised in the file `pins`; gives the exit code."""
    try:
        text = pins.read_text(encoding="utf-8")
        catalogue = load(text)
        upstream = Upstream(api, token, catalogue.schemes)
        before = lines(catalogue)
        releases = {tool: upstream.releases(tool) for tool in dict.fromkeys(line.tool for line in before)}
        after = [upstream.raised(line, releases[line.tool]) for line in before]
        if after != before:
            _write(pins, rewritten(text, before, after), _expected(catalogue, after))
    except (BumpError, ToolError, download.UnreachableError, OSError) as error:
        print(f"bump: {error}; nothing was changed", file=sys.stderr)
        return 1
    for old, new in zip(before, after, strict=True):
        print("\n".join(_told(old, new)))
    for tool, found in releases.items():
        newest = max(found, key=_numbers)
        if _numbers(newest)[0] > max(line.major for line in before if line.tool == tool):
            print(f"{tool} {newest} is out: a new major version is yours to try")
    return 0


def lines(catalogue: Catalogue) -> list[Line]:
    """The pinned releases that have official files."""
    official = [build for build in catalogue.builds if isinstance(build.source, Archive)]
    found = groupby(official, key=lambda build: (build.tool, build.version))
    return [Line(tool, version, tuple(group)) for (tool, version), group in found]


# --- what upstream publishes -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Upstream:
    """GitHub's API and the hosts that the pins name; only URLs of these `schemes` are opened."""

    api: str
    token: str
    schemes: Collection[str]

    def releases(self, tool: str) -> dict[str, Mapping[str, Any]]:
        """GitHub's releases of a tool by version, without drafts and previews. Raises `BumpError`."""
        repository, prefix = _REPOSITORIES[tool]
        url = f"{self.api}/repos/{repository}/releases?per_page=100"
        try:
            answer = json.loads(self.text(url))
        except ValueError as error:
            raise BumpError(f"{url}: not JSON ({error})") from error
        found = {}
        for release in _items(answer):
            match release:
                case {"tag_name": str(tag), "draft": False, "prerelease": False} if tag.startswith(prefix):
                    version = tag.removeprefix(prefix)
                    if _VERSION.fullmatch(version):
                        found[version] = release
        if not found:
            raise BumpError(f"{url}: no release of {tool}")
        return found

    def raised(self, line: Line, releases: Mapping[str, Mapping[str, Any]]) -> Line:
        """The newest of the releases of the line's major version, with sums that are proven. Raises `BumpError`."""
        if line.version not in releases:
            raise BumpError(f"{line.tool} {line.version}, which is pinned, is not among GitHub's releases")
        version = max((one for one in releases if _numbers(one)[0] == line.major), key=_numbers)
        release, files = releases[version], line.at(version).files
        new = line.at(version, {build.platform: self.published(file, release) for build, file in files})
        if new.version != line.version:
            for build, file in new.files:
                self.prove(build, file)
        elif new != line:
            raise BumpError(f"{line.tool} {line.version} is published with other sums than those pinned")
        return new

    def published(self, file: Archive, release: Mapping[str, Any]) -> str:
        """The sum of a file, on which two publications agree. Raises `BumpError`."""
        folder, _, name = file.url.rpartition("/")
        if name.startswith("helm-"):
            checksums = self.text(f"{file.url}.sha256sum")
            second = re.findall(rf"{re.escape(name)}\.sha256sum\) / ({_SUM})\)", str(release.get("body")))
        else:
            checksums = self.text(f"{folder}/checksums.txt")
            assets = [one for one in _items(release.get("assets")) if one.get("name") == name]
            second = [str(one.get("digest")).removeprefix("sha256:") for one in assets]
        first: list[str] = re.findall(rf"^({_SUM}) [ *]{re.escape(name)}$", checksums, re.MULTILINE)
        if len(first) != 1:
            raise BumpError(f"{name}: its checksum file has {len(first)} sums of it")
        if second != first:
            said = " and ".join(second) or "none"
            raise BumpError(
                f"{name}: the sum in its checksum file is {first[0]}, that of the release on GitHub {said}"
            )
        return first[0]

    def prove(self, build: Build, file: Archive) -> None:
        """Fetch the whole file and read the program in it. Raises `ToolError` and `download.UnreachableError`."""
        with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("wb") as nowhere:
            for member, stream in download.binaries(file, [build.member], Path(folder), {}, self.schemes):
                download.copy(stream, nowhere, _MAX_BINARY, member)

    def text(self, url: str) -> str:
        """A small file, whole. Raises `BumpError`."""
        request = urllib.request.Request(url, headers={"User-Agent": "portproof"})  # noqa: S310 - see _Gate
        if self.token and url.startswith(f"{self.api}/"):
            # a redirect does not take it along
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.build_opener(_Gate(self.schemes)).open(request, timeout=_SECONDS) as answer:
                data: bytes = answer.read(_MAX_TEXT + 1)
                missing: int = answer.length or 0
            text: str = data.decode("utf-8")
        except (OSError, http.client.HTTPException, UnicodeDecodeError) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            raise BumpError(f"{url}: {error}") from error
        if missing:
            raise BumpError(f"{url}: the answer broke off, or has more than {_MAX_TEXT} bytes")
        return text


class _Gate(urllib.request.BaseHandler):
    """Every request passes here first, and so does every one that a redirect makes."""

    def __init__(self, schemes: Collection[str]) -> None:
        self.schemes = schemes

    def default_open(self, req: urllib.request.Request) -> None:
        if req.type not in self.schemes:
            raise BumpError(f"{req.full_url}: {req.type} is not allowed")


def _items(value: object) -> list[Any]:
    """What a list of JSON holds; anything else holds nothing."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _numbers(version: str) -> tuple[int, int, int]:
    match = _VERSION.fullmatch(version)
    if match is None:
        raise BumpError(f"{version}: not a version")
    return (int(match[1]), int(match[2]), int(match[3]))


# --- the file of pins ------------------------------------------------------------------------------------------


def load(text: str) -> Catalogue:
    """The catalogue that a text of pins.py makes, in our own types."""
    made: dict[str, Any] = {"__name__": Build.__module__}
    exec(compile(text, PINS.name, "exec"), made)  # noqa: S102 - the text of this repository
    catalogue: Catalogue = made["OFFICIAL"]
    builds = []
    for build in catalogue.builds:
        values = asdict(build)
        source = values.pop("source")
        builds.append(Build(**values, source=Archive(**source) if "url" in source else Wheel(**source)))
    return Catalogue(tuple(builds), catalogue.schemes)


def rewritten(text: str, before: Sequence[Line], after: Sequence[Line]) -> str:
    """The text of pins.py with other versions and sums. Raises `BumpError`."""
    for old, new in zip(before, after, strict=True):
        if old == new:
            continue
        text = _replaced(text, rf'(_{old.tool}\(\s*)"{re.escape(old.version)}"', rf'\1"{new.version}"')
        for (_, was), (_, now) in zip(old.files, new.files, strict=True):
            text = _replaced(text, was.sha256, now.sha256)
    return text


def _replaced(text: str, pattern: str, new: str) -> str:
    text, count = re.subn(pattern, new, text)
    if count != 1:
        raise BumpError(f"pins.py has {count} places for {pattern}")
    return text


def _expected(catalogue: Catalogue, after: Sequence[Line]) -> Catalogue:
    """The catalogue with the builds of the lines in place of theirs."""
    fresh = iter([build for line in after for build in line.builds])
    builds = [next(fresh) if isinstance(one.source, Archive) else one for one in catalogue.builds]
    return replace(catalogue, builds=tuple(builds))


def _write(pins: Path, text: str, expected: Catalogue) -> None:
    """Replace the file by a text that says what is expected. Raises `BumpError`."""
    if load(text) != expected:
        raise BumpError("pins.py would not say what it should")
    fresh = pins.with_name(f".{pins.name}.new")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.chmod(pins.stat().st_mode)
        fresh.replace(pins)
    finally:
        fresh.unlink(missing_ok=True)


def _told(old: Line, new: Line) -> Iterator[str]:
    if old == new:
        yield f"{old.tool} {old.version} is the newest of v{old.major}, and its published sums are those pinned"
        return
    yield f"{old.tool} {old.version} -> {new.version}"
    for (build, was), (_, now) in zip(old.files, new.files, strict=True):
        yield f"  {build.platform}: {was.sha256} -> {now.sha256}"


if __name__ == "__main__":
    sys.exit(main(token=os.environ.get("GH_TOKEN", "")))
