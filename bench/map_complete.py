"""Is everything on the map? Services and container ports as the renders have them, beside those of ``portproof map``.

Run: ``python bench/map_complete.py REPO...``. The count reads the text that helm and kustomize print, with PyYAML alone. It
knows nothing of portproof's graph. A difference is printed with its target, and makes the exit code 1.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from repositories import expand, name, table
from workbench import opened

from portproof.render.model import Rendering

POD_KINDS = frozenset(
    {
        "CronJob",
        "DaemonSet",
        "Deployment",
        "DeploymentConfig",
        "Job",
        "Pod",
        "ReplicaSet",
        "ReplicationController",
        "Rollout",
        "StatefulSet",
    }
)
"""Kinds of Kubernetes and of the two controllers whose pod templates are those of a Deployment."""

Counted = tuple[Counter[tuple[str, ...]], set[tuple[str, ...]]]
"""The ports of Services, and those of containers."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("repository", type=Path, nargs="+")
    rows: list[tuple[object, ...]] = [
        ("repository", "targets", "Service ports", "on the map", "container ports", "on the map")
    ]
    different = 0
    for repository in expand(parser.parse_args().repository):
        totals = [0, 0, 0, 0, 0]
        for target, rendered, mapped in compared(repository):
            totals[0] += 1
            for place, (own, theirs) in enumerate(zip(rendered, mapped, strict=True)):
                totals[1 + 2 * place] += sum(Counter(own).values())
                totals[2 + 2 * place] += sum(Counter(theirs).values())
                for sign, rest in (
                    ("-", Counter(own) - Counter(theirs)),
                    ("+", Counter(theirs) - Counter(own)),
                ):
                    for each in rest:
                        different += 1
                        print(sign, name(repository), target, *each)
        rows.append((name(repository), *totals))
    print(*table(rows), sep="\n")
    print(f"\n{different} differences")
    sys.exit(1 if different else 0)


def compared(repository: Path) -> Iterator[tuple[str, Counted, Counted]]:
    """Each rendered target: what its documents hold, and what the map has."""
    shown = {one["id"]: one for one in mapped(repository)["targets"]}
    with opened(repository) as bench:
        for target in bench.ready.targets:
            rendering = bench.render(target, bench.ready.tree)
            if isinstance(rendering, Rendering):
                yield (
                    target.id,
                    in_documents(one.text for one in rendering.documents),
                    on_map(shown[target.id]),
                )
            elif not shown[target.id]["reason"]:
                yield target.id, (Counter({("does not render",): 1}), set()), (Counter(), set())


def mapped(repository: Path) -> Any:
    """What ``portproof map --format json`` prints."""
    command = [sys.executable, "-m", "portproof", "map", "--format", "json", "--offline", str(repository)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=dict(os.environ))
    return json.loads(done.stdout)


def in_documents(texts: Iterable[str]) -> Counted:
    """What manifests hold."""
    services: Counter[tuple[str, ...]] = Counter()
    containers: set[tuple[str, ...]] = set()
    for one in objects(texts):
        title = str((one.get("metadata") or {}).get("name"))
        if one["kind"] == "Service" and one.get("apiVersion") == "v1":
            for port in (one.get("spec") or {}).get("ports") or [{}]:
                services[title, str(port.get("port", "none")), str(port.get("protocol") or "TCP")] += 1
        for container in containers_of(one):
            for port in container.get("ports") or ():
                holder = f"{one['kind']}/{title}"
                containers.add((holder, str(container.get("name")), str(port.get("containerPort"))))
    return services, containers


def objects(texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The objects of documents, those inside of lists too; the last of several with one name is the one that is applied."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for text in texts:
        try:
            parsed = list(yaml.load_all(text, Loader=yaml.CSafeLoader))
        except yaml.YAMLError:
            continue
        for document in parsed:
            if not isinstance(document, dict):
                continue
            items = document.get("items") if str(document.get("kind", "")).endswith("List") else None
            for one in items if isinstance(items, list) else [document]:
                if isinstance(one, dict) and isinstance(one.get("kind"), str):
                    metadata = one.get("metadata") or {}
                    key = (
                        str(one.get("apiVersion")),
                        one["kind"],
                        str(metadata.get("namespace")),
                        str(metadata.get("name")),
                    )
                    found[key] = one
    yield from found.values()


def containers_of(one: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The containers of the pods that an object makes, if it makes any."""
    if one["kind"] not in POD_KINDS:
        return
    spec = one.get("spec") or {}
    if one["kind"] == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    pod = spec if one["kind"] == "Pod" else (spec.get("template") or {}).get("spec") or {}
    for part in ("containers", "initContainers"):
        yield from (each for each in pod.get(part) or () if isinstance(each, dict))


def on_map(target: Any) -> Counted:
    """What a target of the map's JSON has."""
    services: Counter[tuple[str, ...]] = Counter(
        (str(one["name"]), str(port.get("port", "none")), str(port.get("protocol", "TCP")))
        for one in target["services"]
        for port in one["ports"] or [{}]
    )
    ends = [end for one in target["services"] for port in one["ports"] for end in port["ends"]]
    several = [*(end for end in ends if end["container"]), *target["unserved"]]
    return services, {(one["workload"], one["container"], str(one["number"])) for one in several}


if __name__ == "__main__":
    main()
