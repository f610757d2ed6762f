"""Forecasts: each form in which files give a reference time and a lead, and which run answers where several overlap."""
import datetime

import golden
import netCDF4
import numpy as np
import pytest
from conftest import Client

LON, LAT = np.arange(0.0, 60, 5), np.arange(60.0, 0, -5)
REFS, LEADS, STEP = (0, 6, 12), (0, 6, 12, 18), 6
POINT = {"lon": 20, "lat": 30}


def stamp(hours):
    return (datetime.datetime(2024, 3, 1) + datetime.timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def told(run, valid):
    """What the run that began at hour `run` says of hour `valid`, everywhere."""
    return 1000.0 + 100 * run + valid


def create(path):
    out = netCDF4.Dataset(path, "w")
    out.Conventions = "CF-1.8"
    for name, axis, units in (("lat", LAT, "degrees_north"), ("lon", LON, "degrees_east")):
        out.createDimension(name, axis.size)
        out.createVariable(name, "f8", (name,)).units = units
        out[name][:] = axis
    return out


def hours(out, name, values, dims=(), standard_name="time", **more):
    for dim, size in zip(dims, np.shape(values)):
        if dim not in out.dimensions:
            out.createDimension(dim, size)
    made = out.createVariable(name, "f8", dims)
    lead = standard_name == "forecast_period"
    made.setncatts({"standard_name": standard_name, "units": "hours" if lead else "hours since 2024-03-01", **more})
    made[:] = values


def field(out, dims, values, coordinates=None):
    made = out.createVariable("t", "f4", (*dims, "lat", "lon"), fill_value=np.float32(-1))
    made.units = "K"
    if coordinates:
        made.coordinates = coordinates
    made[:] = np.broadcast_to(np.asarray(values, "f4")[..., None, None], (*np.shape(values), LAT.size, LON.size))


def one_run(path, run):
    """The valid times as a dimension, the reference time a scalar."""
    with create(path) as out:
        valid = [run + lead for lead in LEADS]
        hours(out, "time", valid, ("time",))
        hours(out, "forecast_reference_time", run, standard_name="forecast_reference_time")
        field(out, ("time",), [told(run, at) for at in valid], "forecast_reference_time")


def lead_dimension(path, run):
    """The leads as a dimension, the reference time a scalar, no valid time at all."""
    with create(path) as out:
        hours(out, "reference", run, standard_name="forecast_reference_time")
        hours(out, "lead", LEADS, ("lead",), "forecast_period")
        field(out, ("lead",), [told(run, run + lead) for lead in LEADS], "reference")


def cfgrib_one(path, run):
    """As cfgrib writes it: "time" is the reference, known by its long name; valid_time along the steps."""
    with create(path) as out:
        hours(out, "time", run, long_name="initial time of forecast")
        hours(out, "step", LEADS, ("step",), "forecast_period")
        hours(out, "valid_time", [run + lead for lead in LEADS], ("step",))
        field(out, ("step",), [told(run, run + lead) for lead in LEADS], "time step valid_time")


def runs_and_leads(path):
    with create(path) as out:
        hours(out, "reference", REFS, ("reference",), "forecast_reference_time")
        hours(out, "lead", LEADS, ("lead",), "forecast_period")
        field(out, ("reference", "lead"), [[told(r, r + lead) for lead in LEADS] for r in REFS])


def leads_and_runs(path):
    """The other order, with the valid time in two dimensions."""
    with create(path) as out:
        hours(out, "reference", REFS, ("reference",), "forecast_reference_time")
        hours(out, "lead", LEADS, ("lead",), "forecast_period")
        hours(out, "valid", [[r + lead for r in REFS] for lead in LEADS], ("lead", "reference"))
        field(out, ("lead", "reference"), [[told(r, r + lead) for r in REFS] for lead in LEADS], "valid")


def two_times(path):
    """A reference and a valid time axis; what a run does not reach is missing."""
    with create(path) as out:
        valid = sorted({r + lead for r in REFS for lead in LEADS})
        hours(out, "reftime", REFS, ("reftime",), "forecast_reference_time")
        hours(out, "time", valid, ("time",))
        values = [[told(r, at) if 0 <= at - r <= LEADS[-1] else -1 for at in valid] for r in REFS]
        field(out, ("reftime", "time"), values)


def along_time(path):
    """Each valid time from a run of its own: a best-of series with its reference times beside it."""
    with create(path) as out:
        valid = [0, 6, 12, 18, 24, 30]
        runs = [0, 6, 12, 12, 12, 12]
        hours(out, "time", valid, ("time",))
        hours(out, "reftime", runs, ("time",), "forecast_reference_time")
        field(out, ("time",), [told(r, at) for r, at in zip(runs, valid)], "reftime")


SINGLE = {"one_run": one_run, "lead_dimension": lead_dimension, "cfgrib": cfgrib_one}
WHOLE = {"runs_and_leads": runs_and_leads, "leads_and_runs": leads_and_runs, "two_times": two_times}
BEST = {at: max(r for r in REFS if 0 <= at - r <= LEADS[-1]) for r0 in REFS for at in [r0 + lead for lead in LEADS]}


@pytest.fixture(scope="module")
def http(tmp_path_factory, rastrum, start):
    folder, place = tmp_path_factory.mktemp("forecasts"), tmp_path_factory.mktemp("forecast-store")
    for name, make in SINGLE.items():
        for run in (6, 0, 12):  # the order of publication must not matter
            path = folder / f"{name}_{run:02}.nc"
            make(path, run)
            rastrum("ingest", path, "--collection", name, "--store", place)
    for name, make in {**WHOLE, "along_time": along_time}.items():
        make(folder / f"{name}.nc")
        rastrum("ingest", folder / f"{name}.nc", "--collection", name, "--store", place)
    with Client(start(place)) as client:
        yield client


def value(http, collection, lon=20, lat=30, **params):
    x, y = golden.tile_at(lon, lat, 10)
    bands, mask = golden.npy(http.ok(f"/tiles/{collection}/10/{x}/{y}.npy", **params).content)
    return float(bands[0, 128, 128]) if mask[128, 128] else None


@pytest.mark.parametrize("collection", [*SINGLE, *WHOLE])
def test_the_latest_run_answers_and_a_named_one_alone(http, collection):
    for at, run in BEST.items():
        assert value(http, collection, datetime=stamp(at)) == told(run, at)
    for run in REFS:
        for lead in LEADS:
            assert value(http, collection, datetime=stamp(run + lead), run=stamp(run)) == told(run, run + lead)
    last = REFS[-1]
    assert value(http, collection, datetime=stamp(last + 6), run="latest") == told(last, last + 6)


@pytest.mark.parametrize("collection", [*SINGLE, *WHOLE])
def test_the_list_of_times_has_the_runs_and_the_versions_of_tiles(http, collection):
    whole = http.ok(f"/tiles/{collection}/times").json()
    assert whole["times"] == [stamp(at) for at in sorted(BEST)]
    assert whole["runs"] == [stamp(run) for run in REFS]
    for params in ({}, {"run": stamp(6)}, {"run": "latest"}):
        listed = http.ok(f"/tiles/{collection}/times", **params).json()
        for at, version in list(zip(listed["times"], listed["versions"]))[:3]:
            answer = http.ok(f"/tiles/{collection}/0/0/0.png", datetime=at, v=version, **params)
            assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("collection", [*SINGLE, "runs_and_leads", "leads_and_runs"])
def test_an_item_a_valid_time_and_run(http, collection):
    found = http.ok(f"/stac/collections/{collection}/items", limit=100).json()["features"]
    keys = [(item["properties"]["datetime"], item["properties"]["forecast:reference_datetime"]) for item in found]
    assert set(keys) == {(stamp(r + lead), stamp(r)) for r in REFS for lead in LEADS}
    assert keys == sorted(keys, reverse=True), "newest first, and of one time the latest run first"
    for item in found:
        run = item["properties"]["forecast:reference_datetime"]
        at = item["properties"]["datetime"]
        lead = int((np.datetime64(at[:-1]) - np.datetime64(run[:-1])) / np.timedelta64(1, "h"))
        assert item["properties"]["forecast:horizon"] == f"PT{lead}H"
        r = int((np.datetime64(run[:-1]) - np.datetime64("2024-03-01")) / np.timedelta64(1, "h"))
        point = http.ok(f"/collections/{collection}/items/{item['id']}/point/20,30").json()
        assert point["values"] == [told(r, r + lead)]


def test_items_of_one_run(http):
    for params in ({"run": stamp(12)}, {"run": "latest"}):
        found = http.ok("/stac/search", collections="runs_and_leads", limit=3, **params).json()
        assert found["numberMatched"] == len(LEADS)
        seen = {item["properties"]["forecast:reference_datetime"] for item in found["features"]}
        assert seen == {stamp(12)}
    posted = http.post("/stac/search", json={"collections": ["one_run", "cfgrib"], "run": stamp(6)}).json()
    assert posted["numberMatched"] == 2 * len(LEADS)


def test_pages_of_overlapping_runs_hold_each_item_once(http):
    url, seen = "/stac/collections/two_times/items?limit=5", []
    while url:
        page = http.get(url).json()
        seen += [item["id"] for item in page["features"]]
        url = next((link["href"].split(http.server.url)[1] for link in page["links"] if link["rel"] == "next"), None)
    assert len(seen) == len(set(seen)) == http.ok("/stac/collections/two_times/items").json()["numberMatched"]


@pytest.mark.parametrize("collection", [*SINGLE, *WHOLE])
def test_a_series_takes_the_same_run_as_the_map(http, collection):
    answer = http.ok("/api/timeseries", collection=collection, **POINT).json()
    assert answer["timestamps"] == [stamp(at) for at in sorted(BEST)]
    assert answer["values"] == [told(BEST[at], at) for at in sorted(BEST)]


@pytest.mark.parametrize("collection", [*SINGLE, "runs_and_leads", "leads_and_runs"])
def test_a_series_of_one_run(http, collection):
    for run, word in ((0, stamp(0)), (6, stamp(6)), (12, "latest")):
        answer = http.ok("/api/timeseries", collection=collection, run=word, **POINT).json()
        assert answer["timestamps"] == [stamp(run + lead) for lead in LEADS]
        assert answer["values"] == [told(run, run + lead) for lead in LEADS]
    part = http.ok("/api/timeseries", collection=collection, run=stamp(6), datetime=f"{stamp(12)}/{stamp(18)}", **POINT).json()
    assert part["values"] == [told(6, 12), told(6, 18)]


def test_runs_along_the_valid_times(http):
    answer = http.ok("/api/timeseries", collection="along_time", **POINT).json()
    assert answer["values"] == [told(r, at) for r, at in zip([0, 6, 12, 12, 12, 12], range(0, 36, 6))]
    only = http.ok("/api/timeseries", collection="along_time", run=stamp(12), **POINT).json()
    assert only["timestamps"] == [stamp(at) for at in (12, 18, 24, 30)]


def test_what_is_no_run_is_said(http):
    unknown = http.problem(404, "/tiles/one_run/0/0/0.png", run="2023-01-01T00:00:00Z")
    assert stamp(12) in unknown["detail"] and "2023-01-01" in unknown["detail"]
    assert "reference time or latest" in http.problem(400, "/tiles/one_run/0/0/0.png", run="yesterday")["detail"]
    assert http.problem(404, "/api/timeseries", collection="one_run", run="2023-01-01T00:00:00Z", **POINT)["where"] == "run"
    assert "run" in http.problem(400, "/stac/search", run="yesterday")["detail"]
    assert "one collection" in http.problem(400, "/stac/search", run="latest")["detail"]


def test_a_hole_of_the_latest_run_is_filled_by_the_one_before(http, rastrum, tmp_path):
    place = http.server.process.args[http.server.process.args.index("--store") + 1]
    for run in (0, 6):
        path = tmp_path / f"holed_{run:02}.nc"
        one_run(path, run)
        if run == 6:
            with netCDF4.Dataset(path, "a") as out:
                out["t"][:, :, LON > 30] = -1
        rastrum("ingest", path, "--collection", "holed", "--store", place)
    with Client(http.server) as client:
        import time
        deadline = time.monotonic() + 15
        while client.get("/tiles/holed/times").status_code != 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert value(client, "holed", lon=20, datetime=stamp(12)) == told(6, 12)
        assert value(client, "holed", lon=45, datetime=stamp(12)) == told(0, 12)
        answer = client.ok("/api/timeseries", collection="holed", lon="20,45", lat="30,30").json()
        assert answer["timestamps"] == [stamp(at) for at in (0, 6, 12, 18, 24)]
        assert [each["values"] for each in answer["series"]] == [
            [told(0, 0), *(told(6, at) for at in (6, 12, 18, 24))],
            [*(told(0, at) for at in (0, 6, 12, 18)), None]]


def test_where_no_data_are_forecasts_run_is_refused(http, rastrum, tmp_path):
    place = http.server.process.args[http.server.process.args.index("--store") + 1]
    with create(tmp_path / "plain.nc") as out:
        hours(out, "time", [0, 6], ("time",))
        field(out, ("time",), [1, 2])
    rastrum("ingest", tmp_path / "plain.nc", "--collection", "plain", "--store", place)
    import time
    deadline = time.monotonic() + 15
    while http.get("/tiles/plain/times").status_code != 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "no forecast" in http.problem(400, "/tiles/plain/0/0/0.png", run="latest")["detail"]


SEARCH = """
return { name = "both", api = 1, searches = { both = { collections = { "one_run", "hires" } } } }
"""


def test_the_priority_of_a_collection_comes_before_its_run(rastrum, start, tmp_path):
    """A named search over two collections: the one of higher priority answers, though its run is older."""
    place, plugins = tmp_path / "store", tmp_path / "plugins"
    for name, run, add in (("one_run", 12, 0), ("hires", 0, 7)):
        one_run(tmp_path / f"{name}.nc", run)
        with netCDF4.Dataset(tmp_path / f"{name}.nc", "a") as out:
            out["t"][:] = out["t"][:] + add
        rastrum("ingest", tmp_path / f"{name}.nc", "--collection", name, "--store", place)
    (plugins / "both").mkdir(parents=True)
    (plugins / "both" / "init.lua").write_text(SEARCH)
    with Client(start(place, "--plugins", plugins)) as http:
        at = stamp(12)
        series = {"collection": "both", "datetime": at, **POINT}
        assert value(http, "both", datetime=at) == told(12, 12)
        assert http.ok("/api/timeseries", **series).json()["values"] == [told(12, 12)]
        rastrum("catalog", "priority", "hires", "5", "--store", place)
        import time
        deadline = time.monotonic() + 15
        while value(http, "both", datetime=at) != told(0, 12) + 7 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert value(http, "both", datetime=at) == told(0, 12) + 7
        assert http.ok("/api/timeseries", **series).json()["values"] == [told(0, 12) + 7]
    bad = rastrum("catalog", "priority", "hires", "high", "--store", place, code=None)
    assert bad.returncode != 0 and "NUMBER" in bad.stderr
    missing = rastrum("catalog", "priority", "nowhere", "1", "--store", place, code=1)
    assert "no such collection" in missing.stderr
