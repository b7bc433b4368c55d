"""Tests as objects of Kubernetes: a Job for each caller, the same at intervals, or as a hook of Argo CD.

A pod that has labels of the caller must not become the caller. It has a readiness gate that nobody opens, so no Service
sends it requests, and it asks for resources, so an autoscaler can do its sums. It runs under the level "restricted" of the
pod security standards, without a token, and outside of any mesh: a sidecar accepts a connection to every port.

Sources: kubernetes/api ``batch/v1``, ``core/v1``; argo-cd ``docs/user-guide/sync-waves.md``.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from portproof.connectivity.model import CallerTest
from portproof.graph.workloads import MARK
from portproof.yamldoc import dump

_LONGEST = 52
"""Characters of a CronJob's name, which is one of 63 without the time that its Jobs add (``batch/v1``)."""

_UNMESHED = {"sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled"}
_HOOK = {
    "argocd.argoproj.io/hook": "PostSync",
    "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
}


class Form(Struct, frozen=True):
    """How tests are written: `kind` is ``jobs``, ``cronjobs`` or ``argocd``, and `schedule` is that of CronJobs."""

    kind: str
    image: str
    schedule: str


def write(form: Form, pods: Sequence[CallerTest]) -> str:
    """The tests as YAML, for ``kubectl apply -f -``; equal tests give equal bytes."""
    return "---\n".join(dump(one) for one in objects(form, pods))


def files(form: Form, pods: Sequence[CallerTest]) -> dict[str, str]:
    """A file for each environment, by its name."""
    environments = {
        one.environment: [each for each in pods if each.environment == one.environment] for one in pods
    }
    return {f"{_plain(name)}.yaml": write(form, several) for name, several in environments.items()}


def objects(form: Form, pods: Sequence[CallerTest]) -> Iterator[dict[str, Any]]:
    """An object for each test."""
    for pod, name in zip(pods, names(pods), strict=True):
        metadata: dict[str, Any] = {"name": name, "namespace": pod.namespace, "labels": dict((MARK,))}
        job = _job(form.image, pod)
        if form.kind == "cronjobs":
            yield {
                "apiVersion": "batch/v1",
                "kind": "CronJob",
                "metadata": metadata,
                "spec": {
                    "schedule": form.schedule,
                    "concurrencyPolicy": "Forbid",
                    "successfulJobsHistoryLimit": 1,
                    "failedJobsHistoryLimit": 1,
                    "jobTemplate": {"metadata": {"labels": dict((MARK,))}, "spec": job},
                },
            }
            continue
        if form.kind == "argocd":
            metadata["annotations"] = dict(_HOOK)
        yield {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": job}


def _job(image: str, pod: CallerTest) -> dict[str, Any]:
    return {
        "backoffLimit": 0,
        "activeDeadlineSeconds": 300,
        "ttlSecondsAfterFinished": 86400,
        "template": {
            "metadata": {"labels": {**dict(pod.labels), MARK[0]: MARK[1]}, "annotations": dict(_UNMESHED)},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "readinessGates": [{"conditionType": "portproof/never-ready"}],
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 65532,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [
                    {
                        "name": "connect",
                        "image": image,
                        "args": ["connect", "--from", pod.caller, *(_literal(one.text) for one in pod.edges)],
                        "securityContext": {
                            "allowPrivilegeEscalation": False,
                            "readOnlyRootFilesystem": True,
                            "capabilities": {"drop": ["ALL"]},
                        },
                        "resources": {
                            "requests": {"cpu": "10m", "memory": "64Mi"},
                            "limits": {"memory": "128Mi"},
                        },
                    }
                ],
            },
        },
    }


def _literal(text: str) -> str:
    """An argument that Kubernetes hands over as it is: it replaces ``$(NAME)``, and ``$$`` by a dollar."""
    return text.replace("$", "$$")


def names(pods: Sequence[CallerTest]) -> list[str]:
    """A name for the object of each test: short enough for a CronJob, and no other test's in its namespace."""
    wanted = [_name(one) for one in pods]
    taken = Counter((one.namespace, name) for one, name in zip(pods, wanted, strict=True))
    return [
        name if taken[one.namespace, name] == 1 else _cut(name, one)
        for one, name in zip(pods, wanted, strict=True)
    ]


def _name(pod: CallerTest) -> str:
    """``portproof-prod-web``, be the caller ``web`` or ``prod-web``."""
    caller, environment = _plain(pod.caller.partition("/")[2]), _plain(pod.environment)
    name = _plain(f"portproof-{environment}-{caller.removeprefix(f'{environment}-')}")
    return name if len(name) <= _LONGEST else _cut(name, pod)


def _plain(text: str) -> str:
    """Letters that a name of Kubernetes may have."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _cut(name: str, pod: CallerTest) -> str:
    """The name, told from others that begin or end alike; of a long one the middle is left out, the caller being last."""
    digest = hashlib.sha256(f"{pod.environment}\n{pod.caller}".encode()).hexdigest()[:6]
    room = _LONGEST - len(digest) - 1
    short = name if len(name) <= room else f"{name[:20].rstrip('-')}-{name[21 - room :].lstrip('-')}"
    return f"{short}-{digest}"
