"""A headless Chromium that a test clicks, types and looks in: DevTools' protocol over a pipe, without a network."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

END = b"\0"
PATIENCE_SECONDS = 60.0
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--disable-background-networking"),
    *("--remote-debugging-pipe", "--host-resolver-rules=MAP * ~NOTFOUND", "--no-first-run"),
)
LOUD = ("error", "assert")


class Browser:
    """One page of one browser."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; what the page complains of meanwhile is kept."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + END)
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(answer["error"]["message"])
                return answer["result"]
            self._note(answer)

    def _receive(self) -> dict[str, Any]:
        while END not in self._rest:
            part = os.read(self._from, 1 << 20)
            assert part, "Chromium ended"
            self._rest += part
        message, self._rest = self._rest.split(END, 1)
        return json.loads(message)

    def _note(self, event: dict[str, Any]) -> None:
        said = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            details = said["exceptionDetails"]
            self.complaints.append(str(details.get("exception", {}).get("description", details["text"])))
        elif event.get("method") == "Runtime.consoleAPICalled" and said["type"] in LOUD:
            self.complaints.append(" ".join(str(item.get("value", item)) for item in said["args"]))
        elif event.get("method") == "Log.entryAdded" and said["entry"]["level"] in LOUD:
            self.complaints.append(f"{said['entry']['text']} {said['entry'].get('url', '')}")
        elif event.get("method") == "Network.loadingFailed":
            self.complaints.append(f"not loaded: {said['errorText']} {said.get('blockedReason', '')}")

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """Value of an expression of the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script: str) -> None:
        """Wait until an expression of the page is true."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not self._holds(script):
            assert time.monotonic() < end, f"still not: {script}"
            time.sleep(0.05)

    def _holds(self, script: str) -> bool:
        try:
            return bool(self.run(script))
        except RuntimeError as error:
            if "navigated" in str(error):  # the page has just gone, and the next one comes
                return False
            raise

    def click(self, selector: str) -> None:
        """Click with the mouse where an element is."""
        place = self.run(
            f"(() => {{ const found = document.querySelector({json.dumps(selector)});"
            "found.scrollIntoView({block: 'center'}); const box = found.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            x, y = place
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, selector: str, text: str) -> None:
        """Type into a field."""
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def look(
        self, path: Path, *, width: int = 1200, height: int = 1000, dark: bool = False, whole: bool = False
    ) -> None:
        """Save a picture of the page."""
        self.resize(width, height, dark=dark)
        time.sleep(0.5)
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(picture["data"]))

    def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """Start a browser with a profile of its own, and end it."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program is not None, "install Chromium: apt-get install chromium"
    child_in, to_browser = os.pipe()
    from_browser, child_out = os.pipe()
    # the browser reads from descriptor 3 and writes to 4
    command = f'exec "$0" "$@" 3<&{child_in} 4>&{child_out}'
    profile = f"--user-data-dir={folder / 'chromium'}"
    process = subprocess.Popen(
        ["bash", "-c", command, program, *FLAGS, profile],
        pass_fds=(child_in, child_out),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(child_in)
    os.close(child_out)
    try:
        browser = Browser(to_browser, from_browser)
        yield browser
        browser._session = None
        browser.call("Browser.close")
        process.wait(20)
    finally:
        process.kill()
        process.wait()
        os.close(to_browser)
        os.close(from_browser)
