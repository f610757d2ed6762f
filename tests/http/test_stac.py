"""STAC: documents that validate, searches that find what they should, pages that neither lose nor repeat, refusals."""
import datetime
import json
import random

import jsonschema
import pytest
import referencing
from referencing.jsonschema import DRAFT7


@pytest.fixture(scope="session")
def schemas(shared):
    """uri -> schema, and a registry of all, from the shared copies."""
    root = shared / "schemas"
    table, resources = {}, []
    for entry in json.loads((root / "manifest.json").read_text())["files"]:
        if not entry.get("uri") or not entry["file"].endswith(".json"):
            continue
        schema = json.loads((root / entry["file"]).read_text())
        if isinstance(schema, dict):
            uri = entry["uri"].rstrip("#")
            schema["$id"] = uri
            table[uri] = schema
            resources.append((uri, referencing.Resource.from_contents(schema, default_specification=DRAFT7)))
    return table, referencing.Registry().with_resources(resources)


def validate(schemas, document):
    table, registry = schemas
    kind = "item" if document["type"] == "Feature" else "collection"
    uris = [f"https://schemas.stacspec.org/v1.1.0/{kind}-spec/json-schema/{kind}.json", *document["stac_extensions"]]
    for uri in uris:
        errors = list(jsonschema.Draft7Validator(table[uri.rstrip("#")], registry=registry).iter_errors(document))
        assert not errors, f"{document['id']} against {uri}: {errors[0].message} at {list(errors[0].absolute_path)}"


def pages(http, path, **params):
    """All features, by following next links."""
    out, page = [], http.ok(path, **params).json()
    for _ in range(1000):
        assert page["type"] == "FeatureCollection" and page["numberReturned"] == len(page["features"])
        out += page["features"]
        link = next((each for each in page["links"] if each["rel"] == "next"), None)
        if not link:
            return out
        page = http.get(link["href"]).json()
    raise AssertionError("paging does not end")


def posted(http, body):
    out, page = [], http.post("/stac/search", json=body).json()
    for _ in range(1000):
        out += page["features"]
        link = next((each for each in page["links"] if each["rel"] == "next"), None)
        if not link:
            return out
        assert link["method"] == "POST" and link["merge"]
        page = http.post(link["href"], json={**body, **link["body"]}).json()
    raise AssertionError("paging does not end")


def ids(features):
    return [each["id"] for each in features]


def test_landing_links_lead_somewhere(http):
    landing = http.ok("/stac").json()
    assert landing["type"] == "Catalog" and "https://api.stacspec.org/v1.0.0/item-search" in landing["conformsTo"]
    assert http.ok("/stac/conformance").json()["conformsTo"] == landing["conformsTo"]
    for link in landing["links"]:
        if link.get("method") != "POST":
            assert http.get(link["href"]).status_code == 200, link


def test_collections_validate(http, schemas, sources):
    listed = http.ok("/stac/collections").json()["collections"]
    assert {each["id"] for each in listed} >= set(sources)
    for brief in listed:
        full = http.ok(f"/stac/collections/{brief['id']}").json()
        validate(schemas, brief)
        validate(schemas, full)
        west, south, east, north = full["extent"]["spatial"]["bbox"][0]
        assert -180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90
        assert full["stac_version"] == "1.1.0" and all(link["href"].startswith("http") for link in full["links"])


def test_items_validate(http, schemas, sources):
    for name in [*sources, "ocean_climate", "relief"]:
        features = http.ok(f"/stac/collections/{name}/items", limit=3).json()["features"]
        assert features
        for item in features:
            validate(schemas, item)
            alone = http.get(next(each["href"] for each in item["links"] if each["rel"] == "self")).json()
            assert alone == item


def test_items_say_the_source(http, sources):
    source = sources["globe"]
    features = pages(http, "/stac/collections/globe/items", limit=7)
    assert [each["properties"]["datetime"] for each in reversed(features)] == source.times
    assert [each["properties"]["rastrum:time_index"] for each in reversed(features)] == list(range(len(source.times)))
    item = features[0]
    assert set(item["assets"]) == {*source.values, "zarr"}
    assert item["properties"]["proj:code"] == "EPSG:4326"
    assert item["properties"]["proj:shape"] == [len(source.y), len(source.x)]
    for name, asset in item["assets"].items():
        if name != "zarr":
            assert [band["raster:sampling"] for band in asset["bands"]] == ["area"] * len(asset["bands"])


def test_dates_without_iso_equal(http, sources):
    """30 February stands at its neighbour and says its own name."""
    source = sources["model"]
    assert source.calendar == "360_day"
    features = pages(http, "/stac/collections/model/items", limit=50)
    assert len(features) == len(source.times)
    for item in features:
        properties = item["properties"]
        true = source.times[properties["rastrum:time_index"]]
        if properties["datetime"] != true:
            assert properties["rastrum:datetime"] == true and properties["rastrum:calendar"] == "360_day"
            assert properties["datetime"][:7] == true[:7]


def test_a_file_without_time_is_always_valid(http):
    item, = pages(http, "/stac/collections/relief/items")
    properties = item["properties"]
    assert properties["datetime"] is None and "_" not in item["id"].removeprefix("etopo60")
    assert (properties["start_datetime"], properties["end_datetime"]) == ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
    assert ids(http.ok("/stac/search", collections="relief", datetime="1999-01-01T00:00:00Z").json()["features"]) == [item["id"]]


def test_year_zero_is_a_range(http):
    first = pages(http, "/stac/collections/ocean_climate/items")[-1]["properties"]
    assert first["datetime"] is None and first["start_datetime"] == "0000-01-16T06:00:00Z" == first["end_datetime"]


@pytest.mark.parametrize("sortby", (None, "datetime", "-datetime", "id", "-id", "+properties.datetime", "collection,-id", "-created,id"))
def test_pages_of_any_size_hold_every_item_once(http, sortby):
    params = {"sortby": sortby} if sortby else {}
    whole = http.ok("/stac/search", limit=10000, **params).json()
    everything = ids(whole["features"])
    assert len(set(everything)) == len(everything) == whole["numberMatched"]
    seed = random.randrange(1 << 30)
    print("seed", seed)
    dice = random.Random(seed)
    for limit in (dice.randint(3, 20), dice.randint(21, 90)):
        assert ids(pages(http, "/stac/search", limit=limit, **params)) == everything
    body = {"limit": 50}
    if sortby:
        body["sortby"] = [{"field": each.lstrip("+-"), "direction": "desc" if each[0] == "-" else "asc"} for each in sortby.split(",")]
    assert ids(posted(http, body)) == everything


def test_newest_come_first(http):
    times = [each["properties"]["datetime"] for each in pages(http, "/stac/collections/globe/items", limit=9)]
    assert times == sorted(times, reverse=True)


def test_datetime_ends_are_inclusive(http, sources):
    times = sources["globe"].times
    for text, want in ((times[3], times[3:4]), (f"{times[3]}/{times[8]}", times[3:9]), (f"../{times[2]}", times[:3]),
                       (f"{times[-2]}/..", times[-2:]), (f"{times[-2]}/", times[-2:]), (f"/{times[0]}", times[:1])):
        features = pages(http, "/stac/search", collections="globe", datetime=text, limit=4)
        assert sorted(each["properties"]["datetime"] for each in features) == want
    moved = datetime.datetime.fromisoformat(times[3].replace("Z", "+00:00")).astimezone(datetime.timezone(datetime.timedelta(hours=-5)))
    assert len(http.ok("/stac/search", collections="globe", datetime=moved.isoformat()).json()["features"]) == 1


def found(http, **params):
    return {each["collection"] for each in pages(http, "/stac/search", limit=1000, **params)}


def test_where(http, sources):
    regional = {name: http.ok(f"/stac/collections/{name}").json()["extent"]["spatial"]["bbox"][0] for name in sources}
    for name, (west, south, east, north) in regional.items():
        if not (east > west and east - west < 100):
            continue
        x, y = (west + east) / 2, (south + north) / 2
        assert name in found(http, bbox=f"{x - .01},{y - .01},{x + .01},{y + .01}")
        assert name in found(http, bbox=f"{x - .01},{y - .01},0,{x + .01},{y + .01},100")
        assert name in found(http, intersects=json.dumps({"type": "Point", "coordinates": [x, y]}))
        assert name not in found(http, bbox=f"{x - 170 if x > 0 else x + 150},-89.5,{x - 165 if x > 0 else x + 155},-89")
    assert "globe" in found(http, bbox="170,-10,-170,10")
    assert "alps" not in found(http, bbox="170,-90,-170,90")


def test_ids_and_collections(http):
    some = ids(pages(http, "/stac/collections/globe/items", limit=20))[::9]
    assert set(ids(pages(http, "/stac/search", ids=",".join(some), collections="globe,alps"))) == set(some)
    assert pages(http, "/stac/search", ids=some[0], collections="alps") == []
    assert pages(http, "/stac/search", collections="no-such") == []
    assert set(ids(posted(http, {"ids": some, "limit": 2}))) == set(some)


def test_fields(http):
    item = http.ok("/stac/search", collections="globe", limit=1, fields="id,properties.datetime").json()["features"][0]
    assert set(item) == {"type", "stac_version", "id", "collection", "properties"} and set(item["properties"]) == {"datetime"}
    body = {"collections": ["globe"], "limit": 1, "fields": {"include": ["assets", "properties"], "exclude": ["assets.zarr", "properties.proj:shape"]}}
    item = http.post("/stac/search", json=body).json()["features"][0]
    assert "zarr" not in item["assets"] and "sst" in item["assets"] and "links" not in item
    assert "proj:shape" not in item["properties"] and "proj:code" in item["properties"]
    whole = http.post("/stac/search", json={**body, "fields": {"include": None, "exclude": None, "other": 1}}).json()["features"][0]
    assert whole == http.post("/stac/search", json={**body, "fields": None}).json()["features"][0] and "links" in whole


REFUSED = ("bbox=1,2,3", "bbox=a,b,c,d", "bbox=0,10,10,0", "bbox=0,0,190,10", "bbox=[0,0,1,1]", "limit=0", "limit=-1", "limit=x",
           "datetime=yesterday", "datetime=2020-01-01", "datetime=2020-02-30T00:00:00Z", "datetime=2020-01-01T00:00:00",
           "datetime=../..", "datetime=/", "datetime=2020-01-02T00:00:00Z/2020-01-01T00:00:00Z", "datetime=2020-01-01T00:00:00Z/a/b",
           "datetime=2020-13-01T00:00:00Z", "datetime=2020-01-01T25:00:00Z", "datetime=2020-01-01T00:00:00%2B0100",
           "sortby=colour", "token=not-a-token", "token=%00", "filter=id=1", "query={}", "intersects=7", "intersects={}",
           "bbox=0,0,1,1&intersects={\"type\":\"Point\",\"coordinates\":[0,0]}", "collections=a&collections=b")


@pytest.mark.parametrize("query", REFUSED)
def test_refusals_name_the_parameter(http, query):
    answer = http.get("/stac/search?" + query)
    assert answer.status_code == 400, answer.text[:300]
    problem = answer.json()
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert query.split("=")[0] in json.dumps(problem)


@pytest.mark.parametrize("body", ({"limit": "x"}, {"bbox": [1, 2, 3]}, {"ids": "a"}, {"collections": [1]}, {"nonsense": 1}, [1],
                                  {"bbox": [0, 0, 1, 1], "intersects": {"type": "Point", "coordinates": [0, 0]}},
                                  {"intersects": {"type": "Point", "coordinates": [0, 91]}}, {"sortby": [{"direction": "asc"}]},
                                  {"datetime": "2020"}, {"token": "x"}, {"fields": ["id"]}))
def test_bad_bodies_are_refused(http, body):
    assert http.post("/stac/search", json=body).status_code == 400


def test_a_geometry_may_not_be_endless(http):
    ring = [[(i % 3600) / 20 - 90, i % 80] for i in range(12000)]
    answer = http.post("/stac/search", json={"intersects": {"type": "MultiPoint", "coordinates": ring}})
    assert answer.status_code == 413 and "10000" in answer.json()["detail"]


def test_what_is_not_there(http):
    for path in ("/stac/collections/nowhere", "/stac/collections/nowhere/items", "/stac/collections/globe/items/none",
                 "/stac/collections/globe/items/globe_20200230T000000Z", "/stac/collections/nowhere/queryables"):
        http.problem(404, path)
    assert "globe" in http.problem(404, "/stac/collections/glob")["detail"]


def test_limit_is_clamped(http):
    assert http.ok("/stac/search", collections="globe", limit=10 ** 9).json()["numberReturned"] > 10


def test_unchanged_is_304(http):
    for path in ("/stac", "/stac/collections", "/stac/collections/globe", "/stac/collections/globe/items?limit=3", "/stac/search?limit=2"):
        tag = http.get(path).headers["etag"]
        assert http.get(path, headers={"If-None-Match": tag}).status_code == 304
        assert http.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_an_ingest_shows_up_and_a_removal_too(rastrum, sources, start, tmp_path):
    from conftest import Client
    place = tmp_path / "store"
    with Client(start(place, env={"RASTRUM_CATALOG_STALENESS": "0s"})) as http:
        assert http.ok("/stac/collections").json()["collections"] == []
        rastrum("ingest", sources["alps"].path, "--collection", "c", "--store", place)
        assert http.ok("/stac/collections/c/items").json()["numberMatched"] > 0
        rastrum("ingest", sources["globe"].path, "--collection", "c", "--store", place)
        assert {each["id"].split("_")[0] for each in pages(http, "/stac/collections/c/items", limit=100)} == {"alps", "globe"}
        rastrum("catalog", "remove", "c", "alps", "--store", place)
        assert {each["id"].split("_")[0] for each in pages(http, "/stac/collections/c/items", limit=100)} == {"globe"}
        rastrum("catalog", "remove", "c", "globe", "--store", place)
        http.problem(404, "/stac/collections/c")
