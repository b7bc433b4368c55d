"""Every parser: whatever it is given it gives an answer or its own error, and what it points at is there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from portproof import config, diff, patch, resources, yamldoc
from portproof.action import event, untrusted_report
from portproof.action.checkout import is_commit
from portproof.builds import dockerfile, recipes
from portproof.builds.images import Builds
from portproof.config.globs import matches
from portproof.discover.dependencies import ChartFiles
from portproof.discover.find import discover
from portproof.discover.model import HelmTarget, KustomizeTarget, ManifestTarget
from portproof.discover.references import read_references
from portproof.errors import ConfigError, UsageError
from portproof.graph import addresses, built, link, server_files
from portproof.render import actions, generated
from portproof.render.blame import Blame
from portproof.render.chartpaths import ChartPaths
from portproof.render.helm import documents
from portproof.render.model import FailureSite, NotRendered, RenderedDocument, RenderFailure, Rendering
from portproof.render.overlayblame import OverlayBlame
from portproof.render.tool_output import Places
from portproof.report import json_, marks
from portproof.resources import Resource, ResourceKey
from portproof.rules import all_rules
from portproof.rules.vocabulary import vocabulary
from portproof.source import Edit, LineIndex, Span, Tree, apply, normalise
from portproof.suppressions import baseline, comments
from portproof.suppressions.annotations import annotated_in
from portproof.trace.pieces import place_in
from tests.fuzz.target import Target, put, scratch
from tests.support.reports import INCIDENT
from tests.test_patch import git_applies

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures"
_YAML = (
    "a: ", "- ", "\n", "  ", "? ", ": ", "&a ", "*a", "<<: *a", "!!str ", "!x ", "|", ">-", "|2", "'", '"', "{", "}", "[",
    "]", ", ", "#", "---\n", "...\n", "%YAML 1.1\n", "\\x41", "\\u263a", "\\ud800", "0o17", "017", "1:30", ".nan", "yes", "~", "\t",
    "kind: Service\n", "apiVersion: v1\n", "name: ", "port: 8080\n",
)  # fmt: skip


def yaml(text: str) -> None:
    """Spans slice back to the scalars; all ways to read agree."""
    for start, part in yamldoc.split(text):
        assert text.startswith(part, start)
    try:
        found = yamldoc.documents(text)
    except yamldoc.YamlError as error:
        assert error.line >= 1
        assert error.column >= 1
        return
    assert [one.data for one in found if one.data is not None] == yamldoc.load_all(text)
    for one in found:
        assert 0 <= one.start <= len(text)
        assert sum(1 for _ in yamldoc.leaves(one.data)) <= yamldoc.MAX_VALUES + yamldoc.MAX_UNFOLDED
        for path, span in one.spans.items():
            _span(text, path, span, yamldoc.lookup(one.data, path))


def _span(text: str, path: yamldoc.FieldPath, span: yamldoc.ScalarSpan, value: Any) -> None:
    assert 0 <= span.start <= span.end <= len(text), path
    piece = text[span.start : span.end]
    if span.quote:
        assert piece[0] == piece[-1] == span.quote
    elif piece and "\n" not in piece and piece[0] not in "|>" and not isinstance(value, str):
        assert str(yamldoc.plain_value(piece)) == str(value), path


def manifest(text: str) -> None:
    """One document after the other, through graph and rules; sites hold what findings say."""
    parts = tuple(RenderedDocument(part, "a.yaml", start) for start, part in yamldoc.split(text))
    read = resources.read(Rendering(ManifestTarget("."), parts))
    annotated_in(read)
    graph = link.build(read)
    for rule in all_rules():
        for finding in rule.check(graph):
            assert finding.message


def source_comment(text: str) -> None:
    """``# Source:`` names a file of the chart, or nobody."""
    chart = _chart()
    for one in documents(text, ChartPaths(HelmTarget("chart"), chart).template):
        assert one.source in (None, "chart/templates/service.yaml")
        assert one.text in text


def ignore(text: str) -> None:
    """What a comment leaves out stands where it says."""
    found = comments.read("a.yaml", text)
    rows = text.count("\n") + 1
    assert all(1 <= line <= rows for line in found.by_line)
    assert len(found.ignores) <= comments.MAX_IGNORES
    for one in found.ignores:
        assert one.span is not None
        assert text[one.span.start : one.span.end] == one.text


def configuration(text: str) -> None:
    """A configuration or its own error; positions lie in the file."""
    try:
        found = config.parse(text, "portproof.yaml", vocabulary())
    except ConfigError as error:
        assert re.match(r"portproof\.yaml(:\d+)?: ", str(error))
        assert error.next_step
        return
    rows = text.count("\n") + 1
    assert all(1 <= line <= rows for line in found.lines.values())
    for pattern in found.config.exclude:
        matches(pattern, "charts/a/values.yaml")


def known_findings(text: str) -> None:
    """A baseline or an error."""
    with suppress(ConfigError):
        found = baseline.read(put("baseline.json", text), "baseline.json", "baseline.json")
        for fingerprint, known in found.known.items():
            span = known.ignore.span
            assert span is None or text[span.start : span.end] == f'"{fingerprint}"'


def report_of_another(text: str) -> None:
    """A report or an error; what it is about lies in the repository, and can be told in a mark."""
    try:
        found = untrusted_report.parse(text.encode("utf-8", "surrogatepass"))
    except UsageError:
        return
    for one in found.results:
        assert re.fullmatch(r"[a-z0-9-]+", one.rule)
        mark = marks.of_result(one, "job")
        assert marks.read(str(mark)) == [mark]
        places = [one.location, *(edit for fix in (one.fix, *one.alternatives) if fix for edit in fix.edits)]
        for place in places:
            assert place is None or (place.path.isprintable() or not re.search(r"[\x00-\x1f]", place.path))
            assert place is None or normalise(place.path) == place.path
    json_.write(found).encode()


def event_file(text: str) -> None:
    """An event or an error; what is used of it has its grammar."""
    file = str(put("event.json", text))
    for name in ("pull_request", "workflow_run", "push"):
        try:
            found = event.read({"GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": file}, ())
        except UsageError:
            continue
        match found:
            case event.PullEvent():
                assert found.number > 0
                assert is_commit(found.head)
                assert is_commit(found.base)
            case event.RunEvent():
                assert is_commit(found.head)
                assert event.is_repository(found.repository)
            case event.OtherEvent():
                assert found.name == "push"


def pull_request_diff(text: str) -> None:
    """Hunks or an error; numbers go up one by one."""
    with suppress(diff.DiffError):
        for hunk in diff.hunks(text):
            for side in (hunk.right, hunk.left):
                assert sorted(side) == list(side)
            assert list(hunk.right) == list(range(min(hunk.right, default=1), max(hunk.right, default=0) + 1))
            assert hunk.added <= hunk.right.keys()
    with suppress(diff.DiffError):
        assert all(path == one.path for path, one in diff.changes(text).items())
    assert diff.file_diff("a.yaml", "modified", text).path == "a.yaml"


def two_texts(text: str) -> None:
    """A patch from one half of the text to the other gives the other half, by git itself for a part of the inputs."""
    before, _, after = text.partition("\n=\n")
    made = patch.unified("a b.yaml", before, after)
    old, new = before.split("\n"), after.split("\n")
    for number, line in ((number, line) for hunk in patch.hunks(made) for number, line in hunk.changes):
        rows = old if line.startswith("-") else new
        assert line[1:] in rows
        assert 0 <= number <= len(old) + 1
    moved = diff.moved_lines(before, after)
    assert all(old[one - 1] == new[other - 1] for one, other in moved.items())
    if len(text) % 8 == 0 and before != after and not re.search(r"[\ud800-\udfff]", text):
        assert git_applies({"a b.yaml": (before, after)}) == {"a b.yaml": after.encode()}


def edits(text: str) -> None:
    """Every scalar of a text can be edited by its span, and reads as the edit says then."""
    try:
        (one,) = yamldoc.documents(text)
    except (yamldoc.YamlError, ValueError):
        return
    index = LineIndex.of(text)
    for span in one.spans.values():
        line, column = index.position(span.start)
        assert index.starts[line - 1] + column - 1 == span.start
    for span in list(one.spans.values())[:3]:
        edit = Edit(Span("a.yaml", span.start, span.end), text[span.start : span.end], "8080")
        assert apply(text, [edit]) == f"{text[: span.start]}8080{text[span.end :]}"


def address(text: str) -> None:
    """Addresses in variables and ConfigMaps; the number stands where the piece says."""
    pod = {
        "spec": {"containers": [{"env": [{"name": "A_URL", "value": text}], "args": [text, "--port", text]}]}
    }
    made = [
        Resource(ResourceKey("v1", "ConfigMap", "a", "b"), {"data": {"a": text}}, RenderedDocument("")),
        Resource(ResourceKey("v1", "Pod", "a", "b"), pod, RenderedDocument("")),
    ]
    for number, one in enumerate(addresses.read(made)):
        site = one.whom.site
        piece = site.piece
        if piece is not None:
            assert text[piece.start : piece.end] == str(site.value) or text[piece.start : piece.end].lstrip(
                "0"
            ) == str(site.value)
            if number < 3:  # each looks through the whole text
                place_in(f"'{text}'", text, piece)


_GRAMMARS = (
    server_files.nginx, server_files.apache, server_files.haproxy, server_files.caddy, server_files.envoy,
    server_files.java_yaml, server_files.java_properties, server_files.grafana, server_files.dskit, server_files.redis,
    server_files.collector, server_files.fluent_bit, server_files.vector, server_files.telegraf, server_files.traefik,
    server_files.mosquitto, server_files.mysql, server_files.pgbouncer, server_files.rabbitmq, server_files.mongod,
)  # fmt: skip


def server_file(text: str) -> None:
    """What a server is said to listen on is the number at that place of its file."""
    server_files.nginx_includes(text)
    for grammar in _GRAMMARS:
        for one in grammar(text) or ():
            assert text[one.start : one.end].isdigit()
            assert int(text[one.start : one.end]) == one.number


def image_build(text: str) -> None:
    """A Dockerfile has a stage or none, a description recipes in the tree."""
    stage = dockerfile.last_stage(text)
    if stage is not None:
        assert all(len(one.text) <= dockerfile.MAX_WORD for one in stage.variables.values())
    for path in ("compose.yaml", "skaffold.yaml", ".github/workflows/a.yaml"):
        for one in recipes.of_description(path, text):
            assert normalise(one.dockerfile) == one.dockerfile
    files = {"a/Dockerfile": text, "compose.yaml": text}
    images = Builds(Tree(scratch(), files), tuple(files))
    for image in ("a", "a/b:1"):
        found = built.read({"image": image}, images)
        assert found is None or found.number is None or found.number in found.said


def kustomization(text: str) -> None:
    """References lie in the tree, or the overlay is refused."""
    put("kustomization.yaml", text)
    found = read_references(Tree(scratch()), ".", ("kustomization.yaml",))
    for path in (*found.files, *found.folders, *found.plugins, *found.resources):
        assert normalise(path) == path
        assert not path.startswith("/")


def ignored_by_git(text: str) -> None:
    """A .gitignore ignores the missing file or not."""
    tree = Tree(
        scratch(),
        {".gitignore": text, "config/.gitignore": text, "PROJECT": text, "kustomization.yaml": text},
    )
    for path in ("a.env", "config/webhook/manifests.yaml", "config/[a]/b c/*.env"):
        assert isinstance(generated.reason(path, tree), str)
    for path in generated.taken_for_empty(("kustomization.yaml",), tree):
        assert normalise(path) == path


def chart_file(text: str) -> None:
    """A chart's name and dependencies, as texts."""
    for name in ("Chart.yaml", "requirements.yaml", "Chart.lock"):
        found = ChartFiles(Tree(scratch(), {name: text})).read(".")
        assert all(
            isinstance(part, str)
            for one in found.dependencies
            for part in (one.name, one.version, one.repository)
        )


def tree(text: str) -> None:
    """A repository of one file: targets or skips."""
    folder = scratch() / "tree"
    folder.mkdir(exist_ok=True)
    for name in ("a.yaml", "b.json"):
        (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    found = discover(Tree(folder))
    assert all(one.path in (".", "a.yaml", "b.json") for one in (*found.targets, *found.skips))


def template(text: str) -> None:
    """The actions of a template, in order."""
    at = 0
    for one in actions.actions(text):
        assert at <= one.start < one.end <= len(text)
        assert one.guards >= 0
        at = one.end
        assert isinstance(one.refuses and one.says("no port is given"), bool)
    for line in text.split("\n")[:20]:
        pieces = actions.pieces(line)
        assert not pieces or isinstance(actions.fits(pieces, line), bool)


def helm_error(text: str) -> None:
    """What helm says becomes a result, and its place a file of the chart."""
    chart = _chart()
    target = HelmTarget("chart")
    blame = Blame(target, chart, ChartPaths(target, chart), Places.of(chart), again=lambda: text)
    _explained(chart, blame.explain(text))


def kustomize_error(text: str) -> None:
    """What kustomize says becomes a result, and its place a file of the overlay."""
    chart = _chart()
    target = KustomizeTarget("overlay", ("overlay/kustomization.yaml", "overlay/service.yaml"))
    _explained(chart, OverlayBlame(target, chart, Places.of(chart)).explain(text))


def _explained(chart: Tree, found: RenderFailure | NotRendered) -> None:
    if isinstance(found, NotRendered):
        assert found.reason
        return
    assert found.message.strip()
    assert len(found.message) < 10_000
    if found.site is not None:
        _site(chart, found.site)


def _site(chart: Tree, site: FailureSite) -> None:
    assert normalise(site.path) == site.path
    assert not site.path.startswith("/")
    assert ".git" not in site.path.split("/")
    assert chart.on_disk(site.path).exists()
    assert site.line >= 1
    assert site.column >= 1


@cache
def _chart() -> Tree:
    """A chart and an overlay, for errors to be about."""
    root = scratch() / "repository"
    for path, text in {
        "chart/Chart.yaml": "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
        "chart/values.yaml": "port: 8080\nname: a\n",
        "chart/templates/service.yaml": 'kind: Service\n{{ if .x }}{{ fail "no port is given" }}{{ end }}\n  port: {{ .Values.port }}\n',
        "overlay/kustomization.yaml": "resources: [service.yaml]\npatches:\n- path: patch.yaml\n",
        ".git/config": "[core]\n",
        "overlay/service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return Tree(root)


def mark(text: str) -> None:
    """Reading marks never fails, and what is read can be written."""
    for body in (text, f"<!-- portproof:v1 {text} -->", f"<!-- portproof:v1 fingerprint={text} -->"):
        for one in marks.read(body):
            assert marks.read(str(one)) == [one]
        marks.key_of_summary(body)
        assert marks.read(marks.without(body)) == []


@cache
def _manifests() -> Sequence[str]:
    files = [*sorted(FIXTURES.glob("rules/*/*/input.yaml")), *sorted(FIXTURES.glob("shop/**/*.yaml"))]
    return [text for file in files if len(text := file.read_text(encoding="utf-8")) < 4_000]


def _texts(*patterns: str) -> list[str]:
    return [
        file.read_text(encoding="utf-8") for pattern in patterns for file in sorted(FIXTURES.glob(pattern))
    ]


_JSON = ('"', "{", "}", "[", "]", ",", ":", "null", "true", "1e999", "\\ud800", "\\u0000", "\\n", "[" * 2000)
_EVENT = (
    json.dumps(
        {
            "pull_request": {
                "number": 7,
                "head": {"sha": "1" * 40, "repo": {"full_name": "a/b"}},
                "base": {"sha": "2" * 40, "repo": None},
            }
        }
    ),
    json.dumps(
        {
            "workflow_run": {
                "event": "pull_request",
                "head_sha": "1" * 40,
                "head_branch": "x",
                "head_repository": {"full_name": "a/b"},
                "pull_requests": [{"number": 1}],
            }
        }
    ),
)
_DIFF = (
    "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n",
    'diff --git "a/\\303\\244" "b/\\303\\244"\nnew file mode 100644\n--- /dev/null\n+++ "b/\\303\\244"\n@@ -0,0 +1 @@\n+a\n\\ No newline at end of file\n',
    "@@ -1,3 +1,4 @@ x\n a\n+b\n c\n d",
    "diff --git a/x b/y\nsimilarity index 90%\nrename from x\nrename to y\n",
)
_HELM = (
    "Error: execution error at (chart/templates/service.yaml:2:13): no port is given\n",
    'Error: template: chart/templates/service.yaml:3:11: executing "chart/templates/service.yaml" at <.Values.port.x>: nil pointer evaluating interface {}.x\n',
    "Error: parse error at (chart/templates/service.yaml:2): unexpected EOF\n",
    "Error: YAML parse error on chart/templates/service.yaml: error converting YAML to JSON: yaml: line 3: x\n",
    "Error: failed to parse chart/values.yaml: error converting YAML to JSON: yaml: line 2: x\n",
    "Error: cannot load values.yaml: error converting YAML to JSON: yaml: line 99: x\n",
    "Error: An error occurred while checking for chart dependencies. found in Chart.yaml, but missing in charts/ directory: redis\n",
    "Error: validation: chart.metadata.version is required\n",
    "Error: chart requires kubeVersion: failed to parse /etc/hosts: line 3 which is incompatible with Kubernetes v1.30.0\n",
    "Error: chart requires kubeVersion: failed to read .git/config: line 3 which is incompatible with Kubernetes v1.30.0\n",
)
_KUSTOMIZE = (
    "Error: accumulating resources: accumulation err='accumulating resources from 'gone.yaml': open /r/gone.yaml: no such file or directory': must build at directory: not a valid directory: evalsymlink failure on '/r/gone.yaml' : lstat /r/gone.yaml: no such file or directory\n",
    'Error: invalid Kustomization: json: unknown field "resourcez"\n',
    "Error: no matches for Id Service.v1.[noGrp]/b.[noNs]; failed to find unique target for patch Service.v1.[noGrp]/b.[noNs]\n",
    "Error: couldn't make target for path '/r/x': unable to find one of 'kustomization.yaml'\n",
    "Error: trouble configuring builtin PatchTransformer with config: `\npath: patch.yaml\n`: failed to get the patch file from path(patch.yaml)\n",
    "Error: security; file '/etc/passwd' is not in or below '/r'\n",
    "Error: accumulating resources: wrong Node Kind for x in File: /etc/hosts\n",
    "Error: invalid Kustomization: couldn't make target for path '../../etc': lstat /etc/hosts: not a directory at line 3\n",
    "Error: trouble from path(/etc/hosts): yaml: line 3: x in File: .git/config\n",
)
_CONFIG = (
    "fail-on: warning\nselect: [service-target-name]\nignore:\n- rule: service-selector\n  reason: made elsewhere\n  target: 'helm:*'\n  resource: Service/a\n",
    "charts:\n- path: charts/a\n  values: [values-prod.yaml, [a.yaml, b.yaml]]\nexclude: ['**/x']\njobs: 2\ntimeout: 60\n",
    "references:\n- kind: X\n  service: spec.backends[*].name\n  port: spec.backends[*].port\nseverity: {service-selector: off}\nallow-hosts: [a.example.com]\n",
)
_TEMPLATE = (
    "{{",
    "}}",
    "{{- ",
    " -}}",
    "/*",
    "*/",
    '"',
    "`",
    "\\",
    "if .x",
    "end",
    "range",
    'fail "no port is given"',
    "required",
)
_URLS = (
    "http://web:8080/api", "postgres://u:p@db.shop:5432/x", "host=db port=5432", "Server=tcp:db,1433;", "nc -z -w 3 db 5432",
    "root:secret@tcp(db:3306)/app", "a.b.svc.cluster.local:80", "db:\n  host: db\n  port: 5432\n", "[::1]:80", "redis:6379,redis2:6379",
)  # fmt: skip
_SERVERS = (
    "server {\n  listen 8080;\n  listen [::]:8443 ssl; # x\n}\n", "http { include conf.d/*.conf; server { listen unix:/a; } }\n",
    "Listen 0.0.0.0:8080 https\n<IfModule a>\n</IfModule>\n", "frontend web\n  bind *:8080 ssl crt /a\nbackend b\n",
    "{\n  admin off\n}\n:8080, http://a.example:81 {\n  root * /srv\n}\n", "[server]\nhttp_port = 3000\n[database]\n",
    "server.port=8081\n%prod.quarkus.http.port: 8082\n", "server:\n  port: '8081'\n  http_listen_port: \"3100\"\n", "port 6379\ninclude /a\n",
    "static_resources:\n  listeners:\n  - name: a\n    address: {socket_address: {address: 0.0.0.0, port_value: 10000}}\n",
    "receivers: {otlp: {protocols: {grpc: {endpoint: '${env:MY_POD_IP}:4317'}}}}\nservice: {pipelines: {a: {receivers: [otlp]}}}\n",
    "[SERVICE]\n    HTTP_Server On\n    HTTP_Port 2020\n[INPUT]\n    Name forward\n    Port 24224\n", "listener 1883 ::\n",
    '[[inputs.http_listener_v2]]\n  service_address = ":8080"\n', "[mysqld]\nport = '3306'\n", "listeners.tcp.default = 5672\n",
    "sources: {a: {type: socket, address: '0.0.0.0:9000'}}\n", "entryPoints: {web: {address: ':8000'}}\n", "net: {port: 27017}\n",
)  # fmt: skip
_DOCKERFILES = (
    '# escape=`\nARG TAG=1\nFROM a:${TAG} AS b\nENV A=1 \\\n  PORT=${A:-80}\nEXPOSE $PORT 53/udp\nCMD ["a", "-p", "80"]\n',
    "FROM a\nRUN <<END\nx\nEND\nCOPY --from=b a b /c/\nENTRYPOINT sh -c 'a --port $PORT'\nHEALTHCHECK CMD curl localhost:80\n",
    "services: {web: {build: {context: a, target: b}, image: 'a/b:1', ports: ['80:81', {target: 82}]}}\n",
    "build: {artifacts: [{image: a, context: b, docker: {dockerfile: c}}]}\n",
    "jobs: {a: {steps: [{uses: docker/build-push-action@v6, with: {context: a, tags: 'a/b:${{ x }}'}}, {run: docker build -t a .}]}}\n",
)  # fmt: skip
_IGNORES = (
    "# portproof: ignore[a, b] reason",
    "{{/* portproof: ignore */}}",
    "#portproof:ignore",
    "portproof:",
    "*/}}",
    "[",
    "]",
    "\n",
    "  # x\n",
)
_KUSTOMIZATION = (
    "resources: [a.yaml, ../b, 'https://x/y', 'git::x', github.com/a/b]\npatches:\n- path: p.yaml\n- patch: |-\n    - op: x\n",
    "configMapGenerator:\n- name: a\n  files: [k=v, x]\n  envs: [e]\nhelmCharts: [{name: x}]\nopenapi: {path: o.json}\ngenerators: [g.yaml]\n",
)


def _target(name: str, check: Callable[[str], None], words: Sequence[str], seeds: Sequence[str]) -> Target:
    return Target(name, check, words, seeds)


TARGETS = (
    _target("yaml", yaml, _YAML, _manifests()),
    _target("manifest", manifest, _YAML, _manifests()),
    _target("edits", edits, _YAML, _manifests()),
    _target("server-file", server_file, ("listen ", "{", "}", ";", ":", "[::]:", "#", "\n", "  ", "8080", "127.0.0.1:", "$", "=", "%"), _SERVERS),
    _target("image-build", image_build, ("FROM ", "ENV ", "EXPOSE ", "CMD ", "$", "{", "}", ":-", "\\", "\n", "<<", "[", '"', "80"), _DOCKERFILES),
    _target("source-comment", source_comment, ("---\n", "# Source: chart/templates/service.yaml\n", "# Source: ", "...\n", "\n", "a: b\n"),
            ["---\n# Source: chart/templates/service.yaml\nkind: Service\n---\n# Source: ../x\na: 1\n"]),
    _target("ignore-comment", ignore, _IGNORES, ["a: 1 # portproof: ignore[service-selector] made elsewhere\n"]),
    _target("configuration", configuration, (*_YAML, *(word for one in _CONFIG for word in one.split())), _CONFIG),
    _target("baseline", known_findings, _JSON, [
        '{"schema": "portproof/baseline/1", "findings": [{"fingerprint": "ab", "rule": "a", "target": "helm:a", "resource": "", "field": ""}]}']),
    _target("received-report", report_of_another, _JSON, [json_.write(INCIDENT)]),
    _target("event", event_file, (*_JSON, "1" * 40, '"number": 7'), _EVENT),
    _target("diff", pull_request_diff, ("@@ -1 +1 @@\n", "@@ -1,", " +1,", "diff --git ", "--- a/x\n", "+++ b/x\n", "\n", " a", "+a", "-a", "\\ No", '"a/\\', "rename from "), _DIFF),
    _target("patch", two_texts, ("\n=\n", "a\n", "b\n", "port: 8080\n", "@@ -1 +1 @@\n", "--- a\n", "\\ No newline"),
            ["a\nb\nc\n\n=\na\nB\nc\n", "x\n=\nx\n", *(f"{one}\n=\n{one.replace('80', '81')}" for one in _manifests()[:20])]),
    _target("address", address, (":", "/", "@", ".", "=", ",", " ", "\n", "8080", "host", "port", "web", *_URLS), _URLS),
    _target("kustomization", kustomization, (*_YAML, *(word for one in _KUSTOMIZATION for word in one.split())), _KUSTOMIZATION),
    _target("gitignore", ignored_by_git, ("*", "**/", "/", "!", "#", "\\", "[a-z]", "[!", "]", "?", "\n", "&&", "--", "[[:alpha:]]", "a.env", " "), [
        "*.env\n!a.env\n/config/**/manifests.yaml\n# x\n\\#a\nb\\ c\n", "secretGenerator:\n- {name: a, envs: [a.env, ../b], files: [k=v, x], env: e}\n"]),
    _target("chart-file", chart_file, (*_YAML, "dependencies:\n", "repository: ", "version: ", "file://../x"), [
        "name: a\ntype: library\ndependencies:\n- name: b\n  version: 1.0.0\n  repository: file://../b\n"]),
    _target("tree", tree, (*_YAML, "{{ .x }}", "#@ x", '{"apiVersion": "v1", "kind": "List", "items": []}'), _manifests()),
    _target("template", template, _TEMPLATE, ['{{- if .x }}\n  a: {{ fail "no port is given" }}\n{{- end }}\n{{/* c */}}']),
    _target("helm-error", helm_error, ("Error: ", "(chart/templates/service.yaml:2:13)", ":", "<", ">", "\n", "line 3", "executing", '"'), _HELM),
    _target("kustomize-error", kustomize_error, ("Error: ", "'", "`", "\\", '"', "lstat ", "/overlay/service.yaml", "line 3", ": no such file or directory"), _KUSTOMIZE),
    _target("mark", mark, ("<!-- portproof:v1 ", " -->", "fingerprint=", "0123456789abcdef", " key=", "state=fixed", "kind=summary", "\n", "=", " "), [
        "<!-- portproof:v1 fingerprint=0123456789abcdef key=job state=fixed -->\nx"]),
)  # fmt: skip
