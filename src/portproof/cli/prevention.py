"""The commands for after the merge: map, monitor, connectivity and connect, postmortem."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from portproof import __version__
from portproof.cli.group import app
from portproof.cli.options import (
    EXIT_CODES,
    LISTING_CODES,
    OF_ONE_CHART,
    OF_RENDERING,
    TakesMany,
    colored,
    epilog,
    path_arguments,
    with_flags,
    with_options,
)
from portproof.errors import UsageError
from portproof.flags import Flags

_TESTS = ("jobs", "cronjobs", "argocd")
_REPORTS = ("text", "junit", "json", "github")


@app.command(
    name="map",
    short_help="Map who calls which port of what.",
    epilog=epilog(
        EXIT_CODES.format(good="done, or every block is up to date", bad="--check: a block is out of date"),
        "portproof map charts/backend",
        "portproof map --format html > ports.html",
        "portproof map --write PORTS.md",
        "portproof map --check",
    ),
)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@with_options(*OF_ONE_CHART, "timings")
@click.option(
    "--format",
    "output",
    type=click.Choice(("text", "json", "markdown", "mermaid", "html")),
    default="text",
    show_default=True,
    help="Format of the map on standard output.",
)
@click.option("--environment", metavar="NAME", help="Show this environment only.")
@click.option("--only-broken", is_flag=True, help="Show only Services with a port that is not reached.")
@click.option(
    "--write", is_flag=True, help="Fill the marked blocks of Markdown files; PATH is a .md file or a folder."
)
@click.option(
    "--check", "check_", is_flag=True, help="Exit with 1, and a diff, if a marked block is out of date."
)
@with_flags
def map_(  # noqa: PLR0913 - one for each option
    paths: tuple[str, ...],
    flags: Flags,
    output: str,
    environment: str | None,
    *,
    only_broken: bool,
    write: bool,
    check_: bool,
) -> int:
    """Map who calls which port of what, where each number is written, and what to do when a Service fails.

    PATH is a file or folder; the default is the current folder. With --write or --check, PATH is a Markdown file, or a
    folder of them: blocks between `<!-- portproof map: GLOB -->` and `<!-- portproof map: end -->` show the targets whose
    id matches GLOB. --write makes a file that is not there.
    """
    from portproof.commands import prevention  # noqa: PLC0415
    from portproof.session import Request  # noqa: PLC0415

    if write and check_:
        raise UsageError("--write and --check exclude each other", next_step="Drop one of them.")
    if not (write or check_):
        return prevention.show_map(
            Request(paths, flags), output=output, environment=environment, only_broken=only_broken
        )
    if environment or only_broken or output != "text":
        raise UsageError(
            "--environment, --only-broken and --format do not apply to --write and --check",
            next_step="Choose what a block shows by its glob.",
        )
    return prevention.keep_map(Request((), flags), paths, write_files=write)


@app.command(
    short_help="Write tests that open every edge in a cluster.",
    epilog=epilog(
        LISTING_CODES.format(wrong="usage or configuration error, or a missing tool"),
        "portproof connectivity --environment prod --image IMAGE@sha256:… | kubectl apply -f -",
        "portproof connectivity charts/shop --release shop --namespace shop --environment prod",
        "portproof connectivity --environment prod --format argocd --output tests",
        "portproof connectivity --environment prod --report logs/web.log logs/cart.log --format junit",
    ),
    cls=TakesMany,
)
@path_arguments
@with_options(*OF_RENDERING)
@click.option("--environment", metavar="NAME", help="Test this environment only.")
@click.option(
    "--format",
    "kind",
    type=click.Choice((*_TESTS, *_REPORTS)),
    help="Jobs (the default), the same at intervals, or hooks that Argo CD runs after a sync. With --report: text (the "
    "default), junit, json or github (workflow commands).",
)
@click.option(
    "--report",
    "logs",
    metavar="LOG...",
    multiple=True,
    help="Read what tests have printed, from files or - (standard input), and report it. Takes all words up to the next option.",
)
@click.option(
    "--image",
    metavar="REF",
    default=f"portproof:{__version__}",
    show_default=True,
    help="The image of portproof that the cluster pulls; best by digest.",
)
@click.option(
    "--release", metavar="NAME", default="", help="Name of the release of a chart, if no file states it."
)
@click.option(
    "--namespace", metavar="NAME", default="", help="Namespace of a chart or manifests that state none."
)
@click.option(
    "--schedule",
    metavar="CRON",
    default="*/15 * * * *",
    show_default=True,
    help="When CronJobs run.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write a file for each environment there.",
)
@with_flags
def connectivity(  # noqa: PLR0913 - one for each option
    *,
    paths: tuple[str, ...],
    flags: Flags,
    kind: str | None,
    logs: tuple[str, ...],
    image: str,
    schedule: str,
    output: Path | None,
    **placed: Any,
) -> int:
    """Write tests that open, from inside of the cluster, every edge under PATH as its caller opens it.

    PATH is a file or folder; the default is the current folder. There is a Job for each caller and environment, to be
    run after a deployment. What is not tested is listed on standard error, with the reason.

    With --report, nothing is written. What the tests have printed is reported at the lines of the source, with what it
    means. The exit code is 1 if an edge failed.
    """
    from portproof.commands import prevention  # noqa: PLC0415
    from portproof.connectivity.manifests import Form  # noqa: PLC0415
    from portproof.connectivity.model import Placed  # noqa: PLC0415
    from portproof.session import Request  # noqa: PLC0415

    request, meant = Request(paths, flags), Placed(**placed)
    if kind in _REPORTS and not logs:
        raise UsageError(f"--format {kind} needs --report", next_step="Name the logs: `--report LOG...`.")
    if kind in _TESTS and logs:
        raise UsageError(
            f"--format {kind} does not go with --report", next_step=f"Choose one of {', '.join(_REPORTS)}."
        )
    if logs:
        if output is not None:
            raise UsageError("--output does not go with --report", next_step="Redirect standard output.")
        return prevention.connectivity_report(
            request, logs, meant, output=kind or "text", color=colored("auto")
        )
    return prevention.connectivity(
        request,
        Form(kind or "jobs", _image(image), _schedule(schedule)),
        meant,
        folder=output,
    )


@app.command(
    short_help="Write probes and alert rules for every Service port.",
    epilog=epilog(
        LISTING_CODES.format(wrong="usage or configuration error, or a missing tool"),
        "portproof monitor --environment prod | kubectl apply -f -",
        "portproof monitor --format prometheus --output monitoring",
    ),
)
@path_arguments
@with_options(*OF_RENDERING)
@click.option("--environment", metavar="NAME", help="Probe this environment only.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(("operator", "prometheus")),
    default="operator",
    show_default=True,
    help="For the Prometheus operator, or for a Prometheus without one.",
)
@click.option(
    "--prober",
    metavar="HOST:PORT",
    default="blackbox-exporter.monitoring.svc:9115",
    show_default=True,
    help="The blackbox exporter that opens the ports.",
)
@click.option(
    "--namespace",
    metavar="NAME",
    default="monitoring",
    show_default=True,
    help="Namespace of the Probe and the PrometheusRule.",
)
@click.option(
    "--label",
    "labels",
    metavar="KEY=VALUE",
    multiple=True,
    help="Label of both, by which Prometheus selects them. Can be repeated.",
)
@click.option(
    "--runbook-url", "runbooks", metavar="URL", default="", help="Address of the page with the port map."
)
@click.option(
    "--http", is_flag=True, help="If the workload has an HTTP probe on a port, request its path, too."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write files there, with a test of the alerts.",
)
@with_flags
def monitor(  # noqa: PLR0913 - one for each option
    *,
    paths: tuple[str, ...],
    flags: Flags,
    environment: str | None,
    kind: str,
    labels: tuple[str, ...],
    output: Path | None,
    http: bool,
    **said: str,
) -> int:
    """Write probes and alert rules for every Service port under PATH.

    PATH is a file or folder; the default is the current folder. A blackbox exporter opens each port. Two alerts say that
    a port does not answer, and that nobody asks. What cannot be probed is listed on standard error, with the reason.
    """
    from portproof.commands import prevention  # noqa: PLC0415
    from portproof.portmap.monitor import Monitoring  # noqa: PLC0415
    from portproof.session import Request  # noqa: PLC0415

    monitoring = Monitoring(labels=dict(map(_label, labels)), http=http, **said)
    return prevention.monitor(
        Request(paths, flags), monitoring, kind=kind, environment=environment, folder=output
    )


@app.command(
    short_help="Open ports as a caller does; pods of tests run this.",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,  # the program's own is shown
    epilog=epilog(
        EXIT_CODES.format(good="every edge is connected", bad="not every edge is connected"),
        "portproof connect backend-v1.shop:80/http/healthz redis.shop:6379/tcp",
    ),
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def connect(arguments: tuple[str, ...]) -> int:
    """Open every EDGE at once, and print a line of JSON for each."""
    from portproof.connect import main  # noqa: PLC0415

    return main(arguments)


@app.command(
    short_help="Write a root-cause document for a finding.",
    epilog=epilog(
        LISTING_CODES.format(wrong="usage or configuration error, or a missing tool"),
        "portproof postmortem 1f3a9c20 --output postmortem.md",
        "portproof postmortem --rev v1.4.0..v1.5.0",
    ),
)
@click.argument("fingerprint", required=False)
@click.option(
    "--rev",
    "revisions",
    metavar="GOOD..BAD",
    help="What the second revision broke; for after the fix. With FINGERPRINT, only that finding.",
)
@with_options(*OF_RENDERING)
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the document to a file."
)
@with_flags
def postmortem(flags: Flags, fingerprint: str | None, revisions: str | None, output: Path | None) -> int:
    """Write a root-cause document for a finding: what broke, since which commit, the fix, and what is left to do.

    FINGERPRINT is that of a finding, or the beginning of it; `portproof check --format json` has them. The commit that
    brought the finding is proven: it renders with the finding, and its parent renders without. What only people know is
    TODO(people). Commits are named, persons never.
    """
    from portproof.commands import prevention  # noqa: PLC0415
    from portproof.session import Request  # noqa: PLC0415

    if not (fingerprint or revisions):
        raise UsageError(
            "postmortem needs a finding",
            next_step="Name its fingerprint, or revisions: `--rev GOOD..BAD`.",
        )
    return prevention.postmortem(Request((), flags), fingerprint, revisions, output)


def _image(text: str) -> str:
    """The reference of an image (distribution ``reference``, without what no registry has)."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9.:_/-]*(:[A-Za-z0-9_][A-Za-z0-9._-]*)?(@sha256:[0-9a-f]+)?", text):
        raise UsageError(
            f"--image {text}: must be the reference of an image",
            next_step="Write it like --image registry.example/portproof@sha256:….",
        )
    return text


def _schedule(text: str) -> str:
    """Five fields as cron has them, or a word like ``@hourly``; the API server reads the rest."""
    if not re.fullmatch(r"@[a-z]+|[0-9*/,-]+ [0-9*/,-]+( [0-9A-Za-z*/,?-]+){3}", text):
        raise UsageError(
            f"--schedule {text}: must have five fields", next_step='Write it like --schedule "*/15 * * * *".'
        )
    return text


def _label(text: str) -> tuple[str, str]:
    """Key and value of ``--label``."""
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise UsageError(
            f"--label {text}: must be KEY=VALUE", next_step="Write it like --label release=prometheus."
        )
    return key, value
