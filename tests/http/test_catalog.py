"""Catalog drivers pass one suite; a catalog that is damaged, newer or not writable is said to be so."""
import os
import pathlib
import sqlite3

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
