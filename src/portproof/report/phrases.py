"""What a comment and the summary say of a finding: prose in which everything that a stranger named is a code span."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

from msgspec import Struct

from portproof.report.causes import Cause
from portproof.report.environments import where
from portproof.report.links import FIXES, Links, rule_page
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
from portproof.report.wording import parts, words
from portproof.rules import find, is_known
from portproof.rules.base import Trait

_SPAN = re.compile(r"(?<![^ ])(\(*)`([^`]+)`([).,:;]*)(?![^ ])")
"""A code span that is a word of its own: one beside another would join its backticks with the other's."""

_WORD = re.compile(r"[A-Za-z]+(?:[-'][A-Za-z]+)*\Z")
_HEX = re.compile(r"(?<![A-Za-z])[0-9a-fA-F]{7,}(?![A-Za-z])")
_MENTION = re.compile(r"(?<![\w/])[A-Z]\w*/[\w.-]*\w")
"""A resource as messages name it."""

_PORT = re.compile(r"\bport (\d+)\b")
_SENTENCE = 220
_PATCH = 6_000
_DIFF_LINE = (" ", "+", "-", "@@ ", "diff --git ", "\\")
_ENDS = 4
_EFFECTS = 10
_FEW = 2
_RISKS = 3
_PORT_FIELDS = (".targetPort", ".containerPort", ".port")
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "Job", "CronJob"})


class Opening(Struct, frozen=True):
    """The beginning of a comment, in Markdown: `headline`, `cause`, what is folded (`rest`), and questions (`advice`)."""

    headline: str
    cause: str
    rest: tuple[str, ...]
    advice: str


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
    ends = [result.resource, *(one.resource for one in result.related)]
    services = [one for one in ends if one is not None and one.kind == "Service"]
    others = [one for one in ends if one is not None and one.kind in _WORKLOADS]
    reaches = is_known(result.rule) and Trait.REACHES_PODS in find(result.rule).traits
    if not (reaches and services and others):
        return "this finding is gone"
    moved = [one.after for one in fix.effects if one.intended and one.field.endswith(_PORT_FIELDS)]
    on = f" on {code(str(moved[0]))}" if moved else ""
    return f"{code(str(services[0]))} reaches {code(str(others[0]))}{on}"


def opening(result: Result, room: int) -> Opening:
    """How a comment begins: the harm and where it is done, then what led to it, as far as there is `room` for words."""
    told = parts(result.message)
    headline = _headline(result, told.harm) if told.harm else _sentence(result, told.cause[0])
    left = room - words(headline)
    rest = [prose(one, 2_000) for one in (told.cause if told.harm else told.cause[1:])]
    shown = 0
    while shown < len(rest) and (left := left - words(rest[shown])) >= 0:
        shown += 1
    return Opening(
        headline,
        " ".join(rest[:shown]),
        (*rest[shown:], *([f"{prose(capital(told.evidence), 2_000)}"] if told.evidence else [])),
        " ".join(map(prose, told.advice)),
    )


def harm(result: Result) -> str:
    """The harm of one of several findings, in a line."""
    told = parts(result.message)
    return _headline(result, told.harm) if told.harm else _sentence(result, told.cause[0])


def _headline(result: Result, clause: str) -> str:
    """The harm as a sentence: whom it strikes, and in which environment."""
    subject = _struck(result, clause)
    named = _named(clause, subject)
    text = prose(capital(named)) if named else f"{code(subject)}: {prose(clause)}"
    place = where(result.targets, code) if result.resource else ""
    return f"{text} {place}." if place else f"{text}."


def _struck(result: Result, clause: str) -> str:
    """Whom the harm strikes: who is named first in the message; of a port it is the first Service."""
    if result.resource is None:
        return result.targets[0] if result.targets else result.rule
    named = _MENTION.findall(result.message)
    if _PORT.search(clause) or (is_known(result.rule) and Trait.REACHES_PODS in find(result.rule).traits):
        named = [one for one in named if one.startswith("Service/")] or named
    return named[0] if named else str(result.resource)


def _named(clause: str, subject: str) -> str:
    """The clause with the name of whom it strikes; empty where it has no place for one."""
    kind = subject.partition("/")[0]
    patterns = (rf"\bthe {re.escape(kind)}\b", r"(?<=\b(?:to|in) )it\b", r"(?<=\brejects )it\b")
    if kind == "Service" and len(found := _PORT.findall(clause)) == 1:
        return _PORT.sub(lambda _: f"{subject}:{found[0]}", clause)
    for pattern in patterns:
        if len(re.findall(pattern, clause)) == 1:
            return re.sub(pattern, lambda _: subject, clause)
    return ""


def _sentence(result: Result, sentence: str) -> str:
    """A sentence that names no harm, and the environment behind it."""
    place = where(result.targets, code) if result.resource else ""
    text = prose(shortened(sentence, _SENTENCE))
    return f"{text.removesuffix('.')} ({place})." if place else text


def fix_told(result: Result, fix: Fix, links: Links | None) -> dict[str, str]:
    """A fix that stands elsewhere: where and what (``lead``), what proves it (``proof``), and its ``patch``."""
    return {
        "lead": f"{fix_lead(fix, links)} ",
        "proof": proof(result, fix),
        "patch": patch_shown(fix),
    }


def fix_lead(fix: Fix, links: Links | None) -> str:
    """Where a fix stands, and what it does."""
    at = ", ".join(link(edit, links) for edit in fix.edits[:3])
    return f"Fix at {at}: {prose(fix.description)}."


def patch_shown(fix: Fix) -> str:
    """The patch of a fix, in a fence."""
    return _patch(fix.patch)


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
    at = ", ".join(link(edit, links) for edit in fix.edits[:2])
    also = _also(fix)
    changes = f" It also changes {also}." if also else ""
    if not fix.is_safe:
        why = " ".join(f"{prose(capital(text))}." for _, text in fix.risks[:_RISKS])
        unsafe = f"[Unsafe]({FIXES})" if links else "Unsafe"
        return f"{unsafe}: {prose(fix.description)}, at {at}. {why}{changes}"
    lead = "Alternative, also proven" if has_safe_fix(result) else "Possible fix, proven"
    return f"{lead}: {prose(fix.description)}, at {at}.{changes}"


def has_safe_fix(result: Result) -> bool:
    """Whether the best fix can be applied without a second look."""
    return result.fix is not None and result.fix.is_safe


def capital(clause: str) -> str:
    """A clause as the beginning of a sentence; what names an object begins with a capital letter already."""
    return clause[:1].upper() + clause[1:]


def rule_told(rule: str, links: Links | None) -> str:
    """Where the rule is explained."""
    return f"Rule {rule_link(rule, links)}: {code(f'portproof explain {rule}')} explains it."


def rule_link(rule: str, links: Links | None) -> str:
    """The rule, as a link to its page where there are `links`."""
    name = code(rule)
    return f"[{name}]({rule_page(quote(rule, safe=''))})" if links else name


def small_print(cause: Cause, fix: Fix | None, links: Links | None) -> str:
    """The line below: how bad it is, what is proven, the rule, how to suppress all of it."""
    result = cause.lead
    pieces = [result.severity.value]
    if result.resource is not None:  # else it is about a file as a whole, which nobody traces or fixes
        pieces += (
            ["the place is a best guess"] if result.location and result.location.proof != "proven" else []
        )
        pieces.append("no safe fix" if fix is None else f"proven, {_besides(fix)}")
    suppress = code(
        f"# portproof: ignore[{', '.join(dict.fromkeys(one.rule for one in cause.results))}] reason"
    )
    return " · ".join((*pieces, rule_link(result.rule, links), f"suppress: {suppress}"))


def _besides(fix: Fix) -> str:
    also = _others(fix)
    if not also:
        return "nothing else changes"
    return f"also changes {' and '.join(also) if len(also) <= _FEW else f'{len(also)} other things'}"


def proof(result: Result, fix: Fix) -> str:
    """What rendering again with the fix has shown."""
    also = _also(fix)
    return f"Rendered again with the fix: {reached(result, fix)}; {f'it also changes {also}' if also else 'nothing else changed'}."


def _also(fix: Fix) -> str:
    """What a fix changes besides the fields that it is about; empty for nothing."""
    return listed(_others(fix), _EFFECTS)


def _others(fix: Fix) -> tuple[str, ...]:
    """What else a fix changes; of a resource that comes or goes only that."""
    others = [one for one in fix.effects if not one.intended]
    whole = {
        one.resource: f"{code(str(one.resource))} ({'new' if one.before is None else 'gone'})"
        for one in others
        if one.field == "kind" and None in (one.before, one.after)
    }
    return tuple(dict.fromkeys(whole.get(one.resource) or _effect(one) for one in others))


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
    at = (
        link(related.location, links) if related.location else code(field_of(related.resource, related.field))
    )
    return f"{at}: {prose(related.message)}"


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
    core = bare.rstrip("),.;:?")
    before, after = word[: len(word) - len(bare)], bare[len(core) :]
    if not core:
        return before + after
    if len(core) > 2 and core[0] == core[-1] == "'":
        return f"{before}{code(core[1:-1])}{after}"
    if _WORD.match(core) and not _HEX.search(core):
        return word
    return f"{before}{code(core)}{after}"
