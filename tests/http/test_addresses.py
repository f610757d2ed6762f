"""plugins/tiles/README.md: each address of titiler, titiler-pgstac, STAC Browser and leafmap is asked for, leafmap's by leafmap."""
import importlib.util
import io
import re
from urllib.parse import quote, urlsplit

import numpy as np
import pytest
import rasterio
from conftest import ROOT
from PIL import Image
from rio_tiler.io import Reader

pytestmark = pytest.mark.release_only  # routes of Lua alone
PAGE = (ROOT / "plugins" / "tiles" / "README.md").read_text()
ROWS = re.findall(r"^\| ([^|]+?) \| (`[^|]+`) \| (yes|no)\b[^|]*\|$", PAGE, re.M)
ADDRESSES = [(who, what.strip("`"), answer) for who, what, answer in ROWS if who != "leafmap"]
FUNCTIONS = [(name, answer) for who, what, answer in ROWS if who == "leafmap" for name in re.findall(r"`(\w+)`", what)]
ORIGIN = {"Origin": "https://radiantearth.github.io"}


@pytest.fixture(scope="module")
def rain(http):
    """What the addresses' words stand for: an item of packed numbers, and its COG."""
    item = http.ok("/stac/collections/packed/items", limit=1).json()["features"][0]
    own = next(link["href"] for link in item["links"] if link["rel"] == "self")
    cog = item["assets"]["rain"]["href"]
    return {"cog": cog, "item": own, "collection": "packed", "id": item["id"], "asset": "rain", "lon": "20", "lat": "10",
            "z": "2", "x": "2", "y": "1", "path-of-cog": urlsplit(cog).path}


def test_the_table_is_read():
    assert len(ADDRESSES) > 40 and len(FUNCTIONS) > 15
    assert {who for who, _, _ in ADDRESSES} == {"titiler", "titiler 1", "titiler-pgstac", "STAC Browser", "xpublish-tiles"}


@pytest.mark.parametrize("who, address, answer", ADDRESSES)
def test_an_address(http, rain, who, address, answer):
    path, _, query = address.partition("?")
    filled = re.sub(r"{([\w-]+)}", lambda m: rain[m[1]], path)
    filled += ("?" + re.sub(r"{([\w-]+)}", lambda m: quote(rain[m[1]], safe=""), query)) if query else ""
    got = http.get(filled, headers=ORIGIN)
    assert got.status_code == (200 if answer == "yes" else 404), got.text[:300]
    assert got.headers["access-control-allow-origin"] == "*"
    if answer == "yes" and "/{y}" in path:
        picture = Image.open(io.BytesIO(got.content))
        assert picture.size == ((512, 512) if "@2x" in path else (256, 256))


# ---- titiler


def test_what_titiler_reads_of_a_cog_is_told(http, rain):
    """info, point and the values of a tile beside rio-tiler's, on the same COG; stored numbers unless `unscale`."""
    info = http.ok("/titiler/cog/info", url=rain["cog"]).json()
    with rasterio.open(rain["cog"]) as file, Reader(rain["cog"]) as reader:
        assert info["bounds"] == pytest.approx(list(file.bounds)) and (info["width"], info["height"]) == (file.width, file.height)
        assert info["dtype"] == file.dtypes[0] and info["scales"] == list(file.scales) and info["offsets"] == list(file.offsets)
        assert info["nodata_value"] == file.nodata and info["count"] == 1 and info["crs"].endswith("/EPSG/0/4326")
        for unscale in (False, True):
            told = http.ok("/titiler/cog/point/20,10", url=rain["cog"], unscale=unscale).json()
            want = reader.point(20, 10, unscale=unscale)
            assert told["values"] == pytest.approx(want.data.tolist(), rel=1e-6) and told["band_names"] == ["b1"]
            tile = np.load(io.BytesIO(http.ok("/titiler/cog/tiles/WebMercatorQuad/3/4/3.npy", url=rain["cog"], unscale=unscale,
                                              rescale="0,1").content))
            image = reader.tile(4, 3, 3, unscale=unscale)
            both = (tile[-1] > 0) & ~np.ma.getmaskarray(image.array[0])
            assert both.mean() > 0.9
            assert (np.abs(tile[0] - image.array[0].filled(0))[both] <= 1e-6 * np.abs(tile[0][both]).max()).mean() > 0.97


def test_statistics_are_those_of_the_variable(http, sources, rain):
    values = sources["packed"].values["rain"]
    told = http.ok("/titiler/cog/statistics", url=rain["cog"], unscale=True, p=[2, 50, 98]).json()["b1"]
    assert told["min"] == pytest.approx(np.nanmin(values), rel=1e-5) and told["max"] == pytest.approx(np.nanmax(values), rel=1e-5)
    assert told["mean"] == pytest.approx(np.nanmean(values), rel=1e-5) and told["std"] == pytest.approx(np.nanstd(values), rel=1e-3)
    for q in (2, 50, 98):
        assert told[f"percentile_{q}"] == pytest.approx(np.nanpercentile(values, q), abs=0.2)
    raw = http.ok("/titiler/stac/statistics", url=rain["item"], assets="rain").json()["b1"]
    assert raw["min"] == round((np.nanmin(values) - 20) / 0.0025) and raw["percentile_98"] == pytest.approx(
        (told["percentile_98"] - 20) / 0.0025)


def test_several_assets_are_bands(http):
    item = http.ok("/stac/collections/globe/items", limit=1).json()["features"][0]
    own = next(link["href"] for link in item["links"] if link["rel"] == "self")
    at = {"url": own, "unscale": True}
    two = np.load(io.BytesIO(http.ok("/titiler/stac/tiles/WebMercatorQuad/1/0/0.npy", assets=["sst", "wind"], **at).content))
    for band, name in enumerate(("sst", "wind")):
        one = np.load(io.BytesIO(http.ok("/tiles/globe/1/0/0.npy", variable=name, item=item["id"]).content))
        there = two[-1] > 0
        assert there.any() and np.allclose(two[band][there], one[0][there], rtol=1e-6)
    both = http.ok("/titiler/stac/statistics", assets=["sst", "wind"], **at).json()
    assert set(both) == {"sst_b1", "wind_b1", "wind_b2", "wind_b3"}
    assert len(http.ok("/titiler/stac/point/-34,11", assets=["sst", "wind"], **at).json()["values"]) == 4
    assert "salt" in http.problem(404, "/titiler/stac/info", assets="salt", url=own)["detail"]


@pytest.mark.parametrize("url", ("http://example.org/a.tif", "file:///etc/passwd", "/etc/passwd", "//example.org/data/a/b/c/d.tif", "",
                                 "http://127.0.0.1:1/data/packed/packed/0/rain/static.tif"))
def test_only_our_own_are_read(http, url):
    for kind in ("cog", "stac"):
        http.problem(403, f"/titiler/{kind}/info", url=url)


def test_what_is_not_there_is_404(http, rain):
    http.problem(404, "/titiler/cog/info", url="/data/../../etc/passwd.tif")
    for change in (("/packed/", "/nosuch/"), ("/rain/", "/snow/"), (".tif", "9.tif"), (rain["cog"].split("/")[6], "0" * 16)):
        http.problem(404, "/titiler/cog/info", url=rain["cog"].replace(*change, 1))
    http.problem(404, "/titiler/stac/info", url=rain["item"] + "x")


def test_a_tile_outside_is_404_as_there(http):
    item = http.ok("/stac/collections/alps/items", limit=1).json()["features"][0]
    cog = item["assets"]["height"]["href"]
    assert http.get("/titiler/cog/tiles/WebMercatorQuad/5/16/11.png", params={"url": cog}).status_code == 200
    for tile in ("5/16/20", "5/2/11", "5/16/8"):
        assert "outside" in http.problem(404, f"/titiler/cog/tiles/WebMercatorQuad/{tile}.png", url=cog)["detail"]


def test_tilejson_leads_to_tiles(http, rain):
    told = http.ok("/titiler/cog/WebMercatorQuad/tilejson.json", url=rain["cog"], rescale="-8000,8000", colormap_name="magma",
                   tile_format="webp", tile_scale=2).json()
    assert told["tiles"][0].startswith(f"{http.server.url}/titiler/cog/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}@2x.webp?url=")
    assert told["bounds"] == [-180, -90, 180, 90] and told["minzoom"] <= told["center"][2] <= told["maxzoom"]
    picture = Image.open(io.BytesIO(http.get(told["tiles"][0].format(z=1, x=1, y=0)).content))
    assert picture.format == "WEBP" and picture.size == (512, 512)


# ---- STAC Browser


def test_stac_browser_finds_its_way(http, rain):
    """What its source asks for: links and media types, requests from another origin, ranges of a COG, classes of search."""
    root = http.ok("/stac").json()
    rels = {(link["rel"], link.get("type"), link.get("method")) for link in root["links"]}
    assert {("data", "application/json", None), ("conformance", "application/json", None), ("child", "application/json", None),
            ("search", "application/geo+json", "GET"), ("search", "application/geo+json", "POST")} <= rels
    for wanted in (r"https://api\.stacspec\.org/v1\.[^/]*/item-search$", r"https://api\.stacspec\.org/v1\.[^/]*/ogcapi-features$",
                   r"https://api\.stacspec\.org/v1\.[^/]*/item-search#sort"):
        assert any(re.match(wanted, uri) for uri in root["conformsTo"]), wanted
    asked = http.options("/stac/search", headers={**ORIGIN, "Access-Control-Request-Method": "POST",
                                                  "Access-Control-Request-Headers": "content-type"})
    assert asked.status_code == 204 and "POST" in asked.headers["access-control-allow-methods"]
    assert asked.headers["access-control-allow-headers"].lower() == "content-type"
    part = http.get(rain["path-of-cog"], headers={**ORIGIN, "Range": "bytes=0-1023"})
    assert part.status_code == 206 and len(part.content) == 1024 and "Content-Range" in part.headers["access-control-expose-headers"]
    links = {link["rel"]: link for link in http.ok("/stac/collections/packed").json()["links"]}
    assert {"self", "root", "parent", "items", "xyz", "tilejson"} <= set(links)
    assert http.get(links["xyz"]["href"].format(z=0, x=0, y=0)).headers["content-type"] == "image/png"
    found = http.post("/stac/search", json={"collections": ["packed"], "limit": 2}, headers=ORIGIN)
    following = next(link for link in found.json()["links"] if link["rel"] == "next")
    assert following["method"] == "POST" and len(http.post(following["href"], json={"collections": ["packed"], **following["body"]}).json()["features"])


# ---- leafmap


@pytest.fixture(scope="module")
def leafmap():
    """Its module of raster clients, by itself: the package brings a hundred others along."""
    package = importlib.util.find_spec("leafmap")
    if not package:
        pytest.skip("leafmap is not installed")
    spec = importlib.util.spec_from_file_location("leafmap_stac", package.submodule_search_locations[0] + "/stac.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def picture_of(http, template):
    answer = http.get(template.format(z=1, x=1, y=0))
    assert answer.status_code == 200, answer.text
    rgba = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA"))
    assert (rgba[..., 3] > 0).any() and len(np.unique(rgba.reshape(-1, 4), axis=0)) > 20
    return rgba


LEAFMAP = {
    "cog_info": lambda call, http: call()["width"] == 120,
    "cog_bounds": lambda call, http: call() == pytest.approx([-180, -90, 180, 90]),
    "cog_center": lambda call, http: call() == pytest.approx((0, 0)),
    "cog_bands": lambda call, http: call() == ["b1"],
    "cog_stats": lambda call, http: call()["b1"]["percentile_2"] < call()["b1"]["percentile_98"],
    "cog_pixel_value": lambda call, http: isinstance(call(20, 10, bidx=1)["b1"], (int, float)),
    "cog_tile": lambda call, http: picture_of(http, call(colormap_name="viridis")).any(),
    "cog_tile_vmin_vmax": lambda call, http: call()[0] < call()[1],
    "stac_info": lambda call, http: call(assets="rain")["rain"]["dtype"] == "int16",
    "stac_info_geojson": lambda call, http: call(assets="rain")["type"] == "Feature",
    "stac_bounds": lambda call, http: call() == pytest.approx([-180, -90, 180, 90]),
    "stac_center": lambda call, http: call() == pytest.approx((0, 0)),
    "stac_bands": lambda call, http: call() == ["rain"],
    "stac_assets": lambda call, http: call() == ["rain"],
    "stac_stats": lambda call, http: "percentile_2" in call(assets="rain")["b1"],
    "stac_min_max": lambda call, http: call(assets="rain")[0] < call(assets="rain")[1],
    "stac_pixel_value": lambda call, http: len(call(20, 10, assets=["rain"])) == 1,
    "stac_tile": lambda call, http: picture_of(http, call(assets="rain", palette="magma")).any(),
}


@pytest.mark.parametrize("name", [name for name, answer in FUNCTIONS if answer == "yes"])
def test_leafmap(http, leafmap, rain, name):
    url = rain["item" if name.startswith("stac") else "cog"]

    def call(*place, **options):
        return getattr(leafmap, name)(*place, url=url, titiler_endpoint=f"{http.server.url}/titiler", **options)

    assert LEAFMAP[name](call, http)


def test_every_function_of_leafmap_is_spoken_of(leafmap):
    assert {name for name, answer in FUNCTIONS if answer == "yes"} == set(LEAFMAP)
    assert all(hasattr(leafmap, name) for name, _ in FUNCTIONS)
