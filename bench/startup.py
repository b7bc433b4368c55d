"""How long ``portproof rules`` takes to start, beside ``python -c pass``. Budget: 0.15 s.

Run: ``python bench/startup.py [--rounds N] [--imports]``
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from repositories import PROGRAM

BUDGET = 0.15
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|( +)(\S+)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--imports", action="store_true", help="list the heaviest imports")
    chosen = parser.parse_args()
    ours, bare = [*PROGRAM, "rules"], [sys.executable, "-c", "pass"]
    for argv in (ours, bare):  # files into the page cache, bytecode written
        seconds(argv)
    pairs = [(seconds(ours), seconds(bare)) for _ in range(chosen.rounds)]
    total, floor = (statistics.median(one) for one in zip(*pairs, strict=True))
    print(f"portproof rules  {total:.3f} s   (best {min(one for one, _ in pairs):.3f}, budget {BUDGET})")
    print(f"python -c pass   {floor:.3f} s   our share {total - floor:.3f} s")
    if chosen.imports:
        print_imports()
    raise SystemExit(total > BUDGET)


def seconds(argv: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def print_imports(most: int = 25) -> None:
    """The imports that take the longest, with what they import themselves."""
    argv = [sys.executable, "-X", "importtime", *PROGRAM[1:], "rules"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    found = [(int(match[2]), int(match[1]), match[4]) for match in _IMPORT.finditer(done.stderr)]
    print("\n with its own imports   alone   module (ms)")
    for cumulative, alone, module in sorted(found, reverse=True)[:most]:
        print(f"{cumulative / 1000:21.1f} {alone / 1000:7.1f}   {module}")


if __name__ == "__main__":
    main()
