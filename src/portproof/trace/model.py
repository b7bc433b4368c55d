"""Where a field comes from."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from portproof.source import Span


class Proof(Enum):
    """How much is known about a place."""

    PROVEN = "proven"
    HINTED = "hinted"


class Origin(Struct, frozen=True):
    """The text that decides a field.

    PROVEN: another text at `span` and another rendering gave the field exactly that text. HINTED: the best place that
    is known without that. `partners` are further places that have to change together with `span`: a strategic-merge
    patch finds its list entry by the same number or name that the base holds (``kubernetes-ports.md`` calls these the
    hazards of port patches; kustomize#2767). `shared` says that the text shows up elsewhere in the rendering, too.
    """

    span: Span
    text: str
    proof: Proof
    partners: tuple[Span, ...] = ()
    shared: bool = False

    @property
    def is_action(self) -> bool:
        """Whether it is an action of a template: ``{{ .Values.service.port }}``."""
        return self.proof is Proof.PROVEN and self.text.startswith("{{")
