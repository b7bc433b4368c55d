"""A change ends the check of a chart, overlay or manifest.

The base revision was checked. After the change the files are still here, but they cannot be rendered any longer, are no
longer found, or `exclude` in `portproof.yaml` leaves them out.

Why it matters:

A broken port in them would pass unseen from now on. Often the deployment breaks as well: `kubectl apply -k`, Argo CD and
Flux need the file that is missing.

Severity:

* **error**: always.

Fix:

No. Bring the file back, vendor what is remote, or suppress the finding if the check is meant to end.

Bad (the overlay was checked before)::

    # overlays/prod/kustomization.yaml
    resources:
      - https://github.com/example/platform//web?ref=main

Good (what it builds on is in the repository)::

    # overlays/prod/kustomization.yaml
    resources:
      - ../../base

Not reported when:

* there is no base to compare with (`--base`, or a pull request in the action).
* a folder is removed as a whole, or renamed: what is left of it is checked as before.
* the target did not render in the base either.
* the target fails to render now, which is a `render-failed` finding.
* another chart or kustomization reads the files now.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from portproof.discover.model import Target
from portproof.rules.base import Severity, rule
from portproof.source import RelPath

# The finding comes from two discoveries, not from a port graph: assemble makes it, and says what is said here.
RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=lambda _graph: ())


class UncheckedTarget(Struct, frozen=True):
    """A target of the base that is not checked any longer, the path of the change that did it, and why.

    `path` is a file, a link, or the folder that lost the file; of a file that is the configuration, `line` is that of
    the entry. The `reason` completes "is no longer checked: ...".
    """

    target: Target
    path: RelPath
    reason: str
    line: int = 1


def message(names: Sequence[str], reason: str) -> str:
    """The message about targets, by their ids, that one change took out of the check for one reason."""
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    return f"This change ends the check of {names[0]}{more}: {reason}. Broken ports in it would pass unseen."
