"""A chart, overlay or manifest cannot be rendered.

What cannot be rendered cannot be checked, and it cannot be installed either. The
message holds helm's or kustomize's own words, and the place is the line that
the tool names (`hinted`: nobody can render again to prove it).

It is a **warning** when a chart refuses its own defaults on purpose, with
`required` or a guarded `fail`: such a chart needs values, and is checked as soon
as `portproof.yaml` names a values file for it::

    charts:
      - path: charts/backend
        values: [ci/values.yaml]

Silent about targets whose rendering was impossible for a reason that is
nobody's mistake, such as a dependency that is not vendored: these are listed as
`skipped`, with the reason, in every format.
"""

from __future__ import annotations

from portproof.rules.base import Severity, rule

# The finding comes from the renderer, not from a port graph: assemble makes it.
RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=lambda _graph: ())
