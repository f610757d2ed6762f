"""What the crash tests share: a small source in several states, a server that runs through everything, and what every
answer of it must be: that of one state, whole."""
import concurrent.futures
import contextlib
import io
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import threading
import time

import google_crc32c
import netCDF4
import numpy as np
import pytest

from conftest import TRACE, Client

LAT, LON = np.array([67.5, 22.5, -22.5, -67.5]), np.arange(-157.5, 180, 45.0)
TIMES = ["2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"]
FAULT = re.compile(r"RASTRUM_FAULT: exit before (.+)")
NETCDF = threading.Lock()  # the library is not for several threads
ABSENT = 0  # the state in which there is no such dataset


def values(state):
    """Every cell of every state is a number of its own."""
    return (state * 1000 + np.arange(len(TIMES) * LAT.size * LON.size)).reshape(len(TIMES), LAT.size, LON.size).astype("f4")


def write_source(path, state, steps=None, first_day=0):
    """The file as it is in a state, put in place as a whole; `steps` makes it larger by repeating."""
    field = values(state) if steps is None else np.resize(values(state), (steps, LAT.size, LON.size))
    new = path.with_suffix(".new")
    with NETCDF, netCDF4.Dataset(new, "w") as out:
        for name, units, axis in (("time", "days since 2020-01-01", first_day + np.arange(field.shape[0])), ("lat", "degrees_north", LAT),
                                  ("lon", "degrees_east", LON)):
            out.createDimension(name, axis.size)
            out.createVariable(name, "f8", (name,)).units = units
            out[name][:] = axis
        out.createVariable("v", "f4", ("time", "lat", "lon"))[:] = field
    os.replace(new, path)


def run(binary, *words, fault=None, env=None, timeout=120, **options):
    """The command to its end; no trace may be printed."""
    more = dict(env or {}, **({"RASTRUM_FAULT": str(fault)} if fault else {}))
    done = subprocess.run([str(binary), *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, check=False, env={**os.environ, **more}, **options)
    assert not TRACE.search(done.stderr + done.stdout), done.stderr[-6000:]
    return done


def start(binary, *words, env=None, **options):
    return subprocess.Popen([str(binary), *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}, **options)


def build_faultfs(folder):
    """The preloaded library of tests/support/faultfs.c."""
    library = folder / "faultfs.so"
    source = pathlib.Path(__file__).resolve().parents[1] / "support" / "faultfs.c"
    subprocess.run(["cc", "-D_GNU_SOURCE", "-std=c17", "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


class Site:
    """A store, its catalog and a server on it."""

    def __init__(self, binary, server, root, catalog=None):
        self.binary, self.server, self.root = binary, server, pathlib.Path(root)
        self.catalog = pathlib.Path(catalog or self.root / "catalog.db")
        self.http = Client(server)

    def run(self, *words, code=0, **options):
        done = run(self.binary, *words, "--store", self.root, "--catalog", f"sqlite:{self.catalog}", **options)
        assert code is None or done.returncode == code, f"{words}: exit {done.returncode}\n{done.stderr[-3000:]}"
        return done

    def ingest(self, path, collection, *words, **options):
        return self.run("ingest", path, "--collection", collection, "--jobs", 1, *words, **options)

    def begin(self, *words, **options):
        """The command as a running process."""
        return start(self.binary, *words, "--store", self.root, "--catalog", f"sqlite:{self.catalog}", **options)

    # ---- what the server answers

    def tile(self, collection, step):
        answer = self.http.get(f"/tiles/{collection}/1/0/0.npy", params={"datetime": TIMES[step], "variable": "v"})
        if answer.status_code == 404:
            return ABSENT
        assert answer.status_code == 200, f"{answer.status_code} {answer.text[:500]}"
        return state_of_tile(answer.content, step)

    def series(self, collection):
        answer = self.http.get("/api/timeseries", params={"collection": collection, "variable": "v", "lon": "-157.5,22.5", "lat": "67.5,-22.5"})
        if answer.status_code == 404:
            return ABSENT
        assert answer.status_code == 200, f"{answer.status_code} {answer.text[:500]}"
        return state_of_series(answer.json())

    def items(self, collection):
        """The version that all items name, every object of it read and checked; None where there is none."""
        answer = self.http.get(f"/stac/collections/{collection}/items", params={"limit": 100})
        if answer.status_code == 404:
            return None
        assert answer.status_code == 200, answer.text[:500]
        hrefs = [asset["href"] for item in answer.json()["features"] for asset in item["assets"].values()]
        named = {re.search(rf"/data/{collection}/([^/]+/[^/]+)/", href)[1] for href in hrefs}
        assert len(named) == 1 and len(answer.json()["features"]) == len(TIMES), hrefs
        for href in hrefs:
            if href.endswith(".tif"):
                assert self.http.get(href.split(self.server.url)[1]).status_code == 200, href
        return named.pop()

    def objects(self, collection, version):
        """All objects of a version over HTTP, against its manifest."""
        manifest = json.loads((self.root / collection / version / "manifest.json").read_text())
        for each in manifest["objects"]:
            answer = self.http.get(f"/data/{collection}/{version}/{each['key']}")
            assert answer.status_code == 200, each
            assert len(answer.content) == each["size"], each
            assert f"{google_crc32c.value(answer.content):08x}" == each["crc32c"], each

    def published(self, collection):
        """dataset/version of a collection's only dataset, as the catalog has it; None without one."""
        if not self.catalog.exists():
            return None
        with contextlib.closing(sqlite3.connect(self.catalog, timeout=20)) as database:
            try:
                rows = database.execute("SELECT dataset || '/' || version FROM datasets WHERE collection = ?", (collection,)).fetchall()
            except sqlite3.OperationalError as error:  # killed before there were tables
                assert "no such table" in str(error)
                rows = []
        assert len(rows) <= 1
        return rows[0][0] if rows else None

    def check(self, collection, allowed, full=True):
        """Every answer is that of one allowed state; once the view is current all agree. Returns the state."""
        version = self.published(collection)
        deadline = time.monotonic() + 20
        while True:
            seen = [self.tile(collection, step) for step in range(len(TIMES))] + [self.series(collection)]
            assert set(seen) <= set(allowed), (seen, allowed)
            named = self.items(collection)
            if len(set(seen)) == 1 and named == version and (seen[0] == ABSENT) == (version is None):
                break
            assert time.monotonic() < deadline, (seen, named, version)
        if full and version:
            self.objects(collection, version)
        listed = [each["id"] for each in self.http.ok("/stac/collections").json()["collections"]]
        assert (collection in listed) == (version is not None)
        return seen[0]

    # ---- what lies in the store

    def assert_tidy(self):
        """After gc with no grace: every file is named by the manifest of a current version, or is the catalog's."""
        with contextlib.closing(sqlite3.connect(self.catalog, timeout=20)) as database:
            current = {"/".join(row) for row in database.execute("SELECT collection, dataset, version FROM datasets")}
            assert not database.execute("SELECT * FROM retired").fetchall()
            assert not database.execute("SELECT * FROM leases").fetchall()
        named = {self.catalog, *(pathlib.Path(f"{self.catalog}-{end}") for end in ("wal", "shm", "journal"))}
        folders = {self.root}
        for version in current:
            place = self.root / version
            named |= {place / "manifest.json"} | {place / o["key"] for o in json.loads((place / "manifest.json").read_text())["objects"]}
        for file in named:
            folders |= set(file.parents)
        for path in self.root.rglob("*"):
            assert path in (folders if path.is_dir() else named), f"nothing names {path}"

    def gc(self):
        done = self.run("catalog", "gc", "--grace", "0s")
        self.assert_tidy()
        return done


def state_of_tile(body, step):
    array = np.load(io.BytesIO(body))
    pixels = set(np.unique(array[0][array[1] != 0]).tolist())
    assert pixels
    states = {int(p // 1000) for p in pixels}
    assert len(states) == 1, f"a tile of states {states}"
    state = states.pop()
    assert pixels <= set(values(state)[step].ravel().tolist()), (state, step)
    return state


def state_of_series(document):
    """Points are cells (0, 0) and (2, 4)."""
    numbers = np.array([each["values"] for each in document["series"]], "f8")
    states = {int(v // 1000) for v in numbers.ravel()}
    assert len(states) == 1, f"a series of states {numbers}"
    state = states.pop()
    want = values(state)
    np.testing.assert_array_equal(numbers, [want[:, 0, 0], want[:, 2, 4]])
    return state


class Poller:
    """Asks all the time, and keeps what was wrong; `allowed` may be changed meanwhile."""

    def __init__(self, site, collection, allowed, threads=2):
        self.site, self.collection, self.allowed = site, collection, set(allowed)
        self.wrong, self.asked, self.ended = [], 0, threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=(k,)) for k in range(threads)]

    def _ask(self, k):
        while not self.ended.is_set() and len(self.wrong) < 5:
            try:
                before = set(self.allowed)
                seen = self.site.series(self.collection) if (self.asked + k) % 2 else self.site.tile(self.collection, self.asked // 2 % len(TIMES))
                self.asked += 1
                if seen not in before | self.allowed:
                    self.wrong.append(f"state {seen}, allowed {self.allowed}")
            except AssertionError as error:
                self.wrong.append(str(error)[:500])

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()
        assert not self.wrong, self.wrong


@contextlib.contextmanager
def mounted(folder, size):
    """A small file system of its own at `folder`; skips where mounting is not allowed."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no leave to mount: {done.stderr.strip()}")
    try:
        yield lambda options: subprocess.run(["mount", "-o", f"remount,{options}", folder], capture_output=True, check=False).returncode == 0
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def point_of(done):
    """The fault point at which a run ended; None when it came to its end."""
    if done.returncode == 0:
        return None
    assert done.returncode == 70, f"exit {done.returncode}: {done.stderr[-2000:]}"
    return FAULT.search(done.stderr)[1]


def each(work, numbers, threads=4):
    """work(n) of all numbers, several at a time; their results in order."""
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, numbers))


def walk(one, threads=4):
    """one(n) for n = 1, 2, … until it comes to its end (answers None); the names of the points passed."""
    points = []
    while not points or points[-1]:
        points += each(one, range(len(points) + 1, len(points) + 1 + threads), threads)
        if None in points:
            points = points[:points.index(None) + 1]
    return points[:-1]
