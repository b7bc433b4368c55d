"""What a comment and the summary say of a finding: prose in which everything that a stranger named is a code span."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

from portproof.report.links import Links
from portproof.report.model import Effect, Fix, Location, Related, Result, TextEdit
from portproof.report.safe import (
    LONGEST_RUN,
    address_of,
    code_span,
    discreet,
    fenced,
    longest_run,
    one_line,
    shortened,
    stripped,
)
from portproof.report.summary_line import field_of, listed
from portproof.rules import find, is_known
from portproof.rules.base import Trait

_SPAN = re.compile(r"(?<![^ ])(\(*)`([^`]+)`([).,:;]*)(?![^ ])")
"""A code span that is a word of its own: one beside another would join its backticks with the other's."""

_WORD = re.compile(r"[A-Za-z]+(?:[-'][A-Za-z]+)*\Z")
_HEX = re.compile(r"(?<![A-Za-z])[0-9a-fA-F]{7,}(?![A-Za-z])")
_PATCH = 6_000
_DIFF_LINE = (" ", "+", "-", "@@ ", "diff --git ", "\\")
_ENDS = 4
_EFFECTS = 10
_RISKS = 3
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "Job", "CronJob"})


def code(text: str, limit: int = 200) -> str:
    """A code span."""
    return code_span(text, limit)


def prose(text: str, limit: int = 700) -> str:
    """A message as Markdown: plain words stay, names, numbers and all else become code spans; what is one, stays one."""
    plain = shortened(one_line(stripped(text, keep="\n\r\t\v\f")), limit)
    parts, at = [], 0
    for span in _SPAN.finditer(plain):
        parts += [_words(plain[at : span.start()]), span[1], code(span[2]), span[3]]
        at = span.end()
    return "".join((*parts, _words(plain[at:])))


def reached(result: Result, fix: Fix) -> str:
    """What the fix achieves: ``Service/backend-v1 reaches Deployment/backend-v1 on 8080``, or that the finding is gone."""
    service = result.resource
    others = [one.resource for one in result.related if one.resource.kind in _WORKLOADS]
    if (
        service is None
        or not is_known(result.rule)
        or Trait.REACHES_PODS not in find(result.rule).traits
        or not others
    ):
        return "this finding is gone"
    changed = [one.after for one in fix.effects if (one.resource, one.field) == (service, result.field)]
    port = changed[0] if changed else result.value
    on = "" if port is None else f" on {code(str(port))}"
    return f"{code(str(service))} reaches {code(str(others[0]))}{on}"


def fix_told(result: Result, fix: Fix, links: Links | None) -> dict[str, str]:
    """A fix that stands elsewhere: where and what (``lead``), what proves it (``proof``), and its ``patch``."""
    where = ", ".join(link(edit, links) for edit in fix.edits[:3])
    return {
        "lead": f"Fix at {where}: {prose(fix.description)}. ",
        "proof": proof(result, fix),
        "patch": _patch(fix.patch),
    }


def _patch(patch: str) -> str:
    """The patch in a fence; not one with a password in it or near it.

    No line of it may begin like a mark, which a report from elsewhere could try.
    """
    if (
        len(patch) > _PATCH
        or longest_run(patch) > LONGEST_RUN
        or discreet(patch) != patch
        or not all(line.startswith(_DIFF_LINE) for line in patch.splitlines())
    ):
        return "Not shown here: `portproof fix` prints it."
    return fenced(patch, "diff")


def other_told(result: Result, fix: Fix, links: Links | None) -> str:
    """A further fix in one line; without one that anything speaks for, it is only what could be done."""
    where = ", ".join(link(edit, links) for edit in fix.edits[:2])
    also = _also(fix)
    changes = f" It also changes {also}." if also else ""
    if not fix.is_safe:
        why = " ".join(f"{prose(capital(text))}." for _, text in fix.risks[:_RISKS])
        return f"Unsafe: {prose(fix.description)}, at {where}. {why}{changes}"
    lead = "Alternative, also proven" if has_safe_fix(result) else "Possible fix, proven"
    return f"{lead}: {prose(fix.description)}, at {where}.{changes}"


def has_safe_fix(result: Result) -> bool:
    """Whether the best fix can be applied without a second look."""
    return result.fix is not None and result.fix.is_safe


def capital(clause: str) -> str:
    """A clause as the beginning of a sentence; what names an object begins with a capital letter already."""
    return clause[:1].upper() + clause[1:]


def rule_told(rule: str, links: Links | None) -> str:
    """Where the rule is explained."""
    name = code(rule)
    page = f"[{name}]({links.rules}#{quote(rule, safe='')})" if links and links.rules else name
    return f"Rule {page}: {code(f'portproof explain {rule}')} explains it."


def proof(result: Result, fix: Fix) -> str:
    """What rendering again with the fix has shown."""
    also = _also(fix)
    return f"Rendered again with this change: {reached(result, fix)}; {f'it also changes {also}' if also else 'nothing else changed'}."


def _also(fix: Fix) -> str:
    """What a fix changes besides the fields that it is about; empty for nothing."""
    effects = dict.fromkeys(_effect(one) for one in fix.effects if not one.intended)
    return listed(tuple(effects), _EFFECTS)


def _effect(effect: Effect) -> str:
    before, after = (
        "nothing" if one is None else code(str(one), 60) for one in (effect.before, effect.after)
    )
    return f"{code(field_of(effect.resource, effect.field))} ({before} → {after})"


def ends(result: Result, links: Links | None) -> Iterator[str]:
    """Both ends of the mismatch, each with its place in the head."""
    subject = code(field_of(result.resource, result.field) or result.rule)
    value = "" if result.value is None else f" is {code(str(result.value))}"
    if result.location is None:
        yield f"{subject}{value}; the line to edit is unknown"
    else:
        hint = "" if result.location.proof == "proven" else " (best guess, not proven)"
        said = "the change" if result.is_elsewhere else f"{subject}{value}"
        yield f"{link(result.location, links)}: {said}{hint}"
    yield from (_related(one, links) for one in result.related[:_ENDS])
    if len(result.related) > _ENDS:
        yield f"and {len(result.related) - _ENDS} more places"
    if len(result.targets) > 1:
        yield f"in {len(result.targets)} targets: {listed(tuple(map(code, result.targets)))}"


def _related(related: Related, links: Links | None) -> str:
    where = (
        link(related.location, links) if related.location else code(field_of(related.resource, related.field))
    )
    return f"{where}: {prose(related.message)}"


def link(place: Location | TextEdit, links: Links | None) -> str:
    """A place as a link to its line; without an address as it is written."""
    if links is None:
        return code(f"{place.path}:{place.line}")
    known = links.has_line(place.path, place.line)
    shown = f"{place.path}:{place.line}" if known else place.path
    address = f"{links.web}/blob/{links.head}/{address_of(place.path)}"
    return f"[{code(shown)}]({address}{f'#L{place.line}' if known else ''})"


def _words(text: str) -> str:
    return " ".join(_word(word) for word in text.split(" "))


def _word(word: str) -> str:
    bare = word.lstrip("(")
    core = bare.rstrip("),.;:")
    before, after = word[: len(word) - len(bare)], bare[len(core) :]
    if not core:
        return before + after
    if len(core) > 2 and core[0] == core[-1] == "'":
        return f"{before}{code(core[1:-1])}{after}"
    if _WORD.match(core) and not _HEX.search(core):
        return word
    return f"{before}{code(core)}{after}"
