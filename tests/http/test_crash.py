"""An ingest, a removal and a collection of garbage end at any moment: killed at each write, killed at random, without room,
without leave to write, without the catalog. A server on the same store answers from the old or the new state, whole; a
second run completes; gc leaves nothing that nothing names."""
import collections
import errno
import os
import pathlib
import random
import sqlite3
import time

import pytest

import crash
from crash import ABSENT, Site

pytestmark = pytest.mark.release_only


@pytest.fixture
def make_site(binary, start, tmp_path):
    made = []

    def make(name="store", catalog=None):
        options = ("--catalog", f"sqlite:{catalog}") if catalog else ()
        made.append(Site(binary, start(tmp_path / name, *options), tmp_path / name, catalog))
        return made[-1]

    yield make
    for site in made:
        site.http.close()


@pytest.fixture
def site(make_site):
    return make_site()


def report(capsys, what, points):
    counts = collections.Counter(points)
    with capsys.disabled():
        print(f"\n{what}: {len(points)} fault points walked ({', '.join(f'{n} {name}' for name, n in sorted(counts.items()))})")


@pytest.mark.parametrize("days", (2, pytest.param(12, marks=pytest.mark.long)))
def test_an_ingest_at_every_fault_point(site, tmp_path, capsys, monkeypatch, days):
    """Each point with a collection of its own, several at a time; first nothing becomes something, then it is replaced."""
    monkeypatch.setattr(crash, "TIMES", [f"2020-01-{day + 1:02}T00:00:00Z" for day in range(days)])

    def ingest(n, fault=None):
        return site.ingest(tmp_path / "data.nc", f"c{n}", code=None, fault=fault)

    for old, new, what in ((ABSENT, 1, "first ingest"), (1, 2, "replacement")):
        crash.write_source(tmp_path / "data.nc", new)

        def killed(n):
            point = crash.point_of(ingest(n, n))
            site.check(f"c{n}", {old, new} if point else {new})
            return point

        def again(n):
            assert ingest(n).returncode == 0
            site.check(f"c{n}", {new})

        points = crash.walk(killed)
        site.gc()
        numbers = range(1, len(points) + 2)
        crash.each(lambda n: site.check(f"c{n}", {old, new}, full=False), numbers)
        crash.each(again, numbers)
        site.gc()
        crash.each(lambda n: site.check(f"c{n}", {new}), numbers)
        report(capsys, what, points)
        assert {"folder", "write", "rename", "sync", "catalog commit"} <= set(points) and len(points) > 30


def test_a_removal_at_every_fault_point(site, tmp_path, capsys):
    crash.write_source(tmp_path / "data.nc", 1)

    def one(n):
        site.ingest(tmp_path / "data.nc", f"c{n}")
        point = crash.point_of(site.run("catalog", "remove", f"c{n}", code=None, fault=n))
        site.check(f"c{n}", {1, ABSENT})
        assert site.run("catalog", "remove", f"c{n}", code=None).returncode in (0, 1)
        site.check(f"c{n}", {ABSENT})
        return point

    points = crash.walk(one)
    site.gc()
    report(capsys, "removal", points)
    assert "catalog commit" in points


def test_gc_at_every_fault_point(make_site, tmp_path, capsys):
    """Two stores, so that two walk at a time: gc is of a whole store."""
    sites = [make_site("even"), make_site("odd")]
    for k in range(2):
        crash.write_source(tmp_path / f"{k}.nc", 1)
        sites[k].ingest(tmp_path / f"{k}.nc", "c")

    def one(n):
        site, file = sites[n % 2], tmp_path / f"{n % 2}.nc"
        crash.write_source(file, n + 1)
        site.ingest(file, "c")
        point = crash.point_of(site.run("catalog", "gc", "--grace", "0s", code=None, fault=n))
        site.check("c", {n + 1}, full=point != "remove")
        site.gc()
        return point

    points = crash.walk(one, threads=2)
    for n, site in ((len(points) + 1, s) for s in sites):
        site.check("c", {n, n + 1, n + 2})
    report(capsys, "gc", points)
    assert {"remove", "catalog commit"} <= set(points)


@pytest.mark.parametrize("times", (12, pytest.param(50, marks=pytest.mark.long)))
def test_a_kill_at_a_random_moment(site, tmp_path, capsys, times):
    seed = random.randrange(1 << 32)
    moments = random.Random(seed)
    file, words = tmp_path / "data.nc", ("ingest", tmp_path / "data.nc", "--collection", "c", "--jobs", 1)
    crash.write_source(file, 1)
    began = time.monotonic()
    site.run(*words)
    most = 2 * (time.monotonic() - began)
    killed = 0
    with capsys.disabled():
        print(f"\nseed {seed}, kills within {most:.2f} s")
    with crash.Poller(site, "c", {1}) as poller:
        for k in range(1, times + 1):
            crash.write_source(file, k + 1)
            poller.allowed |= {k + 1}
            with site.begin(*words) as process:
                time.sleep(moments.uniform(0, most))
                process.kill()
                process.communicate()
            killed += process.returncode == -9
            site.check("c", {k, k + 1})
            site.run(*words)
            site.check("c", {k + 1}, full=False)
            poller.allowed -= {k}
            site.gc()
    with capsys.disabled():
        print(f"{killed} of {times} were killed, {poller.asked} answers beside them, all whole")
    assert killed and poller.asked > times


def test_objects_and_folders_are_durable_before_the_commit(site, tmp_path):
    """In the order in which the system was asked: every object and every folder that got an entry, then the catalog's log."""
    library, log = crash.build_faultfs(tmp_path), tmp_path / "log"
    crash.write_source(tmp_path / "data.nc", 1)
    site.ingest(tmp_path / "data.nc", "c", env={"LD_PRELOAD": str(library), "FAULTFS_BELOW": str(site.root), "FAULTFS_LOG": str(log)})
    events = [line.split("\t") for line in log.read_text().splitlines()]
    wal = f"{site.catalog}-wal"
    last = max(i for i, (what, path) in enumerate(events) if what == "rename")
    commit = next(i for i, (what, path) in enumerate(events) if i > last and (what, path) == ("write", wal))
    assert ("sync", wal) in [tuple(e) for e in events[commit:]]
    objects = [path for what, path in events if what == "rename"]
    version = site.root / "c" / site.published("c").split("/", 1)[0] / site.published("c").split("/")[1]
    assert {pathlib.Path(p) for p in objects} == {p for p in version.rglob("*") if p.is_file()}
    assert events[last][1].endswith("manifest.json")

    def synced_between(path, first, end):
        return ["sync", path] in events[first:end] or ["syncfs", str(site.root)] in events[first:end]

    for i, (what, path) in enumerate(events[:commit]):
        if what == "rename":
            assert synced_between(path, i, commit), path
        if what in ("rename", "mkdir"):
            assert synced_between(os.path.dirname(path), i, commit), f"the folder of {path}"
    others = [path for path in objects if not path.endswith("manifest.json")]
    assert all(synced_between(path, 0, last) for path in others), "the manifest comes when all it names is durable"


@pytest.mark.parametrize("stride", (4, pytest.param(1, marks=pytest.mark.long)))
@pytest.mark.parametrize("code", ("ENOSPC", "EROFS"))
def test_a_disk_that_fails_from_some_moment_on(make_site, tmp_path, capsys, code, stride):
    """Full: store and catalog. Read-only: the store, the catalog lies elsewhere."""
    library, number = crash.build_faultfs(tmp_path), getattr(errno, code)
    site = make_site("store") if code == "ENOSPC" else make_site("store", catalog=tmp_path / "elsewhere.db")
    below = str(site.root) + "/" if code == "EROFS" else str(site.root)
    crash.write_source(tmp_path / "data.nc", 1)
    said = set()

    def one(k):
        name, at = f"c{k}", 1 + (k - 1) * stride
        done = site.ingest(tmp_path / "data.nc", name, code=None,
                           env={"LD_PRELOAD": str(library), "FAULTFS_BELOW": below, "FAULTFS_FAIL": f"{number},{at}"})
        assert done.returncode in (0, 1), done.stderr
        if done.returncode:
            said.add(done.stderr.strip().splitlines()[-1].split(": ")[-1])
            assert done.stderr.startswith("rastrum: ") and len(done.stderr) > 30, done.stderr
        site.check(name, {ABSENT, 1} if done.returncode else {1})
        return "failed" if done.returncode else None

    count = len(crash.walk(one))
    site.gc()
    for k in range(1, count + 1, max(1, 8 // stride)):
        site.ingest(tmp_path / "data.nc", f"c{k}")
        site.check(f"c{k}", {1})
    site.gc()
    with capsys.disabled():
        print(f"\n{code}: {count} moments; {sorted(said)}")
    assert any(os.strerror(number) in text for text in said), said


def test_a_full_disk(binary, start, tmp_path):
    place = tmp_path / "small"
    with crash.mounted(place, "600k") as remount:
        site = Site(binary, start(place / "store"), place / "store")
        crash.write_source(tmp_path / "data.nc", 1)
        site.ingest(tmp_path / "data.nc", "c")
        crash.write_source(tmp_path / "big.nc", 2, steps=4000)
        crash.write_source(tmp_path / "data.nc", 2)
        done = site.ingest(tmp_path / "big.nc", "c", "--dataset", "data", code=1)
        assert "No space left" in done.stderr or "full" in done.stderr, done.stderr
        site.check("c", {1})
        assert remount("size=40m")
        site.gc()
        site.ingest(tmp_path / "data.nc", "c")
        site.gc()
        site.check("c", {2})
        site.server.stop()
        site.http.close()


def test_a_store_that_turns_readonly(binary, start, tmp_path):
    place, file = tmp_path / "disk", tmp_path / "big.nc"
    with crash.mounted(place, "64m") as remount:
        (place / "store").mkdir()
        site = Site(binary, start(place / "store", "--catalog", f"sqlite:{tmp_path}/catalog.db"), place / "store", catalog=tmp_path / "catalog.db")
        crash.write_source(tmp_path / "data.nc", 1)
        site.ingest(tmp_path / "data.nc", "c")
        crash.write_source(file, 2, steps=3000)
        with site.begin("ingest", file, "--collection", "c", "--dataset", "data", "--jobs", 1) as process:
            deadline = time.monotonic() + 30
            while len(list((place / "store" / "c").rglob("*.tif"))) < 20:
                assert process.poll() is None and time.monotonic() < deadline
            while not remount("ro"):  # not while a file is open for writing
                assert process.poll() is None and time.monotonic() < deadline
            said = process.communicate(timeout=60)[1]
        assert process.returncode == 1 and "Read-only file system" in said and "c/data/" in said, said
        site.check("c", {1})
        assert remount("rw")
        crash.write_source(tmp_path / "data.nc", 2)
        site.ingest(tmp_path / "data.nc", "c")
        site.gc()
        site.check("c", {2})
        site.server.stop()
        site.http.close()


def test_a_catalog_that_another_process_holds(site, tmp_path):
    crash.write_source(tmp_path / "data.nc", 1)
    site.ingest(tmp_path / "data.nc", "c")
    crash.write_source(tmp_path / "data.nc", 2)
    holder = sqlite3.connect(site.catalog, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with crash.Poller(site, "c", {1}) as poller:
        done = site.ingest(tmp_path / "data.nc", "c", code=1, timeout=60)
    assert "catalog.db" in done.stderr and "another process holds" in done.stderr, done.stderr
    assert poller.asked > 10
    with site.begin("ingest", tmp_path / "data.nc", "--collection", "c") as process:
        time.sleep(0.5)  # it waits meanwhile; whether it does is not what is tested
        holder.execute("ROLLBACK")
        said = process.communicate(timeout=60)[1]
    holder.close()
    assert process.returncode == 0, said
    site.check("c", {2})
    site.gc()


def test_a_catalog_that_does_not_answer(site, tmp_path):
    """What was read before is served, and the log says so; later the catalog counts again."""
    crash.write_source(tmp_path / "data.nc", 1)
    site.ingest(tmp_path / "data.nc", "c")
    site.check("c", {1})
    with sqlite3.connect(site.catalog) as database:
        database.execute("ALTER TABLE collections RENAME TO elsewhere")
    for _ in range(20):
        assert site.tile("c", 0) == site.series("c") == 1
    assert site.http.ok("/stac/collections").json()["collections"]
    assert site.server.log().count("the catalog does not answer") == 1
    with sqlite3.connect(site.catalog) as database:
        database.execute("ALTER TABLE elsewhere RENAME TO collections")
    crash.write_source(tmp_path / "data.nc", 2)
    site.ingest(tmp_path / "data.nc", "c")
    site.check("c", {2})


def test_objects_that_are_lost_are_no_gaps(site, tmp_path):
    """A shard that is not there is a gap in the data, but not where its whole version is not there."""
    crash.write_source(tmp_path / "data.nc", 1)
    site.ingest(tmp_path / "data.nc", "c")
    version = site.published("c")
    (site.root / "c" / version).rename(tmp_path / "away")
    for path, params in (("/api/timeseries", {"collection": "c", "lon": "0", "lat": "0"}), ("/tiles/c/1/0/0.npy", {})):
        assert site.http.problem(500, path, variable="v", **params)["title"] == "Stored data is damaged"
    assert "not in the store" in site.server.log()
    (tmp_path / "away").rename(site.root / "c" / version)
    site.check("c", {1})
