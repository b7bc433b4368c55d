"""Write the byte code of all that a run of portproof imports: ``python compile.py``, with the image's Python.

python-slim images come without byte code of the standard library, and every run of the
action is the first one in its container: without this it would compile a few hundred
modules each time. Only those that are really imported are written.
"""

from __future__ import annotations

import compileall
import importlib
import pkgutil
import sys
import sysconfig
from pathlib import Path
from py_compile import PycInvalidationMode

import portproof

# Imported inside functions, of the standard library or by the libraries, so that importing portproof does not show them.
_LATE = (
    "concurrent.futures.thread",
    "encodings.idna",
    "http.client",
    "requests",
    "shutil",
    "stringprep",
    "tempfile",
)


def main() -> None:
    """Import everything, then compile what came, and all installed packages."""
    for module in pkgutil.walk_packages(portproof.__path__, "portproof."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in _LATE:
        importlib.import_module(name)
    # the content of an image does not change: byte code need not be compared with its source
    mode = PycInvalidationMode.UNCHECKED_HASH
    standard = Path(sysconfig.get_path("stdlib"))
    for imported in list(sys.modules.values()):
        file = getattr(imported, "__file__", None)
        if file and file.endswith(".py") and Path(file).is_relative_to(standard):
            compileall.compile_file(file, quiet=1, force=True, invalidation_mode=mode)
    compileall.compile_dir(sysconfig.get_path("purelib"), quiet=1, force=True, invalidation_mode=mode)


if __name__ == "__main__":
    main()
