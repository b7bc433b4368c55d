"""Port maps made by hand: of hostile names, of a request that goes on, of many Services."""

from __future__ import annotations

from portproof.portmap.model import (
    Ask,
    Caller,
    End,
    Loose,
    Place,
    PortLine,
    PortMap,
    ServiceMap,
    TargetMap,
    Verdict,
)

HOSTILE = (
    "</script><script>window.hacked = 1</script>",
    "<img src=x onerror=window.hacked=1>",
    '" onfocus=window.hacked=1 autofocus x="',
    "' onmouseover='window.hacked=1",
    "javascript:window.hacked=1",
    "</style><style>*{display:none}</style>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt; &amp;",
    "--><!-- <svg/onload=window.hacked=1>",
    "\u202e\u2066\x00\x1b[31m\n</td>",
    "]]></textarea></title>",
    "\ud800 half a pair",
)
"""Names that nobody should give a Service, and somebody will."""


def port(number: int, target: str, *ends: End, **about: object) -> PortLine:
    """A TCP port that nobody calls, unless `about` says otherwise."""
    common = {"index": 0, "name": "http", "protocol": "TCP", "node_port": None, "ask": Ask("tcp")}
    return PortLine(**{**common, "number": number, "target": target, "ends": ends, **about})  # type: ignore[arg-type]


def service(name: str, *ports: PortLine, **about: object) -> ServiceMap:
    """A Service of the namespace ``shop``."""
    common = {"namespace": "shop", "settled": True, "type": "ClusterIP", "selector": (("app", name),)}
    workloads = (f"Deployment/{name}",)
    return ServiceMap(**{**common, "name": name, "workloads": workloads, "ports": ports, **about})  # type: ignore[arg-type]


def reached(name: str, number: int) -> End:
    """A container that listens."""
    place = Place(
        f"k8s/{name}.yaml", f"Deployment/{name} spec.template.spec.containers[0].ports[0]", 12, True
    )
    return End(f"Deployment/{name}", name, number, "http", Verdict.REACHED, place=place)


def named(name: str) -> PortMap:
    """A map on which everything that has a name has this one."""
    verdicts = (Verdict.REACHED, Verdict.MISSED, Verdict.UNKNOWN)
    place = Place(name, name, 1, False)
    ends = tuple(End(f"Deployment/{name}", name, 80, name, one, name, place) for one in verdicts)
    callers = (
        Caller(name, "Ingress backend", name, "reached"),
        Caller(name, "caller", name, "reached", name),
    )
    line = port(80, name, *ends, name=name, callers=callers, written=place, target_written=place)
    one = service(name, line, namespace=name, note=name, idle=name, astray=callers, selector=((name, name),))
    loose = Loose(name, name, 80, name, "TCP", place)
    return PortMap(
        (
            TargetMap(f"helm:{name}", f"helm:{name}", name, (one,), (loose,)),
            TargetMap(f"manifests:{name}", f"manifests:{name}", f"{name} too", (one,), (), ""),
            TargetMap(name, name, name, reason=name),
        )
    )


def shop() -> PortMap:
    """Ingress -> web -> api -> database, in two environments; somebody asks web for a port that it lacks."""
    entry = Caller("Ingress/front", "Ingress backend", "http", "reached")
    lost = Caller("Deployment/lost", "caller", "9999", "missed")
    web = service("web", port(80, "8080", reached("web", 8080), callers=(entry,)), astray=(lost,))
    calls = (Caller("Deployment/web", "caller", "80", "reached"),)
    node = port(80, "3000", reached("api", 3000), callers=calls, node_port=30080)
    missed = End("Deployment/db", "", None, "", Verdict.MISSED, "5432")
    ask = (Caller("Deployment/api", "caller", "5432", "reached"),)
    database = service("db", port(5432, "5433", missed, callers=ask, name="sql"))
    test = service("db", port(5432, "5432", reached("db", 5432), callers=ask, name="sql"))
    api = service("api", node, type="NodePort")
    return PortMap(
        (
            TargetMap("kustomize:k8s/prod", "kustomize:k8s/base", "prod", (web, api, database)),
            TargetMap("kustomize:k8s/test", "kustomize:k8s/base", "test", (web, api, test)),
        )
    )


def large(services: int) -> PortMap:
    """A chain of that many Services in thirty charts, each with two ports, called by the one before."""
    several: list[list[ServiceMap]] = [[] for _ in range(30)]
    for number in range(services):
        name = f"service-{number:03}"
        before = f"Deployment/service-{number - 1:03}" if number % 10 else "Ingress/front"
        relation = "caller" if number % 10 else "Ingress backend"
        callers = (Caller(before, relation, "80", "reached"),)
        ports = (
            port(80, str(8000 + number), reached(name, 8000 + number), callers=callers),
            port(9000, "metrics", reached(name, 9000), index=1, name="metrics"),
        )
        several[number * 30 // services].append(service(name, *ports))
    return PortMap(
        tuple(
            TargetMap(f"helm:charts/{number:02}", f"helm:charts/{number:02}", "defaults", tuple(each))
            for number, each in enumerate(several)
        )
    )
