"""Grids that no affine fits: the Zarr and series keep the file's own cells, the map is regridded once. What is nearest is
found by looking at all cells; a field that is linear in the place tells what a map must show."""
import io
import json

import netCDF4
import numpy as np
import pytest
import rasterio
import xarray

from conftest import Client

RANDOM = np.random.default_rng(7)


def vectors(lon, lat):
    lon, lat = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)


def field(lon, lat):
    return vectors(lon, lat) @ np.array([1.0, 2.0, 3.0]) + 10


def places(v):
    """Degrees of vectors of any length; longitudes 0 to 360 as many files have them."""
    v = v / np.linalg.norm(v, axis=-1, keepdims=True)
    return np.degrees(np.arctan2(v[..., 1], v[..., 0])) % 360, np.degrees(np.arcsin(v[..., 2]))


def globe():
    """A globe with its own pole at 60 E, 30 N, closed along its rows; a tenth of it is land."""
    a, b = np.meshgrid(np.arange(90) * 4.0, np.arange(45) * 4.0 - 88)
    v = vectors(a, b)
    tilt, turn = np.radians(60), np.radians(60)
    x = v[..., 0] * np.cos(tilt) + v[..., 2] * np.sin(tilt)
    z = v[..., 2] * np.cos(tilt) - v[..., 0] * np.sin(tilt)
    y = v[..., 1]
    return places(np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn), z], -1))


def cap():
    """Confocal ellipses round the North Pole, the last of which is folded upon itself, as tripolar grids are."""
    n, m = np.meshgrid(2 * np.pi * (np.arange(72) + 0.5) / 72, 0.05 * (30 - np.arange(30) - 0.5))
    return places(np.stack([0.2 * np.cosh(m) * np.cos(n), 0.2 * np.sinh(m) * np.sin(n), np.ones_like(n)], -1))


def strip(columns=40, rows=30, shift=0.0):
    """Over the seam, askew."""
    i, j = np.meshgrid(np.arange(columns) + shift, np.arange(rows))
    return 172 + 0.5 * i + 0.1 * j, -8 + 0.4 * j - 0.1 * i


def add_places(out, names, dims, lonlat, lead=()):
    for name, units, values in zip(names, ("degrees_east", "degrees_north"), lonlat):
        var = out.createVariable(name, "f8", (*lead, *dims))
        var.units = units
        var[:] = values


def write_globe(path):
    lon, lat = globe()
    land = np.add.outer(np.arange(45) // 5, np.arange(90) // 9) % 9 == 0
    with netCDF4.Dataset(path, "w") as out:
        for name, size in (("time", 3), ("j", 45), ("i", 90)):
            out.createDimension(name, size)
        time = out.createVariable("time", "f8", ("time",))
        time.units = "days since 2001-01-01"
        time[:] = range(3)
        add_places(out, ("lon", "lat"), ("j", "i"), (lon, lat))
        for name, hole in (("sea", land), ("all", np.zeros_like(land))):
            var = out.createVariable(name, "f4", ("time", "j", "i"), fill_value=1e20)
            var.coordinates = "lon lat"
            var[:] = np.ma.masked_array([field(lon, lat) + 100 * t for t in range(3)], [hole] * 3)


def write_strip(path):
    """Two staggered grids, whose places repeat over time as WRF's do; packed numbers and classes."""
    with netCDF4.Dataset(path, "w") as out:
        for name, size in (("time", 2), ("y", 30), ("x", 40), ("x_stag", 41)):
            out.createDimension(name, size)
        time = out.createVariable("time", "f8", ("time",))
        time.units = "hours since 2001-01-01"
        time[:] = range(2)
        add_places(out, ("XLONG", "XLAT"), ("y", "x"), strip(), ("time",))
        add_places(out, ("XLONG_U", "XLAT_U"), ("y", "x_stag"), strip(41, 30, -0.5), ("time",))
        packed = out.createVariable("p", "i2", ("time", "y", "x"), fill_value=-1)
        packed.setncatts({"scale_factor": 0.001, "add_offset": 10.0, "coordinates": "XLONG XLAT"})
        packed[:] = np.stack([field(*strip())] * 2)
        kind = out.createVariable("kind", "u1", ("time", "y", "x"))
        kind.setncatts({"flag_values": np.array([3, 200], "u1"), "flag_meanings": "a b"})
        kind[:] = np.where(np.arange(40) % 2, 3, 200)
        wind = out.createVariable("u", "f4", ("time", "y", "x_stag"))
        wind.coordinates = "XLONG_U XLAT_U"
        wind[:] = np.stack([field(*strip(41, 30, -0.5))] * 2)


def write_cap(path):
    with netCDF4.Dataset(path, "w") as out:
        for name, size in (("j", 30), ("i", 72)):
            out.createDimension(name, size)
        add_places(out, ("nav_lon", "nav_lat"), ("j", "i"), cap())
        out.createVariable("v", "f8", ("j", "i"))[:] = field(*cap())


LATITUDES = np.array([-60, -50, -44, -40, -37, -35, -34, -33, -31, -28, -20.0])
LONGITUDES = np.array([150, 152, 155, 160, 170, 175, 179, 181, 182, 186.0])


def write_uneven(path):
    with netCDF4.Dataset(path, "w") as out:
        for name, units, values in (("time", "days since 2001-01-01", range(4)), ("lat", "degrees_north", LATITUDES[::-1]),
                                    ("lon", "degrees_east", LONGITUDES)):
            out.createDimension(name, len(values))
            var = out.createVariable(name, "f8", (name,))
            var.units = units
            var[:] = values
        out.createVariable("v", "f4", ("time", "lat", "lon"))[:] = np.arange(440).reshape(4, 11, 10)


WRITERS = {"globe": write_globe, "strip": write_strip, "cap": write_cap, "uneven": write_uneven}


@pytest.fixture(scope="module")
def site(tmp_path_factory, rastrum, start):
    folder, store = tmp_path_factory.mktemp("grids"), tmp_path_factory.mktemp("gridded")
    for name, write in WRITERS.items():
        write(folder / f"{name}.nc")
        rastrum("ingest", folder / f"{name}.nc", "--collection", name, "--store", store)
    with Client(start(store)) as client:
        client.store, client.sources = store, folder
        yield client


def maps(site, collection, variable):
    return sorted(site.store.glob(f"{collection}/**/{variable}/*.tif"))


def pixels(path):
    """Values (NaN where masked) and the longitudes and latitudes of a map's pixels."""
    with rasterio.open(path) as tif:
        values = tif.read(1, masked=True).astype("f8").filled(np.nan) * tif.scales[0] + tif.offsets[0]
        x, y = tif.transform.c + tif.res[0] * (np.arange(tif.width) + 0.5), tif.transform.f - tif.res[1] * (np.arange(tif.height) + 0.5)
        return values, *np.meshgrid(x, y)


def some_pixels(path, count=4000):
    values, lon, lat = pixels(path)
    chosen = RANDOM.choice(values.size, min(count, values.size), replace=False)
    return values.ravel()[chosen], lon.ravel()[chosen], lat.ravel()[chosen]


def nearest(lonlat, lon, lat):
    """Flat indexes of the nearest cells, and how far they are in degrees of arc."""
    cells, asked = vectors(*lonlat).reshape(-1, 3), vectors(lon, lat).reshape(-1, 3)
    found, far = [], []
    for part in np.array_split(asked, len(asked) // 500 + 1):
        cosine = part @ cells.T
        found.append(cosine.argmax(1))
        far.append(np.linalg.norm(part - cells[found[-1]], axis=-1))
    return np.concatenate(found), np.degrees(2 * np.arcsin(np.concatenate(far) / 2))


@pytest.mark.parametrize("name, variable, lonlat, step", (
    ("globe", "all", globe(), 100), ("cap", "v", cap(), None), ("strip", "p", strip(), 0), ("strip", "u", strip(41, 30, -0.5), 0)))
def test_a_series_is_the_nearest_cells(site, name, variable, lonlat, step):
    cells = RANDOM.choice(lonlat[0].size, 25, replace=False)
    # Somewhere in the cell, and on the globe anywhere.
    lon = lonlat[0].ravel()[cells] + RANDOM.uniform(-0.15, 0.15, 25)
    lat = np.clip(lonlat[1].ravel()[cells] + RANDOM.uniform(-0.15, 0.15, 25), -90, 90)
    if name == "globe":
        lon, lat = places(RANDOM.normal(size=(25, 3)))
    lon = (lon + 180) % 360 - 180
    found, far = nearest(lonlat, lon, lat)
    for x, y, cell, distance in zip(lon, lat, found, far):
        answer = site.ok("/api/timeseries", collection=name, variable=variable, lon=x, lat=y).json()
        at = lonlat[0].ravel()[cell], lonlat[1].ravel()[cell]
        assert answer["values"][0] == pytest.approx(field(*at), abs=6e-4)
        assert step is None or answer["values"][1] == pytest.approx(field(*at) + step, abs=6e-4)
        # The same cell, or one that is as near: the fold's cells repeat.
        assert answer["cell"]["distance_m"] == pytest.approx(np.radians(distance) * 6371008.8, abs=0.1)


@pytest.mark.parametrize("name, variable, lonlat, cell", (
    ("globe", "all", globe(), 4), ("cap", "v", cap(), 2.2), ("strip", "p", strip(), 0.5), ("strip", "u", strip(41, 30, -0.5), 0.5)))
def test_a_map_is_bilinear_between_cells(site, name, variable, lonlat, cell):
    values, lon, lat = some_pixels(maps(site, name, variable)[0])
    there = np.isfinite(values)
    off = np.abs(values - field(lon, lat))[there]
    # Half a cell round the edge has its cells' own values.
    assert off.max() < 3.8 * np.radians(cell) * 0.75 + 1e-3
    assert np.quantile(off, 0.85) < 3.8 * np.radians(cell) ** 2 / 4 + 1.5e-3
    _, far = nearest(lonlat, lon, lat)
    assert far[there].max() < cell
    assert there[far < 0.3 * cell].mean() > 0.995


def test_land_and_gaps_stay(site):
    lon, lat = globe()
    values, x, y = some_pixels(maps(site, "globe", "sea")[1])
    source = xarray.open_dataset(site.sources / "globe.nc")["sea"].values[1].ravel()
    found, far = nearest((lon, lat), x, y)
    land, clear = np.isnan(source[found]), far < 1.2  # well inside a cell of 4 degrees
    assert np.isnan(values[land & clear]).all()
    assert np.isfinite(values[~land & clear]).all()
    np.testing.assert_allclose(values[~land & clear], 100 + field(x, y)[~land & clear], atol=0.1)


def test_neither_seam_nor_pole_shows(site):
    for zoom, column, row in ((0, 0, 0), (1, 0, 0), (1, 1, 1)):
        answer = site.ok(f"/tiles/globe/{zoom}/{column}/{row}.npy", variable="all", datetime="2001-01-01T00:00:00Z")
        tile = np.load(io.BytesIO(answer.content))
        n = 2**zoom * 256
        x = (np.arange(256) + 0.5 + 256 * column) / n * 360 - 180
        y = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * (np.arange(256) + 0.5 + 256 * row) / n))))
        want = field(*np.meshgrid(x, y))
        assert (tile[-1] > 0).mean() > 0.997  # half a cell round the grid's own poles has no cells
        assert np.abs(tile[0] - want)[tile[-1] > 0].max() < 0.25


def test_classes_are_not_mixed(site):
    with rasterio.open(maps(site, "strip", "kind")[0]) as tif:
        found = set(np.unique(tif.read(1, masked=True).compressed()))
        assert found == {3, 200} and tif.nodata == 255


def test_the_store_has_the_files_own_cells(site):
    for name in WRITERS:
        source = xarray.open_dataset(site.sources / f"{name}.nc")
        made = xarray.open_zarr(next(site.store.glob(f"{name}/**/data.zarr")), chunks=None)
        for variable in source.variables:
            np.testing.assert_array_equal(source[variable].values, made[variable].values, err_msg=f"{name} {variable}")


def test_the_item_says_how_the_map_came_to_be(site):
    for name, want in (("globe", "curvilinear"), ("uneven", "uneven")):
        item = site.ok(f"/stac/collections/{name}/items").json()["features"][0]
        assert item["properties"]["rastrum:regridded"]["from"] == want
    west, south, east, north = site.ok("/stac/collections/strip/items").json()["features"][0]["bbox"]
    assert west > 171 and east < -163 and -13 < south and north < 5  # across 180


def test_a_place_outside_has_no_value(site):
    answer = site.get("/api/timeseries", params={"collection": "strip", "variable": "p", "lon": 172.1, "lat": 3.3})
    even = site.get("/api/timeseries", params={"collection": "uneven", "lon": 0, "lat": 0})
    assert even.status_code == 400 and answer.status_code in (200, 400)
    if answer.status_code == 200:
        assert set(answer.json()["values"]) == {None}


def test_cells_that_no_axis_orders_are_not_interpolated(site):
    problem = site.problem(400, "/api/timeseries", collection="globe", lon=10, lat=10, method="bilinear")
    assert "curvilinear" in problem["detail"]


def test_uneven_axes_nearest_and_bilinear(site):
    source = xarray.open_dataset(site.sources / "uneven.nc")["v"]
    for lon, lat in ((150, -60), (157, -45.5), (171.9, -34.4), (-179.7, -33.6), (-176, -21)):
        answer = site.ok("/api/timeseries", collection="uneven", lon=lon, lat=lat).json()
        cell = source.sel(lon=lon % 360, lat=lat, method="nearest")
        assert answer["values"] == list(cell.values)
        assert answer["cell"]["lon"] % 360 == pytest.approx(float(cell.lon)) and answer["cell"]["lat"] == pytest.approx(float(cell.lat))
        smooth = site.ok("/api/timeseries", collection="uneven", lon=lon, lat=lat, method="bilinear").json()
        assert smooth["values"] == pytest.approx(list(source.interp(lon=lon % 360, lat=lat).values), rel=1e-6)


def test_an_uneven_map_shows_each_pixels_cell(site):
    """Edges lie halfway between centres; a pixel has the value of the cell that holds its centre."""
    source = xarray.open_dataset(site.sources / "uneven.nc")["v"]
    for step, path in enumerate(maps(site, "uneven", "v")):
        values, lon, lat = pixels(path)
        want = source.isel(time=step).sel(lon=xarray.DataArray(lon[0] % 360, dims="x"), lat=xarray.DataArray(lat[:, 0], dims="y"), method="nearest")
        np.testing.assert_array_equal(values, want.transpose("y", "x").values)
        with rasterio.open(path) as tif:
            assert abs(tif.res[0]) <= 0.5 and abs(tif.res[1]) <= 0.5  # the finest cells are one degree
            assert tif.bounds.bottom == pytest.approx(-65) and tif.bounds.top == pytest.approx(-16)


def test_a_feed_on_one_curvilinear_grid_becomes_a_segment(rastrum, tmp_path):
    """A segment has its own index of cells: the members' own are not read for a series."""
    store, files = tmp_path / "store", []
    for day in range(32):
        files.append(tmp_path / f"day{day:02}.nc")
        with netCDF4.Dataset(files[-1], "w") as out:
            for name, size in (("time", 1), ("y", 12), ("x", 16)):
                out.createDimension(name, size)
            time = out.createVariable("time", "f8", ("time",))
            time.units = "days since 2001-01-01"
            time[:] = day
            add_places(out, ("lon", "lat"), ("y", "x"), strip(16, 12))
            out.createVariable("v", "f4", ("time", "y", "x"))[:] = np.arange(192).reshape(1, 12, 16) + 1000 * day
    rastrum("ingest", *files, "--collection", "c", "--store", store)
    rastrum("compact", "c", "--store", store)
    index = list(store.glob("c/segments/*/cells/*.bin"))
    assert len(index) == 1
    lon, lat = strip(16, 12)
    ask = ("timeseries", "c", (lon[5, 7] + 180) % 360 - 180, lat[5, 7], "--store", store)
    assert json.loads(rastrum(*ask).stdout)["values"] == [1000 * day + 5 * 16 + 7 for day in range(32)]
    for path in store.glob("c/day*/*/cells/*.bin"):
        path.unlink()
    assert len(json.loads(rastrum(*ask).stdout)["values"]) == 32


def test_a_large_map_is_made_in_strips(rastrum, tmp_path):
    """Its places do not fit the memory that is allowed: they wait on disk, and the map is the same to the bit."""
    path, rows = tmp_path / "askew.nc", 1200
    j, i = np.meshgrid(np.arange(rows), np.arange(rows), indexing="ij")
    with netCDF4.Dataset(path, "w") as out:
        for name in ("y", "x"):
            out.createDimension(name, rows)
        add_places(out, ("lon", "lat"), ("y", "x"), (-20 + 0.03 * i - 0.01 * j, 30 + 0.01 * i + 0.03 * j))
        out.createVariable("v", "f4", ("y", "x"), chunksizes=(100, rows))[:] = (i + j) % 997
    maps = []
    for memory in ("128M", "1G"):
        store = tmp_path / memory
        rastrum("ingest", path, "--collection", "c", "--store", store, "--memory", memory)
        maps.append([tif.read_bytes() for tif in store.rglob("*.tif")])
    assert len(maps[0]) == 1 and maps[0] == maps[1]
    said = rastrum("ingest", path, "--collection", "c", "--store", tmp_path / "small", "--memory", "48M", code=1).stderr
    assert "the map of variable 'v', whose curvilinear grid has 1200 x 1200 cells, needs" in said
