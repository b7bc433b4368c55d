"""A GitHub on loopback that keeps state and GitHub's own rules; reached through PyGithub's real HTTP stack.

git = GitRepo.create(tmp_path / "shop.git")
git.commit({"values.yaml": "port: 8080\\n"})
git.commit({"values.yaml": "port: 8081\\n"}, branch="feature", parent="main")
with FakeGitHub() as fake:
    shop = fake.repository("octo/shop", git)
    pull = fake.open_pull(shop, head="feature")
    token = fake.token(contents="read", pull_requests="write")  # github-actions[bot]
    fault = fake.faults.status("POST", "/reviews$", 502, after=True)
    ...  # run the program with fake.url and token.value
    assert fault.fired == 1
    assert len(fake.log.select("POST", "/reviews$")) == 1
    (comment,) = fake.comments(pull)
    fake.apply_suggestion(pull, comment.id)
    assert git.blob(git.entry(pull.head, "values.yaml").sha) == b"port: 8080\\n"
"""

from __future__ import annotations

from tests.github.gitrepo import File, GitRepo
from tests.github.server import BOT, FakeGitHub
from tests.github.state import Limits, Pull, Repository, Token
from tests.github.suggestions import SuggestionRefused
from tests.github.wire import Log, Seen

__all__ = [
    "BOT",
    "FakeGitHub",
    "File",
    "GitRepo",
    "Limits",
    "Log",
    "Pull",
    "Repository",
    "Seen",
    "SuggestionRefused",
    "Token",
]
