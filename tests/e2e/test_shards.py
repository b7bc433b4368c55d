"""The reports of shards, merged, are the report of one run: in every format, whatever is found and however it is cut."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from portproof import environment
from portproof.flags import FORMATS
from tests.e2e.program import Program, Repository, Run
from tests.e2e.test_shop_mutations import MUTATIONS

Make = Callable[[str], Repository]

SERVICE = """apiVersion: v1
kind: Service
metadata: {name: NAME}
spec:
  selector: {app: NAME}
  ports:
    - {name: http, port: 80, targetPort: TARGET}
"""
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      containers:
        - name: main
          image: registry.example.org/NAME:1
          env: [{name: PEER, value: "http://PEER"}]
          ports: [{name: http, containerPort: 8080}]
"""


def service(name: str, target: str = "http") -> str:
    return SERVICE.replace("NAME", name).replace("TARGET", target)


def deployment(name: str, peer: str = "localhost:1") -> str:
    return (
        DEPLOYMENT.replace("NAME", name).replace("PEER", peer, 2).replace("{name: localhost:1", "{name: PEER")
    )


def app(name: str, target: str = "http", peer: str = "localhost:1") -> dict[str, str]:
    """A chart that is deployed with whatever else there is."""
    return {
        f"charts/{name}/Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n",
        f"charts/{name}/values.yaml": f"target: {target}\n",
        f"charts/{name}/templates/all.yaml": f"{service(name, '{{ .Values.target }}')}---\n{deployment(name, peer)}",
    }


def overlays(names: Sequence[str], target: str) -> dict[str, str]:
    """Overlays on one base, each with a namespace of its own."""
    files = {
        "base/kustomization.yaml": "resources: [all.yaml]\n",
        "base/all.yaml": f"{service('web', target)}---\n{deployment('web')}",
    }
    for name in names:
        files[f"overlays/{name}/kustomization.yaml"] = f"namespace: {name}\nresources: [../../base]\n"
    return files


def formats(name: str) -> list[str]:
    return [word for kind in FORMATS for word in ("--report", f"{kind}={name}.{kind}")]


def read(folder: Path, name: str) -> dict[str, str]:
    """What a run has written in each format, without the time that it took."""
    found = {}
    for kind in FORMATS:
        text = (folder / f"{name}.{kind}").read_text()
        text = re.sub(r'"seconds": ?[0-9.e-]+', '"seconds": 0', text)
        found[kind] = re.sub(r'\btime="[0-9.]+"', 'time="0"', text)
    return found


def shards(portproof: Program, folder: Path, total: int, *options: str) -> list[str]:
    """The files that the shards have written."""
    files = [str(folder / f"shard-{index}.json") for index in range(1, total + 1)]
    for index, file in enumerate(files, 1):
        run = portproof(
            "check", "--offline", *options, "--shard", f"{index}/{total}", "--report", f"json={file}"
        )
        assert run.code in (0, 1), run.stderr
    return files


def compare(portproof: Program, folder: Path, totals: Sequence[int], *options: str) -> Mapping[str, Any]:
    """Hold what shards come to against what one run says, which is given."""
    whole = portproof("check", "--offline", *options, *formats(str(folder / "whole")))
    assert whole.code in (0, 1), whole.stderr
    for total in totals:
        files = shards(portproof, folder, total, *options)
        merged = portproof("merge", *reversed(files), *formats(str(folder / "merged")), *_fail_on(options))
        assert (merged.code, merged.stdout, merged.stderr) == (whole.code, whole.stdout, "")
        assert read(folder, "merged") == read(folder, "whole")
    found: Mapping[str, Any] = json.loads((folder / "whole.json").read_text())
    return found


def _fail_on(options: Sequence[str]) -> Sequence[str]:
    """The option that every command has for itself."""
    return options[-2:] if "--fail-on" in options else ()


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    folder = tmp_path / "reports"
    folder.mkdir()
    return folder


@pytest.mark.slow
def test_the_shop_with_every_mutation(portproof: Program, make_repository: Make, reports: Path) -> None:
    repository = make_repository("shop")
    for mutation in MUTATIONS:
        try:
            mutation.apply(repository)
        except AssertionError:  # another one has changed that place already
            continue
    report = compare(portproof, reports, (3,))
    assert len(report["findings"]) > 20


def test_one_finding_of_overlays_in_different_shards_is_one(
    portproof: Program, make_repository: Make, reports: Path
) -> None:
    names = ("dev", "prod", "stage", "test")
    make_repository("").write(overlays(names, "8081"))
    report = compare(portproof, reports, (2, 4))
    (finding,) = report["findings"]
    assert finding["targets"] == [f"kustomize:overlays/{name}" for name in names]
    assert len(finding["fix"]["effects"]) > 0


def test_a_fix_in_a_file_that_charts_of_other_shards_read(
    portproof: Program, make_repository: Make, reports: Path
) -> None:
    files: dict[str, str] = {
        "lib/Chart.yaml": "apiVersion: v2\nname: lib\nversion: 1.0.0\ntype: library\n",
        "lib/templates/_port.tpl": '{{ define "lib.port" }}8081{{ end }}\n',
    }
    port = '{{ include "lib.port" . }}'
    for name in ("one", "two", "three"):
        files |= app(name)
        files[f"charts/{name}/Chart.yaml"] += (
            "dependencies: [{name: lib, version: 1.0.0, repository: file://../../lib}]\n"
        )
        files[f"charts/{name}/templates/all.yaml"] = f"{service(name, port)}---\n{deployment(name)}"
    make_repository("").write(files)
    report = compare(portproof, reports, (2, 3))
    assert {one["rule"] for one in report["findings"]} == {"service-target-number"}
    assert {id_ for one in report["findings"] for id_ in one["targets"]} == {
        f"helm:charts/{name}" for name in ("one", "two", "three")
    }


def test_callers_in_other_shards(portproof: Program, make_repository: Make, reports: Path) -> None:
    """One calls a port that another's Service lacks; a third's calls are what keeps a fix from being safe."""
    make_repository("").write(
        app("front", peer="back:81")
        | app("back", target="8081")
        | app("third", peer="back:80")
        | app("lonely")
    )
    report = compare(portproof, reports, (2, 4))
    assert {one["rule"] for one in report["findings"]} == {"caller-service-port", "service-target-number"}


def test_names_that_templates_put_together(portproof: Program, make_repository: Make, reports: Path) -> None:
    """No file has the name of the Service that is called from another shard."""
    front = app("front", peer="{{ .Values.whose }}-back:81")
    front["charts/front/values.yaml"] += "whose: acme\n"
    make_repository("").write(front | app("acme-back", target="8081") | app("lonely"))
    report = compare(portproof, reports, (2, 3))
    assert {one["rule"] for one in report["findings"]} == {"caller-service-port", "service-target-number"}


def test_a_shard_renders_its_own_targets_and_who_speaks_of_their_services(
    portproof: Program, make_repository: Make, reports: Path
) -> None:
    files = app("back", target="8081") | app("front", peer="back:80")
    for number in range(6):
        files |= app(f"lonely-{number}x")
    make_repository("").write(files)
    others = []
    for file in shards(portproof, reports, 4, "--no-cache", "--timings"):
        data = json.loads(Path(file).read_text())
        renders = {row["name"]: row["count"] for row in data["timings"]["renders"]}
        others.append(renders["of targets"] - len(data["targets"]))
    assert sorted(others) == [0, 0, 1, 1]  # that of the caller, and that of the called


def test_a_number_that_works_in_another_environment_of_another_shard(
    portproof: Program, make_repository: Make, reports: Path
) -> None:
    """No call leads from one to the other, and yet it speaks against the fix."""
    probed = "          readinessProbe: {tcpSocket: {port: 8080}}\n"
    files = {f"prod/{path}": text for path, text in app("user", target="5000").items()}
    files |= {f"stage/{path}": text for path, text in app("lonely").items()}
    files["prod/charts/user/templates/all.yaml"] += probed
    works = f"{service('user', '5000')}---\n{deployment('user').replace('8080', '5000')}"
    make_repository("").write(files | {"dev/user.yaml": works})
    report = compare(portproof, reports, (2, 3))
    (found,) = report["findings"]
    fixes = [one for one in (found["fix"], *found["alternatives"]) if one is not None]
    assert {one["safety"] for one in fixes} == {"unsafe"}
    assert any("in manifests:dev" in risk["message"] for one in fixes for risk in one["risks"])


def test_environments_that_are_complete(portproof: Program, make_repository: Make, reports: Path) -> None:
    """What nobody has there is an error, and who has it may be in another shard; a chart's defaults are nobody's."""
    route = (
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: NAME}\n"
        "spec: {rules: [{backendRefs: [{name: PEER, port: 80}]}]}\n"
    )
    files = app("front") | app("back") | app("lost") | app("installed") | app("caller", peer="installed:80")
    for name, peer in (("front", "back"), ("lost", "nobody")):
        files[f"charts/{name}/templates/all.yaml"] += route.replace("NAME", name).replace("PEER", peer)
    files["charts/installed/templates/all.yaml"] = files["charts/installed/templates/all.yaml"].replace(
        "port: 80,", "port: {{ .Values.port | default 80 }},"
    )
    files["apps/installed.yaml"] = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: installed}\nspec:\n"
        "  source: {path: charts/installed, helm: {values: 'port: 81'}}\n"
    )
    files["portproof.yaml"] = (
        'environments:\n  prod:\n    targets: ["helm:charts/front", "helm:charts/back", "helm:charts/lost"]\n'
        "    complete: true\n"
    )
    make_repository("").write(files)
    report = compare(portproof, reports, (2, 4), "--fail-on", "never")
    found = {(one["rule"], one["targets"][0]) for one in report["findings"]}
    assert {target for _, target in found} == {"helm:charts/lost", "helm:charts/caller"}


def test_ignores(portproof: Program, make_repository: Make, reports: Path) -> None:
    """What suppresses something in one shard is unused in the others, and not reported."""
    comment = "# portproof: ignore[service-target-number] known\n"
    files = overlays(("dev", "prod"), f"8081 {comment}".strip())
    files["base/all.yaml"] = files["base/all.yaml"].replace(
        "    - {name: http, port: 80, targetPort: 8081 # portproof: ignore[service-target-number] known}\n",
        f"    {comment}    - {{name: http, port: 80, targetPort: 8081}}\n",
    )
    files |= app("wrong", target="8081") | app("right")
    files["charts/right/values.yaml"] = f"{comment}{files['charts/right/values.yaml']}"
    files["portproof.yaml"] = (
        "ignore:\n"
        '  - {rule: service-target-number, target: "helm:charts/wrong", reason: known}\n'
        '  - {rule: service-selector, target: "helm:charts/*", reason: gone}\n'
    )
    make_repository("").write(files)
    report = compare(portproof, reports, (2, 4), "--fail-on", "never")
    found = [(one["rule"], one["location"]["path"]) for one in report["findings"]]
    assert sorted(found) == [
        ("unused-ignore", "charts/right/values.yaml"),
        ("unused-ignore", "portproof.yaml"),
    ]
    assert report["summary"]["ignored"] == 2


def test_failures_and_what_is_not_looked_at(portproof: Program, make_repository: Make, reports: Path) -> None:
    """Two charts lack one value, which makes warnings of errors; overlays fail at one place; a chart cannot be had."""
    files = overlays(("dev", "prod"), "http") | app("a") | app("b") | app("far")
    files["base/all.yaml"] += "---\nkind: [\n"
    for name in ("a", "b"):
        files[f"charts/{name}/templates/all.yaml"] += "---\nx: {{ .Values.global.zone }}\n"
    files["charts/far/Chart.yaml"] += (
        "dependencies: [{name: far, version: 1.0.0, repository: https://charts.example.com}]\n"
    )
    files["envs/prod.yaml"] = "nobody: reads this\n"
    make_repository("").write(files)
    report = compare(portproof, reports, (2, 4))
    assert report["summary"]["failed"] >= 3
    assert {one["rule"] for one in report["findings"]} == {"render-failed"}


@pytest.mark.parametrize("collection", [False, True])
def test_with_a_base(
    portproof: Program,
    make_repository: Make,
    reports: Path,
    monkeypatch: pytest.MonkeyPatch,
    collection: bool,
) -> None:
    """What is new, and who misses a port that a Service lost; of a collection each shard looks at its own charts only."""
    if collection:
        monkeypatch.setattr(environment, "MANY_CHARTS", 2)
    repository = make_repository("")
    repository.write(app("front", peer="back:80") | app("back") | app("old", target="8081") | app("still"))
    repository.commit()
    repository.write(app("old", target="8082") | app("new", target="8083"))
    repository.replace("charts/back/templates/all.yaml", "port: 80,", "port: 81,")
    report = compare(portproof, reports, (3,), "--base", "HEAD")
    new = {one["rule"] for one in report["findings"] if one["introduced"]}
    assert new == {"service-target-number"} | (set() if collection else {"caller-service-port"})
    compare(portproof, reports, (2,), "--base", "HEAD", "--only-new")


def test_other_values(portproof: Program, make_repository: Make, reports: Path) -> None:
    files: dict[str, str] = {}
    for name in ("one", "two", "three"):
        files |= app(name)
        files[f"charts/{name}/values.yaml"] = "extra: false\n"
        files[f"charts/{name}/templates/all.yaml"] = (
            f"{service(name)}---\n{deployment(name)}"
            + f"{{{{ if .Values.extra }}}}\n---\n{service(f'{name}-extra', 'nope')}{{{{ end }}}}\n".replace(
                f"app: {name}-extra", f"app: {name}"
            )
        )
    make_repository("").write(files)
    report = compare(portproof, reports, (2, 3), "--what-if")
    assert [one["when"] for one in report["findings"]] == [{"extra": True}] * 3


def test_strict_and_the_severity_that_fails(portproof: Program, make_repository: Make, reports: Path) -> None:
    files = app("a") | app("b")
    files["charts/b/Chart.yaml"] += (
        "dependencies: [{name: far, version: 1.0.0, repository: https://charts.example.com}]\n"
    )
    make_repository("").write(files)
    assert portproof("merge", *shards(portproof, reports, 2)).code == 0
    assert portproof("merge", *shards(portproof, reports, 2, "--strict")).code == 1
    make_repository_ = files | app("a", target="8081")
    for path, text in make_repository_.items():
        Path(path).write_text(text)
    files_ = shards(portproof, reports, 2, "--fail-on", "never")
    assert portproof("merge", *files_).code == 1  # a shard that is not to fail says nothing of the whole
    assert portproof("merge", *files_, "--fail-on", "never").code == 0


class TestWrongUse:
    @pytest.fixture
    def files(self, portproof: Program, make_repository: Make, reports: Path) -> list[str]:
        repository = make_repository("")
        repository.write(app("one") | app("two"))
        repository.commit()
        return shards(portproof, reports, 2)

    def merged(self, portproof: Program, *files: str) -> str:
        run: Run = portproof("merge", *files)
        assert (run.code, run.stdout) == (2, "")
        assert "\n  next: " in run.stderr
        return run.stderr

    def test_a_shard_is_missing(self, portproof: Program, files: list[str]) -> None:
        assert "no report of shard 1/2" in self.merged(portproof, files[1])

    def test_a_shard_is_there_twice(self, portproof: Program, files: list[str]) -> None:
        message = self.merged(portproof, *files, files[0])
        assert f"shard 1/2 is there twice: {files[0]} and {files[0]}" in message

    def test_another_revision(self, portproof: Program, files: list[str], reports: Path) -> None:
        Repository(Path.cwd()).commit()
        other = str(reports / "other.json")
        portproof("check", "--offline", "--shard", "2/2", "--report", f"json={other}")
        assert "have different revisions: " in self.merged(portproof, files[0], other)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("--shard", "2/3"), "have different numbers of shards: 2 and 3"),
            (("--shard", "2/2", "--select", "service-selector"), "have different configurations or options"),
            (("--shard", "2/2", "--strict"), "have different configurations or options"),
            (("--shard", "2/2", "--base", "HEAD"), "have different revisions to compare with"),
        ],
    )
    def test_another_run(
        self, portproof: Program, files: list[str], reports: Path, options: tuple[str, ...], message: str
    ) -> None:
        other = str(reports / "other.json")
        portproof("check", "--offline", *options, "--report", f"json={other}")
        assert message in self.merged(portproof, files[0], other)

    def test_other_targets(self, portproof: Program, files: list[str], reports: Path) -> None:
        Repository(Path.cwd()).write(app("three"))
        other = str(reports / "other.json")
        portproof("check", "--offline", "--shard", "2/2", "--report", f"json={other}")
        assert "have different targets, or costs by which they were cut" in self.merged(
            portproof, files[0], other
        )

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (None, "no such file or directory"),
            ("{", "not a JSON report"),
            ("[1]", "not the report of a shard"),
            ('{"schema": "portproof/report/1"}', "not the report of a shard"),
            ('{"schema": "portproof/report/1", "shard": {"index": 1}}', "not a shard of this version"),
        ],
    )
    def test_no_report(
        self, portproof: Program, files: list[str], reports: Path, text: str | None, message: str
    ) -> None:
        if text is not None:
            (reports / "bad.json").write_text(text)
        assert message in self.merged(portproof, files[0], str(reports / "bad.json"))

    @pytest.mark.parametrize(
        "options",
        [
            ("--shard", "0/2"),
            ("--shard", "3/2"),
            ("--shard", "1/999"),
            ("--shard", "two"),
            ("--shard", "1/2", "-"),
            ("--shard", "1/2", "--write-baseline", "b.json"),
            ("--shard", "1/2", "--costs", "missing.json"),
            ("--costs", "missing.json"),
        ],
    )
    def test_options(self, portproof: Program, files: list[str], options: tuple[str, ...]) -> None:
        assert files
        run = portproof("check", *options)
        assert run.code == 2
        assert "\n  next: " in run.stderr
