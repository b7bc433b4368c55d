"""Whether a proven fix can be applied without a second look; ``docs/fixes.md`` tells users the same.

A proof says that the finding is gone and that no new one came. It does not say that it works now: a declaration moves and
the program stays where it is, a Service's port moves and callers that nobody rendered do not. A fix is safe when all that
changes is on the broken edge itself, and no number or name moves that a program, a caller or an operator relies on.

`decision.risks` decides. The other modules say who relies on what: `program` listens, `callers` ask, `scheme` is how the two
talk, `sharing` is what else reads the edited text, `elsewhere` is what works in other targets.
"""
