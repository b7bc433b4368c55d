"""What controllers make of a workload is not read as workloads of their own."""

from __future__ import annotations

from typing import Any

from portproof.live import Item, origin, settled


def workload(kind: str, name: str, owner: tuple[str, str] | None = None, **more: Any) -> Item:
    metadata: dict[str, Any] = {"name": name}
    if owner is not None:
        metadata["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "controller": True}]
    metadata |= more.pop("metadata", {})
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web"}]}}
    spec = {"containers": [{"name": "web"}]} if kind == "Pod" else {"template": template}
    return Item(
        kind,
        "shop",
        name,
        {"kind": kind, "metadata": metadata, "spec": {**spec, **more.pop("spec", {})}, **more},
    )


def kept(*items: Item) -> list[str]:
    return [
        f"{one.kind}/{one.name}" for one, data in zip(items, settled(items), strict=True) if data is not None
    ]


def test_a_deployment_stands_for_its_replica_sets_and_pods() -> None:
    assert kept(
        workload("Pod", "web-a-1", ("ReplicaSet", "web-a")),
        workload("ReplicaSet", "web-a", ("Deployment", "web")),
        workload("ReplicaSet", "web-b", ("Deployment", "web"), spec={"replicas": 0}),
        workload("Deployment", "web"),
    ) == ["Deployment/web"]


def test_without_its_replica_set_a_pod_is_known_by_its_hash() -> None:
    labels = {"labels": {"pod-template-hash": "7d9f"}}
    pod = workload("Pod", "web-7d9f-1", ("ReplicaSet", "web-7d9f"), metadata=labels)
    assert kept(workload("Deployment", "web"), pod) == ["Deployment/web"]
    assert kept(workload("Deployment", "other"), pod) == ["Deployment/other", "Pod/web-7d9f-1"]


def test_a_job_stands_for_its_pods_and_a_cron_job_for_its_jobs() -> None:
    assert kept(
        workload("CronJob", "tidy"),
        workload("Job", "tidy-1", ("CronJob", "tidy")),
        workload("Pod", "tidy-1-x", ("Job", "tidy-1")),
        workload("Job", "once"),
        workload("Pod", "once-x", ("Job", "once")),
    ) == ["CronJob/tidy", "Job/once"]


def test_of_pods_whose_maker_is_not_there_the_newest_is_read() -> None:
    pods = [
        workload(
            "Pod",
            f"web-{day}",
            ("StatefulSet", "web"),
            metadata={"creationTimestamp": f"2026-05-0{day}T10:00:00Z"},
        )
        for day in (1, 3, 2)
    ]
    assert kept(*pods) == ["Pod/web-3"]
    assert kept(*pods, workload("Pod", "db-0", ("StatefulSet", "db"))) == ["Pod/web-3", "Pod/db-0"]


def test_what_has_ended_or_was_replaced_never_answers() -> None:
    assert kept(
        workload("Pod", "done", status={"phase": "Succeeded"}),
        workload("Pod", "evicted", ("ReplicaSet", "gone"), status={"phase": "Failed"}),
        workload(
            "Pod",
            "going",
            status={"phase": "Running"},
            metadata={"deletionTimestamp": "2026-05-01T10:00:00Z"},
        ),
        workload("ReplicaSet", "old", ("Deployment", "not-there"), spec={"replicas": 0}),
        workload("Pod", "up", status={"phase": "Running"}),
    ) == ["Pod/up"]


def test_other_owners_are_nobody_who_stands_for_it() -> None:
    """An operator's workloads are its own, and a Deployment of nobody's is one."""
    cluster = Item(
        "Pod",
        "shop",
        "p",
        {"metadata": {"ownerReferences": [{"kind": "Node", "name": "a", "controller": True}]}, "status": {}},
    )
    owned = workload("StatefulSet", "db", ("Cluster", "db"))
    adopted = Item(
        "Pod", "shop", "q", {"metadata": {"ownerReferences": [{"kind": "ReplicaSet", "name": "a"}, "x", 7]}}
    )
    assert kept(cluster, owned, adopted, workload("ReplicaSet", "a")) == [
        "Pod/p",
        "StatefulSet/db",
        "Pod/q",
        "ReplicaSet/a",
    ]


def test_a_workload_that_an_operator_made_stands_for_its_pods() -> None:
    made = workload("StatefulSet", "db", ("Cluster", "db"))
    pod = workload("Pod", "db-0", ("StatefulSet", "db"), status={"phase": "Running"})
    assert kept(made, pod) == ["StatefulSet/db"]


def test_the_same_name_in_another_namespace_is_somebody_else() -> None:
    here = workload("Pod", "web-a-1", ("ReplicaSet", "web-a"))
    there = Item("ReplicaSet", "other", "web-a", workload("ReplicaSet", "web-a").data)
    assert kept(here, there) == ["Pod/web-a-1", "ReplicaSet/web-a"]


def test_a_workload_has_the_labels_and_containers_that_its_newest_pod_has() -> None:
    older, newer = (
        workload(
            "Pod", f"web-{day}", ("StatefulSet", "web"),
            metadata={"creationTimestamp": f"2026-05-0{day}T10:00:00Z", "labels": {"app": "not read", "mesh": str(day)}},
            spec={"containers": [{"name": "web", "image": "not read"}, {"name": f"sidecar-{day}"}],
                  "initContainers": [{"name": f"init-{day}"}]},
        )
        for day in (1, 2)
    )  # fmt: skip
    read, *_ = settled([workload("StatefulSet", "web"), newer, older])
    assert read is not None
    template = read["spec"]["template"]
    assert template["metadata"]["labels"] == {"app": "web", "mesh": "2"}
    assert template["spec"]["containers"] == [{"name": "web"}, {"name": "sidecar-2"}]
    assert template["spec"]["initContainers"] == [{"name": "init-2"}]


def test_manifests_without_any_of_it_stay_as_they_are() -> None:
    items = [workload("Deployment", "web"), workload("Pod", "one")]
    assert [one is item.data for one, item in zip(settled(items), items, strict=True)] == [True, True]


def test_odd_shapes_are_no_owners() -> None:
    for owners in (None, "x", [None], [{"controller": True}], [{"controller": True, "kind": [], "name": {}}]):
        one = Item(
            "Pod",
            "shop",
            "p",
            {"metadata": {"ownerReferences": owners}, "spec": None, "status": {"phase": "Running"}},
        )
        assert kept(one) == ["Pod/p"]
    loop = [
        workload("ReplicaSet", "a", ("Deployment", "a")),
        Item("Pod", "shop", "b", {"metadata": "x", "status": []}),
    ]
    assert kept(*loop) == ["ReplicaSet/a", "Pod/b"]


def test_where_an_object_is_from() -> None:
    def said(text: str = "", **metadata: Any) -> str:
        return origin({"metadata": metadata}, text)

    helm = {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "prod"}
    assert said(annotations=helm) == "the Helm release shop in namespace prod"
    assert said(annotations={**helm, "argocd.argoproj.io/tracking-id": "cart:apps/Deployment:prod/cart"}) == (
        "the Argo CD Application cart"
    )
    flux = {
        "kustomize.toolkit.fluxcd.io/name": "apps",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    }
    assert said(labels=flux) == "the Flux Kustomization flux-system/apps"
    assert (
        said("---\n# Source: shop/templates/service.yaml\nkind: Service\n")
        == "the template shop/templates/service.yaml"
    )
    assert said("kind: Service\n") == ""
