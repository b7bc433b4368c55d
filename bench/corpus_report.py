"""What portproof says about public repositories: a line for each, and every error and warning in full.

Run: ``python bench/corpus_report.py REPO... [--keep FOLDER]``; a folder of repositories counts as all of them.
An error on a healthy chart is a bug of portproof's: judge each finding by reading the chart.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from repositories import expand, name, report

_HEAD = ("repository", "targets", "checked", "failed", "skipped", "error", "warning", "note", "seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", type=Path, nargs="+")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="write each JSON report into this folder")
    parser.add_argument(
        "--reuse", action="store_true", help="take reports that are in the --keep folder from there"
    )
    chosen = parser.parse_args()
    reports: dict[str, dict[str, Any]] = {}
    print(*_columns(_HEAD))
    for repository in expand(chosen.repository):
        started = time.perf_counter()
        kept = chosen.keep / f"{name(repository).replace('/', '__')}.json" if chosen.keep else None
        if kept and chosen.reuse and kept.exists():
            one = json.loads(kept.read_text(encoding="utf-8"))
        else:
            one = report(repository, ("--jobs", str(chosen.jobs)))
        counts = one["summary"]
        seconds = f"{time.perf_counter() - started:.1f}"
        numbers = [counts[key] for key in _HEAD[2:-1]]
        print(*_columns((name(repository), len(one["targets"]), *numbers, seconds)), flush=True)
        reports[name(repository)] = one
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(one, indent=1), encoding="utf-8")
    print_rules(reports)
    print_reasons(reports)
    for repository_name, one in reports.items():
        print_findings(repository_name, one)


def _columns(row: Sequence[object]) -> Iterator[str]:
    first, *rest = row
    yield f"{first!s:48}"
    yield from (f"{cell!s:>8}" for cell in rest)


def print_rules(reports: dict[str, dict[str, Any]]) -> None:
    found = Counter((item["severity"], item["rule"]) for one in reports.values() for item in one["findings"])
    print("\nFindings by rule:")
    for (severity, rule), count in sorted(found.items()):
        print(f"{count:6}  {severity:8} {rule}")


def print_reasons(reports: dict[str, dict[str, Any]]) -> None:
    print("\nWhy targets were skipped or failed:")
    found: Counter[tuple[str, str]] = Counter()
    for one in reports.values():
        targets = [target for target in one["targets"] if target["status"] != "checked"]
        found.update((target["status"], _gist(target["reason"] or "")) for target in targets)
    for (status, reason), count in found.most_common(40):
        print(f"{count:6}  {status:8} {reason}")


def _gist(reason: str) -> str:
    return reason if len(reason) <= 110 else reason[:107] + "..."


def print_findings(repository: str, one: dict[str, Any]) -> None:
    for finding in one["findings"]:
        if finding["severity"] == "note" or finding["rule"] == "render-failed":
            continue
        fix = finding["fix"]["description"] if finding["fix"] else "no proven fix"
        others = f" (+{len(finding['alternatives'])})" if finding["alternatives"] else ""
        print(f"\n{repository}  {_place(finding['location'])}")
        print(f"  {finding['severity']} {finding['rule']} at {_field(finding)}: {finding['message']}")
        for related in finding["related"]:
            print(f"    {_place(related['location'])}: {related['message']}")
        print(f"  in {', '.join(finding['targets'][:3])}{' ...' if len(finding['targets']) > 3 else ''}")
        print(f"  fix: {fix}{others}")


def _field(finding: dict[str, Any]) -> str:
    resource = finding["resource"] or {"kind": "?", "name": "?"}
    return f"{resource['kind']}/{resource['name']} {finding['field']} = {finding['value']!r}"


def _place(location: dict[str, Any] | None) -> str:
    if location is None:
        return "(place unknown)"
    return f"{location['path']}:{location['line']}:{location['column']} [{location['proof']}]"


if __name__ == "__main__":
    main()
