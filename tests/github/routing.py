"""How an endpoint is declared, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeAlias, TypeVar

from tests.github.shapes import Shapes
from tests.github.state import Identity, Json, Level, Limits, Pull, Refusal, Repository, Token

FORBIDDEN = "Resource not accessible by integration"
T = TypeVar("T")


@dataclass
class World:
    """The state that every endpoint sees."""

    shapes: Shapes
    storage: str
    limits: Limits = field(default_factory=Limits)
    repositories: dict[str, Repository] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    media: str = "application/json; charset=utf-8"


@dataclass
class Call:
    """One request, authenticated and matched."""

    world: World
    token: Token | None
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]
    params: dict[str, str]

    @property
    def shapes(self) -> Shapes:
        return self.world.shapes

    @property
    def limits(self) -> Limits:
        return self.world.limits

    @property
    def who(self) -> Identity:
        if self.token is None:
            raise Refusal(401, "Requires authentication")
        return self.token.identity

    @cached_property
    def repository(self) -> Repository:
        found = self.world.repositories.get(f"{self.params['owner']}/{self.params['repo']}")
        if found is None or (found.private and (self.token is None or (found.parent and self.who.app))):
            raise Refusal(404, "Not Found")  # an installation sees its own repository, not the forks
        return found

    @cached_property
    def pull(self) -> Pull:
        return self.repository.open(int(self.params.get("pull_number") or self.params["issue_number"]))

    def number(self, name: str) -> int:
        return int(self.params[name])

    def needs(self, level: Level, names: tuple[str, ...]) -> None:
        """Refuses a token without the permission. What is public can be read by all."""
        if level == "read" and not self.repository.private:
            return
        if self.token is None:
            raise Refusal(401, "Requires authentication")
        if names and not self.token.may(level, *names):  # metadata can always be read
            raise Refusal(403, FORBIDDEN)

    def asks_for(self, kind: str) -> bool:
        accept = self.headers.get("accept", "")
        return accept.startswith("application/vnd.github") and kind in accept.partition("+")[0].split(".")

    def page(self, items: list[T], cap: int | None = None, size: int = 30) -> Page[T]:
        """30 at a time, at most 100, with Link headers of our own base."""
        size = min(max(int(self.query["per_page"]), 1), 100) if "per_page" in self.query else size
        page = max(int(self.query.get("page", "1")), 1)
        items = items[:cap]
        last = max(1, -(-len(items) // size))
        rest = "".join(f"{key}={value}&" for key, value in self.query.items() if key != "page")
        pages = {"prev": page - 1, "first": 1} if page > 1 else {}
        pages |= {"next": page + 1, "last": last} if page < last else {}
        links = [
            f'<{self.shapes.api}{self.path}?{rest}page={where}>; rel="{name}"'
            for name, where in pages.items()
        ]
        return Page(
            items[(page - 1) * size : page * size], {"Link": ", ".join(links)} if links else {}, len(items)
        )


@dataclass(frozen=True)
class Page(Generic[T]):
    items: list[T]
    headers: dict[str, str]
    total: int


Handler: TypeAlias = Callable[[Call], Answer]


@dataclass(frozen=True)
class Route:
    handler: Handler
    permissions: tuple[str, ...]


ROUTES: dict[tuple[str, str], Route] = {}


def route(method: str, template: str, *permissions: str) -> Callable[[Handler], Handler]:
    """Declares an endpoint; any one of the permissions will do, to write for any other method than GET."""

    def declare(handler: Handler) -> Handler:
        ROUTES[method, template] = Route(handler, permissions)
        return handler

    return declare


def units(text: str) -> int:
    """Length as GitHub counts it: UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def too_long(text: str, limits: Limits) -> bool:
    return units(text) > limits.body


def invalid(resource: str, field_name: str, code: str, message: str) -> Json:
    return {"resource": resource, "code": code, "field": field_name, "message": message}
