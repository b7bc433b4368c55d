"""A chart, overlay or manifest cannot be rendered.

The message has helm's or kustomize's own words. The place is the line that the tool
names. It's `hinted`: nothing can be rendered again to prove it. What can't be rendered
through nobody's fault is listed as `skipped` instead, with the reason, in every format.

With `--base`, a failure is introduced unless the base had the same one: the same words
about the same file, and the same text in the line that is blamed. Moved lines don't
matter.

Why it matters:

What can't be rendered can't be checked, and it can't be installed either.

Severity:

* **error**: when the chart, overlay or manifest is broken in what the repository holds. Examples are text that
  is not YAML, a template that does not parse, an object twice and a patch for nothing. A missing file is an error only with evidence. Nothing
  in the repository speaks of making it. And the overlay is deployed: where Applications or Flux Kustomizations say
  what is, they name it, or a script or the documentation builds it. Or a file of nearly the name is there. With
  `--base`, whatever rendered in the base is an error.
* **warning**: with `--base`, when a change makes a chart that rendered need values which its own don't have. Or when a
  values file that is known by its place is broken itself. Or when a chart of a registry rejects what
  the repository gives it, unless it rendered in the base.
* **note**: when a chart isn't broken, but needs values that its own don't have. It may
  reject its defaults on purpose, with `required` or a guarded `fail`, or encode a
  credential (`b64enc`) that they omit. It may render with another of its values files. Or
  several charts read the same top-level value, which none of them has, because a shared
  file is given to all. Or a chart reads a top-level value which its own files don't have,
  unless the name looks like a typo; with `--base` that is an error if the base rendered. Likewise for a key below
  one that they have. An
  Application that another chart makes from its own defaults gives a chart no more than its defaults. A values file that is an example (`values.example.yaml`) need not have it either, and may be rejected. With
  any other, a pipeline may give what the chart demands on purpose by `--set`. A
  chart without a `values.yaml` gets its values in layers, from whoever installs it.
  Such a chart is checked with placeholders for what it wants, as far as its error, or the
  condition around a `fail`, says what that is. The report names them.
  A note, too, when an ApplicationSet deploys the chart with values that only a cluster, a forge
  or a plugin knows. Or when it rejects values that are meant to fail (`ci/tls-failure.yaml`), or
  values that only their place gives to it. Or when a chart that needs values is one which a
  change adds, or which was not checked before the change either.

Fix:

No. A chart that needs values is checked as soon as `portproof.yaml` names them::

    charts:
      - path: charts/backend
        values: [ci/values.yaml]
        defaults: false  # it is never installed without them

Not reported when:

* a chart's dependency isn't vendored and can't be fetched: the chart is rendered without it, if it can be.
* an overlay refers to something remote, or to a folder of a git submodule that is not checked out: it is
  built without that, or its bases are checked.
* an overlay needs a generator that only others run, such as ksops: it is built without it.
* an overlay needs a file that is git-ignored and generated outside the repository: a resource or a
  generator's file is taken for empty.
* an overlay needs a file of a `secretGenerator` that is missing: it is taken for empty.
* an overlay lists a missing file that is named after a Secret, unless the name says that it may be
  kept (`sealed-secret.yaml`): it is taken for empty.
* five kustomizations or more list a file that none of them has, and nothing else in the repository:
  they are built without it.
* a kustomization lists five files or more that are missing, and these are most of its resources:
  something else writes them.
* a kustomization in a folder called `templates` cannot be built, and a manifest beside it has variables
  (`${CLUSTER}`, `{{APP}}`): something copies the folder and fills it in.
* an overlay lacks a file that a script, a pipeline, code or the documentation may make: it is skipped, and the
  reason says what to run first.
* an overlay lacks a file, and is not among what the repository deploys: it is skipped, too.
* the chart, overlay or manifest lies in a folder of what is copied, kept or tested (`boilerplate`, `archive`,
  `testdata`).
* a file has marks of another template engine (`{% if %}`, `<APP_NAME>`), or a chart calls functions of another tool, such
  as helmfile or werf.
* an overlay needs a file that controller-gen or operator-sdk generates in a project of
  theirs.
* an overlay needs a file that a script of the repository writes (`cp crd.yaml config/crd/test/base.yaml`): a resource is
  taken for empty.
* a kustomization has patches, and no resources that they are for: something adds them before it is built.
* a chart includes a template that it does not have, and is a part of an umbrella that has it in another part.
* a chart includes a template of a dependency that one of its subcharts lacks.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec import Struct

from portproof.discover.model import HelmTarget, Target
from portproof.graph.names import is_near_name
from portproof.render.model import RenderFailure
from portproof.rules.base import Severity, rule
from portproof.source import RelPath

# The finding comes from the renderer, not from a port graph: assemble makes it, and asks here how bad it is.
RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=lambda _graph: ())


_FAILING = re.compile(r"(?:^|[-_.])(?:fail|fails|failing|failure|invalid|negative|rejected)(?:[-_.]|$)")


_OF_TESTS = re.compile(r"(?:\A|/)ci/[^/]*values\.yaml\Z")
_EXAMPLE = re.compile(r"(?:^|[-_.])(?:examples?|sample|template|dist)(?:[-_.]|$)")
"""The name of a values file that is to be copied and completed: what it lacks is given from outside."""


class OtherTargets(Struct, frozen=True):
    """What the rest of a run tells of a failure.

    `rendered` are the folders of charts that render with some of their values, `given_from_outside` the top-level values
    that several charts read and do not have. `bare` are the charts that have no values of their own and want some.
    """

    rendered: frozenset[RelPath] = frozenset()
    given_from_outside: frozenset[str] = frozenset()
    bare: frozenset[RelPath] = frozenset()


def other_targets(rendered: Iterable[Target], failures: Iterable[RenderFailure]) -> OtherTargets:
    """Look at all that `rendered`, and at all that did not."""
    lacking: dict[str, set[RelPath]] = defaultdict(set)
    bare = set()
    for failure in failures:
        if wanted := _wanted(failure):
            lacking[wanted].add(failure.target.path)
            if not (failure.has or failure.target.values):
                bare.add(failure.target.path)
    return OtherTargets(
        frozenset(target.path for target in rendered if isinstance(target, HelmTarget)),
        # A single chart that reads what it does not have is broken as it stands; a set of them is installed with a
        # shared -f file.
        frozenset(name for name, charts in lacking.items() if len(charts) > 1),
        frozenset(bare),
    )


def severity(
    failures: Sequence[RenderFailure],
    others: OtherTargets,
    *,
    compared: bool = False,
    is_first: bool = False,
) -> Severity:
    """How bad one failure is, which several targets may have: a note where a chart only lacks values.

    With a base (`compared`) it is worse: the chart rendered there. But `is_first` says that none of them was ever checked:
    then nothing is lost.
    """
    known = [one for one in failures if not _is_inferred(one.target)]
    if not known:  # nobody says that it is all that the chart is given
        broken = any(one.site is not None and one.site.path in one.target.values for one in failures)
        return Severity.WARNING if broken else Severity.NOTE
    if all(failure.demanded and _is_meant_to_fail(failure.target) for failure in known):
        return Severity.NOTE
    lacks_values = (
        any(failure.demanded and not failure.target.values for failure in known)
        or any(_wanted(failure) in others.given_from_outside for failure in known)
        or any(_wanted(failure) and failure.target.path in others.bare for failure in known)
        or all(not failure.target.values and failure.target.path in others.rendered for failure in known)
    )
    # What a chart demands on purpose, a pipeline may take from its secrets: `--set password=…`.
    is_given_more = all(
        ((_wanted(failure) and _has_example_values(failure.target)) or failure.demanded)
        and not (_is_installed(failure.target) or _is_tested(failure.target))
        and not any(is_near_name(failure.wants, key) for key in failure.has)
        for failure in known
    )
    if is_first or not compared:
        if all(isinstance(one.target, HelmTarget) and one.target.remote for one in known):
            return Severity.WARNING  # a cluster may have what the chart asks for
        return Severity.NOTE if lacks_values or is_given_more else RULE.severity
    # Who installs it may well give them; a change that asks for more breaks it.
    return Severity.WARNING if lacks_values else RULE.severity


def is_made_of_defaults(target: Target) -> bool:
    """Whether a chart makes the object that installs another, and has only its own defaults for that."""
    install = target.install if isinstance(target, HelmTarget) else None
    if install is None or install.parent is None:
        return False
    maker = install.parent.target
    return isinstance(maker, HelmTarget) and (not maker.values or is_made_of_defaults(maker))


def _is_inferred(target: Target) -> bool:
    """Whether only the name and place of a values file say that it is the chart's."""
    return isinstance(target, HelmTarget) and target.inferred


def _is_meant_to_fail(target: Target) -> bool:
    """Whether the values of a target say that the chart is to reject them: ``ci/tls-failure.yaml``."""
    return any(_FAILING.search(path.rpartition("/")[2]) for path in target.values)


def _wanted(failure: RenderFailure) -> str:
    """The value that a chart lacks unless it is given from outside; an object that installs it has given what there is."""
    return "" if _is_installed(failure.target) else failure.wants


def _has_example_values(target: Target) -> bool:
    """Whether none of a target's values files is more than an example."""
    return all(_EXAMPLE.search(path.rpartition("/")[2]) for path in target.values)


def _is_tested(target: Target) -> bool:
    """Whether chart-testing installs the chart with a target's values, and gives no more than those."""
    return any(_OF_TESTS.search(path) for path in target.values)


def _is_installed(target: Target) -> bool:
    """Whether an object installs a chart: it gives all that there is."""
    return isinstance(target, HelmTarget) and target.install is not None
