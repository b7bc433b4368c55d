"""What an earlier run has found is taken again only where this run would find the very same."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from portproof.config import Config
from portproof.discover.find import discover
from portproof.discover.kept import KeptTargets, speaking_of
from portproof.discover.model import Discovery
from portproof.discover.record import NotKeptError
from portproof.environment import mentioning, mentions
from portproof.flags import Flags
from portproof.session import Prepared, Request, prepare
from portproof.session.recalled import NOT_ASKED
from portproof.source import Tree
from tests.e2e.program import Program, Repository, environment
from tests.e2e.test_shop_mutations import MUTATIONS, Mutation

MakeRepository = Callable[[str], Repository]

SECONDS = re.compile(r'"seconds": [0-9.e-]+')

APPLICATION = """apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: payments}
spec:
  source:
    repoURL: https://example.org/shop.git
    path: charts/payments
    helm: {valuesObject: {port: 8443}}
"""
USER = """apiVersion: v2
name: user
version: 1.0.0
dependencies:
  - {name: lib, version: 1.x.x, repository: "https://example.org"}
  - {name: other, version: 1.x.x, repository: "https://example.org"}
"""
CHART = "apiVersion: v2\nname: new\nversion: 1.0.0\n"
OBJECT = "apiVersion: v1\nkind: Service\nmetadata: {name: new}\nspec: {ports: [{port: 80}]}\n"


@pytest.fixture(autouse=True)
def _few_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("portproof.session.looking.MIN_KEPT", 1)
    monkeypatch.setenv("PORTPROOF_RENDER_CACHE", str(tmp_path / "cache"))


@dataclass(frozen=True)
class Said:
    """What a run says there is, in words that hold all of it."""

    targets: str
    found: Mapping[str, str]
    ignored: frozenset[str]

    @classmethod
    def by(cls, ready: Prepared) -> Said:
        found = ready.discovery
        said = {one.name: getattr(found, one.name) for one in fields(Discovery) if one.name != "learnt"}
        said |= {"targets": tuple(found.targets), "everything": tuple(found.everything)}
        said["bases"] = sorted(found.bases.items())
        return cls(
            repr(ready.targets), {name: repr(what) for name, what in said.items()}, ready.config.ignored
        )


def looked(*, base: str | None = "HEAD", no_cache: bool = False) -> Prepared:
    return prepare(Request(flags=Flags(base=base, no_cache=no_cache)))


def is_recalled(ready: Prepared) -> bool:
    return isinstance(ready.discovery.everything, KeptTargets)


@pytest.fixture
def shop(make_repository: MakeRepository) -> Repository:
    """The shop with links, ignored files and a description, after a run that has kept what there is."""
    repository = make_repository("shop")
    repository.write(
        {
            ".gitignore": "values-local.yaml\n*.log\n",
            "charts/payments/values-local.yaml": "replicas: 2\n",
            "charts/payments/run.log": "started\n",
            "apps/other.yaml": APPLICATION.replace("valuesObject: {port: 8443}", "valueFiles: [values.yaml]"),
            "linked/real-values.yaml": "replicas: 3\n",
            "plain/new.yaml": OBJECT,
            "images/kustomization.yaml": "resources: [all.yaml]\nimages:\n  - name: web\n    newTag: v1\n",
            "images/all.yaml": OBJECT,
            "lib/Chart.yaml": "apiVersion: v2\nname: lib\nversion: 1.0.0\ntype: library\n",
            "charts/user/Chart.yaml": USER,
            "charts/user/templates/all.yaml": OBJECT,
        }
    )
    (repository.root / "charts/payments/values-linked.yaml").symlink_to("../../linked/real-values.yaml")
    repository.commit()
    assert not is_recalled(looked())
    assert is_recalled(looked())
    return repository


def edit(path: str, old: str, new: str) -> Callable[[Repository], None]:
    return lambda repository: repository.replace(path, old, new)


def write(files: Mapping[str, str]) -> Callable[[Repository], None]:
    return lambda repository: repository.write(files)


def move(old: str, new: str) -> Callable[[Repository], None]:
    def moved(repository: Repository) -> None:
        (repository.root / old).rename(repository.root / new)

    return moved


def remove(path: str) -> Callable[[Repository], None]:
    return lambda repository: shutil.rmtree(repository.root / path)


def submodule(repository: Repository) -> None:
    other = Repository(repository.root.parent / "other")
    other.root.mkdir()
    other.write({"Chart.yaml": CHART})
    other.commit()
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other.root), "sub")


def own_repository(repository: Repository) -> None:
    repository.write({"nested/Chart.yaml": CHART})
    Repository(repository.root / "nested").commit()


def around_a_chart(repository: Repository) -> None:
    repository.write({"charts/payments/.git/config": ""})
    repository.replace("charts/payments/values.yaml", "containerPort: 9080", "containerPort: 9081")


def assume_unchanged(repository: Repository) -> None:
    repository.git("update-index", "--assume-unchanged", "charts/payments/Chart.yaml")
    repository.replace("charts/payments/Chart.yaml", "name: payments", "name: payouts")


def leave_away(repository: Repository) -> None:
    repository.git("sparse-checkout", "set", "--no-cone", "/*", "!/charts/payments/")


def relink(repository: Repository) -> None:
    link = repository.root / "charts/payments/values-linked.yaml"
    link.unlink()
    link.symlink_to("/etc/hostname")


NEUTRAL: Mapping[str, Callable[[Repository], None]] = {
    "a value": edit("charts/shop/values-prod.yaml", "targetPort: 8843", "targetPort: 8844"),
    "a template": edit("charts/shop/templates/worker.yaml", "6060 # pprof", "6061 # pprof"),
    "a library's template": edit("charts/common/templates/_ports.tpl", "protocol: TCP", "protocol: UDP"),
    "a manifest": edit("plain/new.yaml", "port: 80", "port: 81"),
    "a patch": edit("k8s/overlays/prod/patches/scale.yaml", "replicas: 12", "replicas: 14"),
    "a base's manifest": edit("k8s/base/redis/redis.yaml", "containerPort: 6379", "containerPort: 6380"),
    "a chart's version": edit("charts/payments/Chart.yaml", "\nversion: ", "\nversion: 1"),
    "an image's tag": edit("images/kustomization.yaml", "newTag: v1", "newTag: v2"),
    "what is no YAML": write({"README.md": "# The shop\n"}),
    "behind a link": write({"linked/real-values.yaml": "replicas: 4\n"}),
}
CHANGES: Mapping[str, Callable[[Repository], None]] = {
    "a new chart": write({"charts/new/Chart.yaml": CHART, "charts/new/values.yaml": "port: 80\n"}),
    "a chart is gone": remove("charts/payments"),
    "a chart moves": move("charts/payments", "charts/payouts"),
    "a chart moves into another": move("charts/payments", "charts/shop/charts/payments"),
    "a values file moves": move("charts/shop/values-prod.yaml", "charts/shop/values-live.yaml"),
    "a new values file": write({"charts/payments/values-prod.yaml": "replicas: 3\n"}),
    "a chart's name": edit("charts/payments/Chart.yaml", "name: payments", "name: payouts"),
    "a library's version": edit("lib/Chart.yaml", "version: 1", "version: 2"),
    "a dependency's place": edit("charts/user/Chart.yaml", "dependencies:", "# needed\ndependencies:"),
    "an image's name": edit("images/kustomization.yaml", "newTag: v1", "newTag: {}"),
    "a chart becomes a library": edit(
        "charts/payments/Chart.yaml", "name: payments", "name: payments\ntype: library"
    ),
    "values are encrypted": write({"charts/shop/values-prod.yaml": "sops: {}\n"}),
    "values hold an object": write({"charts/shop/ci/minimal-values.yaml": OBJECT}),
    "an overlay's base": edit("k8s/overlays/prod/kustomization.yaml", "../../base", "../../base/api"),
    "an overlay is gone": remove("k8s/overlays/prod"),
    "a base lists less": write({"k8s/base/kustomization.yaml": "resources: [api/service.yaml]\n"}),
    "what git ignores": write({".gitignore": "values-prod.yaml\n"}),
    "an ignored file": write({"charts/payments/values-local.yaml": "apiVersion: v1\nkind: Service\n"}),
    "a new ignored file": write({"charts/shop/values-local.yaml": "replicas: 2\n"}),
    "the configuration leaves out": write({"portproof.yaml": "exclude: [charts/payments/**]\n"}),
    "the configuration adds": write(
        {"portproof.yaml": "charts: [{path: charts/payments, release: money}]\n"}
    ),
    "a description elsewhere": write({"apps/payments.yaml": APPLICATION}),
    "a description's values": write({"apps/other.yaml": APPLICATION}),
    "a link": relink,
    "a manifest loses its ports": write({"deploy/legacy/shipping.yaml": "apiVersion: v1\nkind: Namespace\n"}),
    "a manifest for another tool": write({"deploy/legacy/backoffice.yaml": f"#@ load('ytt')\n{OBJECT}"}),
    "an empty folder": lambda repository: (repository.root / "charts/empty").mkdir(),
    "a repository in this one": own_repository,
    "a repository around a chart's files": around_a_chart,
    "a submodule": submodule,
    "what git takes for unchanged": assume_unchanged,
    "what git leaves away": leave_away,
    "a binary file": lambda repository: repository.write({"charts/shop/values-prod.yaml": b"\0\1"}),
}


@pytest.mark.parametrize("name", NEUTRAL)
def test_an_edit_that_makes_no_difference_to_what_there_is_takes_it_from_the_last_run(
    name: str, shop: Repository
) -> None:
    NEUTRAL[name](shop)
    known = looked()
    assert is_recalled(known)
    assert Said.by(known) == Said.by(looked(no_cache=True))


@pytest.mark.parametrize("is_commit", [False, True], ids=["work tree", "commit"])
@pytest.mark.parametrize("name", CHANGES)
def test_what_a_change_makes_of_the_targets_is_what_looking_finds(
    name: str, shop: Repository, is_commit: bool
) -> None:
    CHANGES[name](shop)
    if is_commit:
        shop.git("add", "--all")
        shop.git("commit", "--quiet", "--allow-empty", "--message", "changed")
    base = "HEAD~1" if is_commit else "HEAD"
    for _ in range(2):  # the second time, what the first has found is kept
        assert Said.by(looked(base=base)) == Said.by(looked(base=base, no_cache=True))


def test_with_a_wrong_line_the_targets_are_those_that_looking_finds(shop: Repository) -> None:
    taken = 0
    for mutation in MUTATIONS:
        mutation.apply(shop)
        known = looked()
        assert Said.by(known) == Said.by(looked(no_cache=True)), str(mutation)
        taken += is_recalled(known)
        shop.git("checkout", "--quiet", "--", ".")
    assert taken > len(MUTATIONS) / 2


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS[::8], ids=str)
def test_the_report_is_the_same_byte_for_byte(mutation: Mutation, shop: Repository, tmp_path: Path) -> None:
    mutation.apply(shop)
    program = Program(environment() | {"PORTPROOF_RENDER_CACHE": str(tmp_path / "cache")})
    asked = ("check", "--format", "json", "--base", "HEAD")
    taken, found = program(*asked), program(*asked, "--no-cache")
    assert is_recalled(looked())
    assert taken.code == found.code == 1
    assert SECONDS.sub("", taken.stdout) == SECONDS.sub("", found.stdout)


def test_a_plain_check_keeps_what_a_later_change_takes(make_repository: MakeRepository) -> None:
    shop = make_repository("shop")
    looked(base=None)
    shop.replace("charts/shop/values.yaml", "    targetPort: 8443", "    targetPort: 8444")
    shop.commit()
    assert is_recalled(looked(base="HEAD"))
    shop.replace("charts/shop/values.yaml", "    targetPort: 8444", "    targetPort: 8445")
    assert is_recalled(looked(base="HEAD"))
    assert is_recalled(looked(base="HEAD~1"))


@pytest.mark.parametrize(
    "names",
    [{"redis"}, {"web", "mailer"}, {"shop-web"}, {"payments"}, {"new"}, {"nobody"}, set()],
    ids=sorted,
)
def test_who_mentions_a_name_is_known_as_if_all_files_were_read(names: set[str], shop: Repository) -> None:
    shop.replace("charts/shop/templates/worker.yaml", "6060 # pprof", "6061 # pprof")
    shop.write({"linked/real-values.yaml": "replicas: nobody\n"})
    ready = looked()
    every = ready.discovery.everything
    assert is_recalled(ready)
    told = {one.id for one in mentioning(every, ready.tree, names)}
    assert told == {one.id for one in tuple(every) if mentions(one, ready.tree, names)}
    assert names in (set(), {"nobody"}) or 0 < len(speaking_of(every, names)) < len(every)


@pytest.mark.usefixtures("shop")
def test_a_list_that_was_forged_leads_nowhere(tmp_path: Path) -> None:
    for file in (tmp_path / "cache").glob("*/*"):
        _, _, body = file.read_text().partition("\n")
        forged = body.replace("charts/payments", "../../payments")
        file.write_text(f"{hashlib.sha256(forged.encode()).hexdigest()}\n{forged}")
    with pytest.raises(NotKeptError):
        tuple(looked().discovery.everything)


def test_discovery_asks_nothing_of_a_configuration_that_does_not_count(shop: Repository) -> None:
    asked: set[str] = set()

    class Listening(Config):
        def __getattribute__(self, name: str) -> object:
            asked.add(name)
            return super().__getattribute__(name)

    discover(Tree(shop.root), (".",), Listening())
    known = {one.name for one in fields(Config)}
    assert {"exclude", "charts", "ignored"} <= asked & known
    assert not asked & NOT_ASKED
    assert known > NOT_ASKED
