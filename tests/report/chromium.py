"""A real Chromium without a window, driven by its own protocol: https://chromedevtools.github.io/devtools-protocol/."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

import aiohttp

FOLDER: Final = Path(__file__).parent / "node"
UNPACKED: Final = FOLDER / "node_modules" / "chromium"
PATIENCE: Final = 60.0
"""Seconds for anything that we ask; a tenth of one is usual."""

Scheme = Literal["light", "dark"]


def missing() -> str | None:
    """Why there can be no browser here, or None where there can."""
    if shutil.which("node") is None:
        return "Node is not installed: the browser is unpacked by it"
    if not (UNPACKED / "chromium").is_file():
        return "Chromium is not installed: run `make chromium`"
    if not _starts():
        return "Chromium is not for this machine"
    return None


def _starts() -> bool:
    asked = [str(UNPACKED / "chromium"), "--version"]
    try:
        return (
            subprocess.run(asked, capture_output=True, check=False, timeout=PATIENCE, env=_surroundings()).returncode
            == 0
        )
    except OSError:
        return False


def _surroundings() -> dict[str, str]:
    """The libraries that the package brings, for machines that have none, and its fonts likewise."""
    made = {**os.environ, "LD_LIBRARY_PATH": str(UNPACKED / "al2023" / "lib")}
    if not Path("/usr/share/fonts").is_dir():
        made["FONTCONFIG_PATH"] = str(UNPACKED / "fonts")
    return made


@dataclass
class Tab:
    """A page that is open: what it said, what it asked the network for, and what can be asked of it."""

    browser: Browser
    session: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **parameters)

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression within the page."""
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def look(self, width: int, height: int, scheme: Scheme = "light", media: str = "screen") -> None:
        """A window of that size; below 600 pixels it is a phone."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        wish = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=wish)

    def press(self, key: Literal["Tab", "Enter"]) -> None:
        code, text = {"Tab": (9, ""), "Enter": (13, "\r")}[key]
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text)

    def picture(self) -> bytes:
        """A PNG of the whole page."""
        told = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(told["data"])


class Browser:
    """Started with a profile in `folder`, stopped at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._asked = 0
        self._tabs: dict[str, Tab] = {}

    def __enter__(self) -> Browser:
        # One process: in a container there may be neither a sandbox nor a zygote to fork from.
        flags = ["--headless=shell", "--no-sandbox", "--no-zygote", "--single-process", "--disable-gpu"]
        flags += ["--remote-debugging-port=0", f"--user-data-dir={self._folder}", "--font-render-hinting=none"]
        program = [str(UNPACKED / "chromium"), *flags, "about:blank"]
        self._process = subprocess.Popen(program, stderr=subprocess.PIPE, text=True, env=_surroundings())
        try:
            self._loop.run_until_complete(self._open())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        async def close() -> None:
            await self._socket.close()
            await self._http.close()

        self._loop.run_until_complete(close())
        self._stop()

    def _stop(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()
        self._loop.close()

    async def _open(self) -> None:
        port_file = self._folder / "DevToolsActivePort"
        async with asyncio.timeout(PATIENCE):
            while not (port_file.is_file() and port_file.read_text().count("\n")):
                await asyncio.sleep(0.02)
        port, path = port_file.read_text().splitlines()[:2]
        self._http = aiohttp.ClientSession()
        self._socket = await self._http.ws_connect(f"ws://127.0.0.1:{port}{path}", max_msg_size=1 << 28)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Ask, and wait for the answer; what is told meanwhile goes to the tab that it is about."""
        return self._loop.run_until_complete(self._call(method, session, parameters))

    async def _call(self, method: str, session: str | None, parameters: dict[str, Any]) -> dict[str, Any]:
        self._asked += 1
        asked = self._asked
        message = {"id": asked, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        await self._socket.send_str(json.dumps(message))
        async with asyncio.timeout(PATIENCE):
            while True:
                told = json.loads((await self._socket.receive()).data)
                if told.get("id") == asked:
                    assert "error" not in told, (method, told["error"])
                    answer: dict[str, Any] = told["result"]
                    return answer
                self._heard(told)

    def _heard(self, told: dict[str, Any]) -> None:
        tab = self._tabs.get(told.get("sessionId", ""))
        if tab is None:
            return
        match told["method"], told["params"]:
            case "Network.requestWillBeSent", {"request": {"url": url}}:
                tab.requests.append(url)
            case "Log.entryAdded", {"entry": {"text": text}}:
                tab.complaints.append(text)
            case (("Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Network.loadingFailed"), said):
                tab.complaints.append(json.dumps(said)[:400])
            case _:
                pass

    @contextmanager
    def tab(self, file: Path, width: int = 1280, height: int = 900, scheme: Scheme = "light") -> Iterator[Tab]:
        """The file, opened in a window of that size, until it has loaded."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = self._tabs[session] = Tab(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.call(f"{domain}.enable")
        tab.look(width, height, scheme)
        tab.call("Page.navigate", url=file.as_uri())
        tab.ask("new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', done))")
        try:
            yield tab
        finally:
            self.call("Target.closeTarget", targetId=target)
