"""What a run says on standard error of the tests that it writes: once for each reason, not for each port."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from portproof.connectivity.model import Plan
from portproof.report.summary_line import listed, plural

MANY = 4
"""What has the same reason is named up to this number; the rest is counted."""


def left_out(plan: Plan) -> Iterator[str]:
    """A line for each reason, and for each thing that takes a test's pod for one of its own."""
    groups: dict[str, list[str]] = defaultdict(list)
    for one in plan.skipped:
        groups[one.reason].append(one.what)
    for reason, several in groups.items():
        yield f"not tested: {listed(tuple(several), MANY)}: {reason}"
    for pod in plan.pods:
        for note in pod.notes:
            yield f"note: the test of {pod.caller} ({pod.environment}): {note}"


def summary(plan: Plan) -> str:
    """How much is tested."""
    environments = sorted({one.environment for one in plan.pods})
    several = (
        f" of {len(environments)} environments ({', '.join(environments)})" if len(environments) > 1 else ""
    )
    return f"{plural(len(plan.edges), 'edge')} in {plural(len(plan.pods), 'test')}{several}"
