"""Segments: whatever is compacted, replaced, removed or killed, a series is what the files say, and opens few stores."""
import json
import os
import random
import re
import signal
import subprocess
import threading
import time
import warnings

import feeds
import netCDF4
import numpy as np
import pystac_client
import pytest
import xarray
from conftest import Client
from test_ingest import resident

CELLS = ((0, 0), (5, 11))
QUIET = ("--catalog-staleness", "0s")


@pytest.fixture
def place(tmp_path):
    folder = feeds.Folder(tmp_path)
    yield folder
    folder.remove()


class Feed:
    """One collection: the files that are published, and the commands on it."""

    def __init__(self, rastrum, place, collection="c", zarr=3):
        self.rastrum, self.place, self.collection, self.zarr, self.files = rastrum, place, collection, zarr, {}

    def add(self, files, *words):
        """One ingest of several files, or one of one, whose dataset is its stem either way."""
        files = list(files)
        self.rastrum("ingest", *[f.path for f in files], "--collection", self.collection, "--store", self.place.store,
                     *(("--zarr-format", self.zarr) if self.zarr != 3 else ()), *words)
        self.files.update({f.dataset: f for f in files})
        return files

    def write(self, day, **kind):
        return feeds.write(self.place.files / f"d{day:04}.nc", day, **kind)

    def days(self, days, *words, **kind):
        return self.add([self.write(day, **kind) for day in days], *words)

    def compact(self, code=0, **options):
        done = self.rastrum("compact", self.collection, "--store", self.place.store, "--json", code=code, **options)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def remove(self, file):
        self.rastrum("catalog", "remove", self.collection, file.dataset, "--store", self.place.store)
        del self.files[file.dataset]

    def gc(self):
        done = self.rastrum("catalog", "gc", "--grace", "0s", "--store", self.place.store, "--json")
        return json.loads(done.stdout)

    def series(self, row, column, **query):
        words = [f"{k}={v}" for k, v in query.items()]
        done = self.rastrum("timeseries", "--store", self.place.store, "--", self.collection, feeds.LON[column], feeds.LAT[row], *words)
        return json.loads(done.stdout)

    def check(self, variable="t", level=None, cells=CELLS):
        """Every step of every published file, value for value."""
        having = [f for f in self.files.values() if variable in f.values]
        extra = {} if level is None else {"level": feeds.LEVELS[level]}
        for row, column in cells:
            feeds.same(self.series(row, column, variable=variable, **extra), feeds.expected(having, variable, row, column, level))

    def segments(self):
        folder = self.place.store / self.collection / "segments"
        return sorted(p.name for p in folder.iterdir() if (p / "manifest.json").exists()) if folder.exists() else []

    def unknown(self):
        """Folders of versions in the store that the catalog does not name."""
        listed = json.loads(self.rastrum("catalog", "list", self.collection, "--store", self.place.store, "--json").stdout)
        named = {(d["dataset"], d["version"]) for c in listed for d in c["datasets"]}
        found = {(p.parent.name, p.name) for p in (self.place.store / self.collection).glob("*/*")}
        return {f for f in found - named if f[0] != "segments"}


@pytest.fixture
def feed(rastrum, place, request):
    return Feed(rastrum, place, zarr=getattr(request, "param", 3))


both_formats = pytest.mark.parametrize("feed", (3, 2), indirect=True, ids=("v3", "v2"))


def stores_of(answer):
    return int(re.search(r'stores;desc="(\d+)"', answer.headers["server-timing"])[1])


def ask(client, row, column, **query):
    return client.ok("/api/timeseries", lon=feeds.LON[column], lat=feeds.LAT[row], **query)


def until(true, seconds=30):
    """Waits until a server has looked at the catalog again."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def fastest(client, tries, **query):
    """Seconds of the quickest of several equal requests, over one connection."""
    best = 1e9
    for _ in range(tries):
        began = time.perf_counter()
        ask(client, 2, 7, **query)
        best = min(best, time.perf_counter() - began)
    return best


# ---- a long feed


def check_long_feed(feed, start, days, capsys):
    began = time.monotonic()
    files = feed.days(range(days))
    ingested = time.monotonic() - began
    whole = Feed(feed.rastrum, feed.place, "whole")
    whole.add([feeds.write(feed.place.files / "all.nc", 0, times=np.arange(days))])
    with Client(start(feed.place.store, *QUIET)) as client:
        for row, column in CELLS:
            answer = ask(client, row, column, collection="c", variable="t")
            feeds.same(answer.json(), feeds.expected(files, "t", row, column))
        stores = stores_of(answer)
        for first, last in ((0, 0), (30, 33), (5, days - 5), (days - 1, days - 1)):
            window = f"{files[first].times[0]}/{files[last].times[-1]}"
            answer = ask(client, 3, 3, collection="c", variable="t", datetime=window)
            feeds.same(answer.json(), feeds.expected(files[first : last + 1], "t", 3, 3))
        for _ in range(5):  # the machine may be busy
            many, one = (fastest(client, 20, collection=c, variable="t") for c in ("c", "whole"))
            if many <= 30 * one:
                break
        links = [k for k in client.ok("/stac/collections/c").json()["links"] if k["rel"] == "store"]
    with capsys.disabled():
        print(f"\n{days} files in {ingested:.1f} s, {stores} stores, a series {many * 1e3:.2f} ms, of one store {one * 1e3:.2f} ms")
    assert stores == len(links) <= 65 and many <= 30 * one
    return stores


@pytest.mark.release_only
def test_a_long_feed(feed, start, capsys):
    assert check_long_feed(feed, start, 400, capsys) == 12 + 16


@pytest.mark.long
@pytest.mark.release_only
def test_ten_years(feed, start, capsys):
    assert check_long_feed(feed, start, 3653, capsys) == 3 + 18 + 5


# ---- what feeds do


def test_out_of_order(feed):
    days = list(range(80))
    random.Random(1).shuffle(days)
    feed.days(days)
    feed.check()
    assert len(feed.segments()) == 2
    feed.compact()
    feed.check()


def test_a_gap_and_late_days(feed):
    feed.days([d for d in range(70) if d not in (3, 40, 41)])
    feed.check()
    feed.days([40, 3])  # within segments that are there
    feed.check()
    feed.compact()
    feed.check()


def test_replaced_and_removed_days(feed, start):
    files = feed.days(range(66))
    before = feed.segments()
    with Client(start(feed.place.store, *QUIET)) as client:
        feed.add([feed.write(5, seed=1)])
        feed.remove(files[40])
        until(lambda: len(ask(client, 1, 1, collection="c").json()["values"]) == 65)
        answer = ask(client, 1, 1, collection="c", variable="t")
        feeds.same(answer.json(), feeds.expected(feed.files.values(), "t", 1, 1))
        assert stores_of(answer) == 2 + 2 + 1  # segments, the rest, the replaced day
        feed.check()
        feed.compact()
        until(lambda: stores_of(ask(client, 1, 1, collection="c")) == 2 + 2)
        compacted = ask(client, 1, 1, collection="c", variable="t")
        assert compacted.content == answer.content and compacted.headers["etag"] == answer.headers["etag"]
        gone = {v["version"] for v in feed.gc()["removed"] if v["dataset"] == "segments"}
        assert gone == set(before) and not set(feed.segments()) & gone and not feed.unknown()
        feeds.same(ask(client, 1, 1, collection="c", variable="t").json(), feeds.expected(feed.files.values(), "t", 1, 1))


def test_an_emptied_collection_leaves_nothing(feed):
    for file in feed.days(range(33)):
        feed.remove(file)
    feed.gc()
    assert not list((feed.place.store).glob("c/*/*"))


def test_interleaved_sets_of_variables(feed, rastrum, place):
    plain = Feed(rastrum, place, "plain")
    sets = [feed.write(day, variables=("t",) if day % 2 else ("t", "rain"), mask=0) for day in range(140)]
    feed.add(sets)
    plain.add(sets, "--no-compact")
    assert len(feed.segments()) == 4 and not plain.segments()
    feed.check("t")
    feed.check("rain")
    both = [each.series(2, 7, variable="t,rain") for each in (feed, plain)]
    assert both[0]["timestamps"] == both[1]["timestamps"] and both[0]["series"] == both[1]["series"]


PACKED = ("i2", 0.01, 250.0, -32768)


@both_formats
@pytest.mark.parametrize("later", (("i2", 0.02, 240.0, -32768), feeds.FLOAT, ("f4", 1, 0, 1e20), ("i4", 0.001, 0.0, -1)),
                         ids=("other scale", "float", "other fill", "wider"))
def test_packing_that_changes_midway(feed, later):
    feed.days(range(20), packing=PACKED)
    feed.days(range(20, 70), packing=later)
    assert len(feed.segments()) == 2
    feed.check()
    kinds = {}
    for version in feed.segments():
        zarr = xarray.open_zarr(feed.place.store / "c" / "segments" / version / "data.zarr", chunks=None)
        kinds[int(zarr.time.size), str(zarr.time.values[0])[:10]] = zarr.t.encoding["dtype"]
        first = int((zarr.time.values[0] - np.datetime64("2010-01-01")) / np.timedelta64(1, "D"))
        for k, values in enumerate(zarr.t.values):
            np.testing.assert_allclose(values, feed.files[f"d{first + k:04}"].values["t"][0], rtol=2e-7)
    assert kinds[32, "2010-01-01"] == ("<f8" if later[0] == "i4" else "<f4") and kinds[32, "2010-02-02"] == f"<{later[0]}"


@both_formats
def test_other_sources_of_one_kind(feed):
    """Steps, units of time, chunks of time and a mask that differ; a calendar with its own dates."""
    for day in range(36):
        feed.add([feed.write(day, calendar="noleap", units="own day" if day % 3 else None, steps=1 + day % 4, mask=1 + day // 35)], "--no-compact")
    feed.compact()
    version, = feed.segments()
    zarr = xarray.open_zarr(feed.place.store / "c" / "segments" / version / "data.zarr", chunks=None, decode_times=xarray.coders.CFDatetimeCoder(use_cftime=True))
    steps = [(f.dataset, i) for f in feed.files.values() for i in range(len(f.times))][: zarr.time.size]
    assert [t.strftime("%Y-%m-%dT%H:%M:%SZ") for t in zarr.time.values] == [feed.files[d].times[i] for d, i in steps]
    assert zarr.time.values[0].calendar == "noleap" and "mask" in zarr
    edges = zarr.time_bnds.values
    assert (edges[:, 0] == zarr.time.values).all() and (edges[:, 1] > edges[:, 0]).all()
    for k, (dataset, i) in enumerate(steps):
        np.testing.assert_array_equal(zarr.t.values[k], feed.files[dataset].values["t"][i].astype("f4"))
    feed.check()


@both_formats
def test_levels_scalar_times_and_repeats(feed, rastrum, place):
    feed.days(range(33), levels=True)
    for level in (0, 1):
        feed.check(level=level)
    scalar = Feed(rastrum, place, "scalar", feed.zarr)
    scalar.days(range(40), scalar=True)
    scalar.check()
    assert len(scalar.segments()) == 1
    repeats = Feed(rastrum, place, "repeats", feed.zarr)
    repeats.add([repeats.write(day, times=[day + 0.5, day, day + 0.5]) for day in range(33)])
    repeats.check()


def test_a_mask_in_every_file(feed, rastrum, place):
    feed.days(range(35))
    plain = Feed(rastrum, place, "plain")
    plain.add(feed.files.values(), "--no-compact")
    for query in ({"variable": "mask"}, {"variable": "t,mask"}, {"variable": "mask", "datetime": "2010-01-03/2010-01-09"}):
        a, b = (each.series(2, 7, **query) for each in (feed, plain))
        del a["collection"], b["collection"]
        assert a == b


@both_formats
def test_fill_values_beyond_63_bits(feed):
    """Numbers that JSON readers may not hold: as they were in the segment, too."""
    fill = 2**64 - 1
    for day in range(32):
        path = feed.place.files / f"u{day:02}.nc"
        with netCDF4.Dataset(path, "w") as data:
            for name, cells in (("lat", feeds.LAT), ("lon", feeds.LON)):
                data.createDimension(name, cells.size)
                data.createVariable(name, "f8", (name,))[:] = cells
            data["lat"].units, data["lon"].units = "degrees_north", "degrees_east"
            data.createDimension("time", 1)
            data.createVariable("time", "f8", ("time",))[:] = [day]
            data["time"].units = "days since 2010-01-01"
            count = data.createVariable("n", "u8", ("time", "lat", "lon"), fill_value=fill)
            count.set_auto_maskandscale(False)
            count[:] = 2**63 + day
            count[0, 0, 0] = fill
    names = sorted(feed.place.files.glob("u*.nc"))
    feed.rastrum("ingest", *names, "--collection", "c", "--store", feed.place.store, "--zarr-format", feed.zarr)
    version, = feed.segments()
    zarr = xarray.open_zarr(feed.place.store / "c" / "segments" / version / "data.zarr", chunks=None, mask_and_scale=False)
    assert zarr.n.dtype == "u8" and zarr.n.values[:, 1, 1].tolist() == [2**63 + day for day in range(32)]
    assert (zarr.n.values[:, 0, 0] == fill).all()
    assert zarr.n.attrs["_FillValue"] == fill
    assert feed.series(0, 0)["values"] == [None] * 32


def test_both_formats_in_one_collection(feed, rastrum, place, start):
    """Each format has its own segments; what is asked of the collection does not tell them apart."""
    old = Feed(rastrum, place, zarr=2)
    old.files = feed.files
    feed.days(range(20), "--no-compact")
    old.days(range(20, 70), "--no-compact")
    feed.days(range(70, 85), "--no-compact")
    feed.check()
    feed.compact()
    documents = sorted(p.name for p in (place.store / "c" / "segments").glob("*/data.zarr/*") if p.name in (".zmetadata", "zarr.json"))
    assert documents == [".zmetadata", "zarr.json"]  # 50 and 35 days: one segment of 32 each
    feed.check()
    old.add([old.write(3, seed=1)])  # from v3 to v2
    feed.add([feed.write(30, seed=1)])  # and back
    feed.check()
    with Client(start(place.store, *QUIET)) as client:
        items = client.ok("/stac/collections/c/items", limit=100).json()["features"]
        own = {i["id"].split("_")[0]: i["assets"]["zarr"] for i in items}
        for day in range(85):
            version = 2 if (20 <= day < 70 and day != 30) or day == 3 else 3
            asset = own[f"d{day:04}"]
            assert asset["zarr:zarr_format"] == version and asset["type"] == f"application/vnd.zarr; version={version}", day
            assert (place.store / asset["href"].split("/data/")[1] / ("zarr.json" if version == 3 else ".zmetadata")).exists()
        collection = client.ok("/stac/collections/c").json()
        assert collection["item_assets"]["zarr"]["type"] == "application/vnd.zarr"
    feed.compact()
    feed.check()


def test_files_that_share_their_last_step(feed, start):
    """From midnight to midnight: the later file wins where two have a time, and fills what it lacks from the other."""
    files = feed.add([feed.write(day, times=[day, day + 0.5, day + 1]) for day in range(40)])
    want = {}
    for file in files:
        for time_, values in zip(file.times, file.values["t"]):
            want[time_] = np.where(np.isnan(values), want.get(time_, np.nan), values)
    with Client(start(feed.place.store, *QUIET)) as client:
        for row, column in CELLS:
            answer = ask(client, row, column, collection="c", variable="t")
            feeds.same(answer.json(), [(time_, want[time_][row, column]) for time_ in sorted(want)])
            assert stores_of(answer) < 20
            answer = ask(client, row, column, collection="c", variable="t", datetime="2010-01-03/2010-01-09T12:00:00Z")
            feeds.same(answer.json(), [(t, want[t][row, column]) for t in sorted(want) if "2010-01-03" <= t <= "2010-01-09T12:00:00Z"])


# ---- kills, and others at work



def test_killed_at_every_write(feed, capsys, request):
    """Ends before the n-th write, rename or commit, for each n; after each the answers are right and a second run ends it."""
    feed.days(range(34), "--no-compact")
    whole = "not long" not in request.config.getoption("-m")
    n, step = 1, 1 if whole else 7
    while feed.rastrum("compact", "c", "--store", feed.place.store, code=None, env={**os.environ, "RASTRUM_FAULT": str(n)}).returncode == 70:
        feed.check(cells=CELLS[:1])
        n += step
    with capsys.disabled():
        print(f"\ncompaction: {n - 1} fault points, every {step}. walked")
    assert n > 20
    feed.check()
    feed.compact()
    feed.gc()
    assert len(feed.segments()) == 1 and not feed.unknown()
    assert len(list((feed.place.store / "c" / "segments").iterdir())) == 1
    feed.check()


@pytest.mark.release_only
@pytest.mark.parametrize("kills", (6, pytest.param(50, marks=pytest.mark.long)))
def test_killed_at_random(feed, binary, kills):
    feed.days(range(34), "--no-compact", steps=24)
    for kill in range(kills):
        with subprocess.Popen([str(binary), "compact", "c", "--store", str(feed.place.store)], stderr=subprocess.DEVNULL) as process:
            time.sleep(random.Random(kill).uniform(0.01, 0.2))
            process.send_signal(signal.SIGKILL)
        feed.check(cells=CELLS[:1])
    feed.compact()
    feed.gc()
    assert len(list((feed.place.store / "c" / "segments").iterdir())) == 1
    feed.check()


def test_two_compact_at_once(feed, binary):
    feed.days(range(99), "--no-compact")
    words = [str(binary), "compact", "c", "--store", str(feed.place.store)]
    running = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(3)]  # pylint: disable=consider-using-with
    said = [process.communicate(timeout=120)[1] for process in running]
    assert {process.returncode for process in running} <= {0, 1} and any(p.returncode == 0 for p in running), said
    assert all("c/segments" in text for p, text in zip(running, said) if p.returncode == 1), said
    feed.compact()
    assert len(feed.segments()) == 3
    feed.check()


@pytest.mark.release_only
def test_compaction_while_serving(feed, start):
    """Nobody sees the switch: all answers are equal, byte for byte, and so is their tag."""
    feed.days(range(130), "--no-compact", steps=4)
    seen, failed, done = set(), [], threading.Event()
    server = start(feed.place.store, *QUIET)

    def watch():
        with Client(server) as client:
            while not done.is_set():
                try:
                    answer = ask(client, 2, 7, collection="c", variable="t")
                    seen.add((answer.headers["etag"], answer.content))
                except AssertionError as error:
                    failed.append(error)

    watchers = [threading.Thread(target=watch) for _ in range(3)]
    for each in watchers:
        each.start()
    try:
        feed.compact()
        feed.gc()
        with Client(server) as client:
            until(lambda: stores_of(ask(client, 2, 7, collection="c", variable="t")) == 4 + 2)
    finally:
        done.set()
        for each in watchers:
            each.join()
    assert not failed and len(seen) == 1
    feeds.same(json.loads(next(iter(seen))[1]), feeds.expected(feed.files.values(), "t", 2, 7))


# ---- what clients open


def open_stores(hrefs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return xarray.open_mfdataset(hrefs, engine="zarr", combine="nested", concat_dim="time", data_vars="minimal",
                                     coords="minimal", compat="override", parallel=False).sortby("time")


@both_formats
def test_xarray_opens_the_collection(feed, start):
    files = feed.days(range(70))
    feed.add([feed.write(9, seed=1)])
    feed.remove(files[50])
    url = start(feed.place.store, *QUIET).url

    def stores():
        links = pystac_client.Client.open(url + "/stac").get_collection("c").links
        return [k for k in links if k.rel == "store" and "t" in k.extra_fields["variables"]]

    for stale in (True, False):
        links = stores()
        assert all(k.media_type == f"application/vnd.zarr; version={feed.zarr}" for k in links)
        data = open_stores([k.href for k in links])
        days = sorted(feed.files.values(), key=lambda f: f.times)
        assert [str(t)[:19] + "Z" for t in data.time.values] == [f.times[0] for f in days]
        np.testing.assert_array_equal(data.t.values, np.stack([f.values["t"][0] for f in days]).astype("f4"))
        if stale:
            assert len(links) > 60
            feed.compact()
            until(lambda: len(stores()) < 10)


def test_items_link_the_store_that_holds_them(feed, start):
    files = feed.days(range(40))
    feed.add([feed.write(7, seed=1)])
    with Client(start(feed.place.store, *QUIET)) as client:
        items = client.ok("/stac/collections/c/items", limit=100).json()["features"]
        hrefs = {item["id"].split("_")[0]: item["assets"]["zarr"]["href"] for item in items}
        segment, = feed.segments()
        for file in files:
            in_segment = file.dataset != "d0007" and file.dataset < "d0032"
            assert (f"/data/c/segments/{segment}/data.zarr" in hrefs[file.dataset]) == in_segment, file.dataset
        for name in ("d0003", "d0007", "d0039"):
            item = client.ok(f"/stac/collections/c/items/{name}_{feed.files[name].times[0].replace('-', '').replace(':', '')}").json()
            assert item["assets"]["zarr"]["href"] == hrefs[name]
            data = xarray.open_zarr(hrefs[name], chunks=None).sel(time=item["properties"]["datetime"][:19])
            np.testing.assert_array_equal(np.squeeze(data.t.values), feed.files[name].values["t"][0].astype("f4"))


def test_the_commands(feed, rastrum):
    feed.days(range(31))
    assert not feed.segments() and feed.compact()[-1]["segments"] == 0
    feed.days([31], "--no-compact")
    assert not feed.segments()
    events = feed.compact()
    made = next(e for e in events if e["event"] == "compacted")
    assert made["datasets"] == 32 and made["tier"] == 1 and events[-1]["stores"] == 1
    manifest = json.loads((feed.place.store / "c" / "segments" / made["version"] / "manifest.json").read_text())
    assert [m["dataset"] for m in manifest["members"]] == [f"d{d:04}" for d in range(32)]
    assert manifest["members"][5]["steps"] == [[5, 1]]
    objects = {o["key"]: o["size"] for o in manifest["objects"]}
    root = feed.place.store / "c" / "segments" / made["version"]
    assert objects == {str(p.relative_to(root)): p.stat().st_size for p in root.rglob("*") if p.is_file() and p.name != "manifest.json"}
    assert "nosuch" in rastrum("compact", "nosuch", "--store", feed.place.store, code=1).stderr


@pytest.mark.long
@pytest.mark.release_only
def test_memory_is_bounded(feed, binary, monkeypatch):
    """132 MB of steps are joined within 128 MB."""
    monkeypatch.setattr(feeds, "LAT", np.linspace(-89.875, 89.875, 720))
    monkeypatch.setattr(feeds, "LON", np.arange(0, 360, 0.25))
    feed.days(range(32), "--no-compact", mask=0)
    words = [str(binary), "compact", "c", "--store", str(feed.place.store), "--memory", "128M"]
    peak = 0
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, resident(process.pid, binary))
            time.sleep(0.002)
    assert process.returncode == 0 and 20 << 10 < peak <= 128 << 10, f"{peak >> 10} MiB"
    feed.check(cells=((0, 0), (719, 1439)))
