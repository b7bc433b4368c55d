"""What the package index gets, and what people get from it: in an empty home, by each way of installing."""

from __future__ import annotations

import email
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import pytest

from portproof import __version__
from tests.e2e.program import FIXTURES, environment
from tests.support import rendering

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "portproof"
NAME = f"portproof-{__version__}"
LIBRARIES = {"click", "jinja2", "jsonpath-ng", "msgspec", "pathspec", "pygithub", "pyyaml"}
_SECONDS = 300

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Dist:
    """The two files."""

    sdist: Path
    wheel: Path

    @property
    def metadata(self) -> Message:
        """What the index shows."""
        with zipfile.ZipFile(self.wheel) as archive:
            return email.message_from_bytes(archive.read(f"{NAME}.dist-info/METADATA"))


def build(folder: Path) -> Dist:
    environ = environment() | {"PYTHON": sys.executable}
    subprocess.run(
        ["bash", ROOT / ".ci" / "dist", folder],
        env=environ,
        check=True,
        capture_output=True,
        timeout=_SECONDS,
    )
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return Dist(sdist, wheel)


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Dist:
    return build(tmp_path_factory.mktemp("dist"))


# --- what is in them -------------------------------------------------------------------------------------------


def sources(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_has_the_program_its_licence_and_nothing_else(dist: Dist) -> None:
    with zipfile.ZipFile(dist.wheel) as archive:
        found = set(archive.namelist())
    info = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    assert found == {f"portproof/{one}" for one in sources(PACKAGE)} | {
        f"{NAME}.dist-info/{one}" for one in info
    }
    assert {"portproof/py.typed", "portproof/config.schema.json"} <= found


def test_the_sdist_has_what_the_repository_has(dist: Dist) -> None:
    with tarfile.open(dist.sdist) as archive:
        found = {member.name.removeprefix(f"{NAME}/") for member in archive if member.isfile()}
    assert {"LICENSE", "PKG-INFO", "README.md", "pyproject.toml", ".ci/dist", "action.yml"} <= found
    for folder in ("src", "tests", "docs", "examples", "image", ".github"):
        wanted = {f"{folder}/{one}" for one in sources(ROOT / folder)}
        assert wanted <= found, folder
    assert not {one for one in found if "__pycache__" in one or one.startswith((".venv", ".git/", "dist/"))}
    listed = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["sdist"][
            "only-include"
        ]
    )
    assert {one.split("/")[0] for one in found} - listed == {"PKG-INFO", "pyproject.toml"}


def test_the_same_commit_gives_the_same_bytes(dist: Dist, tmp_path: Path) -> None:
    again = build(tmp_path)
    for one, other in ((dist.sdist, again.sdist), (dist.wheel, again.wheel)):
        assert hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest()


def test_the_metadata_is_complete(dist: Dist) -> None:
    told = dist.metadata
    assert (told["Name"], told["Version"], told["Author"]) == ("portproof", __version__, "portproof")
    assert told["License-Expression"] == "Apache-2.0"
    assert told["License-File"] == "LICENSE"
    assert told["Requires-Python"] == ">=3.11"
    assert 40 < len(told["Summary"]) < 512
    assert len(told["Keywords"].split(",")) > 5
    urls = dict(one.split(", ") for one in told.get_all("Project-URL", []))
    assert urls.keys() == {"Homepage", "Documentation", "Source", "Issues", "Changelog"}
    kinds = told.get_all("Classifier", [])
    tested = json.loads(
        re.findall(r"python: (\[.*\])", (ROOT / ".github" / "workflows" / "ci.yml").read_text())[0]
    )
    versions = [re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", one) for one in kinds]
    assert [one[1] for one in versions if one] == tested
    systems = {one for one in kinds if one.startswith("Operating System ::")}
    assert systems == {"Operating System :: MacOS", "Operating System :: POSIX :: Linux"}
    assert not [one for one in kinds if one.startswith("License ::")], (
        "the index rejects it beside an expression"
    )


def test_the_formula_names_the_sdist_and_installs_what_is_locked(dist: Dist) -> None:
    text = subprocess.run(
        ["bash", ROOT / ".ci" / "formula", dist.sdist], capture_output=True, check=True, text=True
    ).stdout
    said = dict(re.findall(r'^  (desc|homepage|url|sha256|license) "(.*)"$', text, re.MULTILINE))
    assert said["sha256"] == hashlib.sha256(dist.sdist.read_bytes()).hexdigest()
    assert said["url"].endswith(f"/releases/download/v{__version__}/{NAME}.tar.gz")
    assert said["license"] == dist.metadata["License-Expression"]
    assert f"{said['homepage']}latest/" in str(dist.metadata.get_all("Project-URL"))
    (lock,) = re.findall(r'buildpath/"(.*?)"', text)
    with tarfile.open(dist.sdist) as archive:
        assert archive.getmember(f"{NAME}/{lock}").isfile()
    assert re.findall(r"\b(?:class|def|test do|end)\b", text).count("end") == 3


def test_all_that_it_needs_comes_without_an_extra(dist: Dist) -> None:
    needed = [one for one in dist.metadata.get_all("Requires-Dist", []) if "extra ==" not in one]
    assert {re.split(r"[>=]", one)[0] for one in needed} == LIBRARIES
    assert not [one for one in needed if "<" in one], "an upper bound ages badly"


def test_the_text_on_the_index_leads_to_addresses(dist: Dist) -> None:
    text = str(dist.metadata.get_payload())
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert links
    assert [one for one in links if not one.startswith(("https://", "#"))] == []
    assert "/rules.md" not in "".join(links)


# --- each way of installing, played in an empty home -----------------------------------------------------------


@dataclass(frozen=True)
class Home:
    """A home with nothing in it, and a repository to check."""

    folder: Path
    repository: Path

    @property
    def environ(self) -> Mapping[str, str]:
        """What somebody has who has set nothing; helm and kustomize are named, as they are not fetched here."""
        dropped = ("VIRTUAL_ENV", "PYTHON", "XDG_", "PIPX_", "PORTPROOF_")
        given = {name: value for name, value in environment().items() if not name.startswith(dropped)}
        return given | {
            "HOME": str(self.folder),
            "PATH": os.pathsep.join((str(Path(PYTHON).parent), "/usr/bin", "/bin")),
            "PORTPROOF_HELM": rendering.current_helm().argv[0],
            "PORTPROOF_KUSTOMIZE": rendering.kustomize().argv[0],
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_NO_CONFIG": "1",
        }

    def run(self, command: Sequence[str | Path], code: int = 0) -> str:
        """Run a command in the repository; gives what it prints."""
        done = subprocess.run(
            list(map(str, command)),
            cwd=self.repository,
            env=dict(self.environ),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout


PYTHON = str(Path(sys.base_prefix, "bin", "python3").resolve())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "home").mkdir()
    return Home(tmp_path / "home", shutil.copytree(FIXTURES / "incident" / "broken", tmp_path / "repository"))


def with_pip(home: Home, wheel: Path) -> list[str | Path]:
    """``python -m venv``, then ``pip install``."""
    home.run([PYTHON, "-m", "venv", home.folder / "venv"])
    home.run([home.folder / "venv" / "bin" / "pip", "install", "--quiet", wheel])
    return [home.folder / "venv" / "bin" / "portproof"]


def with_pipx(home: Home, wheel: Path) -> list[str | Path]:
    """``pipx install``."""
    home.run([sys.executable, "-m", "pipx", "install", "--quiet", "--python", PYTHON, wheel])
    return [home.folder / ".local" / "bin" / "portproof"]


def with_uvx(_: Home, wheel: Path) -> list[str | Path]:
    """``uvx``, which is ``uv tool run``: nothing is installed beforehand."""
    return [
        sys.executable,
        "-m",
        "uv",
        "tool",
        "run",
        "--quiet",
        "--python",
        PYTHON,
        "--from",
        wheel,
        "portproof",
    ]


@pytest.mark.parametrize("install", [with_pip, with_pipx, with_uvx], ids=lambda one: one.__name__)
def test_the_incident_is_found_by_what_was_installed(
    home: Home, dist: Dist, install: Callable[[Home, Path], list[str | Path]]
) -> None:
    program = install(home, dist.wheel)
    assert home.run([*program, "--version"]) == f"portproof, version {__version__}\n"
    report = json.loads(home.run([*program, "check", "--format", "json"], code=1))
    assert report["summary"]["error"] == 3
    assert {one["rule"] for one in report["findings"]} == {"service-target-number"}
    assert "service-target-number" in home.run([*program, "rules"])
    assert "Not reported when" in home.run([*program, "explain", "service-target-number"])
    assert report["tool"]["version"] == __version__
