"""Which edges are tested, as whom, and why the others are not."""

from __future__ import annotations

from typing import Any

import pytest

from portproof.connectivity.model import Placed, Plan
from portproof.connectivity.plan import plan
from portproof.connectivity.words import left_out, summary
from tests.support.mapped import port_map_of

POLICY = """\
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: cart, namespace: shop}
spec:
  podSelector: {matchLabels: {app: cart}}
  policyTypes: [Ingress]
  ingress:
    - from: [{podSelector: {matchLabels: {role: frontend}}}]
      ports: [{port: http}]
"""


def app(name: str, *, calls: str = "", labels: str = "", more: str = "", pod: str = "") -> str:
    """A Deployment with its Service, in the namespace shop."""
    return f"""\
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: shop}}
spec:
  selector: {{app: {name}}}
  ports: [{{name: http, port: 80, targetPort: http}}]
  {more}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: shop}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}{labels}}}}}
    spec:
      {pod}
      containers:
        - name: {name}
          image: example.com/{name}
          ports: [{{name: http, containerPort: 8080}}]
          readinessProbe: {{httpGet: {{path: /healthz, port: http}}}}
          env: [{{name: URL, value: "{calls}"}}]
"""


CART = app("cart")
WEB = app("web", calls="http://cart", labels=", role: frontend")


def planned(text: str, *, repeated: bool = False, **placed: Any) -> Plan:
    return plan(port_map_of(prod=text), Placed(**placed), repeated=repeated)


def opened(found: Plan) -> dict[str, list[str]]:
    return {one.caller: [edge.text for edge in one.edges] for one in found.pods}


def reasons(found: Plan) -> dict[str, str]:
    return {one.what: one.reason for one in found.skipped}


def labels(found: Plan, caller: str) -> dict[str, str]:
    return dict(next(one.labels for one in found.pods if one.caller == caller))


def test_a_caller_opens_what_it_calls_and_nobody_in_particular_opens_the_rest() -> None:
    found = planned(CART + WEB)
    assert opened(found) == {
        "shop/anyone": ["web.shop:80/http/healthz"],
        "shop/web": ["cart.shop:80/http/healthz"],
    }
    assert {one.labels for one in found.pods} == {()}
    assert found.skipped == ()
    (edge,) = found.pods[1].edges
    assert (edge.holder, edge.service.name, edge.port.number) == ("Deployment/web", "cart", 80)


def test_a_caller_in_another_target_opens_it_too() -> None:
    found = plan(port_map_of(cart=CART, web=WEB), Placed())
    assert opened(found) == {
        "shop/anyone": ["web.shop:80/http/healthz"],
        "shop/web": ["cart.shop:80/http/healthz"],
    }


def test_who_reads_a_config_map_opens_what_it_names() -> None:
    config = """\
---
apiVersion: v1
kind: ConfigMap
metadata: {name: urls, namespace: shop}
data: {CART: "http://cart:80"}
"""
    read = "      initContainers: [{name: init, image: i, envFrom: [{configMapRef: {name: urls}}]}]\n"
    web = app("web").replace("      containers:\n", f"{read}      containers:\n")
    assert opened(planned(CART + web + config))["shop/web"] == ["cart.shop:80/http/healthz"]
    found = planned(CART + config)
    assert opened(found) == {"shop/anyone": ["cart.shop:80/http/healthz"]}
    assert reasons(found) == {"ConfigMap/urls to cart:http (prod)": "no pods are known to read it"}
    two = planned(CART + web + web.replace("web", "api") + config + POLICY)
    assert "several workloads read ConfigMap/urls" in reasons(two)["Deployment/web to cart:http (prod)"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (CART.replace(", namespace: shop", ""), "its namespace is not stated: give --namespace"),
        (app("cart", more="type: ExternalName\n  externalName: example.com"), "another host's name"),
        (app("cart", more="clusterIP: None"), "a headless Service has no address of its own"),
        (CART.replace("port: 80,", "port: 80, protocol: UDP,"), "UDP cannot be checked"),
        (CART.replace("port: 80,", "port: 80, protocol: SCTP,"), "SCTP cannot be checked"),
        (CART.replace("spec:\n  selector: {matchLabels", "spec:\n  replicas: 0\n  selector: {matchLabels"), "(replicas: 0)"),
        (CART.replace("  selector: {app: cart}\n", ""), "nothing is known of its pods (its endpoints are made by"),
        (CART.replace("selector: {app: cart}", "selector: {app: other}"), "nothing is known of its pods"),
    ],
)  # fmt: skip
def test_what_is_not_opened_has_a_reason(text: str, reason: str) -> None:
    found = planned(text)
    assert found.pods == ()
    assert reason in reasons(found)["cart:http (prod)"]


def test_the_command_line_says_the_namespace_of_what_states_none() -> None:
    text = (CART + WEB + POLICY).replace(", namespace: shop", "")
    found = planned(text, namespace="blue")
    assert opened(found) == {
        "blue/anyone": ["web.blue:80/http/healthz"],
        "blue/web": ["cart.blue:80/http/healthz"],
    }
    assert labels(found, "blue/web") == {"role": "frontend"}


def test_a_call_of_a_port_that_is_not_there_is_for_the_check() -> None:
    found = planned(CART + app("web", calls="http://cart:81"))
    assert "the Service has no such port" in reasons(found)["Deployment/web to cart:81 (prod)"]


def test_who_calls_from_outside_of_the_repository_is_not_imitated() -> None:
    ingress = """\
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: shop}
spec: {defaultBackend: {service: {name: cart, port: {name: http}}}}
"""
    found = planned(CART + ingress)
    assert opened(found) == {"shop/anyone": ["cart.shop:80/http/healthz"]}
    assert "an Ingress or Gateway controller" in reasons(found)["Ingress/shop to cart:http (prod)"]


def test_helm_tests_are_no_callers() -> None:
    test = """\
---
apiVersion: v1
kind: Pod
metadata: {name: cart-test, namespace: shop, annotations: {helm.sh/hook: test-success}}
spec: {restartPolicy: Never, containers: [{name: wget, image: busybox, args: ["cart:80"]}]}
"""
    found = planned(CART + test)
    assert opened(found) == {"shop/anyone": ["cart.shop:80/http/healthz"]}
    assert reasons(found) == {}


def test_what_a_program_is_told_of_itself_is_no_call() -> None:
    found = planned(app("web", calls="http://web"))
    assert opened(found) == {"shop/anyone": ["web.shop:80/http/healthz"]}


def test_namesakes_are_told_apart() -> None:
    job = WEB.partition("---\n")[2].partition("---\n")[2].replace("apps/v1", "apps/v1")
    found = planned(CART + "---\n" + job + "---\n" + job.replace("Deployment", "StatefulSet"))
    assert set(opened(found)) == {"shop/deployment/web", "shop/statefulset/web"}


def test_mysql_is_opened_once_but_not_again_and_again() -> None:
    text = app("mysql").replace("port: 80", "port: 3306")
    assert opened(planned(text)) == {"shop/anyone": ["mysql.shop:3306/http/healthz"]}
    assert "max_connect_errors" in reasons(planned(text, repeated=True))["mysql:http (prod)"]


def test_a_policy_gives_the_pod_the_label_keys_that_it_looks_at() -> None:
    web = app("web", calls="http://cart", labels=", role: frontend, team: a, tier: t")
    assert labels(planned(CART + web + POLICY), "shop/web") == {"role": "frontend"}


def test_a_policy_about_other_pods_gives_no_label() -> None:
    other = POLICY.replace("{app: cart}", "{app: other}")
    assert labels(planned(CART + WEB + other), "shop/web") == {}


def test_a_policy_on_what_goes_out_counts_for_the_caller_and_for_whom_it_would_be_mistaken() -> None:
    egress = """\
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: out, namespace: shop}
spec:
  podSelector: {matchExpressions: [{key: role, operator: EXPRESSION}]}
  policyTypes: [Egress]
"""
    allowed = planned(CART + WEB + egress.replace("EXPRESSION", "Exists"))
    assert labels(allowed, "shop/web") == {"role": "frontend"}
    kept_out = planned(CART + WEB + egress.replace("EXPRESSION", "DoesNotExist"))
    assert labels(kept_out, "shop/web") == {"role": "frontend"}
    assert "a NetworkPolicy decides who may open it" in reasons(kept_out)["web:http (prod)"]


@pytest.mark.parametrize(
    ("ports", "tested"), [("", True), ("ports: [{port: http}]", True), ("ports: [{port: 9090}]", False)]
)
def test_a_policy_that_lets_everybody_in_stops_no_test(ports: str, *, tested: bool) -> None:
    policy = f"""\
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: cart, namespace: shop}}
spec:
  podSelector: {{matchLabels: {{app: cart}}}}
  ingress: [{{{ports}}}]
"""
    assert bool(planned(CART + policy).pods) is tested


@pytest.mark.parametrize(
    "policy",
    [
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a, namespace: shop}\nspec: {}\n",
        "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: a, namespace: shop}\nspec: {mtls: {mode: STRICT}}\n",
        "apiVersion: policy.linkerd.io/v1beta3\nkind: Server\nmetadata: {name: a, namespace: shop}\nspec: {podSelector: {matchLabels: {app: cart}}, port: http}\n",
        "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: a, namespace: shop}\nspec: {selector: app == 'cart', ingress: [{action: Allow, source: {serviceAccounts: {names: [web]}}}]}\n",
    ],
)  # fmt: skip
def test_a_policy_by_identity_leaves_nothing_to_test(policy: str) -> None:
    found = planned(f"{CART}{WEB}---\n{policy}")
    assert "decides by the caller's identity" in reasons(found)["Deployment/web to cart:http (prod)"]


def test_permissive_mtls_is_no_obstacle() -> None:
    policy = "---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: a, namespace: shop}\nspec: {mtls: {mode: PERMISSIVE}}\n"
    assert planned(CART + WEB + policy).skipped == ()


def test_a_pod_never_becomes_an_endpoint() -> None:
    peers = """\
---
apiVersion: v1
kind: Service
metadata: {name: web-peers, namespace: shop}
spec: {selector: {app: web}, publishNotReadyAddresses: true, clusterIP: None, ports: [{port: 80}]}
"""
    assert labels(planned(CART + WEB + peers), "shop/web") == {}
    found = planned(CART + WEB + peers + POLICY.replace("role: frontend", "app: web"))
    assert (
        "would become an endpoint of Service web-peers"
        in reasons(found)["Deployment/web to cart:http (prod)"]
    )


def test_a_policy_on_our_own_label_stops_the_test() -> None:
    policy = POLICY.replace("role: frontend", "app.kubernetes.io/managed-by: Helm")
    web = app("web", calls="http://cart", labels=", app.kubernetes.io/managed-by: Helm")
    assert (
        "the label of what portproof makes"
        in reasons(planned(CART + web + policy))["Deployment/web to cart:http (prod)"]
    )


def test_who_counts_the_pod_is_said() -> None:
    budget = """\
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: shop}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: 3}
"""
    assert [one.notes for one in planned(CART + WEB + budget + POLICY).pods] == [(), ()]
    found = planned(CART + WEB + budget + POLICY.replace("role: frontend", "app: web"))
    assert list(left_out(found))[-2:] == [
        "note: the test of shop/web (prod): PodDisruptionBudget/web counts the pod while it exists, and may block evictions until it is gone",
        "note: the test of shop/web (prod): HorizontalPodAutoscaler/web counts the pod while it runs",
    ]  # fmt: skip


def test_many_of_one_reason_are_counted() -> None:
    found = planned("".join(app(f"a{index}", more="clusterIP: None") for index in range(6)))
    (line,) = left_out(found)
    assert line.startswith(
        "not tested: a0:http (prod), a1:http (prod), a2:http (prod), a3:http (prod) and 2 more: a headless"
    )
    assert summary(found) == "0 edges in 0 tests"
