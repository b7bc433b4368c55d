"""How far the checkout of a run is trusted with the network."""

from __future__ import annotations

import pytest

from portproof.action.check import Trust, trust
from portproof.action.configured import Choice
from portproof.action.event import Event, OtherEvent, PullEvent

FORK = PullEvent(1, "a" * 40, "b" * 40, fork=True)
BRANCH = PullEvent(1, "a" * 40, "b" * 40, fork=False)
OWN = Choice(None, own=True)
BASES = Choice(None)


@pytest.mark.parametrize("event", [BRANCH, OtherEvent("push"), OtherEvent("pull_request_target")])
@pytest.mark.parametrize("choice", [OWN, BASES])
def test_who_can_push_to_the_repository_is_trusted_with_what_the_configuration_allows(
    event: Event, choice: Choice
) -> None:
    assert trust(event, choice) == Trust(offline=False, untrusted=False)


def test_a_fork_fetches_only_from_hosts_that_the_bases_configuration_names() -> None:
    assert trust(FORK, BASES) == Trust(offline=False, untrusted=True)


def test_a_fork_whose_configuration_may_be_its_own_fetches_nothing() -> None:
    assert trust(FORK, OWN) == Trust(offline=True, untrusted=True)


def test_a_pull_request_counts_as_a_forks_unless_it_is_known_to_be_none() -> None:
    assert trust(PullEvent(1, "a" * 40, "b" * 40), BASES).untrusted
