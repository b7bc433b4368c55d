"""One run of the program: the world (arguments, files, tools) around the pipeline."""

from __future__ import annotations

from portproof.session.first_config import starter
from portproof.session.ports import port_diff, port_diff_of, port_map
from portproof.session.prepared import Prepared, prepare, say_notes
from portproof.session.programs import Programs
from portproof.session.request import Request, configured
from portproof.session.run import Session, combined_fixes, report_of, session
from portproof.source import root_and_paths

__all__ = [
    "Prepared",
    "Programs",
    "Request",
    "Session",
    "combined_fixes",
    "configured",
    "port_diff",
    "port_diff_of",
    "port_map",
    "prepare",
    "report_of",
    "root_and_paths",
    "say_notes",
    "session",
    "starter",
]
