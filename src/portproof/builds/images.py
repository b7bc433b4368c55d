"""Which Dockerfile of the tree builds an image, if that is certain."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from posixpath import normpath
from threading import Lock

from portproof.builds import dockerfile, recipes
from portproof.builds.dockerfile import Stage
from portproof.builds.model import BuiltImage, ContextFile
from portproof.builds.recipes import Recipe
from portproof.discover.builders import is_builder, is_dockerfile
from portproof.discover.walk import EscapeError, resolve
from portproof.replacing import replace
from portproof.source import RelPath, Tree, is_within, join

MAX_FILES = 500
"""Dockerfiles and descriptions that are read; nothing is known of a tree with more."""
MAX_COPIED = 20
"""Files of one image that are looked at."""

_SETTINGS = re.compile(r"[\w.-]*\.conf|[\w.-]*\.conf\.template|Caddyfile|application\.(?:ya?ml|properties)")
_OF_JAVA = ("src/main/resources/application.properties", "src/main/resources/application.yml",
            "src/main/resources/application.yaml")  # fmt: skip
"""Where Maven and Gradle take the settings from that they put into the jar."""


@dataclass(frozen=True)  # no slots: what is found out once is kept
class Builds:
    """The images that `tree` builds; `files` are its Dockerfiles and the descriptions of builds."""

    tree: Tree
    files: tuple[RelPath, ...]
    _known: dict[str, BuiltImage | None] = field(default_factory=dict, compare=False, repr=False)
    _lock: Lock = field(default_factory=Lock, compare=False, repr=False)

    def __call__(self, image: str) -> BuiltImage | None:
        """What builds `image`; None where nothing does, and where several may."""
        name = recipes.name_of(image).lower()
        if not self.files or not name:
            return None
        with self._lock:
            if name not in self._known:
                self._known[name] = self._find(name)
            return self._known[name]

    def before(
        self, changed: Collection[RelPath], texts: Callable[[Collection[RelPath]], Mapping[RelPath, str]]
    ) -> Builds:
        """The same in the base of a change to some files; `texts` gives what those held that were there."""
        own = {one for one in changed if is_builder(one) or _is_settings(one)}
        if not own:
            return self
        old = texts(own)
        overlay = {**self.tree.overlay, **{path: old.get(path, "") for path in own}}
        files = {one for one in self.files if one not in own} | set(filter(is_builder, old))
        return Builds(Tree(self.tree.root, overlay), tuple(sorted(files)))

    def built_anew(self, changed: Collection[RelPath]) -> frozenset[str]:
        """The last parts of the names of images of which a change may say where their programs listen."""
        own = [one for one in changed if is_dockerfile(one) or _is_settings(one)]
        several = (one for some in self._recipes.values() for one in some) if own else ()
        return frozenset(
            name.rpartition("/")[2].lower()
            for one in several
            if any(
                path == one.dockerfile or (_is_settings(path) and is_within(path, one.context))
                for path in own
            )
            for name in one.names
        )

    def _find(self, name: str) -> BuiltImage | None:
        last = name.rpartition("/")[2]
        whole = name in self._pulled  # then an image of the same last part is not meant
        stated = [one for one in self._recipes.get(last, ()) if one.stated and _means(one, name, whole=whole)]
        named = self._stated - {one.dockerfile for one in stated}  # what builds an image of another name
        guessed = [
            one for one in self._recipes.get(last, ()) if not one.stated and one.dockerfile not in named
        ]
        found = stated or ([] if whole or name in self._bases else guessed)
        if not found or len({(one.dockerfile, one.target) for one in (*found, *guessed)}) != 1:
            return None
        mapped = tuple(dict.fromkeys(port for one in (*found, *guessed) for port in one.mapped))
        built = self._read(found[0])
        return None if built is None else replace(built, mapped=mapped)

    @cached_property
    def _recipes(self) -> dict[str, list[Recipe]]:
        """Every recipe by the last part of the names that it gives an image."""
        found: dict[str, list[Recipe]] = defaultdict(list)
        for one in self._all() if len(self.files) <= MAX_FILES else ():
            if one.dockerfile in self._dockerfiles:
                for last in {name.rpartition("/")[2].lower() for name in one.names}:
                    found[last].append(one)
        return dict(found)

    @cached_property
    def _stated(self) -> frozenset[RelPath]:
        """The Dockerfiles of which a description says which image they build."""
        several = (one for some in self._recipes.values() for one in some)
        return frozenset(one.dockerfile for one in several if one.stated)

    @cached_property
    def _dockerfiles(self) -> frozenset[RelPath]:
        return frozenset(filter(is_dockerfile, self.files))

    @cached_property
    def _bases(self) -> frozenset[str]:
        """The images from which others are built here: a container of that name has that one, probably."""
        texts = (self.tree.text_or_none(one) or "" for one in sorted(self._dockerfiles))
        return frozenset(recipes.name_of(base).lower() for text in texts for base in dockerfile.bases(text))

    @cached_property
    def _pulled(self) -> frozenset[str]:
        """The images of which a Compose file says that they come from a registry."""
        texts = ((one, self.tree.text_or_none(one) or "") for one in self.files if not is_dockerfile(one))
        return frozenset(name for path, text in texts for name in recipes.pulled(path, text))

    def _all(self) -> Iterator[Recipe]:
        for path in self.files:
            if not is_dockerfile(path):
                yield from recipes.of_description(path, self.tree.text_or_none(path) or "")
        yield from recipes.of_folders(self._dockerfiles)

    def _read(self, one: Recipe) -> BuiltImage | None:
        stage = dockerfile.last_stage(self.tree.text_or_none(one.dockerfile) or "", one.target)
        if stage is None:
            return None
        return BuiltImage(one.dockerfile, stage, tuple(islice(self._files(one, stage), MAX_COPIED)))

    def _files(self, one: Recipe, stage: Stage) -> Iterator[ContextFile]:
        """The files of settings that the image has from the context, as far as they are copied by their names."""
        for copy in stage.copies:
            for source in copy.sources:
                name = source.rpartition("/")[2]
                if _SETTINGS.fullmatch(name):
                    is_folder = copy.place.endswith("/") or len(copy.sources) > 1
                    place = normpath(f"{copy.place}/{name}" if is_folder else copy.place)
                    yield from self._file(join(one.context, source.lstrip("/")), place)
        for source in _OF_JAVA:
            yield from self._file(join(one.context, source), "")

    def _file(self, path: RelPath | None, place: str) -> Iterator[ContextFile]:
        """A file of the context, unless a link leads out of the tree on the way to it."""
        try:
            found = None if path is None else resolve(self.tree.root, path)
        except EscapeError:
            return
        if path is not None and found is not None and (found.kind == "file" or path in self.tree.overlay):
            text = self.tree.text_or_none(path if path in self.tree.overlay else found.path) or ""
            if len(text) <= recipes.MAX_TEXT:
                yield ContextFile(path, place, text)


def _is_settings(path: RelPath) -> bool:
    return _SETTINGS.fullmatch(path.rpartition("/")[2]) is not None


def _means(one: Recipe, image: str, *, whole: bool) -> bool:
    """Whether a description says this image, in whichever registry where it leaves that open, unless it has to say the `whole`."""
    last = image.rpartition("/")[2]
    meant = (image,) if whole else (image, f"*/{last}", last)
    return any(name.lower() in meant for name in one.names)
