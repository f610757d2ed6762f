"""An ingest, a removal and a collection of garbage end at any moment: killed at each write, killed at random, without room,
without leave to write, without the catalog. A server on the same store answers from the old or the new state, whole; a
second run completes; gc leaves nothing that nothing names."""
import collections

import pytest

import crash
from crash import ABSENT, Site

pytestmark = pytest.mark.release_only


@pytest.fixture
def make_site(binary, start, tmp_path):
    made = []

    def make(name="store", **options):
        made.append(Site(binary, start(tmp_path / name), tmp_path / name, **options))
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


def test_an_ingest_at_every_fault_point(site, tmp_path, capsys):
    """Each point with a collection of its own, several at a time; first nothing becomes something, then it is replaced."""

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
