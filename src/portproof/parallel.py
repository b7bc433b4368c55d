"""The same work for many items, several at a time; what comes of it is in the order of the items."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from portproof import process

_In = TypeVar("_In")
_Out = TypeVar("_Out")

Progress = Callable[[str, int, int], None]
"""Is given what is done (``rendered``), with how many, and of how many: of targets, or once they are rendered of findings."""

AHEAD = 256
"""Items that are begun or wait at a time: each takes a kilobyte by waiting. So many keep every thread busy beside a slow one."""


def silent(_what: str, _done: int, _total: int) -> None:
    """Progress that nobody looks at."""


def each(
    pool: ThreadPoolExecutor,
    work: Callable[[_In], _Out],
    items: Sequence[_In],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[_Out]:
    """Map over `items` in parallel; results in the order of `items`. The first error stops what has not begun."""
    results: list[_Out] = []
    left = iter(items)
    begun = deque(pool.submit(work, item) for item in islice(left, AHEAD))
    try:
        while begun:
            results.append(begun[0].result())
            begun.popleft()
            begun.extend(pool.submit(work, item) for item in islice(left, 1))
            progress(len(results), len(items))
    except BaseException:  # an interrupt too: the pool waits for what is running
        process.kill_all()
        raise
    finally:
        for future in begun:
            future.cancel()
    return results
