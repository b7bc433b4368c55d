"""An ignore that does nothing: it has no finding, no reason, or no rule.

Findings are suppressed on purpose in four ways: by entries of `ignore` in
`portproof.yaml`, by comments, by the annotation `portproof/ignore` of an object, and by
the baseline. A comment looks like
`# portproof: ignore[service-selector] the operator labels the pods`.

The rule reports each of them that no finding matches any longer. It also reports comments
and annotations that suppress nothing: without a reason, without a rule, with `*`, or with
a rule that doesn't exist.

Why it matters:

Each ignore is a promise that somebody has looked. When the finding is gone, the promise
should go too: the next finding at that place is another one.

Severity:

* **note**: always.

Fix:

No. Remove the ignore, or complete it. To renew all known findings of the baseline, run
`portproof check --write-baseline FILE`.

Not reported when:

* a target that the ignore could apply to can't be rendered or isn't checked.
* the rule that the ignore names doesn't run.
* `--base` is given, which renders only what changed: no ignore is called unused then.
* `--select` is given: no ignore is called unused then.
* the entry only names a rule in `select` or `ignore`, or sets its `severity`: these say
  what runs.
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
