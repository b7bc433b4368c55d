"""Which targets a change only moved."""

from __future__ import annotations

from pathlib import Path

from portproof.discover.model import KustomizeTarget, ManifestTarget
from portproof.renames import renamed
from portproof.source import Tree


def tree(**files: str) -> Tree:
    return Tree(Path("/nowhere"), {path.replace("__", "/") + ".yaml": text for path, text in files.items()})


def manifests(folder: str, *names: str) -> ManifestTarget:
    return ManifestTarget(folder, tuple(f"{folder}/{name}.yaml" for name in names))


OLD = tree(k8s__a="one", k8s__b="two", k8s__c="three")
WAS = manifests("k8s", "a", "b", "c")


def test_a_target_with_most_of_the_files_of_one_that_is_gone_is_that_one() -> None:
    now = manifests("deploy", "a", "b", "c")
    found = renamed([now], tree(deploy__a="one", deploy__b="two", deploy__c="other"), [WAS], OLD)
    assert found[now.id].old == WAS
    assert found[now.id].files["deploy/c.yaml"] == "k8s/c.yaml"


def test_one_with_few_of_its_files_or_of_another_kind_is_new() -> None:
    here = tree(deploy__a="one", deploy__b="2", deploy__c="3")
    assert renamed([manifests("deploy", "a", "b", "c")], here, [WAS], OLD) == {}
    overlay = KustomizeTarget("deploy", tuple(f"deploy/{name}.yaml" for name in "abc"))
    same = tree(deploy__a="one", deploy__b="two", deploy__c="three")
    assert renamed([overlay], same, [WAS], OLD) == {}


def test_of_several_the_most_alike_is_taken_and_nobody_twice() -> None:
    other = manifests("old", "a", "b", "c")
    old = tree(k8s__a="one", k8s__b="two", k8s__c="three", old__a="one", old__b="two", old__c="3")
    here = tree(x__a="one", x__b="two", x__c="three", y__a="one", y__b="two", y__c="3")
    first, second = manifests("x", "a", "b", "c"), manifests("y", "a", "b", "c")
    found = renamed([first, second], here, [other, WAS], old)
    assert {id_: one.old for id_, one in found.items()} == {first.id: WAS, second.id: other}
