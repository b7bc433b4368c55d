"""The files of the head commit: from the checkout where they are the same, else through the API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from portproof.github.client import Client, blob_id
from portproof.github.model import ChangedFiles, GithubError
from portproof.report.model import Report
from portproof.report.relocate import at_head
from portproof.source import MAX_SOURCE_BYTES, RelPath

_MAX_FETCHES = 100


class Heads:
    """Reads files as they are in the head. `root` is the checkout of the commit `here`, None when there is none."""

    def __init__(
        self, client: Client, head: str, files: ChangedFiles, root: Path | None, here: str | None
    ) -> None:
        self._client = client
        self._head = head
        self._files = files
        self._root = root
        self._here = here
        self._known: dict[RelPath, str | None] = {}
        self._fetches = 0

    def relocated(self, report: Report) -> tuple[Report, frozenset[tuple[RelPath, int]]]:
        """The report in the head's lines, and the places that the head does not have."""
        return at_head(report, self._checkout, self.text)

    def texts(self, paths: Iterable[RelPath]) -> Mapping[RelPath, str]:
        """The texts of these files; those that cannot be read are left out."""
        found = {path: self.text(path) for path in paths}
        return {path: text for path, text in found.items() if text is not None}

    def text(self, path: RelPath) -> str | None:
        """The text of a file of the head; None when there is none, or it cannot be had."""
        if path not in self._known:
            data = self._data(path)
            self._known[path] = None if data is None else _decoded(data)
        return self._known[path]

    def _data(self, path: RelPath) -> bytes | None:
        here = self._bytes(path)
        blob = self._files.blobs.get(path)
        if here is not None and (blob == blob_id(here) if blob else self._here == self._head):
            return here
        if self._fetches >= _MAX_FETCHES:
            return None
        self._fetches += 1
        try:
            data = self._client.content(path, self._head)
        except GithubError:
            return None
        # Of a link GitHub gives the file that it leads to; that is not the text that a suggestion would replace.
        return None if blob and data is not None and blob_id(data) != blob else data

    def _checkout(self, path: RelPath) -> str | None:
        data = self._bytes(path)
        return None if data is None else _decoded(data)

    def _bytes(self, path: RelPath) -> bytes | None:
        if self._root is None:
            return None
        file = self._root / path
        try:
            if file.is_symlink() or not file.is_file() or file.stat().st_size > MAX_SOURCE_BYTES:
                return None
            return file.read_bytes()
        except OSError:
            return None


def _decoded(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None
