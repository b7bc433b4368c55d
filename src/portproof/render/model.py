"""What rendering gives. `Renderer` is the one seam of the program: tracing, proving and comparing are rendering."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from portproof.discover.model import Target
from portproof.render.affixes import Affix
from portproof.render.patches import Crowded
from portproof.source import RelPath, Tree


class RenderedDocument(Struct, frozen=True):
    """The text of one document and the file of the tree it came from.

    `source` is the template that helm names, the manifest's own file, or None for kustomize, which does not say.
    For a plain manifest, whose text is the source itself, `offset` is where `text` starts in `source` and `line` the
    line (from 1) it starts on; for rendered text `offset` is None. `elsewhere` is the template of a chart that is not in the
    tree, with the chart's name and version.
    """

    text: str
    source: RelPath | None = None
    offset: int | None = None
    line: int = 1
    elsewhere: str = ""


class FailureSite(Struct, frozen=True):
    """The place that a renderer blames: a file of the tree, and line and column from 1 where it names them."""

    path: RelPath
    line: int = 1
    column: int = 1


class RenderFailure(Struct, frozen=True):
    """A target, or one of its files, that could not be rendered: a result, not an exception.

    `message` is one or a few lines in the tool's words, without paths of the machine it ran on. With `demanded` a chart
    demands a value on purpose that it was not given: by ``required`` or a guarded ``fail``, or by encoding a credential.
    `wants` is the top-level value that a template reads and none of the target's values files has, where that is the cause;
    `has` are those that they have. `lacks` is the file or folder that is missing, where that is the cause.
    """

    target: Target
    message: str
    site: FailureSite | None = None
    demanded: bool = False
    seconds: float = 0.0
    wants: str = ""
    has: tuple[str, ...] = ()
    lacks: RelPath = ""


class NotRendered(Struct, frozen=True):
    """A target that cannot be rendered here for a reason that is nobody's mistake, such as a chart to be fetched.

    `missing` is the file that would have to be made first, where that is the reason. `without` says what failed when it was
    rendered without what cannot be had: that may be a reason of its own.
    """

    target: Target
    reason: str
    missing: RelPath = ""
    without: RenderFailure | None = None


class Rendering(Struct, frozen=True):
    """The documents of a target, in the order they were printed; `problems` are files that could not be read.

    `without` says what is not among them because it cannot be had here: a remote base, a chart of a registry. `placeholders`
    are values that nobody gives the chart here, and that were made up; what it says about them is one of the problems. `took`
    says which version of a chart was taken, where that is not written down. `crowded` are ports of one number in patches,
    of which kustomize leaves one; `affixes` are what kustomizations put around names.
    """

    target: Target
    documents: tuple[RenderedDocument, ...]
    problems: tuple[RenderFailure, ...] = ()
    seconds: float = 0.0
    without: tuple[str, ...] = ()
    placeholders: tuple[str, ...] = ()
    took: str = ""
    crowded: tuple[Crowded, ...] = ()
    affixes: tuple[Affix, ...] = ()


Renderer: TypeAlias = Callable[[Target, Tree], "Rendering | RenderFailure | NotRendered"]
