"""What is neither a port nor a name is in no report: passwords stand beside every port of every rule's fixtures."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from portproof import flags, yamldoc
from portproof.report import safe
from portproof.report.secret_lines import secret_lines, veiled
from tests.e2e.program import Process, Program, Repository, environment

FIXTURES = Path(__file__).parents[2] / "fixtures" / "rules"
FORMATS = ("text", "sarif", "github", "markdown")
TEXTS = ("caller-service-port", "listening-port", "load-balancer-annotation", "controller-service-port")
"""Rules that read texts; of the others two findings each will do."""

CANARY = "canary7h3p455w0rd"
_USER = re.compile(r"(?<=://)(?=[a-z0-9])")


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        return True


def planted(data: Any) -> Any:
    """`data` with passwords wherever a manifest can hold one without being about ports."""
    if isinstance(data, str):
        return _USER.sub(f"user:{CANARY}@", data)
    if isinstance(data, list):
        return [planted(one) for one in data]
    if not isinstance(data, dict):
        return data
    found = {key: planted(one) for key, one in data.items()}
    for container in found.get("containers", ()) if isinstance(found.get("containers"), list) else ():
        if isinstance(container, dict):
            container["env"] = [{"name": "API_TOKEN", "value": CANARY}, *(container.get("env") or [])]
            if isinstance(container.get("args"), list):
                container["args"].append(f"--password={CANARY}")
    if found.get("kind") == "ConfigMap" and isinstance(found.get("data"), dict):
        texts = {key: f"password={CANARY}\n{one}" for key, one in found["data"].items() if "\n" in str(one)}
        found["data"] |= {**texts, "client-secret": CANARY}
    if found.get("kind") == "Secret":
        found |= {"stringData": {"key": CANARY}, "data": {"key": CANARY}}
    return found


def inputs() -> Iterator[Path]:
    for rule in sorted(FIXTURES.iterdir()):
        found = [one for one in sorted(rule.glob("*/input.yaml")) if not one.parent.name.startswith("ok-")]
        yield from (one for one in (found if rule.name in TEXTS else found[:2]))


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every format, of one repository that holds all those manifests."""
    root = tmp_path_factory.mktemp("repository")
    (root / ".git").mkdir()
    for file in inputs():
        text = file.read_text()
        if text.startswith("# portproof.yaml"):
            continue
        documents = [planted(copy.deepcopy(yamldoc.load(part))) for _, part in yamldoc.split(text)]
        folder = root / file.parent.parent.name / file.parent.name
        folder.mkdir(parents=True)
        whole = "---\n".join(yaml.dump(one, Dumper=_Dumper, sort_keys=False) for one in documents if one)
        secret = f"---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData:\n  port: {CANARY}\n"
        (folder / "all.yaml").write_text(whole + secret)
    files = {name: root.parent / f"report.{name}" for name in FORMATS}
    given = [part for name, file in files.items() for part in ("--report", f"{name}={file}")]
    done = Process(environment())("check", "--format", "json", *given, str(root))
    assert done.code == 1, done.stderr
    return {
        "json": done.stdout,
        "stderr": done.stderr,
        **{name: one.read_text() for name, one in files.items()},
    }


def test_there_are_findings_with_fixes_of_texts(reports: dict[str, str]) -> None:
    findings = json.loads(reports["json"])["findings"]
    told = [effect["before"] for one in findings if one["fix"] for effect in one["fix"]["effects"]]
    assert len(findings) > 150
    assert sum(isinstance(one, str) and "…" in one for one in told) > 20
    assert json.loads(reports["json"])["summary"]["failed"] == 0


@pytest.mark.parametrize("name", [*FORMATS, "stderr"])
def test_no_report_holds_a_password(reports: dict[str, str], name: str) -> None:
    data = CANARY.encode()
    encoded = [base64.b64encode(b"x" * offset + data).decode()[4:-4] for offset in range(3)]
    for form in (CANARY, data.hex(), CANARY[::-1], *encoded):
        assert form not in reports[name]


def test_json_holds_one_only_in_the_patch_that_git_has_to_apply(reports: dict[str, str]) -> None:
    data = json.loads(reports["json"])
    for finding in data["findings"]:
        for fix in (finding["fix"], *finding["alternatives"]):
            if fix:
                del fix["patch"]
    assert CANARY not in json.dumps(data)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("url: amqp://user:hunter2@broker:5673", "url: amqp://************@broker:5673"),
        ("dsn: root:hunter2@tcp(db:3306)/app", "dsn: root:*******@tcp(db:3306)/app"),
        ("password: hunter2", "password: *******"),
        ('  "apiKey": "hunter2",', '  "apiKey": "*******",'),
        ("- --api-token=hunter2", "- --api-token=*******"),
        ("DB_PASSWORD=hunter2;PORT=1", "DB_PASSWORD=*******;PORT=1"),
        ("- name: DB_PASSWORD\n  value: hunter2", "- name: DB_PASSWORD\n  value: *******"),
        ("secretName: web-tls", "secretName: web-tls"),
        ("automountServiceAccountToken: false", "automountServiceAccountToken: false"),
        ("secretKeyRef: {name: x, key: password}", "secretKeyRef: {name: x, key: password}"),
        ("password: {{ .Values.password }}", "password: {{ .Values.password }}"),
        ("image: registry.example.com:5000/a@sha256:00", "image: registry.example.com:5000/a@sha256:00"),
        ("image: web:1.2@sha256:00", "image: web:1.2@sha256:00"),
        ("at <.Values.x> (templates/secret.yaml:19)", "at <.Values.x> (templates/secret.yaml:19)"),
        ("scanning for the next token: found character", "scanning for the next token: found character"),
        ("from 'secret-made.yaml': a/b: no such file", "from 'secret-made.yaml': a/b: no such file"),
        ("password.yaml: hunter2", "password.yaml: hunter2"),
        ("targetPort: 8080", "targetPort: 8080"),
        ("- name: http\n  value: 8080", "- name: http\n  value: 8080"),
    ],
)
def test_neighbours_of_a_place_keep_their_secrets(line: str, shown: str) -> None:
    assert safe.discreet(line) == shown
    assert len(safe.discreet(line)) == len(line)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('key: "hunter2', 'key: "*******'),
        ("  - hunter2 hunter3: {", "  - ******* *******: {"),
        ("MIIEowIBAAKCAQEA7x==", "********************"),
        ("\tkey: hunter2 hunter3", "\tkey: ******* *******"),
        ("- name: [hunter2, 8080", "- name: [*******, 8080"),
        ("port: 80: 443", "port: 80: 443"),
        ("a: {{ .Values.empty.deep }} x", "a: {{ .Values.empty.deep }} *"),
        ("kind: ConfigMap", "kind: *********"),
        ("enabled: true", "enabled: true"),
    ],
)
def test_of_a_line_that_cannot_be_read_only_its_structure_is_seen(line: str, shown: str) -> None:
    assert safe.outline(line) == shown
    assert len(safe.outline(line)) == len(line)


def test_an_excerpt_of_a_broken_file_holds_no_secret(
    portproof: Program, make_repository: Callable[[str], Repository]
) -> None:
    chart = {"c/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n", "c/templates/a.yaml": "a: 1\n"}
    broken = f'db:\n  login: "{CANARY}" {CANARY}\n  port: 80\n'
    make_repository("").write(
        {**chart, "c/values.yaml": broken, "k8s/all.yaml": f"apiVersion: v1\nkind: Service\n{broken}"}
    )
    for name in FORMATS:
        done = portproof("check", "--format", name)
        assert done.code == 1
        assert CANARY not in done.stdout + done.stderr
    shown = portproof("check").stdout
    assert '  login: "*' in shown


SECRET = f"""apiVersion: v1
kind: Secret
metadata: {{name: s}}
stringData:
  key: {CANARY}
  file: |
    {CANARY}:
    {CANARY}
"""
WEB = """apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {containers: [{name: a, image: a, ports: [{containerPort: 8080}]}]}
---
"""
MISSED = "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8081}]}}\n"
SECRETS: dict[str, dict[str, str]] = {
    "before a finding": {"a.yaml": f"{WEB}{SECRET}---\n{MISSED}"},
    "after a finding": {"a.yaml": f"{WEB}{MISSED}---\n{{kind: Secret, apiVersion: v1, metadata: {{name: s}}, stringData: {{a: {CANARY}}}}}\n"},
    "in a list": {"a.yaml": f"{WEB}{MISSED}---\napiVersion: v1\nkind: List\nitems:\n- kind: Secret\n  data:\n    a: {CANARY}\n  x: y: z\n"},
    "of another kind": {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": f"kind: Sealed\ndata:\n  a: {CANARY}\n  x: y: z\n"},
    "in a template that asks for what is not there": {"templates/a.yaml": f"{SECRET}  x: {{{{ .Values.a.b.c }}}}\n"},
    "in a template that cannot be parsed": {"templates/a.yaml": f"{SECRET}  x: {{{{ end }}}}\n"},
    "in a template that makes no YAML": {"templates/a.yaml": f"{SECRET}  x: y: z\n"},
    "in an expression": {"templates/a.yaml": f'kind: Secret\ndata:\n  a: {{{{ "{CANARY}" | b64enc | .Values.a }}}}\n'},
    "in a resource": {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": f"{SECRET}  x: y: z\n"},
    "with a key that is none": {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": f"{SECRET} {CANARY}: 1\n"},
    "like an alias": {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": f"{SECRET}  x: *{CANARY}\n"},
    "in a generator": {"kustomization.yaml": f"secretGenerator:\n- name: x\n  literals:\n  - {CANARY}\n"},
}  # fmt: skip


@pytest.fixture(scope="module")
def excerpts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every format, of one repository that has all of them."""
    root = tmp_path_factory.mktemp("secrets")
    (root / ".git").mkdir()
    for number, files in enumerate(SECRETS.values()):
        chart = {"Chart.yaml": f"apiVersion: v2\nname: x{number}\nversion: 1.0.0\n"}
        for path, text in {**(chart if "templates/a.yaml" in files else {}), **files}.items():
            file = root / f"x{number}" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    made = {name: root.parent / f"secrets.{name}" for name in flags.FORMATS}
    given = [part for name, one in made.items() for part in ("--report", f"{name}={one}")]
    done = Process(environment())("check", *given, str(root))
    assert done.code == 1, done.stderr
    return {"stderr": done.stderr, **{name: one.read_text() for name, one in made.items()}}


@pytest.mark.parametrize("name", [*flags.FORMATS, "stderr"])
def test_the_neighbours_of_a_secret_show_its_structure(excerpts: dict[str, str], name: str) -> None:
    assert CANARY not in excerpts[name]


def test_each_of_them_is_shown(excerpts: dict[str, str]) -> None:
    """Or the test above would prove nothing."""
    stars = "*" * len(CANARY)
    places = {one["location"]["path"] for one in json.loads(excerpts["json"])["findings"]}
    assert {place.partition("/")[0] for place in places} == {f"x{number}" for number in range(len(SECRETS))}
    assert excerpts["text"].count(stars) > len(SECRETS) / 2
    assert excerpts["sarif"].count(stars) > len(SECRETS) / 2


@pytest.mark.parametrize(
    ("line", "keyed", "shown"),
    [
        ("  key: hunter2", True, "  key: *******"),
        ("  pin: 8080", True, "  pin: ****"),
        ('  key: {{ "hunter2" | quote }}', True, '  key: {{ "*******" | quote }}'),
        ("  key: {{ .Values.port }}", True, "  key: {{ .Values.port }}"),
        ("    hunter2: hunter3", False, "    *******: *******"),
        ("    hunter2 = hunter3", False, "    ******* * *******"),
    ],
)
def test_the_structure_of_a_line(line: str, keyed: bool, shown: str) -> None:
    assert veiled(line, keyed=keyed) == shown


@pytest.mark.parametrize(
    ("text", "broken", "lines"),
    [
        ("kind: Secret\na: 1\n", False, [1, 2, 3]),
        ("a: 1\n---\n'kind': 'Secret'\n---\nb: 1\n", False, [3]),
        ("kind: SecretStore\ndata:\n  a: 1\n", False, []),
        ("kind: Gateway\nrefs:\n- kind: Secret\n  name: x\n", False, []),
        ("kind: ConfigMap\ndata:\n  a: 1\nb: 1\n", False, []),
        ("kind: ConfigMap\ndata:\n  a: 1\nb: 1\n", True, [2, 3]),
        ("a: 1\nstringData:\n  a: |\n\n    b\n# c\n  d: 1\nb: 1\n", False, [2, 3, 4, 5, 6, 7]),
    ],
)
def test_which_lines_are_those_of_secrets(text: str, broken: bool, lines: list[int]) -> None:
    assert sorted(secret_lines(text, broken=broken)) == lines
