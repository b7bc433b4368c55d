"""Text has the paths of the current folder, and programs those of the root."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.program import Program, Repository

MakeRepository = Callable[[str], Repository]


@pytest.mark.parametrize(
    ("folder", "shown"),
    [
        (".", "manifests/service.yaml:12:19"),
        ("manifests", "service.yaml:12:19"),
        ("chart/templates", "../../manifests/service.yaml:12:19"),
        ("..", "repository/manifests/service.yaml:12:19"),
    ],
)
def test_paths_are_those_of_the_current_folder(
    portproof: Program,
    make_repository: MakeRepository,
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
    shown: str,
) -> None:
    repository = make_repository("incident/broken")
    monkeypatch.chdir(repository.root / folder)
    path = repository.root / "manifests"
    assert portproof("check", path).stdout.splitlines()[0] == f"error[service-target-number] {shown}"
    (finding,) = portproof.check(path)["findings"]
    assert finding["location"]["path"] == "manifests/service.yaml"
