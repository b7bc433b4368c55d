from __future__ import annotations

from pathlib import Path

import pytest

from portproof.builds import dockerfile, recipes
from portproof.builds.dockerfile import last_stage
from portproof.builds.images import Builds
from portproof.discover.builders import builders
from portproof.discover.walk import walk
from portproof.graph import built
from portproof.graph.witness import Built
from portproof.source import Tree

WEB = 'FROM python:3.13\nEXPOSE 8000\nCMD ["uvicorn", "app:app", "--port", "8000"]\n'


def known(root: Path, image: str = "acme/web:1", **fields: object) -> Built | None:
    """What is known of a container of that image in a repository."""
    builds = Builds(Tree(root), builders(walk(root, (".",), ())))
    return built.read({"image": image, **fields}, builds)


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_yaml", ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class TestDockerfile:
    @pytest.mark.parametrize(
        ("text", "exposed"),
        [
            ("EXPOSE 80 443/tcp 53/udp", [80, 443]),
            ("ARG PORT=81\nEXPOSE ${PORT}", [81]),
            ("ENV PORT 82\nEXPOSE $PORT", [82]),
            ("EXPOSE ${PORT:-83}", [83]),
            ("expose \\\n  # a comment\n\n  84 \\\n  85", [84, 85]),
            ("RUN <<END\nEXPOSE 86\nEND\nEXPOSE 87", [87]),
            ("EXPOSE $UNKNOWN 8000-8100", []),
        ],
    )
    def test_exposed_ports(self, text: str, exposed: list[int]) -> None:
        stage = last_stage(f"FROM a\n{text}\n")
        assert stage is not None
        assert [number for number, _ in stage.exposed] == exposed

    def test_lines_are_those_of_the_instruction(self) -> None:
        stage = last_stage("# a comment\nFROM a\n\n# another\nENV A=1 \\\n    PORT=2\nEXPOSE 3\n")
        assert stage is not None
        assert stage.variables["PORT"].line == 5
        assert stage.exposed == ((3, 7),)

    def test_a_stage_has_what_it_is_made_from(self) -> None:
        text = "ARG TAG=1\nFROM a:$TAG AS one\nENV PORT=80\nFROM one AS two\nEXPOSE $PORT\nFROM b\n"
        stage = last_stage(text, "TWO")
        assert stage is not None
        assert (stage.base, [number for number, _ in stage.exposed]) == ("a:1", [80])
        assert dockerfile.bases(text) == {"a:1", "b"}

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ('CMD ["a", "$B"]', ("a", "$B")),
            ("CMD a 'b c'", ("a", "b c")),
            ('CMD ["sh", "-c", "a --port 80"]', ("a", "--port", "80")),
            ("CMD a 'b", ()),
            ("CMD [1, 2]", ("[1,", "2]")),
        ],
    )
    def test_words_of_a_command(self, text: str, words: tuple[str, ...]) -> None:
        stage = last_stage(f"FROM a\n{text}\n")
        assert stage is not None
        assert stage.command is not None
        assert stage.command.words == words

    @pytest.mark.parametrize("text", ["", "EXPOSE 80\n", "FROM a\n" + "#" * dockerfile.MAX_TEXT])
    def test_what_has_no_stage(self, text: str) -> None:
        assert last_stage(text) is None

    @pytest.mark.parametrize(
        "body",
        [
            "ENV A=1\n" * 9000,
            "ENV A=8\n" + "ENV A=$A$A$A$A$A$A$A$A\n" * 400,
            'CMD ["a"' + "[" * 60_000,
            "EXPOSE " + "${A:-" * 10_000,
            "FROM a AS b\n" * 5000,
            "RUN " + "<<A " * 15_000,
            "ENV " + "A=1 " * 15_000,
            "COPY " + "a " * 30_000,
        ],
    )
    def test_hostile_texts_stay_small(self, body: str) -> None:
        stage = last_stage(f"FROM a\n{body}\nEXPOSE 80\n")
        assert stage is None or all(len(one.text) <= dockerfile.MAX_WORD for one in stage.variables.values())


class TestImages:
    def test_a_folder_of_the_images_name(self, tmp_path: Path) -> None:
        write(tmp_path, web__Dockerfile=WEB)
        found = known(tmp_path)
        assert found is not None
        assert (found.path, found.number) == ("web/Dockerfile", 8000)
        assert known(tmp_path, "acme/api:1") is None
        assert known(tmp_path, "") is None

    def test_the_root_has_no_name(self, tmp_path: Path) -> None:
        write(tmp_path, Dockerfile=WEB)
        assert known(tmp_path, tmp_path.name) is None

    def test_a_link_out_of_the_tree_is_not_followed(self, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "application.properties").write_text("server.port=8000\n")
        (outside / "nginx.conf").write_text("server { listen 8000; }\n")
        root = tmp_path / "repository"
        write(root, web__Dockerfile="FROM a\nCOPY nginx.conf /etc/nginx/conf.d/default.conf\nEXPOSE 8000\n")
        (root / "web" / "src" / "main").mkdir(parents=True)
        (root / "web" / "src" / "main" / "resources").symlink_to(outside)
        (root / "web" / "nginx.conf").symlink_to(outside / "nginx.conf")
        found = known(root)
        assert found is not None
        assert found.number is None

    def test_a_context_out_of_the_tree_builds_nothing(self, tmp_path: Path) -> None:
        write(
            tmp_path,
            Dockerfile=WEB,
            compose_yaml="services: {web: {image: acme/web, build: {context: ../.., dockerfile: Dockerfile}}}",
        )
        assert known(tmp_path) is None

    @pytest.mark.parametrize(
        "text",
        [
            "services: [1]",
            "services: {web: 1, api: {build: [1]}, db: {build: {context: {a: 1}}}}",
            "services: {web: {build: ., image: [1], ports: 3}}",
            "jobs: {a: {steps: [1, {uses: docker/build-push-action@v6, with: [1]}, {run: 1}]}}",
            "build: {artifacts: [1, {image: web, docker: [1]}, {context: [1]}]}",
            "a: [",
            "- 1",
        ],
    )
    def test_descriptions_of_any_shape(self, text: str) -> None:
        for path in ("compose.yaml", "skaffold.yaml", ".github/workflows/a.yaml"):
            found = list(recipes.of_description(path, text))
            assert all(one.dockerfile.endswith("Dockerfile") for one in found)

    def test_a_tree_of_too_many_files_says_nothing(self, tmp_path: Path) -> None:
        files = {f"a{index}/Dockerfile": WEB for index in range(600)} | {"web/Dockerfile": WEB}
        assert Builds(Tree(tmp_path, files), tuple(files))("acme/web") is None


class TestWitnesses:
    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("EXPOSE 80", None),
            ("EXPOSE 80\nENV PORT=80", 80),
            ("EXPOSE 81\nENV PORT=80", None),
            ("ENV PORT=80\nCMD serve -p 80", 80),
            ("EXPOSE 80\nCMD serve -p 127.0.0.1:80", None),
            ("EXPOSE 8000\nCMD python manage.py runserver 0.0.0.0:8000", 8000),
            ("EXPOSE 80\nCMD a --port=80", 80),
            ("EXPOSE 80 81\nCMD a --port=80", 80),
            ("EXPOSE 8080\nCMD java -Dserver.port=8080 -jar a.jar", 8080),
            ("EXPOSE 80\nENV METRICS_PORT=80", None),
            ("EXPOSE 80\nENV DB_PORT=80", None),
            ('EXPOSE 3000\nENTRYPOINT ["next", "start"]\nCMD ["-p", "3000"]', 3000),
        ],
    )
    def test_two_of_them_agree(self, tmp_path: Path, text: str, number: int | None) -> None:
        write(tmp_path, web__Dockerfile=f"FROM a\n{text}\n")
        found = known(tmp_path)
        assert found is not None
        assert found.number == number

    def test_exposed_is_said_though_it_is_no_evidence(self, tmp_path: Path) -> None:
        write(tmp_path, web__Dockerfile="FROM a\nEXPOSE 80 81\n")
        found = known(tmp_path)
        assert found is not None
        assert found.said == {80, 81}
