"""A headless Chromium driven through chromedriver's HTTP protocol (W3C WebDriver), without any library."""
import base64
import contextlib
import json
import pathlib
import re
import shutil
import subprocess
import time
import urllib.request

import pytest

OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
           "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
           "--force-device-scale-factor=1")


class Browser:
    """A context manager: one window of `size`; its profile lies in `folder`."""

    def __init__(self, folder, size=(1280, 800)):
        self.folder, self.size = pathlib.Path(folder), size

    def __enter__(self):
        port = None
        for _ in range(5):  # it wants one number free for IPv4 and IPv6 alike, and takes the first that it is given
            port = port or self._start()
        assert port, (self.folder / "chromedriver.log").read_text(errors="replace")
        self.base = f"http://127.0.0.1:{port}"
        words = [*OPTIONS, f"--user-data-dir={self.folder / 'profile'}", f"--window-size={self.size[0]},{self.size[1]}"]
        session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"args": words}, "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.base += f"/session/{session['sessionId']}"
        self._call("POST", "/window/rect", {"width": self.size[0], "height": self.size[1]})
        return self

    def __exit__(self, *_):
        try:
            self._call("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait(20)

    def _start(self):
        """chromedriver's port, or None when it ended at once."""
        with open(self.folder / "chromedriver.log", "wb") as log:
            self.driver = subprocess.Popen([shutil.which("chromedriver"), "--port=0"], stdin=subprocess.DEVNULL, stdout=log,
                                           stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while self.driver.poll() is None and time.monotonic() < deadline:
            found = re.search(r"started successfully on port (\d+)", (self.folder / "chromedriver.log").read_text(errors="replace"))
            if found:
                return int(found[1])
            time.sleep(0.05)
        self.driver.kill()
        self.driver.wait()
        return None

    def _call(self, method, path, body=None):
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def open(self, url):
        self._call("POST", "/url", {"url": url})

    def resize(self, width, height):
        self._call("POST", "/window/rect", {"width": width, "height": height})

    def run(self, script):
        """The value of a script's `return`."""
        return self._call("POST", "/execute/sync", {"script": script, "args": []})

    def until(self, expression, seconds=30):
        """Waits for a JavaScript expression to be true, and returns its value."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            value = self.run(f"return {expression}")
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"not within {seconds} s: {expression}; the page says: "
                             f"{self.run('return document.body.innerText')[:500]}; {self.messages()}")

    def point(self, *steps):
        """A pointer's way: ("move", x, y), ("down",), ("up",)."""
        kinds = {"move": "pointerMove", "down": "pointerDown", "up": "pointerUp"}
        actions = []
        for kind, *place in steps:
            action = {"type": kinds[kind]}
            action.update({"x": place[0], "y": place[1], "duration": 60} if place else {"button": 0})
            actions.append(action)
        self._call("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"},
                                                     "actions": actions}]})

    def click(self, x, y):
        self.point(("move", x, y), ("down",), ("up",))

    def touch(self, *fingers):
        """Fingers that go down, move and rise at the same time: ((x, y), (x, y)) each, from and to."""
        def moved(place, duration):
            return {"type": "pointerMove", "x": round(place[0]), "y": round(place[1]), "duration": duration}
        self._call("POST", "/actions", {"actions": [
            {"type": "pointer", "id": f"finger{i}", "parameters": {"pointerType": "touch"},
             "actions": [moved(start, 0), {"type": "pointerDown", "button": 0}, moved(end, 120), {"type": "pointerUp", "button": 0}]}
            for i, (start, end) in enumerate(fingers)]})

    def press(self, key):
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": [{"type": "keyDown", "value": key},
                                                                                              {"type": "keyUp", "value": key}]}]})

    def wheel(self, x, y, by):
        self._call("POST", "/actions", {"actions": [{"type": "wheel", "id": "wheel", "actions": [
            {"type": "scroll", "x": x, "y": y, "deltaX": 0, "deltaY": by}]}]})

    def picture(self, path):
        pathlib.Path(path).write_bytes(base64.b64decode(self._call("GET", "/screenshot")))
        return path

    def messages(self):
        """Warnings and errors of the console since the last call."""
        return [entry["message"] for entry in self._call("POST", "/se/log", {"type": "browser"})
                if entry["level"] in ("WARNING", "SEVERE")]


@contextlib.contextmanager
def browsing(folder, size):
    """A window of that size; the test is skipped where there is no browser."""
    if not shutil.which("chromedriver"):
        pytest.skip("there is no chromedriver")
    with Browser(folder, size) as window:
        yield window
