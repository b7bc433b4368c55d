"""Takes the pictures of the docs: comments that the action really posts on pull requests, as GitHub shows them.

    python docs/picture.py                      the pictures in docs/
    python docs/picture.py --all FOLDER         what is said on each pull request of tests/support/pulls.py, to look at
    python docs/picture.py --summary FILE.png   the job's summary of the incident, to look at

It needs the ``dev`` extra, helm (or `portproof tools install`) and a Chromium: on PATH as ``chromium``, or the variable
CHROMIUM. The action runs over a pull request against the GitHub of tests/github, and what it has posted is drawn. The
summary's Mermaid is drawn when the variable MERMAID names a ``mermaid.min.js`` (npm has it); else its source is shown.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from difflib import SequenceMatcher
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from examples.write import Story  # noqa: E402
from tests.github import FakeGitHub  # noqa: E402
from tests.support.action import World, writing  # noqa: E402
from tests.support.pulls import TEN, PullRequest  # noqa: E402

WIDTH = 860
SCALE = 2
KEPT = {"comment.webp": "chart value", "environments.webp": "several environments"}
"""The pictures that the docs show, and the pull requests that they are of."""


_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--allow-file-access-from-files",
    "--virtual-time-budget=10000",
)
_MEASURE = """<script>(async () => {
  if (window.mermaid) {
    mermaid.initialize({ startOnLoad: false })
    await mermaid.run({ querySelector: ".mermaid" })
  }
  document.body.dataset.high = document.documentElement.offsetHeight
})()</script>"""
STYLE = """
:root { --ink: #1f2328; --soft: #59636e; --line: #d1d9e0; --pale: #f6f8fa; --blue: #0969da; --mono: "Liberation Mono",
  ui-monospace, Menlo, monospace; --red: #ffebe9; --reder: #ffc1bc; --green: #dafbe1; --greener: #aceebb }
* { box-sizing: border-box }
body { margin: 0; padding: 16px; background: #fff; color: var(--ink);
  font: 14px/1.5 "Liberation Sans", Arial, Helvetica, sans-serif }
code, pre, .rows { font-family: var(--mono); font-size: 12px }
.file, .suggested { border: 1px solid var(--line); border-radius: 8px; overflow: hidden }
.file > header { padding: 8px 14px; background: var(--pale); border-bottom: 1px solid var(--line); font: 12px var(--mono) }
.rows { border-collapse: collapse; width: 100%; line-height: 20px; white-space: pre; table-layout: fixed }
.rows td { padding: 0 10px; border: 0 } .rows .n { width: 44px; text-align: right; color: var(--soft) }
.hunk { background: #ddf4ff; color: var(--soft) }
.del { background: var(--red) } .del .n { background: var(--reder) } .del b { background: var(--reder) }
.add { background: var(--green) } .add .n { background: var(--greener) } .add b { background: var(--greener) }
.rows b { font-weight: normal; border-radius: 3px }
.talk { border-top: 1px solid var(--line); padding: 14px 16px 16px; display: flex; gap: 12px }
.face { flex: none; width: 36px; height: 36px; border-radius: 50%; background: #1f4b8e; color: #fff; text-align: center;
  font: bold 19px/36px "Liberation Sans", Arial, sans-serif }
.said { flex: auto; min-width: 0; border: 1px solid var(--line); border-radius: 8px }
.said > header { padding: 7px 14px; background: var(--pale); border-bottom: 1px solid var(--line); border-radius: 8px 8px 0 0;
  color: var(--soft) }
.said > header b { color: var(--ink) }
.bot { border: 1px solid var(--line); border-radius: 2em; padding: 0 7px; margin: 0 4px; font-size: 12px }
.markdown sub { font-size: 75%; position: relative; bottom: -.25em; vertical-align: baseline } .markdown sub code { font-size: 85% } .markdown { padding: 12px 14px 2px } .markdown p, .markdown ul, .markdown pre, .markdown table { margin: 0 0 12px }
.markdown a { color: var(--blue); text-decoration: none } .markdown ul { padding-left: 24px }
.markdown code { background: #eff1f3; border-radius: 6px; padding: 2px 5px }
.markdown pre { background: var(--pale); border-radius: 6px; padding: 12px; overflow: hidden }
.markdown pre code { background: none; padding: 0 }
.markdown td, .markdown th { border: 1px solid var(--line); padding: 5px 12px } .markdown table { border-collapse: collapse }
.markdown blockquote { margin: 0 0 12px; padding: 0 14px; border-left: 4px solid var(--line); color: var(--soft) }
.markdown h2 { border-bottom: 1px solid var(--line); padding-bottom: 6px } .markdown details { margin-bottom: 12px }
.suggested { margin-bottom: 12px } .suggested .rows td { border: 0 }
.suggested > header { padding: 6px 12px; border-bottom: 1px solid var(--line); color: var(--soft); font-size: 12px }
.suggested > footer { padding: 7px 12px; border-top: 1px solid var(--line); text-align: right }
.button { border: 1px solid var(--line); border-radius: 6px; background: var(--pale); padding: 3px 12px; font-size: 12px }
.terminal { margin: 0; padding: 14px 18px; border-radius: 8px; background: #1f2328; color: #e6edf3; line-height: 19px }
.markdown .rows { margin: 0 } .markdown .rows td { padding: 0 10px } .markdown .rows code { background: none; padding: 0 }
"""


class _Said(NamedTuple):
    """A comment as GitHub keeps it."""

    path: str
    line: int
    hunk: str
    body: str


class _Stand:
    """In the place of pytest's capsys: what the action prints is nobody's here."""

    def readouterr(self) -> Any:
        return SimpleNamespace(out="", err="")


class Told(NamedTuple):
    """What the action says of a pull request: its comments on lines, the entries of reviews, the job's summary."""

    comments: list[_Said]
    bodies: list[str]
    summary: str


def told(pull: PullRequest) -> Told:
    """Run the action over a pull request."""
    with (
        tempfile.TemporaryDirectory(prefix="portproof-picture-") as folder,
        FakeGitHub() as fake,
        redirect_stdout(StringIO()),
        redirect_stderr(StringIO()),
    ):
        world = World(fake, Path(folder), _Stand())  # type: ignore[arg-type]
        world.open(pull.before, pull.after)
        ran = world.run(writing(fake))
        anchors = [(one.anchor, one.body) for one in fake.comments(world.pull)]
        comments = [_Said(at.path, at.line or 1, at.hunk, body) for at, body in anchors]
        bodies = [one.body for one in world.pull.reviews.values()]
        return Told(comments, bodies, ran.summary)


def markdown(text: str, said: _Said | None = None) -> str:
    """The text as GitHub would show it: tables, raw details blocks, suggestions as a box."""

    def fence(_: object, tokens: list[Any], index: int, *__: object) -> str:
        token = tokens[index]
        if token.info == "suggestion" and said:
            return suggested(said, token.content.splitlines())
        if token.info == "mermaid" and "MERMAID" in os.environ:
            return f'<div class="mermaid">{html.escape(token.content)}</div>'
        return f"<pre><code>{html.escape(token.content)}</code></pre>"

    parser = MarkdownIt("commonmark").enable("table")
    parser.add_render_rule("fence", fence)
    return str(parser.render(text))


def suggested(said: _Said, after: list[str]) -> str:
    """The box of a suggestion: the commented line in red, what would replace it in green."""
    before = [said.hunk.split("\n")[-1][1:]]
    rows = [
        _row("del", said.line, "-", _marked(one, other)) for one, other in zip(before, after, strict=True)
    ]
    rows += [
        _row("add", said.line, "+", _marked(other, one)) for one, other in zip(before, after, strict=True)
    ]
    return (
        f'<div class="suggested"><header>Suggested change</header>{_table(rows)}'
        '<footer><span class="button">Commit suggestion</span></footer></div>'
    )


def hunk(said: _Said, shown: int = 4) -> str:
    """The last lines of the diff, down to the one that is commented on."""
    first, *lines = said.hunk.split("\n")
    found = _HUNK.match(first)
    left, right = (int(found[1]), int(found[2])) if found else (1, 1)
    rows = []
    for line in lines:
        sign = line[:1]
        kind = {"-": "del", "+": "add"}.get(sign, "")
        rows.append(_row(kind, left if sign == "-" else right, sign, html.escape(line[1:])))
        left += sign != "+"
        right += sign != "-"
    head = f'<tr class="hunk"><td class="n">…</td><td>{html.escape(first)}</td></tr>'
    return _table([head, *rows[-shown:]])


def page(content: str) -> str:
    """A whole page."""
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style><body>{content}"


def comments_page(found: Told) -> str:
    """Each comment below the lines that it is about."""
    return page("<br>".join(map(_comment, found.comments)))


def whole_page(found: Told) -> str:
    """The comments, then what reviews say beside them; without a comment the summary."""
    texts = found.bodies if found.comments or found.bodies else [found.summary]
    return comments_page(found) + "".join(f'<div class="markdown">{markdown(one)}</div>' for one in texts)


def _comment(said: _Said) -> str:
    return (
        f'<div class="file"><header>{html.escape(said.path)}</header>{hunk(said)}'
        '<div class="talk"><div class="face">p</div><div class="said">'
        '<header><b>portproof</b> <span class="bot">bot</span> now</header>'
        f'<div class="markdown">{markdown(said.body, said)}</div></div></div></div>'
    )


def of_the_example(to: Path) -> None:
    """The page of the map, what the results of the tests mean, and the post-mortem, as long as a screen."""
    with tempfile.TemporaryDirectory(prefix="portproof-picture-") as folder:
        story = Story(Path(folder))
        shown = Path(folder) / "map.html"
        shown.write_text(story.run("main", "map", "--format", "html").stdout, encoding="utf-8")
        picture(f"{shown.as_uri()}#shop-backend-v1", to / "map.webp", wide=1280, high=640)
        results = story.results().partition("\n")[2].rpartition("\n```")[0]
        shoot(page(f'<pre class="terminal">{html.escape(results)}</pre>'), to / "connectivity.webp")
        begin, _, rest = story.post_mortem().partition("## Root cause")
        trigger = rest.partition("## Trigger")[2].partition("## Resolution")[0]
        text = f"{begin}## Trigger{trigger}"
        shoot(page(f'<div class="markdown">{markdown(text)}</div>'), to / "post-mortem.webp")


def picture(address: str, to: Path, *, wide: int, high: int) -> None:
    """Take a picture of a page as it is."""
    with tempfile.TemporaryDirectory(prefix="portproof-picture-") as folder:
        _run(
            [
                _chromium(),
                *_FLAGS,
                f"--user-data-dir={folder}/profile",
                f"--force-device-scale-factor={SCALE}",
                f"--window-size={wide},{high}",
                f"--screenshot={to}",
                address,
            ]
        )


def _chromium() -> str:
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if found is None:
        sys.exit("picture: no chromium on PATH; install one, or name it with the variable CHROMIUM")
    return found


def shoot(text: str, to: Path) -> None:
    """Take a picture as high as the page is."""
    with tempfile.TemporaryDirectory(prefix="portproof-picture-") as folder:
        file = Path(folder) / "page.html"
        file.write_text(text + _drawing() + _MEASURE, encoding="utf-8")
        command = [
            _chromium(),
            *_FLAGS,
            f"--user-data-dir={folder}/profile",
            f"--force-device-scale-factor={SCALE}",
        ]
        seen = _run([*command, f"--window-size={WIDTH},600", "--dump-dom", file.as_uri()])
        found = re.search(r'data-high="(\d+)"', seen)
        high = int(found[1]) if found else 600
        _run([*command, f"--window-size={WIDTH},{high}", f"--screenshot={to}", file.as_uri()])


def _drawing() -> str:
    """What draws the Mermaid of the page, before it is measured; nothing without the program."""
    program = os.environ.get("MERMAID")
    return f'<script src="{Path(program).absolute().as_uri()}"></script>' if program else ""


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout


def _row(kind: str, number: int, sign: str, content: str) -> str:
    return f'<tr class="{kind}"><td class="n">{number}</td><td>{sign or " "} {content}</td></tr>'


def _table(rows: Iterable[str]) -> str:
    return f'<table class="rows">{"".join(rows)}</table>'


def _marked(line: str, other: str) -> str:
    """The line with the words that differ from the other's in bold."""
    words, others = (re.findall(r"\w+|\W", one) for one in (line, other))
    matcher = SequenceMatcher(None, words, others, autojunk=False)
    parts = []
    for kind, start, end, *_ in matcher.get_opcodes():
        text = html.escape("".join(words[start:end]))
        parts.append(text if kind == "equal" else f"<b>{text}</b>")
    return "".join(parts)


def main() -> None:
    """Take the pictures that are asked for."""
    match sys.argv[1:]:
        case ["--summary", file]:
            shoot(
                page(f'<div class="markdown">{markdown(told(TEN["chart value"]).summary)}</div>'), Path(file)
            )
        case ["--all", folder]:
            for name, pull in TEN.items():
                shoot(whole_page(told(pull)), Path(folder) / f"{name.replace(' ', '-')}.png")
        case _:
            for file, name in KEPT.items():
                shoot(comments_page(told(TEN[name])), ROOT / "docs" / file)
            of_the_example(ROOT / "docs")


if __name__ == "__main__":
    main()
