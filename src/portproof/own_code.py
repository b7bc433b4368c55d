"""Which program is running: what it keeps from one run to the next is of use to that very program only."""

# Hundreds of files pass here at each start, and strings are several times faster than Path objects.
# ruff: noqa: PTH112, PTH120, PTH123, PTH208

from __future__ import annotations

import hashlib
import os
import sys
from functools import cache

import portproof


@cache
def own_code() -> str:
    """A digest of portproof's own files, of Python, and of the names and versions of the libraries beside it.

    Raises `OSError` where they cannot be read.
    """
    found = hashlib.sha256(sys.version.encode())
    own = os.path.dirname(portproof.__file__)
    room = len(own)
    for folder, folders, files in os.walk(own):
        folders[:] = sorted(one for one in folders if one != "__pycache__")
        for name in sorted(files):
            with open(f"{folder}/{name}", "rb", buffering=0) as stream:
                found.update(f"\0{folder[room:]}/{name}\0".encode("utf-8", "surrogateescape"))
                found.update(hashlib.sha256(stream.readall()).digest())
    for folder in sorted({*sys.path, os.path.dirname(os.__file__)}):
        if os.path.isdir(folder):
            names = sorted(name for name in os.listdir(folder) if name.endswith(".dist-info"))
            found.update("\0".join(names).encode("utf-8", "surrogateescape"))
    return found.hexdigest()
