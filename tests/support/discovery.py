"""Trees of files for the tests of discovery, and short ways to ask what is found there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from portproof.config import Config
from portproof.discover.find import discover
from portproof.discover.model import Discovery, HelmTarget, KustomizeTarget, ManifestTarget
from portproof.source import Tree

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"
CRD = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: webs}\n"


def chart(name: str, *dependencies: tuple[str, str], kind: str = "application") -> str:
    lines = [f"apiVersion: v2\nname: {name}\nversion: 1.0.0\ntype: {kind}\n"]
    if dependencies:
        lines.append("dependencies:\n")
    lines += [
        f"  - {{name: {name}, version: 1.x, repository: '{repository}'}}\n"
        for name, repository in dependencies
    ]
    return "".join(lines)


class Repository:
    """A tree on disk that is filled from a mapping of paths to texts; a text ``-> x`` makes a link to x."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, files: Mapping[str, str]) -> Repository:
        for path, text in files.items():
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if text.startswith("-> "):
                file.symlink_to(text[3:])
            else:
                file.write_text(text)
        return self

    def find(self, *paths: str, config: Config | None = None) -> Discovery:
        return discover(Tree(self.root), paths or (".",), config)

    def targets(self, *paths: str, config: Config | None = None) -> list[str]:
        return [target.id for target in self.find(*paths, config=config).targets]

    def skips(self, *paths: str, config: Config | None = None) -> list[tuple[str, str, bool]]:
        return [(skip.id, skip.reason, skip.counts) for skip in self.find(*paths, config=config).skips]

    def helm(self, config: Config | None = None) -> HelmTarget:
        (target,) = (one for one in self.find(config=config).targets if isinstance(one, HelmTarget))
        return target

    def kustomize(self) -> KustomizeTarget:
        (target,) = (one for one in self.find().targets if isinstance(one, KustomizeTarget))
        return target

    def manifests(self) -> list[ManifestTarget]:
        return [one for one in self.find().targets if isinstance(one, ManifestTarget)]
