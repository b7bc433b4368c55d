"""``portproof.yaml`` and the flags of the command line -> `Config`, checked once and complete.

The file comes with the repository, so a pull request can change it: it cannot
name programs to run (``--helm`` and ``--kustomize`` are flags only), and its
numbers are bounded. What only later stages know (which rules there are, what a
JSONPath is) they lend as a `Vocabulary`.
"""

from __future__ import annotations

from portproof.config.globs import matches
from portproof.config.model import OFF, ChartConfig, IgnoreConfig, ReferenceConfig
from portproof.config.place import Vocabulary
from portproof.config.processors import default_jobs
from portproof.config.reading import NAMES, exclude_lines, load, merge, parse
from portproof.config.settings import Config, FileConfig

__all__ = [
    "NAMES",
    "OFF",
    "ChartConfig",
    "Config",
    "FileConfig",
    "IgnoreConfig",
    "ReferenceConfig",
    "Vocabulary",
    "default_jobs",
    "exclude_lines",
    "load",
    "matches",
    "merge",
    "parse",
]
