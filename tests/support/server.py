"""Starts `rastrum serve` on a free port and ends it; plain Python, so that the stages can use it too."""
import os
import re
import signal
import subprocess
import time

READY = re.compile(r"^rastrum: listening on (http://\S+)", re.M)


class Server:
    """A context manager; `url` has no slash at its end. The log file holds standard output and error."""

    def __init__(self, binary, store, log, options=(), env=None, seconds=30):
        self.log_path, self.url = log, None
        with open(log, "wb") as sink:
            self.process = subprocess.Popen(
                [str(binary), "serve", "--listen", "127.0.0.1:0", "--store", str(store), *map(str, options)],
                stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})}, start_new_session=True)
        self._wait_until_ready(time.monotonic() + seconds)

    def _wait_until_ready(self, deadline):
        while time.monotonic() < deadline:
            found = READY.search(self.log())
            if found:
                self.url = found.group(1).rstrip("/")
                return
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}: {self.log()[-4000:]}")
            time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"the server did not say that it listens: {self.log()[-4000:]}")

    @property
    def port(self):
        return int(self.url.rsplit(":", 1)[1])

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as source:
            return source.read()

    def alive(self):
        return self.process.poll() is None

    def stop(self, seconds=30):
        """SIGTERM, then its exit code; a server that does not go is killed and counts as -9."""
        if self.alive():
            self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            return self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
