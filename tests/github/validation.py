"""Requests and answers against GitHub's published OpenAPI description.

Requests are held to more than GitHub holds them to: a key or a query parameter that the description does not know is
refused, so that a typo of ours shows.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.github.state import Json, Refusal

DATA = Path(__file__).with_name("data") / "openapi.json"
NAME = "urn:openapi"
# What any operation may answer, whether or not its description says so.
ANYWHERE = {400, 401, 403, 404, 406, 422, 429}
FORMATS = FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def is_date_time(value: object) -> bool:
    return not isinstance(value, str) or (bool(datetime.fromisoformat(value)) and "T" in value)


@FORMATS.checks("uri")
def is_uri(value: object) -> bool:
    return not isinstance(value, str) or "://" in value


@dataclass
class Operation:
    """One method of one path."""

    method: str
    template: str
    pattern: re.Pattern[str]
    query: dict[str, Draft202012Validator]
    body: Draft202012Validator | None
    body_required: bool
    answers: dict[int, Draft202012Validator | None] = field(default_factory=dict)


@dataclass
class OpenApi:
    """The description, ready to match and to check."""

    operations: tuple[Operation, ...]
    error: Draft202012Validator

    def match(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        for one in self.operations:
            if one.method == method and (found := one.pattern.fullmatch(path)):
                return one, found.groupdict()
        return None

    def check_answer(self, operation: Operation, status: int, body: Any) -> Iterator[str]:
        where = f"{operation.method} {operation.template} -> {status}"
        if status not in operation.answers and status not in ANYWHERE:
            yield f"{where}: not in the description"
            return
        validator = operation.answers.get(status, self.error)
        if validator is None:
            if body is not None:
                yield f"{where}: has a body"
            return
        for error in validator.iter_errors(body):
            yield f"{where}: {error.json_path}: {error.message[:300]}"


def check_request(operation: Operation, query: dict[str, str], body: Any) -> None:
    """Refuses what the description does not know, in the words of GitHub's own strict endpoints."""
    if isinstance(body, bytes):
        raise Refusal(400, "Problems parsing JSON")
    for name, value in query.items():
        if name not in operation.query:
            raise Refusal(422, f'Invalid request.\n\n"{name}" is not a permitted parameter.')
        forms = [value, int(value)] if value.isdecimal() else [value]
        if not any(operation.query[name].is_valid(one) for one in forms):
            raise Refusal(422, f"Invalid request.\n\nFor 'query/{name}', {value!r} is not allowed")
    if operation.body is None:
        if body is not None:
            raise Refusal(422, "Invalid request.\n\nA body is not permitted.")
        return
    if body is None and not operation.body_required:
        return
    for error in operation.body.iter_errors(body):
        place = "/".join(str(one) for one in error.absolute_path)
        if error.validator == "additionalProperties":
            unknown = sorted(set(error.instance) - set(error.schema["properties"]))
            named = ", ".join(f'"{one}"' for one in unknown)
            raise Refusal(422, f"Invalid request.\n\nFor '{place}', {named} is not a permitted key.")
        raise Refusal(422, f"Invalid request.\n\nFor '{place}', {error.message[:200]}.")


@cache
def load() -> OpenApi:
    document = json.loads(DATA.read_text(encoding="utf-8"))
    components = translated(document["components"])
    registry: Registry[Any] = Registry().with_resource(
        NAME, DRAFT202012.create_resource({"components": components})
    )

    def validator(schema: Json) -> Draft202012Validator:
        return Draft202012Validator(located(translated(schema)), registry=registry, format_checker=FORMATS)

    def resolved(value: Json) -> Json:
        if "$ref" not in value:
            return value
        _, _, group, name = value["$ref"].split("/")
        found: Json = document["components"][group][name]
        return found

    operations = []
    for template, methods in document["paths"].items():
        for method, described in methods.items():
            parameters = [resolved(one) for one in described.get("parameters", [])]
            body = described.get("requestBody", {})
            schema = body.get("content", {}).get("application/json", {}).get("schema")
            operations.append(
                Operation(
                    method.upper(),
                    template,
                    pattern(template, parameters),
                    {one["name"]: validator(one["schema"]) for one in parameters if one["in"] == "query"},
                    validator(closed(resolved(schema))) if schema else None,
                    body.get("required", False),
                    {
                        int(code): answer(resolved(one), validator)
                        for code, one in described["responses"].items()
                    },
                )
            )
    return OpenApi(tuple(operations), validator({"$ref": "#/components/schemas/basic-error"}))


def answer(described: Json, validator: Any) -> Draft202012Validator | None:
    content = described.get("content", {}).get("application/json")
    made: Draft202012Validator | None = validator(content["schema"]) if content else None
    return made


def pattern(template: str, parameters: list[Json]) -> re.Pattern[str]:
    wide = {one["name"] for one in parameters if one.get("x-multi-segment")}
    whole = {one["name"] for one in parameters if one.get("schema", {}).get("type") == "integer"}

    def part(found: re.Match[str]) -> str:
        name = found[1]
        return f"(?P<{name}>{r'[0-9]+' if name in whole else '.*' if name in wide else '[^/]+'})"

    return re.compile(re.sub(r"\\{(\w+)\\}", part, re.escape(template)))


def translated(schema: Any) -> Any:
    """OpenAPI 3.0's `nullable` in the words of JSON Schema."""
    if isinstance(schema, list):
        return [translated(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {
        key: translated(one) for key, one in schema.items() if key not in {"nullable", "discriminator", "xml"}
    }
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain


def located(schema: Any) -> Any:
    if isinstance(schema, list):
        return [located(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: NAME + one if key == "$ref" else located(one) for key, one in schema.items()}


def closed(schema: Any) -> Any:
    """The schema of a request, with no room for keys that it does not name."""
    schema = copy.deepcopy(schema)
    todo = [schema]
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            if "properties" in one and one.get("type") == "object":
                one.setdefault("additionalProperties", False)
            todo += one.values()
        elif isinstance(one, list):
            todo += one
    return schema
