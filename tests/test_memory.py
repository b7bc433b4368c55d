"""What a run keeps of each target: little, because a repository may have ten thousand."""

from __future__ import annotations

import gc
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from portproof import parallel, yamldoc
from portproof.render import contents
from portproof.render.cache import remember
from portproof.render.contents import Contents, Digests
from portproof.session import Request, run, session
from portproof.source import Tree

MANIFESTS = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: main
          image: registry.example.org/{name}:1
          ports: [{{name: http, containerPort: 8080}}, {{name: metrics, containerPort: 9090}}]
          readinessProbe: {{httpGet: {{path: /ready, port: http}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  selector: {{app: {name}}}
  ports: [{{name: http, port: 80, targetPort: http}}, {{name: metrics, port: 9090, targetPort: metrics}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}}}
data:
  notes: |
    {notes}
"""
NOTES = "nothing of this is about ports\n    " * 100
"""Makes each target much larger than what there is to keep of it."""

KEPT = 4_500
"""Bytes that one target of two ports may add: who it is, what it offers, which numbers work in it, what became of it."""


def _kept(folder: Path, targets: int) -> int:
    """Bytes that are in use at the end of a run, while its renderer lives."""
    for number in range(targets):
        place = folder / f"app-{number:04}"
        place.mkdir(parents=True)
        (place / "all.yaml").write_text(MANIFESTS.format(name=place.name, notes=NOTES))
    tracemalloc.start()
    try:
        with session(Request((str(folder),), root=folder)) as found:
            assert len(found.outcome.checked) == targets
            assert not found.outcome.merged
            gc.collect()
            return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_a_run_keeps_little_of_each_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is remembered to save work has bounds of its own, which more targets than these reach.
    monkeypatch.setattr(yamldoc, "_memory", yamldoc._Memory(20_000))
    monkeypatch.setattr(run, "remember", partial(remember, at_hand=20_000, packed=20_000))
    _kept(tmp_path / "warm-up", 20)
    few, many = _kept(tmp_path / "few", 40), _kept(tmp_path / "many", 240)
    assert (many - few) / 200 < KEPT


def test_only_a_few_of_many_items_wait_at_a_time() -> None:
    from concurrent.futures import Future, ThreadPoolExecutor

    class Watched(ThreadPoolExecutor):
        begun = most = 0

        def submit(self, *asked: Any, **named: Any) -> Future[Any]:
            future = super().submit(*asked, **named)
            self.begun += 1
            self.most = max(self.most, self.begun)
            return future

    with Watched(2) as pool:

        def done(_done: int, _total: int) -> None:
            pool.begun -= 1

        found = parallel.each(pool, lambda number: number * 2, range(2000), done)
    assert found == [number * 2 for number in range(2000)]
    assert pool.most <= parallel.AHEAD + 1


def test_the_digests_of_the_files_that_were_read_last_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "_MAX_KNOWN", 10)
    for number in range(30):
        (tmp_path / f"{number:02}").write_text(str(number))
    digests = Digests()
    looked = Contents(digests, Tree(tmp_path), tmp_path / "scratch")
    first = [looked.of(tmp_path / f"{number:02}") for number in range(30)]
    assert list(digests._known) == [str(tmp_path / f"{number:02}") for number in range(20, 30)]
    assert [looked.of(tmp_path / f"{number:02}") for number in range(30)] == first
