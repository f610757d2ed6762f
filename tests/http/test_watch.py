"""`serve --watch`: files put into a folder are published, each once, whatever happens to them, to each other or to the server."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import time

import feeds
import pytest
from conftest import Client
from server import Server
from test_workers import fresh, lines, metric, until

SETTLE = 0.3
# What gives way to everything else would wait for ever on a machine that is busy with other tests.
QUICK = ("--watch-settle", f"{SETTLE}s", "--watch-priority", "0")


class Site:
    """A watched folder, a store, and a server on both that can be ended and started again."""

    def __init__(self, binary, folder):
        self.binary, self.path, self.server, self.starts = binary, folder.path, None, 0
        self.inbox, self.store, self.spare = folder.files, folder.store, folder.path / "spare"
        self.spare.mkdir()
        self.day = 0

    def start(self, *options, env=None):
        self.starts += 1
        log = self.path / f"log{self.starts}"
        self.server = Server(self.binary, self.store, log, ("--watch", self.inbox, *QUICK, *options), env)
        return self.server

    def make(self, where, **options):
        """A new file with values of its own, made elsewhere; then put in place by the caller."""
        self.day += 1
        return feeds.write(self.spare / f"{self.day}.nc", self.day, **options).path.rename(self.spare / where)

    def put(self, name, **options):
        """A new file, renamed in."""
        target = self.inbox / name
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(self.make("put", **options), target)
        return target

    def datasets(self):
        """(collection, dataset) -> version, as the catalog has it."""
        if not (self.store / "catalog.db").exists():
            return {}
        with contextlib.closing(sqlite3.connect(self.store / "catalog.db", timeout=20)) as database:
            with contextlib.suppress(sqlite3.OperationalError):  # not made yet
                rows = database.execute("SELECT collection, dataset, version FROM datasets").fetchall()
                return {(collection, dataset): version for collection, dataset, version in rows}
        return {}

    def wait(self, *datasets):
        """Until all these are published; what is published then."""
        return until(lambda: set(datasets) <= set(found := self.datasets()) and found)

    def told(self, message):
        return [pathlib.Path(line["file"]).relative_to(self.inbox).as_posix() for line in lines(self.server, message)
                if "file" in line]

    def metric(self, name):
        return metric(fresh(self.server).text, name)

    def idle(self):
        """Nothing waits and nothing runs."""
        return self.metric("rastrum_watch_queue") == 0 and self.metric("rastrum_watch_running") == 0


@pytest.fixture(name="site")
def a_site(binary, tmp_path):
    folder = feeds.Folder(tmp_path)
    site = Site(binary, folder)
    yield site
    if site.server:
        code = site.server.stop()
        log = site.server.log()
        folder.remove()
        assert code in (0, -9), log[-3000:]
        assert "AddressSanitizer" not in log and "LeakSanitizer" not in log and "runtime error:" not in log, log[-8000:]
    folder.remove()


def test_what_is_put_in_is_published(site):
    """Present at the start, renamed in, copied in, in new folders, linked, by content; not what is hidden or partial."""
    site.put("sst/before.nc")
    site.start()
    site.wait(("sst", "sst-before"))
    site.put("top.nc")
    site.put("2020/data.nc")
    site.put("2021/data.nc")
    site.put("a/b/c/deep.nc4")
    shutil.copy(site.make("x"), site.inbox / "sst" / "copied.nc")
    shutil.copy(site.make("x"), site.inbox / "sst" / "unnamed")
    site.make("linked.nc")
    (site.inbox / "sst" / "link.nc").symlink_to(site.spare / "linked.nc")
    ignored = [".hidden.nc", "x.nc.part", "x.nc.tmp", "x.nc.error", "y.nc~", "z.nc.filepart", ".folder/x.nc"]
    for name in ignored:
        site.put(name)
    (site.inbox / "sst" / "README").write_text("no data")
    inbox = site.inbox.name
    want = {("sst", "sst-before"), (inbox, "top"), ("2020", "2020-data"), ("2021", "2021-data"), ("c", "a-b-c-deep"),
            ("sst", "sst-copied"), ("sst", "sst-unnamed"), ("sst", "sst-link")}
    site.wait(*want)
    last = site.put("last.nc")
    site.wait((inbox, "last"))
    until(site.idle)
    assert set(site.datasets()) == want | {(inbox, "last")}
    assert not site.told("not ingested") and not list(site.inbox.rglob("*.nc.error.error"))
    last.unlink()
    site.put("after.nc")
    assert (inbox, "last") in site.wait((inbox, "after")), "a source that goes takes no dataset with it"
    assert site.metric("rastrum_watch_done_total") == len(want) + 2
    assert site.metric("rastrum_watch_failed_total") == 0
    assert site.metric("rastrum_watch_seconds_count") == len(want) + 2
    with Client(site.server) as http:
        series = http.ok("/api/timeseries", collection="2020", variable="t", lon=0, lat=0).json()
    assert len(series["timestamps"]) == 1


def test_one_collection_for_a_tree_of_dates(site):
    site.put("2020/01/a.nc")
    site.put("2020/02/a.nc")
    site.start("--collection", "sst")
    site.wait(("sst", "2020-01-a"), ("sst", "2020-02-a"))


def test_a_changed_file_becomes_a_new_version(site):
    site.start()
    site.put("sst/a.nc")
    old = site.wait(("sst", "sst-a"))[("sst", "sst-a")]
    site.put("sst/a.nc")
    until(lambda: site.datasets()[("sst", "sst-a")] != old)
    assert list(site.datasets()) == [("sst", "sst-a")]


def test_a_file_is_taken_when_its_writer_is_done(site):
    """One that is written with pauses longer than the settling time is left alone until it is closed."""
    site.start()
    whole = site.make("x").read_bytes()
    with open(site.inbox / "slow.nc", "wb", buffering=0) as out:
        out.write(whole[: len(whole) // 2])
        deadline = time.monotonic() + 4 * SETTLE
        site.put("other.nc")
        site.wait((site.inbox.name, "other"))
        while time.monotonic() < deadline:
            site.put(f"more{site.day}.nc")
            site.wait((site.inbox.name, f"more{site.day - 1}"))
        assert not site.told("not ingested")
        out.write(whole[len(whole) // 2:])
    site.wait((site.inbox.name, "slow"))
    assert not site.told("not ingested")


def test_a_failure_is_written_beside_the_file_and_stops_no_other(site):
    site.start()
    bad = site.inbox / "sst" / "bad.nc"
    note = bad.with_name("bad.nc.error")
    site.put("sst/a.nc")
    bad.write_bytes(b"CDF\x01 and then nothing of the kind")
    site.put("sst/b.nc")
    site.wait(("sst", "sst-a"), ("sst", "sst-b"))
    until(note.exists)
    sentence = until(lambda: note.read_text())
    assert sentence.startswith("bad.nc: ") and sentence.count("\n") == 1
    assert site.told("not ingested") == ["sst/bad.nc"]
    assert sentence.strip().removeprefix("bad.nc: ") in lines(site.server, "not ingested")[0]["message"]
    assert site.metric("rastrum_watch_failed_total") == 1
    bad.write_bytes(b"CDF\x01 and then nothing again")
    until(lambda: site.metric("rastrum_watch_failed_total") == 2)
    assert note.exists()
    os.replace(site.make("x"), bad)
    site.wait(("sst", "sst-bad"))
    until(lambda: not note.exists())
    worse = site.inbox / "worse.nc"
    worse.write_text("nothing")
    gone = worse.with_name("worse.nc.error")
    until(gone.exists)
    worse.unlink()
    until(lambda: not gone.exists())


def test_where_no_error_file_can_be_written_it_is_logged(site):
    (site.inbox / "bad.nc.error").mkdir()
    (site.inbox / "bad.nc").write_text("nothing")
    site.put("good.nc")
    site.start()
    site.wait((site.inbox.name, "good"))
    until(lambda: site.told("not ingested"))
    until(lambda: lines(site.server, "only logged"))
    assert (site.inbox / "bad.nc.error").is_dir()


def test_what_may_pass_is_tried_again(site):
    """A store that cannot be written just then is not the file's fault."""
    site.put("a.nc")
    folder = site.store / site.inbox.name
    site.store.mkdir(parents=True)
    folder.write_text("in the way of the collection's folder")
    site.start()
    until((site.inbox / "a.nc.error").exists)
    folder.unlink()
    site.wait((site.inbox.name, "a"))
    until(lambda: not (site.inbox / "a.nc.error").exists())


def test_the_oldest_is_first(site):
    for age, name in ((1, "young.nc"), (3, "b.nc"), (3, "a.nc"), (9, "old.nc"), (5, "middle.nc")):
        path = site.put(name)
        os.utime(path, (1e9 - age, 1e9 - age))
    site.start("--watch-jobs", "1", "--watch-settle", "0s")
    until(lambda: len(site.told("published")) == 5)
    assert site.told("published") == ["old.nc", "middle.nc", "a.nc", "b.nc", "young.nc"]


def test_a_restart_loses_nothing_and_reads_nothing_twice(site):
    """What was published is known by its stamps; what came, changed or was interrupted meanwhile is taken."""
    for i in range(12):
        site.put(f"sst/f{i}.nc")
    site.start()
    until(lambda: len(site.told("published")) >= 3)
    os.killpg(site.server.process.pid, signal.SIGKILL)
    site.server.process.wait()
    site.start()
    site.wait(*(("sst", f"sst-f{i}") for i in range(12)))
    until(site.idle)
    assert site.server.stop() == 0
    versions = site.datasets()
    site.put("sst/late.nc")
    site.put("sst/f3.nc")
    site.start()
    site.wait(("sst", "sst-late"))
    until(lambda: site.datasets()[("sst", "sst-f3")] != versions[("sst", "sst-f3")])
    until(site.idle)
    assert sorted(site.told("a watched file is published")) == ["sst/f3.nc", "sst/late.nc"]
    assert len(site.datasets()) == 13


def test_another_catalog_knows_nothing(site):
    site.put("a.nc")
    site.start()
    site.wait((site.inbox.name, "a"))
    until(site.idle)
    site.server.stop()
    shutil.rmtree(site.store / site.inbox.name)
    for file in site.store.glob("catalog.db*"):
        file.unlink()
    site.start()
    site.wait((site.inbox.name, "a"))


def test_lost_events_are_made_good(site):
    """The kernel keeps 16,384 events; what came after them is found by looking again."""
    site.start()
    site.put("one.nc")
    site.wait((site.inbox.name, "one"))
    most = int(pathlib.Path("/proc/sys/fs/inotify/max_queued_events").read_text(encoding="ascii"))
    if most > 50000:
        pytest.skip(f"the queue of events holds {most}")
    os.kill(site.server.process.pid, signal.SIGSTOP)
    noise = site.inbox / ".noise"
    for _ in range(most // 2):  # three events each
        noise.touch()
        noise.unlink()
    site.put("new/two.nc")
    site.put("three.nc")
    (site.inbox / "one.nc").unlink()
    os.kill(site.server.process.pid, signal.SIGCONT)
    site.wait(("new", "new-two"), (site.inbox.name, "three"))
    assert lines(site.server, "looked through again")


def test_folders_move(site):
    """A folder renamed in is looked into, and watched under its new name."""
    site.start()
    (site.spare / "feed").mkdir()
    shutil.copy(site.make("x"), site.spare / "feed" / "a.nc")
    (site.spare / "feed").rename(site.inbox / "feed")
    site.wait(("feed", "feed-a"))
    (site.inbox / "feed").rename(site.inbox / "food")
    site.wait(("food", "food-a"))
    site.put("food/b.nc")
    assert ("feed", "feed-b") not in site.wait(("food", "food-b"))


def test_the_store_may_lie_in_the_folder(site):
    site.store = site.inbox / "store"
    site.put("a.nc")
    site.start()
    site.wait((site.inbox.name, "a"))
    site.put("b.nc")
    site.wait((site.inbox.name, "b"))
    assert len(site.datasets()) == 2 and not site.told("not ingested")


def children(server):
    """The ingests that a server runs: pid -> (command line, nice value)."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError):
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if int(fields[1]) == server.process.pid and b"ingest" in words:
                found[int(entry.name)] = (words, int(fields[16]))
    return found


def test_processes_are_few_low_and_share_the_memory(site):
    for i in range(40):
        site.put(f"f{i}.nc", steps=20)
    server = site.start("--watch-jobs", "2", "--memory", "600M", "--watch-priority", "7")
    most, seen = 0, {}
    while not len(site.told("published")) == 40:
        now = children(server)
        most, seen = max(most, len(now)), seen | now
        assert server.alive()
    assert 1 <= most <= 2 and seen
    assert 7 in {value for _, value in seen.values()}
    for words, _ in seen.values():
        assert b"--memory=314572800" in words


def test_a_killed_process_costs_only_its_file_time(site):
    site.put("a-large.nc", steps=4000)
    os.utime(site.inbox / "a-large.nc", (1, 1))
    site.put("b.nc")
    server = site.start("--watch-jobs", "1")
    pid = until(lambda: next(iter(children(server)), None))
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    site.wait((site.inbox.name, "a-large"), (site.inbox.name, "b"))
    until(site.idle)
    assert not list(site.inbox.glob("*.error"))


def test_the_end_takes_the_ingests_along(site):
    site.put("large.nc", steps=4000)
    server = site.start()
    pid = until(lambda: next(iter(children(server)), None))
    assert server.stop() == 0
    assert not os.path.exists(f"/proc/{pid}/cmdline") or b"ingest" not in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    site.start()
    site.wait((site.inbox.name, "large"))
    assert not list(site.inbox.glob("*.error"))


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_a_folder_that_is_none_is_refused(rastrum, tmp_path, folder):
    (tmp_path / "file").write_text("")
    done = rastrum("serve", "--listen", "127.0.0.1:0", "--store", tmp_path / "store", "--watch", tmp_path / folder, code=1)
    assert re.search(rf"rastrum: \S*{folder}: --watch", done.stderr)
