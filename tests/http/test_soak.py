"""Everything at once for minutes: plugins that go wrong, heavy requests, clients that leave, attack or read slowly, reloads
that succeed and fail, ingests and garbage collections. Each answer is one that is stated, the workers live, memory stays flat
and nothing is left of it at the end. SOAK_SECONDS: for how long."""
import collections
import contextlib
import itertools
import json
import os
import pathlib
import random
import statistics
import time

import httpx
import pytest
from conftest import ROOT, SANITIZED
from test_admission import BIG_TILES, everywhere
from test_stress import CASES, path_of
from traffic import Loop, TILES, get, post
from wire import Wire, wait_for

SECONDS = float(os.environ.get("SOAK_SECONDS", 600 if SANITIZED else 120))
PLUGINS = ROOT / "tests" / "http" / "stressplugins"
CONFIG = 'return { lua_time = "2s", limits = { stress = { lua_time = "100ms", wall = "700ms" } } }\n'
BROKEN = 'return { name = "broken", api = 1, setup = function() error("as ever") end }\n'
MIB = 1 << 20

PAGES = ("/", "/stac", "/stac/search?limit=10", "/stac/collections", "/openapi.json", "/plugins", "/healthz", "/readyz",
         "/metrics", "/tiles/globe/tilejson.json", "/api/timeseries?collection=globe&lon=3&lat=4", "/colorMaps/viridis")
WRONG = {"/nowhere": 404, "/tiles/nothing/0/0/0.png": 404, "/tiles/globe/0/0/0.png?rescale=x": 400,
         "/stac/search?limit=x": 400, "/api/timeseries?collection=globe&lon=3": 400, "/data/../catalog.db": 404}
ATTACKS = ("GET / HTTP/1.1\r\n\r\n", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nX: " + "y" * 40000 + "\r\n\r\n", "GET /" + "y" * 9000 + " HTTP/1.1\r\nHost: a\r\n\r\n",
           "POST /stac/search HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00")
REFUSALS = {400, 404, 405, 413, 414, 431, 501, 505}


class Visitor:
    """Sends any of its requests again and again, at times on a new connection; counts what it is answered, which has to be
    in the request's own set."""

    def __init__(self, port, name, requests, seen):
        self.port, self.name, self.requests, self.seen = port, name, requests, seen
        self.dice, self.wire = random.Random(name), None

    def __call__(self):
        if self.wire is None or self.dice.random() < 0.1:
            self.leave()
            self.wire = Wire(self.port, 60)
        request, statuses = self.dice.choice(self.requests)
        self.wire.send(request)
        answer = self.wire.answer()
        assert answer and answer[0] in statuses, (self.name, request[:200], statuses, answer)
        self.seen[self.name][answer[0]] += 1
        if answer[1].get("connection") == "close":
            self.leave()

    def leave(self):
        if self.wire:
            self.wire.socket.close()
        self.wire = None


class Leaver(Visitor):
    """Sends some of a request, reads some of an answer, and goes in one way or the other."""

    def __call__(self):
        request, _ = self.dice.choice(self.requests)
        with contextlib.suppress(ConnectionError, TimeoutError), Wire(self.port, 0.2) as wire:
            wire.send(request * self.dice.choice((1, 1, 5)) if self.dice.random() < 0.7
                      else request[:self.dice.randrange(1, len(request))])
            for _ in range(self.dice.randrange(4)):
                time.sleep(0.02)
                wire.socket.recv(1000)
            if self.dice.random() < 0.5:
                wire.reset()
            self.seen[self.name]["gone"] += 1


class Attacker(Visitor):
    """Sends what is no request; the server may end the connection while it does."""

    def __call__(self):
        with contextlib.suppress(ConnectionError), Wire(self.port, 30) as wire:
            wire.send(self.dice.choice(ATTACKS))
            answer = wire.answer()
            assert answer is None or answer[0] in REFUSALS, answer
            self.seen[self.name][answer[0] if answer else "closed"] += 1


class Soaked:
    """The server, with a folder of plugins of which one comes and goes, and its admin socket."""

    def __init__(self, start, store, folder):
        (folder / "rastrum.lua").write_text(CONFIG)
        self.plugins = folder / "plugins"
        self.plugins.mkdir()
        for file in PLUGINS.iterdir():
            (self.plugins / file.name).write_text(file.read_text())
        env = {}
        if SANITIZED:  # what is freed is given back, so that memory can be flat
            env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=16"
        self.server = start(store, "--plugins", self.plugins, "--config", folder / "rastrum.lua", "--workers", "2", "--admin",
                            folder / "admin", "--watchdog", "20s" if SANITIZED else "2s", env=env, lua_traces=True)
        self.admin = httpx.Client(transport=httpx.HTTPTransport(uds=str(folder / "admin")), base_url="http://admin", timeout=60)
        self.turns = itertools.count()

    def reload(self, seen):
        broken = self.plugins / "broken.lua"
        if next(self.turns) % 2:
            broken.write_text(BROKEN)
        else:
            broken.unlink(missing_ok=True)
        answer = self.admin.post("/reload")
        assert answer.status_code == (409 if broken.exists() else 200), answer.text
        seen["reloads"][answer.status_code] += 1

    def metric(self, name):
        """The sum of all samples whose names begin so."""
        lines = self.admin.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    def workers(self):
        pid = self.server.process.pid
        return sorted(map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))

    def memory(self):
        """Resident bytes of the workers."""
        page = os.sysconf("SC_PAGE_SIZE")
        return sum(int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.workers()) * page


def visitors(port, store, seen):
    tif = max(store.glob("globe/**/*.tif"), key=lambda path: path.stat().st_size).relative_to(store)
    some = f"GET /data/{tif} HTTP/1.1\r\nHost: localhost\r\nRange: bytes=100-9000\r\n\r\n"
    series = post("/api/timeseries?collection=globe", json.dumps(everywhere()))
    kinds = {
        "tiles": [(get(tile), {200}) for tile in TILES],
        "heavy": [(get(tile), {200, 503}) for tile in BIG_TILES] + [(series, {200, 503})],
        "pages": [(get(page), {200}) for page in PAGES if page != "/metrics"],
        "objects": [(get(f"/data/{tif}"), {200}), (some, {206})],
        "wrong": [(get(path), {status}) for path, status in WRONG.items()],
        "plugins": [(get(path_of(case)), {status, 503}) for case, (status, _) in CASES.items() if case != "a buffer after its scope"],
    }
    anything = [request for requests in kinds.values() for request in requests]
    return [Visitor(port, name, requests, seen) for name, requests in kinds.items()] + [
        Leaver(port, "leaving", anything, seen), Leaver(port, "leaving", [(series, None)], seen),
        Attacker(port, "attacks", [], seen)]


def ingesting(rastrum, source, store, seen):
    turns = itertools.count()

    def step():
        turn = next(turns)
        if turn % 5 == 4:
            rastrum("catalog", "gc", "--store", store)
        else:
            rastrum("ingest", source.path, "--collection", "fresh", "--dataset", f"d{turn % 3}", "--store", store)
        seen["ingests"]["done"] += 1
    return step


def soak(soaked, steps):
    """Resident bytes, a sample a second."""
    samples, end = [], time.monotonic() + SECONDS
    with contextlib.ExitStack() as stack:
        loops = [stack.enter_context(Loop(step, pause)) for step, pause in steps]
        while time.monotonic() < end and not any(loop.problem for loop in loops):
            time.sleep(1)
            samples.append(soaked.memory())
    return samples


@pytest.mark.long
def test_everything_at_once(start, rastrum, sources, tmp_path, stress_report):
    store, seen = tmp_path / "store", collections.defaultdict(collections.Counter)
    rastrum("ingest", sources["globe"].path, "--collection", "globe", "--store", store)
    soaked = Soaked(start, store, tmp_path)
    port, workers = soaked.server.port, soaked.workers()
    crowd = visitors(port, store, seen)
    steps = [(each, 0.005) for each in crowd] + [(lambda: soaked.reload(seen), 2), (ingesting(rastrum, sources["globe"], store, seen), 1)]
    samples = soak(soaked, steps)
    for each in crowd:
        each.leave()
    assert soaked.workers() == workers, "a worker was replaced"
    quarter = len(samples) // 4
    early, late = statistics.median(samples[quarter:2 * quarter]), statistics.median(samples[-quarter:])
    stress_report[f"Everything at once, {SECONDS:.0f} s"] = ["| who | what came of it |", "|---|---|"] + [
        f"| {name} | {', '.join(f'{what}: {count}' for what, count in sorted(told.items(), key=str))} |"
        for name, told in seen.items()] + ["", f"Memory of two workers: {early / MIB:.0f} MiB in the second quarter, "
                                               f"{late / MIB:.0f} MiB in the last."]
    wait_for(lambda: soaked.metric("rastrum_http_connections") <= 2 and soaked.metric("rastrum_lua_tasks ") <= 6
             and not any(soaked.metric(f"rastrum_lane_{what}") for what in ("running", "waiting", "bytes")), 60, "nothing is left")
    assert late <= early * 1.25 + 64 * MIB, [sample // MIB for sample in samples]
