"""A browser without a window, spoken to by the DevTools protocol over a pipe: nothing but the standard library."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

OPTIONS = "--headless --no-sandbox --disable-gpu --no-first-run --disable-extensions --remote-debugging-pipe".split()
TO_BROWSER, FROM_BROWSER = 3, 4
"""Descriptors that the browser reads commands from and writes to."""


class Browser:
    """One page, `with Browser(folder, 1280, 900) as page: page.open(path)`; `folder` is for the profile."""

    def __init__(self, folder: Path, width: int, height: int, *options: str) -> None:
        assert CHROMIUM
        read_end, self._write = os.pipe()
        self._read, write_end = os.pipe()

        def descriptors() -> None:
            # Both are copied up first: either may have the number that the other is to get.
            ends = [os.dup(os.dup(end)) for end in (read_end, write_end)]
            for end, number in zip(ends, (TO_BROWSER, FROM_BROWSER), strict=True):
                os.dup2(end, number)

        sizes = f"--window-size={width},{height}", f"--user-data-dir={folder}"
        self._process = subprocess.Popen(
            [CHROMIUM, *OPTIONS, *sizes, *options, "about:blank"],
            preexec_fn=descriptors,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_end)
        os.close(write_end)
        self._rest, self._number, self._session = b"", 0, ""
        self.requests: list[str] = []
        """What the page asked for, the file itself first."""
        self.complaints: list[str] = []
        """What the browser said of it: errors, breaches of its policy."""

    def __enter__(self) -> Self:
        pages = self.send("Target.getTargets")["targetInfos"]
        target = next(page["targetId"] for page in pages if page["type"] == "page")
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._session = ""
        self.send("Browser.close")
        self._process.wait(20)
        os.close(self._write)
        os.close(self._read)

    def open(self, path: Path) -> None:
        """Load a file and wait until it is shown."""
        self.send("Page.navigate", url=path.as_uri())
        while self._message().get("method") != "Page.loadEventFired":
            pass

    def send(self, method: str, **parameters: Any) -> Any:
        """One command, and its result."""
        self._number += 1
        number = self._number
        session = {"sessionId": self._session} if self._session else {}
        told = json.dumps({"id": number, "method": method, "params": parameters, **session})
        os.write(self._write, told.encode() + b"\0")
        while (answer := self._message()).get("id") != number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def value(self, expression: str) -> Any:
        """What a script gives."""
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def hover(self, selector: str) -> None:
        """Rest the mouse on the middle of an element."""
        box = f"document.querySelector({json.dumps(selector)})"
        self.value(f"{box}.scrollIntoView({{block: 'center'}})")
        x, y = self.value(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({box}.getBoundingClientRect())")
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def press(self, key: str) -> None:
        """A key, by its name."""
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    def picture(self, path: Path) -> None:
        """What the window shows."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))

    def _message(self) -> Any:
        while b"\0" not in self._rest:
            part = os.read(self._read, 1 << 16)
            assert part, "the browser has gone"
            self._rest += part
        told, self._rest = self._rest.split(b"\0", 1)
        message = json.loads(told)
        parameters = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif message.get("method") == "Log.entryAdded":
            self.complaints.append(parameters["entry"]["text"])
        elif message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))
        return message
