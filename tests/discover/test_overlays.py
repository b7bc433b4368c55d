"""Kustomizations: which are rendered, and the files that each reads."""

from __future__ import annotations

import pytest

from portproof.discover.model import Discovery, KustomizeTarget
from portproof.discover.references import is_remote
from tests.support.discovery import SERVICE, Repository, chart

ALONE = "checked by itself if nothing that uses it can be built"
KUSTOMIZATION_FIELDS = {
    "resources: [{}]": "base",
    "bases: [{}]": "base",
    "components: [{}]": "base",
    "crds: [{}]": "file",
    "configurations: [{}]": "file",
    "openapi: {{path: {}}}": "file",
    "patches: [{{path: {}}}]": "file",
    "patches: [{}]": "patch",
    "patchesStrategicMerge: [{}]": "patch",
    "patchesJson6902: [{{path: {}}}]": "file",
    "replacements: [{{path: {}}}]": "file",
    "generators: [{}]": "plugin configuration",
    "transformers: [{}]": "plugin configuration",
    "validators: [{}]": "plugin configuration",
    "configMapGenerator: [{{files: [{}]}}]": "file",
    "configMapGenerator: [{{files: [key={}]}}]": "file",
    "configMapGenerator: [{{envs: [{}]}}]": "file",
    "configMapGenerator: [{{env: {}}}]": "file",
    "secretGenerator: [{{files: [{}]}}]": "file",
    "secretGenerator: [{{envs: [{}]}}]": "file",
    "secretGenerator: [{{env: {}}}]": "file",
    "transformers: ['{{kind: PatchTransformer, path: {}}}']": "file",
    "transformers: ['{{kind: PatchStrategicMergeTransformer, paths: [{}]}}']": "patch",
    "generators: ['{{kind: ConfigMapGenerator, files: [{}]}}']": "file",
    "generators: ['{{kind: SecretGenerator, envs: [{}]}}']": "file",
    "transformers: ['{{kind: ReplacementTransformer, replacements: [{{path: {}}}]}}']": "file",
    "transformers: ['{{kind: ValueAddTransformer, targetFilePath: {}}}']": "file",
    "transformers: ['{{kind: List, items: [{{kind: PatchTransformer, path: {}}}]}}']": "file",
    "ConfigMapGenerator: [{{Files: [{}]}}]": "file",
}
FIELDS = pytest.mark.parametrize(
    ("field", "what"), KUSTOMIZATION_FIELDS.items(), ids=list(KUSTOMIZATION_FIELDS)
)


class TestKustomizations:
    @pytest.mark.parametrize("name", ["kustomization.yaml", "kustomization.yml", "Kustomization"])
    def test_a_kustomization_is_a_target(self, repository: Repository, name: str) -> None:
        repository.add({f"app/{name}": ""})
        assert repository.find().targets == (KustomizeTarget("app", (f"app/{name}",)),)

    def test_an_object_of_flux_called_kustomization_is_none(self, repository: Repository) -> None:
        flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: a}\nspec: {path: ./web}\n"
        repository.add({"flux/kustomization.yaml": flux, "flux/a.yaml": SERVICE})
        repository.add({"web/kustomization.yaml": ""})
        reason = "its kustomization.yaml is an object of Flux"
        assert repository.targets() == ["kustomize:web", "manifests:flux"]
        assert ("kustomize:flux", reason, False) in repository.skips()

    def test_a_patch_of_a_kustomization_of_flux_deploys_nothing(self, repository: Repository) -> None:
        flux = (
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: web}\n"
            "spec: {postBuild: {substitute: {ENVIRONMENT: prod}}}\n"
        )
        repository.add({"web/kustomization.yaml": "", "other/a.yaml": SERVICE, "patches/web.yaml": flux})
        assert repository.targets() == ["kustomize:web", "manifests:other"]
        assert repository.find().unread == ()

    @pytest.mark.parametrize(
        ("folder", "environment"),
        [("clusters/prod", "prod"), ("clusters/stages/dev/clusters/amer", "dev"), ("flux", "")],
    )
    def test_a_kustomization_of_flux_is_of_the_cluster_whose_folder_it_lies_in(
        self, repository: Repository, folder: str, environment: str
    ) -> None:
        flux = (
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: web}\n"
            "spec: {path: ./web, targetNamespace: shop, sourceRef: {kind: GitRepository, name: flux-system}}\n"
        )
        repository.add({"web/kustomization.yaml": "resources: [a.yaml]", "web/a.yaml": SERVICE})
        repository.add({f"{folder}/web.yaml": flux})
        (target,) = [one for one in repository.find().targets if isinstance(one, KustomizeTarget)]
        assert target.install is not None
        assert target.install.environment == environment

    def test_a_folder_without_a_kustomization_is_no_base_that_could_be_built(
        self, repository: Repository
    ) -> None:
        repository.add({"base/shop/a.yaml": SERVICE, "base/web/kustomization.yaml": ""})
        repository.add({"prod/kustomization.yaml": "resources: [../base/shop, ../base/web]"})
        assert [one.id for bases in repository.find().bases.values() for one in bases] == [
            "kustomize:base/web"
        ]

    def test_leaves_are_targets_and_bases_are_not(self, repository: Repository) -> None:
        repository.add({"base/kustomization.yaml": ""})
        for name in ("dev", "prod", "test"):
            repository.add({f"overlays/{name}/kustomization.yaml": "resources: [../../base]"})
        assert (repository.targets(), repository.skips()) == (
            ["kustomize:overlays/dev", "kustomize:overlays/prod", "kustomize:overlays/test"],
            [("kustomize:base", f"base of overlays/dev (and 2 more); {ALONE}", False)],
        )

    def test_a_component_is_never_rendered_alone(self, repository: Repository) -> None:
        repository.add({"c/kustomization.yaml": "kind: Component", "d/kustomization.yaml": "kind: Component"})
        repository.add({"app/kustomization.yaml": "components: [../c]"})
        assert (repository.targets(), repository.skips()) == (
            ["kustomize:app"],
            [
                ("kustomize:c", "component of app", False),
                ("kustomize:d", "a component that nothing refers to", False),
            ],
        )

    def test_a_base_that_only_an_unused_component_has_is_a_target(self, repository: Repository) -> None:
        repository.add(
            {"c/kustomization.yaml": "kind: Component\nresources: [../base]", "base/kustomization.yaml": ""}
        )
        assert repository.targets() == ["kustomize:base"]

    def test_a_circle_is_a_target_so_that_kustomize_reports_it(self, repository: Repository) -> None:
        repository.add(
            {"a/kustomization.yaml": "resources: [../b]", "b/kustomization.yaml": "resources: [../a]"}
        )
        assert repository.targets() == ["kustomize:a"]

    def test_a_kustomization_that_refers_to_itself_is_a_target(self, repository: Repository) -> None:
        repository.add({"a/kustomization.yaml": "resources: [.]"})
        assert repository.targets() == ["kustomize:a"]

    @pytest.mark.parametrize(
        "text", ["resources: [", "- a", "text", "resources: 1", "resources: [{a: b}, null]"]
    )
    def test_a_broken_kustomization_is_a_target(self, repository: Repository, text: str) -> None:
        repository.add({"a/kustomization.yaml": text})
        assert repository.targets() == ["kustomize:a"]

    @FIELDS
    def test_every_field_that_names_a_file_is_read(
        self, repository: Repository, field: str, what: str
    ) -> None:
        assert what
        repository.add(
            {"a/kustomization.yaml": field.format("some/x.yaml"), "a/some/x.yaml": "kind: LabelTransformer\n"}
        )
        assert repository.kustomize().files == ("a/kustomization.yaml", "a/some/x.yaml")

    @FIELDS
    def test_a_remote_reference_in_any_field_is_a_skip(
        self, repository: Repository, field: str, what: str
    ) -> None:
        repository.add({"a/kustomization.yaml": field.format("https://x.test/y.yaml")})
        assert repository.skips() == [
            (
                "kustomize:a",
                f"remote {what} https://x.test/y.yaml: not fetched (a/kustomization.yaml:1)",
                True,
            )
        ]

    @FIELDS
    def test_a_path_out_of_the_tree_in_any_field_is_a_skip(
        self, repository: Repository, field: str, what: str
    ) -> None:
        repository.add({"a/kustomization.yaml": field.format("../../y.yaml")})
        assert repository.skips() == [
            (
                "kustomize:a",
                f"the {what} ../../y.yaml points outside the repository (a/kustomization.yaml:1)",
                True,
            )
        ]

    def test_files_are_collected_through_bases_and_components(self, repository: Repository) -> None:
        repository.add(
            {
                "top/kustomization.yaml": "resources: [../base]\ncomponents: [../part]",
                "base/Kustomization": "resources: [svc.yaml]\npatches: [{path: p.yaml}]",
                "base/svc.yaml": SERVICE,
                "base/p.yaml": "",
                "part/kustomization.yml": "kind: Component\nconfigMapGenerator: [{files: [c.txt], envs: [e.env]}]",
                "part/c.txt": "",
                "part/e.env": "",
            }
        )
        assert repository.kustomize().files == (
            "base/Kustomization",
            "base/p.yaml",
            "base/svc.yaml",
            "part/c.txt",
            "part/e.env",
            "part/kustomization.yml",
            "top/kustomization.yaml",
        )

    def test_files_of_generators_and_of_folders_of_transformers_are_collected(
        self, repository: Repository
    ) -> None:
        repository.add(
            {
                "a/kustomization.yaml": "generators: [g.yaml]\ntransformers: [t]",
                "a/g.yaml": "apiVersion: builtin\nkind: ConfigMapGenerator\nfiles: [data.txt]\n",
                "a/data.txt": "",
                "a/t/kustomization.yaml": "resources: [t.yaml]",
                "a/t/t.yaml": "apiVersion: builtin\nkind: PatchTransformer\npath: p.yaml\n",
                "a/t/p.yaml": "",
            }
        )
        assert repository.kustomize().files == (
            "a/data.txt",
            "a/g.yaml",
            "a/kustomization.yaml",
            "a/t/kustomization.yaml",
            "a/t/p.yaml",
            "a/t/t.yaml",
        )

    def test_a_remote_path_in_a_folder_of_transformers_is_a_skip(self, repository: Repository) -> None:
        repository.add(
            {
                "a/kustomization.yaml": "transformers: [t]",
                "a/t/kustomization.yaml": "resources: [t.yaml]",
                "a/t/t.yaml": "apiVersion: builtin\nkind: PatchTransformer\npath: https://x.test/p.yaml\n",
            }
        )
        assert (
            "kustomize:a",
            "remote file https://x.test/p.yaml: not fetched (a/t/t.yaml:3)",
            True,
        ) in repository.skips()

    def test_a_file_read_through_a_link_counts_in_both_places(self, repository: Repository) -> None:
        repository.add(
            {"a/kustomization.yaml": "resources: [x.yaml]", "a/x.yaml": "-> ../x.yaml", "x.yaml": SERVICE}
        )
        assert repository.kustomize().files == ("a/kustomization.yaml", "a/x.yaml", "x.yaml")

    def test_a_base_through_a_link_out_of_the_tree_is_a_skip(self, repository: Repository) -> None:
        repository.add({"a/kustomization.yaml": "resources: [b]", "a/b": "-> ../../outside"})
        assert (
            "kustomize:a",
            "the base b points outside the repository (a/kustomization.yaml:1)",
            True,
        ) in repository.skips()

    def test_an_inline_patch_is_no_path(self, repository: Repository) -> None:
        text = "patchesStrategicMerge:\n  - |\n    kind: Service\n    x: https://x.test\n  - '{kind: Pod}'\n"
        repository.add({"a/kustomization.yaml": text})
        assert repository.targets() == ["kustomize:a"]

    def test_a_base_that_is_not_there_is_for_kustomize_to_report(self, repository: Repository) -> None:
        repository.add({"a/kustomization.yaml": "resources: [../base, x.yaml]\npatches: [{path: p.yaml}]"})
        assert repository.find() == Discovery((KustomizeTarget("a", ("a/kustomization.yaml",)),), ())

    @pytest.mark.parametrize(
        "reference",
        [
            "https://github.com/a/b//c?ref=v1",
            "http://x.test/y.yaml",
            "github.com/a/b",
            "github.com/a/b?ref=v1",
            "GitHub.com/a/b",
            "git::https://x.test/a/b",
            "git@github.com:a/b.git",
            "ssh://git@x.test/a",
            "file:///etc",
            "gh:a/b",
            "org-1234@github.com:a/b",
        ],
    )
    def test_a_remote_reference_is_known_by_its_form(self, reference: str) -> None:
        assert is_remote(reference)

    @pytest.mark.parametrize(
        "reference", ["../base", "base", "v1.2/x.yaml", "a@b", "./github.com/x", "a/b@c:d", "git"]
    )
    def test_a_local_reference_is_known_by_its_form(self, reference: str) -> None:
        assert not is_remote(reference)

    @pytest.mark.parametrize(
        "reference", ["bitbucket.org/a/b", "x.test/a/b?ref=v1", "../b?ref=v1", "a/b.git", "x/_git/y"]
    )
    def test_a_host_like_path_that_is_not_there_is_remote(
        self, repository: Repository, reference: str
    ) -> None:
        repository.add({"a/kustomization.yaml": f"resources: ['{reference}']"})
        assert repository.skips() == [
            ("kustomize:a", f"remote base {reference}: not fetched (a/kustomization.yaml:1)", True)
        ]

    def test_a_host_like_path_that_is_there_is_local(self, repository: Repository) -> None:
        repository.add(
            {"a/kustomization.yaml": "resources: [my.app/base]", "a/my.app/base/kustomization.yaml": ""}
        )
        assert repository.targets() == ["kustomize:a"]

    @pytest.mark.parametrize("folder", ["lib", "lib/web/base"])
    def test_what_lies_in_a_submodule_that_is_not_checked_out_is_done_without(
        self, repository: Repository, folder: str
    ) -> None:
        modules = '[submodule "lib"]\n\tpath = lib\n\turl = https://x.test/lib\n'
        overlay = f"resources: [../{folder}, web.yaml]"
        repository.add({".gitmodules": modules, "prod/kustomization.yaml": overlay, "prod/web.yaml": SERVICE})
        (repository.root / "lib").mkdir()
        found = repository.find()
        assert [one.id for one in found.targets] == ["kustomize:prod"]
        said = "which is in the git submodule lib, and that is not checked out (prod/kustomization.yaml:1)"
        assert [(one.kind, one.reason.partition(", ")[2]) for one in found.unread] == [("submodule", said)]
        repository.add({f"{folder}/kustomization.yaml": ""})
        assert repository.find().unread == ()

    def test_a_remote_base_of_a_base_names_where_it_stands(self, repository: Repository) -> None:
        repository.add(
            {
                "a/kustomization.yaml": "resources: [../b]",
                "b/kustomization.yaml": "resources: [https://x.test]",
            }
        )
        assert repository.skips() == [
            ("kustomize:a", "remote base https://x.test: not fetched (b/kustomization.yaml:1)", True),
            ("kustomize:b", f"base of a; {ALONE}", False),
        ]

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (
                "helmCharts: [{name: x}]",
                "the chart 'x' of its helmCharts is not rendered: there is no such folder, and it names no repo",
            ),
            ("helmChartInflationGenerator: [{chartName: x}]", "its helmCharts are not rendered"),
            (
                "generators: ['{apiVersion: builtin, kind: HelmChartInflationGenerator}']",
                "its helmCharts are not rendered",
            ),
        ],
    )
    def test_helm_charts_without_a_chart_are_a_skip(
        self, repository: Repository, text: str, reason: str
    ) -> None:
        repository.add({"a/kustomization.yaml": text})
        assert repository.skips() == [("kustomize:a", f"{reason} (a/kustomization.yaml:1)", True)]

    @pytest.mark.parametrize(
        "text",
        [
            "namespace: {{ .name }}\n",
            "resources:\n{{- if .db }}\n- db.yaml\n{{- end }}\n",
            "kind: Kustomization\napiVersion: kustomize.config.k8s.io/v1beta1\nresources:\n<% parts %>\n",
        ],
    )
    def test_the_template_of_a_kustomization_is_a_skip(self, repository: Repository, text: str) -> None:
        repository.add({"new/kustomization.yaml": text})
        assert ("kustomize:new", "a template for another tool", False) in repository.skips()
        assert repository.targets() == []

    def test_a_kustomization_inside_templates_is_a_skip(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "web/templates/kustomization.yaml": ""})
        assert repository.skips() == [("kustomize:web/templates", "inside the templates of web", False)]

    def test_a_kustomization_that_is_a_link_out_of_the_tree_is_a_skip(self, repository: Repository) -> None:
        repository.add({"a/kustomization.yaml": "-> /etc/passwd"})
        assert (
            "kustomize:a",
            "the kustomization kustomization.yaml points to an absolute path",
            True,
        ) in repository.skips()
