"""What the command line can say, each option once: its field, its help and the commands that take it come together.

Nothing is imported here: the command line is read before anything else is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

FORMATS = ("text", "json", "sarif", "github", "markdown", "junit", "gitlab", "rdjson", "azure")
"""The formats of a report; `report.formats` writes them."""

FAIL_ON = ("error", "warning", "note", "never")
"""The severities that can be the lowest one that makes the exit code 1."""


STANDARD_INPUT = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
"""What people write for a PATH that is standard input."""


@dataclass(frozen=True, slots=True)
class Flag:
    """An option of a command line. `many` may be given several times, and each time with several values, by commas.

    `choices` are the words that it takes, `least` is the lowest number; a `switch` takes nothing. Commands that check
    or fix take it, unless it is `only` for one of them. `short` is its one-letter form, with the dash; `option` its long form, where that is
    not the name of its field. What is `verbatim` may have commas.
    """

    help: str
    metavar: str = ""
    many: bool = False
    switch: bool = False
    least: int | None = None
    choices: tuple[str, ...] = ()
    only: str = ""
    short: str = ""
    option: str = ""
    verbatim: bool = False

    @property
    def metadata(self) -> dict[str, Flag]:
        """The option as a field has it."""
        return {"flag": self}


@dataclass(frozen=True, slots=True)
class Flags:
    """What a command line says; None where it is silent.

    A flag that is called like a setting replaces what the file says. `config` is the file to read instead of the
    root's; `base` the revision to compare with, and `only_new` leaves out what it has too; `write_baseline` the file that
    gets all findings of now.
    """

    select: tuple[str, ...] | None = field(
        default=None, metadata=Flag("Run only these rules.", "RULE[,...]", many=True).metadata
    )
    ignore: tuple[str, ...] | None = field(
        default=None, metadata=Flag("Do not run these rules.", "RULE[,...]", many=True).metadata
    )
    config: str | None = field(
        default=None,
        metadata=Flag(
            "Configuration file (default: portproof.yaml or .portproof.yaml at the root of the repository).",
            "FILE",
        ).metadata,
    )
    baseline: str | None = field(
        default=None, metadata=Flag("Suppress the findings recorded in this file.", "FILE").metadata
    )
    jobs: int | None = field(
        default=None,
        metadata=Flag("Number of parallel renders (default: the available processors).", least=1).metadata,
    )
    helm: str | None = field(
        default=None,
        metadata=Flag(
            "helm to use (default: PORTPROOF_HELM, then helm on PATH, then a pinned download).", "PATH"
        ).metadata,
    )
    kustomize: str | None = field(
        default=None,
        metadata=Flag(
            "kustomize or kubectl to use (default: PORTPROOF_KUSTOMIZE, then PATH, then a pinned download).",
            "PATH",
        ).metadata,
    )
    offline: bool = field(
        default=False,
        metadata=Flag("Never use the network: fetch no chart dependency and no tool.", switch=True).metadata,
    )
    no_cache: bool = field(
        default=False,
        metadata=Flag("Neither read nor keep renderings.", switch=True).metadata,
    )
    quiet: bool = field(
        default=False,
        metadata=Flag(
            "Print findings and what was not checked, and nothing else: no progress, no hints, no count.",
            switch=True,
            short="-q",
        ).metadata,
    )
    values: tuple[str, ...] | None = field(
        default=None,
        metadata=Flag(
            "Check the one chart that PATH names with these values files, and no others. Can be repeated; the last wins.",
            "FILE",
            many=True,
            short="-f",
            verbatim=True,
        ).metadata,
    )
    chart_set: tuple[str, ...] | None = field(
        default=None,
        metadata=Flag(
            "Check the chart with this value set over all files, as helm does. Can be repeated.",
            "KEY=VALUE",
            many=True,
            option="--set",
            verbatim=True,
        ).metadata,
    )
    chart_release: str | None = field(
        default=None,
        metadata=Flag("Name of the chart's release.", "NAME", option="--release").metadata,
    )
    chart_namespace: str | None = field(
        default=None,
        metadata=Flag("Namespace of the chart's release.", "NAME", option="--namespace").metadata,
    )
    kube_version: str | None = field(
        default=None,
        metadata=Flag("Kubernetes version that the chart is rendered for.", "VERSION").metadata,
    )
    base: str | None = field(
        default=None,
        metadata=Flag(
            "Compare with this git revision. `check` then fails only for findings introduced since, and `fix` fixes only those.",
            "REV",
        ).metadata,
    )
    only_new: bool = field(
        default=False,
        metadata=Flag(
            "With --base: leave out the findings that the base has too. `fix` always does.", switch=True
        ).metadata,
    )
    write_baseline: str | None = field(
        default=None,
        metadata=Flag(
            "Record today's findings in a file; with --baseline they no longer fail the check.",
            "FILE",
            only="check",
        ).metadata,
    )
    what_if: bool = field(
        default=False,
        metadata=Flag(
            "Also try the values of charts: switch every optional part on, move every port.",
            switch=True,
        ).metadata,
    )
    strict: bool = field(
        default=False,
        metadata=Flag(
            "Exit with 1, too, if anything was skipped or unread.", switch=True, only="check"
        ).metadata,
    )
    shard: str | None = field(
        default=None,
        metadata=Flag(
            "Check only the I-th of N parts of the targets; `portproof merge` joins the JSON reports.",
            "I/N",
            only="check",
        ).metadata,
    )
    costs: str | None = field(
        default=None,
        metadata=Flag(
            "With --shard: balance the parts by the seconds in this JSON report of an earlier check.",
            "FILE",
            only="check",
        ).metadata,
    )
    timings: bool = field(
        default=False,
        metadata=Flag("Print where the time went, on standard error.", switch=True).metadata,
    )
    show_rendered: bool = field(
        default=False,
        metadata=Flag(
            "In text: also show the rendered object behind each finding, around the field; secrets are masked.",
            switch=True,
            only="check",
        ).metadata,
    )
    fail_on: str | None = field(
        default=None,
        metadata=Flag(
            "Exit with 1 if a finding is at or above this severity (default: error).",
            choices=FAIL_ON,
            only="check",
        ).metadata,
    )


AD_HOC = ("values", "chart_set", "chart_release", "chart_namespace", "kube_version")
"""What is said of the one chart that is named, for this run only."""

FLAGS: Mapping[str, Flag] = {one.name: one.metadata["flag"] for one in fields(Flags)}
"""The options of the command line, by the names of their fields."""


def option_of(name: str) -> str:
    """How a flag is written on the command line: ``--fail-on``."""
    return FLAGS[name].option or f"--{name.replace('_', '-')}"


@dataclass(frozen=True, slots=True)
class Given:
    """What a command line gave, as it was typed: for hints that repeat it."""

    paths: tuple[str, ...] = ()
    flags: Flags = field(default_factory=Flags)

    def fix(self, *options: str) -> str:
        """The ``portproof fix`` for the same paths and options, quoted for a shell; with more `options`."""
        import shlex  # noqa: PLC0415 - the command line is read before anything is loaded

        paths = [f"./{path}" if path.startswith("-") else path for path in self.paths]
        return shlex.join(["portproof", "fix", *self._options(), *paths, *options])

    def _options(self) -> Iterator[str]:
        for name, flag in FLAGS.items():
            value = getattr(self.flags, name)
            if (
                flag.only or not value or name in ("only_new", "timings")
            ):  # what `fix` does anyway, and what is about one run
                continue
            option = option_of(name)
            if flag.switch:
                yield option
                continue
            texts = value if flag.verbatim else (",".join(value) if flag.many else str(value),)
            for text in texts:
                yield from ([f"{option}={text}"] if text.startswith("-") else [option, text])
