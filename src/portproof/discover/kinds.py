"""Kinds that declare ports or refer to them; a folder of manifests without any of these has nothing to check.

Discovery knows kinds by their names alone, without API group or fields: the tables of ``graph`` know those, and
``tests/discover/test_kinds.py`` holds this list against them.
"""

from __future__ import annotations

WORKLOADS = frozenset(
    {"Pod", "ReplicationController", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob"}
    | {"Rollout", "Configuration", "Revision"}  # Argo's, and Knative's, whose third one is a Service
    | {"DeploymentConfig"}  # OpenShift's
)
"""Kinds that make pods."""

_FRONTS = frozenset(
    {"Service", "Ingress", "APIService", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"}
)
_GATEWAY_API = frozenset(
    {"Gateway", "ListenerSet", "XListenerSet", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"}
    | {"BackendTLSPolicy"}
)
_MESHES = frozenset(
    {
        "VirtualService",
        "DestinationRule",
        "ServiceEntry",
        "Sidecar",
        "PeerAuthentication",
        "AuthorizationPolicy",
    }
    | {"Server"}  # Linkerd's
)
_CONTROLLERS = frozenset(
    {"IngressRoute", "IngressRouteTCP", "IngressRouteUDP", "TraefikService", "Middleware"}  # Traefik
    | {"HTTPProxy", "ExtensionService"}  # Contour
    | {"VirtualServer", "VirtualServerRoute", "TransportServer"}  # NGINX
    | {"TCPIngress", "UDPIngress"}  # Kong
    | {"BackendConfig", "HealthCheckPolicy"}  # Google Cloud
    | {
        "ApisixRoute",
        "RouteTable",
        "Upstream",
        "Mapping",
        "TCPMapping",
        "Route",
    }  # APISIX, Gloo, Emissary, OpenShift
)
_POLICIES = frozenset(
    {"NetworkPolicy", "GlobalNetworkPolicy", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"}
)
_MONITORS = frozenset(
    {"ServiceMonitor", "PodMonitor", "Probe", "VMServiceScrape", "VMPodScrape", "VMProbe"}
    | {"PodMonitoring", "ClusterPodMonitoring"}
    | {"OpenTelemetryCollector"}
)

WITH_PORTS = WORKLOADS | _FRONTS | _GATEWAY_API | _MESHES | _CONTROLLERS | _POLICIES | _MONITORS
"""All of them. A CustomResourceDefinition may name a webhook's port, but a folder of those says nothing of its own."""
