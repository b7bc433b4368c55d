from __future__ import annotations

import pytest

from portproof.graph.answers import resolve
from portproof.graph.model import (
    ContainerPort,
    MatchBy,
    PortGraph,
    Relation,
    Role,
    Service,
    ServicePort,
    Workload,
)
from tests.support.rules import graph, read

POD_SPEC = "containers: [{name: web, image: example/web, ports: [{name: http, containerPort: 8080}]}]"


def service(
    selector: str = "{app: web}", ports: str = "[{port: 80, targetPort: http}]", extra: str = ""
) -> str:
    return f"""
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{selector: {selector}, ports: {ports}{extra}}}
---
"""


def workload(
    kind: str = "Deployment",
    api: str = "apps/v1",
    labels: str = "{app: web}",
    spec: str = POD_SPEC,
    meta: str = "",
) -> str:
    return f"""
apiVersion: {api}
kind: {kind}
metadata: {{name: web{meta}}}
spec:
  template:
    metadata: {{labels: {labels}}}
    spec: {{{spec}}}
---
"""


def selected(text: str) -> tuple[list[str], str]:
    built = graph(text)
    found = built.select(built.services[0])
    return [str(one.key) for one in found.workloads], found.unknown


def test_a_service_selects_by_template_labels() -> None:
    assert selected(service() + workload()) == (["Deployment/web"], "")


def test_own_labels_of_a_workload_do_not_count() -> None:
    names, unknown = selected(service() + workload(labels="{app: other}", meta=", labels: {app: web}"))
    assert names == []
    assert unknown == "no workload here has these labels"


def test_every_label_of_the_selector_has_to_match() -> None:
    assert selected(service("{app: web, tier: front}") + workload())[0] == []
    assert selected(service("{app: web}") + workload(labels="{app: web, tier: front}"))[0] == [
        "Deployment/web"
    ]


def test_labels_are_compared_as_text() -> None:
    assert selected(service("{app: 1, on: true}") + workload(labels='{app: "1", on: "true"}'))[0] == [
        "Deployment/web"
    ]


def test_only_pods_of_the_own_namespace() -> None:
    assert selected(service() + workload(meta=", namespace: shop"))[0] == []
    assert selected(service() + workload(meta=", namespace: default"))[0] == ["Deployment/web"]


@pytest.mark.parametrize("extra", [", type: ExternalName", ""])
def test_without_pods_of_its_own(extra: str) -> None:
    names, unknown = selected(service("{app: web}" if extra else "{}", extra=extra) + workload())
    assert names == []
    assert unknown


@pytest.mark.parametrize(
    "label",
    ["statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index", "pod-template-hash", "job-name"],
)
def test_labels_that_controllers_set_are_left_out(label: str) -> None:
    assert selected(service(f"{{app: web, {label}: x}}") + workload())[0] == ["Deployment/web"]
    names, unknown = selected(service(f"{{{label}: x}}") + workload())
    assert (names, unknown) == ([], "it selects by labels that controllers set at run time")


@pytest.mark.parametrize(
    ("kind", "api"),
    [
        ("Deployment", "apps/v1"),
        ("Deployment", "extensions/v1beta1"),
        ("StatefulSet", "apps/v1"),
        ("DaemonSet", "apps/v1"),
        ("ReplicaSet", "apps/v1"),
        ("ReplicationController", "v1"),
        ("Rollout", "argoproj.io/v1alpha1"),
        ("DeploymentConfig", "apps.openshift.io/v1"),
        ("DeploymentConfig", "v1"),
    ],
)
def test_kinds_that_serve(kind: str, api: str) -> None:
    assert selected(service() + workload(kind, api))[0] == [f"{kind}/web"]


def test_another_group_is_another_kind() -> None:
    built = graph(service() + workload("Deployment", "example.org/v1"))
    assert built.workloads == ()
    assert built.unknown_owners == ("Deployment/web",)


@pytest.mark.parametrize(
    ("kind", "api", "makes"),
    [
        ("ServiceMonitor", "monitoring.coreos.com/v1", False),
        ("Prometheus", "monitoring.coreos.com/v1", True),
        ("Certificate", "cert-manager.io/v1", False),
        ("ExternalSecret", "external-secrets.io/v1", False),
        ("SealedSecret", "bitnami.com/v1alpha1", False),
        ("IngressRoute", "traefik.io/v1alpha1", False),
        ("VirtualService", "networking.istio.io/v1", False),
        ("ScaledObject", "keda.sh/v1alpha1", False),
        ("ScaledJob", "keda.sh/v1alpha1", True),
        ("Application", "argoproj.io/v1alpha1", True),
        ("Kafka", "kafka.strimzi.io/v1beta2", True),
    ],
)
def test_custom_resources_that_pods_may_be_made_of(kind: str, api: str, *, makes: bool) -> None:
    built = graph(f"apiVersion: {api}\nkind: {kind}\nmetadata: {{name: web}}\n")
    assert built.unknown_owners == ((f"{kind}/web",) if makes else ())


def test_jobs_are_no_endpoints() -> None:
    names, unknown = selected(service() + workload("Job", "batch/v1"))
    assert (names, unknown) == ([], "only Job/web matches, whose pods end")


def test_labels_of_a_cron_job_stand_in_its_job_template() -> None:
    text = f"""
apiVersion: batch/v1
kind: CronJob
metadata: {{name: web}}
spec:
  jobTemplate:
    metadata: {{labels: {{app: other}}}}
    spec: {{template: {{metadata: {{labels: {{app: web}}}}, spec: {{{POD_SPEC}}}}}}}
"""
    assert selected(service() + text) == ([], "only CronJob/web matches, whose pods end")
    assert graph(text).workloads[0].containers[0].path[:4] == ("spec", "jobTemplate", "spec", "template")


@pytest.mark.parametrize("hook", ["helm.sh/hook", "argocd.argoproj.io/hook"])
def test_hooks_are_no_endpoints(hook: str) -> None:
    assert selected(service() + workload(meta=f", annotations: {{{hook}: test}}"))[0] == []


@pytest.mark.parametrize(("policy", "serves"), [("Always", True), ("Never", False), ("OnFailure", False)])
def test_pods_that_end_are_no_endpoints(policy: str, serves: bool) -> None:
    text = f"""
apiVersion: v1
kind: Pod
metadata: {{name: web, labels: {{app: web}}}}
spec: {{restartPolicy: {policy}, {POD_SPEC}}}
"""
    assert selected(service() + text)[0] == (["Pod/web"] if serves else [])


def test_objects_inside_a_list() -> None:
    text = f"""
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Service
    metadata: {{name: web}}
    spec: {{selector: {{app: web}}, ports: [{{port: 80}}]}}
  - apiVersion: apps/v1
    kind: Deployment
    metadata: {{name: web}}
    spec: {{template: {{metadata: {{labels: {{app: web}}}}, spec: {{{POD_SPEC}}}}}}}
"""
    assert selected(text)[0] == ["Deployment/web"]
    assert read(text).resources[1].inside == ("items", 1)


def test_two_variants_of_one_service_select_each_for_itself() -> None:
    built = graph(service("{app: one}") + service() + workload())
    assert [len(built.select(one).workloads) for one in built.services] == [0, 1]
    assert built.variants("default", "web") == built.services
    assert built.service("default", "web") is built.services[0]


def test_injected_ports_are_opaque() -> None:
    assert graph(workload(spec="containers: [{name: istio-proxy, image: auto}]")).workloads[0].opaque
    assert (
        graph(workload(spec='containers: [{name: web, ports: [{containerPort: "${PORT}"}]}]'))
        .workloads[0]
        .opaque
    )
    assert not graph(workload()).workloads[0].opaque


def test_native_sidecars_come_after_containers_and_init_containers_never() -> None:
    spec = """initContainers: [
      {name: setup, ports: [{name: setup, containerPort: 1}]},
      {name: proxy, restartPolicy: Always, ports: [{name: proxy, containerPort: 2}]}],
      containers: [{name: web, ports: [{name: http, containerPort: 3}]}]"""
    found = graph(workload(spec=spec)).workloads[0]
    assert [(one.container, one.value) for one in found.ports] == [("web", 3), ("proxy", 2)]
    assert {one.name: one.role for one in found.containers} == {
        "web": Role.REGULAR,
        "setup": Role.INIT,
        "proxy": Role.SIDECAR,
    }


@pytest.mark.parametrize("target", ["", ", targetPort: 0", ', targetPort: ""', ", targetPort: null"])
def test_an_absent_target_is_the_port(target: str) -> None:
    port = graph(service(ports=f"[{{port: 80{target}}}]")).services[0].ports[0]
    assert port.implicit
    assert port.target.value == 80
    assert port.target.path == ("spec", "ports", 0, "port")


def test_a_given_target_is_its_own_field() -> None:
    port = graph(service()).services[0].ports[0]
    assert not port.implicit
    assert (port.target.value, port.target.path) == ("http", ("spec", "ports", 0, "targetPort"))
    assert port.protocol == "TCP"
    assert port.protocol_site is None


def ingress(backend: str, api: str, field: str = "backend") -> PortGraph:
    return graph(f"apiVersion: {api}\nkind: Ingress\nmetadata: {{name: web}}\nspec: {{{field}: {backend}}}\n")


@pytest.mark.parametrize(
    ("backend", "port", "field"),
    [
        ("{service: {name: web, port: {number: 80}}}", 80, "number"),
        ("{service: {name: web, port: {name: http}}}", "http", "name"),
    ],
)
def test_backends_of_v1(backend: str, port: str | int, field: str) -> None:
    found = ingress(backend, "networking.k8s.io/v1", "defaultBackend").asking(Relation.INGRESS)[0]
    assert found.port is not None
    assert (found.whom.place, found.wanted) == (("default", "web"), port)
    assert found.port.path == ("spec", "defaultBackend", "service", "port", field)
    assert found.by.value == field


@pytest.mark.parametrize("api", ["networking.k8s.io/v1beta1", "extensions/v1beta1"])
def test_backends_of_v1beta1(api: str) -> None:
    found = ingress("{serviceName: web, servicePort: http}", api).asking(Relation.INGRESS)[0]
    assert found.port is not None
    assert (found.whom.place, found.wanted) == (("default", "web"), "http")
    assert found.port.path == ("spec", "backend", "servicePort")
    assert found.by is MatchBy.EITHER


def test_paths_of_rules() -> None:
    text = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules:
    - http: {paths: [{path: /, backend: {resource: {kind: Bucket, name: x}}}]}
    - host: only-a-host
    - http: {paths: [{path: /, backend: {service: {name: web, port: {number: 80}}}}]}
"""
    [found] = graph(text).asking(Relation.INGRESS)
    assert found.whom.site.path == ("spec", "rules", 2, "http", "paths", 0, "backend", "service", "name")


def test_a_name_and_a_number() -> None:
    backend = "{service: {name: web, port: {name: a, number: 80}}}"
    [found] = ingress(backend, "networking.k8s.io/v1").asking(Relation.INGRESS)
    assert (found.wanted, found.by) == ("a", MatchBy.NAME)


def test_numbers_that_a_pod_mentions() -> None:
    spec = """containers: [{name: web, args: ["--listen=:7001"], command: [serve, "7002"],
      env: [{name: PORT, value: "7003"}], envFrom: [{configMapRef: {name: settings}}]}]"""
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: 'listen 7004;'}\n"
    [found] = graph(workload(spec=spec) + config).workloads
    assert found.containers[0].mentions == {7001, 7002, 7003}
    assert found.config_numbers == {7004}


# The cases of kubernetes/endpointslice utils_test.go, TestFindPort: which number a named or numeric target gives.


def find(target: str, spec: str) -> int | None:
    built = graph(service(ports=f"[{{port: 80, {target}}}]") + workload(spec=spec))
    [port] = built.services[0].ports
    if isinstance(port.target.value, int):  # FindPort returns a number as it is
        return port.target.value
    found = resolve(port, built.workloads[0])
    return found.value if found else None


def containers(*ports: str, sidecars: tuple[str, ...] = (), inits: tuple[str, ...] = ()) -> str:
    regular = [f"{{name: c{index}, ports: [{text}]}}" for index, text in enumerate(ports)]
    other = [
        f"{{name: s{index}, restartPolicy: Always, ports: [{text}]}}" for index, text in enumerate(sidecars)
    ]
    other += [f"{{name: i{index}, ports: [{text}]}}" for index, text in enumerate(inits)]
    return f"containers: [{', '.join(regular)}], initContainers: [{', '.join(other)}]"


P = "{{name: {}, containerPort: {}, protocol: {}}}"


@pytest.mark.parametrize(
    ("claim", "target", "spec", "number"),
    [
        ("number without ports", "targetPort: 93", containers(""), 93),
        ("number with other ports", "targetPort: 93", containers(P.format("", 11, "TCP")), 93),
        ("name without ports", "targetPort: p", containers(""), None),
        ("name in the only container", "targetPort: p", containers(P.format("p", 11, "TCP")), 11),
        ("name is another", "targetPort: p", containers(P.format("q", 11, "TCP")), None),
        ("name in the second container", "targetPort: p", containers("", P.format("p", 11, "TCP")), 11),
        (
            "first of two containers",
            "targetPort: p",
            containers(P.format("p", 11, "TCP"), P.format("p", 22, "TCP")),
            11,
        ),
        ("wrong protocol", "targetPort: p", containers(P.format("p", 11, "UDP")), None),
        (
            "right protocol after the wrong one",
            "targetPort: p",
            containers(P.format("p", 11, "UDP"), P.format("p", 22, "TCP")),
            22,
        ),
        (
            "protocol of the service port",
            "targetPort: p, protocol: UDP",
            containers(P.format("p", 11, "TCP"), P.format("p", 22, "UDP")),
            22,
        ),
        ("only a native sidecar", "targetPort: p", containers("", sidecars=(P.format("p", 33, "TCP"),)), 33),
        (
            "containers before sidecars",
            "targetPort: p",
            containers(P.format("p", 11, "TCP"), sidecars=(P.format("p", 33, "TCP"),)),
            11,
        ),
        (
            "only a plain init container",
            "targetPort: p",
            containers("", inits=(P.format("p", 44, "TCP"),)),
            None,
        ),
    ],
)
def test_find_port(claim: str, target: str, spec: str, number: int | None) -> None:
    assert find(target, spec) == number, claim


def test_resolve_gives_the_declared_port_of_a_number() -> None:
    built = graph(service(ports="[{port: 80, targetPort: 8080}]") + workload())
    owner: Service = built.services[0]
    port: ServicePort = owner.ports[0]
    target: Workload = built.workloads[0]
    found: ContainerPort | None = resolve(port, target)
    assert found is target.ports[0]
