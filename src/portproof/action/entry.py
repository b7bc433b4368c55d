"""The process starts anew without its secrets before anything of the checkout is read.

The environment that a process was started with stays readable in the process file system, whatever happens to
``os.environ`` later. So the token goes through a pipe into the same process under a new environment, which holds what
the action needs and nothing else: no runtime token, no OIDC address.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from portproof.action import inputs
from portproof.action.runner import run

TOKEN_FD = "PORTPROOF_TOKEN_FD"  # noqa: S105 - the name of a variable
_PREFIXES = ("GITHUB_", "INPUT_", "RUNNER_", "PORTPROOF_", "LC_")
_NAMES = frozenset(
    {
        "CI",
        "HOME",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "LANG",
        "NO_PROXY",
        "PATH",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TMPDIR",
        "TZ",
        "https_proxy",
        "http_proxy",
        "no_proxy",
    }
)
_SECRET = frozenset({"GITHUB_TOKEN", TOKEN_FD, *inputs.variables("github-token")})


def main() -> int:
    """Run the action; gives the exit code."""
    number = os.environ.get(TOKEN_FD, "")
    if not number.isdigit():
        _start_anew(os.environ)
    with os.fdopen(int(number), "r", encoding="utf-8") as stream:
        token = stream.read()
    return run(kept(os.environ) | {inputs.variables("github-token")[0]: token})


def kept(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of the environment that holds no secret."""
    return {
        name: value
        for name, value in environ.items()
        if name not in _SECRET and (name in _NAMES or name.startswith(_PREFIXES))
    }


def _start_anew(environ: Mapping[str, str]) -> None:
    token = inputs.token(environ)
    reading, writing = os.pipe()
    os.write(writing, token.encode())  # a token is far smaller than a pipe
    os.close(writing)
    os.set_inheritable(reading, True)
    # -I: the current folder is a stranger's checkout, and may well hold a folder named portproof.
    command = [sys.executable, "-I", "-B", "-m", "portproof", "action"]
    os.execve(sys.executable, command, {**kept(environ), TOKEN_FD: str(reading)})  # noqa: S606
