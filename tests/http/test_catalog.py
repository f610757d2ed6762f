"""Catalog drivers pass one suite; a catalog that is damaged, newer or not writable is said to be so."""
import json
import os
import pathlib
import sqlite3
import time

import pytest

from conftest import Client

SUITE = pathlib.Path(__file__).parent / "catalogsuite"


@pytest.mark.parametrize("url", ("sqlite:{}/a/folder/catalog.db",))
def test_the_suite_of_drivers(start, tmp_path, url):
    options = ("--plugins", SUITE, "--catalog", url.format(tmp_path))
    with Client(start(tmp_path / "store", *options)) as http:
        answer = http.post("/suite").json()
    assert answer["failed"] == [] and answer["passed"] >= 10


def test_a_missing_catalog_is_made_empty(start, tmp_path):
    with Client(start(tmp_path / "store")) as http:
        assert http.ok("/stac/collections").json()["collections"] == []
        http.problem(404, "/stac/collections/any")
    with sqlite3.connect(tmp_path / "store" / "catalog.db") as database:
        assert database.execute("SELECT count(*) FROM datasets").fetchone() == (0,)


def test_footprints_are_kept_once(rastrum, sources, tmp_path):
    place = tmp_path / "store"
    for name in ("one", "two", "three"):
        rastrum("ingest", sources["globe"].path, "--collection", "c", "--dataset", name, "--store", place)
    assert not list(place.glob("catalog.db-*"))  # the last process tidied its log away
    with sqlite3.connect(place / "catalog.db") as database:
        assert database.execute("SELECT count(*) FROM footprints").fetchone() == (1,)
        assert database.execute("SELECT count(*) FROM footprint_boxes").fetchone() == (1,)
        plan = str(database.execute("EXPLAIN QUERY PLAN SELECT dataset FROM datasets WHERE collection = 'c' AND footprint = 1 "
                                    "AND start <= 5 ORDER BY start").fetchall())
        assert "datasets_time" in plan and "TEMP B-TREE" not in plan


def test_damage_and_newer_layouts_are_said(rastrum, tmp_path):
    bad = tmp_path / "bad.db"
    bad.write_bytes(b"no database at all, " * 20)
    assert "bad.db" in rastrum("catalog", "list", "--catalog", f"sqlite:{bad}", code=1).stderr
    new = tmp_path / "new.db"
    with sqlite3.connect(new) as database:
        database.execute("CREATE TABLE later (x)")
        database.execute("PRAGMA user_version = 99")
    said = rastrum("catalog", "list", "--catalog", f"sqlite:{new}", code=1).stderr
    assert "99" in said and "newer" in said
    assert "ftp" in rastrum("catalog", "list", "--catalog", "ftp:x", code=None).stderr


def test_gc_keeps_what_is_current(rastrum, sources, tmp_path):
    place = tmp_path / "store"
    rastrum("ingest", sources["alps"].path, "--collection", "c", "--store", place)
    rastrum("ingest", sources["globe"].path, "--collection", "c", "--dataset", "globe", "--variables", "sst", "--store", place)
    rastrum("ingest", sources["globe"].path, "--collection", "c", "--dataset", "globe", "--store", place)
    versions = [each.name for each in (place / "c" / "globe").iterdir()]
    assert len(versions) == 2
    rastrum("catalog", "gc", "--store", place)
    assert sorted(each.name for each in (place / "c" / "globe").iterdir()) == sorted(versions)
    rastrum("catalog", "gc", "--store", place, "--grace", "0s")
    left = [each.name for each in (place / "c" / "globe").iterdir()]
    assert len(left) == 1 and left[0] in versions
    rastrum("catalog", "remove", "c", "alps", "--store", place)
    rastrum("catalog", "gc", "--store", place, "--grace", "0s")
    assert not (place / "c" / "alps").exists() and (place / "c" / "globe" / left[0] / "manifest.json").exists()
    assert os.listdir(place / "c") == ["globe"]


def test_restretch_follows_what_was_added(rastrum, start, tmp_path):
    """The limits are of the first dataset until restretch; then the percentiles of all, and new tile addresses."""
    import netCDF4
    import numpy as np
    place = tmp_path / "store"
    random = np.random.default_rng(11)
    planes = {"low": random.normal(0, 1, (40, 60)), "high": random.normal(100, 1, (40, 60))}
    for day, (name, plane) in enumerate(planes.items()):
        with netCDF4.Dataset(tmp_path / f"{name}.nc", "w") as out:
            for dim, axis, units in (("lat", np.linspace(-40, 38, 40), "degrees_north"), ("lon", np.linspace(0, 118, 60), "degrees_east")):
                out.createDimension(dim, axis.size)
                out.createVariable(dim, "f8", (dim,)).units = units
                out[dim][:] = axis
            out.createDimension("time", 1)
            out.createVariable("time", "f8", ("time",)).units = "days since 2024-01-01"
            out["time"][:] = day
            out.createVariable("v", "f4", ("time", "lat", "lon"))[:] = plane[None]
        rastrum("ingest", tmp_path / f"{name}.nc", "--collection", "c", "--store", place)
    from conftest import Client
    with Client(start(place)) as http:
        before = http.ok("/tiles/c/tilejson.json").json()
        assert before["rescale"][1] < 10
        done = json.loads(rastrum("catalog", "restretch", "c", "--store", place, "--json").stdout)
        both = np.concatenate([plane.astype("f4").ravel() for plane in planes.values()])
        assert np.allclose(done["stretch"]["v"], np.percentile(both, [2, 98]), atol=0.5)
        deadline = time.monotonic() + 15
        while http.ok("/tiles/c/tilejson.json").json()["rescale"][1] < 10 and time.monotonic() < deadline:
            time.sleep(0.05)
        after = http.ok("/tiles/c/tilejson.json").json()
        assert after["rescale"] == done["stretch"]["v"] and after["tiles"] != before["tiles"]
        rastrum("catalog", "restretch", "c", "v", "-5,5", "--store", place)
        deadline = time.monotonic() + 15
        while http.ok("/tiles/c/tilejson.json").json()["rescale"] != [-5, 5] and time.monotonic() < deadline:
            time.sleep(0.05)
        assert http.ok("/tiles/c/tilejson.json").json()["rescale"] == [-5, 5]
    assert "LOW,HIGH" in rastrum("catalog", "restretch", "c", "v", "5,-5", "--store", place, code=None).stderr
