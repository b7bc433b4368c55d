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

from portproof.rules.base import Severity, rule

# The finding comes from the run as a whole, not from a port graph: assemble makes it.
RULE = rule(__name__, __doc__, severity=Severity.NOTE, check=lambda _graph: ())
