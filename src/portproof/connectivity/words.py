"""What a run says on standard error of the tests that it writes: once for each reason, not for each port."""

from __future__ import annotations

from collections.abc import Iterator

from portproof.connectivity.model import Plan
from portproof.portmap import words
from portproof.report.summary_line import plural


def left_out(plan: Plan) -> Iterator[str]:
    """A line for each reason, and for each thing that takes a test's pod for one of its own."""
    yield from words.left_out(((one.what, one.reason) for one in plan.skipped), "not tested")
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
