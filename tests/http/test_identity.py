"""Which dataset and version a file becomes, who may write it, what stays of an old version, and when it goes."""
import json
import os
import pathlib
import re
import signal
import sqlite3
import time

import pytest

import crash
from crash import ABSENT, Site


@pytest.fixture
def site(binary, start, tmp_path):
    place = Site(binary, start(tmp_path / "store"), tmp_path / "store")
    yield place
    place.http.close()


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.nc"
    crash.write_source(path, 1)
    return path


def stopped_while_writing(site, path, *words):
    """An ingest that is halted in the middle of its conversion, with its lease."""
    process = site.begin("ingest", path, "--collection", "c", "--dataset", "data", "--jobs", 1, *words)
    deadline = time.monotonic() + 60
    while len(list(site.root.rglob("*.tif"))) < 5:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGSTOP)
    return process


def finish(process):
    os.kill(process.pid, signal.SIGCONT)
    said = process.communicate(timeout=120)[1]
    assert not crash.TRACE.search(said), said
    return process.returncode, said


def versions(site, dataset="data"):
    return {each["version"]: each["state"] for each in json.loads(site.run("catalog", "show", "c", dataset, "--json").stdout)["versions"]}


# ---- who writes


def test_two_processes_with_one_file(site, data):
    processes = [site.begin("ingest", data, "--collection", "c", "--jobs", 1) for _ in range(3)]
    said = [process.communicate(timeout=60)[1] for process in processes]
    assert [p.returncode for p in processes] == [0, 0, 0], said
    assert sum("published c/data" in text for text in said) == 1, said
    assert sum("unchanged: c/data is published" in text for text in said) == 2, said
    site.check("c", {1})
    site.gc()


def test_a_second_process_says_who_writes(site, data, tmp_path):
    crash.write_source(tmp_path / "big.nc", 2, steps=2000)
    first = stopped_while_writing(site, tmp_path / "big.nc")
    refused = site.ingest(data, "c", "--lease-wait", "0s", code=1).stderr
    assert f"process {first.pid} on " in refused and "c/data" in refused, refused
    shown = site.run("catalog", "gc", "--grace", "0s").stdout
    assert len(list(site.root.rglob("*.tif"))) >= 5, shown  # a live lease holds its objects
    code, said = finish(first)
    assert code == 0, said


def test_the_heart_of_a_lease(site, data, tmp_path):
    """Silent for longer than --lease, it is taken over; who then awakes says so, publishes nothing and removes nothing."""
    crash.write_source(tmp_path / "big.nc", 2, steps=2000)
    first = stopped_while_writing(site, tmp_path / "big.nc", "--lease", "500ms")
    time.sleep(0.6)
    site.ingest(data, "c", "--dataset", "data", "--lease", "500ms", "--lease-wait", "0s")
    site.check("c", {1})
    code, said = finish(first)
    assert code == 1 and re.search("took .*c/data.* over", said), said
    site.check("c", {1})
    assert set(versions(site).values()) == {"current"}  # what it had written was its own to remove
    site.gc()
    site.check("c", {1})


def test_gc_while_a_process_sleeps(site, tmp_path):
    """What gc took away in the meantime must not be published."""
    crash.write_source(tmp_path / "big.nc", 2, steps=2000)
    first = stopped_while_writing(site, tmp_path / "big.nc", "--lease", "500ms")
    time.sleep(0.6)
    removed = site.run("catalog", "gc", "--grace", "0s", "--lease", "500ms", "--json").stdout
    assert len(json.loads(removed)["removed"]) == 1
    code, said = finish(first)
    assert code == 1, said
    assert site.published("c") is None
    site.gc()


def test_who_died_counts_no_more(site, data, tmp_path):
    crash.write_source(tmp_path / "big.nc", 2, steps=2000)
    first = stopped_while_writing(site, tmp_path / "big.nc")
    first.kill()
    first.communicate()
    site.ingest(data, "c", "--dataset", "data", "--lease-wait", "0s")
    site.check("c", {1})
    site.gc()


def test_leases_of_other_machines(site, data):
    site.ingest(data, "c")
    crash.write_source(data, 2)

    def lease(age):
        now = int(time.time() * 1000)
        with sqlite3.connect(site.catalog) as database:
            database.execute("INSERT OR REPLACE INTO leases VALUES ('c', 'data', 'x', '7@elsewhere/12345678.1.5/ab', ?, ?)", (now - age, now - age))

    lease(5000)
    assert "process 7 on elsewhere has been writing this dataset for 5 s" in site.ingest(data, "c", "--lease-wait", "0s", code=1).stderr
    said = json.loads(site.run("catalog", "show", "c", "data", "--json").stdout)["leases"]
    assert [(each["holder"], each["state"]) for each in said] == [("process 7 on elsewhere", "live")]
    lease(61000)
    site.ingest(data, "c", "--lease-wait", "0s")
    site.check("c", {2})


# ---- which dataset


def test_files_of_one_name_never_replace_each_other(site, tmp_path):
    paths = []
    for state, year in ((1, "2020"), (2, "2021")):
        (tmp_path / year).mkdir()
        paths.append(tmp_path / year / "data.nc")
        crash.write_source(paths[-1], state)
    processes = [site.begin("ingest", path, "--collection", "c") for path in paths]
    said = [process.communicate(timeout=60)[1] for process in processes]
    assert sorted(p.returncode for p in processes) == [0, 1], said
    lost = 0 if processes[0].returncode else 1
    assert "2020/data.nc" in said[lost] and "2021/data.nc" in said[lost] and "--dataset" in said[lost]
    site.check("c", {2 - lost})
    for _ in range(2):  # whoever comes, whenever: each stays what it is
        site.ingest(paths[lost], "c", code=1)
    site.check("c", {2 - lost})
    site.run("ingest", *paths, "--collection", "d")
    listed = json.loads(site.run("catalog", "list", "d", "--json").stdout)[0]["datasets"]
    assert [each["dataset"] for each in listed] == ["2020-data", "2021-data"]
    site.gc()


def test_versions(site, data):
    """A changed file, the same with other options, and back: each a version; the same again: none."""
    site.ingest(data, "c")
    first = site.published("c")
    assert "unchanged" in site.ingest(data, "c").stderr
    crash.write_source(data, 2)
    site.ingest(data, "c")
    assert site.tile("c", 0) == site.series("c") == 2  # at once
    second = site.published("c")
    seen = {first, second}
    for options in (("--cog-compress", "deflate"), ("--variables", "v"), ("--variables", "v", "--cog-compress", "deflate"), ("--zarr-format", "2")):
        site.ingest(data, "c", *options)
        seen.add(site.published("c"))
        assert "unchanged" in site.ingest(data, "c", *options).stderr
        site.check("c", {2})
    assert len(seen) == 6
    crash.write_source(data, 1)
    site.ingest(data, "c")
    assert site.tile("c", 0) == site.series("c") == 1 and site.published("c") == first
    assert sorted(versions(site).values()) == ["current"] + ["retired"] * 5
    site.gc()
    site.check("c", {1})


def test_a_failed_return_keeps_what_is_still_read(site, data, tmp_path):
    """A, B, then A again, which fails: A's objects are a retired version's, and stay."""
    site.ingest(data, "c")
    old = site.http.ok("/tiles/c/tilejson.json", datetime=crash.TIMES[0]).json()["tiles"][0].format(z=1, x=0, y=0).replace(".png", ".npy")
    crash.write_source(data, 2)
    site.ingest(data, "c")
    crash.write_source(data, 1)
    if os.environ.get("RASTRUM_SANITIZED") != "1":
        library = crash.build_faultfs(tmp_path)
        site.ingest(data, "c", code=1, env={"LD_PRELOAD": str(library), "FAULTFS_BELOW": f"{site.root}/c", "FAULTFS_FAIL": "28,9"})
    assert crash.state_of_tile(site.http.get(old).content, 0) == 1
    site.check("c", {2})


# ---- old versions


def test_old_addresses_until_gc(site, data):
    site.ingest(data, "c")

    def address(step):
        document = site.http.ok("/tiles/c/tilejson.json", datetime=crash.TIMES[step], tile_format="npy").json()
        return document["tiles"][0].format(z=1, x=0, y=0)

    old, version = [address(0), address(1)], site.published("c")
    crash.write_source(data, 2)
    site.ingest(data, "c")
    new = [address(0), address(1)]
    for urls, state in ((old, 1), (new, 2)):
        for step, url in enumerate(urls):
            answer = site.http.get(url)
            assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
            assert crash.state_of_tile(answer.content, step) == state
            again = site.http.get(url, headers={"If-None-Match": answer.headers["etag"]})
            assert again.status_code == 304
    assert site.http.get(old[0].replace("v=", "v=0")).status_code == 307
    site.objects("c", version)
    site.run("catalog", "gc", "--grace", "1h")
    assert crash.state_of_tile(site.http.get(old[0]).content, 0) == 1
    manifest = json.loads((site.root / "c" / version / "manifest.json").read_text())
    site.gc()
    for url in old:
        answer = site.http.get(url)
        assert answer.status_code == 307 and answer.headers["cache-control"] == "no-store" and "v=" not in answer.headers["location"]
    assert crash.state_of_tile(site.http.get(new[1]).content, 1) == 2
    assert site.http.get(f"/data/c/{version}/{manifest['objects'][0]['key']}").status_code == 404


def test_an_old_latest_stays_what_it_was(site, data, tmp_path):
    """A feed goes on: the address without a time keeps answering what it named."""
    site.ingest(data, "c")
    url = site.http.ok("/tiles/c/tilejson.json", tile_format="npy").json()["tiles"][0].format(z=1, x=0, y=0)
    before = site.http.get(url).content
    monday = tmp_path / "monday.nc"
    crash.write_source(monday, 2, first_day=7)
    site.ingest(monday, "c")
    assert crash.state_of_tile(site.http.ok("/tiles/c/1/0/0.npy").content, 1) == 2
    answer = site.http.get(url)
    assert answer.status_code == 200 and answer.content == before


def test_the_grace(site, data, tmp_path):
    site.ingest(data, "c")
    crash.write_source(data, 2)
    site.ingest(data, "c")
    library = None if os.environ.get("RASTRUM_SANITIZED") == "1" else crash.build_faultfs(tmp_path)
    crash.write_source(data, 3)
    site.ingest(data, "c", code=70, fault=12)
    count = len(versions(site))
    for grace in ("24h", "1h"):
        report = json.loads(site.run("catalog", "gc", "--grace", grace, "--json").stdout)
        assert not report["removed"] and report["kept"] == count - 1
    assert library is None or "retired" in versions(site).values()
    site.gc()
    assert list(versions(site).values()) == ["current"]


def test_what_is_removed_vanishes(site, data, tmp_path):
    other = tmp_path / "other.nc"
    crash.write_source(other, 2, first_day=7)
    site.ingest(data, "c")
    site.ingest(other, "c")
    version = sorted(path.parent for path in site.root.rglob("manifest.json"))[0].relative_to(site.root / "c")
    site.run("catalog", "remove", "c", "other")
    site.check("c", {1})
    site.run("catalog", "remove", "c")
    assert site.tile("c", 0) == site.series("c") == ABSENT
    site.check("c", {ABSENT})
    site.objects("c", str(version))
    site.gc()
    assert not [path for path in site.root.iterdir() if not path.name.startswith("catalog.db")]
    for words, said in ((("c",), "no such collection"), (("c", "data"), "no such dataset")):
        assert said in site.run("catalog", "remove", *words, code=1).stderr


# ---- what the command says


def test_what_people_see(site, data):
    assert "empty" in site.run("catalog", "list").stdout
    site.ingest(data, "c")
    version = site.published("c").split("/")[1]
    lines = site.run("catalog", "list").stdout.splitlines()
    assert lines[0].split() == ["COLLECTION", "DATASET", "VERSION", "FROM", "TO", "CREATED", "SOURCE"]
    assert lines[1].split()[:5] == ["c", "data", version, *crash.TIMES] and lines[1].endswith(str(data))
    for words in (("c",), ("c", "data")):
        shown = site.run("catalog", "show", *words).stdout
        assert version in shown and "current" in shown and "(time, lat, lon)" in shown and " kB" in shown
    document = json.loads(site.run("catalog", "show", "c", "data", "--json").stdout)
    assert document["version"] == version and document["source"] == str(data) and document["items"] == 2
    files = [p for p in (site.root / "c").rglob("*") if p.is_file()]
    assert document["versions"] == [{"dataset": "data", "version": version, "state": "current", "objects": len(files),
                                     "bytes": sum(p.stat().st_size for p in files)}]
    for words, code in ((("show",), 2), (("remove",), 2), (("gc", "c"), 2), (("list", "a", "b"), 2), (("show", "none"), 1), (("show", "c", "none"), 1),
                        (("list", "none"), 1)):
        said = site.run("catalog", *words, code=code).stderr
        assert said.startswith("rastrum: ") and said.count("\n") == 1, said


def test_gc_refuses_a_catalog_of_another_store(site, data, tmp_path, rastrum):
    site.ingest(data, "c")
    files = sorted(site.root.rglob("*"))
    empty = Site(site.binary, site.server, tmp_path / "elsewhere")
    for catalog in (tmp_path / "typo.db", empty.catalog):
        if catalog == empty.catalog:
            empty.ingest(data, "c")
            empty.run("catalog", "remove", "c")
            empty.run("catalog", "gc", "--grace", "0s")
        said = rastrum("catalog", "gc", "--grace", "0s", "--store", site.root, "--catalog", f"sqlite:{catalog}", code=1).stderr
        assert str(catalog) in said and "nothing is removed" in said
    empty.http.close()
    assert [p for p in sorted(site.root.rglob("*")) if "catalog.db" not in p.name] == [p for p in files if "catalog.db" not in p.name]
    assert pathlib.Path(site.root / "c").exists()
