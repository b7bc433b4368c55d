"""The runbook's commands: at most eight, words that a shell reads as they are meant, and patches that do what they say."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "data" / "map"
_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def _blocks() -> Iterator[list[str]]:
    for file in sorted(GOLDEN.glob("*.md")):
        for block in _BLOCK.findall(file.read_text()):
            yield [line for line in block.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("commands", list(_blocks()), ids=str)
def test_a_runbook_has_eight_steps_at_most(commands: list[str]) -> None:
    assert 2 <= len(commands) <= 8
    for one in commands:
        words = shlex.split(one)
        assert words[0] in ("kubectl", "git")
        if words[0] == "kubectl":
            assert words[1] == "-n"
            assert words[2] == "${NAMESPACE:?}" or re.fullmatch("[a-z0-9-]+", words[2])


def test_every_replaced_target_is_guarded_by_the_port_before_it() -> None:
    patches = [shlex.split(one)[-1] for block in _blocks() for one in block if " patch " in one]
    assert patches
    for patch in patches:
        operations = json.loads(patch)
        for guard, put in zip(operations[::2], operations[1::2], strict=True):
            assert (guard["op"], put["op"]) == ("test", "replace")
            assert put["path"] == guard["path"].removesuffix("port") + "targetPort"
            assert isinstance(guard["value"], int)
