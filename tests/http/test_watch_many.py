"""A watched folder that gets a thousand files at once: all are there in the end, and who asks for tiles does not notice."""
import contextlib
import pathlib
import shutil
import time

import feeds
import pytest
from conftest import SANITIZED
from test_watch import Site
from test_workers import until
from traffic import TILES, Heart

TRIES = 3
ENOUGH = 500  # of fewer files the slowest hundredth meanwhile is one request or two


def go_before_others(process, nice):
    """What other sessions of this machine run comes after this one's: it is the ingests that are to be noticed here."""
    with contextlib.suppress(OSError):
        pathlib.Path(f"/proc/{process}/autogroup").write_text(str(nice))


@pytest.fixture(name="site")
def a_busy_site(binary, sources, tmp_path):
    """At the priority that ingests have unless one is asked for; one collection is there to be looked at."""
    folder = feeds.Folder(tmp_path)
    site = Site(binary, folder)
    (site.inbox / "globe").mkdir()
    shutil.copy(sources["globe"].path, site.inbox / "globe" / "globe.nc")
    site.start("--watch-priority", "19")
    until(lambda: len(site.datasets()) == 1, 120)
    until(site.idle)
    for process in (site.server.process.pid, "self"):
        go_before_others(process, -20)
    yield site
    go_before_others("self", 0)
    assert site.server.stop() == 0
    folder.remove()


def made(site, name, count):
    """A folder with so many files, to be renamed into the watched one, where they are all at once then."""
    place = site.spare / name
    place.mkdir()
    for _ in range(count):
        site.day += 1
        feeds.write(place / f"d{site.day:05}.nc", site.day)
    return place


def watched(site, total, pause):
    """Until so many are published; the most that waited and ran at one look."""
    waited = ran = 0
    while (done := site.metric("rastrum_watch_done_total")) < total:
        waited, ran = max(waited, site.metric("rastrum_watch_queue")), max(ran, site.metric("rastrum_watch_running"))
        assert site.server.alive() and done <= total
        time.sleep(pause)  # asking more often would be what is noticed
    return waited, ran


def idle(site):
    """How long the slowest hundredth of tiles takes when nothing is ingested."""
    with Heart(site.server.port, TILES, 0.005, 400) as heart:
        heart.process.wait(120)
    return heart.seen["p99"]


@pytest.mark.parametrize("count", [50, pytest.param(1000, marks=pytest.mark.long)])
def test_many_files_at_once(site, count):
    """What else the machine does changes in the course of a minute: idle is measured before and after."""
    total, seen = 1, []
    for attempt in range(TRIES):
        place, total = made(site, f"feed{attempt}", count), total + count
        before = idle(site)
        with Heart(site.server.port, TILES, 0.005) as busy:
            place.rename(site.inbox / place.name)
            waited, ran = watched(site, total, count / 2000)
        assert waited > 0 and ran > 0
        until(site.idle)
        seen.append(busy.seen["p99"] / max(before, idle(site)))
        if seen[-1] <= 2 or count < ENOUGH:
            break
    found = site.datasets()
    assert len(found) == total and not site.told("not ingested") and not list(site.inbox.rglob("*.error"))
    assert site.metric("rastrum_watch_failed_total") == 0 and site.metric("rastrum_watch_seconds_count") == total
    print(f"\n{count} files at once, {waited:.0f} waited; p99 of tiles in times of idle: {[f'{each:.2f}' for each in seen]}")
    assert SANITIZED or count < ENOUGH or min(seen) <= 2, seen
