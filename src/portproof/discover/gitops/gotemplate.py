"""Go templates as ApplicationSets use them: fields, ``index``, ``if``, and pipes of a few functions of sprig.

What is outside of this subset is not guessed: it raises `TemplateError` with the expression.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

MAX_LENGTH = 64 * 1024
"""Characters of one template, and of what comes of it."""

MAX_ACTIONS = 1000
MAX_NESTED = 20
MAX_INDENT = 100

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>"(?:\\.|[^"\\])*"|`[^`]*`)
    | (?P<number>-?[0-9]+(?:\.[0-9]+)?)(?![\w.])
    | (?P<field>\$?(?:\.[A-Za-z_][A-Za-z0-9_]*)+|\$|\.)(?![\w-])
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)(?![\w.-])
    | (?P<mark>[()|])
    )""",
    re.VERBOSE,
)
_ABSENT = "<no value>"


class TemplateError(Exception):
    """The template does something that is not known here, or Go would reject it; the message shows the expression."""


class _Missing:
    """A key that is not there."""


_MISSING = _Missing()


class _Branch(Struct):
    """One ``if``: whether what is read now counts, and whether a branch of it has counted already."""

    outer: bool
    active: bool
    taken: bool
    last: bool = False


def fill(text: str, data: Mapping[str, Any], missing: str = "") -> str:
    """`text` filled in with `data`; `missing` is the option ``missingkey``. Raises `TemplateError`."""
    if len(text) > MAX_LENGTH:
        raise TemplateError("a template that is too long")
    written: list[str] = []
    stack: list[_Branch] = []
    at, trim = 0, False
    while (start := text.find("{{", at)) >= 0:
        body, end = _action(text, start)
        plain = text[at:start].lstrip() if trim else text[at:start]
        trims_left = body[:1] == "-" and body[1:2].isspace()
        trim = body[-1:] == "-" and body[-2:-1].isspace()
        active = not stack or stack[-1].active
        if active:
            written.append(plain.rstrip() if trims_left else plain)
        body = (body[1:] if trims_left else body).removesuffix("-" if trim else "").strip()
        at = end
        if body.startswith("/*") and body.endswith("*/"):
            continue
        if not _control(body, stack, data, missing) and active:
            written.append(shown(_Expression(body, data, missing).value()))
            if sum(map(len, written[-2:])) > MAX_LENGTH or len(written) > MAX_ACTIONS:
                raise TemplateError("a text that is too long")
    if stack:
        raise TemplateError(f"{_short(text)!r} cannot be read")
    result = "".join((*written, text[at:].lstrip() if trim else text[at:]))
    if len(result) > MAX_LENGTH:
        raise TemplateError("a text that is too long")
    return result


def _action(text: str, start: int) -> tuple[str, int]:
    """What stands in the braces at `start`, and where it ends: texts and comments may have braces of their own."""
    at = start + 2
    while at < len(text):
        if text.startswith("}}", at):
            return text[start + 2 : at], at + 2
        mark = text[at]
        if text.startswith("/*", at):
            at = _after(text, "*/", at + 2)
        elif mark == "`":
            at = _after(text, "`", at + 1)
        elif mark == '"':
            at += 1
            while at < len(text) and text[at] != '"':
                at += 2 if text[at] == "\\" else 1
            at += 1
        else:
            at += 1
    raise TemplateError(f"{_short(text[start:])!r} cannot be read")


def _after(text: str, mark: str, at: int) -> int:
    found = text.find(mark, at)
    return len(text) if found < 0 else found + len(mark)


def shown(value: Any) -> str:
    """A value as Go prints it: numbers of YAML are floats there, a mapping is ``map[k:v]``."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _number(float(value))
        case dict():
            return f"map[{' '.join(f'{key}:{shown(value[key])}' for key in sorted(value))}]"
        case list():
            return f"[{' '.join(map(shown, value))}]"
        case _:
            return _ABSENT


def normalised(name: str) -> str:
    """A name as Argo CD makes it fit for an object: lower case, everything odd a dash (``SanitizeName``)."""
    return re.sub(r"[^-a-z0-9.]", "-", name.lower())[:253].strip("-.")


def _number(value: float) -> str:
    text = f"{value:.17g}" if value != float(repr(value)) else repr(value)
    digits, _, power = f"{value:e}".partition("e")
    if -4 <= int(power) < 21 and abs(value) < 1e6:
        return text.removesuffix(".0")
    shortest = repr(value) if "e" in repr(value) else f"{value:.16e}"
    digits, _, power = (shortest if "e" in shortest else f"{value:e}").partition("e")
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    sign = "-" if power.startswith("-") else "+"
    return f"{digits}e{sign}{power.lstrip('+-').zfill(2)}"


def _control(body: str, stack: list[_Branch], data: Mapping[str, Any], missing: str) -> bool:
    """Whether an action is one of ``if``, ``else`` and ``end``; then it is done."""
    word, _, rest = body.partition(" ")
    if word == "if":
        outer = not stack or stack[-1].active
        active = outer and _true(_Expression(rest, data, missing).value())
        stack.append(_Branch(outer, active, active))
    elif word == "else":
        if not stack or stack[-1].last:
            raise TemplateError(f"{{{{{body}}}}} has no if")
        branch = stack[-1]
        branch.active = branch.outer and not branch.taken
        if rest.strip().startswith("if "):
            condition = rest.strip().removeprefix("if ")
            branch.active = branch.active and _true(_Expression(condition, data, missing).value())
        elif rest.strip():
            raise TemplateError(f"{{{{{_short(body)}}}}} is not followed")
        else:
            branch.last = True
        branch.taken = branch.taken or branch.active
    elif body == "end":
        if not stack:
            raise TemplateError("{{end}} has no if")
        stack.pop()
    elif word in ("range", "with", "define", "template", "block", "break", "continue") or ":=" in body:
        raise TemplateError(f"{{{{{_short(body)}}}}} is not followed")
    else:
        return False
    return True


class _Expression(Struct):
    """A pipeline: ``.a.b | default "x"``; each command is a value, or a function and its arguments."""

    text: str
    data: Mapping[str, Any]
    missing: str
    tokens: list[tuple[str, str]] = field(default_factory=list)
    at: int = 0
    depth: int = 0

    def value(self) -> Any:
        self.tokens = list(self._lexed())
        found = self._pipeline()
        if self.at < len(self.tokens):
            raise self._error()
        return found

    def _lexed(self) -> Iterator[tuple[str, str]]:
        at, text = 0, self.text.strip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None or found.end() == at:
                raise self._error()
            at = found.end()
            kind = str(found.lastgroup)
            yield kind, found[kind]

    def _error(self) -> TemplateError:
        return TemplateError(f"{{{{{_short(self.text)}}}}} is not followed")

    def _pipeline(self) -> Any:
        found = self._command([])
        while self._next() == ("mark", "|"):
            self.at += 1
            found = self._command([found])
        return found

    def _next(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("", "")

    def _command(self, piped: list[Any]) -> Any:
        kind, text = self._next()
        if kind == "name" and text not in ("true", "false", "nil"):
            self.at += 1
            arguments = []
            while self._next()[0] and self._next() not in (("mark", "|"), ("mark", ")")):
                arguments.append(self._operand())
            return self._call(text, [*arguments, *piped])
        if piped:
            raise self._error()
        return self._operand()

    def _operand(self) -> Any:
        kind, text = self._next()
        self.at += 1
        if kind == "text":
            return text[1:-1] if text[0] == "`" else self._quoted(text)
        if kind == "number":
            return float(text) if "." in text else int(text)
        if kind == "field":
            return self._field(text)
        if kind == "name" and text in ("true", "false", "nil"):
            return {"true": True, "false": False}.get(text)
        if (kind, text) == ("mark", "(") and self.depth < MAX_NESTED:
            self.depth += 1
            found = self._pipeline()
            self.depth -= 1
            if self._next() != ("mark", ")"):
                raise self._error()
            self.at += 1
            return found
        raise self._error()

    def _quoted(self, text: str) -> str:
        try:
            return str(json.loads(text))
        except ValueError as error:
            raise self._error() from error

    def _field(self, text: str) -> Any:
        value: Any = self.data
        for key in text.lstrip("$").split("."):
            if not key:
                continue
            if isinstance(value, dict) and key in value:
                value = value[key]
            elif self.missing == "error":
                raise TemplateError(f"{{{{{_short(self.text)}}}}}: there is no {key!r}")
            elif isinstance(value, (dict, _Missing)) or value is None:
                value = _MISSING
            else:
                raise TemplateError(f"{{{{{_short(self.text)}}}}}: {key!r} is asked of a text or list")
        return value

    def _call(self, name: str, arguments: Sequence[Any]) -> Any:
        function = _FUNCTIONS.get(name)
        if function is None:
            raise self._error()
        given = [None if isinstance(one, _Missing) else one for one in arguments]
        try:
            return function(*given)
        except TemplateError:
            raise
        except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
            raise self._error() from error


def _true(value: Any) -> bool:
    return False if isinstance(value, _Missing) else bool(value)


def _index(value: Any, *steps: Any) -> Any:
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, (list, str)) and isinstance(step, int) and 0 <= step < len(value):
            value = value[step]
        else:
            raise IndexError(step)
    return value


def _eq(first: Any, *others: Any) -> bool:
    return any(type(first) is type(one) and first == one for one in others)


def _printf(form: str, *arguments: Any) -> str:
    if re.sub(r"%[sv%]", "", form).count("%"):
        raise ValueError(form)
    left = list(arguments)
    text = re.sub(r"%[sv%]", lambda found: "%" if found[0] == "%%" else shown(left.pop(0)), form)
    if left:
        raise ValueError(form)
    return text


def _replace(old: Any, new: Any, text: Any) -> str:
    if not _text(old) or _text(text).count(old) * len(_text(new)) > MAX_LENGTH:
        raise ValueError(old)
    return _text(text).replace(old, new)


def _text(value: Any) -> str:
    """What a function of Go that wants a text takes."""
    if not isinstance(value, str):
        raise TypeError
    return value


def _pick(*values: Any, until: bool) -> Any:
    return next((one for one in values if bool(one) is until), values[-1])


def _dig(*arguments: Any) -> Any:
    *steps, default, value = arguments
    for step in steps:
        if not isinstance(value, dict) or step not in value:
            return default
        value = value[step]
    return value


_PLAIN = re.compile(r"(?!(?:true|false|yes|no|on|off|null|y|n)\Z)[A-Za-z][\w./-]*", re.IGNORECASE)


def _yaml(value: Any) -> str:
    """A value as YAML of the shape that Go's has (``sigs.k8s.io/yaml``): sorted keys, lists no deeper than their keys."""
    return "\n".join(_yaml_lines(value))


def _yaml_lines(value: Any) -> list[str]:
    if isinstance(value, dict) and value:
        found = []
        for key in sorted(value):
            lines = _yaml_lines(value[key])
            if not (isinstance(value[key], (dict, list)) and value[key]):
                found.append(f"{_yaml(key)}: {lines[0]}")
                continue
            inset = "  " if isinstance(value[key], dict) else ""
            found += [f"{_yaml(key)}:", *(f"{inset}{line}" for line in lines)]
        return found
    if isinstance(value, list) and value:
        return [
            f"{'  ' if number else '- '}{line}"
            for item in value
            for number, line in enumerate(_yaml_lines(item))
        ]
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return [value]
    return [json.dumps(value, ensure_ascii=False)]


def _indent(spaces: int, text: Any) -> str:
    if not 0 <= spaces <= MAX_INDENT or (_text(text).count("\n") + 1) * spaces > MAX_LENGTH:
        raise ValueError(spaces)
    return " " * spaces + _text(text).replace("\n", "\n" + " " * spaces)


def _has_key(value: Any, key: Any) -> bool:
    if not isinstance(value, dict):
        raise TypeError
    return _text(key) in value


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "index": _index,
    "eq": _eq,
    "ne": lambda one, other: not _eq(one, other),
    "and": lambda *values: _pick(*values, until=False),
    "or": lambda *values: _pick(*values, until=True),
    "not": lambda value: not value,
    "len": len,
    "print": lambda *values: "".join(map(shown, values)),
    "printf": _printf,
    "default": lambda default, value=None: value or default,
    "coalesce": lambda *values: _pick(*values, None, until=True),
    "ternary": lambda yes, no, condition: yes if condition else no,
    "empty": lambda value: not value,
    "dig": _dig,
    "hasKey": _has_key,
    "toYaml": _yaml,
    "indent": _indent,
    "nindent": lambda spaces, text: "\n" + _indent(spaces, text),
    "lower": lambda text: _text(text).lower(),
    "upper": lambda text: _text(text).upper(),
    "trim": lambda text: _text(text).strip(),
    "replace": _replace,
    "trimPrefix": lambda part, text: _text(text).removeprefix(part),
    "trimSuffix": lambda part, text: _text(text).removesuffix(part),
    "hasPrefix": lambda part, text: _text(text).startswith(part),
    "hasSuffix": lambda part, text: _text(text).endswith(part),
    "contains": lambda part, text: part in _text(text),
    "quote": lambda value: json.dumps(shown(value), ensure_ascii=False),
    "squote": lambda value: f"'{shown(value)}'",
    "toString": shown,
    "toJson": lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True),
    "normalize": lambda text: normalised(_text(text)),
    "splitList": lambda by, text: _text(text).split(by),
    "join": lambda by, items: by.join(map(shown, items)),
    "first": lambda items: items[0],
    "last": lambda items: items[-1],
    "base": lambda path: posixpath.basename(_text(path).rstrip("/")) or ".",
    "dir": lambda path: posixpath.dirname(_text(path)) or ".",
}


def _short(text: str) -> str:
    return " ".join(text.split())[:100]
