"""Tiles hold what GDAL's warper makes of the same cells; what their parameters mean; seams, edges, empty tiles."""
import json

import golden
import numpy as np
import pytest

# collection, variable, (low, high) of the stretch, zooms from about a pixel a cell on
GOLDEN = {"globe": ("sst", (262, 298), (0, 2, 5)), "europe": ("heat", (-10, 35), (3, 5, 8)),
          "zone": ("snow", (0, 3), (7, 9, 12))}
CASES = [(name, zoom) for name, (_, _, zooms) in GOLDEN.items() for zoom in zooms]


def last(source, variable):
    """The plane that is drawn when no time is asked for; of the first level."""
    values = source.values[variable]
    while values.ndim > 2:
        values = values[-1] if source.times and values.shape[0] == len(source.times) else values[0]
    return values


def middle(source, column=0.5, row=0.5):
    return source.lonlat(int(len(source.y) * row), int(len(source.x) * column))


def numbers(http, collection, z, x, y, scale="", **params):
    return golden.npy(http.ok(f"/tiles/{collection}/{z}/{x}/{y}{scale}.npy", **params).content)


def greys(http, collection, z, x, y, low, high, **params):
    """(levels, mask) of a picture with the ramp whose grey is its level."""
    answer = http.ok(f"/tiles/{collection}/{z}/{x}/{y}.png", colormap_name="levels", rescale=f"{low},{high}", **params)
    assert answer.headers["content-type"] == "image/png"
    rgba = golden.png(answer.content)
    mask = rgba[..., 3] == 255
    assert set(np.unique(rgba[..., 3])) <= {0, 255}
    assert (rgba[mask][:, 0] == rgba[mask][:, 1]).all() and (rgba[mask][:, 0] == rgba[mask][:, 2]).all()
    return rgba[..., 0], mask


def case(sources, name, zoom):
    variable, stretch, _ = GOLDEN[name]
    source = sources[name]
    grid = golden.north_up(source, last(source, variable))
    x, y = golden.tile_at(*middle(source), zoom)
    return variable, stretch, grid, x, y


@pytest.mark.parametrize("name, zoom", CASES)
def test_nearest_equals_gdal(http, sources, name, zoom):
    variable, stretch, grid, x, y = case(sources, name, zoom)
    bands, mask = numbers(http, name, zoom, x, y, variable=variable, resampling="nearest")
    assert bands.shape == (1, 256, 256) and mask.any()
    share, wrong = golden.unequal_nearest(bands[0], mask, grid, zoom, x, y)
    assert share <= 0.005 and wrong == 0, (share, wrong)
    grey, painted = greys(http, name, zoom, x, y, *stretch, variable=variable, resampling="nearest")
    assert (painted == mask).all()
    assert (grey[mask] == golden.levels(bands[0], *stretch)[mask]).mean() >= 0.995


@pytest.mark.parametrize("name, zoom", CASES)
def test_bilinear_equals_gdal(http, sources, name, zoom):
    variable, stretch, grid, x, y = case(sources, name, zoom)
    grey, mask = greys(http, name, zoom, x, y, *stretch, variable=variable, resampling="bilinear")
    assert mask.any()
    share, most = golden.unequal_bilinear(grey, mask, grid, zoom, x, y, *stretch)
    assert share <= 0.001 and most <= 3, (share, most)


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("axis", (0, 1))
def test_the_comparison_sees_a_shift_of_one_pixel(http, sources, name, axis):
    zoom = GOLDEN[name][2][0]
    variable, stretch, grid, x, y = case(sources, name, zoom)
    bands, mask = numbers(http, name, zoom, x, y, variable=variable, resampling="nearest")
    share, _ = golden.unequal_nearest(np.roll(bands[0], 1, axis), np.roll(mask, 1, axis), grid, zoom, x, y)
    assert share > 0.005
    grey, mask = greys(http, name, zoom, x, y, *stretch, variable=variable, resampling="bilinear")
    share, most = golden.unequal_bilinear(np.roll(grey, 1, axis), np.roll(mask, 1, axis), grid, zoom, x, y, *stretch)
    assert share > 0.001 or most > 3


@pytest.mark.parametrize("zoom, coarsest", ((0, 2), (1, 1), (2, 0), (3, 0)))
@pytest.mark.parametrize("method", ("nearest", "bilinear"))
def test_small_scales_come_from_overviews(http, sources, zoom, coarsest, method):
    """A pixel is 1.4 degrees at zoom 0 and a cell 0.25: one level of the pyramid answers, not coarser than a pixel,
    and not more than about a pixel finer than need be."""
    source = sources["fine"]
    grids = [golden.north_up(source, last(source, "depth"))]
    for _ in range(3):
        grids.append(golden.halved(grids[-1]))
    x, y = golden.tile_at(40, 30, zoom)
    bands, mask = numbers(http, "fine", zoom, x, y, variable="depth", resampling=method)
    errors = []
    for grid in grids:
        want = golden.warp(grid, zoom, x, y, method)
        both = mask & np.isfinite(want)
        errors.append(float(np.quantile(np.abs(bands[0] - want)[both], 0.99)))
    best = int(np.argmin(errors))
    assert errors[best] <= 3, errors  # of 12,000; averages may be rounded to the cells' own type
    assert best in (coarsest, max(coarsest - 1, 0)), errors


def test_npy_gives_the_cells_of_the_file(http, sources):
    """Half a million pixels a cell wide: every value is one of the source's, in place, exactly."""
    source = sources["alps"]
    for variable, row, column in (("height", 12, 33), ("height", 69, 119), ("cover", 40, 7)):
        x, y = golden.tile_at(*source.lonlat(row, column), 14)
        bands, mask = numbers(http, "alps", 14, x, y, variable=variable)
        assert mask.all() and bands.dtype in (np.float32, np.float64)
        assert source.values[variable][row, column] in bands[0]
        assert np.isin(bands[0], source.values[variable]).all()


def test_npy_gives_values_or_stored_numbers(http, sources):
    source = sources["packed"]
    plane = last(source, "rain")
    x, y = golden.tile_at(*source.lonlat(30, 60), 9)
    bands, mask = numbers(http, "packed", 9, x, y, variable="rain")
    assert mask.all()
    value = bands[0, 128, 128]
    near = np.nanmin(np.abs(plane - value))
    assert near <= 1e-6 * abs(value)
    stored, _ = numbers(http, "packed", 9, x, y, variable="rain", unscale="false")
    assert (stored == np.round(stored)).all()
    assert np.allclose(stored * 0.0025 + 20.0, bands, rtol=1e-6)
    again, _ = numbers(http, "packed", 9, x, y, variable="rain", unscale="true")
    assert (again == bands).all()


@pytest.mark.parametrize("suffix, size", (("", 256), ("@1x", 256), ("@2x", 512), ("@3x", 768), ("@4x", 1024)))
def test_sharper_tiles(http, suffix, size):
    bands, mask = numbers(http, "globe", 2, 1, 1, suffix, variable="sst")
    assert bands.shape == (1, size, size) and mask.shape == (size, size)
    picture = golden.png(http.ok(f"/tiles/globe/2/1/1{suffix}.png").content)
    assert picture.shape[:2] == (size, size)


def test_tilesize(http):
    large, _ = numbers(http, "globe", 2, 1, 1, variable="sst", tilesize=512)
    sharp, _ = numbers(http, "globe", 2, 1, 1, "@2x", variable="sst")
    assert large.shape == (1, 512, 512) and np.array_equal(large, sharp, equal_nan=True)
    small, _ = numbers(http, "globe", 2, 1, 1, variable="sst", tilesize=128)
    assert small.shape == (1, 128, 128)


@pytest.mark.parametrize("name, zoom", (("globe", 2), ("europe", 4), ("zone", 8)))
@pytest.mark.parametrize("method", ("nearest", "bilinear"))
def test_a_tile_is_its_four_children(http, sources, name, zoom, method):
    """The same pixels at one zoom at twice the size and at the next: so neighbours agree on their edges."""
    variable, (low, high), grid, x, y = case(sources, name, zoom)
    whole, mask = numbers(http, name, zoom, x, y, "@2x", variable=variable, resampling=method)
    parts = [[numbers(http, name, zoom + 1, 2 * x + i, 2 * y + j, variable=variable, resampling=method)
              for i in (0, 1)] for j in (0, 1)]
    bands = np.block([[parts[j][i][0][0] for i in (0, 1)] for j in (0, 1)])
    masks = np.block([[parts[j][i][1] for i in (0, 1)] for j in (0, 1)])
    assert (mask != masks).mean() <= 0.002
    both = mask & masks
    step = np.abs(whole[0] - bands)[both] / (high - low) * 255
    if method == "nearest":
        assert (step == 0).mean() >= 0.995
    else:
        assert (step <= 1).mean() >= 0.999 and step.max() <= 3


@pytest.mark.parametrize("zoom", (1, 3, 6))
@pytest.mark.parametrize("method", ("nearest", "bilinear"))
@pytest.mark.parametrize("meridian", (0, 180))
def test_no_seam(http, sources, zoom, method, meridian):
    """On both sides of 0 and 180 degrees: no column without data, and values as even as anywhere."""
    grid = golden.north_up(sources["globe"], sources["globe"].values["wind"][-1, 0])
    n = 2**zoom
    east = n // 2 if meridian == 0 else 0
    west = (east - 1) % n
    row = golden.tile_at(0, 35, zoom)[1]
    left, left_mask = numbers(http, "globe", zoom, west, row, variable="wind", resampling=method)
    right, right_mask = numbers(http, "globe", zoom, east, row, variable="wind", resampling=method)
    assert left_mask.all() and right_mask.all()
    for bands, mask, x in ((left, left_mask, west), (right, right_mask, east)):
        if method == "nearest":
            share, wrong = golden.unequal_nearest(bands[0], mask, grid, zoom, x, row)
            assert share <= 0.005 and wrong == 0
        else:
            grey = golden.levels(bands[0], 0, 60)
            share, most = golden.unequal_bilinear(grey, mask, grid, zoom, x, row, 0, 60)
            assert share <= 0.001 and most <= 3


@pytest.mark.parametrize("collection, tile", (("alps", "5/0/0"), ("zone", "8/200/100"), ("europe", "4/2/12")))
def test_outside_the_data_is_an_empty_tile(http, collection, tile):
    picture = golden.png(http.ok(f"/tiles/{collection}/{tile}.png").content)
    assert picture.shape == (256, 256, 4) and not picture[..., 3].any()
    bands, mask = golden.npy(http.ok(f"/tiles/{collection}/{tile}.npy").content)
    assert bands.shape == (1, 256, 256) and not mask.any()


@pytest.mark.parametrize("zoom", (18, 24))
def test_every_zoom_to_24(http, sources, zoom):
    source = sources["globe"]
    lon, lat = source.lonlat(70, 10)
    x, y = golden.tile_at(lon, lat, zoom)
    bands, mask = numbers(http, "globe", zoom, x, y, variable="sst")
    assert mask.all() and (bands == np.float32(source.values["sst"][-1, 70, 10])).all()


# ---- which plane


@pytest.fixture
def pixel(http, sources):
    """The cell under the middle of a far magnified tile, asked for with these parameters."""

    def read(collection, row, column, **params):
        x, y = golden.tile_at(*sources[collection].lonlat(row, column), 16)
        bands, mask = numbers(http, collection, 16, x, y, **params)
        return [float(band[128, 128]) if mask[128, 128] else None for band in bands]

    return read


def test_datetime(pixel, sources):
    source = sources["globe"]
    values, times = source.values["sst"][:, 70, 10].astype("f4"), source.times

    def at(datetime):
        return pixel("globe", 70, 10, variable="sst", **({"datetime": datetime} if datetime else {}))[0]

    assert at(None) == values[-1]
    for step in (0, 7, 59):
        assert at(times[step]) == values[step]
    assert times[4] == "2020-02-21T00:00:00Z"
    assert at("2020-02-21") == at("2020-02-21T00:00:00.4Z") == values[4]
    assert at("nearest::2020-02-21T02:59:00Z") == values[4]
    assert at("nearest::2020-02-21T03:01:00Z") == values[5]
    assert at("ffill::2020-02-21T05:59:59Z") == values[4]
    assert at("bfill::2020-02-21T00:00:01Z") == values[5]
    assert at("nearest::1900-01-01") == at("bfill::1900-01-01") == values[0]
    assert at("nearest::2100-01-01") == at("ffill::2100-01-01") == values[-1]


def test_dates_of_the_data_s_own_calendar(pixel, sources):
    source = sources["model"]
    assert "1850-02-30T00:00:00Z" in source.times
    step = source.times.index("1850-02-30T00:00:00Z")
    for datetime in ("1850-02-30", "1850-02-30T00:00:00Z", "nearest::1850-02-30T11:00:00Z"):
        assert pixel("model", 20, 30, datetime=datetime) == [np.float32(source.values["tas"][step, 20, 30])]


def test_no_step_at_that_time(http):
    for datetime in ("2020-02-21T01:00:00Z", "ffill::1900-01-01", "bfill::2100-01-01", "2020-02-21T00:00:02Z"):
        answer = http.get("/tiles/globe/2/1/1.png", params={"datetime": datetime})
        assert answer.status_code in (400, 404), answer.text
        assert datetime.split("::")[-1] in answer.json()["detail"]


def test_level_sel_and_bidx(pixel, sources):
    source = sources["globe"]
    values = source.values["wind"][-1, :, 70, 10].astype("f4")
    assert pixel("globe", 70, 10, variable="wind") == [values[0]]
    for i, level in enumerate(source.levels):
        assert pixel("globe", 70, 10, variable="wind", level=level) == [values[i]]
        assert pixel("globe", 70, 10, variable="wind", sel=f"level={level:g}") == [values[i]]
        assert pixel("globe", 70, 10, variable="wind", bidx=i + 1) == [values[i]]
    assert pixel("globe", 70, 10, variable="wind", bidx=[3, 1]) == [values[2], values[0]]


def test_item(http, pixel, sources):
    source = sources["globe"]
    page = http.ok("/stac/collections/globe/items", datetime=source.times[7], limit=1).json()
    item = page["features"][0]["id"]
    assert pixel("globe", 70, 10, variable="sst", item=item) == [np.float32(source.values["sst"][7, 70, 10])]
    problem = http.problem(404, "/tiles/globe/2/1/1.png", item="nosuch_item")
    assert "nosuch_item" in problem["detail"]


def test_the_first_variable_on_a_map_is_the_default(http):
    default, mask = numbers(http, "globe", 1, 0, 0)
    first, first_mask = numbers(http, "globe", 1, 0, 0, variable=http.ok("/tiles/globe/tilejson.json").json()["variable"])
    assert np.array_equal(default, first, equal_nan=True) and (mask == first_mask).all()


def test_web_mercator_quad_is_the_default(http):
    plain = http.ok("/tiles/globe/2/1/1.png").content
    assert http.ok("/tiles/globe/WebMercatorQuad/2/1/1.png").content == plain


# ---- how it looks


def test_rescale_clips(http, sources):
    x, y = golden.tile_at(*middle(sources["europe"]), 5)
    bands, mask = numbers(http, "europe", 5, x, y)
    for low, high in ((0, 20), (10, 10.5), (-1e6, 1e6)):
        grey, painted = greys(http, "europe", 5, x, y, low, high)
        want = golden.levels(bands[0], low, high)
        assert (painted == mask).all() and np.abs(grey.astype(int) - want)[mask].max() <= 1
        assert (grey == want)[mask].mean() >= 0.995


def test_nodata_hides_a_stored_number(http, sources):
    source = sources["alps"]
    x, y = golden.tile_at(*middle(source), 8)
    bands, mask = numbers(http, "alps", 8, x, y, variable="cover")
    value = np.median(bands[0][mask])
    hidden, less = numbers(http, "alps", 8, x, y, variable="cover", nodata=f"{value:g}")
    assert (less == (mask & (bands[0] != value))).all()
    rgba = golden.png(http.ok(f"/tiles/alps/8/{x}/{y}.png", variable="cover", nodata=f"{value:g}").content)
    assert ((rgba[..., 3] == 255) == less).all()


def test_return_mask(http, sources):
    rgba = golden.png(http.ok("/tiles/globe/0/0/0.png", variable="sst", return_mask="false").content)
    assert (rgba[..., 3] == 255).all()


def test_colormaps_by_name(http):
    table = http.ok("/colorMaps/viridis").json()
    reversed_ = http.ok("/colorMaps/viridis_r").json()
    levels, mask = greys(http, "globe", 2, 1, 1, 262, 298, variable="sst")
    for name, ramp in (("viridis", table), ("viridis_r", reversed_)):
        rgba = golden.png(http.ok("/tiles/globe/2/1/1.png", variable="sst", rescale="262,298", colormap_name=name).content)
        lut = np.array([ramp[str(i)] if isinstance(ramp, dict) else ramp[i] for i in range(256)], "u1")
        assert (rgba[mask] == lut[levels[mask]]).all()
    assert table != reversed_


def test_colormap_of_values(http, sources):
    """An object that is no ramp of 256 is an exact match of values, everything else transparent."""
    source = sources["alps"]
    x, y = golden.tile_at(*middle(source), 8)
    bands, mask = numbers(http, "alps", 8, x, y, variable="cover")
    first, second = np.unique(bands[0][mask])[:2]
    colormap = json.dumps({f"{first:g}": [255, 0, 0, 255], f"{second:g}": "#00ff0080"})
    rgba = golden.png(http.ok(f"/tiles/alps/8/{x}/{y}.png", variable="cover", colormap=colormap, rescale="0,255").content)
    assert (rgba[mask & (bands[0] == first)] == (255, 0, 0, 255)).all()
    assert (rgba[mask & (bands[0] == second)] == (0, 255, 0, 128)).all()
    rest = ~(mask & np.isin(bands[0], (first, second)))
    assert not rgba[rest][:, 3].any()


def test_colormap_of_intervals(http, sources):
    """min <= v < max, and the later of two that hold a value wins."""
    source = sources["alps"]
    x, y = golden.tile_at(*middle(source), 8)
    bands, mask = numbers(http, "alps", 8, x, y, variable="height")
    values = bands[0]
    colormap = json.dumps([[[0, 2000], [10, 20, 30, 255]], [[1500, 2500], [40, 50, 60, 255]]])
    rgba = golden.png(http.ok(f"/tiles/alps/8/{x}/{y}.png", variable="height", colormap=colormap).content)
    assert (rgba[mask & (values < 1500)] == (10, 20, 30, 255)).all()
    assert (rgba[mask & (values >= 1500) & (values < 2500)] == (40, 50, 60, 255)).all()
    assert not rgba[mask & (values >= 2500)][:, 3].any()


# ---- freshness


def test_etag_answers_304_before_any_decoding(http):
    url = "/tiles/globe/3/2/3.png?variable=sst"
    first = http.get(url)
    etag = first.headers["etag"]
    assert first.status_code == 200 and etag.startswith('"')
    assert "public" in first.headers["cache-control"] and "max-age=60" in first.headers["cache-control"]
    assert "stale-while-revalidate=600" in first.headers["cache-control"]
    for sent in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = http.get(url, headers={"If-None-Match": sent})
        assert again.status_code == 304 and not again.content and again.headers["etag"] == etag
        assert "decode" not in again.headers.get("server-timing", "")
    assert http.get(url, headers={"If-None-Match": '"other"'}).status_code == 200


def test_etag_names_everything_that_changes_the_answer(http):
    base = {"variable": "sst", "resampling": "nearest"}
    variants = [{}, {"variable": "wind"}, {"resampling": "bilinear"}, {"datetime": "2020-02-20"}, {"rescale": "0,1"},
                {"colormap_name": "magma"}, {"tilesize": 512}, {"nodata": "280"}, {"unscale": "false"}]
    tags = [http.ok("/tiles/globe/2/1/1.png", **{**base, **more}).headers["etag"] for more in variants]
    tags.append(http.ok("/tiles/globe/2/1/1.npy", **base).headers["etag"])
    tags.append(http.ok("/tiles/globe/2/1/2.png", **base).headers["etag"])
    assert len(set(tags)) == len(tags)


def test_the_order_of_parameters_does_not_matter(http):
    one = http.get("/tiles/globe/2/1/1.png?variable=sst&rescale=270,300")
    other = http.get("/tiles/globe/2/1/1.png?rescale=270%2C300&variable=sst")
    assert one.headers["etag"] == other.headers["etag"]


def test_versioned_tiles_are_immutable(http):
    info = http.ok("/tiles/globe/tilejson.json", variable="sst", datetime="2020-02-21").json()
    url = info["tiles"][0].replace("{z}", "2").replace("{x}", "1").replace("{y}", "1")
    assert "v=" in url
    answer = http.get(url)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    plain = http.ok("/tiles/globe/2/1/1.png", variable="sst", datetime="2020-02-21")
    assert answer.content == plain.content


def test_an_old_version_is_sent_to_the_present_one(http):
    answer = http.get("/tiles/globe/2/1/1.png?v=0123456789ab&variable=sst")
    assert answer.status_code == 307 and answer.headers["cache-control"] == "no-store"
    target = http.get(str(answer.url.join(answer.headers["location"])))
    assert "v=" not in answer.headers["location"] and target.status_code == 200
    assert target.content == http.ok("/tiles/globe/2/1/1.png", variable="sst").content


# ---- mistakes


MISTAKES = (
    ("rescale", "310,260"), ("rescale", "a,b"), ("rescale", "1"), ("rescale", "nan,1"), ("rescale", "0,inf"),
    ("colormap_name", "nosuchramp"), ("colormap", "{"), ("colormap", '{"0":"red-ish"}'), ("resampling", "cubics"),
    ("unscale", "maybe"), ("return_mask", "2"), ("bidx", "0"), ("bidx", "4"), ("bidx", "x"), ("bidx", "1.5"),
    ("tilesize", "20000"), ("tilesize", "1"), ("tilesize", "-256"), ("nodata", "abc"), ("level", "123.5"),
    ("level", "x"), ("sel", "nodim=3"), ("sel", "level"), ("sel", "level=7"), ("datetime", "yesterday"),
    ("datetime", "2020-13-45"), ("datetime", "mode::2020-02-20"), ("v", "' or 1"),
)


@pytest.mark.parametrize("name, value", MISTAKES)
def test_a_bad_value_is_named(http, name, value):
    if name == "v":
        assert http.get("/tiles/globe/2/1/1.png", params={name: value}).status_code in (307, 400)
        return
    problem = http.problem(400, "/tiles/globe/2/1/1.png", **{"variable": "wind", name: value})
    said = json.dumps(problem)
    assert name in said
    assert name == "colormap" or json.dumps(value)[1:-1] in said, said


@pytest.mark.parametrize("path, name", (
    ("/tiles/globe/25/0/0.png", "z"), ("/tiles/globe/2/4/0.png", "x"), ("/tiles/globe/2/0/4.png", "y"),
    ("/tiles/globe/2/0/0@5x.png", "y"), ("/tiles/globe/2/0/0@x.png", "y"), ("/tiles/globe/2/0/0.gif", "format")))
def test_a_bad_address_is_named(http, path, name):
    problem = http.problem(400, path)
    assert name in problem["detail"].lower()


@pytest.mark.parametrize("path", ("/tiles/globe/2/-1/0.png", "/tiles/globe/2/0/-1.png", "/tiles/globe/x/0/0.png",
                                  "/tiles/globe/2/1e0/0.png", "/tiles/globe/99999999999999999999/0/0.png"))
def test_an_address_that_is_no_number(http, path):
    answer = http.get(path)
    assert answer.status_code in (400, 404)
    assert answer.headers["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize("path", ("/tiles/globe/2/1/1.png", "/tiles/globe/tilejson.json", "/tiles/globe/times",
                                  "/api/timeseries?collection=globe&lon=1&lat=1", "/healthz", "/colorMaps", "/"))
def test_an_unknown_parameter_is_refused(http, path):
    problem = http.get(path + ("&" if "?" in path else "?") + "resampeling=nearest")
    assert problem.status_code == 400
    assert "resampeling" in problem.json()["detail"]


def test_an_unknown_parameter_suggests_the_nearest(http):
    assert "resampling" in http.problem(400, "/tiles/globe/2/1/1.png", resamplng="nearest")["detail"]


def test_a_parameter_given_twice_is_refused(http):
    problem = http.get("/tiles/globe/2/1/1.png?variable=sst&variable=wind")
    assert problem.status_code == 400 and "variable" in problem.json()["detail"]


def test_what_does_not_exist_is_named_with_what_does(http):
    problem = http.problem(404, "/tiles/nosuch/2/1/1.png")
    assert "nosuch" in problem["detail"] and "globe" in problem["detail"]
    problem = http.problem(404, "/tiles/globe/2/1/1.png", variable="salinity")
    assert "salinity" in problem["detail"] and "sst" in problem["detail"] and "wind" in problem["detail"]


def test_a_picture_is_of_one_band_or_three(http):
    assert "bidx" in http.problem(400, "/tiles/globe/2/1/1.png", variable="wind", bidx=[1, 2])["detail"]


# ---- TileJSON and times


@pytest.mark.parametrize("collection", ("globe", "europe", "zone", "alps", "ocean_climate"))
def test_tilejson(http, shared, collection):
    info = http.ok(f"/tiles/{collection}/tilejson.json").json()
    assert info["tilejson"] == "3.0.0" and info["scheme"] == "xyz" and info["name"]
    assert 0 <= info["minzoom"] <= info["maxzoom"] <= 30
    west, south, east, north = info["bounds"]
    assert -180 <= west < east <= 180 and -90 <= south < north <= 90
    lon, lat, zoom = info["center"]
    assert west <= lon <= east and south <= lat <= north and info["minzoom"] <= zoom <= info["maxzoom"]
    url = info["tiles"][0]
    assert url.startswith(str(http.base_url).rstrip("/"))
    x, y = golden.tile_at(lon, lat, info["maxzoom"])
    answer = http.get(url.replace("{z}", str(info["maxzoom"])).replace("{x}", str(x)).replace("{y}", str(y)))
    assert answer.status_code == 200 and golden.png(answer.content).shape == (256, 256, 4)


def test_tilejson_bounds_are_the_cells_edges(http):
    assert http.ok("/tiles/alps/tilejson.json").json()["bounds"] == pytest.approx([4.95, 42.05, 16.95, 49.05])
    assert http.ok("/tiles/globe/tilejson.json").json()["bounds"] == pytest.approx([-180, -90, 180, 90], abs=1.01)


def test_tilejson_carries_the_look_on(http):
    info = http.ok("/tiles/globe/tilejson.json", variable="wind", level=500, rescale="0,30", colormap_name="magma",
                   resampling="bilinear", tile_format="npy").json()
    url = info["tiles"][0]
    assert ".npy?" in url
    bands, _ = golden.npy(http.get(url.replace("{z}", "2").replace("{x}", "1").replace("{y}", "1")).content)
    want, _ = numbers(http, "globe", 2, 1, 1, variable="wind", level=500, resampling="bilinear")
    assert (bands == want).all()


def test_times(http, sources):
    for name in ("globe", "packed", "model", "europe", "zone"):
        source = sources[name]
        variable = next(iter(source.values))
        answer = http.ok(f"/tiles/{name}/times", variable=variable).json()
        assert answer["times"] == source.times
    assert http.ok("/tiles/alps/times").json()["times"] == [None]


def test_times_name_the_version_of_each_step(http, sources):
    """The list gives the same `v` as the TileJSON of that time, so that a client can step through immutable URLs."""
    answer = http.ok("/tiles/globe/times", variable="sst").json()
    versions = next(value for key, value in answer.items() if key != "times" and isinstance(value, list))
    assert len(versions) == 60 and len(set(versions)) == 60
    tile = http.ok("/tiles/globe/2/1/1.png", variable="sst", datetime=sources["globe"].times[7], v=versions[7])
    assert "immutable" in tile.headers["cache-control"]
