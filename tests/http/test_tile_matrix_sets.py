"""Tile matrix sets by file (--tile-matrix-sets): morecantile's own are listed and drawn where morecantile and rio-tiler have
them; what is wrong in a file is said with its name and field, at the start, in the list, to whoever asks, and by doctor."""
import io
import json
import pathlib
import shutil
import signal
import time

import golden
import morecantile
import numpy as np
import pyproj
import pytest
import rasterio
from conftest import Client
from rio_tiler.io import Reader

DATA = pathlib.Path(morecantile.__file__).parent / "data"
COALESCED = {"CDB1GlobalGrid", "GNOSISGlobalGrid"}
# name: (a place on land or sea of the set, a zoom at which a pixel is smaller than the data's cells)
DRAWN = {"EuropeanETRS89_LAEAQuad": (10, 50, 6), "CanadianNAD83_LCC": (-100, 55, 8), "UTM31WGS84Quad": (3, 48, 8),
         "NZTM2000Quad": (173, -41, 5), "UPSArcticWGS84Quad": (40, 83, 7), "LINZAntarticaMapTilegrid": (170, -78, 5),
         "WorldMercatorWGS84Quad": (20, 60, 6), "WorldCRS84Quad": (-179, 88, 4), "WebMercatorQuad": (100, -60, 5)}


@pytest.fixture(scope="module")
def mine(start, store):
    """A server with morecantile's folder as it is installed."""
    with Client(start(store, "--tile-matrix-sets", DATA)) as client:
        yield client


@pytest.fixture(scope="module")
def cog(mine):
    feature = mine.ok("/stac/collections/fine/items", limit=1).json()["features"][0]
    return feature["assets"]["depth"]["href"]


def test_all_of_morecantile_are_listed_as_they_are(mine):
    listed = mine.ok("/tileMatrixSets").json()
    names = {path.stem for path in DATA.glob("*.json")}
    assert {each["id"] for each in listed["tileMatrixSets"]} == names - COALESCED
    assert {each["file"]: each["message"].split(":")[1].strip() for each in listed["refused"]} == {
        f"{name}.json": "variableMatrixWidths" for name in COALESCED}
    for each in listed["tileMatrixSets"]:
        assert mine.get(each["links"][0]["href"]).json() == json.loads((DATA / f"{each['id']}.json").read_text())


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("method", ("nearest", "bilinear"))
def test_tiles_equal_those_of_gdal_and_rio_tiler(mine, cog, sources, name, method):
    lon, lat, zoom = DRAWN[name]
    tms = morecantile.tms.get(name)
    tile = tms.tile(lon, lat, zoom)
    at = f"/tiles/fine/{name}/{zoom}/{tile.x}/{tile.y}"
    bounds = tms.xy_bounds(tile)
    with rasterio.open(io.BytesIO(mine.ok(f"{at}.tif", resampling=method).content)) as file:
        assert file.bounds == pytest.approx((bounds.left, bounds.bottom, bounds.right, bounds.top), rel=1e-9)
        assert file.crs.to_epsg() == tms.crs.to_epsg() or name == "WorldCRS84Quad"
        got = file.read(1).astype("f8")
        exact = golden.warp_to(golden.north_up(sources["fine"], sources["fine"].values["depth"][-1]), file.transform, file.crs, method)
    with Reader(cog, tms=tms) as reader:
        want = reader.tile(tile.x, tile.y, zoom, tilesize=256, resampling_method="nearest", reproject_method=method).array[0]
    there = ~np.ma.getmaskarray(want)
    both = there & np.isfinite(got)
    assert both.mean() > 0.3 and (there == np.isfinite(got)).mean() > 0.98
    limit = 0.02 * np.std(want.compressed())
    assert np.isfinite(exact[both]).mean() > 0.99 and (np.abs(got - exact)[both] <= limit).mean() > 0.99
    # rio-tiler's transformer may be off by an eighth of a pixel, and it smooths where cells lie closer one way than the other
    apart = np.abs(got - want.filled(0).astype("f8"))[both]
    assert (apart <= limit).mean() > 0.94 if method == "nearest" else apart.mean() < 0.1 * np.std(want.compressed())


@pytest.mark.parametrize("name", ("NZTM2000Quad", "UTM31WGS84Quad", "WorldCRS84Quad", "WebMercatorQuad"))
def test_tilejson_of_a_set(mine, name):
    """Its template leads to tiles of the set; its zooms are the set's own, to the one of the data's quarter of a degree."""
    lon, lat, _ = DRAWN[name]
    told, tms = mine.ok(f"/tiles/fine/{name}/tilejson.json", resampling="bilinear").json(), morecantile.tms.get(name)
    assert told["minzoom"] == tms.minzoom <= told["center"][2] <= told["maxzoom"] <= tms.maxzoom
    metres = [tms.matrix(zoom).scaleDenominator * 0.00028 for zoom in (told["maxzoom"], told["maxzoom"] - 1)]
    assert metres[0] <= 0.25 * 111320 < metres[1]
    tile = tms.tile(lon, lat, told["maxzoom"])
    answer = mine.get(told["tiles"][0].format(x=tile.x, y=tile.y, z=tile.z))
    assert answer.content == mine.ok(f"/tiles/fine/{name}/{tile.z}/{tile.x}/{tile.y}.png", resampling="bilinear").content
    mine.problem(404, "/tiles/fine/NoSuchQuad/tilejson.json")


# ---- sets of one's own

def square(**changes):
    """Two levels over the metres of EPSG:3035 around its origin."""
    matrices = [{"id": str(z), "scaleDenominator": 1, "cellSize": 8000 / 2**z, "pointOfOrigin": [5500000, 2000000],
                 "tileWidth": 256, "tileHeight": 256, "matrixWidth": 2**z, "matrixHeight": 2**z} for z in range(2)]
    return {"id": "mine", "crs": "http://www.opengis.net/def/crs/EPSG/0/3035", "tileMatrices": matrices, **changes}


def matrix(**changes):
    return square(tileMatrices=[{**square()["tileMatrices"][0], **changes}])


def without(table, *path):
    for key in path[:-1]:
        table = table[key]
    del table[path[-1]]


LEFT_OUT = square()
without(LEFT_OUT, "tileMatrices", 1, "pointOfOrigin")

WRONG = {
    "text": ("[1, 2", "text.json: "), "list": ("[1]", "crs"), "other": (square(id="x"), "id is x"),
    "nocrs": (square(id="nocrs", crs=3), "crs"), "unknown": (square(id="unknown", crs="EPSG:99999"), "crs: PROJ does not know"),
    "axes": (square(id="axes", orderedAxes=["E"]), "orderedAxes"), "none": (square(id="none", tileMatrices=[]), "tileMatrices is"),
    "name": (matrix(id="low"), "tileMatrices[0]: id is low"), "cell": (matrix(cellSize="1"), "tileMatrices[0]: cellSize"),
    "half": (matrix(matrixWidth=1.5), "tileMatrices[0]: matrixWidth"), "oblong": (matrix(tileHeight=512), "tileHeight 512"),
    "corner": (matrix(cornerOfOrigin="topRight"), "cornerOfOrigin is topRight"), "origin": (LEFT_OUT, "tileMatrices[1]: pointOfOrigin"),
    "wide": (matrix(variableMatrixWidths=[{"coalesce": 2, "minTileRow": 0, "maxTileRow": 0}]), "coalesced"),
}


def put(folder, name, content):
    text = content if isinstance(content, str) else json.dumps({**content, "id": name} if content["id"] == "mine" else content)
    (folder / f"{name}.json").write_text(text)


def test_what_is_wrong_is_told_by_file_and_field(start, store, rastrum, tmp_path):
    for name, (content, _) in WRONG.items():
        put(tmp_path, name, content)
    put(tmp_path, "a b", square())
    put(tmp_path, "good", square())
    with Client(start(store, "--tile-matrix-sets", tmp_path)) as http:
        listed = http.ok("/tileMatrixSets").json()
        refused = {each["file"]: each["message"] for each in listed["refused"]}
        assert set(refused) == {f"{name}.json" for name in (*WRONG, "a b")} and "rename" in refused["a b.json"]
        assert "good" in {each["id"] for each in listed["tileMatrixSets"]}
        log = http.server.log()
        for name, (_, words) in WRONG.items():
            detail = http.problem(400, f"/tiles/globe/{name}/0/0/0.png")["detail"]
            assert f"{name}.json: " in detail and words in detail, detail
            assert words in f"{name}.json: {refused[f'{name}.json']}" and f"{name}.json" in log
        http.problem(400, "/tileMatrixSets/oblong")
    told = rastrum("doctor", "--store", store, "--listen", "127.0.0.1:0", "--tile-matrix-sets", tmp_path, code=1).stdout
    assert "oblong.json: tileMatrices[0]: tileWidth is 256 and tileHeight 512" in told


def test_axes_and_corners_that_the_file_leaves_to_others(start, store, tmp_path):
    """Without orderedAxes pairs are as the CRS has them; null is as good as nothing; rows may be counted from below."""
    put(tmp_path, "plain", square(orderedAxes=None))
    put(tmp_path, "said", square(orderedAxes=["X", "Y"], tileMatrices=[
        {**each, "pointOfOrigin": each["pointOfOrigin"][::-1]} for each in square()["tileMatrices"]]))
    put(tmp_path, "below", square(crs={"wkt": json.loads(pyproj.CRS("EPSG:3035").to_json())}, tileMatrices=[
        {**each, "cornerOfOrigin": "bottomLeft", "pointOfOrigin": [5500000 - 8000 * 256, 2000000]} for each in square()["tileMatrices"]]))
    with Client(start(store, "--tile-matrix-sets", tmp_path)) as http:
        tif = {name: http.ok(f"/tiles/europe/{name}/1/0/{row}.tif", variable="heat").content
               for name, row in (("plain", 0), ("said", 0), ("below", 1))}
    with rasterio.open(io.BytesIO(tif["plain"])) as file:
        assert file.bounds == pytest.approx((2000000, 5500000 - 4000 * 256, 2000000 + 4000 * 256, 5500000))
    assert tif["plain"] == tif["said"] == tif["below"]


def test_a_file_is_seen_after_a_reload(start, store, tmp_path):
    with Client(start(store, "--tile-matrix-sets", tmp_path)) as http:
        http.problem(404, "/tileMatrixSets/NZTM2000Quad")
        shutil.copy(DATA / "NZTM2000Quad.json", tmp_path)
        http.server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 60
        while http.get("/tileMatrixSets/NZTM2000Quad").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert http.ok("/tiles/globe/NZTM2000Quad/0/0/0.png").content[:4] == b"\x89PNG"


def test_a_folder_that_is_not_there(rastrum, tmp_path):
    told = rastrum("doctor", "--tile-matrix-sets", tmp_path / "none", code=1).stdout
    assert "--tile-matrix-sets" in told and "there is no such folder" in told
