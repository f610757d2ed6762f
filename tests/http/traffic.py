"""Load and what others feel of it: threads that ask again and again, steady tiles, and a heartbeat over HTTP."""
import pathlib
import subprocess
import sys
import threading
import time

from wire import Wire

HEART = pathlib.Path(__file__).with_name("heart.py")


class Loop(threading.Thread):
    """Calls `step` again and again until the block ends; an exception in it fails the block."""

    def __init__(self, step, pause=0.0):
        super().__init__(daemon=True)
        self.step, self.pause, self.ending, self.problem = step, pause, threading.Event(), None

    def run(self):
        try:
            while not self.ending.wait(self.pause):
                self.step()
        except Exception as problem:  # shown by the thread that waits
            self.problem = problem

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.join(60)
        assert not self.problem, self.problem


class Asking:
    """Requests one after another on a connection of its own; `answers` are (status, headers, body)."""

    def __init__(self, port, *targets, expected=None):
        self.wire, self.targets, self.expected, self.answers, self.seconds = Wire(port, 60), targets, expected, [], []

    def __call__(self):
        target = self.targets[len(self.answers) % len(self.targets)]
        begin = time.perf_counter()
        self.wire.send(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = self.wire.answer()
        assert answer and self.expected in (None, answer[0]), (target, answer)
        self.seconds.append(time.perf_counter() - begin)
        self.answers.append(answer)

    def p99(self):
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)]


def tiles(port):
    """Tiles that have to be answered 200."""
    return Asking(port, *(f"/tiles/globe/3/{column}/3.png?variable=sst" for column in range(8)), expected=200)


def beats(port, count):
    """Median gap of a heartbeat that asks a millisecond after each answer, in seconds."""
    done = subprocess.run([sys.executable, "-I", HEART, str(port), str(count)], capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)
