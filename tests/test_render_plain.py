"""Plain manifests: documents with their places, and files that cannot be read beside those that can."""

from __future__ import annotations

from pathlib import Path

from portproof import resources
from portproof.discover.model import ManifestTarget
from portproof.render import plain
from portproof.source import Tree

from .support.rendering import place, write_files


def test_documents_know_where_they_stand(tmp_path: Path) -> None:
    text = "# head\n---\nkind: A\n---\n# nothing\n---\r\nkind: B\r\n"
    tree = write_files(tmp_path, {"d/a.yaml": text, "d/b.json": '{"kind": "C"}'})
    result = plain.render(ManifestTarget("d", ("d/a.yaml", "d/b.json")), tree)
    assert [document.text.strip() for document in result.documents] == ["kind: A", "kind: B", '{"kind": "C"}']
    for document in result.documents:
        assert document.source
        assert document.offset is not None
        whole = tree.text(document.source)
        assert whole[document.offset :].startswith(document.text)
        assert document.line == whole.count("\n", 0, document.offset) + 1


def test_a_broken_document_does_not_lose_the_others(tmp_path: Path) -> None:
    tree = write_files(tmp_path, {"a.yaml": "kind: A\n---\na: [\n---\nkind: B\n"})
    result = plain.render(ManifestTarget(".", ("a.yaml",)), tree)
    assert len(result.documents) == 3


def test_files_that_cannot_be_read_are_problems(tmp_path: Path) -> None:
    tree = write_files(tmp_path, {"good.yaml": "kind: A\n", "nul.yaml": "a\0b"})
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    result = plain.render(ManifestTarget(".", ("good.yaml", "gone.yaml", "latin.yaml", "nul.yaml")), tree)
    assert len(result.documents) == 1
    assert [place(problem) for problem in result.problems] == [
        "gone.yaml:1:1",
        "latin.yaml:1:1",
        "nul.yaml:1:1",
    ]
    assert "not UTF-8" in result.problems[1].message


def test_the_overlay_is_what_is_read(tmp_path: Path) -> None:
    tree = write_files(tmp_path, {"a.yaml": "kind: A\n"})
    result = plain.render(
        ManifestTarget(".", ("a.yaml",)), Tree(tree.root, {"a.yaml": "\ufeffkind: Edited\n"})
    )
    assert [document.text for document in result.documents] == ["\ufeffkind: Edited\n"]


def test_a_folder_of_endless_text_is_read_up_to_a_bound(tmp_path: Path) -> None:
    names = tuple(f"{number:02}.yaml" for number in range(12))
    write_files(tmp_path, dict.fromkeys(names, f"kind: A\ntext: {'x' * 4900000}\n"))
    result = plain.render(ManifestTarget(".", names), Tree(tmp_path))
    assert len(result.documents) == plain.MAX_CHARACTERS // 4_900_015
    assert [problem.message for problem in result.problems] == [
        "not checked: more than 50 MiB of manifests in one folder; split the folder"
    ]
    read = resources.read(result)
    assert len(read.resources) == 0
    assert [place(problem) for problem in read.problems][1:] == ["05.yaml:1:1"], "half of that is parsed"


def test_more_documents_than_any_installer_has(tmp_path: Path) -> None:
    many = resources.MAX_DOCUMENTS + 10
    tree = write_files(tmp_path, {"a.yaml": "---\na: 1\n" * many, "b.yaml": "a: 1\n"})
    read = resources.read(plain.render(ManifestTarget(".", ("a.yaml", "b.yaml")), tree))
    (problem,) = read.problems
    assert problem.message.startswith("more than 50,000 documents or 25 MiB")
    assert place(problem) == f"a.yaml:{2 * resources.MAX_DOCUMENTS + 1}:1"
