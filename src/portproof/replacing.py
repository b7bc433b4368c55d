"""``replace``: a copy with other values in some fields, of a struct as of a dataclass."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

__all__ = ["replace"]

if TYPE_CHECKING:
    # mypy checks the names and types of the changes, for structs, too; those of `structs.replace` would be Any.
    from dataclasses import replace
else:

    def replace(one: Any, /, **changes: Any) -> Any:
        """See ``dataclasses.replace``."""
        if isinstance(one, Struct):
            return structs.replace(one, **changes)
        return dataclasses.replace(one, **changes)
