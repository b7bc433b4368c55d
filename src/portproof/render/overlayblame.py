"""Why kustomize failed: its words made readable, and the file and line that has to be edited.

kustomize wraps an error once for every level of bases::

    accumulating resources: accumulation err='accumulating resources from '../base': '/repo/base' must resolve to a
    file': recursed accumulation of path '/repo/base': accumulating resources: … lstat /repo/base/gone.yaml: no such
    file or directory': must build at directory: not a valid directory: … lstat /repo/base/gone.yaml: no such …

The innermost level is the one that counts; the repetition at its end is left out.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections.abc import Iterator

from msgspec import Struct

from portproof import yamldoc
from portproof.discover.model import KUSTOMIZATION_NAMES, KustomizeTarget
from portproof.render import generated
from portproof.render.inflating import INFLATED
from portproof.render.model import FailureSite, NotRendered, RenderFailure
from portproof.render.tool_output import Places, clean, crashed, error_text
from portproof.source import (
    LineIndex,
    RelPath,
    SourceError,
    Tree,
    below,
    is_inside,
    is_within,
    join,
    normalise,
)

_LEVEL = re.compile(r"recursed accumulation of path \\?'([^'\n]{1,1000}?)\\?': ")
_WRAPPING = re.compile(
    r"\A(?:accumulating (?:resources|components): |accumulation err='|loading generator plugins: |loader\.New \\?\"must build at directory: not a valid directory: |accumulateDirectory: \\?\")+"
)
_REPEATED = re.compile(r"': must build at directory: .*", re.DOTALL)
_LSTAT = re.compile(r"evalsymlink failure on '[^'\n]{1,1000}' ?: (?:lstat )?")
_CONFIGURED = re.compile(r"trouble configuring builtin (\w+) with config: `\n.*?\n`: ", re.DOTALL)
_ENTRY = re.compile(r"accumulating resources from '([^'\n]{1,1000})'")
_BAD_TARGET = re.compile(r"couldn't make target for path '([^'\n]{1,1000})': ")
_IN_FILE = re.compile(r"\bin File: ([^\n]{1,1000}?)(?=[\"'\\]*(?:\n|\Z))")
_GONE = re.compile(r"(?<![^\s'\"`])(?:lstat |open |stat )?([^\s'\"`]{1,1000}): no such file or directory")
_WITHOUT = re.compile(r"unable to find one of [^\n]{1,200}? in directory \\?'([^'\n\\]{1,1000})")
_PATCH = re.compile(r"(?:from path\(|\[path: \\?\")([^)\"\\\n]{1,1000})")
_INLINE_PATCH = re.compile(r"\[patch: \\?\"\s*([^\"\\\n]{2,300})")
_MUST_RESOLVE = re.compile(r"'[^'\n]{1,1000}' must resolve to a file': ")
_OBJECT = re.compile(r"/([^\s./\[]{1,253})\.\[noNs\]|\bName:\"([^\"\n]{1,253})\"")
_UNKNOWN_FIELD = re.compile(r"unknown field \\?\"([^\"\\\n]{1,200})")
_NO_MATCH = re.compile(
    r"no matches for Id (?P<kind>[\w-]+)\.[\w.\[\]-]*/(?P<name>[^\s.;]{1,253})(?:\.\[?(?P<namespace>[\w-]{1,63}))?"
)
_NOT_PATCHED = re.compile(rf"{_NO_MATCH.pattern}[^\n]*failed to find unique target for patch")
_NOT_MERGED = re.compile(
    r"merging from generator [^\n]{1,200}?Kind:\\?\"(\w+)\\?\"[^\n]{1,100}?Name:\\?\"([^\"\\]{1,253})\\?\""
    r"(?:, Namespace:\\?\"([^\"\\]{0,253}))?[^\n]{1,200}does not exist"
)
_TWICE = re.compile(
    r"(?:resources from '([^'\n]{1,1000})': )?may not add resource with an already registered id: ([\w-]+)\.[\w.\[\]-]*/([^\s.;']{1,253})"
)
_BASE_AROUND = re.compile(
    r"cycle detected: candidate root '([^'\n]{1,1000})' contains visited root '([^'\n]{1,1000})'"
)
_NO_FIELD = re.compile(
    r"(add|remove|replace) operation does not apply: doc is missing (?:path|key): \\?\"?(/[^\s:\"\\]{1,500})"
    r"|error in (remove) for path: '(/[^'\n]{1,500})'"
)
_UNNAMED_PATCH = re.compile(r"unable to parse SM or JSON patch from \[patch: (\"[^\n]{1,2000}\")\]")
_MADE_ALIKE = re.compile(r"namespace transformation produces ID conflict")
_KIND_IN_JSON = re.compile(r"\\?\"kind\\?\":\\?\"(\w+)\\?\"")
_JSON_PATH = re.compile(
    r"(?:missing path|doc is missing (?:path|key)): \\?\"?(/[^\s:\"\\]{0,500})|error in remove for path: '(/[^'\n]{0,500})'"
)
_ADDING = (
    "resources",
    "bases",
    "components",
    "generators",
    "configMapGenerator",
    "secretGenerator",
    "helmCharts",
    "helmChartInflationGenerator",
)
"""The fields of a kustomization that add objects."""
_YAML_LINE = re.compile(r"\bline (\d{1,9})\b")
_REPEATED_KEY = re.compile(r"mapping key \\?\"([^\"\\\n]{1,200})\\?\" already defined at line")
_QUOTED = re.compile(r"['\"\[]([^'\"\[\]\s]{1,500})['\"\]]")
_PLUGIN = re.compile(r"external plugins disabled; unable to load external plugin '([^'\n]{1,200})'")
_OUTSIDE = re.compile(r"security; file '([^'\n]{1,1000})' is not in or below '([^'\n]{1,1000})'")
_REMOTE = re.compile(r"no 'git' program on path|proxyconnect|dial tcp|https fetch|hit \d+s timeout")


def _beyond_us(text: str) -> str | None:
    """What an overlay needs and portproof does not give to kustomize; None when it is something else."""
    if _REMOTE.search(text):
        return f"it refers to something remote, which is not fetched: {clean(_short(text))}"
    if "must specify --enable-helm" in text:
        return "its helmCharts are not rendered"
    plugin = _PLUGIN.search(text)
    if plugin:
        return f"it needs the plugin {plugin.group(1)}, which portproof does not run"
    outside = _OUTSIDE.search(text)
    if outside:
        return (
            f"it reads {clean(outside.group(1))} from outside the folder {clean(outside.group(2))}, which kustomize "
            "allows only with --load-restrictor LoadRestrictionsNone"
        )
    return None


def _plainly(text: str) -> str | None:
    """The commonest mistakes about objects, in the reader's words rather than in kustomize's; None for any other."""
    patched = _NOT_PATCHED.search(text)
    if patched:
        return f"a patch is for {clean(patched[1])}/{clean(patched[2])}, which no resource there makes"
    merged = _NOT_MERGED.search(text)
    if merged:
        place = f"of namespace {clean(merged[3])}" if merged[3] else "without a namespace"
        return (
            f"a generator merges into {clean(merged[1])}/{clean(merged[2])} {place}, which no resource there makes. Give the "
            "generator the resource's own name and namespace. If it is to make a new one, leave out `behavior: merge`"
        )
    around = _BASE_AROUND.search(text)
    if around:
        base = "the root" if around[1] == "." else clean(around[1])
        return (
            f"{clean(around[2])} lies in {base}, which it includes: kustomize rejects that. Move what they share into a "
            "folder beside the overlays"
        )
    patching = _NO_FIELD.search(text)
    if patching:
        verb, path = patching[1] or patching[3], clean(patching[2] or patching[4])
        if verb == "add":
            return f"a patch adds {path}, and {posixpath.dirname(path)} is not there"
        return f"a patch {verb}s {path}, which is not there"
    unnamed = _UNNAMED_PATCH.search(text)
    if unnamed and _is_nobodys(unnamed[1]):
        return "a patch names no `kind` and `metadata.name`, which kustomize asks for, also beside a `target`"
    if _MADE_ALIKE.search(text):
        kind = _KIND_IN_JSON.search(text)
        return f"its `namespace` gives several {kind[1] if kind else 'object'}s the same name"
    twice = _TWICE.search(text)
    if twice:
        chart = twice[1] and INFLATED.fullmatch(twice[1])
        named = (
            f"entry {int(chart[1]) + 1} of its helmCharts adds" if chart else f"{clean(twice[1] or '')} adds"
        )
        by = named if twice[1] else "its resources add"
        return f"{by} {clean(twice[2])}/{clean(twice[3])} once more"
    return None


def _is_nobodys(quoted: str) -> bool:
    """Whether a patch that kustomize quotes is a mapping without the name of an object."""
    try:
        data = yamldoc.load(json.loads(quoted))
    except (ValueError, yamldoc.YamlError):
        return False
    return isinstance(data, dict) and not (data.get("kind") and yamldoc.lookup(data, ("metadata", "name")))


class OverlayBlame(Struct, frozen=True):
    """What is needed to explain one failure."""

    target: KustomizeTarget
    tree: Tree
    places: Places

    def explain(self, stderr: str) -> RenderFailure | NotRendered:
        """Make a result of what kustomize printed on standard error."""
        text = self.places.relative(error_text(stderr))
        reason = crashed("kustomize", stderr) or _beyond_us(text)
        if reason is not None:
            return NotRendered(self.target, reason)
        for path in self._missing(text):
            why = generated.reason(path, self.tree)
            if why:
                return NotRendered(self.target, f"it needs {clean(path)}, {why}", missing=path)
        folder, inner = self._innermost(text)
        failed = self._kustomization(folder)
        nothing = (
            self._nothing_to_build(folder, inner)
            or (generated.of_a_template(failed, self.tree) if failed else "")
            or (generated.mostly_absent(failed, self.tree) if failed and _GONE.search(inner) else "")
        )
        if nothing:
            return NotRendered(self.target, nothing)
        site = self._site(folder, inner)
        lacks, missing = self._missing_input(folder, inner) or ("", None)
        cause = missing or self._of_another_namespace(inner) or _plainly(inner)
        if cause is not None:
            here = "the kustomization at the root" if folder == "." else folder
            return RenderFailure(self.target, f"{here} cannot be built: {cause}", site, lacks=lacks)
        message = clean(_short(inner))
        if site is not None and not message.startswith(site.path) and folder != self.target.folder:
            message = f"{message} (in {folder})"
        return RenderFailure(self.target, message or "kustomize failed without an error message", site)

    def _missing_input(self, folder: RelPath, text: str) -> tuple[RelPath, str] | None:
        """Which file, or kustomization of which folder, is missing, and that in words; None for any other cause."""
        without = _WITHOUT.search(text)
        if without:
            return normalise(without[1]) or "", f"{clean(without[1])} has no kustomization.yaml"
        listed = (join(folder, one[1]) for one in _ENTRY.finditer(text) if one[1].endswith((".yaml", ".yml")))
        for path in (*filter(None, listed), *self._missing(text)):
            if not os.path.lexists(self.tree.on_disk(path)) and path not in self.tree.overlay:
                return path, f"{clean(path)} is missing"
            if os.path.isdir(self.tree.on_disk(path)) and self._kustomization(path) is None:  # noqa: PTH112
                return path, f"{clean(path)} has no kustomization.yaml"
        return None

    def _of_another_namespace(self, text: str) -> str | None:
        """Why a patch misses the object of its name that is there: that has another namespace; None for any other cause."""
        patched = _NOT_PATCHED.search(text)
        if patched is None:
            return None
        kind, name, namespace = patched["kind"], patched["name"], patched["namespace"]
        own = "" if namespace in (None, "noNs") else namespace
        others = {
            str(yamldoc.lookup(one.data, ("metadata", "namespace")))
            for path in self.target.files
            for one in self._documents(path)
            if (yamldoc.lookup(one.data, ("kind",)), yamldoc.lookup(one.data, ("metadata", "name")))
            == (kind, name)
            if yamldoc.lookup(one.data, ("metadata", "namespace")) not in (None, own)
        }
        if len(others) != 1:
            return None
        place = f"of namespace {clean(own)}" if own else "without a namespace"
        return (
            f"a patch is for {clean(kind)}/{clean(name)} {place}, but the one there has namespace {clean(others.pop())}. "
            "Give the patch that namespace"
        )

    def _nothing_to_build(self, folder: RelPath, text: str) -> str:
        """Why a kustomization has no objects as it stands; empty where it has some."""
        if folder == self.target.folder and "kustomization.yaml is empty" in text:
            return "its kustomization is empty"
        if _NO_MATCH.search(text) and self._only_patches(folder):
            # A plugin of Argo CD, a post-renderer of helm or `kustomize edit add resource` adds what is patched.
            return f"{clean(folder)} has patches, and no resources that they are for"
        return ""

    def _only_patches(self, folder: RelPath) -> bool:
        """Whether a kustomization can be read and adds no object by itself; a component need not."""
        path = self._kustomization(folder)
        try:
            data = yamldoc.load(self.tree.text(path)) if path else None
        except (SourceError, yamldoc.YamlError):
            return False
        if not isinstance(data, dict) or data.get("kind") == "Component":
            return False
        return not any(data.get(key) for key in _ADDING)

    def _missing(self, text: str) -> Iterator[RelPath]:
        """The files that kustomize did not find."""
        for found in _GONE.finditer(text):
            path = normalise(self.places.relative(found.group(1)))
            if path is not None and path != ".":
                yield path

    def _innermost(self, text: str) -> tuple[RelPath, str]:
        """The folder of the kustomization that failed, and the words about it."""
        folder = self.target.folder
        inner = text
        levels = list(_LEVEL.finditer(text))
        if levels:
            folder = levels[-1].group(1)
            inner = text[levels[-1].end() :]
        target = _BAD_TARGET.search(inner)
        if target and "unable to find one of" not in inner:
            folder = target.group(1)
            inner = inner[target.end() :]
        return folder, _WRAPPING.sub("", inner)

    def _site(self, folder: RelPath, text: str) -> FailureSite | None:
        """The place to edit; the kustomization itself when nothing better is known."""
        for find in (
            self._bad_file,
            self._repeated_key,
            self._bad_kustomization,
            self._bad_patch,
            self._unmatched,
            self._bad_object,
        ):
            site = find(folder, text)
            if site is not None:
                return site
        return self._named_entry(folder, text)

    def _bad_file(self, folder: RelPath, text: str) -> FailureSite | None:
        """A resource that is not YAML."""
        named = _IN_FILE.search(text)
        path = join(folder, named.group(1)) if named else None
        return self._broken(path, text) if path and self._is_file(path) else None

    def _repeated_key(self, _folder: RelPath, text: str) -> FailureSite | None:
        """A key that a mapping has twice: kustomize names no file, so it is the first input that has one of this name."""
        wanted = _REPEATED_KEY.search(text)
        for path in self.target.files if wanted else ():
            try:
                found = yamldoc.repeated_keys(self._text(path))
            except yamldoc.YamlError:
                continue
            for key, line, column in found:
                if wanted and key == wanted.group(1):
                    return FailureSite(path, line, column)
        return None

    def _bad_kustomization(self, folder: RelPath, text: str) -> FailureSite | None:
        if "invalid Kustomization" not in text and "kustomization.yaml is empty" not in text:
            return None
        path = self._kustomization(folder)
        if path is None:
            return None
        field = _UNKNOWN_FIELD.search(text)
        if field:
            return self._line_with(
                path, re.compile(rf"[ \t-]*[\"']?{re.escape(field.group(1))}[\"']?[ \t]*:")
            )
        return self._broken(path, text)

    def _bad_patch(self, folder: RelPath, text: str) -> FailureSite | None:
        """A patch that is there and cannot be read."""
        inline = _INLINE_PATCH.search(text)
        kustomization = self._kustomization(folder)
        if inline and kustomization:
            return self._line_with(kustomization, re.compile(rf".*{re.escape(inline.group(1).strip())}"))
        named = _PATCH.search(text)
        path = join(folder, named.group(1)) if named else None
        if path is None or "no such file" in text or not self._is_file(path):
            return None
        return self._broken(path, text)

    def _unmatched(self, folder: RelPath, text: str) -> FailureSite | None:
        """A patch whose target does not exist: the one input file that names it, at the name."""
        sought = _NO_MATCH.search(text)
        if sought:
            kind, name = re.escape(sought.group(1)), re.escape(sought.group(2))
            is_kind = re.compile(rf"^[ \t]*kind:[ \t]*[\"']?{kind}\b", re.MULTILINE)
            has_name = re.compile(rf"^[ \t]*name:[ \t]*[\"']?{name}[\"']?[ \t]*\r?$", re.MULTILINE)
            return self._only_place(has_name, is_kind) or self._only_place(has_name, is_kind, folder)
        path = _JSON_PATH.search(text)
        if path:
            value = re.escape(path.group(1) or path.group(2))
            return self._only_place(
                re.compile(rf"path[\"']?:[ \t]*[\"']?{value}[\"']?[ \t,}}]*\r?$", re.MULTILINE)
            )
        return None

    def _bad_object(self, folder: RelPath, text: str) -> FailureSite | None:
        """A resource without kind or name."""
        entry = _ENTRY.search(text)
        if entry is None or not re.search(r"missing (?:kind|metadata\.name|apiVersion) in object", text):
            return None
        path = join(folder, entry.group(1))
        if path is None or not self._is_file(path):
            return None
        for document in self._documents(path):
            data = document.data
            if isinstance(data, dict):
                metadata = data.get("metadata")
                if not data.get("kind") or not isinstance(metadata, dict) or not metadata.get("name"):
                    line, column = LineIndex.of(self._text(path)).position(document.start)
                    return FailureSite(path, line, column)
        return FailureSite(path)

    def _named_entry(self, folder: RelPath, text: str) -> FailureSite | None:
        """The line of the kustomization that names what the error is about."""
        path = self._kustomization(folder)
        if path is None:
            path = self._kustomization(self.target.folder)
            folder = self.target.folder
        if path is None:
            return None
        lines = self._text(path).split("\n")
        for name in self._names(folder, text):
            for number, line in enumerate(lines, 1):
                found = re.search(rf"(?<![\w./-]){re.escape(name)}/?(?![\w./-])", line)
                if found and not line.lstrip().startswith("#"):
                    return FailureSite(path, number, found.start() + 1)
        return FailureSite(path)

    def _names(self, folder: RelPath, text: str) -> list[str]:
        """What the error may be about, as a kustomization in `folder` would write it; best first."""
        names = [found.group(1) for found in _ENTRY.finditer(text)]
        names += [found.group(1) for found in _PATCH.finditer(text)]
        for found in _GONE.finditer(text):
            gone = found.group(1)
            written = posixpath.relpath(gone, folder)
            names += [written, f"./{written}", gone.rpartition("/")[2]]
        names += [
            found.group(1)
            for found in _QUOTED.finditer(text)
            if "." in found.group(1) or "/" in found.group(1)
        ]
        names += [found.group(1) or found.group(2) for found in _OBJECT.finditer(text)]
        return [written for name in names if (written := name.rstrip("/")) not in ("", ".")]

    def _only_place(
        self, wanted: re.Pattern[str], also: re.Pattern[str] | None = None, within: RelPath = "."
    ) -> FailureSite | None:
        """Where `wanted` stands, when exactly one document of the inputs in a folder has it (and `also`)."""
        found: list[FailureSite] = []
        for path in (one for one in self.target.files if is_within(one, within)):
            text = self._text(path)
            for offset, part in yamldoc.split(text):
                hit = wanted.search(part)
                if hit and (also is None or also.search(part)):
                    at = offset + hit.start() + len(hit.group()) - len(hit.group().lstrip())
                    found.append(FailureSite(path, *LineIndex.of(text).position(at)))
        return found[0] if len(found) == 1 else None

    def _broken(self, path: RelPath, text: str) -> FailureSite:
        """The place in a file that is not YAML, by our own parser where it agrees that it is none."""
        try:
            yamldoc.documents(self._text(path))
        except yamldoc.YamlError as error:
            return FailureSite(path, error.line, error.column)
        line = _YAML_LINE.search(text)
        return FailureSite(path, int(line.group(1)) if line else 1)

    def _line_with(self, path: RelPath, wanted: re.Pattern[str]) -> FailureSite:
        for number, line in enumerate(self._text(path).split("\n"), 1):
            found = wanted.match(line)
            if found:
                return FailureSite(path, number, len(line) - len(line.lstrip(" \t-")) + 1)
        return FailureSite(path)

    def _kustomization(self, folder: RelPath) -> RelPath | None:
        paths = (below(folder, name) for name in KUSTOMIZATION_NAMES)
        return next((path for path in paths if self._is_file(path)), None)

    def _is_file(self, path: RelPath) -> bool:
        # Not by pathlib, for which a name that is too long is an error.
        # And kustomize's words may hold a stranger's, who names what is no file of the repository.
        return path in self.tree.overlay or (is_inside(path) and os.path.isfile(self.tree.on_disk(path)))  # noqa: PTH113

    def _documents(self, path: RelPath) -> list[yamldoc.Document]:
        try:
            return yamldoc.documents(self._text(path))
        except yamldoc.YamlError:
            return []

    def _text(self, path: RelPath) -> str:
        return self.tree.text_or_none(path) or ""


def _short(text: str) -> str:
    """The error without its repetitions and the dumps of configuration in it."""
    text = _CONFIGURED.sub(lambda found: f"{found.group(1)}: ", text)
    text = _MUST_RESOLVE.sub("", _LSTAT.sub("", _REPEATED.sub("", text))).strip()
    return text.removesuffix('"') if text.count('"') % 2 else text
