"""Times of every kind: decoded as cftime does it, in items, tiles and series; refused with a sentence where they are none."""
import datetime
import io
import json
import re

import cftime
import netCDF4
import numpy as np
import pytest
import xarray
from conftest import Client

pytestmark = [pytest.mark.filterwarnings("ignore:this date/calendar/year zero"), pytest.mark.release_only]  # a fuzz target has the parser
LAT, LON = np.array([50.0, 40, 30, 20]), np.arange(0, 60.0, 10)
POINT = {"lon": 20, "lat": 30}  # row 2, column 2
CALENDARS = ("STANDARD", "gregorian", "proleptic_gregorian", "noleap", "365_day", "366_day", "360_day", "Julian", None)
# units, and what a step of theirs may be so that float32 still counts minutes and int16 does not end
UNITS = {"days since 1850-01-01": 0.25, "hours since 1-1-1 00:00:0.0": 6, "seconds since 1970-01-01 00:00:00.0 +05:30": 1800,
         "minutes since 1582-10-04 12:00 UTC": 90, "msec since 2000-1-1 6:0": 500, "Days since 0001-01-01T00:00:00Z": 0.5}


def text_of(date):
    """RFC 3339 with the year 0 of ISO 8601, to the millisecond."""
    date += datetime.timedelta(microseconds=500 - (date.microsecond + 500) % 1000)
    year = date.year + (date.year < 0 and not date.has_year_zero)
    text = f"{'-' if year < 0 else ''}{abs(year):04d}-{date.month:02d}-{date.day:02d}T{date.hour:02d}:{date.minute:02d}:{date.second:02d}"
    return text + (f".{date.microsecond // 1000:03d}Z" if date.microsecond // 1000 else "Z")


def times_of(path, name="time", zero=None):
    """What netCDF4-python and cftime make of a variable; None where it is masked or NaN."""
    with netCDF4.Dataset(path) as file:
        var = file[name]
        values = np.ma.atleast_1d(np.ma.masked_invalid(var[...])).ravel()
        calendar = getattr(var, "calendar", "standard").lower()
        return [None if masked else text_of(cftime.num2date(value, var.units, calendar, has_year_zero=zero))
                for value, masked in zip(values.data.tolist(), np.ma.getmaskarray(values))]


def grid(out):
    for name, axis, units in (("lat", LAT, "degrees_north"), ("lon", LON, "degrees_east")):
        out.createDimension(name, axis.size)
        out.createVariable(name, "f8", (name,)).units = units
        out[name][:] = axis


def field(n):
    return (np.arange(n)[:, None, None] * 100.0 + np.arange(4)[None, :, None] * 10 + np.arange(6)).astype("f4")


def write(path, values, units, dtype="f8", fill=None, edges=None, **attributes):
    """v(time, lat, lon) is field(); `values` as they are stored; a number alone is a scalar time. edges: (attribute, values)."""
    values = np.asarray(values)
    with netCDF4.Dataset(path, "w") as out:
        grid(out)
        dims = ("time",) if values.ndim else ()
        if values.ndim:
            out.createDimension("time", values.size)
        time = out.createVariable("time", dtype, dims, fill_value=fill)
        time.set_auto_maskandscale(False)
        time.setncatts({"standard_name": "time", "units": units, **attributes})
        time[...] = values
        if edges:
            time.setncattr(edges[0], "edges")
            out.createDimension("bnds", 2)
            out.createVariable("edges", "f8", (*dims, "bnds"))[:] = edges[1]
        v = out.createVariable("v", "f4", (*dims, "lat", "lon"))
        v[:] = field(values.size) if values.ndim else field(1)[0]
    return path


def inspect(rastrum, path, code=0):
    return json.loads(rastrum("inspect", "--json", path, code=code).stdout)


# ---- decoding: every calendar, unit and type

def stored(kind, step, n=5):
    """(dtype, fill, attributes, numbers as they are stored) of n steps."""
    count = np.arange(n) * 7 + 3
    if kind == "packed":
        return "i2", np.int16(-9), {"scale_factor": step / 2, "add_offset": step * 30}, count * 2
    if kind == "filled":
        return "i4", np.int32(-9), {}, np.where(count == 17, -9, np.ceil(count * step))
    if kind == "nan":
        return "f8", None, {}, np.where(count == 17, np.nan, count * step)
    return kind, None, {}, count * step if kind.startswith("f") else np.ceil(count * step)


KINDS = ("i2", "i4", "i8", "u4", "f4", "f8", "packed", "filled", "nan")


@pytest.mark.parametrize("calendar", CALENDARS)
def test_as_cftime_decodes(tmp_path, rastrum, calendar):
    path = tmp_path / "times.nc"
    axes = [(units, KINDS[(i + j) % len(KINDS)]) for i, units in enumerate(UNITS) for j in (range(3) if calendar else range(len(KINDS)))]
    with netCDF4.Dataset(path, "w") as out:
        grid(out)
        for i, (units, kind) in enumerate(axes):
            dtype, fill, attributes, values = stored(kind, UNITS[units])
            out.createDimension(f"t{i}", len(values))
            t = out.createVariable(f"t{i}", dtype, (f"t{i}",), fill_value=fill)
            t.set_auto_maskandscale(False)
            t.setncatts({"units": units, **attributes, **({"calendar": calendar} if calendar else {})})
            t[:] = values
            out.createVariable(f"v{i}", "i1", (f"t{i}", "lat", "lon"))[:] = 1
    report = inspect(rastrum, path)
    told = {axis["name"]: axis for axis in report["times"]["axes"]}
    missing = {f["where"]: f["message"] for f in report["findings"] if f["code"] == "missing-times"}
    for i, axis in enumerate(axes):
        want = times_of(path, f"t{i}")
        got = told[f"t{i}"]
        assert (got["first"], got["last"], got["count"]) == (want[0], want[-1], len(want)), (axis, got, want)
        assert (missing.get(f"t{i}", "")[:6] == "1 of 5") == (None in want), axis


REFUSED = {
    "parsecs since 2000-01-01": None, "days since yesterday": None, "days since 2001-02-31": None, "hours since 2000-01-01 24:00": None,
    "days since 1582-10-10": "standard", "days since 2000-02-30": "noleap", "days since 2000-01-01": "mayan",
    "hours since 2000-01-01 ": "utc",
}


@pytest.mark.parametrize("units", REFUSED)
def test_refused_by_name(tmp_path, rastrum, units):
    calendar = {"calendar": REFUSED[units]} if REFUSED[units] else {}
    path = write(tmp_path / "bad.nc", [0, 1], units, **calendar)
    report = inspect(rastrum, path, code=1)
    assert report["verdict"] == "refuse"
    told = rastrum("ingest", path, "--store", tmp_path / "store", code=1).stderr.strip()
    assert len(told.splitlines()) == 1 and "'time'" in told and units.strip() in told, told
    assert not list(tmp_path.glob("store/*/*"))


# ---- items, tiles and series

NAN = np.nan
FILES = {
    "year_zero": {"values": [366, 1096.485, 1826.97], "units": "hours since 0000-01-01 00:00:00",
                  "edges": ("climatology", [[0, 730.485], [730.485, 1460.97], [1460.97, 2191.455]])},
    "before_christ": {"values": [2451545, 10], "units": "days since -4713-01-01 12:00", "calendar": "julian"},
    "climatology": {"values": [15.5, 45, 74.5], "units": "days since 1960-01-01",
                    "edges": ("climatology", [[0, 10988], [31, 11016], [59, 11047]])},
    "scalar": {"values": 82932, "units": "seconds since 2017-01-01", "dtype": "i4"},
    "repeated": {"values": [0, 1, 1, 2], "units": "days since 2000-01-01"},
    "unsorted": {"values": [3, 1, 2, 0], "units": "days since 2000-01-01"},
    "missing": {"values": [0, NAN, 2], "units": "days since 2000-01-01"},
    "filled": {"values": [0, -99, 2], "units": "days since 2000-01-01", "dtype": "i4", "fill": np.int32(-99)},
    "bounds": {"values": [15, 45], "units": "days since 2000-01-01", "edges": ("bounds", [[0, 30], [30, 60]])},
    "february": {"values": [57, 59, 60], "units": "days since 2001-01-01", "calendar": "360_day"},
    "leap": {"values": [58, 59, 60], "units": "days since 2001-01-01", "calendar": "all_leap"},
    "undated": {"values": [0, 1, 2], "units": "days since 1-7-15", "calendar": "none"},
}


@pytest.fixture(scope="module")
def store(tmp_path_factory, rastrum):
    folder = tmp_path_factory.mktemp("times")
    for name, kind in FILES.items():
        rastrum("ingest", write(folder / f"{name}.nc", **kind), "--collection", name, "--store", folder / "store")
    return folder


@pytest.fixture(scope="module")
def http(store, start):
    with Client(start(store / "store")) as client:
        yield client


def step_drawn(http, name, **params):
    """The step that a tile shows, or the status that refuses it."""
    answer = http.get(f"/tiles/{name}/0/0/0.npy", params=params)
    if answer.status_code != 200:
        return answer.status_code
    pixels = np.load(io.BytesIO(answer.content))
    steps = {int(v) // 100 for v in pixels[0][pixels[-1] > 0].tolist()}
    assert len(steps) == 1
    return steps.pop()


def series(http, name, **params):
    answer = http.get("/api/timeseries", params={"collection": name, **POINT, **params})
    return list(zip(answer.json()["timestamps"], [int(v) // 100 for v in answer.json()["values"]])) if answer.status_code == 200 else answer.status_code


def items(http, name, **params):
    page = http.ok(f"/stac/collections/{name}/items", **params).json()
    return {f["properties"].get("rastrum:time_index"): f for f in page["features"]}


DATED = [name for name in FILES if name != "undated"]


@pytest.mark.parametrize("name", DATED)
def test_series_items_and_tiles_agree_with_cftime(http, store, name):
    want = times_of(store / f"{name}.nc", zero=True if name == "year_zero" else None)
    assert series(http, name) == list(zip(want, range(len(want))))
    answer = http.ok("/api/timeseries", collection=name, **POINT).json()
    assert answer["calendar"] == FILES[name].get("calendar", "standard")
    with_time = [i for i, time in enumerate(want) if time]
    found = items(http, name)
    assert sorted(found) == with_time
    for step in with_time:
        first = want.index(want[step])  # of steps of one time a tile shows the first
        assert step_drawn(http, name, datetime=want[step]) == first
        assert step_drawn(http, name, item=found[step]["id"]) == step
        assert series(http, name, datetime=want[step]) == [(t, i) for i, t in enumerate(want) if t == want[step]]
    latest = max(with_time, key=lambda i: (want[i], i if name != "repeated" else -i))
    assert step_drawn(http, name) == latest
    assert http.ok(f"/tiles/{name}/times").json()["times"] == sorted({want[i] for i in with_time})


@pytest.mark.parametrize("name", DATED)
def test_items_carry_the_time(http, store, name):
    want = times_of(store / f"{name}.nc", zero=True if name == "year_zero" else None)
    for step, item in items(http, name).items():
        own = item["properties"]
        time, exact = own["datetime"] or own["start_datetime"], "rastrum:datetime" not in own
        assert want[step] == (time if exact else own["rastrum:datetime"])
        if not exact:
            assert own["rastrum:calendar"] == FILES[name]["calendar"]
        if want[step].startswith("-"):  # STAC cannot say it
            assert own["datetime"] is None and own["end_datetime"].startswith("9999")
            continue
        assert own["datetime"] or own["end_datetime"] == time
        found = http.ok("/stac/search", collections=name, datetime=time).json()["features"]
        assert item["id"] in {f["id"] for f in found}


@pytest.mark.parametrize("name, own, iso, step", [
    ("february", "2001-02-30T00:00:00Z", "2001-02-28T00:00:00Z", 1),
    ("leap", "2001-02-29T00:00:00Z", "2001-02-28T00:00:00Z", 0)])
def test_dates_without_an_iso_equal(http, name, own, iso, step):
    """By the true date and, where no step has that date in its own calendar, by the nearest valid one."""
    there = {t: i for t, i in series(http, name)}
    assert step_drawn(http, name, datetime=own) == there[own]
    assert series(http, name, datetime=own) == [(own, there[own])]
    if iso in there:
        assert step_drawn(http, name, datetime=iso) == there[iso] and series(http, name, datetime=iso) == [(iso, there[iso])]
    item = items(http, name)[there[own]]
    assert item["properties"]["datetime"] == iso
    assert (item["properties"]["rastrum:datetime"], item["properties"]["rastrum:calendar"]) == (own, FILES[name]["calendar"])
    assert http.ok("/stac/search", collections=name, datetime=iso).json()["features"]


def test_the_nearest_valid_date_selects(rastrum, store, start):
    """One step a file, on 30 February: what the item says as its datetime finds it, while the 28th goes before it."""
    folder = store / "daily"
    for day in (59, 57):
        path = write(store / f"day{day}.nc", [day], "days since 2001-01-01", calendar="360_day")
        rastrum("ingest", path, "--collection", "daily", "--store", folder)
        with Client(start(folder)) as client:
            day_28, day_30 = "2001-02-28T00:00:00Z", "2001-02-30T00:00:00Z"
            assert step_drawn(client, "daily", datetime=day_28) == 0
            times = [t for t, _ in series(client, "daily", datetime=day_28)]
            assert times == [day_30 if day == 59 else day_28]
            assert step_drawn(client, "daily", datetime="2001-02-27T00:00:00Z") == series(client, "daily", datetime="2001-02-27") == 404


def test_a_calendar_without_dates(http, rastrum, store):
    report = inspect(rastrum, store / "undated.nc")
    assert [f["code"] for f in report["findings"]] == ["undated-time"] and report["times"]["axes"] == []
    (item,) = http.ok("/stac/collections/undated/items").json()["features"]
    assert item["properties"]["datetime"] is None
    for step in range(3):
        assert step_drawn(http, "undated", sel=f"time={step}") == step
        assert series(http, "undated", sel=f"time={step}") == [(None, step)]


@pytest.mark.parametrize("name, code", [("repeated", "repeated-times"), ("unsorted", "unsorted-times"), ("missing", "missing-times")])
def test_inspect_tells_of_orders(rastrum, store, name, code):
    (finding,) = inspect(rastrum, store / f"{name}.nc")["findings"]
    assert (finding["code"], finding["severity"], finding["where"]) == (code, "warning", "time")
    assert re.match(r"[12] of [34] times", finding["message"])


@pytest.mark.parametrize("name", ["year_zero", "climatology", "bounds"])
def test_bounds_stay_with_their_times(http, store, name):
    """The Zarr's bounds are the file's, and a reader of CF finds them by the attribute."""
    (item,) = [f for f in items(http, name).values() if f["properties"]["rastrum:time_index"] == 0]
    assert set(item["assets"]) == {"v", "zarr"}
    zarr = xarray.open_zarr(item["assets"]["zarr"]["href"], decode_times=False)
    source = xarray.open_dataset(store / f"{name}.nc", decode_times=False)
    assert zarr.time.attrs[FILES[name]["edges"][0]] == "edges"
    np.testing.assert_array_equal(zarr["edges"].values, source["edges"].values)
    np.testing.assert_array_equal(zarr["time"].values, source["time"].values)


# ---- reference and lead in two dimensions, in a calendar of their own

def test_times_in_two_dimensions(tmp_path, rastrum, start):
    path = tmp_path / "plane.nc"
    with netCDF4.Dataset(path, "w") as out:
        grid(out)
        out.createDimension("run", 2)
        out.createDimension("lead", 3)
        for name, dims, standard_name, units, values in (
                ("run", ("run",), "forecast_reference_time", "days since 2001-02-28", [0, 2]),
                ("lead", ("lead",), "forecast_period", "days", [0, 1, 2]),
                ("valid", ("run", "lead"), "time", "hours since 2001-02-28", [[0, 24, 48], [48, 72, 96]])):
            made = out.createVariable(name, "f8", dims)
            made.setncatts({"standard_name": standard_name, "units": units} | ({} if name == "lead" else {"calendar": "360_day"}))
            made[:] = values
        v = out.createVariable("v", "f4", ("run", "lead", "lat", "lon"))
        v.coordinates = "valid"
        v[:] = field(6).reshape(2, 3, 4, 6)
    want = times_of(path, "valid")
    rastrum("ingest", path, "--collection", "plane", "--store", tmp_path / "store")
    with Client(start(tmp_path / "store")) as http:
        # where two runs reach the same time the later one counts: 30 February is step 3, not 2
        assert want[2] == want[3] == "2001-02-30T00:00:00Z"
        assert series(http, "plane") == [(want[i], i) for i in (0, 1, 3, 4, 5)]
        assert series(http, "plane", run=want[0]) == [(want[i], i) for i in (0, 1, 2)]
        assert step_drawn(http, "plane", datetime=want[2]) == 3 and step_drawn(http, "plane", datetime=want[2], run=want[0]) == 2
        found = items(http, "plane")
        assert len(found) == 6 and found[2]["properties"]["rastrum:datetime"] == want[2]
        assert found[2]["properties"]["forecast:horizon"] == "PT48H" and found[3]["properties"]["forecast:horizon"] == "PT0H"
        assert step_drawn(http, "plane", item=found[2]["id"]) == 2
