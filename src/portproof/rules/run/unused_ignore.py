"""An ignore that does nothing: it has no finding, no reason, or no rule.

Findings are left out on purpose by entries of `ignore` in `portproof.yaml`, by
comments (`# portproof: ignore[service-selector] the operator labels the pods`),
by the annotation `portproof/ignore` of an object, and by the baseline. Each of
them is a promise that somebody has looked. When the finding is gone, the
promise should go too: the next finding at that place is another one.

Two more things are told here, because they leave nothing out:

* a comment or annotation without a reason, without a rule, or with `*`;
* one that names a rule which does not exist.

Remove it, or complete it. Known findings of the baseline go all at once with
`portproof check --write-baseline FILE`.

Silent when something that the ignore could be about was not looked at: a target
that cannot be rendered or is not asked for, or a rule that does not run. With
`--base`, which renders only what changed, and with `--select`, nothing is
called unused. Silent about rules in `select` and `ignore` and about `severity`,
which say what runs.
"""

from __future__ import annotations

from collections.abc import Sequence

from portproof.rules.base import Severity, rule

# The finding comes from the run as a whole, not from a port graph: assemble makes it, and says what is said here.
RULE = rule(__name__, __doc__, severity=Severity.NOTE, check=lambda _graph: ())

_FORMS = {
    "comment": "Write it as `portproof: ignore[rule] reason`.",
    "annotation": "Write each of its lines as `rule reason`.",
}


def without_effect(what: str, problem: str) -> str:
    """The message about a ``comment`` or ``annotation`` that has no effect, for that reason."""
    return f"This {what} suppresses nothing: {problem.rstrip('.')}. {_FORMS[what]}"


def without_finding(what: str, rules: Sequence[str], unused: Sequence[str]) -> str:
    """The message about a ``comment``, ``annotation`` or ``entry`` of `rules`, where those `unused` have no finding."""
    names = " or ".join(unused)
    todo = f"this {what}" if len(unused) == len(rules) else f"{' and '.join(unused)} from this {what}"
    return f"Unused ignore: no finding of {names} matches this {what}. Remove {todo}."


def gone(about: str, rules: Sequence[str]) -> str:
    """The message about an entry of the baseline; `about` is what was known, and of which target."""
    return f"{about} no longer has a finding of {' or '.join(rules)}. Remove this entry, or write the baseline again."
