"""Folders and files of plain manifests."""

from __future__ import annotations

from pathlib import Path

import pytest

from portproof.discover.find import discover
from portproof.discover.model import Discovery, ManifestTarget
from portproof.source import MAX_SOURCE_BYTES, Tree
from tests.support.discovery import CONFIG_MAP, CRD, SERVICE, Repository, chart

DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {}\n"
ROUTE = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: web}\nspec: {}\n"


class TestManifests:
    @pytest.mark.parametrize("name", ["a.yaml", "a.yml"])
    def test_a_folder_of_manifests_is_a_target(self, repository: Repository, name: str) -> None:
        repository.add(
            {f"deploy/{name}": SERVICE, "deploy/README.md": SERVICE, "deploy/settings.yaml": "a: b"}
        )
        assert repository.find() == Discovery((ManifestTarget("deploy", (f"deploy/{name}",)),), ())

    @pytest.mark.parametrize("folder", [".", "shop", "a/shop"])
    def test_manifests_below_a_chart_are_a_target(self, repository: Repository, folder: str) -> None:
        files = {"Chart.yaml": chart("shop"), "templates/a.yaml": SERVICE, "kind/a.yaml": SERVICE}
        repository.add({f"{folder}/{name}".removeprefix("./"): text for name, text in files.items()})
        place = f"{folder}/kind".removeprefix("./")
        assert repository.targets() == [f"helm:{folder}", f"manifests:{place}"]

    @pytest.mark.parametrize(
        "path",
        [
            "a.yaml",
            "templates/a/a.yaml",
            "crds/a.yaml",
            "ci.in/a.yaml",
            "examples/a/rendered/a.yaml",
            "tests/a.yaml",
            "files/a.yaml",
        ],
    )
    def test_what_is_a_chart_s_own_is_none(self, repository: Repository, path: str) -> None:
        reads = '{{ .Files.Get "files/a.yaml" }}'
        repository.add({"shop/Chart.yaml": chart("shop"), f"shop/{path}": SERVICE})
        repository.add({"shop/templates/b.yaml": reads} if path.startswith("files") else {})
        assert repository.targets() == ["helm:shop"]

    @pytest.mark.parametrize(
        "test",
        [
            "{spec: {steps: [{try: [{apply: {file: a.yaml}}, {assert: {file: b.yaml}}]}]}}",
            "{spec: {steps: [{try: [{create: {file: a.yaml}}, {error: {file: ./b.y*ml}}]}]}}",
            "a: b\n---\n{spec: {steps: [{try: [{patch: {file: a.yaml}}], catch: [], finally: [{assert: {file: b.yaml}}]}]}}",
        ],
    )
    @pytest.mark.parametrize("name", ["chainsaw-test.yaml", "chainsaw-test.yml"])
    def test_what_a_test_of_chainsaw_asserts_is_no_manifest(
        self, repository: Repository, name: str, test: str
    ) -> None:
        files = {"t/a.yaml": SERVICE, "t/b.yaml": SERVICE, f"t/{name}": test}
        repository.add(files)
        found = repository.find()
        assert found.targets == (ManifestTarget("t", ("t/a.yaml",)),)
        assert [(one.path, one.reason, one.counts) for one in found.skips] == [
            ("t", "what a test expects, nobody applies it: b.yaml", False)
        ]

    def test_assertions_of_another_folder(self, repository: Repository) -> None:
        test = (
            "{spec: {steps: [{try: [{assert: {file: ../common/b.yaml}}, {error: {file: ../../../b.yaml}}]}]}}"
        )
        repository.add({"t/common/b.yaml": SERVICE, "t/one/chainsaw-test.yaml": test, "b.yaml": SERVICE})
        assert repository.targets() == ["manifests:."]

    @pytest.mark.parametrize(
        "test",
        [
            "{spec: {steps: [{try: [{apply: {file: b.yaml}}, {assert: {file: b.yaml}}]}]}}",
            "{spec: {steps: [{try: [{assert: {resource: {kind: Service}}}]}]}}",
            "{spec: {steps: [{try: [{assert: {file: [b.yaml]}}, {assert: b.yaml}]}]}}",
            "{",
        ],
    )
    def test_what_a_test_applies_is_a_manifest(self, repository: Repository, test: str) -> None:
        repository.add({"t/b.yaml": SERVICE, "t/chainsaw-test.yaml": test})
        assert repository.targets() == ["manifests:t"]

    @pytest.mark.parametrize(
        ("claim", "files"),
        [
            ("00-assert.yaml", ("t/00-install.yaml",)),
            ("00-errors.yml", ("t/00-install.yaml",)),
            ("01-assert-2.yaml", ("t/00-install.yaml",)),
            ("01-error-pages.yaml", ("t/00-install.yaml", "t/01-error-pages.yaml")),
            ("01-assertive.yaml", ("t/00-install.yaml", "t/01-assertive.yaml")),
            ("assert.yaml", ("t/00-install.yaml", "t/assert.yaml")),
        ],
    )
    def test_what_a_test_of_kuttl_expects_is_no_manifest(
        self, repository: Repository, claim: str, files: tuple[str, ...]
    ) -> None:
        repository.add({"t/00-install.yaml": SERVICE, f"t/{claim}": SERVICE})
        assert repository.find().targets == (ManifestTarget("t", files),)

    def test_numbered_files_that_are_all_called_so_are_manifests(self, repository: Repository) -> None:
        repository.add({"t/00-assert.yaml": SERVICE, "t/b.yaml": SERVICE})
        assert repository.find().targets == (ManifestTarget("t", ("t/00-assert.yaml", "t/b.yaml")),)

    @pytest.mark.parametrize(
        "text",
        [
            '{"apiVersion": "v1", "kind": "Service"}',
            '\n{"kind": "List", "apiVersion": "v1", "items": [{"kind": "Service"}]}',
            '{"apiVersion": "v1", "kind": "Service", ',
        ],
    )
    def test_json_is_a_manifest(self, repository: Repository, text: str) -> None:
        repository.add({"deploy/a.json": text})
        assert repository.targets() == ["manifests:deploy"]

    @pytest.mark.parametrize(
        "text",
        [
            '{"kind": "Service"}',
            '{"x": {"apiVersion": "v1", "kind": "Service"}}',
            "[1]",
            '{"apiVersion" kind',
        ],
    )
    def test_other_json_is_none(self, repository: Repository, text: str) -> None:
        repository.add({"deploy/a.json": text})
        assert repository.find() == Discovery((), ())

    @pytest.mark.parametrize(
        "text",
        [
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n",
            CONFIG_MAP + "---\n" + SERVICE,
            "\ufeff" + SERVICE,
            SERVICE.replace("\n", "\r\n"),
            '"apiVersion": v1\n"kind": "Service"\n',
        ],
        ids=["list", "documents", "byte order mark", "crlf", "quoted"],
    )
    def test_objects_are_found_in(self, repository: Repository, text: str) -> None:
        repository.add({"deploy/a.yaml": text})
        assert repository.targets() == ["manifests:deploy"]

    @pytest.mark.parametrize(
        "text",
        [CONFIG_MAP, "apiVersion: v1\nkind: List\nitems:\n- kind: ConfigMap\n", CONFIG_MAP + "---\n" + CRD],
    )
    def test_a_folder_without_anything_that_has_ports_is_no_target(
        self, repository: Repository, text: str
    ) -> None:
        repository.add({"deploy/a.yaml": text})
        assert repository.skips() == [("manifests:deploy", "no objects with ports", False)]

    @pytest.mark.parametrize(
        "kind",
        [
            "networking.istio.io/v1 VirtualService",
            "networking.istio.io/v1 ServiceEntry",
            "gateway.networking.k8s.io/v1 Gateway",
            "gateway.networking.k8s.io/v1 HTTPRoute",
            "monitoring.coreos.com/v1 ServiceMonitor",
            "networking.k8s.io/v1 NetworkPolicy",
        ],
    )
    def test_a_folder_of_nothing_but_references_is_a_target(self, repository: Repository, kind: str) -> None:
        version, name = kind.split()
        repository.add({"mesh/a.yaml": f"apiVersion: {version}\nkind: {name}\nmetadata: {{name: web}}\n"})
        assert repository.targets() == ["manifests:mesh"]

    def test_routes_go_with_the_services_that_are_kept_beside_them(self, repository: Repository) -> None:
        repository.add({"k8s/services/a.yaml": SERVICE, "k8s/virtualservices/b.yaml": ROUTE})
        assert repository.targets() == ["manifests:k8s"]

    def test_a_folder_of_custom_resource_definitions_is_no_target(self, repository: Repository) -> None:
        repository.add({"crds/a.yaml": CRD})
        assert repository.skips() == [("manifests:crds", "only CustomResourceDefinitions", False)]

    def test_files_for_other_programs_are_no_manifests(self, repository: Repository) -> None:
        repository.add({"skaffold.yaml": "apiVersion: skaffold/v4beta1\nkind: Config\n"})
        assert repository.find() == Discovery((), ())

    def test_each_folder_is_a_target_of_its_own(self, repository: Repository) -> None:
        repository.add({"k8s/a.yaml": SERVICE, "k8s/web/b.yaml": SERVICE, "k8s/db/c.yaml": SERVICE})
        assert repository.targets() == ["manifests:k8s", "manifests:k8s/db", "manifests:k8s/web"]

    def test_folders_named_after_kinds_are_one_target(self, repository: Repository) -> None:
        repository.add(
            {
                "k8s/services/a.yaml": SERVICE,
                "k8s/deploy/b.yaml": SERVICE,
                "k8s/configmaps/c.yaml": CONFIG_MAP,
            }
        )
        files = ("k8s/configmaps/c.yaml", "k8s/deploy/b.yaml", "k8s/services/a.yaml")
        assert repository.manifests() == [ManifestTarget("k8s", files)]

    def test_a_folder_named_after_a_kind_goes_with_the_manifests_of_its_parent(
        self, repository: Repository
    ) -> None:
        repository.add({"k8s/a.yaml": SERVICE, "k8s/ingress/b.yaml": SERVICE})
        assert repository.manifests() == [ManifestTarget("k8s", ("k8s/a.yaml", "k8s/ingress/b.yaml"))]

    @pytest.mark.parametrize("folder", ["istio", "Monitoring", "network-policies", "gateways", "policies"])
    def test_a_folder_named_after_a_theme_belongs_to_what_lies_beside_it(
        self, repository: Repository, folder: str
    ) -> None:
        repository.add({"k8s/services/a.yaml": SERVICE, "k8s/deployments/b.yaml": DEPLOYMENT})
        repository.add({f"k8s/{folder}/c.yaml": ROUTE, f"other/{folder}/d.yaml": ROUTE})
        assert repository.targets() == ["manifests:k8s", f"manifests:other/{folder}"]
        repository.add({f"k8s/{folder}/own.yaml": SERVICE})  # an application of its own
        assert f"manifests:k8s/{folder}" in repository.targets()

    def test_a_theme_whose_objects_are_there_already_stays_by_itself(self, repository: Repository) -> None:
        other = ROUTE.replace("spec: {}", "spec: {hosts: [other]}")
        repository.add({"k8s/a.yaml": SERVICE, "k8s/b.yaml": ROUTE, "k8s/istio/c.yaml": other})
        assert repository.targets() == ["manifests:k8s", "manifests:k8s/istio"]

    def test_a_single_folder_named_after_a_kind_stays_by_itself(self, repository: Repository) -> None:
        repository.add({"k8s/services/a.yaml": SERVICE})
        assert repository.targets() == ["manifests:k8s/services"]

    def test_a_folder_called_deploy_alone_is_not_named_after_a_kind(self, repository: Repository) -> None:
        repository.add({"a.yaml": SERVICE, "deploy/b.yaml": SERVICE})
        assert repository.targets() == ["manifests:.", "manifests:deploy"]

    def test_a_file_that_a_kustomization_reads_is_no_plain_manifest(self, repository: Repository) -> None:
        repository.add({"kustomization.yaml": "resources: [deploy/a.yaml]", "deploy/a.yaml": SERVICE})
        assert repository.targets() == ["kustomize:."]

    def test_what_has_no_ports_and_is_not_listed_by_a_kustomization_is_left_out(
        self, repository: Repository
    ) -> None:
        secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"
        repository.add({"app/kustomization.yaml": "", "app/a.yaml": secret, "app/b.yaml": secret})
        reason = "not listed in the kustomization that reads this folder: a.yaml (and 1 more)"
        assert (repository.targets(), repository.skips()) == (
            ["kustomize:app"],
            [("manifests:app", reason, False)],
        )
        assert repository.find().unread == ()

    @pytest.mark.parametrize(
        "line",
        ["spec: {{ .Values.x }}", "{{- if x }}", "{% if x %}", "<%= x %>: [", "x: %%X%%", "#@ load('x')"],
    )
    def test_a_template_of_another_tool_is_a_skip(self, repository: Repository, line: str) -> None:
        repository.add({"deploy/a.yaml": f"{SERVICE}{line}\n"})
        assert repository.skips() == [("manifests:deploy/a.yaml", "a template for another tool", True)]

    @pytest.mark.parametrize(
        "lines", ["x: %IMAGE%", "x: |\n  a\n${BLOCK}", "x: @TAG@", "x:\n  y: 1\n  ${MORE_OF_IT}"]
    )
    def test_what_is_yaml_once_a_script_has_filled_it_in_is_a_skip(
        self, repository: Repository, lines: str
    ) -> None:
        repository.add({"deploy/a.yaml": f"{SERVICE}{lines}\n"})
        assert repository.skips() == [("manifests:deploy/a.yaml", "a template for another tool", True)]

    def test_what_is_no_yaml_when_it_is_filled_in_is_a_broken_manifest(self, repository: Repository) -> None:
        repository.add({"deploy/a.yaml": SERVICE + "x: ${TAG}\nspec: [\n"})
        assert repository.targets() == ["manifests:deploy"]

    def test_a_template_without_anything_that_has_ports_does_not_count(self, repository: Repository) -> None:
        repository.add({"deploy/a.yaml": CONFIG_MAP + "data: {{ x }}\n"})
        assert repository.skips() == [("manifests:deploy/a.yaml", "a template for another tool", False)]

    def test_braces_in_a_string_are_no_template(self, repository: Repository) -> None:
        repository.add({"deploy/a.yaml": SERVICE + "x: '{{ a }}'\ny: |\n  #@type null\n"})
        assert repository.targets() == ["manifests:deploy"]

    def test_a_broken_manifest_is_kept_so_that_rendering_reports_it(self, repository: Repository) -> None:
        repository.add({"deploy/a.yaml": SERVICE + "spec: [\n"})
        assert repository.manifests() == [ManifestTarget("deploy", ("deploy/a.yaml",))]

    def test_a_large_manifest_is_a_skip_that_counts(self, repository: Repository) -> None:
        repository.add({"deploy/a.yaml": SERVICE + "#" * MAX_SOURCE_BYTES})
        assert repository.skips() == [("manifests:deploy/a.yaml", "5.0 MiB, larger than 5 MiB", True)]

    def test_another_large_file_does_not_count(self, repository: Repository) -> None:
        repository.add({"deploy/a.json": '"' + "#" * MAX_SOURCE_BYTES})
        assert repository.skips() == [("manifests:deploy/a.json", "5.0 MiB, larger than 5 MiB", False)]

    def test_a_binary_file_that_begins_like_a_manifest_counts(self, repository: Repository) -> None:
        repository.add({"deploy/a.yaml": SERVICE + "\0"})
        assert repository.skips() == [
            ("manifests:deploy/a.yaml", f"a binary file ({len(SERVICE) + 1} bytes)", True)
        ]

    def test_a_file_in_another_encoding_is_a_skip(self, repository: Repository) -> None:
        repository.add({"deploy/a.yaml": ""})
        (repository.root / "deploy/a.yaml").write_bytes(SERVICE.encode() + b"# caf\xe9\n")
        assert repository.skips() == [
            (
                "manifests:deploy/a.yaml",
                f"not UTF-8 (byte {len(SERVICE) + 5}) ({len(SERVICE) + 7} bytes)",
                True,
            )
        ]

    def test_an_edit_of_the_tree_is_seen(self, repository: Repository) -> None:
        repository.add({"deploy/a.yaml": CONFIG_MAP})
        found = discover(Tree(repository.root, {"deploy/a.yaml": SERVICE}))
        assert [target.id for target in found.targets] == ["manifests:deploy"]

    def test_a_link_to_a_manifest_is_left_to_its_own_folder(self, repository: Repository) -> None:
        repository.add({"deploy/a.yaml": SERVICE, "copy/a.yaml": "-> ../deploy/a.yaml"})
        assert repository.find() == Discovery((ManifestTarget("deploy", ("deploy/a.yaml",)),), ())

    def test_a_link_to_a_manifest_out_of_the_tree_is_a_skip(self, repository: Repository) -> None:
        repository.add({"deploy/a.yaml": "-> /etc/hosts"})
        assert repository.skips() == [
            ("manifests:deploy/a.yaml", "a link that points to an absolute path", True)
        ]


SERVICE_OF = (
    "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: {port}}}]}}\n"
)


def alternatives_in(folder: Path) -> dict[str, tuple[str, ...]]:
    """The files of each target of plain manifests, by its id."""
    found = discover(Tree(folder)).targets
    return {target.id: target.files for target in found if isinstance(target, ManifestTarget)}


def test_files_that_hold_the_same_objects_are_alternatives(tmp_path: Path) -> None:
    for name, port in (("install.yaml", 80), ("namespace-install.yaml", 81)):
        (tmp_path / name).write_text(SERVICE_OF.format(name="web", port=port))
    (tmp_path / "extra.yaml").write_text(SERVICE_OF.format(name="other", port=80))
    assert alternatives_in(tmp_path) == {
        "manifests:install.yaml": ("extra.yaml", "install.yaml"),
        "manifests:namespace-install.yaml": ("extra.yaml", "namespace-install.yaml"),
    }


def test_the_files_that_one_file_repeats_are_one_alternative_together(tmp_path: Path) -> None:
    """A folder with everything in one file, and once more with a file for each part."""
    for name, port in (("api", 80), ("web", 81)):
        (tmp_path / f"{name}.yaml").write_text(SERVICE_OF.format(name=name, port=port))
    (tmp_path / "all.yaml").write_text(
        "---\n".join(SERVICE_OF.format(name=name, port=90) for name in ("api", "web"))
    )
    (tmp_path / "extra.yaml").write_text(SERVICE_OF.format(name="other", port=80))
    assert alternatives_in(tmp_path) == {
        "manifests:all.yaml": ("all.yaml", "extra.yaml"),
        "manifests:api.yaml": ("api.yaml", "extra.yaml", "web.yaml"),
    }


def test_which_of_two_alternatives_goes_with_another_file_is_left_open(tmp_path: Path) -> None:
    for place, name, port in (("a1", "api", 80), ("a2", "api", 81), ("w1", "web", 80), ("w2", "web", 81)):
        (tmp_path / f"{place}.yaml").write_text(SERVICE_OF.format(name=name, port=port))
    assert alternatives_in(tmp_path) == {
        f"manifests:{place}.yaml": (f"{place}.yaml",) for place in ("a1", "a2", "w1", "w2")
    }
