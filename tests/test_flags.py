"""What the command line says reaches the run, each option by one field."""

from __future__ import annotations

import typing
from dataclasses import fields
from typing import Any

import pytest

from portproof import cli
from portproof.cli.options import wants_color
from portproof.commands import about, checking
from portproof.config import Config
from portproof.flags import FAIL_ON, FLAGS, Flags
from portproof.session import Request

SAID: dict[str, tuple[list[str], Any]] = {
    "select": (["--select", "a,b", "--select", " c,"], ("a", "b", "c")),
    "ignore": (["--ignore", "a"], ("a",)),
    "config": (["--config", "c.yaml"], "c.yaml"),
    "baseline": (["--baseline", "b.json"], "b.json"),
    "jobs": (["--jobs", "3"], 3),
    "helm": (["--helm", "/bin/helm"], "/bin/helm"),
    "kustomize": (["--kustomize", "/bin/kubectl"], "/bin/kubectl"),
    "offline": (["--offline"], True),
    "no_cache": (["--no-cache"], True),
    "quiet": (["-q"], True),
    "values": (["-f", "a,b.yaml", "--values", "c.yaml"], ("a,b.yaml", "c.yaml")),
    "chart_set": (["--set", "a=1,b={x,y}"], ("a=1,b={x,y}",)),
    "chart_release": (["--release", "r"], "r"),
    "chart_namespace": (["--namespace", "n"], "n"),
    "kube_version": (["--kube-version", "1.29.0"], "1.29.0"),
    "base": (["--base", "main"], "main"),
    "only_new": (["--only-new"], True),
    "write_baseline": (["--write-baseline", "b.json"], "b.json"),
    "what_if": (["--what-if"], True),
    "strict": (["--strict"], True),
    "shard": (["--shard", "1/2"], "1/2"),
    "costs": (["--costs", "c.json"], "c.json"),
    "timings": (["--timings"], True),
    "show_rendered": (["--show-rendered"], True),
    "fail_on": (["--fail-on", "note"], "note"),
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """The requests that commands make, in place of what they would do."""
    requests: list[Request] = []

    def noted(request: Request, *_: Any, **__: Any) -> int:
        requests.append(request)
        return 0

    for module, name in ((checking, "check"), (checking, "fix"), (about, "tools")):
        monkeypatch.setattr(module, name, noted)
    return requests


def test_every_flag_is_tried_here() -> None:
    assert SAID.keys() == FLAGS.keys() == {one.name for one in fields(Flags)}


@pytest.mark.parametrize("name", SAID)
def test_an_option_reaches_its_field_and_no_other(asked: list[Request], name: str) -> None:
    words, value = SAID[name]
    assert cli.app.main(["check", ".", *words], standalone_mode=False) == 0
    assert asked == [Request((".",), Flags(**{name: value}), what_if=True, environ=asked[0].environ)]


@pytest.mark.parametrize("command", ["check", "fix", "tools"])
def test_what_is_not_said_is_none(asked: list[Request], command: str) -> None:
    assert cli.app.main([command], standalone_mode=False) == 0
    assert asked[0].flags == Flags()
    assert cli.app.main([command, "--offline"], standalone_mode=False) == 0
    assert asked[1].flags == Flags(offline=True)


def test_what_concerns_a_check_alone_is_no_option_of_a_fix() -> None:
    options = {one.name for one in cli.app.commands["fix"].params}
    assert options == {"paths", "write", "unsafe", *(name for name, flag in FLAGS.items() if not flag.only)}


def test_a_value_has_the_type_of_its_field() -> None:
    types = typing.get_type_hints(Flags)
    for name, (_, value) in SAID.items():
        alternatives = typing.get_args(types[name]) or (types[name],)
        assert any(isinstance(value, typing.get_origin(one) or one) for one in alternatives), name


def test_a_flag_of_a_settings_name_has_its_type() -> None:
    flags, settings = typing.get_type_hints(Flags), typing.get_type_hints(Config)
    shared = flags.keys() & settings.keys()
    assert shared >= {"fail_on", "select", "ignore", "baseline", "jobs", "helm", "kustomize", "offline"}
    for name in shared:
        assert flags[name] in (settings[name], settings[name] | None), name


def test_the_words_of_a_threshold_are_those_of_the_file() -> None:
    assert FLAGS["fail_on"].choices == FAIL_ON
    assert Config().fail_on in FAIL_ON


@pytest.mark.parametrize(
    ("choice", "environ", "terminal", "expected"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": "0"}, True, False),
        ("auto", {"CLICOLOR_FORCE": "1", "TERM": "dumb"}, False, True),
        ("auto", {"CLICOLOR": "0"}, True, False),
        ("auto", {"TERM": "dumb"}, True, False),
    ],
)
def test_who_decides_on_color(choice: str, environ: dict[str, str], terminal: bool, expected: bool) -> None:
    assert wants_color(choice, environ, terminal=terminal) is expected
