"""Load, and what others feel of it: threads that ask again and again, steady tiles, and a heartbeat over HTTP."""
import json
import os
import pathlib
import subprocess
import sys
import threading

from wire import Wire

HEART = pathlib.Path(__file__).with_name("heart.py")
TILES = [f"/tiles/globe/3/{column}/3.png?variable=sst" for column in range(8)]


class Loop(threading.Thread):
    """Calls `step` again and again until the block ends; an exception in it fails the block. What a client needs for it is
    not what a server takes from others, so it comes after all others."""

    def __init__(self, step, pause=0.0):
        super().__init__(daemon=True)
        self.step, self.pause, self.ending, self.problem = step, pause, threading.Event(), None

    def run(self):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
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


def get(target):
    return f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post(target, text):
    return (f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(text)}\r\n\r\n{text}")


class Asking:
    """Requests one after another on a connection of its own; `answers` are (status, headers, body)."""

    def __init__(self, port, *requests):
        self.wire, self.requests, self.answers = Wire(port, 60), requests, []

    def __call__(self):
        self.wire.send(self.requests[len(self.answers) % len(self.requests)])
        answer = self.wire.answer()
        assert answer
        self.answers.append(answer)


class Heart:
    """heart.py beside the block, or with a count for as long as that takes; `seen` is what it prints. All its requests have
    to be answered 200."""

    def __init__(self, port, targets, pause, count=0):
        self.words, self.process, self.seen = (port, pause, count, *targets), None, None

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, HEART, *map(str, self.words)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        out, errors = self.process.communicate(timeout=120)  # its input ends with that
        assert self.process.returncode == 0, errors
        self.seen = json.loads(out)


def tiles(port):
    """Steady tiles, for a with statement."""
    return Heart(port, TILES, 0.005)


def beats(port, count):
    """Median gap of a heartbeat that asks a millisecond after each answer, in seconds."""
    with Heart(port, ["/healthz"], 0.001, count) as heart:
        heart.process.wait(120)
    return heart.seen["gap"]
