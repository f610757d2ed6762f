"""/readyz follows the catalog and the store, in each worker, within the staleness time; it names nothing."""
import contextlib
import os
import shutil
import sqlite3

import httpx
import pytest
from conftest import Client
from wire import wait_for

STALENESS = "400ms"


def copied(store, place):
    """A copy of the store, to be broken."""
    shutil.copytree(store, place)
    with contextlib.closing(sqlite3.connect(place / "catalog.db")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return place


@pytest.fixture(scope="module")
def place(tmp_path_factory, store):
    return copied(store, tmp_path_factory.mktemp("ready") / "store")


@pytest.fixture(scope="module")
def server(start, place):
    return start(place, "--workers", "2", "--catalog-staleness", STALENESS)


def says(server, status):
    """Whether both workers say it: each connection may reach either."""
    answers = [httpx.get(server.url + "/readyz") for _ in range(12)]
    for answer in answers:
        assert answer.status_code in (200, 503) and answer.headers["cache-control"] == "no-store"
        if answer.status_code == 503:
            assert answer.headers["retry-after"] and "catalog" not in answer.text and "/" not in answer.json()["detail"]
    return all(answer.status_code == status for answer in answers)


@contextlib.contextmanager
def gone(path):
    """The file or folder is not there."""
    os.rename(path, f"{path}.away")
    try:
        yield
    finally:
        os.rename(f"{path}.away", path)


@contextlib.contextmanager
def replaced(place):
    """Another folder is in the store's place."""
    with gone(place):
        place.mkdir()
        try:
            yield
        finally:
            shutil.rmtree(place)


@contextlib.contextmanager
def damaged(path):
    whole = path.read_bytes()
    with open(path, "r+b") as file:
        file.write(os.urandom(len(whole)))
    try:
        yield
    finally:
        with open(path, "r+b") as file:
            file.write(whole)


@contextlib.contextmanager
def locked(path):
    """Another process has it for itself alone."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        yield
        db.execute("ROLLBACK")


CASES = {
    "the store is gone": lambda place: gone(place),
    "another folder is in its place": replaced,
    "the catalog is gone": lambda place: gone(place / "catalog.db"),
    "the catalog is damaged": lambda place: damaged(place / "catalog.db"),
}


@pytest.mark.parametrize("case", CASES)
def test_readyz_follows(server, place, case):
    wait_for(lambda: says(server, 200))
    with CASES[case](place):
        wait_for(lambda: says(server, 503), what=case)
        assert httpx.get(server.url + "/healthz").status_code == 200
        assert "not ready" in server.log()
    wait_for(lambda: says(server, 200), what="it is mended")
    with Client(server) as http:
        http.ok("/tiles/globe/0/0/0.png")


def test_a_catalog_that_another_process_holds(start, store, tmp_path):
    """Nobody else may have it open for that, so the server comes second."""
    place = copied(store, tmp_path / "store")
    with locked(place / "catalog.db"):
        server = start(place, "--catalog-staleness", STALENESS)
        assert not says(server, 200)
    wait_for(lambda: says(server, 200))


def test_a_catalog_that_is_not_made_yet_is_fine(start, tmp_path):
    assert says(start(tmp_path / "store", "--catalog-staleness", STALENESS), 200)
