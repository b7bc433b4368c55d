"""A headless Chromium, driven over a pipe in its own protocol: no port is opened, and nothing else is needed.

https://chromedevtools.github.io/devtools-protocol/ has the commands.
"""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    # with a mouse, as on a desk: pages ask for it
    "--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4",
    "--remote-debugging-pipe",
)
_SECONDS = 180
_GONE_ON = ("Inspected target navigated or closed", "Execution context was destroyed", "Cannot find context")
_KEYS = {
    "ArrowUp": 38,
    "ArrowDown": 40,
    "ArrowLeft": 37,
    "ArrowRight": 39,
    "Enter": 13,
    "Escape": 27,
    "Tab": 9,
}


class ChromiumError(RuntimeError):
    """What Chromium answers to a command that it cannot follow."""


class Browser:
    """One Chromium, and the pages that it has open."""

    def __init__(self, command: int, answers: int) -> None:
        self._command = command
        self._answers = answers
        self._buffer = b""
        self._last = 0
        self.events: list[dict[str, Any]] = []

    def send(self, method: str, params: dict[str, Any] | None = None, session: str = "") -> dict[str, Any]:
        """Give a command and wait for what it says; events are kept."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": params or {}}
        if session:
            message["sessionId"] = session
        os.write(self._command, json.dumps(message).encode() + b"\0")
        while True:
            said = self._next()
            if said.get("id") != self._last:
                self.events.append(said)
            elif "error" in said:
                raise ChromiumError(f"{method}: {said['error']}")
            else:
                result: dict[str, Any] = said["result"]
                return result

    def wait_for(self, event: str, session: str) -> None:
        """Read until that event has come."""
        while not any(one.get("method") == event and one.get("sessionId") == session for one in self.events):
            self.events.append(self._next())

    def open(self, address: str, *, wide: int = 1280, high: int = 800, **media: str) -> Page:
        """Open a page of its own, with media features such as ``color_scheme="dark"``, and wait until it has loaded."""
        target = self.send("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.send("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = Page(self, session, target)
        for domain in ("Page", "Network", "Runtime", "Log", "Security"):
            page.send(f"{domain}.enable") if domain != "Security" else None
        page.size(wide, high)
        page.media("screen", **media)
        page.go(address)
        return page

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + _SECONDS
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], max(0, until - time.monotonic()))
            read = os.read(self._answers, 1 << 20) if ready else b""
            if not read:
                raise RuntimeError("Chromium says nothing any more")
            self._buffer += read
        message, _, self._buffer = self._buffer.partition(b"\0")
        said: dict[str, Any] = json.loads(message)
        return said


class Page:
    """One tab."""

    def __init__(self, browser: Browser, session: str, target: str) -> None:
        self._browser = browser
        self._session = session
        self._target = target

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Give a command to this page."""
        return self._browser.send(method, params, self._session)

    def go(self, address: str) -> None:
        """Load an address, to its last byte."""
        self._browser.events = [one for one in self._browser.events if one.get("sessionId") != self._session]
        self.send("Page.navigate", url=address)
        self._browser.wait_for("Page.loadEventFired", self._session)

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript is; a promise is waited for. The page's policy does not concern it."""
        said = self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in said:
            raise RuntimeError(json.dumps(said["exceptionDetails"])[:2000])
        return said["result"].get("value")

    def busy(self) -> float:
        """Processor seconds that the page has taken since it began to load, if the tab was asked before: a busy machine adds none."""
        self.send("Performance.enable", timeDomain="threadTicks")
        said = {one["name"]: one["value"] for one in self.send("Performance.getMetrics")["metrics"]}
        return float(said["TaskDuration"])

    def until(self, expression: str) -> None:
        """Ask again and again until an expression is true, across the pages that the tab goes on to by itself.

        Going on ends the page that was asked, and its answer with it: that question is asked of the next one.
        """
        ends = time.monotonic() + _SECONDS
        while time.monotonic() < ends:
            try:
                if self.value(expression):
                    return
            except ChromiumError as gone:
                if not any(one in str(gone) for one in _GONE_ON):
                    raise
            time.sleep(0.02)
        raise RuntimeError(f"not so after {_SECONDS} s: {expression}")

    def press(self, *keys: str) -> None:
        """Press keys one after the other, as a person would: names such as ``ArrowDown``, or single characters."""
        for key in keys:
            about: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": _KEYS.get(key, ord(key[0].upper()))}
            if len(key) == 1:
                about |= {"text": key}
            if key == "Enter":
                about |= {"text": "\r"}
            self.send("Input.dispatchKeyEvent", type="keyDown", **about)
            self.send("Input.dispatchKeyEvent", type="keyUp", **about)

    def click(self, expression: str) -> None:
        """Click in the middle of an element."""
        box = self.value(
            f"(() => {{ const one = {expression}; one.scrollIntoView({{block: 'center'}}); "
            "const box = one.getBoundingClientRect(); "
            "return [box.left + box.width / 2, box.top + box.height / 2] })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def size(self, wide: int, high: int, scale: float = 1) -> None:
        """Make the window that large, in CSS pixels."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=wide,
            height=high,
            deviceScaleFactor=scale,
            mobile=False,
        )

    def media(self, kind: str, **features: str) -> None:
        """Show the page as that kind of media does."""
        several = [
            {"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()
        ]
        self.send("Emulation.setEmulatedMedia", media=kind, features=several)

    def scripts(self, *, run: bool) -> None:
        """Whether the scripts of pages that are loaded from now on run."""
        self.send("Emulation.setScriptExecutionDisabled", value=not run)

    def requests(self) -> list[str]:
        """The addresses that were asked for since the page was loaded, its own included."""
        return [one["params"]["request"]["url"] for one in self._events("Network.requestWillBeSent")]

    def complaints(self) -> list[str]:
        """Errors of scripts, and what the policy has stopped."""
        thrown = [json.dumps(one["params"]) for one in self._events("Runtime.exceptionThrown")]
        logged = [one["params"]["entry"]["text"] for one in self._events("Log.entryAdded")]
        return thrown + logged

    def picture(self, file: Path, *, whole: bool = False) -> None:
        """Take a picture of the window, or of all of the page."""
        data = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        file.write_bytes(base64.b64decode(data))

    def print(self) -> bytes:
        """The page as PDF."""
        return base64.b64decode(self.send("Page.printToPDF", printBackground=False)["data"])

    def close(self) -> None:
        """Close the tab."""
        self._browser.send("Target.closeTarget", {"targetId": self._target})

    def _events(self, method: str) -> list[dict[str, Any]]:
        self.value("1")  # what has happened until now is read along with the answer
        return [
            one
            for one in self._browser.events
            if one.get("method") == method and one.get("sessionId") == self._session
        ]


@contextmanager
def running(program: str, profile: Path) -> Iterator[Browser]:
    """Start a Chromium with a profile of its own, and end it."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    # Chromium reads commands from descriptor 3 and writes to 4.
    line = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
    process = subprocess.Popen(
        ["/bin/bash", "-c", line, program, *_FLAGS, f"--user-data-dir={profile}"],
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    browser = Browser(ours_out, ours_in)
    try:
        yield browser
        browser.send("Browser.close")
    finally:
        os.close(ours_out)
        os.close(ours_in)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
