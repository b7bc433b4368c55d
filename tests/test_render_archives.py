"""Archives of charts, looked through before helm unfolds them."""

from __future__ import annotations

import gzip
import io
import os
import resource
import tarfile
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from portproof.process import MIB
from portproof.render.archives import refusal

LIB = "apiVersion: v2\nname: lib\nversion: 1.0.0\n"


def member(name: str, data: bytes = b"", **more: object) -> tuple[tarfile.TarInfo, bytes]:
    """A member; `more` are fields of its header."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def tar(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in (member("lib/Chart.yaml", LIB.encode()), *members):
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    return gzip.compress(tar(members))


def noise(size: int) -> bytes:
    """Text that does not pack well, the same in every run."""
    state, found = 1, bytearray()
    while len(found) < size:
        state = state * 6364136223846793005 % 2**64 + 1442695040888963407
        found += state.to_bytes(9, "big")
    return bytes(found[:size])


def nested(levels: int) -> bytes:
    data = packed()
    for _ in range(levels):
        data = packed(member("lib/charts/lib.tgz", data))
    return data


def looked_through(tmp_path: Path, *archives: bytes) -> str | None:
    files = []
    for number, data in enumerate(archives):
        file = tmp_path / f"{number}.tgz"
        file.write_bytes(data)
        files.append((file, f"x/charts/{number}.tgz"))
    return refusal(files)


def test_what_packaged_charts_have_is_fine(tmp_path: Path) -> None:
    long = f"lib/{'folder/' * 30}file"
    healthy = (
        member("lib/templates", type=tarfile.DIRTYPE),
        member("./lib/templates/a.yaml", b"a: 1\n"),
        member(long, b"x"),
        member("lib/crds/a.yaml", b"description: the same again\n" * 30_000),
        member("lib/charts/inner-1.0.0.tgz", nested(3)),
        member("lib/files/no-chart.tgz", b"whatever"),
        member("lib/charts/inner/README.md", noise(3 * MIB)),
    )
    assert looked_through(tmp_path, packed(*healthy), packed()) is None


@pytest.mark.parametrize("data", [b"", b"version https://git-lfs.github.com/spec/v1\n", tar(())])
def test_what_cannot_be_unfolded_is_left_to_helm(data: bytes, tmp_path: Path) -> None:
    assert looked_through(tmp_path, data) is None


def test_padding_is_no_member(tmp_path: Path) -> None:
    assert looked_through(tmp_path, gzip.compress(tar(()) + bytes(20 * 512))) is None
    assert looked_through(tmp_path, gzip.compress(tar(())[:1024])) is None


REFUSED = {
    "a climbing member": (packed(member("lib/../../evil")), "holds 'lib/../../evil', which points outside it"),
    "a climbing member for Windows": (packed(member("lib\\..\\..\\evil")), "holds 'lib\\\\..\\\\..\\\\evil', which points outside it"),
    "an absolute member": (packed(member("/etc/evil")), "holds '/etc/evil', which points outside it"),
    "a member on a drive": (packed(member("c:/evil")), "holds 'c:/evil', which points outside it"),
    "a link": (packed(member("lib/a", type=tarfile.SYMTYPE, linkname="/etc/passwd")), "holds 'lib/a', which is a link"),
    "a hard link": (packed(member("lib/a", type=tarfile.LNKTYPE, linkname="lib/Chart.yaml")), "holds 'lib/a', which is a link"),
    "a device": (packed(member("lib/a", type=tarfile.CHRTYPE)), "holds 'lib/a', which is neither a file nor a folder"),
    "a file with holes": (packed(member("lib/a", type=tarfile.GNUTYPE_SPARSE)), "holds 'lib/a', which is neither a file nor a folder"),
    "a pipe": (packed(member("lib/a", type=tarfile.FIFOTYPE)), "holds 'lib/a', which is neither a file nor a folder"),
    "a name with a line break": (packed(member("lib/a\n::error::x")), "holds 'lib/a\\n::error::x', a name that is too long or not printable UTF-8"),
    "a name that is not UTF-8": (packed(member("lib/\udcff")), "holds 'lib/', a name that is too long or not printable UTF-8"),
    "a long name": (packed(member("lib/" + "x" * 2000)), f"holds 'lib/{'x' * 96}', a name that is too long or not printable UTF-8"),
    "a large member": (packed(member("lib/a", noise(5 * MIB // 2) * 2 + b"x")), "holds 'lib/a', which is larger than 5 MiB"),
    "a bomb": (packed(member("lib/a", bytes(4 * MIB))), "unfolds to more than 200 times its size"),
    "a bomb of names": (packed(member("lib/a" * 700_000)), "cannot be read: too much lies between its files"),
    "a bomb in an archive": (packed(member("lib/charts/a.tgz", packed(member("lib/a", bytes(4 * MIB))))), "unfolds to more than 200 times its size"),
    "a bomb in an archive of an inner chart": (packed(member("lib/charts/a/./charts//a.tgz", packed(member("lib/a", bytes(4 * MIB))))), "unfolds to more than 200 times its size"),
    "a bomb behind the end": (gzip.compress(tar(()) + bytes(4 * MIB)), "unfolds to more than 200 times its size"),
    "a climbing member in an archive": (packed(member("lib/charts/a.tgz", packed(member("../evil")))), "holds '../evil', which points outside it"),
    "archives without end": (nested(10), "holds archives nested too deeply"),
    "many members": (packed(*(member(f"lib/{number}") for number in range(20_001))), "and others hold more than 20,000 files"),
    "something behind the end": (gzip.compress(tar(()) + tar([member("lib/../../evil")])), "cannot be read to its end"),
    "a header that is broken": (gzip.compress(tar([member("lib/a"), member("lib/b")]).replace(b"lib/b", b"lib/c")), "cannot be read to its end"),
    "headers without end": (gzip.compress(tar(())[:1024] + tar([member("x" * 200)])[1024:2048] * 1000), "cannot be read"),
    "cut off": (packed(member("lib/a", noise(10_000)))[:-3000], "cannot be read: Compressed file ended before the end-of-stream marker was reached"),
    "damaged": (packed(member("lib/a", noise(10_000)))[:-8] + bytes(8), "cannot be read: CRC check failed"),
    "no archive": (gzip.compress(b"apiVersion: v1\n" * 100), "cannot be read"),
    "larger than helm loads": (bytes(5 * MIB + 1), "is larger than 5 MiB"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED)
def test_what_no_packaged_chart_has_is_refused(name: str, tmp_path: Path) -> None:
    data, problem = REFUSED[name]
    started = time.process_time()
    found = looked_through(tmp_path, packed(), data)
    assert time.process_time() - started < 5
    assert (found or "").startswith(f"the archive x/charts/1.tgz {problem}")


def test_the_archives_of_a_chart_are_bounded_together(tmp_path: Path) -> None:
    """Each is well within its ratio; all of them are too much, and little of it is ever held."""
    text = noise(65_536) + b"the same again and again\n" * 160_000
    data = packed(*(member(f"lib/{number}", text) for number in range(8)))
    assert looked_through(tmp_path, data) is None
    found = looked_through(tmp_path, *[data] * 12)
    assert found is not None
    assert found.endswith("and others unfold to more than 256 MiB")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 < 1024 * MIB


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.tgz")
    assert refusal([(tmp_path / "a.tgz", "a.tgz")]) == "the archive a.tgz is not a regular file"
    assert (
        refusal([(tmp_path / "b.tgz", "b.tgz")])
        == "the archive b.tgz cannot be read: no such file or directory"
    )
