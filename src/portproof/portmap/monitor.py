"""Probes and alert rules for every Service port: a connection from the cluster is the only thing that sees a wrong target.

An exporter (Prometheus' blackbox exporter) opens each port; Prometheus asks it, and two alerts say that a port does not
answer, or that nobody asks. It sees Service to pod; whether a caller may get there, `portproof check` says of its policies.

Sources: prometheus-operator ``Probe`` and ``PrometheusRule`` (monitoring.coreos.com/v1); blackbox_exporter ``/probe``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from portproof.portmap import words
from portproof.portmap.model import Ask, PortLine, PortMap, ServiceMap
from portproof.portmap.survey import UNSTATED
from portproof.yamldoc import dump

_ANCHOR = re.compile(r'<a id="([^"]+)"></a>')
_TARGET = r"(?:[a-z]+://)?([^.]+)\.([^.]+)\.svc.*:(\d+).*"
TCP, HTTP = "tcp_connect", "portproof_http"
"""Modules of the exporter: the first is in its example configuration, the second is ours."""

_ANSWERS = (200, 201, 202, 203, 204, 205, 206, 300, 301, 302, 303, 304, 307, 308)
"""Status codes in use that the kubelet takes for an answer (k8s.io/kubernetes pkg/probe/http)."""

_KINDS = {TCP: "tcp", HTTP: "http"}
_BANS = frozenset({3306, 33060})
"""MySQL and MariaDB ban a host that opens a hundred connections and says nothing (``max_connect_errors``)."""


class Monitoring(Struct, frozen=True):
    """How ports are to be probed.

    `prober` is the exporter's host and port, `namespace` and `labels` are those of the objects. `runbooks` is the address of
    the page with the map; alerts link to the Service on it. With `http`, a port that the workload's own probe asks for a
    path is asked for that.
    """

    prober: str = "blackbox-exporter.monitoring.svc:9115"
    namespace: str = "monitoring"
    labels: Mapping[str, str] = field(default_factory=dict)
    runbooks: str = ""
    http: bool = False


class Probed(Struct, frozen=True, order=True):
    """A port to open, of this environment; an `address` is ``service.namespace.svc:port``, for `HTTP` an URL."""

    environment: str
    address: str
    module: str = TCP

    @property
    def service(self) -> tuple[str, str]:
        """Namespace and name of the Service."""
        name, namespace = self.address.split("://", 1)[-1].split(".")[:2]
        return namespace, name


class Omitted(Struct, frozen=True):
    """A port that is not probed, and why."""

    environment: str
    what: str
    reason: str


def chosen(port_map: PortMap, *, http: bool = False) -> tuple[tuple[Probed, ...], tuple[Omitted, ...]]:
    """The ports to probe, each address once, and those that are left, with the reasons."""
    probed: dict[str, Probed] = {}
    omitted: dict[tuple[str, str], Omitted] = {}
    for target in port_map.targets:
        for service in target.services:
            for port in service.ports:
                what = f"{service.name}:{port.name or port.number}"
                reason = _reason(service, port)
                if reason:
                    omitted.setdefault((target.environment, what), Omitted(target.environment, what, reason))
                else:
                    address = f"{service.name}.{service.namespace}.svc:{_number(service, port)}"
                    probed.setdefault(
                        address, _probed(target.environment, address, port.ask if http else None)
                    )
    return tuple(sorted(probed.values())), tuple(omitted.values())


def _probed(environment: str, address: str, ask: Ask | None) -> Probed:
    """How a port is asked: for the path of the workload's own probe, if that is wanted and there is one."""
    if ask is None or ask.kind not in ("http", "https"):
        return Probed(environment, address)
    path = ask.path if ask.path.startswith("/") else f"/{ask.path}"
    return Probed(environment, f"{ask.kind}://{address}{path}", HTTP)


def _number(service: ServiceMap, port: PortLine) -> int | None:
    """A headless Service's name stands for its pods: they are asked at the number at which they listen."""
    if service.type != "Headless":
        return port.number
    if port.target_number is not None:
        return port.target_number
    numbers = {end.number for end in port.ends}
    return next(iter(numbers)) if len(numbers) == 1 else None


def _reason(service: ServiceMap, port: PortLine) -> str:
    if UNSTATED in service.name:
        return "the name of the release is not stated (an Argo CD or Flux object in the repository would state it)"
    if not service.settled:
        return "its namespace is not stated"
    if known := words.not_opened(service, port):
        return known
    number = _number(service, port)
    if number is None:
        return "the number at which its pods listen is not known"
    if _BANS & {number, *(end.number for end in port.ends)}:
        return "MySQL bans a host that only opens connections (max_connect_errors)"
    return ""


def alerts(monitoring: Monitoring) -> dict[str, Any]:
    """The rules as a file of Prometheus has them."""
    anchor = "#{{ $labels.namespace }}-{{ $labels.service }}"
    runbook = {"runbook_url": f"{monitoring.runbooks}{anchor}"} if monitoring.runbooks else {}
    return {
        "groups": [
            {
                "name": "portproof",
                "rules": [
                    {
                        "alert": "ServicePortUnreachable",
                        "expr": 'probe_success{job="portproof"} == 0',
                        "for": "5m",
                        "labels": {"severity": "warning"},
                        "annotations": {
                            "summary": "A Service port does not answer.",
                            "description": "{{ $labels.instance }} has not answered for 5 minutes.",
                            **runbook,
                        },
                    },
                    {
                        "alert": "ServicePortsNotProbed",
                        "expr": 'up{job="portproof"} == 0 or absent(up{job="portproof"})',
                        "for": "15m",
                        "labels": {"severity": "warning"},
                        "annotations": {
                            "summary": "Service ports are not probed.",
                            "description": "The exporter does not answer, does not know the module, or is not asked.",
                        },
                    },
                ],
            }
        ]
    }


def test_of_alerts(monitoring: Monitoring, probed: Sequence[Probed]) -> dict[str, Any]:
    """A test for ``promtool test rules``: one port fails for long enough, and its alert alone is there."""
    address = probed[0].address if probed else "web.shop.svc:80"
    namespace, service = (probed[0] if probed else Probed("", address)).service
    labels = f'job="portproof",instance="{address}",namespace="{namespace}",service="{service}"'
    unreachable, not_probed = alerts(monitoring)["groups"][0]["rules"]
    said = {"instance": address, "namespace": namespace, "service": service}
    return {
        "rule_files": ["alerts.yaml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": f"probe_success{{{labels}}}", "values": "1x4 0x20"},
                    {"series": f"up{{{labels}}}", "values": "1x24"},
                ],
                "alert_rule_test": [
                    {"eval_time": "4m", "alertname": unreachable["alert"], "exp_alerts": []},
                    {
                        "eval_time": "12m",
                        "alertname": unreachable["alert"],
                        "exp_alerts": [
                            {
                                "exp_labels": {"job": "portproof", "severity": "warning", **said},
                                "exp_annotations": _filled(unreachable["annotations"], said),
                            }
                        ],
                    },
                    {"eval_time": "12m", "alertname": not_probed["alert"], "exp_alerts": []},
                ],
            },
            {
                "interval": "1m",
                "input_series": [],
                "alert_rule_test": [
                    {
                        "eval_time": "20m",
                        "alertname": not_probed["alert"],
                        "exp_alerts": [
                            {
                                "exp_labels": {"job": "portproof", "severity": "warning"},
                                "exp_annotations": not_probed["annotations"],
                            }
                        ],
                    }
                ],
            },
        ],
    }


def _filled(annotations: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    """What Prometheus makes of annotations."""

    def one(text: str) -> str:
        for name, value in labels.items():
            text = text.replace(f"{{{{ $labels.{name} }}}}", value)
        return text

    return {name: one(text) for name, text in annotations.items()}


def operator(monitoring: Monitoring, probed: Sequence[Probed]) -> str:
    """For the Prometheus operator: a Probe for each environment, and a PrometheusRule."""
    return "---\n".join(dump(one) for one in _objects(monitoring, probed))


def _objects(monitoring: Monitoring, probed: Sequence[Probed]) -> Iterator[dict[str, Any]]:
    for module, environment, addresses in _groups(probed):
        yield {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "Probe",
            "metadata": _metadata(monitoring, f"portproof-{_dns(environment)}-{_KINDS[module]}"),
            "spec": {
                "jobName": "portproof",
                "interval": "30s",
                "scrapeTimeout": "10s",
                "module": module,
                "prober": {"url": monitoring.prober},
                "targets": {
                    "staticConfig": {
                        "static": addresses,
                        "labels": {"environment": environment},
                        "relabelingConfigs": [
                            {
                                "sourceLabels": ["__param_target"],
                                "regex": _TARGET,
                                "targetLabel": label,
                                "replacement": group,
                            }
                            for label, group in (("service", "$1"), ("namespace", "$2"))
                        ],
                    }
                },
            },
        }
    yield {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": _metadata(monitoring, "portproof"),
        "spec": alerts(monitoring),
    }


def _groups(probed: Sequence[Probed]) -> Iterator[tuple[str, str, list[str]]]:
    """What is asked by one module in one environment: each is a scrape job of its own, and not each Service."""
    for module, environment in dict.fromkeys((one.module, one.environment) for one in probed):
        yield (
            module,
            environment,
            [one.address for one in probed if (one.module, one.environment) == (module, environment)],
        )


def _metadata(monitoring: Monitoring, name: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/managed-by": "portproof", **monitoring.labels}
    return {"name": name, "namespace": monitoring.namespace, "labels": labels}


def _dns(text: str) -> str:
    """A name that Kubernetes takes."""
    kept = "".join(one if one.isascii() and one.isalnum() else "-" for one in text.lower()).strip("-")
    return kept[:40].strip("-") or "all"


def prometheus(monitoring: Monitoring, probed: Sequence[Probed]) -> str:
    """For a Prometheus without operator: a file for ``scrape_config_files``."""
    modules = dict.fromkeys(one.module for one in probed)
    return dump({"scrape_configs": [_scraped(monitoring, module, probed) for module in modules]})


def _scraped(monitoring: Monitoring, module: str, probed: Sequence[Probed]) -> dict[str, Any]:
    relabelled = [
        {"source_labels": ["__address__"], "target_label": "__param_target"},
        {"source_labels": ["__param_target"], "target_label": "instance"},
        *(
            {
                "source_labels": ["__param_target"],
                "regex": _TARGET,
                "target_label": label,
                "replacement": group,
            }
            for label, group in (("service", "$1"), ("namespace", "$2"))
        ),
        # Names of scrape jobs differ; alerts know one.
        {"target_label": "job", "replacement": "portproof"},
        {"target_label": "__address__", "replacement": monitoring.prober},
    ]
    return {
        "job_name": "portproof" if module == TCP else f"portproof-{_KINDS[module]}",
        "metrics_path": "/probe",
        "params": {"module": [module]},
        "scrape_interval": "30s",
        "scrape_timeout": "10s",
        "static_configs": [
            {"targets": addresses, "labels": {"environment": environment}}
            for one, environment, addresses in _groups(probed)
            if one == module
        ],
        "relabel_configs": relabelled,
    }


def modules(probed: Sequence[Probed]) -> str:
    """What the exporter has to know, as its configuration file has it.

    An answer counts as it does for the kubelet, whose probe it is: no certificate is verified, no redirect followed.
    """
    own = {
        TCP: {"prober": "tcp", "timeout": "5s", "tcp": {"preferred_ip_protocol": "ip4"}},
        HTTP: {
            "prober": "http",
            "timeout": "5s",
            "http": {
                "preferred_ip_protocol": "ip4",
                "follow_redirects": False,
                "valid_status_codes": list(_ANSWERS),
                "tls_config": {"insecure_skip_verify": True},
            },
        },
    }
    used = {one.module for one in probed}
    return dump({"modules": {name: module for name, module in own.items() if name in used}})


def dead_links(monitoring: Monitoring, probed: Sequence[Probed], pages: Mapping[str, str]) -> tuple[str, ...]:
    """The addresses to which alerts lead and where no page has the Service; `pages` are texts with the map, by their paths.

    The page is the one whose path the address ends with; where none is, all are one site.
    """
    path = monitoring.runbooks.partition("#")[0].rstrip("/")
    page = max((one for one in pages if f"/{path}".endswith(f"/{one}")), key=len, default=None)
    texts = pages.values() if page is None else [pages[page]]
    known = {anchor for text in texts for anchor in _ANCHOR.findall(text)}
    wanted = dict.fromkeys("-".join(one.service) for one in probed) if monitoring.runbooks else {}
    return tuple(f"{monitoring.runbooks}#{one}" for one in wanted if one not in known)


def files(monitoring: Monitoring, probed: Sequence[Probed], kind: str) -> dict[str, str]:
    """The files by their names, for the operator or for a Prometheus without one; with a test of the alerts."""
    main = (
        {"portproof.yaml": operator(monitoring, probed)}
        if kind == "operator"
        else {"scrape.yaml": prometheus(monitoring, probed)}
    )
    return {
        **main,
        "modules.yaml": modules(probed),
        "alerts.yaml": dump(alerts(monitoring)),
        "alerts_test.yaml": dump(test_of_alerts(monitoring, probed)),
    }
