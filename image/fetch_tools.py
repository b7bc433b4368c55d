"""Fetch the pinned helm and kustomize for the image: ``python fetch_tools.py FOLDER``.

It runs while the image is built, beside a copy of the modules of portproof that know the
addresses and sums; those need nothing but the standard library. FOLDER is where the image
will have it, and gets ``bin`` and what portproof remembers of the versions, so that a run
of the action need not ask for them.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from portproof.toolchain import Tool, find_helm, find_kustomize, install

_FINDERS: dict[str, Callable[..., Tool]] = {"helm": find_helm, "kustomize": find_kustomize}
_MTIME = (
    946684800  # whole seconds: a layer does not keep finer ones, and the memory of the versions goes by them
)


def main(folder: Path) -> None:
    """Put `helm` and `kustomize` into `folder`/bin, able to run and not to be written."""
    binaries = folder / "bin"
    binaries.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as cache:
        environ = {**os.environ, "PORTPROOF_CACHE": cache}
        fetched = {name: install(name, environ=environ, notify=_tell) for name in _FINDERS}
        for tool in fetched.values():
            # a kubectl keeps its name: that is how portproof knows what it may remember
            shutil.copyfile(tool.path, binaries / Path(tool.path).name)
    for name, find in _FINDERS.items():
        binary = binaries / Path(fetched[name].path).name
        os.utime(binary, (_MTIME, _MTIME))
        binary.chmod(0o555)
        link = binaries / name
        if link != binary:
            link.symlink_to(binary.name)
            os.utime(link, (_MTIME, _MTIME), follow_symlinks=False)
        tool = find(str(link), offline=True, environ={"PORTPROOF_CACHE": str(folder)})
        _tell(f"{name} {tool.version} ({fetched[name].origin})")


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
