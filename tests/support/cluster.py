"""What ``kubectl get all,ingress,networkpolicy -A -o yaml`` prints of a cluster in which some manifests are applied.

Made of rendered objects by hand: what the API server fills in (defaults, addresses, status, managed fields), what the
controllers make (ReplicaSets with an old one among them, pods, Jobs, Endpoints, EndpointSlices), and what is there anyway
(the Service ``kubernetes``, DNS, the proxy on each node, the static pods of the control plane).
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

Object = dict[str, Any]
NODES = ("node-a", "node-b")
CREATED = "2026-05-01T10:00:00Z"
_ORDER = (
    "Pod",
    "Service",
    "DaemonSet",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "CronJob",
    "Job",
    "Ingress",
)
_SIDECAR = {
    "name": "istio-proxy",
    "image": "docker.io/istio/proxyv2:1.24.0",
    "args": ["proxy", "sidecar", "--concurrency", "2"],
    "ports": [
        {"containerPort": 15090, "name": "http-envoy-prom", "protocol": "TCP"},
        {"containerPort": 15020, "name": "merged-stats", "protocol": "TCP"},
    ],
    "readinessProbe": {"httpGet": {"path": "/healthz/ready", "port": 15021, "scheme": "HTTP"}},
}


def printed(objects: Iterable[Object], *, output: str = "yaml") -> str:
    """All of it as kubectl prints it: one List, keys sorted, list items at the column of their key."""
    ordered = sorted(
        objects, key=lambda one: _ORDER.index(one["kind"]) if one["kind"] in _ORDER else len(_ORDER)
    )
    whole = {"apiVersion": "v1", "items": ordered, "kind": "List", "metadata": {"resourceVersion": ""}}
    if output == "json":
        return json.dumps(whole, indent=4) + "\n"
    whole = json.loads(json.dumps(whole))  # without anchors for what is there twice
    return yaml.safe_dump(whole, default_flow_style=False, sort_keys=True, width=1_000_000)


def running(
    manifests: Sequence[Object], *, namespace: str, release: str = "", sidecar: bool = False
) -> list[Object]:
    """What a cluster holds once these manifests are applied in `namespace`."""
    found: list[Object] = []
    for number, one in enumerate(copy.deepcopy([*manifests])):
        _stored(one, number, namespace, release)
        found.append(one)
        found += _made_of(one, sidecar)
    services = [one for one in found if one["kind"] == "Service"]
    pods = [one for one in found if one["kind"] == "Pod"]
    return [*found, *(made for service in services for made in _endpoints(service, pods))]


def control_plane() -> list[Object]:
    """What every cluster has."""
    labels = {"k8s-app": "kube-dns"}
    dns = _workload("Deployment", "coredns", labels, [
        {"name": "coredns", "image": "registry.k8s.io/coredns/coredns:v1.12.0", "args": ["-conf", "/etc/coredns/Corefile"],
         "ports": [{"containerPort": 53, "name": "dns", "protocol": "UDP"}, {"containerPort": 53, "name": "dns-tcp", "protocol": "TCP"},
                   {"containerPort": 9153, "name": "metrics", "protocol": "TCP"}],
         "livenessProbe": {"httpGet": {"path": "/health", "port": 8080, "scheme": "HTTP"}},
         "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181, "scheme": "HTTP"}}}])  # fmt: skip
    proxy = _workload("DaemonSet", "kube-proxy", {"k8s-app": "kube-proxy"}, [
        {"name": "kube-proxy", "image": "registry.k8s.io/kube-proxy:v1.34.0"}])  # fmt: skip
    proxy["spec"]["template"]["spec"]["hostNetwork"] = True
    names = ["dns", "dns-tcp", "metrics"]
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube-dns", "labels": labels},
        "spec": {"selector": labels, "ports": [
            {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53}, {"name": "dns-tcp", "port": 53, "targetPort": 53},
            {"name": "metrics", "port": 9153, "targetPort": 9153}]},
    }  # fmt: skip
    assert [one["name"] for one in service["spec"]["ports"]] == names  # type: ignore[index]
    api = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kubernetes"},
           "spec": {"ports": [{"name": "https", "port": 443, "targetPort": 6443}]}}  # fmt: skip
    static = [pod for node in NODES for pod in _static(node)]
    return [
        *running([dns, proxy, service], namespace="kube-system"),
        *running([api], namespace="default"),
        *static,
    ]


def _static(node: str) -> Iterator[Object]:
    """The mirror pods of what the kubelet runs by itself, on the network of the node."""
    for name, port in (("kube-apiserver", 6443), ("etcd", 2381), ("kube-scheduler", 10259)):
        spec = {
            "hostNetwork": True, "nodeName": node, "restartPolicy": "Always",
            "containers": [{"name": name, "image": f"registry.k8s.io/{name}:v1.34.0",
                            "ports": [{"containerPort": port, "hostPort": port, "protocol": "TCP", "name": "probe-port"}],
                            "livenessProbe": {"httpGet": {"host": "127.0.0.1", "path": "/livez", "port": "probe-port", "scheme": "HTTPS"}}}],
        }  # fmt: skip
        owner = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": "n", "controller": True}
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"{name}-{node}", "namespace": "kube-system", "labels": {"component": name, "tier": "control-plane"},
                         "ownerReferences": [owner], "creationTimestamp": CREATED},
            "spec": spec,
            "status": {"phase": "Running", "podIP": "10.0.0.1"},
        }  # fmt: skip


def _workload(kind: str, name: str, labels: Mapping[str, str], containers: list[Object]) -> Object:
    template = {"metadata": {"labels": dict(labels)}, "spec": {"containers": containers}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name},
            "spec": {"selector": {"matchLabels": dict(labels)}, "template": template}}  # fmt: skip


def _stored(one: Object, number: int, namespace: str, release: str) -> None:
    """An object as the API server has it: with defaults, status and managed fields."""
    metadata = one["metadata"]
    metadata |= {"uid": f"00000000-0000-0000-0000-{number:012d}", "resourceVersion": str(1_000 + number),
                 "creationTimestamp": CREATED, "generation": 1}  # fmt: skip
    metadata.setdefault("namespace", namespace)
    if release:
        annotations = {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace}
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **annotations}
    metadata["managedFields"] = [
        {"manager": "helm", "operation": "Apply", "apiVersion": one["apiVersion"], "fieldsType": "FieldsV1",
         "fieldsV1": {"f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:targetPort": {}}}}}}
    ]  # fmt: skip
    match one["kind"]:
        case "Service":
            _default_service(one, number)
        case "Ingress":
            one["status"] = {
                "loadBalancer": {
                    "ingress": [{"ip": "203.0.113.7", "ports": [{"port": 80, "protocol": "TCP"}]}]
                }
            }
        case "Deployment" | "StatefulSet" | "DaemonSet":
            one["spec"].setdefault("replicas", 1)
            one["status"] = {
                "observedGeneration": 1,
                "readyReplicas": 1,
                "conditions": [{"type": "Available", "status": "True"}],
            }
            _default_template(one["spec"]["template"])
        case "CronJob":
            _default_template(one["spec"]["jobTemplate"]["spec"]["template"])
        case "Job":
            _default_template(one["spec"]["template"])
        case _:
            pass


def _default_service(one: Object, number: int) -> None:
    spec = one["spec"]
    kind = spec.setdefault("type", "ClusterIP")
    for index, port in enumerate(spec.get("ports") or ()):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port["port"])
        if kind in ("NodePort", "LoadBalancer"):
            port.setdefault("nodePort", 30_000 + 10 * number + index)
    spec |= {"sessionAffinity": "None", "internalTrafficPolicy": "Cluster"}
    if kind != "ExternalName":
        spec.setdefault("clusterIP", f"10.96.0.{number + 1}")
        spec |= {"clusterIPs": [spec["clusterIP"]], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}
    one["status"] = {"loadBalancer": {}}


def _default_template(template: Object) -> None:
    template.setdefault("metadata", {})["creationTimestamp"] = None
    spec = template["spec"]
    spec |= {"dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "terminationGracePeriodSeconds": 30,
             "restartPolicy": spec.get("restartPolicy", "Always")}  # fmt: skip
    for container in [*spec.get("containers", []), *spec.get("initContainers", [])]:
        container |= {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
        for port in container.get("ports", []):
            port.setdefault("protocol", "TCP")
            if spec.get("hostNetwork"):
                port.setdefault("hostPort", port["containerPort"])
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            if probe in container:
                container[probe] |= {
                    "failureThreshold": 3,
                    "periodSeconds": 10,
                    "successThreshold": 1,
                    "timeoutSeconds": 1,
                }
                if "httpGet" in container[probe]:
                    container[probe]["httpGet"].setdefault("scheme", "HTTP")


def _made_of(one: Object, sidecar: bool) -> Iterator[Object]:
    """The objects that controllers make of a workload."""
    match one["kind"]:
        case "Deployment":
            yield from _replica_sets(one, sidecar)
        case "StatefulSet":
            for index in range(2):
                name = f"{one['metadata']['name']}-{index}"
                added = {"statefulset.kubernetes.io/pod-name": name, "apps.kubernetes.io/pod-index": str(index),
                         "controller-revision-hash": f"{one['metadata']['name']}-5d4f"}  # fmt: skip
                yield _pod(one, one["spec"]["template"], name, added, sidecar)
        case "DaemonSet":
            for node in NODES:
                added = {"controller-revision-hash": "7f6c", "pod-template-generation": "1"}
                yield _pod(
                    one, one["spec"]["template"], f"{one['metadata']['name']}-{node[-1]}xk2f", added, sidecar
                )
        case "CronJob":
            job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": _child(one, f"{one['metadata']['name']}-29000000"),
                   "spec": copy.deepcopy(one["spec"]["jobTemplate"]["spec"]), "status": {"succeeded": 1}}  # fmt: skip
            yield job
            yield from _ended(job)
        case "Job":
            yield from _ended(one)
        case _:
            pass


def _replica_sets(one: Object, sidecar: bool) -> Iterator[Object]:
    """The current one with its pods, and the one before, whose containers had other ports."""
    for revision, age in enumerate(("old", "new"), 1):
        name = one["metadata"]["name"]
        suffix = hashlib.sha256(f"{name}{age}".encode()).hexdigest()[:9]
        template = copy.deepcopy(one["spec"]["template"])
        labels = template["metadata"].setdefault("labels", {})
        labels["pod-template-hash"] = suffix
        for container in template["spec"]["containers"] if age == "old" else ():
            container.pop("readinessProbe", None)
            for port in container.get("ports", []):
                port["containerPort"] += 1_000
        replicas = one["spec"]["replicas"] if age == "new" else 0
        owned = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": _child(one, f"{name}-{suffix}")
            | {"labels": dict(labels), "annotations": {"deployment.kubernetes.io/revision": str(revision)}},
            "spec": {"replicas": replicas, "selector": {"matchLabels": dict(labels)}, "template": template},
            "status": {"replicas": replicas},
        }
        yield owned
        for number in range(replicas):
            yield _pod(owned, template, f"{name}-{suffix}-x{number}", {}, sidecar)


def _pod(owner: Object, template: Object, name: str, labels: Mapping[str, str], sidecar: bool) -> Object:
    spec = copy.deepcopy(template["spec"])
    spec |= {"nodeName": NODES[0], "serviceAccountName": spec.get("serviceAccountName", "default"),
             "tolerations": [{"effect": "NoExecute", "key": "node.kubernetes.io/not-ready", "operator": "Exists", "tolerationSeconds": 300}],
             "volumes": [*spec.get("volumes", []), {"name": "kube-api-access-x", "projected": {"sources": []}}]}  # fmt: skip
    if sidecar and "15090" not in json.dumps(spec):
        spec["containers"].append(copy.deepcopy(_SIDECAR))
        labels = {**labels, "security.istio.io/tlsMode": "istio"}
    metadata = _child(owner, name)
    metadata["labels"] = {**(template["metadata"].get("labels") or {}), **labels}
    if template["metadata"].get("annotations"):
        metadata["annotations"] = dict(template["metadata"]["annotations"])
    status = {"phase": "Running", "hostIP": "10.0.0.1", "podIP": "10.244.0.9", "qosClass": "Burstable",
              "containerStatuses": [{"name": one["name"], "ready": True, "restartCount": 0} for one in spec["containers"]]}  # fmt: skip
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def _ended(job: Object) -> Iterator[Object]:
    pod = _pod(job, job["spec"]["template"] | {"metadata": job["spec"]["template"].get("metadata", {})},
               f"{job['metadata']['name']}-zz9", {"job-name": job["metadata"]["name"]}, sidecar=False)  # fmt: skip
    pod["status"]["phase"] = "Succeeded"
    yield pod


def _child(owner: Object, name: str) -> Object:
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
                 "uid": owner["metadata"].get("uid", "u"), "controller": True, "blockOwnerDeletion": True}  # fmt: skip
    return {
        "name": name,
        "namespace": owner["metadata"]["namespace"],
        "creationTimestamp": CREATED,
        "ownerReferences": [reference],
    }


def _endpoints(service: Object, pods: Sequence[Object]) -> Iterator[Object]:
    """What the controllers of endpoints make of a Service, whatever its ports lead to."""
    spec, metadata = service["spec"], service["metadata"]
    selector = spec.get("selector") or {}
    ready = [pod for pod in pods if selector and pod["metadata"]["namespace"] == metadata["namespace"]
             and selector.items() <= pod["metadata"]["labels"].items() and pod["status"]["phase"] == "Running"]  # fmt: skip
    ports = [
        {"name": port.get("name"), "port": 8080, "protocol": port["protocol"]}
        for port in spec.get("ports") or ()
    ]
    addresses = [
        {"ip": "10.244.0.9", "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"]}} for pod in ready
    ]
    names = {"name": metadata["name"], "namespace": metadata["namespace"], "creationTimestamp": CREATED}
    yield {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": names,
        "subsets": [{"addresses": addresses, "ports": ports}],
    }
    yield {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
           "metadata": _child(service, f"{metadata['name']}-abc12") | {"labels": {"kubernetes.io/service-name": metadata["name"]}},
           "endpoints": [{"addresses": ["10.244.0.9"], "conditions": {"ready": True}} for _ in ready], "ports": ports}  # fmt: skip
