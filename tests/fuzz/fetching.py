"""What comes from registries and repositories, and the addresses of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from portproof.discover.remote_bases import remote_base
from portproof.discover.versions import is_range, newest, satisfies
from portproof.render.gitfetch import files_at
from portproof.render.kubernetes import suitable, unmet
from portproof.render.registry import find
from portproof.render.web import Answer, Web, WebError
from portproof.source import is_inside, normalise
from tests.e2e.test_remote_bases import MEANT, packet, revision
from tests.fuzz.target import Target

COMMIT, PACK = revision(b"a.yaml")


@dataclass(frozen=True)
class _Saying:
    """A host that gives one answer to whatever it is asked."""

    body: bytes

    def get(self, url: str, *_: Any, **__: Any) -> Answer:
        return Answer(url, 200, {}, self.body)

    post = get

    def check(self, _: str) -> None:
        return None


def _web(text: str) -> Web:
    return cast("Web", _Saying(text.encode("utf-8", "surrogatepass")))


def address_of_base(text: str) -> None:
    """An address is a host's folder or file, and neither leads out of the repository nor begins an option."""
    found = remote_base(text)
    if found is not None:
        assert found.address.startswith("https://")
        assert found.address.isprintable()
        assert normalise(found.path) == found.path
        assert not found.ref.startswith(("-", "/"))


def index(text: str) -> None:
    """A chart is found in an index, or it is said why not."""
    for repository in ("https://x.test/charts", "oci://x.test/charts"):
        try:
            found = find(_web(text), repository, "redis", "^1.0.0")
        except WebError as error:
            assert str(error)
        else:
            assert found.version


def git(text: str) -> None:
    """What a repository sends is files with names of the tree, or no git."""
    data = text.encode("latin-1", "replace")
    sent = packet(b"packfile\n") + b"".join(
        packet(b"\1" + data[at : at + 1000]) for at in range(0, len(data), 1000)
    )
    for body in (sent, data):
        try:
            found = files_at(cast("Web", _Saying(body)), "https://x.test/a", COMMIT)
        except WebError as error:
            assert str(error)
        else:
            assert all(map(is_inside, found))


def versions(text: str) -> None:
    """The newest version lies in the range, and so does the Kubernetes that is chosen."""
    there = ["1.0.0", "1.2.0-rc.1", "2.0.0+b", "v1.1.0", text]
    chosen = newest(there, text)
    assert chosen is None or chosen in there
    if is_range(text) and (version := suitable([text], 35)) is not None:
        assert satisfies(version, text)
    unmet(f"Error: chart requires kubeVersion: {text} which is incompatible with Kubernetes v1.35.0")


_INDEX = (
    "apiVersion: v1\nentries:\n  redis:\n  - version: 1.0.0\n    urls: [redis-1.0.0.tgz]\n    digest: ab\n",
    '{"entries": {"redis": [{"version": "1.0.0", "urls": ["oci://x.test/a/redis:1.0.0"]}]}}',
    '{"layers": [{"mediaType": "application/tar+gzip", "digest": "sha256:ab"}], "tags": ["1.0.0"], "token": "x"}',
)

TARGETS = (
    Target("remote-base", address_of_base, ("https://", "git::", "github.com", "/", "//", ".git", "?ref=", "&", "..", "@", "v1.0.0", "%2e"), [*MEANT]),
    Target("chart-index", index, ("entries:\n", "  redis:\n", "  - ", "version: ", "urls: [", "]", "\n", "1.0.0", "{", "}", '"', "&a", "*a"), _INDEX),
    Target("git-pack", git, ("PACK", "\0", "\0\0\0\2", "\x78\x9c", "0001", "packfile\n", "\1", "\x95", "\xf0"), [PACK.decode("latin-1")]),
    Target("version", versions, ("1", ".", "x", "*", "^", "~", ">=", "<", "||", ",", " ", " - ", "-0", "-rc.1", "+b", "v"), ["^1.0.0", ">=1.19.0-0 <1.26 || ~1.2", "1.0 - 2.0"]),
)  # fmt: skip
