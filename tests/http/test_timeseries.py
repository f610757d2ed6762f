"""Series and points equal the source files, cell for cell; how they are chosen, said, limited and refused."""
import csv
import io
import json
import math

import jsonschema
import numpy as np
import pyproj
import pytest
import referencing
from covjson_pydantic.coverage import Coverage, CoverageCollection
from referencing.jsonschema import DRAFT7

PLACES = (0.13, 0.5, 0.87)  # of rows and columns


def series(http, collection, lon, lat, **params):
    return http.ok("/api/timeseries", collection=collection, lon=lon, lat=lat, **params).json()


def along(source, variable, row, column, level=0):
    """The source's series at a cell, of one level, as float64 with NaN."""
    values = source.values[variable]
    if source.levels and values.ndim == (4 if source.times else 3):
        values = values[:, level] if source.times else values[level]
    return np.atleast_1d(values[..., row, column])


def same(got, want, relative=1e-6):
    """Equal numbers; None exactly where NaN is."""
    assert len(got) == len(want)
    for value, expected in zip(got, want):
        if math.isnan(expected):
            assert value is None
        else:
            assert value == pytest.approx(expected, rel=relative, abs=1e-12)


def cells(source):
    return [(int(len(source.y) * r), int(len(source.x) * c)) for r in PLACES for c in PLACES]


NAMES = ("globe", "packed", "alps", "europe", "zone", "model", "fine")


@pytest.mark.parametrize("name", NAMES)
def test_nearest_is_the_source(http, sources, name):
    source = sources[name]
    for variable in source.values:
        for row, column in cells(source):
            lon, lat = source.lonlat(row, column)
            answer = series(http, name, lon, lat, variable=variable)
            same(answer["values"], along(source, variable, row, column))
            assert answer["timestamps"] == (source.times or [None])
            assert (answer["collection"], answer["variable"]) == (name, variable)
            assert answer["units"] == source.units[variable]
            assert answer["lon"] == pytest.approx(lon) and answer["lat"] == pytest.approx(lat)


@pytest.mark.parametrize("name", ("globe", "model", "packed"))
def test_the_calendar_is_said(http, sources, name):
    answer = series(http, name, 10, 10)
    alike = {"proleptic_gregorian": {"proleptic_gregorian", "standard", "gregorian"}, "360_day": {"360_day"},
             "noleap": {"noleap", "365_day"}}
    assert answer["calendar"] in alike[sources[name].calendar]


def test_the_cell_is_said(http, sources):
    source = sources["globe"]
    lon, lat = source.lonlat(60, 40)
    answer = series(http, "globe", lon + 0.6, lat - 0.7, variable="sst")
    same(answer["values"], along(source, "sst", 60, 40))
    assert answer["cell"]["lon"] == pytest.approx(lon) and answer["cell"]["lat"] == pytest.approx(lat)
    _, _, distance = pyproj.Geod(ellps="WGS84").inv(lon, lat, lon + 0.6, lat - 0.7)
    assert answer["cell"]["distance_m"] == pytest.approx(distance, rel=0.01)


@pytest.mark.parametrize("lon", (-0.9, 0.9, 179.0, -179.5, 359.5, 180.0, -180.0, 361.0))
def test_longitudes_go_round(http, sources, lon):
    source = sources["globe"]
    column = int(round((lon % 360) / 2)) % 180
    beside = {column, int(math.floor((lon % 360) / 2)) % 180, int(math.ceil((lon % 360) / 2)) % 180}
    answer = series(http, "globe", lon, 41.3, variable="wind")
    row = int(np.argmin(np.abs(source.y - 41.3)))
    tie = (lon % 360) % 2 == 1
    wanted = [along(source, "wind", row, c) for c in (beside if tie else {column})]
    assert any(np.allclose(answer["values"], want, rtol=1e-6) for want in wanted)


def bilinear(source, variable, lon, lat):
    """The four centres around the place, weighted in the grid's own coordinates."""
    x, y = lon, lat
    if not source.geographic:
        x, y = pyproj.Transformer.from_crs("EPSG:4326", source.crs, always_xy=True).transform(lon, lat)
    xs, ys = np.asarray(source.x, float), np.asarray(source.y, float)
    if source.geographic:
        x = xs[0] + (x - xs[0]) % 360
    column, row = (x - xs[0]) / (xs[1] - xs[0]), (y - ys[0]) / (ys[1] - ys[0])
    c, r = int(math.floor(column)), int(math.floor(row))
    fc, fr = column - c, row - r
    total = 0
    for dr, wr in ((0, 1 - fr), (1, fr)):
        for dc, wc in ((0, 1 - fc), (1, fc)):
            total = total + wr * wc * along(source, variable, r + dr, (c + dc) % len(xs))
    return total


@pytest.mark.parametrize("name", NAMES)
def test_bilinear(http, sources, name):
    source = sources[name]
    for variable in source.values:
        for row, column in [cell for cell in ((12, 7), (40, 33), (20, 50)) if cell[0] < len(source.y) - 1]:
            lon, lat = source.lonlat(row, column)
            lon_b, lat_b = source.lonlat(row + 1, column + 1)
            lon, lat = lon + 0.3 * (lon_b - lon), lat + 0.6 * (lat_b - lat)
            want = bilinear(source, variable, lon, lat)
            got = series(http, name, lon, lat, variable=variable, method="bilinear")["values"]
            for value, expected in zip(got, want, strict=True):
                if not math.isnan(expected):
                    assert value == pytest.approx(expected, rel=2e-6, abs=1e-5)


def test_bilinear_over_the_seam(http, sources):
    source = sources["globe"]
    for lon in (359.2, -0.8, 180.7, -179.3):
        got = series(http, "globe", lon, 40.4, variable="wind", method="bilinear")["values"]
        same(got, bilinear(source, "wind", lon, 40.4), 2e-6)


def test_missing_is_null(http, sources):
    source = sources["globe"]
    row, column = 54, 50
    assert np.isnan(source.values["sst"][:, row, column]).all()
    answer = http.ok("/api/timeseries", collection="globe", variable="sst", lon=100, lat=19)
    assert answer.json()["values"] == [None] * 60
    assert "NaN" not in answer.text


def test_levels(http, sources):
    source = sources["globe"]
    for i, level in enumerate(source.levels):
        for choice in ({"level": level}, {"sel": f"level={level:g}"}):
            answer = series(http, "globe", 40, 41, variable="wind", **choice)
            same(answer["values"], along(source, "wind", 65, 20, i))
            assert float(answer["level"]) == level
    default = series(http, "globe", 40, 41, variable="wind")
    assert float(default["level"]) == source.levels[0]
    same(default["values"], along(source, "wind", 65, 20, 0))


def test_the_default_variable_is_named(http, sources):
    answer = series(http, "globe", 40, 41)
    assert answer["variable"] in sources["globe"].values


@pytest.mark.parametrize("datetime, first, last", (
    ("2020-02-21T00:00:00Z/2020-02-22T00:00:00Z", 4, 9), ("2020-02-21/2020-02-22", 4, 9), ("../2020-02-20T12:00:00Z", 0, 3),
    ("2020-03-05T06:00:00Z/..", 57, 60), ("2020-03-05T06:00:00Z/", 57, 60), ("../..", 0, 60),
    ("2020-02-21T00:00:00Z", 4, 5), ("2020-02-28T18:00:00Z/2020-03-01T00:00:00Z", 35, 41),
    ("2020-02-21T01:00:00+01:00", 4, 5)))
def test_datetime(http, sources, datetime, first, last):
    source = sources["globe"]
    answer = series(http, "globe", 40, 41, variable="sst", datetime=datetime)
    assert answer["timestamps"] == source.times[first:last]
    same(answer["values"], along(source, "sst", 65, 20)[first:last])


def test_30_february(http, sources):
    source = sources["model"]
    step = source.times.index("1850-02-30T00:00:00Z")
    lon, lat = source.lonlat(25, 5)
    answer = series(http, "model", lon, lat, datetime="1850-02-30")
    assert answer["timestamps"] == ["1850-02-30T00:00:00Z"]
    same(answer["values"], along(source, "tas", 25, 5)[step:step + 1])
    answer = series(http, "model", lon, lat, datetime="1850-02-29T12:00:00Z/1850-03-01")
    assert answer["timestamps"] == ["1850-02-30T00:00:00Z", "1850-03-01T00:00:00Z"]


def test_29_february_is_not_in_noleap(http):
    answer = http.get("/api/timeseries", params={"collection": "packed", "lon": 1, "lat": 1, "datetime": "2004-02-29"})
    assert answer.status_code in (400, 404) and "2004-02-29" in answer.json()["detail"]
    http.problem(400, "/api/timeseries", collection="globe", lon=1, lat=1, datetime="2020-02-30")


def test_without_time(http, sources):
    source = sources["alps"]
    lon, lat = source.lonlat(33, 44)
    for params in ({}, {"datetime": "1999-01-01"}, {"datetime": "1990-01-01/.."}):
        answer = series(http, "alps", lon, lat, variable="height", **params)
        assert answer["timestamps"] == [None]
        same(answer["values"], [source.values["height"][33, 44]])


def test_no_step_in_the_interval(http):
    answer = http.get("/api/timeseries", params={"collection": "globe", "lon": 1, "lat": 1, "datetime": "1900-01-01/1901-01-01"})
    if answer.status_code == 200:
        assert answer.json()["timestamps"] == []
    else:
        assert answer.status_code in (400, 404) and "1900" in answer.json()["detail"]


def test_several_variables_and_points(http, sources):
    source = sources["globe"]
    places = [(60, 40), (20, 170), (88, 0)]
    lonlats = [source.lonlat(*place) for place in places]
    answer = series(http, "globe", ",".join(str(p[0]) for p in lonlats), ",".join(str(p[1]) for p in lonlats),
                    variable="sst,wind")
    assert answer["timestamps"] == source.times and len(answer["series"]) == 6
    seen = set()
    for one in answer["series"]:
        k = next(i for i, p in enumerate(lonlats) if p == pytest.approx((one["lon"], one["lat"])))
        seen.add((one["variable"], k))
        same(one["values"], along(source, one["variable"], *places[k]))
        assert one["units"] == source.units[one["variable"]] and one["cell"]["lon"] == pytest.approx(lonlats[k][0])
        assert one["level"] == (850 if one["variable"] == "wind" else None)
    assert len(seen) == 6


GEOMETRIES = (
    {"type": "MultiPoint", "coordinates": [[80, 31], [-20, -49]]},
    {"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [80, 31]}},
        {"type": "Feature", "properties": None, "geometry": {"type": "Point", "coordinates": [-20, -49]}}]},
)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_post_of_geojson(http, sources, geometry):
    answer = http.post("/api/timeseries", params={"collection": "globe", "variable": "wind"}, json=geometry)
    assert answer.status_code == 200, answer.text
    one, other = answer.json()["series"]
    same(one["values"], along(sources["globe"], "wind", 60, 40))
    same(other["values"], along(sources["globe"], "wind", 20, 170))


def test_post_of_one_point_equals_get(http):
    point = {"type": "Point", "coordinates": [80, 31]}
    for body in (point, {"type": "Feature", "properties": {}, "geometry": point}):
        answer = http.post("/api/timeseries", params={"collection": "globe", "variable": "sst"}, json=body)
        assert answer.json() == series(http, "globe", 80, 31, variable="sst")


@pytest.mark.parametrize("body", (b"", b"{", b"[]", b"3", b'{"type":"Point"}', b'{"type":"Point","coordinates":["a",1]}',
                                  b'{"type":"Point","coordinates":[1,200]}', b'{"type":"Polygon","coordinates":[]}',
                                  b'{"type":"FeatureCollection","features":[1]}', b'{"type":"MultiPoint","coordinates":[]}',
                                  b"\xff\xfe", b"[" * 5000))
def test_a_bad_body_is_refused(http, body):
    answer = http.post("/api/timeseries", params={"collection": "globe"}, content=body,
                       headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_csv(http, sources):
    source = sources["globe"]
    answer = http.ok("/api/timeseries", collection="globe", variable="sst,wind", lon="-140,100", lat="31,19", f="csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert list(rows[0]) == ["time", "lon", "lat", "level", "variable", "value"] and len(rows) == 240
    sst = [r for r in rows if r["variable"] == "sst" and float(r["lon"]) == -140]
    assert [r["time"] for r in sst] == source.times and {r["level"] for r in sst} == {""}
    same([float(r["value"]) for r in sst], along(source, "sst", 60, 110))
    land = [r for r in rows if r["variable"] == "sst" and float(r["lon"]) == 100]
    assert {r["value"] for r in land} == {""}
    assert {float(r["level"]) for r in rows if r["variable"] == "wind"} == {850}


COVJSON = "application/prs.coverage+json"


def check_covjson(shared, document):
    judge = Coverage if document["type"] == "Coverage" else CoverageCollection
    judge.model_validate(document)
    schemas = {each.name: json.loads(each.read_text()) for each in (shared / "schemas/coveragejson").glob("*.json")}
    registry = referencing.Registry().with_resources(
        (each["$id"], referencing.Resource.from_contents(each, DRAFT7)) for each in schemas.values())
    jsonschema.Draft7Validator(schemas["coveragejson.json"], registry=registry).validate(document)


def test_covjson(http, shared):
    """A PointSeries whose values and times are those of the JSON."""
    at = {"collection": "globe", "variable": "sst", "lon": 100, "lat": 19}
    answer, plain = http.ok("/api/timeseries", f="covjson", **at), http.ok("/api/timeseries", **at).json()
    assert answer.headers["content-type"] == COVJSON
    coverage = answer.json()
    check_covjson(shared, coverage)
    assert coverage["domain"]["domainType"] == "PointSeries"
    assert coverage["domain"]["axes"]["t"]["values"] == plain["timestamps"]
    assert coverage["ranges"]["sst"]["values"] == plain["values"]
    assert coverage["ranges"]["sst"]["shape"] == [len(plain["values"])]
    assert coverage["parameters"]["sst"]["unit"]["symbol"] == plain["units"]


def test_covjson_of_several_and_of_none(http, shared, sources):
    several = http.ok("/api/timeseries", collection="globe", variable="sst,wind", lon="-140,100", lat="31,19",
                      f="covjson").json()
    check_covjson(shared, several)
    assert [list(each["ranges"]) for each in several["coverages"]] == [["sst"], ["sst"], ["wind"], ["wind"]]
    lon, lat = sources["alps"].lonlat(20, 30)
    fixed = http.ok("/api/timeseries", collection="alps", variable="height", lon=lon, lat=lat, f="covjson").json()
    check_covjson(shared, fixed)
    assert fixed["domain"]["domainType"] == "Point" and "t" not in fixed["domain"]["axes"]
    assert fixed["ranges"]["height"]["values"] == [sources["alps"].values["height"][20, 30]]


def test_covjson_by_accept(http):
    at = {"collection": "globe", "variable": "sst", "lon": 100, "lat": 19}
    for kind in (COVJSON, "application/vnd.cov+json"):
        answer = http.get("/api/timeseries", params=at, headers={"Accept": kind})
        assert answer.headers["content-type"] == kind and answer.json()["type"] == "Coverage"
        assert "accept" in answer.headers["vary"].lower()
    assert http.get("/api/timeseries", params={**at, "f": "json"}, headers={"Accept": COVJSON}).json()["values"]


def test_csv_without_time(http, sources):
    lon, lat = sources["alps"].lonlat(33, 44)
    text = http.ok("/api/timeseries", collection="alps", variable="height", lon=lon, lat=lat, f="csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 1 and rows[0]["time"] == ""


def test_real_data(http, shared):
    """The example: a climatology of 12 months whose first value xarray gives."""
    netcdf = pytest.importorskip("netCDF4")
    path = next(p for p in ((shared / "data").rglob("coads_climatology*")) if p.suffix in (".cdf", ".nc"))
    with netcdf.Dataset(path) as data:
        sst = data["SST"][:]
        lon, lat = data[data["SST"].dimensions[-1]][:], data[data["SST"].dimensions[-2]][:]
    for j, i in ((30, 20), (45, 90), (60, 170)):
        answer = series(http, "ocean_climate", float(lon[i]), float(lat[j]), variable="SST")
        same(answer["values"], np.ma.filled(sst[:, j, i].astype("f8"), np.nan))


def test_over_the_limit_says_the_cost_and_a_cheaper_request(start, store):
    server = start(store, "--request-bytes", "64K")
    from conftest import Client
    with Client(server) as http:
        problem = http.problem(413, "/api/timeseries", collection="globe", variable="wind,sst", lon="80,100,-60,-120,10",
                               lat="31,19,-40,60,0")
        assert any(c.isdigit() for c in problem["detail"])
        assert any(word in json.dumps(problem) for word in ("datetime", "fewer", "points", "shorter"))
        assert http.get("/healthz").status_code == 200


def test_freshness(http):
    url = "/api/timeseries?collection=globe&lon=80&lat=31"
    first = http.get(url)
    assert "max-age=60" in first.headers["cache-control"]
    again = http.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304 and "decode" not in again.headers.get("server-timing", "")


@pytest.mark.parametrize("name, value", (
    ("lon", "x"), ("lon", "721"), ("lon", "nan"), ("lat", "91"), ("lat", "-90.5"), ("lat", ""), ("method", "cubic"),
    ("f", "xml"), ("datetime", "soon"), ("datetime", "2021-01-01/2020-01-01"), ("datetime", "2020-02-30"), ("level", "77"),
    ("sel", "level=77"), ("sel", "depth=3")))
def test_a_bad_value_is_named(http, name, value):
    params = {"collection": "globe", "variable": "wind", "lon": "1", "lat": "1", name: value}
    problem = http.problem(400, "/api/timeseries", **params)
    said = json.dumps(problem)
    assert name in said and value in said


@pytest.mark.parametrize("name", ("collection", "lon", "lat"))
def test_what_is_needed_is_named(http, name):
    params = {"collection": "globe", "lon": "1", "lat": "1"}
    del params[name]
    assert name in http.problem(400, "/api/timeseries", **params)["detail"]


def test_what_does_not_exist(http):
    problem = http.problem(404, "/api/timeseries", collection="globe", lon=1, lat=1, variable="salinity")
    assert "salinity" in problem["detail"] and "sst" in problem["detail"]
    problem = http.problem(404, "/api/timeseries", collection="nosuch", lon=1, lat=1)
    assert "nosuch" in problem["detail"] and "globe" in problem["detail"]


def test_pairs(http):
    assert "lat" in http.problem(400, "/api/timeseries", collection="globe", lon="1,2", lat="3")["detail"]


def test_outside_the_grid_is_no_value(http):
    """Never the nearest cell's."""
    answer = http.get("/api/timeseries", params={"collection": "europe", "lon": 100, "lat": -40})
    if answer.status_code == 200:
        assert set(answer.json()["values"]) == {None}
    else:
        assert answer.status_code in (400, 404)


# ---- points of an item, from the map layout


def item_of(http, collection, datetime):
    when = {"datetime": datetime} if datetime else {}
    return http.ok(f"/stac/collections/{collection}/items", limit=1, **when).json()["features"][0]["id"]


@pytest.mark.parametrize("step", (0, 7, 59))
def test_point(http, sources, step):
    source = sources["globe"]
    item = item_of(http, "globe", source.times[step])
    lon, lat = source.lonlat(60, 40)
    answer = http.ok(f"/collections/globe/items/{item}/point/{lon},{lat}", assets="sst").json()
    assert answer["coordinates"] == pytest.approx([lon, lat])
    same(answer["values"], [source.values["sst"][step, 60, 40]])
    assert len(answer["band_names"]) == 1
    answer = http.ok(f"/collections/globe/items/{item}/point/{lon},{lat}", assets="wind").json()
    same(answer["values"], source.values["wind"][step, :, 60, 40])
    assert len(answer["band_names"]) == 3
    answer = http.ok(f"/collections/globe/items/{item}/point/{lon},{lat}", assets="wind", bidx=[3, 1]).json()
    same(answer["values"], source.values["wind"][step, [2, 0], 60, 40])


def test_point_of_all_assets(http, sources):
    source = sources["globe"]
    item = item_of(http, "globe", source.times[3])
    answer = http.ok(f"/collections/globe/items/{item}/point/100,19").json()
    assert len(answer["values"]) == len(answer["band_names"]) == 4
    assert answer["values"].count(None) == 1


def test_point_of_stored_numbers(http, sources):
    source = sources["packed"]
    item = item_of(http, "packed", None)
    lon, lat = source.lonlat(30, 60)
    value = http.ok(f"/collections/packed/items/{item}/point/{lon},{lat}").json()["values"][0]
    stored = http.ok(f"/collections/packed/items/{item}/point/{lon},{lat}", unscale="false").json()["values"][0]
    assert stored == round(stored) and value == pytest.approx(stored * 0.0025 + 20.0, rel=1e-6)


def test_point_mistakes(http, sources):
    item = item_of(http, "globe", sources["globe"].times[0])
    assert "nosuch" in http.problem(404, "/collections/globe/items/nosuch/point/1,1")["detail"]
    assert "salinity" in http.problem(404, f"/collections/globe/items/{item}/point/1,1", assets="salinity")["detail"]
    for place in ("1,91", "x,1", "1"):
        assert http.get(f"/collections/globe/items/{item}/point/{place}").status_code in (400, 404)
    assert "bidx" in http.problem(400, f"/collections/globe/items/{item}/point/1,1", assets="wind", bidx=4)["detail"]
