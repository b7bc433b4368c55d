"""Configuration -> what is asked of every rendering."""

from __future__ import annotations

from portproof.config import OFF, Config
from portproof.graph.model import MatchBy, Relation
from portproof.graph.references import ReferenceKind
from portproof.rules import find, known
from portproof.rules.evaluate import RuleSet
from portproof.rules.listing import listed
from portproof.rules.severity import Severity


def selected_rules(config: Config) -> RuleSet:
    """The rules that run, their severities, and the references of the configuration.

    Raises `UsageError` for a rule that does not exist.
    """
    chosen = {known(name).id for name in config.select} or {one.id for one in listed()}
    chosen -= {known(name).id for name in config.ignore}
    chosen -= {name for name, severity in config.severity.items() if severity == OFF}
    severities = {name: Severity(one) for name, one in config.severity.items() if one != OFF}
    return RuleSet(tuple(find(name) for name in sorted(chosen)), references(config), severities)


def references(config: Config) -> tuple[ReferenceKind, ...]:
    """The references that the configuration adds to the built-in ones."""
    return tuple(
        ReferenceKind(
            Relation.CUSTOM,
            one.groups,
            one.kinds,
            one.at,
            service=one.service,
            namespace=one.namespace,
            port=one.port,
            by=MatchBy(one.by),
            default=one.default,
            protocol=one.protocol,
            host=one.host,
            typed=False,
        )
        for one in config.references
    )
