"""Dependencies of charts: where they come from, and what is said when they are not there."""

from __future__ import annotations

import pytest

from portproof.discover.model import Dependency, HelmTarget, Mount, Skip
from tests.support.discovery import Repository, chart


class TestDependencies:
    def test_a_vendored_folder_is_not_missing(self, repository: Repository) -> None:
        repository.add(
            {"web/Chart.yaml": chart("web", ("db", "https://x.test")), "web/charts/x/Chart.yaml": chart("db")}
        )
        assert repository.helm().missing == ()

    def test_a_vendored_archive_is_not_missing(self, repository: Repository) -> None:
        repository.add(
            {"web/Chart.yaml": chart("web", ("db", "https://x.test")), "web/charts/db-1.2.0.tgz": ""}
        )
        assert (repository.helm().missing, repository.helm().archives) == ((), ("charts/db-1.2.0.tgz",))

    def test_an_archive_of_a_longer_name_is_another_chart(self, repository: Repository) -> None:
        repository.add(
            {"web/Chart.yaml": chart("web", ("db", "https://x.test")), "web/charts/db-ui-1.2.0.tgz": ""}
        )
        assert repository.helm().missing == (Dependency(".", "db", "1.x", "https://x.test"),)

    @pytest.mark.parametrize(
        "where", ["https://x.test", "http://x.test", "oci://x.test/charts", "@stable", "alias:x", ""]
    )
    def test_what_has_to_be_fetched_is_missing(self, repository: Repository, where: str) -> None:
        repository.add({"web/Chart.yaml": chart("web", ("db", where))})
        assert repository.helm().missing == (Dependency(".", "db", "1.x", where),)

    def test_the_lock_file_says_the_version(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web", ("db", "https://x.test"))})
        repository.add({"web/Chart.lock": "dependencies:\n- {name: db, version: 1.2.3}\n"})
        assert repository.helm().missing == (Dependency(".", "db", "1.2.3", "https://x.test"),)

    def test_a_dependency_that_a_condition_switches_off_is_missing_all_the_same(
        self, repository: Repository
    ) -> None:
        text = (
            chart("web")
            + "dependencies: [{name: db, version: '1', repository: 'oci://x', condition: db.enabled}]\n"
        )
        repository.add({"web/Chart.yaml": text, "web/values.yaml": "db: {enabled: false}\n"})
        assert repository.helm().missing == (Dependency(".", "db", "1", "oci://x"),)

    def test_requirements_of_old_charts_are_read(self, repository: Repository) -> None:
        repository.add(
            {
                "web/Chart.yaml": "apiVersion: v1\nname: web\nversion: 1.0.0\n",
                "web/requirements.yaml": "dependencies:\n- {name: db, version: 1.x, repository: https://x.test}\n",
                "web/requirements.lock": "dependencies:\n- {name: db, version: 1.2.3}\n",
            }
        )
        assert repository.helm().missing == (Dependency(".", "db", "1.2.3", "https://x.test"),)

    def test_one_dependency_under_two_aliases_is_missing_once(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web", ("db", "oci://x"), ("db", "oci://x"))})
        assert repository.helm().missing == (Dependency(".", "db", "1.x", "oci://x"),)

    def test_a_vendored_subchart_may_miss_something_itself(self, repository: Repository) -> None:
        repository.add(
            {"web/Chart.yaml": chart("web"), "web/charts/db/Chart.yaml": chart("db", ("common", "oci://x"))}
        )
        assert repository.helm().missing == (Dependency("charts/db", "common", "1.x", "oci://x"),)

    @pytest.mark.parametrize("entries", ["x", "[x, 1, null]", "[{version: 1}]", "{a: b}"])
    def test_a_broken_list_of_dependencies_is_for_helm_to_report(
        self, repository: Repository, entries: str
    ) -> None:
        repository.add({"web/Chart.yaml": chart("web") + f"dependencies: {entries}\n"})
        assert repository.helm().missing == ()

    def test_a_file_dependency_is_mounted(self, repository: Repository) -> None:
        repository.add(
            {
                "c/web/Chart.yaml": chart("web", ("common", "file://../lib")),
                "c/lib/Chart.yaml": chart("common"),
            }
        )
        (web,) = (t for t in repository.find().targets if t.path == "c/web")
        assert isinstance(web, HelmTarget)
        assert (web.mounts, web.missing) == ((Mount(".", "c/web"), Mount("charts/lib", "c/lib")), ())

    def test_file_dependencies_are_mounted_below_each_other(self, repository: Repository) -> None:
        repository.add(
            {
                "a/Chart.yaml": chart("a", ("b", "file://../b")),
                "b/Chart.yaml": chart("b", ("c", "file://../c"), kind="library"),
                "c/Chart.yaml": chart("c", ("d", "oci://x"), kind="library"),
            }
        )
        target = repository.helm()
        assert (target.mounts, target.missing) == (
            (Mount(".", "a"), Mount("charts/b", "b"), Mount("charts/b/charts/c", "c")),
            (Dependency("charts/b/charts/c", "d", "1.x", "oci://x"),),
        )

    def test_a_vendored_copy_goes_before_a_file_dependency(self, repository: Repository) -> None:
        repository.add(
            {
                "a/Chart.yaml": chart("a", ("b", "file://../b")),
                "a/charts/b/Chart.yaml": chart("b"),
                "b/Chart.yaml": chart("b", kind="library"),
            }
        )
        assert repository.helm().mounts == (Mount(".", "a"),)

    def test_file_dependencies_from_folders_of_one_name_get_places_of_their_own(
        self, repository: Repository
    ) -> None:
        repository.add(
            {
                "a/Chart.yaml": chart("a", ("x", "file://../x/lib"), ("y", "file://../y/lib")),
                "a/charts/lib/README": "",
                "x/lib/Chart.yaml": chart("x", kind="library"),
                "y/lib/Chart.yaml": chart("y", kind="library"),
            }
        )
        assert repository.helm().mounts == (
            Mount(".", "a"),
            Mount("charts/lib-2", "x/lib"),
            Mount("charts/lib-3", "y/lib"),
        )

    def test_archives_of_a_mounted_chart_are_known(self, repository: Repository) -> None:
        repository.add(
            {
                "a/Chart.yaml": chart("a", ("b", "file://../b")),
                "b/Chart.yaml": chart("b", ("c", "oci://x"), kind="library"),
                "b/charts/c-1.0.0.tgz": "",
            }
        )
        assert (repository.helm().archives, repository.helm().missing) == (
            ("charts/b/charts/c-1.0.0.tgz",),
            (),
        )

    def test_a_cycle_of_file_dependencies_is_a_skip(self, repository: Repository) -> None:
        repository.add(
            {
                "a/Chart.yaml": chart("a", ("b", "file://../b")),
                "b/Chart.yaml": chart("b", ("a", "file://../a")),
            }
        )
        assert repository.find().skips == (
            Skip("helm", "a", "its file:// dependencies form a loop: a -> b -> a"),
            Skip("helm", "b", "its file:// dependencies form a loop: b -> a -> b"),
        )

    def test_a_chart_that_depends_on_itself_is_a_skip(self, repository: Repository) -> None:
        repository.add({"a/Chart.yaml": chart("a", ("b", "file://."))})
        assert repository.skips() == [("helm:a", "its file:// dependencies form a loop: a -> a", True)]

    @pytest.mark.parametrize("where", ["file://../../x", "file:///etc", "file://../x/../../y"])
    def test_a_file_dependency_out_of_the_tree_is_a_skip(self, repository: Repository, where: str) -> None:
        repository.add({"a/Chart.yaml": chart("a", ("b", where))})
        assert repository.skips() == [
            ("helm:a", f"the dependency b ({where}) points outside the repository (a/Chart.yaml:6)", True)
        ]

    def test_a_file_dependency_through_a_link_out_of_the_tree_is_a_skip(self, repository: Repository) -> None:
        repository.add({"a/Chart.yaml": chart("a", ("b", "file://../lib/b")), "lib": "-> ../elsewhere"})
        assert (
            "helm:a",
            "the dependency b (file://../lib/b) points outside the repository (a/Chart.yaml:6)",
            True,
        ) in repository.skips()

    def test_a_file_dependency_that_is_not_there_is_for_helm_to_report(self, repository: Repository) -> None:
        repository.add({"a/Chart.yaml": chart("a", ("b", "file://../b"))})
        assert repository.helm() == HelmTarget("a", release="a", mounts=(Mount(".", "a"),))

    def test_dependencies_that_multiply_are_refused(self, repository: Repository) -> None:
        for n in range(12):
            twice = [("x", f"file://../c{n + 1}"), ("y", f"file://../d{n + 1}")]
            for letter in "cd":
                repository.add({f"{letter}{n}/Chart.yaml": chart(f"{letter}{n}", *twice)})
        repository.add({"c12/Chart.yaml": chart("x"), "d12/Chart.yaml": chart("x")})
        assert repository.skips("c0") == [
            ("helm:c0", "its links and file:// dependencies lead to more than 100 folders", True)
        ]
