"""Rule pages, and the lists of rules, targets and tools."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass

import click

from portproof.discover.model import Discovery, HelmTarget, Install, KustomizeTarget, ManifestTarget, Skip
from portproof.discover.unread import Unread
from portproof.replacing import replace
from portproof.report import pages
from portproof.report.pages import Bullets, Example, Heading, Prose
from portproof.rules import all_rules
from portproof.rules.base import Rule, Severity
from portproof.rules.listing import Listed
from tests.support import runner

PAGE = inspect.cleandoc(
    """
    A Service `sends` traffic nowhere.

    Kubernetes uses ``targetPort`` as it is,
    which is an **error**.

    Severity:

    * **error**: when the name
      is not declared.
    * **note**: else.

    Bad::

        kind: Service
        ---

        kind: Deployment

    Good (a typo)::

        kind: Service

    It is configured with ``x``::

        x: 1

    Not reported when:

    * nothing is known.
    """
)
RULE = Rule("some-rule", Severity.WARNING, "A Service `sends` traffic nowhere", lambda _: (), PAGE)


def test_the_parts_of_a_page() -> None:
    assert list(pages.blocks(PAGE)) == [
        Prose("Kubernetes uses ``targetPort`` as it is,\nwhich is an **error**."),
        Heading("Severity"),
        Bullets(("**error**: when the name\nis not declared.", "**note**: else.")),
        Example("Bad", "kind: Service\n---\n\nkind: Deployment"),
        Example("Good (a typo)", "kind: Service"),
        Prose("It is configured with ``x``:"),
        Example("", "x: 1"),
        Heading("Not reported when"),
        Bullets(("nothing is known.",)),
    ]
    bad, good = (block for block in pages.blocks(PAGE) if isinstance(block, Example) and block.label)
    assert (bad.is_bad, bad.is_good, good.is_bad, good.is_good) == (True, False, False, True)


def test_a_page_in_the_terminal() -> None:
    assert pages.page(RULE) == (
        inspect.cleandoc(
            """
            some-rule (warning)

            A Service `sends` traffic nowhere.

            Kubernetes uses `targetPort` as it is,
            which is an error.

            Severity:

            * error: when the name
              is not declared.
            * note: else.

            Bad:

                kind: Service
                ---

                kind: Deployment

            Good (a typo):

                kind: Service

            It is configured with `x`:

                x: 1

            Not reported when:

            * nothing is known.

            How to suppress it:

            * on the reported line, or alone on the line above: `# portproof: ignore[some-rule] reason`
            * on the object, as an annotation: `portproof/ignore: some-rule reason`
            * in `portproof.yaml`: `ignore: [{rule: some-rule, path: charts/web/values.yaml, reason: why}]`

            This page on the web: https://portproof.github.io/portproof/latest/rules/some-rule/
            """
        )
        + "\n"
    )
    coloured = pages.page(RULE, color=True)
    assert "\x1b[31m\x1b[1mBad:\x1b[0m" in coloured
    assert "\x1b[1mNot reported when:\x1b[0m" in coloured
    assert click.unstyle(coloured).replace("`", "") == pages.page(RULE).replace("`", "")


def test_a_page_as_markdown() -> None:
    assert pages.markdown(RULE, level=3) == (
        inspect.cleandoc(
            """
            ### some-rule

            A Service `sends` traffic nowhere. (**warning**)

            Kubernetes uses `targetPort` as it is,
            which is an **error**.

            **Severity:**

            * **error**: when the name
              is not declared.
            * **note**: else.

            Bad:

            ```yaml
            kind: Service
            ---

            kind: Deployment
            ```

            Good (a typo):

            ```yaml
            kind: Service
            ```

            It is configured with `x`:

            ```yaml
            x: 1
            ```

            **Not reported when:**

            * nothing is known.

            **How to suppress it:**

            * on the reported line, or alone on the line above: `# portproof: ignore[some-rule] reason`
            * on the object, as an annotation: `portproof/ignore: some-rule reason`
            * in `portproof.yaml`: `ignore: [{rule: some-rule, path: charts/web/values.yaml, reason: why}]`
            """
        )
        + "\n"
    )


def test_every_rule_has_a_page_that_reads_well() -> None:
    for rule in all_rules():
        page = pages.page(rule)
        assert page.startswith(f"{rule.id} ({rule.severity.value})\n\n")
        assert "::\n" not in page
        assert "**" not in page


def test_rules_in_a_table_and_as_json() -> None:
    one = Listed("some-rule", "service", Severity.WARNING, "A Service ``sends`` traffic nowhere")
    other = Listed("x", "pod", Severity.ERROR, "Short")
    assert pages.rules_table([one, other]) == (
        "some-rule  warning  A Service `sends` traffic nowhere\nx          error    Short\n"
    )
    assert pages.rules_table([]) == ""
    assert json.loads(pages.rules_json([other])) == [{"id": "x", "severity": "error", "summary": "Short"}]


DISCOVERY = Discovery(
    targets=(
        HelmTarget("charts/a", ("charts/a/values-prod.yaml", "env/b.yaml")),
        KustomizeTarget("overlays/\x1b"),
    ),
    skips=(
        Skip("helm", "charts/db", "the chart redis has to be fetched"),
        Skip("kustomize", "base", "used by\noverlays/prod", counts=False),
    ),
)


def test_targets_as_text() -> None:
    assert pages.targets_text(DISCOVERY) == (
        "helm:charts/a?values=values-prod.yaml,/env/b.yaml\n"
        "kustomize:overlays/\\x1b\n"
        "\n"
        "Not rendered:\n"
        "  helm:charts/db  the chart redis has to be fetched\n"
        "  kustomize:base  used by overlays/prod\n"
        "\n"
        "2 targets, 2 not rendered\n"
    )
    assert pages.targets_text(Discovery((), ()), ["docs"]) == (
        "Nothing to check under docs: no chart, kustomization or manifest was found\n"
    )


def test_a_target_says_who_deploys_it() -> None:
    by = Install("shop", 0, file="apps/shop.yaml", environment="prod")
    build = Install("web", 0, file="clusters/prod/web.yaml", tool="Kustomization", namespace="web")
    chart = HelmTarget("charts/a", ("apps/shop.yaml",), "front", "sales", install=by)
    overlay = KustomizeTarget("overlays/prod")
    found = Discovery((chart, overlay), (), learnt={("kustomize", "overlays/prod"): (build,)})
    assert pages.targets_text(found).splitlines()[:4] == [
        "helm:charts/a?values=/apps/shop.yaml#shop",
        "  by Application shop (apps/shop.yaml, release front, namespace sales, environment prod)",
        "kustomize:overlays/prod",
        "  by Kustomization web (clusters/prod/web.yaml, namespace web)",
    ]
    assert [one["deployed_by"][0]["name"] for one in json.loads(pages.targets_json(found))] == ["shop", "web"]


def test_a_tool_whose_file_has_no_name_is_named_once() -> None:
    by = Install("chart-testing", 0, file="ct.yaml", tool="chart-testing")
    found = Discovery((HelmTarget("charts/a", release="a", install=by),), ())
    assert "  by chart-testing (ct.yaml, release a, namespace default)\n" in pages.targets_text(found)


def test_what_was_not_looked_at_is_listed_with_the_reason() -> None:
    found = replace(DISCOVERY, unread=(Unread("envs/prod.yaml", "values", "keys of two charts"),))
    assert pages.targets_text(found).endswith(
        "\nUnread:\n  values  envs/prod.yaml  keys of two charts\n\n2 targets, 2 not rendered, 1 unread\n"
    )
    assert json.loads(pages.targets_json(found))[-1] == {
        "path": "envs/prod.yaml",
        "kind": "values",
        "status": "unread",
        "reason": "keys of two charts",
    }


def test_what_strangers_named_stays_data() -> None:
    evil = "::error::x\x1b[2J\u202e##[error]y\r"
    found = Discovery((HelmTarget(evil), ManifestTarget(evil)), (Skip(evil, evil, f"why\n{evil}"),))
    tools = [Tool(evil, evil, evil, evil)]
    for written in (
        pages.targets_text(found),
        pages.targets_text(Discovery((), ()), [evil, evil]),
        pages.tools_text(tools),
        pages.targets_json(found),
    ):
        assert all(line.isprintable() for line in written.split("\n"))
    for written in (pages.targets_text(found), pages.targets_text(Discovery((), ()), [evil])):
        assert runner.obeyed(written) == []


def test_targets_as_json() -> None:
    values = json.loads(pages.targets_json(DISCOVERY))
    assert values[0] == {
        "id": "helm:charts/a?values=values-prod.yaml,/env/b.yaml",
        "kind": "helm",
        "path": "charts/a",
        "values": ["charts/a/values-prod.yaml", "env/b.yaml"],
        "status": "target",
        "reason": None,
        "deployed_by": [],
    }
    assert [(value["status"], value["reason"]) for value in values[2:]] == [
        ("skipped", "the chart redis has to be fetched"),
        ("skipped", "used by\noverlays/prod"),
    ]


@dataclass(frozen=True)
class Tool:
    name: str
    path: str
    version: str
    origin: str


def test_tools() -> None:
    tools = [
        Tool("helm", "/usr/bin/helm", "v4.1.4", "on PATH"),
        Tool("kustomize", "/x/kubectl", "v5.7.1", "--kustomize"),
    ]
    assert pages.tools_text(tools) == (
        "helm       v4.1.4  /usr/bin/helm  (on PATH)\nkustomize  v5.7.1  /x/kubectl     (--kustomize)\n"
    )
