"""The command line: arguments -> configuration -> pipeline -> writer -> exit code.

Commands import what they need when they run: ``portproof rules`` starts without
loading helm, templates or the port graph.
"""

from __future__ import annotations

from portproof.cli import about, checking, prevention
from portproof.cli.entry import main
from portproof.cli.group import app

__all__ = ["about", "app", "checking", "main", "prevention"]
