"""The line that waits for tests which may fail, with the real kubectl against a server that has one Job."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.rendering import kubectl

PAGE = (Path(__file__).parents[2] / "docs" / "connectivity.md").read_text()
SUCCEEDED = {
    "succeeded": 1,
    "conditions": [{"type": one, "status": "True"} for one in ("SuccessCriteriaMet", "Complete")],
}
FAILED = {"failed": 1, "conditions": [{"type": one, "status": "True"} for one in ("FailureTarget", "Failed")]}
BATCH = {"groupVersion": "batch/v1", "version": "v1"}
JOBS = {"name": "jobs", "singularName": "job", "namespaced": True, "kind": "Job", "verbs": ["list", "watch"]}
ANSWERS: dict[str, dict[str, Any]] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [{"name": "batch", "versions": [BATCH], "preferredVersion": BATCH}],
    },
    "/apis/batch/v1": {"kind": "APIResourceList", "groupVersion": "batch/v1", "resources": [JOBS]},
}


@contextmanager
def cluster(status: dict[str, Any]) -> Iterator[str]:
    """The address of a server with one Job, of which no news ever come."""
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "portproof-prod-web", "namespace": "shop", "resourceVersion": "1"},
        "status": status,
    }
    jobs = {"apiVersion": "batch/v1", "kind": "JobList", "metadata": {"resourceVersion": "1"}, "items": [job]}
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            if "watch=true" in query:
                over.wait(10)
            else:
                self.wfile.write(json.dumps(ANSWERS.get(path, jobs)).encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            over.set()
            server.shutdown()
            thread.join()


def waited(tmp_path: Path, status: dict[str, Any], wanted: str, timeout: str) -> tuple[int, str]:
    with cluster(status) as address:
        run = subprocess.run(
            [
                *kubectl().argv,
                f"--server={address}",
                f"--cache-dir={tmp_path}",
                *(
                    "wait",
                    "job",
                    "--namespace",
                    "shop",
                    "--selector",
                    "app.kubernetes.io/managed-by=portproof",
                ),
                *("--for", wanted, "--timeout", timeout),
            ],
            capture_output=True,
            text=True,
            check=False,
            env={"HOME": str(tmp_path)},
        )
    return run.returncode, run.stdout + run.stderr


def test_the_page_says_one_way_to_wait() -> None:
    assert len(re.findall(r'--for "(.+?)"', PAGE)) == 3
    assert len(set(re.findall(r'--for "(.+?)"', PAGE))) == 1


@pytest.mark.slow
@pytest.mark.parametrize("status", [SUCCEEDED, FAILED], ids=["succeeded", "failed"])
def test_it_ends_with_the_job(tmp_path: Path, status: dict[str, Any]) -> None:
    (wanted,) = set(re.findall(r'--for "(.+?)"', PAGE))
    code, said = waited(tmp_path, status, wanted, "180s")
    assert (code, said) == (0, "job.batch/portproof-prod-web condition met\n")


@pytest.mark.slow
@pytest.mark.parametrize("status", [{}, {"active": 1, "ready": 0}], ids=["new", "active"])
def test_it_waits_while_the_job_runs(tmp_path: Path, status: dict[str, Any]) -> None:
    (wanted,) = set(re.findall(r'--for "(.+?)"', PAGE))
    code, said = waited(tmp_path, status, wanted, "2s")
    assert code == 1
    assert "timed out waiting for the condition" in said


@pytest.mark.slow
def test_to_wait_for_success_is_to_wait_in_vain_for_what_has_failed(tmp_path: Path) -> None:
    assert "`kubectl wait --for=condition=Complete` waits until its timeout" in PAGE
    code, said = waited(tmp_path, FAILED, "condition=Complete", "2s")
    assert code == 1
    assert "timed out waiting for the condition" in said
