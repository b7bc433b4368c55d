"""A chart, overlay or manifest cannot be rendered.

What cannot be rendered cannot be checked, and it cannot be installed either. The
message holds helm's or kustomize's own words, and the place is the line that
the tool names (`hinted`: nobody can render again to prove it).

It is a **warning** when the chart is not broken but needs values that its own
do not have: it refuses its defaults on purpose, with `required` or a guarded
`fail`; it encodes a credential (`b64enc`) that they leave out; it renders with another of its values files; or several charts read the
same top-level value that none of them has, because a shared file is given to all
of them. Such charts are checked as soon as `portproof.yaml` names the values::

    charts:
      - path: charts/backend
        values: [ci/values.yaml]

Silent about targets whose rendering was impossible for a reason that is
nobody's mistake, such as a dependency that is not vendored, a file that git
ignores, or one that controller-gen or operator-sdk makes in a project of theirs:
these are listed as `skipped`, with the reason, in every format.
"""

from __future__ import annotations

from portproof.rules.base import Severity, rule

# The finding comes from the renderer, not from a port graph: assemble makes it.
RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=lambda _graph: ())
