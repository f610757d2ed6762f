"""The real titiler beside us: the same COG, the same address and the same parameters, whose pictures and numbers agree; where
they do not, plugins/tiles/README.md says why. Cells lie within an eighth of a pixel of their place there (GDAL's approximate
transformer), so that a few pixels at the edges of cells have their neighbour's value."""
import contextlib
import io
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import httpx
import morecantile
import numpy as np
import pytest
import rasterio
from conftest import Client
from PIL import Image

pytestmark = pytest.mark.release_only  # it is titiler that works here
DATA = pathlib.Path(morecantile.__file__).parent / "data"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def titiler(shared, tmp_path_factory):
    runner = shared / "tools" / "clients" / "run_titiler.sh"
    if not runner.exists():
        pytest.skip(f"titiler's runner is not at {runner}")
    port, log = free_port(), tmp_path_factory.mktemp("titiler") / "log"
    with open(log, "wb") as sink:
        process = subprocess.Popen([runner, str(port), "1"], stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT,
                                   start_new_session=True, env={**os.environ, "PEERS_DIR": str(pathlib.Path(sys.prefix).parent)})
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
        deadline = time.monotonic() + 180
        while True:
            with contextlib.suppress(httpx.TransportError):
                if client.get("/ready").status_code == 200:
                    break
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield client
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(30)


@pytest.fixture(scope="module")
def ours(start, store):
    with Client(start(store, "--tile-matrix-sets", DATA)) as client:
        yield client


@pytest.fixture(scope="module")
def cogs(ours):
    found = {}
    for collection in ("fine", "globe", "packed", "alps", "zone"):
        item = ours.ok(f"/stac/collections/{collection}/items", limit=1).json()["features"][0]
        found.update({key: asset["href"] for key, asset in item["assets"].items() if asset["href"].endswith(".tif")})
    return found


@pytest.fixture
def both(ours, titiler, cogs):
    """both(address below /cog, the COG's variable, parameters) -> what we answer, what titiler answers."""

    def ask(address, name, status=200, **params):
        params = {"url": cogs[name], **params}
        if params.get("resampling"):
            params["reproject"] = params["resampling"]
        answers = [client.get(f"{prefix}/cog/{address}", params=params) for client, prefix in ((ours, "/titiler"), (titiler, ""))]
        for answer in answers:
            assert answer.status_code == status, f"{answer.url}: {answer.status_code} {answer.text[:300]}"
        return answers

    return ask


def rgba(answer):
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA")).astype(int)


def alike(a, b, step=2, share=0.95, masks=0.99):
    """Shapes are equal, masks nearly, and where both have something nearly all pixels are within `step` levels."""
    assert a.shape == b.shape
    both = (a[..., 3] > 0) & (b[..., 3] > 0)
    assert both.any() and ((a[..., 3] > 0) == (b[..., 3] > 0)).mean() >= masks
    near = (np.abs(a - b)[..., :3].max(axis=-1) <= step)[both].mean()
    assert near >= share, f"{near:.4f} of the pixels are alike"


def planes(answer):
    array = np.load(io.BytesIO(answer.content))
    return array[:-1].astype("f8"), array[-1] > 0  # titiler's mask has the type's extremes: above 0 is there


def numbers_alike(a, b, scale, share=0.95, masks=0.99):
    (values, mask), (theirs, own) = a, b
    assert values.shape == theirs.shape and (mask == own).mean() >= masks and (mask & own).any()
    near = (np.abs(values - theirs).max(axis=0) <= 0.002 * scale)[mask & own].mean()
    assert near >= share, f"{near:.4f} of the values are alike"


DEEP = {"rescale": "-6000,6000", "colormap_name": "viridis"}
AT = "tiles/WebMercatorQuad/4/9/5"


# ---- looks


@pytest.mark.parametrize("resampling", ("nearest", "bilinear", "cubic", "cubic_spline", "lanczos"))
def test_resampling(both, resampling):
    alike(*map(rgba, both(f"{AT}.png", "depth", resampling=resampling, **DEEP)), step=6)


@pytest.mark.parametrize("formula", ("gamma r 1.7", "sigmoidal r 6 0.4", "gamma r 0.8, sigmoidal r 3 0.5"))
def test_color_formula_of_one_band(both, formula):
    alike(*map(rgba, both(f"{AT}.png", "depth", color_formula=formula, **DEEP)), step=4)


@pytest.mark.parametrize("formula", ("gamma rgb 1.4", "sigmoidal rgb 5 0.5 saturation 1.5", "saturation 0.3"))
def test_color_formula_of_three_bands(both, formula):
    alike(*map(rgba, both("tiles/WebMercatorQuad/3/2/3.png", "wind", bidx=[1, 2, 3], rescale="0,60", color_formula=formula)), step=3)


@pytest.mark.parametrize("ranges", (["0,60"], ["0,60", "10,50", "20,40"], ["5,55", "0,10"]))
def test_rescale_once_or_for_each_band(both, ranges):
    """One for all; one each; where the counts differ, the first for all."""
    alike(*map(rgba, both("tiles/WebMercatorQuad/3/2/3.png", "wind", bidx=[3, 1, 2], rescale=ranges)), step=2)


LADDER = "{" + ",".join(f'"{i}":"#{i:02x}{255 - i:02x}{i // 2:02x}"' for i in range(256)) + "}"


@pytest.mark.parametrize("name, params", (
    ("depth", {"colormap": LADDER, "rescale": "-6000,6000"}),
    ("cover", {"colormap": '{"0":"#ff0000","1":"#00ff00","7":[0,0,255,255],"12":[9,8,7,255]}'}),
    ("cover", {"colormap": "[[[0,5],[255,0,0,255]],[[5,9],[0,255,0,255]],[[8,14],[0,0,255,255]]]"})))
def test_colormaps_as_json(both, name, params):
    """A table of 256 levels; some values, what is not among them transparent; intervals, of which later ones win."""
    alike(*map(rgba, both("tiles/WebMercatorQuad/7/66/45.png" if name == "cover" else f"{AT}.png", name, **params)), step=2)


@pytest.mark.parametrize("ramp", ("magma", "terrain", "rdbu_r", "ylgnbu"))
def test_named_ramps(both, ramp):
    alike(*map(rgba, both(f"{AT}.png", "depth", rescale="-6000,6000", colormap_name=ramp)), step=4)


@pytest.mark.parametrize("suffix, most", (("jpg", 4), ("webp", 5)))
def test_pictures_with_loss(both, suffix, most):
    """Decoded, they differ by no more than two encoders of the same quality; sizes in bytes are near each other."""
    a, b = both(f"{AT}.{suffix}", "depth", resampling="bilinear", **DEEP)
    one, other = (Image.open(io.BytesIO(answer.content)) for answer in (a, b))
    assert one.format == other.format and one.size == other.size == (256, 256)
    assert a.headers["content-type"].split(";")[0] == b.headers["content-type"].split(";")[0].replace("jpg", "jpeg")
    assert np.abs(np.asarray(one.convert("RGB")).astype(int) - np.asarray(other.convert("RGB"))).mean() < most
    assert 0.5 < len(a.content) / len(b.content) < 2


def test_without_a_mask(both):
    look = {"rescale": "262,298", "colormap_name": "viridis"}
    there = rgba(both("tiles/WebMercatorQuad/2/2/1.png", "sst", **look)[0])[..., 3] > 0
    one, other = (Image.open(io.BytesIO(answer.content)) for answer in both("tiles/WebMercatorQuad/2/2/1.png", "sst", return_mask=False, **look))
    assert "A" not in one.getbands() and "A" not in other.getbands() and "transparency" not in one.info
    a, b = (np.asarray(picture.convert("RGB")).astype(int) for picture in (one, other))
    alike_ones = np.abs(a - b).max(axis=-1) <= 2
    assert 0.2 < there.mean() < 0.9 and alike_ones[there].mean() > 0.95 and alike_ones[~there].mean() > 0.95


# ---- sizes


@pytest.mark.parametrize("params, side", (({"tilesize": 512}, 512), ({"tilesize": 128}, 128), ({"buffer": 8}, 272), ({"buffer": 0.5}, 257),
                                          ({"padding": 4}, 256), ({"buffer": 2, "padding": 3}, 260)))
@pytest.mark.parametrize("resampling", ("nearest", "bilinear"))
def test_sizes(both, params, side, resampling):
    a, b = map(planes, both(f"{AT}.npy", "depth", resampling=resampling, **params))
    assert a[0].shape == (1, side, side)
    numbers_alike(a, b, 12000, share=0.93)


def test_sharp_tiles(ours, titiler, cogs):
    """@2x, which titiler 1 had, is its tilesize=512."""
    one = rgba(ours.get(f"/titiler/cog/{AT}@2x.png", params={"url": cogs["depth"], **DEEP}))
    alike(one, rgba(titiler.get(f"/cog/{AT}.png", params={"url": cogs["depth"], "tilesize": 512, **DEEP})))


# ---- numbers


@pytest.mark.parametrize("expression", ("b1-b2", "b1*2;b3/4;b2", "sqrt(b1)+b2**2", "where(b1>30,b2,b3)", "(b1-b2)/(b1+b2)"))
def test_expressions(both, expression):
    numbers_alike(*map(planes, both("tiles/WebMercatorQuad/3/2/3.npy", "wind", expression=expression)), 60)


def test_an_expression_as_a_picture(both):
    alike(*map(rgba, both("tiles/WebMercatorQuad/3/2/3.png", "wind", expression="b1-b2", rescale="-60,60", colormap_name="rdbu")), step=3)


@pytest.mark.parametrize("params", ({}, {"unscale": True}, {"nodata": 0}, {"nodata": -2000}))
def test_stored_numbers_and_their_masks(both, params):
    a, b = map(planes, both("tiles/WebMercatorQuad/2/1/1.npy", "rain", **params))
    scale = 40 if params.get("unscale") else 16000
    if "nodata" in params:  # titiler takes the file's own missing number for a value then; ours stays missing as well
        assert (a[1] <= b[1]).all()
        b = (b[0], b[1] & (b[0][0] != -32768))
    numbers_alike(a, b, scale)


@pytest.mark.parametrize("bidx", ([2], [3, 1]))
def test_bands_by_number(both, bidx):
    numbers_alike(*map(planes, both("tiles/WebMercatorQuad/3/2/3.npy", "wind", bidx=bidx)), 60)


def test_geotiffs(both):
    a, b = (rasterio.open(io.BytesIO(answer.content)) for answer in both(f"{AT}.tif", "depth", resampling="bilinear"))
    with a, b:
        assert a.bounds == pytest.approx(b.bounds) and a.crs == b.crs and a.shape == b.shape
        one, other = a.read(1, masked=True), b.read(1, masked=True)
        there = ~np.ma.getmaskarray(other) & np.isfinite(one.filled(np.nan))
        assert there.mean() > 0.99 and (np.abs(one.filled(0) - other.filled(0).astype("f8")) <= 30)[there].mean() > 0.95


@pytest.mark.parametrize("tms, tile", (("WorldCRS84Quad", "3/9/2"), ("WGS1984Quad", "3/9/2"), ("EuropeanETRS89_LAEAQuad", "4/9/8"),
                                       ("UTM31WGS84Quad", "8/126/165"), ("NZTM2000Quad", "3/3/4"), ("WorldMercatorWGS84Quad", "4/9/5")))
@pytest.mark.parametrize("resampling", ("nearest", "bilinear"))
def test_other_tile_matrix_sets(both, tms, tile, resampling):
    alike(*map(rgba, both(f"tiles/{tms}/{tile}.png", "depth", resampling=resampling, **DEEP)), step=8, share=0.93)


# ---- addresses without a picture


@pytest.mark.parametrize("place", ("20,10", "-120.3,45.2", "150,-60"))
@pytest.mark.parametrize("name", ("rain", "wind", "depth"))
def test_points(both, name, place):
    a, b = (answer.json() for answer in both(f"point/{place}", name))
    assert a["values"] == pytest.approx(b["values"], rel=1e-6, nan_ok=True) and a["band_names"] == b["band_names"]
    assert a["coordinates"] == b["coordinates"]


def test_info(both):
    """Members that both have are equal, but for the bands' names and what GDAL's metadata say of them."""
    for name in ("rain", "wind", "cover", "snow"):
        a, b = (answer.json() for answer in both("info", name))
        assert a["bounds"] == pytest.approx(b["bounds"])
        for member in ("crs", "dtype", "nodata_type", "colorinterp", "scales", "offsets", "driver", "count", "width", "height"):
            assert a[member] == b[member], (name, member)
        assert [band for band, _ in a["band_descriptions"]] == [band for band, _ in b["band_descriptions"]]


def test_statistics(both):
    """Of a file with one step they are titiler's; without those for which every cell has to be looked at."""
    for name in ("height", "snow"):
        a, b = (answer.json()["b1"] for answer in both("statistics", name, p=[2, 25, 98]))
        for member in ("min", "max", "mean", "std", "count", "valid_percent", "valid_pixels", "masked_pixels"):
            assert a[member] == pytest.approx(b[member], rel=2e-3), (name, member)
        for member in ("percentile_2", "percentile_25", "percentile_98"):
            assert a[member] == pytest.approx(b[member], abs=0.01 * (b["max"] - b["min"])), (name, member)
        assert set(b) - set(a) == {"histogram", "median", "majority", "minority", "unique"}


def test_tilejson(both):
    a, b = (answer.json() for answer in both("WebMercatorQuad/tilejson.json", "height"))
    assert a["tilejson"] == b["tilejson"] and a["bounds"] == pytest.approx(b["bounds"]) and a["scheme"] == b["scheme"]
    assert {"version", "tiles", "minzoom", "maxzoom", "center"} <= set(a) & set(b)


def test_outside_is_404_for_both(both):
    for tile in ("5/16/20", "5/2/11"):
        both(f"tiles/WebMercatorQuad/{tile}.png", "height", status=404)


@pytest.mark.parametrize("params, status", (({"bidx": 9}, (404, 500)), ({"colormap_name": "nosuch"}, (422,)), ({"rescale": "a,b"}, (400, 422, 500)),
                                            ({"expression": "b1+"}, (400, 422, 500)), ({"resampling": "best"}, (422,)),
                                            ({"color_formula": "gama r 1"}, (400, 422, 500))))
def test_mistakes_are_400_here(ours, titiler, cogs, params, status):
    params = {"url": cogs["depth"], "rescale": "0,1", **params}
    assert ours.get(f"/titiler/cog/{AT}.png", params=params).status_code == 400
    # by a connection of its own: uvicorn ends it after a 500, and a later request on it would be reset
    assert titiler.get(f"/cog/{AT}.png", params=params, headers={"Connection": "close"}).status_code in status
