"""Charts of registries: the ``index.yaml`` of a chart repository, and OCI registries (distribution-spec v1.1).

What is found is the version that helm would take, and the archive of it, held against the sum that its registry names.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from msgspec import Struct

from portproof import yamldoc
from portproof.discover.versions import is_range, newest
from portproof.render.copying import MAX_FILE_BYTES
from portproof.render.web import Answer, Web, WebError

MAX_INDEX = 64 * 1024 * 1024
"""Bytes of an ``index.yaml``; the largest public ones have about 20 MiB."""

MAX_MANIFEST = 4 * 1024 * 1024
MAX_PAGES = 20
"""Pages of a list of tags, of which each may have a thousand."""

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CHART = ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip")
_DOCKER = "registry-1.docker.io"
"""What every client asks for ``docker.io``, which is a site for people."""

_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_CHALLENGE = re.compile(r'(?<!\w)(\w{1,100})="([^"]{0,1000})"')
_NEXT = re.compile(r'<([^>]{1,1000})>\s*;\s*rel="?next"?')
_ENTRIES = re.compile(r"^[\"']?entries[\"']?:[ \t]*\r?\n", re.MULTILINE)


class Found(Struct, frozen=True):
    """An archive, and the version that it is of."""

    version: str
    archive: bytes


def find(web: Web, repository: str, name: str, version: str) -> Found:
    """The chart `name` of a repository, in the newest version in the range `version`. Raises `WebError`.

    `version` may be the digest of an OCI manifest.
    """
    if not version.startswith("sha256:") and not is_range(version):
        raise WebError(f"{version!r} is no version and no range of versions; a registry has no branches")
    if repository.startswith("oci://"):
        return _of_oci(web, f"{repository.rstrip('/')}/{name}".rstrip("/"), version)
    return _of_index(web, repository.rstrip("/") + "/", name, version)


def _of_index(web: Web, repository: str, name: str, version: str) -> Found:
    """``pkg/repo`` of helm: addresses in the index may be relative to that of the repository."""
    answer = web.get(urljoin(repository, "index.yaml"), MAX_INDEX, {"Accept-Encoding": "gzip"}).good()
    entries = {str(one.get("version")): one for one in reversed(_entries(answer.body, name))}
    chosen = newest(entries, version)
    if chosen is None:
        what = f"version {version}" if entries else "chart of that name"
        raise WebError(f"the repository has no {what}")
    urls = entries[chosen].get("urls")
    if not isinstance(urls, list) or not urls or not isinstance(urls[0], str):
        raise WebError("its entry in the index names no archive")
    try:
        there = urljoin(repository, urls[0])
        urlsplit(there)
    except ValueError:
        raise WebError("its entry in the index names no archive") from None
    if there.startswith("oci://"):
        return _of_oci(web, there.partition("@")[0], chosen)
    return Found(chosen, _archive(web, repository, there, str(entries[chosen].get("digest") or "")))


def _archive(web: Web, repository: str, there: str, digest: str) -> bytes:
    """The archive at an address of the index. One on another host is not given the credentials of the repository."""
    before, after = urlsplit(repository), urlsplit(there)
    if before.scheme == "https" and after.scheme == "http":
        raise WebError("the index leads from https to http")
    elsewhere = before.netloc.rpartition("@")[2] != after.netloc
    if elsewhere:
        try:
            web.check(there)
        except WebError as error:
            raise WebError(f"the index leads to another host: {error}") from error
    elif before.username is not None:
        there = after._replace(netloc=before.netloc).geturl()
    data = web.get(there, MAX_FILE_BYTES).good().body
    if digest and not _is_of(data, digest):
        raise WebError("the archive is not the one that the index names (its SHA-256 differs)")
    return data


def _entries(index: bytes, name: str) -> list[Mapping[str, Any]]:
    """The versions of a chart in an index, of which nothing else is parsed: it has those of all charts."""
    try:
        text = index.decode("utf-8")
        if text.lstrip().startswith("{"):
            data = json.loads(text)
            found = data.get("entries", {}).get(name) if isinstance(data, dict) else None
        else:
            found = yamldoc.load(_part(text, name))
    except (ValueError, RecursionError, AttributeError, yamldoc.YamlError) as error:
        raise WebError("the index of the repository cannot be read") from error
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _part(text: str, name: str) -> str:
    """What an index lists for a chart, as text; helm writes one chart after the other, each in block style."""
    entries = _ENTRIES.search(text)
    if entries is None:
        raise ValueError("no entries")
    lines: list[str] = []
    indent: int | None = None
    inside = False
    for line in text[entries.end() :].split("\n"):
        bare = line.lstrip(" ")
        depth = len(line) - len(bare)
        if not bare.strip() or bare.startswith("#"):
            continue
        indent = depth if indent is None else indent
        if depth < indent:
            break
        if depth == indent and not bare.startswith("- ") and bare.rstrip() != "-":
            if inside:
                break
            inside = bare.rstrip().strip(":").strip("\"'") == name
        elif inside:
            lines.append(line)
    return "\n".join(lines)


def _of_oci(web: Web, reference: str, version: str) -> Found:
    """``oci://host/path``, with the archive as the only layer of its kind."""
    parts = urlsplit(reference.replace("oci://", "https://", 1))
    path = parts.path.strip("/")
    above, _, last = path.rpartition("/")
    path = f"{above}/{last.partition(':')[0]}".strip("/")  # an index that leads here names the tag, too
    host = _DOCKER if parts.netloc == "docker.io" else parts.netloc
    registry = _Registry(web, f"{parts.scheme}://{host}/v2/{quote(path)}", path)
    pinned = version.startswith("sha256:")
    chosen = version if pinned else registry.tag(version)
    answer = registry.get(f"manifests/{chosen.replace('+', '_')}", MAX_MANIFEST, {"Accept": _MANIFEST})
    if pinned and not _is_of(answer.body, version):
        raise WebError("the manifest is not the one that is pinned (its SHA-256 differs)")
    try:
        manifest = json.loads(answer.body)
        layers = [one for one in manifest["layers"] if one.get("mediaType") in _CHART]
        digest = str(layers[0]["digest"])
    except (ValueError, RecursionError, AttributeError, KeyError, IndexError, TypeError) as error:
        raise WebError("what lies there is no chart") from error
    if not _DIGEST.fullmatch(digest) or not digest.startswith("sha256:"):
        raise WebError("its manifest names no SHA-256")
    data = registry.get(f"blobs/{digest}", MAX_FILE_BYTES, {}).body
    if not _is_of(data, digest):
        raise WebError("the archive is not the one that its manifest names (its SHA-256 differs)")
    return Found(_version_of(manifest) or chosen, data)


def _version_of(manifest: Mapping[str, Any]) -> str:
    found = yamldoc.lookup(manifest, ("annotations", "org.opencontainers.image.version"))
    return found if isinstance(found, str) and len(found) < 100 else ""


class _Registry(Struct):
    """One repository of a registry, with the token that it gives to everybody."""

    web: Web
    base: str
    path: str
    token: str = ""

    def tag(self, version: str) -> str:
        """The version that a range means; helm writes ``+`` as ``_`` in tags. An exact one is not looked up."""
        wanted = version.strip()
        if re.fullmatch(r"v?\d+\.\d+\.\d+[\w.+-]*", wanted):
            return wanted
        tags: list[str] = []
        page = "tags/list?n=1000"
        for _ in range(MAX_PAGES):
            answer = self.get(page, MAX_MANIFEST, {})
            try:
                tags += [str(one) for one in json.loads(answer.body)["tags"] or ()]
            except (ValueError, RecursionError, KeyError, TypeError) as error:
                raise WebError("the registry does not list its tags") from error
            more = _NEXT.search(answer.headers.get("link", ""))
            if more is None:
                break
            page = f"tags/list?{urlsplit(more[1]).query}"
        chosen = newest([one.replace("_", "+") for one in tags], version)
        if chosen is None:
            raise WebError(f"the registry has no version {version}")
        return chosen

    def get(self, what: str, limit: int, headers: Mapping[str, str]) -> Answer:
        """What lies there; with a token where the registry wants one (distribution ``docs/spec/auth/token.md``)."""
        url = f"{self.base}/{what}"
        answer = self.web.get(url, limit, self._sent(headers))
        if answer.status == 401 and not self.token:
            self._ask_for_token(answer)
            answer = self.web.get(url, limit, self._sent(headers))
        if answer.status == 401:
            raise WebError("the registry wants credentials, which portproof does not send")
        return answer.good()

    def _sent(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {**headers, **({"Authorization": f"Bearer {self.token}"} if self.token else {})}

    def _ask_for_token(self, answer: Answer) -> None:
        challenge = answer.headers.get("www-authenticate", "")
        given = dict(_CHALLENGE.findall(challenge))
        if not challenge.lower().startswith("bearer ") or "realm" not in given:
            raise WebError("the registry wants credentials, which portproof does not send")
        query = {"scope": f"repository:{self.path}:pull"}
        if "service" in given:
            query["service"] = given["service"]
        there = given["realm"] + ("&" if "?" in given["realm"] else "?") + urlencode(query)
        if not there.startswith("https://"):
            raise WebError("the registry has its tokens given without https")
        try:
            data = json.loads(self.web.get(there, MAX_MANIFEST, {}, onward=True).good().body)
            token = data.get("token") or data.get("access_token")
        except (ValueError, RecursionError, AttributeError) as error:
            raise WebError("the registry gives no token") from error
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise WebError("the registry gives no token")
        self.token = token


def _is_of(data: bytes, digest: str) -> bool:
    """Whether a SHA-256 is that of the data."""
    found = _DIGEST.fullmatch(digest.lower())
    return found is not None and hashlib.sha256(data).hexdigest() == found[1]
