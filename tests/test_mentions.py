"""Which words of a repository may make a missing file, or build an overlay."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from portproof.doubts.meant import meant
from portproof.doubts.mentions import Mentions
from tests.support.rendering import write_files

MADE = "overlays/prod/ports.yaml"


@pytest.mark.parametrize(
    ("path", "text", "makes"),
    [
        ("a.sh", "sops -d x > overlays/prod/ports.yaml", True),
        ("a.sh", "cat ports.yaml", True),
        ("a.sh", 'cat "$DIR/ports.yaml"', True),
        ("a.sh", "cat overlays/stage/ports.yaml", False),
        ("a.sh", "cat overlays/prod/ports.yaml.j2", False),
        ("a.sh", 'helm template x > "overlays/$ENV/$NAME.yaml"', True),
        ("a.sh", 'helm template x > "$OUT"', False),
        ("a.sh", 'helm template x > "base/$NAME.yaml"', False),
        ("a.py", "open(f'overlays/{env}/ports.yaml', 'w')", True),
        ("README.md", "The ports are in overlays/prod/ports.yaml.", False),
        ("README.md", "Create overlays/prod/ports.yaml first.", True),
        ("README.md", "Create ports.yaml first.", True),
        ("other/README.md", "Create ports.yaml first.", False),
        ("CODEOWNERS", "overlays/prod/ports.yaml @me", False),
        ("nginx.conf", "include ports.yaml;", False),
        ("Makefile", "PORTS := ports.yaml", True),
        ("ci.yaml", "- overlays/prod/ports.yaml", False),
        ("ci.yaml", "- run: cp x overlays/prod/ports.yaml", True),
        ("overlays/prod/kustomization.yaml", "cp x ports.yaml", False),
        ("node_modules/a.sh", "cp x ports.yaml", False),
    ],
)
def test_what_may_make_a_file(tmp_path: Path, path: str, text: str, *, makes: bool) -> None:
    write_files(tmp_path, {path: f"{text}\n"})
    assert Mentions(tmp_path).maker(MADE) == (path if makes else "")


@pytest.mark.parametrize(
    ("text", "makes"),
    [
        ("cp -r generated overlays/prod/base", True),
        ("cp -r generated base", False),
        ("cd frontend/base", False),
        ("kustomize build overlays/prod/base/x | oc apply -f -", False),
        ("kustomize build overlays/prod/base > overlays/prod/base/all.yaml", True),
        ('cp x "$HOME/base"', False),
    ],
)
def test_a_folder_is_made_under_more_than_its_name(tmp_path: Path, text: str, *, makes: bool) -> None:
    write_files(tmp_path, {"a.sh": f"{text}\n"})
    assert bool(Mentions(tmp_path).maker("overlays/prod/base")) is makes


@pytest.mark.parametrize(
    ("text", "builds"),
    [
        ("kubectl apply -k overlays/prod", True),
        ("kubectl apply --kustomize=./overlays/prod/", True),
        ("kustomize build --enable-helm ../overlays/prod | kubectl apply -f -", True),
        ("kustomize build $ROOT/overlays/${ENV}", True),
        ('kustomize build "$ROOT"/overlays/"$ENV" | oc apply -f -', True),
        ("\t$(KUSTOMIZE) build overlays/prod | kubectl apply -f -", True),
        ("kustomize build $DIR", False),
        ("kustomize build overlays/stage", False),
        ("kubectl apply -f overlays/prod", False),
    ],
)
def test_what_builds_an_overlay(tmp_path: Path, text: str, *, builds: bool) -> None:
    write_files(tmp_path, {"a.sh": f"{text}\n"})
    assert bool(Mentions(tmp_path).builder("overlays/prod")) is builds


@pytest.mark.parametrize(
    ("text", "plain", "given"),
    [
        ("helm upgrade --install shop charts/shop --namespace shop", True, False),
        ("helm install shop ./shop", True, False),
        ("helm upgrade --install shop \\\n  deploy/charts/shop/ \\\n  --wait", True, False),
        ("helm upgrade --install shop charts/shop \\\n  -f prod.yaml", False, True),
        ("`helm upgrade -i shop charts/shop/ -f charts/shop/secrets/values.yaml`", False, True),
        ("helm upgrade --install shop charts/shop --set-string host=a", False, False),
        ("helm upgrade --install shop charts/shop --values=prod.yaml", False, True),
        ("helm install shop charts/other --values x; ls charts/shop", False, False),
        ("helm install a charts/shop\nhelm install b charts/shop -f b.yaml", True, True),
        ("helm uninstall charts/shop", False, False),
    ],
)
def test_what_installs_a_chart_and_with_which_values(
    tmp_path: Path, text: str, *, plain: bool, given: bool
) -> None:
    write_files(tmp_path, {"a.sh": f"{text}\n"})
    assert tuple(map(bool, Mentions(tmp_path).installers("deploy/charts/shop"))) == (plain, given)


@pytest.mark.parametrize(
    ("missing", "there", "found"),
    [
        ("o/portz.yaml", "o/ports.yaml", True),
        ("o/ports.yml", "o/ports.yaml", True),
        ("o/app_v1_shop.yaml", "o/app_v1alpha1_shop.yaml", True),
        ("o/volume-1.yaml", "o/volume-2.yaml", False),
        ("o/ports.yaml", "o/route.yaml", False),
        ("o/ports.yaml", "o/listed.yaml", False),
        ("base/x", "o/base/x/all.yaml", False),
        ("x/base", "base/all.yaml", True),
        ("o/ports.yaml", "o/network/ports.yaml", True),
        ("o/ports.yaml", "o/a/b/ports.yaml", False),
        ("o/kustomization.yaml", "o/a/kustomization.yaml", False),
    ],
)
def test_what_was_meant(tmp_path: Path, missing: str, there: str, *, found: bool) -> None:
    kustomization = "x/o/kustomization.yaml" if missing.startswith("x/") else "o/kustomization.yaml"
    tree = write_files(
        tmp_path, {there: "a: b\n", kustomization: f"resources: [{missing}, listed.yaml, port.yaml]\n"}
    )
    assert bool(meant(missing, kustomization, tree)) is found


@pytest.mark.parametrize(
    "line",
    [
        "cp " * 160,
        "> " + "$a" * 240,
        "*/" * 240 + "ports.yaml",
        "kustomize build " + "-a " * 150,
        "helm install " + "a/prod " * 150,
        "helm install \\\n\\\n" + " " * 300,
    ],
)
def test_long_lines_take_little_time(tmp_path: Path, line: str) -> None:
    write_files(tmp_path, {"a.sh": f"{line}ports.yaml kustomize $\n" * 300})
    began = time.process_time()
    found = Mentions(tmp_path)
    found.maker(MADE)
    found.builder("overlays/prod")
    found.installers("overlays/prod")
    assert time.process_time() - began < 20
