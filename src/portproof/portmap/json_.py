"""The map for programs."""

from __future__ import annotations

from typing import Any

from portproof.portmap.model import Caller, End, Loose, Place, PortLine, PortMap, ServiceMap, TargetMap
from portproof.report.json_ import dumps
from portproof.report.safe import discreet

SCHEMA = "portproof/map/1"


def write(port_map: PortMap) -> str:
    """The map as JSON; equal maps give equal bytes."""
    return dumps(
        {
            "schema": SCHEMA,
            "targets": [_target(one) for one in port_map.targets],
            "summary": {
                "targets": len(port_map.targets),
                "services": sum(len(one.services) for one in port_map.targets),
                "broken": port_map.broken,
            },
        }
    )


def _target(one: TargetMap) -> dict[str, Any]:
    return {
        "id": one.id,
        "family": one.family,
        "environment": one.environment,
        "reason": discreet(one.reason) or None,
        "services": [_service(each) for each in one.services],
        "unserved": [_loose(each) for each in one.loose],
    }


def _service(one: ServiceMap) -> dict[str, Any]:
    return {
        "namespace": one.namespace,
        "namespace_stated": one.settled,
        "name": one.name,
        "type": one.type,
        "selector": dict(one.selector),
        "workloads": list(one.workloads),
        "note": one.note or None,
        "ports": [_port(each) for each in one.ports],
        "astray": [_caller(each) for each in one.astray],
    }


def _port(one: PortLine) -> dict[str, Any]:
    return {
        "port": one.number,
        "name": one.name or None,
        "protocol": one.protocol,
        "target_port": one.target if one.target_number is None else one.target_number,
        "node_port": one.node_port,
        "verdict": one.verdict.value,
        "ask": {"kind": one.ask.kind, "path": one.ask.path or None},
        "ends": [_end(each) for each in one.ends],
        "callers": [_caller(each) for each in one.callers],
        "written": _place(one.written),
        "target_written": _place(one.target_written),
    }


def _end(one: End) -> dict[str, Any]:
    return {
        "workload": one.workload or None,
        "container": one.container or None,
        "number": one.number,
        "name": one.name or None,
        "verdict": one.verdict.value,
        "reason": one.reason or None,
        "written": _place(one.place),
    }


def _caller(one: Caller) -> dict[str, Any]:
    return {
        "holder": one.holder,
        "relation": one.relation,
        "asks": one.asks or None,
        "verdict": one.verdict,
        "target": one.target or None,
    }


def _loose(one: Loose) -> dict[str, Any]:
    return {
        "workload": one.workload,
        "container": one.container,
        "number": one.number,
        "name": one.name or None,
        "protocol": one.protocol,
        "written": _place(one.place),
    }


def _place(one: Place | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "path": one.path,
        "key": one.key or None,
        "line": one.line,
        "proof": "proven" if one.proven else "hinted",
    }
