"""What portproof.yaml may say, and how its mistakes are named."""

from __future__ import annotations

import os
from pathlib import Path

import jsonschema
import pytest
import yaml

from portproof.config import (
    ChartConfig,
    Config,
    FileConfig,
    IgnoreConfig,
    ReferenceConfig,
    default_jobs,
    load,
    matches,
    merge,
    parse,
)
from portproof.config.settings import KEYS, schema
from portproof.errors import ConfigError, ExitCode
from portproof.flags import Flags
from portproof.rules import all_rules
from portproof.rules.vocabulary import vocabulary

WHOLE = """\
fail-on: warning
select: [service-target-number, "probe-port"]
ignore:
  - headless
  - rule: [probe-port, headless]
    reason: "  it is
      fine "
    path: /charts/**
    resource: Service/shop/web*
    target: helm:charts/*
baseline: ./known.json
jobs: 3
offline: true
what-if: true
allow-hosts: charts.example.com
timeout: 12.5
exclude: [vendor/**, "/third_party/"]
charts:
  - path: charts/*
    values: [values-prod.yaml, [/envs/base.yaml, /envs/prod.yaml]]
    release: shop
    namespace: shop-prod
    kube-version: "1.30"
    api-versions: [monitoring.coreos.com/v1, gateway.networking.k8s.io/v1/HTTPRoute, v1]
severity: {headless: note, probe-port: "off", selector: off}
references:
  - kind: AppRoute
    group: [example.org, ""]
    at: spec.backends[*]
    service: backend.service
    port: backend.port
    namespace: backend.namespace
    by: either
    default: 80
    protocol: UDP
    host: true
environments:
  prod: [helm:charts/*, kustomize:overlays/prod]
  dev: "*dev*"
"""


KNOWN = ", ".join(KEYS)
LABEL = (
    "expected at most {} lowercase letters, digits and hyphens, starting and ending with a letter or digit"
)


def refused(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse(text, "portproof.yaml")
    return caught.value


def test_every_key_is_read() -> None:
    expected = Config(
        fail_on="warning",
        select=("service-target-number", "probe-port"),
        ignore=("headless",),
        ignores=(
            IgnoreConfig(
                ("probe-port", "headless"),
                "it is fine",
                "charts/**",
                ("Service", "shop", "web*"),
                "helm:charts/*",
            ),
        ),
        baseline="known.json",
        jobs=3,
        offline=True,
        what_if=True,
        allow_hosts=("charts.example.com",),
        timeout=12.5,
        exclude=("vendor/**", "third_party"),
        charts=(
            ChartConfig(
                "charts/*",
                (("values-prod.yaml",), ("/envs/base.yaml", "/envs/prod.yaml")),
                "shop",
                "shop-prod",
                "1.30",
                ("monitoring.coreos.com/v1", "gateway.networking.k8s.io/v1/HTTPRoute", "v1"),
            ),
        ),
        severity={"headless": "note", "probe-port": "off", "selector": "off"},
        references=(
            ReferenceConfig(
                kinds=("AppRoute",),
                groups=("example.org", ""),
                at=("spec.backends[*]",),
                service="backend.service",
                namespace="backend.namespace",
                port="backend.port",
                by="either",
                default=80,
                protocol="UDP",
                host=True,
            ),
        ),
        environments={"prod": ("helm:charts/*", "kustomize:overlays/prod"), "dev": ("*dev*",)},
    )
    found = parse(WHOLE, "portproof.yaml")
    assert found == FileConfig("portproof.yaml", expected, frozenset(name.replace("-", "_") for name in KEYS))


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "null\n", "{}\n"])
def test_an_empty_file_is_an_empty_configuration(text: str) -> None:
    assert parse(text, "portproof.yaml") == FileConfig(path="portproof.yaml")


def test_a_key_without_a_value_is_no_key() -> None:
    assert parse("jobs:\ncharts:\n", "c.yaml") == FileConfig(path="c.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jobs: 0\n", "portproof.yaml:1: jobs: expected a whole number from 1 to 256, got 0"),
        ("jobs: 100000\n", "portproof.yaml:1: jobs: expected a whole number from 1 to 256, got 100000"),
        ("jobs: true\n", "portproof.yaml:1: jobs: expected a whole number from 1 to 256, got true"),
        ("\n\njobs: two\n", "portproof.yaml:3: jobs: expected a whole number from 1 to 256, got 'two'"),
        ("timeout: 0\n", "portproof.yaml:1: timeout: expected seconds, more than 0 and at most 600, got 0"),
        (
            "timeout: 1e400\n",
            "portproof.yaml:1: timeout: expected seconds, more than 0 and at most 600, got '1e400'",
        ),
        (
            "fail-on: worst\n",
            "portproof.yaml:1: fail-on: expected one of error, warning, note, never, got 'worst'",
        ),
        (
            "fail-on: [error]\n",
            "portproof.yaml:1: fail-on: expected one of error, warning, note, never, got a list",
        ),
        ("offline: 1\n", "portproof.yaml:1: offline: expected true or false, got 1"),
        ("select: [1]\n", "portproof.yaml:1: select[0]: expected text, got 1"),
        ("exclude: [../other]\n", "portproof.yaml:1: exclude[0]: '../other' points outside the repository"),
        (
            "exclude: [a]\n".replace("a", "a" * 300),
            "portproof.yaml:1: exclude[0]: longer than 256 characters",
        ),
        (f"exclude: [{'a, ' * 101}]\n", "portproof.yaml:1: exclude: more than 100 entries"),
        ("exclude: ../other\n", "portproof.yaml:1: exclude: '../other' points outside the repository"),
        (
            "environments: [a]\n",
            "portproof.yaml:1: environments: expected a mapping of names to targets, got a list",
        ),
        ("environments:\n  prod: []\n", "portproof.yaml:2: environments.prod: the list is empty"),
        ("charts: {path: a}\n", "portproof.yaml:1: charts: expected a list, got a mapping"),
        ("charts:\n  - release: a\n", "portproof.yaml:2: charts[0]: the key 'path' is missing"),
        (
            "charts:\n  - path: a\n    values:\n      - b\n      - 3\n",
            "portproof.yaml:5: charts[0].values[1]: expected text, got 3",
        ),
        (
            "charts:\n  - path: a\n    values: [https://example.com/v.yaml]\n",
            "portproof.yaml:3: charts[0].values[0]: 'https://example.com/v.yaml' is a URL",
        ),
        (
            "charts:\n  - path: a\n    release: -o\n",
            f"portproof.yaml:3: charts[0].release: {LABEL.format(53)}, got '-o'",
        ),
        (
            "charts:\n  - path: a\n    kube-version: 1.30\n",
            "portproof.yaml:3: charts[0].kube-version: expected a Kubernetes version, got 1.3",
        ),
        (
            "charts:\n  - path: a\n    api-versions: [policy/v1, --post-renderer=a]\n",
            "portproof.yaml:3: charts[0].api-versions[1]: expected an API version, got '--post-renderer=a'",
        ),
        (
            "- a\n",
            f"portproof.yaml:1: expected a mapping with the keys {KNOWN}, got a list",
        ),
        (
            "jobs: [1\n",
            "portproof.yaml:2: not valid YAML: while parsing a flow sequence: did not find expected ',' or ']'",
        ),
        ("jobs: 1\n---\njobs: 2\n", "portproof.yaml: more than one YAML document"),
        (
            "severity: [a]\n",
            "portproof.yaml:1: severity: expected a mapping of rules to severities, got a list",
        ),
        (
            "severity:\n  a: error\n  b: never\n",
            "portproof.yaml:3: severity.b: expected one of error, warning, note, off, got 'never'",
        ),
        ("references: {kind: A}\n", "portproof.yaml:1: references: expected a list, got a mapping"),
        ("references:\n  - at: a\n", "portproof.yaml:2: references[0]: the key 'kind' is missing"),
        (
            "references:\n  - {kind: A, group: a.b, at: []}\n",
            "portproof.yaml:2: references[0].at: the list is empty",
        ),
        (
            "references:\n  - {kind: A, group: a.b/v1, at: a}\n",
            "portproof.yaml:2: references[0].group: expected an API group, got 'a.b/v1'",
        ),
        (
            "references:\n  - {kind: A, group: a.b, at: a, port: 'b[0]'}\n",
            "portproof.yaml:2: references[0].port: expected a field name, got 'b[0]'",
        ),
        (
            "references:\n  - {kind: A, group: a.b, at: a, by: hand}\n",
            "portproof.yaml:2: references[0].by: expected one of number, name, either, got 'hand'",
        ),
        (
            "references:\n  - {kind: A, group: a.b, at: a, default: 0}\n",
            "portproof.yaml:2: references[0].default: expected a whole number from 1 to 65535, got 0",
        ),
        (
            "references:\n  - {kind: A, group: a.b, at: a, protocol: udp}\n",
            "portproof.yaml:2: references[0].protocol: expected one of TCP, UDP, SCTP, got 'udp'",
        ),
        (
            "references:\n  - {kind: A, group: a.b, at: a, host: web}\n",
            "portproof.yaml:2: references[0].host: expected true or false, got 'web'",
        ),
    ],
)
def test_a_mistake_names_file_line_and_key(text: str, message: str) -> None:
    assert str(refused(text)) == message


def test_every_mistake_says_what_to_do_next() -> None:
    assert refused("jobs: two\n").next_step != ""


@pytest.mark.parametrize(
    ("text", "message", "next_step"),
    [
        (
            "jobs: 1\nselect:\n  - service-target-number\n  - service-selektor\n",
            "portproof.yaml:4: select[1]: there is no rule 'service-selektor'",
            "Did you mean service-selector? Run `portproof rules` to list them.",
        ),
        (
            "ignore: service-selektor\n",
            "portproof.yaml:1: ignore: there is no rule 'service-selektor'",
            "Did you mean service-selector? Run `portproof rules` to list them.",
        ),
        (
            "ignore:\n  - rule: [host-port, host-prot]\n    reason: because\n",
            "portproof.yaml:2: ignore[0].rule[1]: there is no rule 'host-prot'",
            "Did you mean host-port? Run `portproof rules` to list them.",
        ),
        (
            "severity:\n  host-port: note\n  host-prot: note\n",
            "portproof.yaml:3: severity.host-prot: there is no rule 'host-prot'",
            "Did you mean host-port? Run `portproof rules` to list them.",
        ),
        (
            "references:\n  - kind: A\n    group: a.b\n    at:\n      - spec.a\n      - spec.b[\n",
            "portproof.yaml:6: references[0].at[1]: 'spec.b[' is not a usable JSONPath: Parse error near the end of string!",
            "Write it like spec.backends[*].",
        ),
        *(
            (
                f"references:\n  - kind: A\n    group: a.b\n    at: {path}\n",
                f"portproof.yaml:4: references[0].at: '{path}' is not a usable JSONPath: only names, indexes and [*] are supported",
                "Write it like spec.backends[*].",
            )
            for path in ("spec..port", "spec.a|spec.b", "spec.`parent`", "spec.(a,b)")
        ),
    ],
)
def test_words_that_nobody_knows_are_named_at_their_line(text: str, message: str, next_step: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "portproof.yaml", vocabulary())
    assert (str(caught.value), caught.value.next_step) == (message, next_step)


@pytest.mark.parametrize("path", ["spec.a", "$.spec.a[*].b", "spec.*", "a[0].b", "a['b.c']", "a-b.c_d"])
def test_plain_paths_are_taken(path: str) -> None:
    text = f'references: [{{kind: A, group: a.b, at: "{path}"}}]\n'
    assert parse(text, "portproof.yaml", vocabulary()).config.references[0].at == (path,)


def test_the_lines_of_the_keys_are_known() -> None:
    assert parse("# first\njobs: 1\n\nexclude:\n  - a\n", "c.yaml").lines == {"jobs": 2, "exclude": 4}


SCHEMA = schema({rule.id: rule.summary for rule in all_rules()})
WRONG_FOR_EDITORS = [
    "jobs: 0",
    "jobs: true",
    "timeout: 0",
    "fail-on: worst",
    "offline: 1",
    "select: [1]",
    "select: service-selektor",
    "ignore: [service-selektor]",
    "ignore: [{rule: host-port}]",
    "ignore: [{rule: host-port, reason: }]",
    "ignore: [{rule: [], reason: a}]",
    "ignore: {rule: host-port, reason: a, resource: web}",
    "ignore: {rule: host-port, reason: a, paths: web}",
    "baseline: 1",
    "severity: {service-selektor: note}",
    "severity: {host-port: worst}",
    "charts: {path: a}",
    "charts: [{release: a}]",
    "charts: [{path: a, release: -o}]",
    "charts: [{path: a, value: [b]}]",
    "charts: [{path: a, kube-version: 1.30}]",
    "charts: [{path: a, kube-version: latest}]",
    "charts: [{path: a, api-versions: [monitoring.coreos.com]}]",
    "charts: [{path: a, api-versions: --debug}]",
    "environments: [helm:a]",
    "environments: {prod: }",
    "environments: {prod: []}",
    "environments: {prod: [1]}",
    "references: [{kind: A, at: a}]",
    "references: [{kind: A, group: a.b/v1, at: a}]",
    "references: [{kind: A, group: a.b, at: a, by: hand}]",
    "references: [{kind: A, group: a.b, at: a, port: 'b[0]'}]",
    "helm: ./evil",
]
RIGHT_FOR_EDITORS = [
    "{}",
    "jobs:",
    "timeout: 0.5",
    "ignore: host-port",
    "ignore: [host-port, {rule: [host-port, render-failed], reason: a, path: , resource: A/b, target: c}]",
    "ignore: {rule: host-port, reason: a, resource: A/b/c, path: d/**}",
    "baseline: known.json",
    "severity: {host-port: off}",
    "severity: {host-port: 'off'}",
    "charts: [{path: a, values: [b, [c, d]], namespace: }]",
    "references: [{kind: [A, B], group: '', at: [a, 'b[*]'], default: 443}]",
]


@pytest.mark.parametrize("text", WRONG_FOR_EDITORS)
def test_what_is_refused_is_wrong_for_editors_too(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text, "portproof.yaml", vocabulary())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), SCHEMA)


@pytest.mark.parametrize("text", RIGHT_FOR_EDITORS)
def test_what_is_taken_is_right_for_editors_too(text: str) -> None:
    parse(text, "portproof.yaml", vocabulary())
    jsonschema.validate(yaml.safe_load(text), SCHEMA)


def test_a_mistake_is_wrong_use() -> None:
    assert refused("jobs: two\n").exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("key", "near"), [("fail_on", "fail-on"), ("failon", "fail-on"), ("job", "jobs"), ("Exclude", "exclude")]
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(key: str, near: str) -> None:
    error = refused(f"offline: true\n{key}: x\n")
    assert (str(error), error.next_step) == (
        f"portproof.yaml:2: {key}: unknown key",
        f"Did you mean {near!r}?",
    )


def test_an_unknown_key_like_no_other_is_refused_with_the_list() -> None:
    assert refused("zzz: 1\n").next_step.startswith("Known keys: fail-on,")


def test_an_unknown_key_that_holds_a_list_is_named_at_its_own_line() -> None:
    assert str(refused("jobs: 1\nexcludes:\n  - a\n")) == "portproof.yaml:2: excludes: unknown key"


def test_an_unknown_key_of_a_chart_is_refused() -> None:
    error = refused("charts:\n  - path: a\n    value: [b]\n")
    assert (str(error), error.next_step) == (
        "portproof.yaml:3: charts[0].value: unknown key",
        "Did you mean 'values'?",
    )


@pytest.mark.parametrize("program", ["helm", "kustomize"])
def test_a_file_of_the_repository_cannot_choose_the_program_to_run(program: str) -> None:
    error = refused(f"{program}: ./evil\n")
    assert (str(error), f"--{program}" in error.next_step) == (
        f"portproof.yaml:1: {program}: unknown key",
        True,
    )


def test_without_a_file_nothing_is_configured(tmp_path: Path) -> None:
    assert load(tmp_path) == FileConfig()


@pytest.mark.parametrize("name", ["portproof.yaml", ".portproof.yaml"])
def test_the_file_is_found_at_the_root(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("jobs: 2\n")
    assert load(tmp_path) == FileConfig(name, Config(jobs=2), frozenset({"jobs"}))


def test_two_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "portproof.yaml").touch()
    (tmp_path / ".portproof.yaml").touch()
    with pytest.raises(ConfigError, match=r"both portproof\.yaml and \.portproof\.yaml exist"):
        load(tmp_path)


def test_a_file_that_is_given_is_the_only_one_read(tmp_path: Path) -> None:
    (tmp_path / "portproof.yaml").write_text("jobs: 2\n")
    given = tmp_path / "other.yaml"
    given.write_text("jobs: 5\n")
    assert load(tmp_path, str(given)).config.jobs == 5


def test_a_file_that_is_given_and_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: no such file"):
        load(tmp_path, "nowhere.yaml")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "portproof.yaml").write_bytes(b"jobs: \xff\n")
    with pytest.raises(ConfigError, match=r"portproof\.yaml: not UTF-8"):
        load(tmp_path)


def test_a_link_out_of_the_repository_is_not_read(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.yaml").write_text("jobs: 2\n")
    (root / "portproof.yaml").symlink_to(tmp_path / "secret.yaml")
    with pytest.raises(ConfigError, match="a link that points outside the repository"):
        load(root)


def test_a_dangling_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "portproof.yaml").symlink_to("nothing.yaml")
    with pytest.raises(ConfigError, match="no such file"):
        load(tmp_path)


def test_defaults_are_complete() -> None:
    assert merge(FileConfig()) == Config(jobs=default_jobs())


def test_a_flag_replaces_what_the_file_says() -> None:
    file = FileConfig(config=Config(fail_on="note", select=("a",), ignore=("b",), jobs=2))
    flags = Flags(fail_on="never", select=("c",), ignore=(), jobs=9, helm="/bin/helm", kustomize="/bin/k")
    assert merge(file, flags) == Config(
        fail_on="never", select=("c",), ignore=(), jobs=9, helm="/bin/helm", kustomize="/bin/k"
    )


def test_a_flag_leaves_entries_with_a_reason_alone() -> None:
    entry = IgnoreConfig(("a",), "because")
    file = FileConfig(config=Config(ignore=("b",), ignores=(entry,)))
    assert (merge(file).ignore, merge(file).ignores) == (("b",), (entry,))
    merged = merge(file, Flags(ignore=("c",)))
    assert (merged.ignore, merged.ignores) == (("c",), (entry,))


def test_the_place_of_an_entry_is_that_of_its_rules() -> None:
    text = "ignore:\n  - rule: host-port\n    reason: because\n"
    (entry,) = parse(text, "c.yaml").config.ignores
    assert text[entry.start : entry.end] == "host-port"


def test_what_the_file_says_replaces_the_default() -> None:
    said = Config(
        fail_on="note", jobs=2, timeout=5.0, exclude=("a",), charts=(ChartConfig("b"),), select=("c",)
    )
    assert merge(FileConfig(config=said)) == said


def test_a_file_that_says_the_default_says_more_than_one_that_is_silent() -> None:
    assert parse("fail-on: error\n", "c.yaml").config == parse("", "c.yaml").config
    assert parse("fail-on: error\n", "c.yaml") != parse("", "c.yaml")


@pytest.mark.parametrize(
    ("hosts", "trusted", "untrusted"), [(None, None, ()), ((), (), ()), (("a",), ("a",), ("a",))]
)
def test_an_untrusted_tree_is_fetched_for_from_named_hosts_only(
    hosts: tuple[str, ...] | None, trusted: tuple[str, ...] | None, untrusted: tuple[str, ...]
) -> None:
    file = FileConfig(config=Config(allow_hosts=hosts))
    assert merge(file).allow_hosts == trusted
    assert merge(file, untrusted=True).allow_hosts == untrusted


@pytest.mark.parametrize(("file", "flag"), [(True, False), (False, True), (True, True)])
def test_either_can_switch_the_network_off(file: bool, flag: bool) -> None:
    assert merge(FileConfig(config=Config(offline=file)), Flags(offline=flag)).offline is True


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("charts/*", "charts/a", True),
        ("charts/*", "charts/a/b", False),
        ("charts/**", "charts/a/b", True),
        ("charts/**", "charts", True),
        ("**/ci", "ci", True),
        ("**/ci", "a/b/ci", True),
        ("**/ci", "a/b/ci/c", False),
        ("**/ci/**", "a/b/ci/c", True),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z", True),
        ("a/**/z", "a/b/c/y", False),
        ("**", ".", True),
        (".", ".", True),
        ("/a/", "a", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab]", "b", True),
        ("A", "a", False),
    ],
)
def test_globs(pattern: str, path: str, expected: bool) -> None:
    assert matches(pattern, path) is expected


@pytest.mark.parametrize("pattern", ["**/" * 80 + "x", "*a" * 128, "/".join(["*"] * 128)])
def test_a_hostile_glob_costs_little(pattern: str) -> None:
    assert not matches(pattern, "/".join(["aaaaaaaa"] * 300))


def cgroup(tmp_path: Path, own: str) -> tuple[Path, Path]:
    (tmp_path / "own").write_text(own)
    folder = tmp_path / "cgroup"
    folder.mkdir()
    return folder, tmp_path / "own"


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("50000 100000", 1), ("100000 100000", 1), ("max 100000", None), ("nonsense", None)],
)
def test_jobs_respect_the_quota_of_the_control_group(
    tmp_path: Path, quota: str, expected: int | None
) -> None:
    folder, own = cgroup(tmp_path, "0::/\n")
    (folder / "cpu.max").write_text(quota)
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert default_jobs(folder, own) == (expected or available)


def test_jobs_respect_the_quota_of_a_parent_group(tmp_path: Path) -> None:
    folder, own = cgroup(tmp_path, "12:cpu:/old\n0::/a/b\n")
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "cpu.max").write_text("20000 100000")
    (folder / "a" / "b" / "cpu.max").write_text("max 100000")
    assert default_jobs(folder, own) == 1


def test_jobs_respect_the_quota_of_the_first_kind_of_control_groups(tmp_path: Path) -> None:
    folder, own = cgroup(tmp_path, "4:cpu:/\n")
    (folder / "cpu").mkdir()
    (folder / "cpu" / "cpu.cfs_quota_us").write_text("90000")
    (folder / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert default_jobs(folder, own) == 1


def test_jobs_are_the_processors_of_this_process_without_control_groups(tmp_path: Path) -> None:
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert default_jobs(tmp_path / "none", tmp_path / "none") == available
