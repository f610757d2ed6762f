"""Tiles in every format and with every option, as independent readers see them; resampling as GDAL does it."""
import io
import pathlib
import shutil

import golden
import morecantile
import numexpr
import numpy as np
import pytest
import rasterio
from color_operations import parse_operations
from conftest import Client
from PIL import Image

AT = "/tiles/globe/2/1/1"
RANGE = "262,298"


def image(http, path, **params):
    return Image.open(io.BytesIO(http.ok(path, **{"variable": "sst", **params}).content))


def levels(http, **params):
    """The stretched levels and the mask, by the ramp whose grey is its level."""
    rgba = np.asarray(image(http, f"{AT}.png", rescale=RANGE, colormap_name="levels", **params).convert("RGBA"))
    return rgba[..., 0], rgba[..., 3] > 0


# ---- formats


def test_palette_rgba_and_16_bits(http):
    assert image(http, f"{AT}.png", rescale=RANGE).mode == "P"
    values = golden.npy(http.ok(f"{AT}.npy", variable="sst").content)
    one = image(http, "/tiles/globe/2/1/1.png", rescale=RANGE, bidx=[1, 1, 1])
    assert one.mode == "RGBA"
    rgba, (grey, mask) = np.asarray(one), levels(http)
    assert (rgba[..., 3] > 0).tolist() == mask.tolist()
    assert (rgba[mask][:, :3] == grey[mask][:, None]).all()
    with rasterio.open(io.BytesIO(http.ok(f"{AT}.png", variable="sst", rescale=RANGE, bits=16).content)) as deep:
        assert deep.dtypes == ("uint16", "uint16")
        cells, alpha = deep.read()
    bands, valid = values
    assert ((alpha == 65535) == valid).all()
    want = (np.clip(bands[0].astype("f8"), 262, 298) - 262) / 36 * 65535
    assert np.abs(cells.astype("f8") - want)[valid].max() <= 1


@pytest.mark.parametrize("suffix, kind, most", (("jpg", "image/jpeg", 12), ("webp", "image/webp", 14)))
def test_jpg_and_webp_show_the_png(http, suffix, kind, most):
    at = {"rescale": RANGE, "colormap_name": "viridis", "resampling": "bilinear"}
    answer = http.ok(f"{AT}.{suffix}", variable="sst", **at)
    assert answer.headers["content-type"] == kind
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.format == {"jpg": "JPEG", "webp": "WEBP"}[suffix] and picture.size == (256, 256)
    want = np.asarray(image(http, f"{AT}.png", return_mask=suffix == "webp", **at).convert("RGBA")).astype("i4")
    got = np.asarray(picture.convert("RGBA")).astype("i4")
    if suffix == "webp":
        assert (got[..., 3] == want[..., 3]).all()
    there = want[..., 3] > 0
    assert np.abs(got - want)[there].mean() < most


def test_tif_is_a_geotiff_of_the_values(http):
    answer = http.ok(f"{AT}.tif", variable="wind", bidx=[1, 2])
    bands, mask = golden.npy(http.ok(f"{AT}.npy", variable="wind", bidx=[1, 2]).content)
    with rasterio.open(io.BytesIO(answer.content)) as file:
        assert file.crs.to_epsg() == 3857 and np.isnan(file.nodata)
        edge = 20037508.342789244
        assert file.bounds == pytest.approx((-edge / 2, 0, 0, edge / 2), abs=1e-6)
        assert np.array_equal(file.read(), bands.astype(file.dtypes[0]), equal_nan=True)
        assert (np.isfinite(file.read()).any(0) == mask).all()


def test_npy_without_a_mask(http):
    with_mask = np.load(io.BytesIO(http.ok(f"{AT}.npy", variable="sst").content))
    without = np.load(io.BytesIO(http.ok(f"{AT}.npy", variable="sst", return_mask=False).content))
    assert np.array_equal(without, with_mask[:1], equal_nan=True)


def test_bits_belong_to_png(http):
    assert "bits" in http.problem(400, f"{AT}.jpg", variable="sst", bits=16)["detail"]
    assert "colormap_name" in http.problem(400, f"{AT}.png", variable="sst", bits=16, colormap_name="viridis")["detail"]


# ---- options


@pytest.mark.parametrize("buffer, size", ((0.5, 257), (1, 258), (8, 272)))
@pytest.mark.parametrize("method", ("nearest", "bilinear", "cubic"))
def test_buffer_adds_what_the_neighbours_have(http, buffer, size, method):
    one, _ = golden.npy(http.ok(f"{AT}.npy", variable="sst", buffer=buffer, resampling=method).content)
    assert one.shape == (1, size, size)
    if buffer < 1:
        return
    more = int(buffer)
    inner, _ = golden.npy(http.ok(f"{AT}.npy", variable="sst", resampling=method).content)
    assert np.allclose(one[0, more:-more, more:-more], inner[0], rtol=1e-6, equal_nan=True)
    east, _ = golden.npy(http.ok("/tiles/globe/2/2/1.npy", variable="sst", resampling=method).content)
    assert np.allclose(one[0, more:-more, -more:], east[0, :, :more], rtol=1e-6, equal_nan=True)


def test_a_buffer_is_of_halves(http):
    assert "buffer" in http.problem(400, f"{AT}.png", buffer=0.3)["detail"]


def test_padding_changes_nothing(http):
    plain = http.ok(f"{AT}.npy", variable="sst", resampling="bilinear").content
    assert http.ok(f"{AT}.npy", variable="sst", resampling="bilinear", padding=4).content == plain


FORMULAS = ("gamma r 1.7", "gamma rgb 0.6", "sigmoidal rgb 6 0.5", "sigmoidal r -4 0.3", "Gamma R 2, sigmoidal rgb 3 .4")


@pytest.mark.parametrize("formula", FORMULAS)
def test_color_formula_of_one_band(http, formula):
    """rio-color's own operations on the levels, before the ramp."""
    plain, mask = levels(http)
    got, _ = levels(http, color_formula=formula)
    bands = np.stack([plain] * 3).astype("f8") / 255
    for operation in parse_operations(formula):
        bands = np.clip(np.nan_to_num(operation(bands)), 0, 1)
    want = (bands[0] * 255).astype("u1")
    assert np.abs(got.astype("i4") - want)[mask].max() <= 1 and (got != plain)[mask].any()


@pytest.mark.parametrize("formula", (*FORMULAS, "saturation 1.6", "saturation 0", "gamma g 1.3 saturation 2 gamma b 0.8"))
def test_color_formula_of_three_bands(http, formula):
    params = {"variable": "wind", "bidx": [1, 2, 3], "rescale": ["-10,10", "-20,20", "-5,30"]}
    plain = np.asarray(Image.open(io.BytesIO(http.ok(f"{AT}.png", **params).content)).convert("RGBA"))
    got = np.asarray(Image.open(io.BytesIO(http.ok(f"{AT}.png", color_formula=formula, **params).content)).convert("RGBA"))
    mask = plain[..., 3] > 0
    bands = np.moveaxis(plain[..., :3], -1, 0).astype("f8") / 255
    for operation in parse_operations(formula):
        bands = np.clip(np.nan_to_num(operation(bands)), 0, 1)
    want = np.moveaxis((bands * 255).astype("u1"), 0, -1)
    assert mask.any() and np.abs(got[..., :3].astype("i4") - want)[mask].max() <= 1


@pytest.mark.parametrize("formula, word", (
    ("gama r 1", "gama"), ("gamma x 1", "x"), ("gamma r", "number"), ("gamma r -1", "above 0"), ("gamma r 1e9", "1e9"),
    ("sigmoidal rgb 3 2", "0 to 1"), ("saturation 1.5", "three bands"), ("gamma r 1 " * 17, "16")))
def test_a_wrong_formula_is_named(http, formula, word):
    detail = http.problem(400, f"{AT}.png", variable="sst", color_formula=formula)["detail"]
    assert "color_formula" in detail and word in detail


# ---- expressions


EXPRESSIONS = (
    "sst - 273.15", "sst * 2 + wind / 3 - 1", "-wind ** 2", "2 ** -1 * sst", "wind % 3", "where(wind > 0, sst, -sst)",
    "where((sst > 280) & ~(wind <= 0) | (wind == 1), 1, 0) + sst * 0", "sqrt(abs(wind)) + log10(sst)",
    "arctan2(wind, sst) * exp(-1.5e-1) - sinh(wind / 9)", "floor(wind) + ceil(wind)", "1 / (wind - wind) + sst * 0",
)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expression_equals_numexpr(http, expression):
    planes = {name: golden.npy(http.ok(f"{AT}.npy", variable=name).content) for name in ("sst", "wind")}
    used = [name for name in planes if name in expression]
    mask = np.logical_and.reduce([planes[name][1] for name in used])
    got, valid = golden.npy(http.ok(f"{AT}.npy", expression=expression).content)
    with np.errstate(all="ignore"):
        want = np.nan_to_num(numexpr.evaluate(expression, {name: planes[name][0][0].astype("f8") for name in used}))
    assert (valid == mask).all() and mask.any() and got.shape == (1, 256, 256)
    assert np.allclose(got[0][mask], want[mask], rtol=1e-9)


def test_expression_of_bands_and_of_several_results(http):
    bands, _ = golden.npy(http.ok(f"{AT}.npy", variable="wind", bidx=[1, 3]).content)
    got, mask = golden.npy(http.ok(f"{AT}.npy", variable="wind", expression='b1 - b3; "wind" ; b3').content)
    assert np.allclose(got[:, mask], np.stack([bands[0] - bands[1], bands[0], bands[1]]).astype("f8")[:, mask], atol=1e-6)
    picture = image(http, f"{AT}.png", expression="sst; sst; sst", rescale=RANGE)
    grey, there = levels(http)
    assert (np.asarray(picture.convert("RGBA"))[there][:, 1] == grey[there]).all()


def test_expression_is_drawn_like_a_variable(http):
    plain, mask = levels(http)
    got = np.asarray(image(http, f"{AT}.png", expression="sst - 262", rescale="0,36", colormap_name="levels").convert("RGBA"))
    assert ((got[..., 3] > 0) == mask).all()
    assert np.abs(got[..., 0].astype("i4") - plain)[mask].max() <= 1
    carried = http.ok("/tiles/globe/tilejson.json", expression="sst - 262", rescale="0,36").json()
    assert "expression=sst%20-%20262" in carried["tiles"][0]


@pytest.mark.parametrize("expression, word", (
    ("sst +", "value"), ("sst sst", "operator"), ("nosuch(sst)", "nosuch"), ("salinity * 2", "salinity"), ("1 + 2", "no variable"),
    ("(" * 40 + "sst", "nested"), ("-" * 40 + "sst", "nested"), ("sst" + "+1" * 600, "operations"), ("where(sst, 1)", "','"),
    ("sst;" * 20 + "sst", "results"), ('"sst', "ends"), ("sst.__class__", "operator"), ("b9", "bidx"), ("sst" * 800, "")))
def test_a_wrong_expression_is_named(http, expression, word):
    detail = http.problem(400, f"{AT}.png", expression=expression, rescale="0,1")["detail"]
    assert word in detail and ("expression" in detail or word == "bidx")


def test_an_expression_needs_its_range(http):
    assert "rescale" in http.problem(400, f"{AT}.png", expression="sst - 1")["detail"]
    assert "bidx" in http.problem(400, f"{AT}.png", expression="sst - 1", rescale="0,1", bidx=1)["detail"]


# ---- resampling


METHODS = [(name, zoom) for name in ("cubic", "cubic_spline", "lanczos") for zoom in (4, 6)]
METHODS += [(name, zoom) for name in ("average", "rms") for zoom in (2, 4)] + [("mode", 5)]


@pytest.mark.parametrize("method, zoom", METHODS)
def test_resampling_equals_gdal(http, sources, method, zoom):
    source = sources["globe"]
    plane = source.values["sst"][-1]
    grid = golden.north_up(source, plane)
    x, y = golden.tile_at(*source.lonlat(len(source.y) // 3, len(source.x) // 2), zoom)
    bands, mask = golden.npy(http.ok(f"/tiles/globe/{zoom}/{x}/{y}.npy", variable="sst", resampling=method).content)
    want = golden.warp(grid, zoom, x, y, method)
    both = mask & np.isfinite(want)
    assert both.mean() > 0.1 and (mask == np.isfinite(want)).mean() > 0.97
    error = np.abs(bands[0] - want)[both] / np.nanstd(plane)
    assert np.quantile(error, 0.9) < 0.02, np.quantile(error, (0.5, 0.9, 0.99))


def test_gauss_smooths(http):
    near, mask = golden.npy(http.ok(f"{AT}.npy", variable="sst", resampling="nearest").content)
    soft, _ = golden.npy(http.ok(f"{AT}.npy", variable="sst", resampling="gauss").content)
    step = [np.nanmean(np.abs(np.diff(each[0], axis=1))) for each in (near, soft)]
    assert step[1] < step[0] and abs(np.nanmean(near) - np.nanmean(soft)) < 0.5 and mask.any()


# ---- tile matrix sets


OWN = ("EuropeanETRS89_LAEAQuad", "CDB1GlobalGrid")
PLUGIN = '''
local M = { name = "sets", api = 1, tile_matrix_sets = {} }
for _, name in ipairs { "EuropeanETRS89_LAEAQuad", "CDB1GlobalGrid" } do
  M.tile_matrix_sets[name] = rastrum.json.decode(rastrum.asset(name .. ".json"))
end
return M
'''


@pytest.fixture(scope="module")
def sets(start, store, tmp_path_factory):
    """A server with a plugin that carries two of morecantile's own files."""
    folder = tmp_path_factory.mktemp("plugins") / "sets"
    folder.mkdir()
    (folder / "init.lua").write_text(PLUGIN)
    for name in OWN:
        shutil.copy(pathlib.Path(morecantile.__file__).parent / "data" / f"{name}.json", folder)
    with Client(start(store, "--plugins", folder.parent)) as client:
        yield client


def test_tile_matrix_sets_are_morecantile_s(http, shared):
    listed = http.ok("/tileMatrixSets").json()["tileMatrixSets"]
    assert {"WebMercatorQuad", "WorldCRS84Quad", "WGS1984Quad"} <= {each["id"] for each in listed}
    for each in listed:
        served = http.get(each["links"][0]["href"]).json()
        mine, own = morecantile.TileMatrixSet(**served), morecantile.tms.get(each["id"])
        assert mine.crs.to_epsg() == own.crs.to_epsg() or "CRS84" in str(served["crs"])
        for tile in ((0, 0, 0), (3, 2, 5), (9, 13, 20)):
            assert mine.xy_bounds(*tile) == own.xy_bounds(*tile)
    assert "WorldCRS84Quad" in http.problem(404, "/tileMatrixSets/WorldCRS84Qua")["detail"]


@pytest.mark.parametrize("name", ("WorldCRS84Quad", "WGS1984Quad", "EuropeanETRS89_LAEAQuad"))
@pytest.mark.parametrize("method", ("nearest", "bilinear"))
def test_tiles_of_other_sets_equal_gdal(sets, sources, name, method):
    """Read back as a GeoTIFF, the place is what morecantile says, and the values are what GDAL warps there."""
    source, tms = sources["globe"], morecantile.tms.get(name)
    grid = golden.north_up(source, source.values["sst"][-1])
    tile = tms.tile(10, 50, 3)
    answer = sets.ok(f"/tiles/globe/{name}/3/{tile.x}/{tile.y}.tif", variable="sst", resampling=method)
    with rasterio.open(io.BytesIO(answer.content)) as file:
        bounds = tms.xy_bounds(tile)
        assert file.bounds == pytest.approx((bounds.left, bounds.bottom, bounds.right, bounds.top), rel=1e-9)
        assert file.crs.to_epsg() == tms.crs.to_epsg() or name == "WorldCRS84Quad"
        got, transform = file.read(1).astype("f8"), file.transform
        want = golden.warp_to(grid, transform, file.crs, method)
    both = np.isfinite(got) & np.isfinite(want)
    assert both.mean() > 0.3 and (np.isfinite(got) == np.isfinite(want)).mean() > 0.99
    error = np.abs(got - want)[both]
    assert (error < 1e-3 * np.nanstd(want)).mean() > 0.97, np.quantile(error, (0.5, 0.9, 0.99))


@pytest.mark.parametrize("path, word", (
    ("NoSuchQuad/0/0/0", "NoSuchQuad"), ("WorldCRS84Quad/0/2/0", "x"), ("WorldCRS84Quad/0/0/1", "y"),
    ("WorldCRS84Quad/24/0/0", "matrix 24"), ("CDB1GlobalGrid/0/0/0", "coalesced")))
def test_a_wrong_tile_of_a_set_is_named(sets, path, word):
    answer = sets.get(f"/tiles/globe/{path}.png")
    assert answer.status_code in (400, 404) and word in answer.json()["detail"]
