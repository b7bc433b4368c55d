"""The command line: arguments -> configuration -> pipeline -> writer -> exit code.

Commands import what they need when they run: ``portproof rules`` starts without
loading helm, templates or the port graph.
"""

from __future__ import annotations

import errno
import gc
import io
import os
import signal
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from portproof import __version__
from portproof.console import say
from portproof.errors import ExitCode, PortproofError, UsageError
from portproof.flags import FLAGS, FORMATS, Flag, Flags

_EXHAUSTED = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EMFILE, errno.ENFILE})

_Command = Callable[..., Any]
_SHARED = tuple(name for name, flag in FLAGS.items() if not flag.only)
_OF_CHECK = tuple(name for name, flag in FLAGS.items() if flag.only == "check")


def _flags(*names: str) -> Callable[[_Command], _Command]:
    """Add the options of these flags; `_with_flags` hands them over."""

    def add(command: _Command) -> _Command:
        for name in reversed(names):
            command = _option(name, FLAGS[name])(command)
        return command

    return add


def _option(name: str, flag: Flag) -> Callable[[_Command], _Command]:
    kind: click.Choice[str] | click.IntRange | None = None
    if flag.choices:
        kind = click.Choice(flag.choices)
    elif flag.least is not None:
        kind = click.IntRange(min=flag.least)
    return click.option(
        f"--{name.replace('_', '-')}",
        type=kind,
        metavar=flag.metavar or None,
        multiple=flag.many,
        is_flag=flag.switch,
        help=flag.help,
    )


def _with_flags(command: Callable[..., int]) -> _Command:
    """Hand a command its flags as one value, `flags`; its other options it gets by their names."""

    @wraps(command)
    def called(**options: Any) -> int:
        given = {name: options.pop(name) for name in FLAGS if name in options}
        for name, value in given.items():
            if FLAGS[name].many:
                given[name] = (
                    tuple(one.strip() for text in value for one in text.split(",") if one.strip()) or None
                )
        return command(flags=Flags(**given), **options)

    return called


_paths = click.argument("paths", nargs=-1, metavar="[PATH]...")
_text_or_json = click.option(
    "--format",
    "output",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="Format of the output.",
)

_EXIT_CODES = """\b
Exit codes:
  0  {good}
  1  {bad}
  2  usage or configuration error, or a missing tool
  3  internal error"""

_LISTING_CODES = """\b
Exit codes: 0 done, 2 {wrong}, 3 internal error"""


def _epilog(codes: str, *examples: str) -> str:
    """What ``--help`` shows below the options: the exit codes, then commands to copy."""
    title = "Example:" if len(examples) == 1 else "Examples:"
    return "\n".join((codes, "", "\b", title, *(f"  {example}" for example in examples)))


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Run `portproof COMMAND --help` for the options, exit codes and examples of a command.",
)
@click.version_option(__version__, prog_name="portproof")
def app() -> None:
    """Check that every port reference in Helm charts, Kustomize overlays and manifests reaches a port.

    portproof renders with the real helm and kustomize. For each broken reference it names the line to edit, and it
    offers a fix only if rendering again has proven it.
    """


@app.command(
    short_help="Check every port reference under PATH.",
    epilog=_epilog(
        _EXIT_CODES.format(good="no finding at or above --fail-on", bad="findings"),
        "portproof check",
        "portproof check charts/backend --fail-on warning",
        "portproof check --base origin/main --report sarif=portproof.sarif",
    ),
)
@_paths
@_flags(*_SHARED)
@click.option(
    "--format",
    "output",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="Format of the report on standard output.",
)
@click.option(
    "--report",
    "reports",
    metavar="FORMAT=FILE",
    multiple=True,
    help="Also write the report to a file, in any of these formats. Can be repeated.",
)
@_flags(*_OF_CHECK)
@_with_flags
def check(paths: tuple[str, ...], flags: Flags, output: str, reports: tuple[str, ...]) -> int:
    """Check every port reference under PATH.

    PATH is a file or folder; the default is the current folder. Every chart is rendered with each of its values files,
    every overlay is built, and all manifests are read.
    """
    from portproof import commands  # noqa: PLC0415
    from portproof.session import Request  # noqa: PLC0415

    partly = [name for name in ("base", "select", "baseline") if getattr(flags, name)]
    if flags.write_baseline and partly:
        raise UsageError(
            f"--write-baseline cannot be combined with --{partly[0]}",
            next_step=f"Drop --{partly[0]}: a baseline records every finding.",
        )
    files = tuple(map(_report, reports))
    return commands.check(Request(paths, flags), output=output, color=_color(), reports=files)


@app.command(
    short_help="Print or apply the proven fixes.",
    epilog=_epilog(
        _EXIT_CODES.format(
            good="every finding at or above fail-on has a proven, safe fix", bad="findings without such a fix"
        ),
        "portproof fix | git apply",
        "portproof fix --write charts/backend",
        "portproof fix --base origin/main --write",
    ),
)
@_paths
@_flags(*_SHARED)
@click.option("--write", is_flag=True, help="Apply the fixes to the files instead of printing a patch.")
@click.option("--unsafe", is_flag=True, help="Include proven fixes that move what others rely on.")
@_with_flags
def fix(*, paths: tuple[str, ...], flags: Flags, write: bool, unsafe: bool) -> int:
    """Print the proven, safe fixes for PATH as one unified diff.

    PATH is a file or folder; the default is the current folder. A fix is proven if rendering with it cures the finding
    and causes no new one. It is safe if no number or name moves that a program, a caller or an operator relies on.
    With --base, only findings that the base does not have are fixed.
    """
    from portproof import commands  # noqa: PLC0415
    from portproof.session import Request  # noqa: PLC0415

    return commands.fix(Request(paths, flags), write_files=write, unsafe=unsafe)


@app.command(
    short_help="Show what a change does to ports.",
    epilog=_epilog(
        _LISTING_CODES.format(wrong="usage or configuration error, or a missing tool"),
        "portproof diff --base origin/main",
        "portproof diff --base HEAD~1 charts/backend",
        "portproof diff --base main --format markdown > ports.md",
    ),
)
@_paths
@_option(
    "base",
    replace(FLAGS["base"], help="Git revision to compare with: the merge base of it and HEAD. Required."),
)
@_flags("config", "jobs", "helm", "kustomize", "offline")
@click.option(
    "--format",
    "output",
    type=click.Choice(("text", "markdown", "json")),
    default="text",
    show_default=True,
    help="Format of the output.",
)
@_with_flags
def diff(paths: tuple[str, ...], flags: Flags, output: str) -> int:
    """Show what the change since --base does to the ports under PATH.

    PATH is a file or folder; the default is the current folder. What the change affects is rendered in both revisions.
    A row for each port that is broken, moved, new or gone names who asks for it. Environments with equal changes share a
    row. Nothing is judged: the exit code is 0 whatever changes.
    """
    from portproof import commands  # noqa: PLC0415
    from portproof.session import Request  # noqa: PLC0415

    return commands.diff(Request(paths, flags), output=output)


@app.command(
    name="map",
    short_help="Map who calls which port of what.",
    epilog=_epilog(
        _EXIT_CODES.format(good="done, or every block is up to date", bad="--check: a block is out of date"),
        "portproof map charts/backend",
        "portproof map --write PORTS.md",
        "portproof map --check",
    ),
)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@_flags("config", "jobs", "helm", "kustomize", "offline")
@click.option(
    "--format",
    "output",
    type=click.Choice(("text", "json", "markdown", "mermaid")),
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
@_with_flags
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
    from portproof import commands  # noqa: PLC0415
    from portproof.session import Request  # noqa: PLC0415

    if write and check_:
        raise UsageError("--write and --check exclude each other", next_step="Drop one of them.")
    if not (write or check_):
        return commands.show_map(
            Request(paths, flags), output=output, environment=environment, only_broken=only_broken
        )
    if environment or only_broken or output != "text":
        raise UsageError(
            "--environment, --only-broken and --format do not apply to --write and --check",
            next_step="Choose what a block shows by its glob.",
        )
    return commands.keep_map(Request((), flags), paths, write_files=write)


@app.command(
    short_help="Write probes and alert rules for every Service port.",
    epilog=_epilog(
        _LISTING_CODES.format(wrong="usage or configuration error, or a missing tool"),
        "portproof monitor --environment prod | kubectl apply -f -",
        "portproof monitor --format prometheus --output monitoring",
    ),
)
@_paths
@_flags("config", "jobs", "helm", "kustomize", "offline")
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
@click.option("--output", metavar="FOLDER", help="Write files there, with a test of the alerts.")
@_with_flags
def monitor(  # noqa: PLR0913 - one for each option
    *,
    paths: tuple[str, ...],
    flags: Flags,
    environment: str | None,
    kind: str,
    labels: tuple[str, ...],
    output: str | None,
    **said: str,
) -> int:
    """Write probes and alert rules for every Service port under PATH.

    PATH is a file or folder; the default is the current folder. A blackbox exporter opens each port. Two alerts say that
    a port does not answer, and that nobody asks. What cannot be probed is listed on standard error, with the reason.
    """
    from portproof import commands  # noqa: PLC0415
    from portproof.portmap.monitor import Monitoring  # noqa: PLC0415
    from portproof.session import Request  # noqa: PLC0415

    monitoring = Monitoring(labels=dict(map(_label, labels)), **said)
    folder = None if output is None else Path(output)
    return commands.monitor(
        Request(paths, flags), monitoring, kind=kind, environment=environment, folder=folder
    )


@app.command(
    short_help="Explain a rule.",
    epilog=_epilog(_LISTING_CODES.format(wrong="usage error"), "portproof explain service-target-number"),
)
@click.argument("rule")
def explain(rule: str) -> int:
    """Explain RULE: what it checks, why it matters, examples, and what it does not report.

    `portproof rules` lists the rules.
    """
    from portproof.report import pages  # noqa: PLC0415
    from portproof.rules import find  # noqa: PLC0415

    click.echo(pages.page(find(rule), color=_color()), nl=False, color=True)
    return ExitCode.OK


@app.command(
    short_help="List the rules.",
    epilog=_epilog(_LISTING_CODES.format(wrong="usage error"), "portproof rules --format json"),
)
@_text_or_json
def rules(output: str) -> int:
    """List the rules, one per line: id, highest severity, summary."""
    from portproof.report import pages  # noqa: PLC0415
    from portproof.rules.listing import listed  # noqa: PLC0415

    write = pages.rules_json if output == "json" else pages.rules_table
    click.echo(write(listed()), nl=False)
    return ExitCode.OK


@app.command(
    short_help="List what would be rendered, and why the rest would not.",
    epilog=_epilog(
        _LISTING_CODES.format(wrong="usage or configuration error"),
        "portproof targets",
        "portproof targets charts --format json",
    ),
)
@_paths
@_flags("config")
@_text_or_json
@_with_flags
def targets(paths: tuple[str, ...], flags: Flags, output: str) -> int:
    """List what `portproof check PATH` would render, and why the rest would not be.

    PATH is a file or folder; the default is the current folder. Nothing is rendered.
    """
    from portproof.report import pages  # noqa: PLC0415
    from portproof.session import Request, prepare, say_notes  # noqa: PLC0415

    ready = prepare(Request(paths, flags))
    say_notes(ready)
    text = (
        pages.targets_json(ready.discovery)
        if output == "json"
        else pages.targets_text(ready.discovery, ready.paths)
    )
    click.echo(text, nl=False)
    return ExitCode.OK


@app.command(
    short_help="Show or install helm and kustomize.",
    epilog=_epilog(
        _LISTING_CODES.format(wrong="usage or configuration error, or a missing tool"),
        "portproof tools",
        "portproof tools install",
    ),
)
@click.argument("action", type=click.Choice(("show", "install")), default="show")
@_flags("helm", "kustomize", "offline")
@_with_flags
def tools(action: str, flags: Flags) -> int:
    """Show the helm and kustomize in use, or install pinned ones.

    `show` is the default. It prints the path and version of each tool, and where it was found. `install` downloads
    the pinned versions into the tool cache, whatever is on PATH.
    """
    from portproof import commands  # noqa: PLC0415
    from portproof.session import Request  # noqa: PLC0415

    return commands.tools(Request(flags=flags), install_them=action == "install")


@app.command(
    short_help="Run as a GitHub action.",
    epilog=_epilog(
        _EXIT_CODES.format(good="no finding at or above fail-on", bad="findings"),
        "INPUT_PATH=charts portproof action",
    ),
)
def action() -> int:
    """Run as a GitHub action; the action's image calls this.

    It reads the inputs from INPUT_* variables, the rest from GITHUB_* variables and the event file.
    """
    from portproof.action import main as run_action  # noqa: PLC0415

    return run_action()


def _label(text: str) -> tuple[str, str]:
    """Key and value of ``--label``."""
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise UsageError(
            f"--label {text}: must be KEY=VALUE", next_step="Write it like --label release=prometheus."
        )
    return key, value


def _report(text: str) -> tuple[str, Path]:
    """The format and the file of ``--report``."""
    kind, separator, file = text.partition("=")
    if not separator or kind not in FORMATS or not file:
        raise UsageError(
            f"--report {text}: must be FORMAT=FILE",
            next_step=f"Write it like --report json=report.json. FORMAT is one of {', '.join(FORMATS)}.",
        )
    return kind, Path(file)


def _color() -> bool:
    """Colour only on a terminal, and not when NO_COLOR asks for none (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def main() -> NoReturn:
    """Entry point; turns every error into a message, a next step and an exit code."""
    # Rendering makes many small objects and no cycles; collecting garbage all the time costs more than it frees.
    gc.set_threshold(100_000, 20, 20)
    # A thread that has output to read or a program to start must not wait for the others' five milliseconds.
    sys.setswitchinterval(0.0005)
    _heed_signals()
    _open_what_is_closed()
    try:
        code = app.main(standalone_mode=False)
    except _SignalError as error:
        code = 128 + error.number
    except click.ClickException as error:
        code = _misused(error)
    except PortproofError as error:
        code = _complain(str(error), error.next_step, error.exit_code)
    except BrokenPipeError:
        # The reader of our output went away (`portproof check | head`): nothing is left to say.
        _print_no_more()
        code = 141
    except OSError as error:
        code = _exhausted(error) if error.errno in _EXHAUSTED else _bug(error)
    except Exception as error:  # noqa: BLE001 - the last resort: our own mistakes have their own exit code
        code = _bug(error)
    sys.stdout.flush()
    gc.freeze()  # at the end nothing is worth collecting, and the interpreter would look through everything once more
    sys.exit(int(code or 0))


def _open_what_is_closed() -> None:
    """Give the standard streams something behind them; without it, the next file that is opened would be taken for one."""
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        opened = os.open(os.devnull, os.O_RDWR)
        while opened <= 2:
            opened = os.open(os.devnull, os.O_RDWR)
        os.close(opened)
        sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


class _SignalError(BaseException):
    """A signal that ends the program: unwinds it, so that children are killed and scratch folders removed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _heed_signals() -> None:
    """Have SIGTERM and Ctrl-C unwind the program in one way, unless whoever started it has it ignore Ctrl-C.

    KeyboardInterrupt would not do: passing through an ``exec`` of the standard library, as any dataclass has one, it
    makes the interpreter end by the signal whatever becomes of it (pythonrun.c, ``_Py_UnhandledKeyboardInterrupt``).
    """
    signal.signal(signal.SIGTERM, _unwind)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _unwind)


def _unwind(number: int, _frame: FrameType | None) -> None:
    process = sys.modules.get("portproof.process")
    if process is not None:
        process.stop()
    raise _SignalError(number)


def _print_no_more() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _exhausted(error: OSError) -> int:
    """The machine has no room: nobody's mistake in the program, and nothing that a trace would explain."""
    _print_no_more()
    what = f": {error.filename}" if error.filename else ""
    return _complain(
        f"{(error.strerror or str(error)).lower()}{what}",
        "Free some space, then run portproof again. Output needs it, and so do temporary files in TMPDIR.",
        ExitCode.USAGE,
    )


def _misused(error: click.ClickException) -> int:
    shown = io.StringIO()
    error.show(shown)
    _log(shown.getvalue().splitlines())
    return ExitCode.USAGE


def _complain(message: str, next_step: str, code: int) -> int:
    _log([f"portproof: {message}", *([f"  next: {next_step}"] if next_step else [])])
    return code


def _log(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)


def _bug(error: Exception) -> int:
    import traceback  # noqa: PLC0415

    _log("".join(traceback.format_exception(error)).splitlines())
    return _complain(f"internal error: {error}", "Please report it, with the lines above.", ExitCode.INTERNAL)
