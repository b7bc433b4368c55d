"""``portproof postmortem`` in repositories with a past: the commit that brought a finding, and what the document says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from portproof.discover.model import Target
from portproof.postmortem.history import nameless
from portproof.postmortem.search import MAX_CANDIDATES
from portproof.render.engine import Engine
from portproof.render.model import NotRendered, RenderFailure, Rendering
from portproof.source import Tree
from tests.e2e.program import Program, Repository
from tests.postmortem.past import PEOPLE, Past

GOLDEN = Path(__file__).parents[1] / "data" / "postmortem" / "incident.md"
VALUES = "chart/values.yaml"
RIGHT, WRONG = "  targetPort: 8080\n", "  targetPort: 8081\n"
_PROVEN = re.compile(
    r"^Commit `(\w+)` of [\d: -]+ UTC: .*\n\nProven by rendering: this commit has", re.MULTILINE
)


@pytest.fixture
def past(make_repository: Callable[[str], Repository]) -> Past:
    """The incident's chart as it was before, with one commit."""
    repository = make_repository("")
    fixture = Path(__file__).parents[2] / "fixtures" / "incident" / "repaired"
    for file in sorted(fixture.rglob("*")):
        if file.is_file():
            repository.write({file.relative_to(fixture).as_posix(): file.read_bytes()})
    made = Past(repository)
    made.git("checkout", "--quiet", "--orphan", "history")
    made.commit("The shop")
    return made


def trigger(document: str) -> str | None:
    """The commit that the document says is proven to have brought the finding."""
    found = _PROVEN.findall(document)
    assert len(found) < 2
    return found[0] if found else None


def fingerprints(portproof: Program) -> dict[str, str]:
    """The fingerprints of what the checkout has, by the path of the place."""
    return {one["location"]["path"]: one["fingerprint"] for one in portproof.check()["findings"]}


def written(portproof: Program, *args: str) -> str:
    """The document."""
    run = portproof("postmortem", *args)
    assert (run.code, run.stderr) == (0, "")
    return run.stdout


def of_values(portproof: Program, path: str = VALUES) -> str:
    """The document about the finding whose place is in a file."""
    return written(portproof, fingerprints(portproof)[path])


def noise(past: Past, *names: str) -> None:
    """Commits that have nothing to do with it."""
    for name in names:
        past.repository.write({f"docs/{name}.md": f"# {name}\n"})
        past.commit(f"A page on {name}")


# the document


def test_the_committed_document_is_what_the_program_writes(
    portproof: Program, past: Past, request: pytest.FixtureRequest
) -> None:
    noise(past, "tea")
    past.repository.replace(VALUES, "image:\n", "image: # built by CI\n")
    past.commit("A word on the image, from Ada Lovelace")
    for file in (VALUES, "kustomize/overlays/prod/service.yaml", "manifests/service.yaml"):
        past.repository.replace(file, "targetPort: 8080", "targetPort: 8081")
    broke = past.commit("Merge pull request #7 from ada/backend: move the backend to its new port")
    noise(past, "coffee", "cake")
    document = written(portproof, "--rev", "HEAD~5..HEAD")
    if request.config.getoption("--accept"):
        GOLDEN.write_text(document)
    assert document == GOLDEN.read_text()
    assert trigger(document) == broke
    assert written(portproof, "--rev", "HEAD~5..HEAD", "--jobs", "1") == document


def test_the_page_quotes_that_document() -> None:
    page = (Path(__file__).parents[2] / "docs" / "postmortem.md").read_text()
    (quoted,) = re.findall(r"```markdown\n(.*?)```", page, re.DOTALL)
    assert quoted in GOLDEN.read_text()


def test_no_person_is_named(portproof: Program, past: Past) -> None:
    past.repository.replace(VALUES, RIGHT, WRONG)
    past.commit(
        "Merge branch 'ada/port' of mail.example:ada/shop, thanks @grace and Ada Lovelace <ada@mail.example>"
    )
    document = of_values(portproof)
    assert "Merge branch 'port'" in document
    assert not [name for name in (*PEOPLE, "@grace", "ada/") if name in document]


def test_nobody_else_of_the_history_is_named(portproof: Program, past: Past) -> None:
    past.repository.git(
        "commit", "--quiet", "--allow-empty", "--author", "Alan Turing <alan@mail.example>", "-m", "x"
    )
    past.repository.replace(VALUES, "replicas: 2\n", "replicas: 2 # so Alan Turing, alan@mail.example\n")
    past.repository.replace(VALUES, RIGHT, WRONG)
    past.commit("What Alan Turing asked for")
    document = of_values(portproof)
    assert "`What … asked for`" in document
    assert "+replicas: 2 # so …, …\n" in document
    assert "Alan" not in document
    assert "alan@" not in document


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("Merge pull request #12 from ada/fix", "Merge pull request #12"),
        ("Merge branch 'ada/fix' into main", "Merge branch 'fix' into main"),
        ("Merge remote-tracking branch 'origin/main'", "Merge remote-tracking branch 'main'"),
        ("Fix the port, thanks @grace-h", "Fix the port, thanks …"),
        ("Fix the port (Ada Lovelace)", "Fix the port (…)"),
        ("Fix the port <ada@mail.example>", "Fix the port …"),
        ("Use image@sha256:1f and charts/@scope", "Use image@sha256:1f and charts/@scope"),
        ("Adapt the port", "Adapt the port"),
    ],
)
def test_a_subject_says_what_changed_and_not_who(subject: str, shown: str) -> None:
    assert nameless(subject, ["Ada Lovelace", "Ada", "ada@mail.example", ""]) == shown


def test_words_of_others_are_no_markdown(portproof: Program, past: Past) -> None:
    past.repository.replace(VALUES, RIGHT, WRONG)
    past.commit("</details> | [a](http://b) ``` <img src=x> \x1b[2J **bold**")
    document = of_values(portproof)
    assert "\x1b" not in document
    said = "`</details> | [a](http://b) ``` <img src=x> [2J **bold**`"
    assert f"UTC: {said}\n" in document
    assert f"{said.replace('|', chr(92) + '|')}; **brought" in document


def test_a_document_goes_to_a_file_and_nothing_else_changes(
    portproof: Program, past: Past, tmp_path: Path
) -> None:
    past.repository.replace(VALUES, RIGHT, WRONG)
    past.commit("Move the backend")
    name = fingerprints(portproof)[VALUES]
    with past.repository.untouched():
        document = written(portproof, name)
        run = portproof("postmortem", name[:6], "--output", tmp_path / "out" / "it.md")
    assert (run.code, run.stdout) == (0, "")
    assert (tmp_path / "out" / "it.md").read_text() == document


# the trigger


def test_the_trigger_is_found_behind_other_commits(portproof: Program, past: Past) -> None:
    noise(past, "tea")
    past.repository.replace(VALUES, RIGHT, WRONG)
    broke = past.commit("Move the backend")
    past.repository.replace(VALUES, "image:\n", "image: # more\n")
    past.commit("A comment in the same file")
    noise(past, "coffee")
    document = of_values(portproof)
    assert trigger(document) == broke
    assert "-  targetPort: 8080\n+  targetPort: 8081\n" in document


def test_one_environment_is_broken_by_its_values(portproof: Program, past: Past) -> None:
    past.repository.write(
        {"chart/values-prod.yaml": "replicas: 2\n", "chart/values-dev.yaml": "replicas: 1\n"}
    )
    past.commit("Values for two environments")
    past.repository.write({"chart/values-prod.yaml": "replicas: 2\nservice: {targetPort: 8081}\n"})
    broke = past.commit("The new port in prod")
    noise(past, "tea")
    document = of_values(portproof, "chart/values-prod.yaml")
    assert trigger(document) == broke
    assert "* Deployed from: `helm:chart?values=values-prod.yaml`\n" in document
    assert (
        "* Not affected, although from the same folder: `helm:chart`, `helm:chart?values=values-dev.yaml`\n"
        in document
    )


def test_a_container_that_moves_is_the_trigger(portproof: Program, past: Past) -> None:
    past.repository.replace("manifests/deployment.yaml", "containerPort: 8080", "containerPort: 9090")
    broke = past.commit("The program listens on 9090")
    noise(past, "tea")
    document = of_values(portproof, "manifests/service.yaml")
    assert trigger(document) == broke
    assert "-            - containerPort: 8080" in document or "containerPort: 9090" in document


def test_a_value_that_is_taken_away_is_the_trigger(portproof: Program, past: Past) -> None:
    past.repository.write({"chart/values-prod.yaml": "service: {targetPort: 8080}\n"})
    past.repository.replace(VALUES, RIGHT, WRONG)
    past.commit("Another default, which prod does not use")
    past.repository.write({"chart/values-prod.yaml": "replicas: 2\n"})
    broke = past.commit("Prod needs no port of its own")
    noise(past, "tea")
    found = portproof.check("--select", "service-target-number")["findings"]
    assert [one["targets"] for one in found] == [["helm:chart", "helm:chart?values=values-prod.yaml"]]
    past.git("rm", "--quiet", VALUES)
    past.repository.write({VALUES: past.git("show", f"HEAD:{VALUES}")})
    document = written(portproof, "--rev", "HEAD~2..HEAD")
    assert trigger(document) == broke


def test_a_chart_that_moved_later_was_broken_before(portproof: Program, past: Past) -> None:
    past.repository.replace(VALUES, RIGHT, WRONG)
    broke = past.commit("Move the backend")
    noise(past, "tea")
    past.git("mv", "chart", "backend")
    past.commit("The chart is called backend")
    noise(past, "coffee")
    assert trigger(of_values(portproof, "backend/values.yaml")) == broke


def test_a_service_that_is_renamed_later_was_broken_before(portproof: Program, past: Past) -> None:
    past.repository.replace("manifests/service.yaml", "targetPort: 8080", "targetPort: 8081")
    broke = past.commit("Move the backend")
    past.repository.replace("manifests/service.yaml", "name: backend-v1", "name: backend-v2")
    past.commit("The Service is called v2")
    assert trigger(of_values(portproof, "manifests/service.yaml")) == broke


def test_a_merge_breaks_what_worked_on_both_sides(portproof: Program, past: Past) -> None:
    past.git("checkout", "--quiet", "-b", "program")
    for old in ("containerPort: 8080",):
        past.repository.replace("manifests/deployment.yaml", old, "containerPort: 9090")
    past.repository.replace("manifests/service.yaml", "targetPort: 8080", "targetPort: 9090")
    past.commit("The program and its Service use 9090")
    past.git("checkout", "--quiet", "history")
    text = past.repository.read("manifests/service.yaml").decode()
    past.repository.write({"manifests/second.yaml": text.replace("name: backend-v1", "name: backend-v2", 1)})
    past.commit("A second Service")
    past.hour += 1
    past.git("merge", "--quiet", "--no-ff", "--message", "Merge branch 'program'", "program")
    broke = past.here()
    noise(past, "tea")
    document = of_values(portproof, "manifests/second.yaml")
    assert trigger(document) == broke
    assert "none of its parents" in document
    assert "Each side worked" in document


def test_what_was_repaired_and_broke_again_has_the_later_trigger(portproof: Program, past: Past) -> None:
    past.repository.replace(VALUES, RIGHT, WRONG)
    past.commit("Move the backend")
    past.repository.replace(VALUES, WRONG, RIGHT)
    past.commit("Back")
    past.repository.replace(VALUES, RIGHT, WRONG)
    broke = past.commit("Move the backend, now really")
    assert trigger(of_values(portproof)) == broke


def test_the_search_ends_after_eight_commits(portproof: Program, past: Past) -> None:
    for number in range(1, MAX_CANDIDATES + 2):
        past.repository.replace(VALUES, f"targetPort: {8079 + number}", f"targetPort: {8080 + number}")
        past.commit(f"Port {8080 + number}")
    document = of_values(portproof)
    assert trigger(document) is None
    assert f"Not found. The search ended after {MAX_CANDIDATES} commits." in document
    assert len(re.findall(r"has the finding, and so has its parent \|", document)) == MAX_CANDIDATES


def test_a_commit_costs_a_render_of_the_target_in_question(
    portproof: Program, past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    past.repository.write({"chart/values-dev.yaml": "replicas: 1\n"})
    past.repository.replace(VALUES, RIGHT, WRONG)
    past.commit("Move the backend")
    past.repository.replace(VALUES, WRONG, "  targetPort: 8082\n")
    past.commit("Move it again")
    name = fingerprints(portproof)[VALUES]
    rendered: list[tuple[str, str]] = []
    render = Engine._render

    def counted(engine: Engine, target: Target, tree: Tree) -> Rendering | RenderFailure | NotRendered:
        if tree.root != past.repository.root:
            rendered.append((target.id, tree.root.parent.name))
        return render(engine, target, tree)

    monkeypatch.setattr(Engine, "_render", counted)
    assert trigger(written(portproof, name)) is not None
    # the newest commit is the checkout itself; its parent is the trigger, whose parent is the first
    assert [target for target, _ in rendered] == ["helm:chart"] * 2
    assert len(set(rendered)) == 2


def test_a_change_that_is_not_committed_is_said_to_be(portproof: Program, past: Past) -> None:
    past.repository.replace(VALUES, RIGHT, WRONG)
    document = of_values(portproof)
    assert trigger(document) is None
    assert (
        f"not committed: commit `{past.here()}`, which is checked out, does not have the finding" in document
    )


def test_a_repository_may_begin_with_the_finding(portproof: Program, past: Past) -> None:
    past.repository.replace(VALUES, RIGHT, WRONG)
    past.git("add", "--all")
    past.git("commit", "--quiet", "--amend", "--no-edit")
    document = of_values(portproof)
    assert trigger(document) == past.here()
    assert "it is the first of the repository" in document


# after the fix


def test_after_the_fix_two_revisions_tell_it(portproof: Program, past: Past) -> None:
    past.repository.replace(VALUES, RIGHT, WRONG)
    broke = past.commit("Move the backend")
    noise(past, "tea")
    past.repository.replace(VALUES, WRONG, RIGHT)
    ended = past.commit("Back to 8080")
    noise(past, "coffee")
    document = written(portproof, "--rev", "HEAD~4..HEAD~2")
    assert trigger(document) == broke
    assert "| Status | draft; fixed in the repository |" in document
    assert f"Commit `{ended}` of 2025-07-01 04:00 UTC ended it in the repository: `Back to 8080`." in document
    assert f"| yes | Apply the proven fix (`commit {ended}`) | mitigate |" in document


def test_a_fix_that_forgot_an_environment_is_seen(portproof: Program, past: Past) -> None:
    overlay = "kustomize/overlays/prod/service.yaml"
    for file in (VALUES, overlay):
        past.repository.replace(file, "targetPort: 8080", "targetPort: 8081")
    broke = past.commit("Move the backend")
    past.repository.replace(VALUES, WRONG, RIGHT)
    ended = past.commit("Back to 8080")
    document = written(portproof, "--rev", "HEAD~2..HEAD~1")
    assert trigger(document) == broke
    assert (
        "| Status | draft; open: partly fixed, but not for `kustomize:kustomize/overlays/prod` |\n"
        in document
    )
    assert (
        f"Commit `{ended}` of 2025-07-01 03:00 UTC ended it in the repository for `helm:chart`: " in document
    )
    assert "**Still there** for `kustomize:kustomize/overlays/prod`.\n\nFix at `" in document


def test_several_findings_are_parts_of_one_document(portproof: Program, past: Past) -> None:
    past.repository.replace(VALUES, RIGHT, WRONG)
    past.commit("Move the backend")
    past.repository.replace("manifests/deployment.yaml", "containerPort: 8080", "containerPort: 9090")
    past.commit("The program listens on 9090")
    document = written(portproof, "--rev", "HEAD~2..HEAD")
    assert document.count("# Post-mortem:") == 1
    assert len(_PROVEN.findall(document)) == 2
    one = written(portproof, fingerprints(portproof)[VALUES][:8], "--rev", "HEAD~2..HEAD")
    assert trigger(one) is not None


# what is asked for wrongly


@pytest.mark.parametrize(
    ("args", "problem", "step"),
    [
        ([], "postmortem needs a finding", "--rev GOOD..BAD"),
        (["ffff"], "ffff: no finding has this fingerprint; there are ", "--format json"),
        ([""], "postmortem needs a finding", "--rev GOOD..BAD"),
        (["--rev", "HEAD"], "must be GOOD..BAD", "v1.4.0..v1.5.0"),
        (["--rev", "HEAD~1...HEAD"], "must be GOOD..BAD", "v1.4.0..v1.5.0"),
        (["--rev", "nowhere..HEAD"], "--rev nowhere: no such revision in this clone", "git fetch"),
        (["--rev", "HEAD..HEAD~1"], "has no finding that the first does not have", "that worked first"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_next_step(
    portproof: Program, past: Past, args: list[str], problem: str, step: str
) -> None:
    past.repository.replace(VALUES, RIGHT, WRONG)
    past.commit("Move the backend")
    run = portproof("postmortem", *args)
    assert (run.code, run.stdout) == (2, "")
    assert problem in run.stderr
    assert step in run.stderr


def test_a_prefix_of_several_fingerprints_is_not_enough(portproof: Program, past: Past) -> None:
    template = (
        past.repository.read("manifests/service.yaml")
        .decode()
        .replace("targetPort: 8080", "targetPort: 8081")
    )
    past.repository.write(
        {f"many/{n}.yaml": template.replace("name: backend-v1", f"name: web-{n}", 1) for n in range(17)}
    )
    past.repository.write({"many/pods.yaml": past.repository.read("manifests/deployment.yaml")})
    past.commit("Many")
    names = [one["fingerprint"] for one in portproof.check()["findings"]]
    assert len(names) == 17
    first = next(name[0] for name in names if sum(other[0] == name[0] for other in names) > 1)
    run = portproof("postmortem", first)
    assert (run.code, run.stdout) == (2, "")
    assert "findings have a fingerprint that begins like this" in run.stderr


def test_without_a_finding_the_way_after_a_fix_is_named(portproof: Program, past: Past) -> None:
    assert past.here()
    run = portproof("postmortem", "abcd")
    assert run.code == 2
    assert "`portproof check` has no finding here" in run.stderr
    assert "--rev GOOD..BAD" in run.stderr


def test_without_a_repository_there_is_no_history(
    portproof: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    monkeypatch.chdir(folder)
    run = portproof("postmortem", "abcd")
    assert (run.code, run.stdout) == (2, "")
    assert "postmortem needs a git repository" in run.stderr


def test_a_shallow_clone_says_how_to_get_its_history(
    portproof: Program, past: Past, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    past.repository.replace(VALUES, RIGHT, WRONG)
    broke = past.commit("Move the backend")
    noise(past, "tea", "coffee")
    clone = tmp_path / "clone"
    past.git("clone", "--quiet", "--depth=2", f"file://{past.repository.root}", str(clone))
    monkeypatch.chdir(clone)
    name = fingerprints(portproof)[VALUES]
    run = portproof("postmortem", name)
    assert (run.code, run.stdout) == (2, "")
    assert "this clone is shallow" in run.stderr
    assert "git fetch --unshallow" in run.stderr
    Repository(clone).git("fetch", "--quiet", "--unshallow")
    assert trigger(written(portproof, name)) == broke


# what is done already


WORKFLOW = """on:
  pull_request:
  # schedule:
jobs:
  ports:
    runs-on: ubuntu-24.04
    steps:
      - uses: acme/portproof@0123456789012345678901234567890123456789 # v1
"""
ROWS = {
    "check": "Run `portproof check` on every pull request",
    "schedule": "Run it on a schedule, too: charts and tools change without a pull request",
    "map": "Keep the port map, and check it with `portproof map --check`",
    "monitor": "Probe every Service port and alert on it (`portproof monitor`)",
    "connectivity": "Open every connection after a deployment (`portproof connectivity`)",
}


def row(document: str, name: str) -> str:
    """What an action item says is done, and the note behind it."""
    found = re.search(rf"^\| (yes|no) \| {re.escape(ROWS[name])}(?: \(([^|]*)\))? \|", document, re.MULTILINE)
    assert found, document
    return f"{found[1]} {found[2] or ''}".strip()


def test_action_items_are_ticked_by_what_the_repository_has(portproof: Program, past: Past) -> None:
    past.repository.replace(VALUES, RIGHT, WRONG)
    past.commit("Move the backend")
    bare = of_values(portproof)
    assert {row(bare, name) for name in ROWS} == {"no"}

    assert portproof("map", "--write", "PORTS.md").code == 0
    past.repository.write(
        {
            ".github/workflows/ports.yaml": WORKFLOW,
            "tests/job.yaml": "# app.kubernetes.io/managed-by: portproof\nkind: Job\n",
            "monitoring/scrape.yaml": "scrape_configs:\n  - job_name: portproof\n",
        }
    )
    past.commit("What the post-mortem asked for")
    document = of_values(portproof)
    assert row(document, "check") == "yes `.github/workflows/ports.yaml`"
    assert row(document, "schedule") == "no"
    assert row(document, "map") == "yes `PORTS.md`"
    assert row(document, "monitor") == "yes `monitoring/scrape.yaml`"
    assert row(document, "connectivity") == "no"
    assert "* Runbook: `PORTS.md#backend-v1`" in document

    past.repository.replace(VALUES, WRONG, "  targetPort: 8082\n")
    past.repository.replace(".github/workflows/ports.yaml", "  # schedule:", "  schedule:")
    past.repository.replace("tests/job.yaml", "# app", "app")
    past.commit("Another wrong port")
    late = of_values(portproof)
    assert row(late, "map") == "no `PORTS.md` is out of date"
    assert row(late, "connectivity") == "yes `tests/job.yaml`"
    assert row(late, "schedule") == "yes `.github/workflows/ports.yaml`"


# findings of other kinds

CALLER = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: registry.example.com/web:1
          env:
            - {name: BACKEND, value: "http://backend-v1:80"}
"""


def test_a_service_that_moves_breaks_the_caller_in_another_folder(portproof: Program, past: Past) -> None:
    past.git("rm", "-r", "--quiet", "chart", "kustomize")
    past.repository.write({"web/deployment.yaml": CALLER})
    past.commit("Somebody calls the backend")
    past.repository.replace("manifests/service.yaml", "port: 80\n", "port: 81\n")
    broke = past.commit("The backend is on 81")
    noise(past, "tea")
    found = portproof.check()["findings"]
    assert [(one["rule"], one["targets"]) for one in found] == [("caller-service-port", ["manifests:web"])]
    assert trigger(written(portproof, found[0]["fingerprint"])) == broke
    assert trigger(written(portproof, "--rev", "HEAD~2..HEAD")) == broke


def test_callers_in_other_folders_are_named(portproof: Program, past: Past) -> None:
    past.repository.write({"web/deployment.yaml": CALLER})
    past.git("rm", "-r", "--quiet", "chart", "kustomize")
    past.commit("Somebody calls the backend")
    past.repository.replace("manifests/service.yaml", "targetPort: 8080", "targetPort: 8081")
    past.commit("Move the backend")
    document = of_values(portproof, "manifests/service.yaml")
    assert "* Callers in the manifests: `Deployment/web (manifests:web)`\n" in document


def test_what_shows_only_between_two_folders_has_its_trigger(portproof: Program, past: Past) -> None:
    past.git("rm", "-r", "--quiet", "chart", "kustomize")
    past.repository.write({"web/deployment.yaml": CALLER})
    past.commit("Somebody calls the backend")
    noise(past, "tea")
    past.repository.replace("manifests/service.yaml", "name: backend-v1", "name: backend-v2")
    broke = past.commit("The Service is called v2")
    noise(past, "coffee")
    document = written(portproof, "--rev", "HEAD~3..HEAD")
    assert "`portproof explain service-gone`" in document
    assert trigger(document) == broke
    past.repository.replace("web/deployment.yaml", "backend-v1", "backend-v2")
    ended = past.commit("The caller follows")
    assert f"Commit `{ended}` of" in written(portproof, "--rev", "HEAD~4..HEAD~1")


def test_a_service_without_pods_is_seen_beside_the_revision_that_had_them(
    portproof: Program, past: Past
) -> None:
    noise(past, "tea")
    past.repository.replace("manifests/service.yaml", "app: backend", "app: backends")
    broke = past.commit("Another label")
    noise(past, "coffee")
    document = written(portproof, "--rev", "HEAD~3..HEAD")
    assert "`portproof explain service-lost-pods`" in document
    assert trigger(document) == broke


def test_a_chart_that_does_not_render_has_a_document(portproof: Program, past: Past) -> None:
    past.repository.write({"chart/templates/other.yaml": '{{ fail "no" }}\n'})
    broke = past.commit("A new template")
    noise(past, "tea")
    (found,) = portproof.check()["findings"]
    assert found["rule"] == "render-failed"
    document = written(portproof, found["fingerprint"])
    assert trigger(document) == broke
