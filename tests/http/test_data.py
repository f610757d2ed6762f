"""The store's objects over HTTP: ranges, tags, what is not served, and the clients that open the hrefs as they are."""
import httpx
import numpy as np
import pytest
from conftest import Client


@pytest.fixture(scope="module")
def item(http, sources):
    answer = http.ok("/stac/collections/globe/items", datetime=sources["globe"].times[7], limit=1)
    return answer.json()["features"][0]


@pytest.fixture(scope="module")
def cog(item):
    return item["assets"]["sst"]["href"]


@pytest.fixture(scope="module")
def zarr_root(item):
    return item["assets"]["zarr"]["href"].rstrip("/")


@pytest.fixture(params=("cog", "zarr.json", "chunk"))
def href(request, cog, zarr_root, http):
    return {"cog": cog, "zarr.json": zarr_root + "/zarr.json", "chunk": zarr_root + "/sst/c/0/0/0"}[request.param]


def test_the_whole_object(http, href):
    answer = http.get(href)
    assert answer.status_code == 200 and answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["etag"].startswith('"')
    assert int(answer.headers["content-length"]) == len(answer.content) > 0
    assert "content-encoding" not in answer.headers
    head = http.head(href)
    assert head.status_code == 200 and not head.content
    assert head.headers["content-length"] == answer.headers["content-length"] and head.headers["etag"] == answer.headers["etag"]


def test_media_types(http, cog, zarr_root):
    assert http.head(cog).headers["content-type"] == "image/tiff; application=geotiff; profile=cloud-optimized"
    assert http.head(zarr_root + "/zarr.json").headers["content-type"].startswith("application/json")


def test_ranges(http, href):
    whole = http.get(href).content
    size = len(whole)
    for text, want in (("bytes=0-9", whole[:10]), ("bytes=5-5", whole[5:6]), ("bytes=10-", whole[10:]),
                       ("bytes=-7", whole[-7:]), (f"bytes=-{size * 2}", whole), (f"bytes=0-{size * 9}", whole),
                       (f"bytes={size - 1}-", whole[-1:])):
        answer = http.get(href, headers={"Range": text})
        assert answer.status_code == 206 and answer.content == want, text
        first = size - len(want) if text.startswith("bytes=-") or text.endswith("-") else int(text[6:].split("-")[0])
        assert answer.headers["content-range"] == f"bytes {first}-{first + len(want) - 1}/{size}"
        assert int(answer.headers["content-length"]) == len(want)


def test_ranges_that_cannot_be(http, cog):
    size = int(http.head(cog).headers["content-length"])
    for text in (f"bytes={size}-", f"bytes={size + 5}-{size + 9}", "bytes=-0"):
        answer = http.get(cog, headers={"Range": text})
        assert answer.status_code == 416 and answer.headers["content-range"] == f"bytes */{size}", text
    for text in ("lines=1-2", "bytes=x-y", "bytes=9-2", "bytes=-", "bytes"):
        assert http.get(cog, headers={"Range": text}).status_code in (200, 416), text


def test_conditional(http, cog):
    etag = http.head(cog).headers["etag"]
    assert http.get(cog, headers={"If-None-Match": etag}).status_code == 304
    assert http.get(cog, headers={"Range": "bytes=0-1", "If-Range": etag}).status_code == 206
    assert http.get(cog, headers={"Range": "bytes=0-1", "If-Range": '"other"'}).status_code == 200
    assert http.get(cog, headers={"If-None-Match": '"other"'}).status_code == 200


TRAVERSALS = ("../manifest.json", "..%2fmanifest.json", "%2e%2e/%2e%2e/catalog.db", "data.zarr/../manifest.json",
              "data.zarr/..%2F..%2F..%2F..%2Fcatalog.db", "data.zarr/%2e%2e/manifest.json", "data.zarr//etc/passwd",
              "data.zarr/%00", "data.zarr/zarr.json%00.tif", "data.zarr/zarr.json/..", "....//catalog.db.tif",
              "data.zarr\\..\\manifest.json", "data.zarr/%5c..%5cmanifest.json", "%2fetc%2fpasswd.tif", "data.zarr/./zarr.json",
              "data.zarr", "data.zarr/", "data.zarr/sst", ".", "..", "data.zarr/nosuch", "sst/nosuch.tif", "manifest.json")


@pytest.mark.parametrize("path", TRAVERSALS)
def test_nothing_else_is_served(http, server, cog, path):
    from wire import ask
    base = "/data/" + "/".join(cog.split("/data/")[1].split("/")[:3])
    status, headers, body = ask(server.port, f"GET {base}/{path} HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status in (400, 404), (status, body[:100])
    assert headers["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize("path", ("/data/../catalog.db", "/data/globe/globe/..%2f..%2f..%2fcatalog.db/x.tif", "/data/catalog.db",
                                  "/data/%2e%2e/%2e%2e/etc/x.tif", "/data/globe/globe/0000000000000000/sst/x.tif",
                                  "/data/nosuch/x/0000000000000000/data.zarr/zarr.json"))
def test_nothing_outside_is_served(server, path):
    from wire import ask
    assert ask(server.port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")[0] in (400, 404)


def test_no_data(start, store, cog):
    with Client(start(store, "--no-data")) as http:
        path = httpx.URL(cog).path
        assert http.get(path).status_code == 404
        assert http.get("/tiles/globe/0/0/0.png").status_code == 200


def test_rasterio_opens_the_href(cog, sources, monkeypatch):
    import rasterio
    monkeypatch.setenv("GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR")
    source = sources["globe"]
    with rasterio.open(cog) as data:
        assert data.crs.to_epsg() == 4326 and data.shape == (90, 180)
        for row, column in ((60, 110), (20, 170), (88, 3)):
            lon, lat = source.lonlat(row, column)
            value = next(data.sample([(lon, lat)], masked=True))[0]
            assert value == np.float32(source.values["sst"][7, row, column])


def test_xarray_opens_the_href(zarr_root, sources):
    import xarray
    source = sources["globe"]
    with xarray.open_dataset(zarr_root, engine="zarr", chunks=None) as data:
        assert set(source.values) <= set(data.data_vars)
        assert np.array_equal(data["lon"], source.x) and np.array_equal(data["lat"], source.y)
        for variable, values in source.values.items():
            got = data[variable].values
            assert np.array_equal(got, values.astype("f4"), equal_nan=True)
        assert str(data["time"].values[7])[:19] == source.times[7][:19]
