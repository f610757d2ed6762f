"""Several datasets in one collection: their order in time, the latest one, and which answers where two overlap."""
import golden
import netCDF4
import numpy as np
import pytest
from conftest import Client

LON, LAT = np.arange(-179.0, 180, 2), np.arange(-89.0, 90, 2)


def make(path, first_hour, values):
    """Steps of six hours from an hour of 2024 on; values: (steps, lat, lon)."""
    with netCDF4.Dataset(path, "w") as out:
        out.Conventions = "CF-1.8"
        for name, axis, units in (("lat", LAT, "degrees_north"), ("lon", LON, "degrees_east")):
            out.createDimension(name, axis.size)
            out.createVariable(name, "f8", (name,)).units = units
            out[name][:] = axis
        out.createDimension("time", None)
        time = out.createVariable("time", "f8", ("time",))
        time.units, time.standard_name = "hours since 2024-01-01", "time"
        time[:] = first_hour + 6 * np.arange(len(values))
        out.createVariable("t", "f4", ("time", "lat", "lon"), fill_value=np.float32(-1)).units = "K"
        out["t"][:] = np.ma.masked_invalid(values)
    return path


def plane(value):
    return np.full((LAT.size, LON.size), float(value))


@pytest.fixture(scope="module")
def http(tmp_path_factory, rastrum, start):
    """`feed`: three files of four steps, ingested out of order. `over`: two of the same time, the later with a hole."""
    folder, place = tmp_path_factory.mktemp("feed"), tmp_path_factory.mktemp("feed-store")
    for day in (2, 0, 1):
        path = make(folder / f"day{day}.nc", 24 * day, np.stack([plane(10 * day + step) for step in range(4)]))
        rastrum("ingest", path, "--collection", "feed", "--store", place)
    hole = plane(200)
    hole[:, :90] = np.nan
    for name, values in (("first", plane(100)), ("second", hole)):
        rastrum("ingest", make(folder / f"{name}.nc", 0, values[None]), "--collection", "over", "--store", place)
    with Client(start(place)) as client:
        yield client


def value(http, collection, lon=45, **params):
    x, y = golden.tile_at(lon, 31, 10)
    bands, mask = golden.npy(http.ok(f"/tiles/{collection}/10/{x}/{y}.npy", **params).content)
    return float(bands[0, 128, 128]) if mask[128, 128] else None


def test_a_series_runs_over_the_datasets_in_time(http):
    answer = http.ok("/api/timeseries", collection="feed", lon=45, lat=31).json()
    assert answer["values"] == [10 * day + step for day in range(3) for step in range(4)]
    assert answer["timestamps"] == [f"2024-01-{day + 1:02}T{6 * step:02}:00:00Z" for day in range(3) for step in range(4)]
    part = http.ok("/api/timeseries", collection="feed", lon=45, lat=31, datetime="2024-01-01T18:00:00Z/2024-01-02").json()
    assert part["values"] == [3, 10]


def test_times_and_the_latest(http):
    assert len(http.ok("/tiles/feed/times").json()["times"]) == 12
    assert value(http, "feed") == 23
    assert value(http, "feed", datetime="2024-01-02T12:00:00Z") == 12
    assert value(http, "feed", datetime="nearest::2024-01-01T22:00:00Z") == 10
    assert value(http, "feed", datetime="ffill::2024-01-01T22:00:00Z") == 3


def test_the_latest_published_comes_first_and_the_other_fills_its_holes(http):
    assert value(http, "over", lon=45) == 200
    assert value(http, "over", lon=-45) == 100
    bands, mask = golden.npy(http.ok("/tiles/over/0/0/0.npy").content)
    assert mask[5:250].all() and set(np.unique(bands[0][mask])) == {100.0, 200.0}


def test_a_series_takes_the_same_dataset_as_the_map(http):
    answer = http.ok("/api/timeseries", collection="over", lon="45,-45", lat="31,31").json()
    assert answer["timestamps"] == ["2024-01-01T00:00:00Z"]
    assert [each["values"] for each in answer["series"]] == [[200], [100]]


def test_an_item_is_of_its_own_dataset(http):
    items = http.ok("/stac/collections/over/items", limit=10).json()["features"]
    assert len(items) == 2
    values = {item["id"].split("_")[0]: value(http, "over", item=item["id"]) for item in items}
    assert values == {"first": 100, "second": 200}


def test_a_new_version_shows_within_the_stated_time(http, rastrum, tmp_path):
    """The same dataset with other values: the old immutable URL leads on, the plain one changes."""
    import time
    place = http.server.process.args[http.server.process.args.index("--store") + 1]
    make(tmp_path / "moving.nc", 0, plane(1)[None])
    rastrum("ingest", tmp_path / "moving.nc", "--collection", "moving", "--store", place)
    deadline = time.monotonic() + 15
    while http.get("/tiles/moving/tilejson.json").status_code != 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    old = http.ok("/tiles/moving/tilejson.json").json()["tiles"][0].format(z=1, x=1, y=0)
    assert http.get(old).status_code == 200
    make(tmp_path / "moving.nc", 0, plane(2)[None])
    rastrum("ingest", tmp_path / "moving.nc", "--collection", "moving", "--store", place)
    deadline = time.monotonic() + 15
    while value(http, "moving") != 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert value(http, "moving") == 2
    answer = http.get(old)
    assert answer.status_code in (200, 307)
    if answer.status_code == 307:
        assert "v=" not in answer.headers["location"]
    else:
        assert "immutable" in answer.headers["cache-control"]
