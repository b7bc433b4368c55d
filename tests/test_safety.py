"""Who relies on what a fix moves: each kind of danger, and what is beside it and safe. YAML text, without a renderer."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from portproof import resources, yamldoc
from portproof.discover.model import ManifestTarget
from portproof.effects import differences
from portproof.graph import link
from portproof.graph.meetings import meetings
from portproof.render.model import RenderedDocument, Rendering
from portproof.replacing import replace
from portproof.safety.decision import risks
from portproof.safety.model import Danger, Field, TargetEffects

TARGET = "spec.ports[0].targetPort"
PORT = "spec.ports[0].port"
DECLARED = "spec.template.spec.containers[0].ports[0].containerPort"


def service(port: object = 80, target: object = 8081, *, more: str = "", kind: str = "ClusterIP") -> str:
    return f"""apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{type: {kind}, selector: {{app: web}}, ports: [{{port: {port}, targetPort: {target}{more}}}]}}
"""


def pods(number: object = 8080, *, name: str = "main", container: str = "", beside: str = "") -> str:
    return f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
        - {{name: web, ports: [{{name: {name}, containerPort: {number}}}]{container}}}
{beside}"""


def ingress(port: object = 80, *, name: str = "web") -> str:
    return f"""apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}}}
spec: {{defaultBackend: {{service: {{name: web, port: {{number: {port}}}}}}}}}
"""


def config(text: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{value: {text}}}\n"


def rendering(objects: Iterable[str]) -> Rendering:
    return Rendering(ManifestTarget("x"), tuple(RenderedDocument(one, None) for one in objects))


def effects(
    before: list[str],
    after: list[str],
    *ends: tuple[str, str],
    base: list[str] | None = None,
    target: str = "x",
) -> TargetEffects:
    """What becomes of `before`; `ends` are the fields of the broken edge, by kind and path."""
    old, new = rendering(before), rendering(after)
    past = None if base is None else link.build(resources.read(rendering(base)))
    read = resources.read(old)
    fields: set[Field] = {
        (one.key, path)
        for one in read.resources
        for path, _ in yamldoc.leaves(one.data)
        if (one.key.kind, yamldoc.format_path(path)) in ends
    }
    assert len(fields) >= len(ends), "an end that is not there"
    return TargetEffects(
        target,
        frozenset(fields),
        tuple(differences(old, new, "default")),
        link.build(read, base=past),
        link.build(resources.read(new), base=past),
    )


def kinds(*several: TargetEffects, guess: bool = False) -> list[str]:
    return [one.danger.value for one in risks(several, guess=guess)]


AT_SERVICE = ("Service", TARGET)
AT_PODS = ("Deployment", DECLARED)


def test_a_target_that_alone_moves_to_a_declared_port_is_safe() -> None:
    assert kinds(effects([service(), pods()], [service(target=8080), pods()], AT_SERVICE)) == []


def test_a_reference_that_alone_moves_is_safe() -> None:
    end = ("Ingress", "spec.defaultBackend.service.port.number")
    before, after = [service(), pods(), ingress(8080)], [service(), pods(), ingress(80)]
    assert kinds(effects(before, after, end)) == []


def test_what_nothing_speaks_for_is_a_guess() -> None:
    one = effects([service(), pods()], [service(target=8080), pods()], AT_SERVICE)
    assert kinds(one, guess=True) == ["guess"]


# the port of a container


def test_a_declared_port_that_nothing_tells_the_program_to_follow() -> None:
    found = effects([service(), pods()], [service(), pods(8081)], AT_PODS)
    assert kinds(found) == ["program"]
    (risk,) = risks([found])
    assert risk.danger is Danger.PROGRAM
    assert risk.text.startswith("nothing tells the program of Deployment/web to listen on 8081")


@pytest.mark.parametrize(
    ("container", "safe"),
    [
        (", env: [{name: PORT, value: '8081'}]", True),
        (", args: [--port=8081]", True),
        (", image: 'traefik/whoami:v1'", False),
        (", args: [--port=8081, --old=8080]", False),
        (", env: [{name: API, value: 'http://web:8081'}]", False),  # whom it calls is not where it listens
    ],
)
def test_a_declared_port_that_the_settings_say(container: str, safe: bool) -> None:
    services = service(8081, "main") if "http:" in container else service()
    before, after = pods(container=container), pods(8081, container=container)
    found = effects([services, before], [services, after], AT_PODS)
    assert kinds(found) == ([] if safe else ["program"])


def test_a_declared_port_that_the_image_opens_by_default() -> None:
    image = ", image: 'prom/blackbox-exporter:v0.25.0'"
    before, after = pods(80, container=image), pods(9115, container=image)
    assert kinds(effects([service(80, "main"), before], [service(80, "main"), after], AT_PODS)) == []
    one = [service(80, "main"), before], [service(9115, "main"), after]
    assert kinds(effects(*one, AT_PODS)) == [
        "callers"
    ]  # helm/charts#15392: one value is the Service's port as well


def test_a_setting_moves_unless_something_else_says_the_old_number() -> None:
    end = ("Deployment", "spec.template.spec.containers[0].env[0].value")
    probe = ", readinessProbe: {tcpSocket: {port: 9191}}"
    setting = ", env: [{name: PORT, value: '%s'}]"

    def moved(more: str) -> list[str]:
        before = [service(80, 9090), pods(9090, container=setting % 9191 + more)]
        after = [service(80, 9090), pods(9090, container=setting % 9090 + more)]
        return kinds(effects(before, after, end))

    assert moved("") == []
    assert moved(probe) == ["program"]


def test_a_setting_does_not_leave_the_number_that_a_service_sends_to() -> None:
    def told(number: int) -> str:
        return pods(9090, container=f", env: [{{name: PORT, value: '{number}'}}]")

    end = ("Deployment", "spec.template.spec.containers[0].env[0].value")
    before, after = [service(80, 9191), told(9191)], [service(80, 9191), told(9090)]
    assert kinds(effects(before, after, end)) == ["program"]


def test_a_target_beside_a_container_that_is_probed_and_declares_nothing() -> None:
    beside = "        - {name: app, livenessProbe: {httpGet: {path: /, port: 8081}}}\n"
    workload = pods(3001, beside=beside)
    found = effects([service(443, 8443), workload], [service(443, 3001), workload], AT_SERVICE)
    assert kinds(found) == ["program"]


@pytest.mark.parametrize(
    ("port", "target", "number", "container", "safe"),
    [
        (80, 8080, 9080, "", False),  # 9080 may be the typo: the program goes on listening on 8080
        (80, 80, 79, "", False),
        (80, 9093, 9903, "", False),
        (27017, 27017, 20717, "", False),
        (80, 8081, 8080, "", True),  # a typo of what is usual
        (9903, 9093, 9903, "", True),  # the Service's own port agrees
        (5432, 5432, 10001, "", True),  # 5432 is only what clients expect
        (80, 9093, 9903, ", readinessProbe: {tcpSocket: {port: 9903}}", True),
        (80, 9093, 9903, ", readinessProbe: {tcpSocket: {port: main}}", True),
        (80, 9093, 9903, ", env: [{name: PORT, value: '9903'}]", True),
        (80, 9093, 9903, ", postStart: {tcpSocket: {port: 9903}}", False),
    ],
)
def test_a_target_goes_only_where_more_than_a_declaration_says_that_the_program_listens(
    port: int, target: int, number: int, container: str, *, safe: bool
) -> None:
    workload = pods(number, container=container)
    found = effects([service(port, target), workload], [service(port, number), workload], AT_SERVICE)
    assert kinds(found) == ([] if safe else ["program"])


PROBE = "spec.template.spec.containers[0].readinessProbe.tcpSocket.port"


@pytest.mark.parametrize(
    ("more", "safe"),
    [("", False), (", env: [{name: PORT, value: '9903'}]", True), (", livenessProbe: {tcpSocket: {port: main}}", True)],
)  # fmt: skip
def test_a_probe_goes_only_where_more_than_a_declaration_says_that_the_program_listens(
    more: str, *, safe: bool
) -> None:
    def probed(number: int) -> list[str]:
        return [pods(9903, container=f", readinessProbe: {{tcpSocket: {{port: {number}}}}}{more}")]

    found = effects(probed(9093), probed(9903), ("Deployment", PROBE))
    assert kinds(found) == ([] if safe else ["program"])


def test_a_probe_follows_what_the_service_sends_to() -> None:
    def probed(number: int) -> list[str]:
        return [
            service(80, 9903),
            pods(9903, container=f", readinessProbe: {{tcpSocket: {{port: {number}}}}}"),
        ]

    assert kinds(effects(probed(9093), probed(9903), ("Deployment", PROBE))) == []


def test_a_policy_does_not_shut_a_port_for_a_declaration() -> None:
    def policy(number: int) -> str:
        rule = f"{{ports: [{{port: {number}}}]}}"
        spec = f"{{podSelector: {{matchLabels: {{app: web}}}}, ingress: [{rule}]}}"
        return (
            f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: web}}\nspec: {spec}\n"
        )

    end = ("NetworkPolicy", "spec.ingress[0].ports[0].port")
    assert kinds(effects([policy(9093), pods(9903)], [policy(9903), pods(9903)], end)) == ["program"]
    sent = [policy(9093), pods(9903), service(80, 9903)]
    assert kinds(effects(sent, [policy(9903), *sent[1:]], end)) == []


def test_a_name_that_no_container_has_reaches_nothing_today() -> None:
    found = effects([service(80, "web"), pods(9903)], [service(80, 9903), pods(9903)], AT_SERVICE)
    assert kinds(found) == []


# the port of a Service


def test_a_services_port_that_nobody_is_known_to_use_is_used_by_others() -> None:
    end = ("Service", PORT)
    assert kinds(effects([service(), pods()], [service(8080), pods()], end)) == ["callers"]


def test_a_services_port_that_somebody_uses() -> None:
    end = ("Service", PORT)
    before = [
        service(),
        pods(),
        ingress(80, name="one"),
        ingress(8080, name="two"),
        ingress(8080, name="three"),
    ]
    found = effects(before, [service(8080), *before[1:]], end)
    texts = [one.text for one in risks([found])]
    assert "Ingress/one uses port 80 of Service/web" in texts
    assert "Ingress/one (Ingress backend) reaches its port today and would miss it" in texts


def test_a_services_port_that_several_ask_to_be_another() -> None:
    end = ("Service", PORT)
    one, two = ingress(8080, name="one"), ingress(8080, name="two")
    assert kinds(effects([service(), pods(), one], [service(8080), pods(), one], end)) == ["callers"]
    assert kinds(effects([service(), pods(), one, two], [service(8080), pods(), one, two], end)) == []
    outside = [service(kind="LoadBalancer"), pods(), one, two]
    after = [service(8080, kind="LoadBalancer"), *outside[1:]]
    assert kinds(effects(outside, after, end)) == ["callers"]


def test_a_webhook_has_no_number_of_its_own_to_change() -> None:
    webhook = """apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: web}
webhooks: [{name: a.example.org, clientConfig: {service: {name: web, namespace: default}}}]
"""
    end = ("Service", PORT)
    assert kinds(effects([service(), pods(), webhook], [service(443), pods(), webhook], end)) == []


def test_the_name_of_a_port_has_users_elsewhere_too() -> None:
    end = ("Deployment", "spec.template.spec.containers[0].ports[0].name")
    before = [service(80, "htp"), pods(name="http")]
    assert kinds(effects(before, [service(80, "htp"), pods(name="htp")], end)) == ["callers"]
    probe = ", readinessProbe: {httpGet: {path: /, port: http}}"
    before = [service(80, "http"), pods(name="htp", container=probe)]
    assert kinds(effects(before, [before[0], pods(name="http", container=probe)], end)) == []


# fields that an object keeps


def governed(name: str) -> str:
    return (
        pods()
        .replace("kind: Deployment", "kind: StatefulSet")
        .replace("spec:\n", f"spec:\n  serviceName: {name}\n", 1)
    )


def test_a_field_that_the_api_server_lets_nobody_change() -> None:
    before, after = [service(), governed("db")], [service(), governed("web")]
    end = ("StatefulSet", "spec.serviceName")
    assert kinds(effects(before, after, end)) == ["immutable"]
    assert kinds(effects(before, after, end, base=[governed("old")])) == ["immutable"]
    assert kinds(effects(before, after, end, base=[governed("web")])) == [], "it takes the change back"
    assert kinds(effects(before, after, end, base=[service()])) == [], "nobody has it yet"


# addresses that are compared


@pytest.mark.parametrize(
    ("name", "safe"), [("API_URL", True), ("OIDC_ISSUER_URL", False), ("OAUTH2_REDIRECT_URI", False)]
)
def test_an_address_that_is_compared_as_text(name: str, *, safe: bool) -> None:
    told = ", env: [{name: NAME, value: 'http://web:PORT'}]".replace("NAME", name)
    caller = pods(container=told).replace("name: web", "name: caller").replace("app: web", "app: caller")
    before = [service(80, 8080), pods(), caller.replace("PORT", "8080")]
    after = [service(80, 8080), pods(), caller.replace("PORT", "80")]
    found = effects(before, after, ("Deployment", "spec.template.spec.containers[0].env[0].value"))
    assert kinds(found) == ([] if safe else ["callers"])


# operators, schemes


def test_ports_of_nodes_are_the_operators() -> None:
    before = [service(kind="NodePort", more=", nodePort: 30080"), pods()]
    after = [service(kind="NodePort", more=", nodePort: 30081"), pods()]
    assert kinds(effects(before, after, ("Service", "spec.ports[0].nodePort"))) == ["operator"]


def test_a_target_that_goes_from_tls_to_plain() -> None:
    before = [service(443, "https", more=", name: https"), pods(name="http")]
    after = [service(443, "http", more=", name: https"), pods(name="http")]
    assert kinds(effects(before, after, AT_SERVICE)) == ["scheme"]


def test_a_target_that_goes_to_the_port_for_tls_of_a_port_for_tls() -> None:
    both = pods(name="http").replace(
        "containerPort: 8080}", "containerPort: 8080}, {name: https, containerPort: 8443}"
    )
    before = [service(443, "http", more=", name: https"), both]
    after = [service(443, "https", more=", name: https"), both]
    assert kinds(effects(before, after, AT_SERVICE)) == []


def test_a_port_443_in_front_of_a_plain_one_is_common() -> None:
    before, after = [service(443, 8081), pods(name="http")], [service(443, 8080), pods(name="http")]
    assert kinds(effects(before, after, AT_SERVICE)) == []


def test_a_reference_that_goes_from_tls_to_plain() -> None:
    end = ("Ingress", "spec.defaultBackend.service.port.number")
    assert kinds(effects([service(), pods(), ingress(443)], [service(), pods(), ingress(80)], end)) == [
        "scheme"
    ]


def test_an_address_is_not_quoted() -> None:
    end = ("Deployment", "spec.template.spec.containers[0].env[0].value")
    url = ", env: [{name: API, value: 'http://me:secret@web.%s:%s'}]"
    before = [service(), pods(container=url % ("https", 8080))]
    after = [service(), pods(container=url % ("http", 80))]
    assert risks([effects(before, after, end)]) == ()


def test_a_protocol() -> None:
    before = [service(more=", protocol: UDP"), pods()]
    after = [service(more=", protocol: TCP"), pods()]
    assert kinds(effects(before, after, ("Service", "spec.ports[0].protocol"))) == ["scheme"]


# what shares the value


def test_another_resource_shares_the_value() -> None:
    before, after = [service(), pods(), ingress(8081)], [service(target=8080), pods(), ingress(8080)]
    found = effects(before, after, AT_SERVICE)
    assert [(one.danger.value, one.text) for one in risks([found])] == [
        ("shared", "Ingress/web spec.defaultBackend.service.port.number shares the value")
    ]


def test_another_target_shares_the_value() -> None:
    broken = effects([service(), pods()], [service(target=8080), pods()], AT_SERVICE)
    other = effects([service(), pods("8081")], [service(target=8080), pods("8081")], target="helm:other")
    (risk, *_) = risks([broken, other])
    assert risk.danger is Danger.SHARED
    assert risk.text == (
        "Service/web spec.ports[0].targetPort shares the value in helm:other, where nothing is wrong with it"
    )


def test_a_checksum_and_a_config_map_that_no_pod_reads_share_nothing() -> None:
    sums = ("a" * 64, "b" * 64)
    note = "    metadata: {annotations: {checksum/config: %s}, labels: {app: web}}"
    plain = "    metadata: {labels: {app: web}}"
    workloads = [pods().replace(plain, note % one) for one in sums]
    before, after = (
        [service(), workloads[0], config("8081")],
        [service(target=8080), workloads[1], config("8080")],
    )
    assert kinds(effects(before, after, AT_SERVICE)) == []
    reading = ", envFrom: [{configMapRef: {name: settings}}]"
    before[1], after[1] = pods(container=reading), pods(container=reading)
    assert kinds(effects(before, after, AT_SERVICE)) == ["shared"]


def test_the_number_of_one_environment_in_a_text_that_others_read() -> None:
    end = ("Ingress", "spec.defaultBackend.service.port.number")
    other_end = ("Service", PORT)
    prod = effects(
        [service(5556), pods(), ingress(8080)], [service(5556), pods(), ingress(5556)], end, other_end
    )
    without = [service(8080), pods()]
    assert kinds(prod) == []
    assert kinds(prod, effects(without, without)) == ["contradicted"]
    same = [service(5556), pods()]
    assert kinds(prod, effects(same, same)) == []


def test_quotes_move_nothing() -> None:
    end = ("Ingress", "spec.defaultBackend.service.port.number")
    before, after = [service(), pods(), ingress("'80'")], [service(), pods(), ingress(80)]
    assert kinds(effects(before, after, end)) == []


# what works in another target


def beside(one: TargetEffects, *objects: str) -> TargetEffects:
    """The effects, with another target that has these objects."""
    met = meetings(link.build(resources.read(rendering(objects))), "other")
    return replace(one, abroad=lambda number: [each for each in met if each.number == number])


PROBED = ", readinessProbe: {tcpSocket: {port: 8080}}"
"""What makes a fix safe as long as no other target says otherwise."""


@pytest.mark.parametrize(
    ("others", "safe"),
    [
        ([service(target=5000), pods(5000)], False),
        ([service(target=8080), pods()], True),
        ([service(target=5000), pods()], True),  # the same mistake once more
        ([service(target=5000), pods(container=", args: [--port=5000]")], False),
        ([service(target=5000), pods(8081, container=", livenessProbe: {tcpSocket: {port: 5000}}")], False),
        ([service(target=5000).replace("web", "api"), pods(5000).replace("web", "api")], True),
        ([service(target=8080), service(target=5000).replace("name: web", "name: old"),
          pods(container=", args: [--port=5000]")], True),  # it listens on both there
    ],
)  # fmt: skip
def test_a_target_whose_number_works_for_the_same_program_elsewhere(others: list[str], safe: bool) -> None:
    probed = pods(container=PROBED)
    one = effects([service(target=5000), probed], [service(target=8080), probed], AT_SERVICE)
    assert kinds(one) == []
    assert kinds(beside(one, *others)) == ([] if safe else ["program"])


def test_what_the_program_is_told_goes_before_what_works_elsewhere() -> None:
    others = [service(target=5000), pods(5000)]
    told = pods(container=", args: [--port=8080]")
    one = effects([service(target=5000), told], [service(target=8080), told], AT_SERVICE)
    assert kinds(beside(one, *others)) == []
    calls = pods(container=", env: [{name: SELF, value: 'http://web:8080'}]" + PROBED)
    here = [service(8080, 5000), calls]
    one = effects(here, [service(8080, 8080), calls], AT_SERVICE)
    assert kinds(beside(one, *others)) == ["program"]


def test_a_placeholder_image_is_not_the_same_program() -> None:
    def running(name: str, image: str, number: int) -> list[str]:
        one = pods(number, container=f", image: {image}{PROBED if number == 8080 else ''}")
        return [each.replace("web", name) for each in (service(target=5000), one)]

    here = running("web", "registry.example.org/shop", 8080)
    one = effects(here, [here[0].replace("5000", "8080"), here[1]], AT_SERVICE)
    assert kinds(beside(one, *running("api", "registry.example.org/shop", 5000))) == ["program"]
    here = running("web", "nginx", 8080)
    one = effects(here, [here[0].replace("5000", "8080"), here[1]], AT_SERVICE)
    assert kinds(beside(one, *running("api", "nginx", 5000))) == []


def test_a_probe_whose_number_works_elsewhere() -> None:
    def probed(number: int) -> list[str]:
        liveness = f"livenessProbe: {{tcpSocket: {{port: {number}}}}}"
        return [service(target=8080), pods(container=f"{PROBED}, {liveness}")]

    end = ("Deployment", "spec.template.spec.containers[0].livenessProbe.tcpSocket.port")
    one = effects(probed(5000), probed(8080), end)
    assert kinds(one) == []
    assert kinds(beside(one, service(target=5000), pods(5000))) == ["program"]


# taking a change back


def test_what_the_base_held_is_safe() -> None:
    base = [service(target=8080), pods()]
    assert kinds(effects([base[0], pods(9090)], base, AT_PODS, base=base)) == []
    assert kinds(effects([service(8081, 8080), pods()], base, ("Service", PORT), base=base)) == []


def test_what_the_base_held_is_unsafe_when_the_program_moved_along() -> None:
    told = ", env: [{name: PORT, value: '%s'}]"
    base = [service(target=8080), pods(container=told % 8080)]
    head = [service(target=8080), pods(9090, container=told % 9090)]
    back = [service(target=8080), pods(8080, container=told % 9090)]
    assert kinds(effects(head, back, AT_PODS, base=base)) == ["change"]
    image = ", image: 'registry.example.org/web:%s'"
    base = [service(target=8080), pods(container=image % 1)]
    head, back = [base[0], pods(9090, container=image % 2)], [base[0], pods(container=image % 2)]
    assert kinds(effects(head, back, AT_PODS, base=base)) == ["change"]


def test_a_target_does_not_follow_a_declaration_that_moved_alone() -> None:
    base = [service(target=8080), pods()]
    head, along = [base[0], pods(9090)], [service(target=9090), pods(9090)]
    assert kinds(effects(head, along, AT_SERVICE, base=base)) == ["program"]
    told = pods(9090, container=", args: [--port=9090]")
    assert kinds(effects([base[0], told], [service(target=9090), told], AT_SERVICE, base=base)) == []
