"""Every projection of CF's appendix F, rotated poles and satellite views: the places of cells are pyproj's, said by a
definition that was written apart from the grid mapping."""
import io
import json

import netCDF4
import numpy as np
import pyproj
import pytest
import rasterio

from conftest import Client

GEOGRAPHIC = "EPSG:4326"
ELLIPSOID = {"semi_major_axis": 6378137.0, "inverse_flattening": 298.257223563}
SPHERE = {"earth_radius": 6371229.0}
HEIGHT = 35786023.0
KM = 1000.0
# name: PROJ's definition, grid mapping, first x and y, step, units of the axes, metres (or degrees) a unit
CASES = {
    "albers": ("+proj=aea +lat_1=29.5 +lat_2=45.5 +lat_0=23 +lon_0=-96 +datum=WGS84", dict(
        grid_mapping_name="albers_conical_equal_area", standard_parallel=[29.5, 45.5], latitude_of_projection_origin=23.0,
        longitude_of_central_meridian=-96.0, **ELLIPSOID), -200e3, 900e3, 40e3, "m", 1),
    "azimuthal": ("+proj=aeqd +lat_0=40 +lon_0=10 +datum=WGS84", dict(
        grid_mapping_name="azimuthal_equidistant", latitude_of_projection_origin=40.0,
        longitude_of_projection_origin=10.0, **ELLIPSOID), -300e3, -200e3, 50e3, "m", 1),
    "geostationary_x": (f"+proj=geos +h={HEIGHT} +lon_0=-75 +sweep=x +ellps=GRS80", dict(
        grid_mapping_name="geostationary", perspective_point_height=HEIGHT, semi_major_axis=6378137.0,
        semi_minor_axis=6356752.31414, latitude_of_projection_origin=0.0, longitude_of_projection_origin=-75.0,
        sweep_angle_axis="x"), -0.02, 0.03, 0.004, "rad", HEIGHT),
    "geostationary_y": (f"+proj=geos +h={HEIGHT} +lon_0=9.5 +sweep=y +datum=WGS84", dict(
        grid_mapping_name="geostationary", perspective_point_height=HEIGHT, longitude_of_projection_origin=9.5,
        latitude_of_projection_origin=0.0, sweep_angle_axis="y", **ELLIPSOID), -20000.0, 60000.0, 4000.0, "microradian",
                        HEIGHT / 1e6),
    "laea": ("+proj=laea +lat_0=52 +lon_0=10 +x_0=4321000 +y_0=3210000 +ellps=GRS80", dict(
        grid_mapping_name="lambert_azimuthal_equal_area", latitude_of_projection_origin=52.0,
        longitude_of_projection_origin=10.0, false_easting=4321.0, false_northing=3210.0, semi_major_axis=6378137.0,
        inverse_flattening=298.257222101), 4000.0, 2900.0, 30.0, "km", KM),
    "lambert1": ("+proj=lcc +lat_1=63 +lat_0=63 +lon_0=15 +R=6371229", dict(
        grid_mapping_name="lambert_conformal_conic", standard_parallel=63.0, latitude_of_projection_origin=63.0,
        longitude_of_central_meridian=15.0, **SPHERE), -500e3, -300e3, 60e3, "m", 1),
    "lambert2": ("+proj=lcc +lat_1=33 +lat_2=45 +lat_0=39 +lon_0=-97 +R=6371229", dict(
        grid_mapping_name="lambert_conformal_conic", standard_parallel=[33.0, 45.0], latitude_of_projection_origin=39.0,
        longitude_of_central_meridian=-97.0, **SPHERE), -500.0, -300.0, 60.0, "km", KM),
    "cylindrical": ("+proj=cea +lat_ts=30 +lon_0=0 +datum=WGS84", dict(
        grid_mapping_name="lambert_cylindrical_equal_area", standard_parallel=30.0,
        longitude_of_central_meridian=0.0, **ELLIPSOID), -3000e3, -2000e3, 500e3, "m", 1),
    "mercator_parallel": ("+proj=merc +lat_ts=20 +lon_0=100 +R=6371229", dict(
        grid_mapping_name="mercator", standard_parallel=20.0, longitude_of_projection_origin=100.0, **SPHERE),
                          -800e3, 300e3, 100e3, "m", 1),
    "mercator_scale": ("+proj=merc +k=0.9 +lon_0=100 +datum=WGS84", dict(
        grid_mapping_name="mercator", scale_factor_at_projection_origin=0.9, longitude_of_projection_origin=100.0,
        **ELLIPSOID), -800e3, 300e3, 100e3, "m", 1),
    "oblique": ("+proj=omerc +lat_0=45 +lonc=5 +alpha=30 +gamma=0 +k=1 +datum=WGS84", dict(
        grid_mapping_name="oblique_mercator", azimuth_of_central_line=30.0, latitude_of_projection_origin=45.0,
        longitude_of_projection_origin=5.0, scale_factor_at_projection_origin=1.0, **ELLIPSOID),
                -200e3, -100e3, 30e3, "m", 1),
    "orthographic": ("+proj=ortho +lat_0=20 +lon_0=30 +datum=WGS84", dict(
        grid_mapping_name="orthographic", latitude_of_projection_origin=20.0, longitude_of_projection_origin=30.0,
        **ELLIPSOID), -1500e3, -1000e3, 200e3, "m", 1),
    "polar_parallel": ("+proj=stere +lat_0=-90 +lat_ts=-71 +lon_0=0 +datum=WGS84", dict(
        grid_mapping_name="polar_stereographic", standard_parallel=-71.0, straight_vertical_longitude_from_pole=0.0,
        latitude_of_projection_origin=-90.0, **ELLIPSOID), -600e3, -400e3, 100e3, "m", 1),
    "polar_scale": ("+proj=stere +lat_0=90 +k=0.933 +lon_0=-100 +R=6371229", dict(
        grid_mapping_name="polar_stereographic", scale_factor_at_projection_origin=0.933,
        straight_vertical_longitude_from_pole=-100.0, latitude_of_projection_origin=90.0, **SPHERE),
                    -600e3, -450e3, 100e3, "m", 1),
    "sinusoidal": ("+proj=sinu +lon_0=0 +R=6371229", dict(
        grid_mapping_name="sinusoidal", longitude_of_projection_origin=0.0, **SPHERE), 900e3, 4000e3, 90e3, "m", 1),
    "stereographic": ("+proj=stere +lat_0=50 +lon_0=10 +k=1 +datum=WGS84", dict(
        grid_mapping_name="stereographic", latitude_of_projection_origin=50.0, longitude_of_projection_origin=10.0,
        scale_factor_at_projection_origin=1.0, **ELLIPSOID), -300e3, -200e3, 50e3, "m", 1),
    "transverse": ("+proj=tmerc +lat_0=0 +lon_0=9 +k=0.9996 +x_0=500000 +datum=WGS84", dict(
        grid_mapping_name="transverse_mercator", latitude_of_projection_origin=0.0, longitude_of_central_meridian=9.0,
        scale_factor_at_central_meridian=0.9996, false_easting=500000.0, **ELLIPSOID), 400e3, 5.3e6, 20e3, "m", 1),
    "perspective": ("+proj=nsper +h=5000000 +lat_0=10 +lon_0=20 +R=6371229", dict(
        grid_mapping_name="vertical_perspective", perspective_point_height=5000000.0,
        latitude_of_projection_origin=10.0, longitude_of_projection_origin=20.0, **SPHERE),
                    -900e3, -600e3, 150e3, "m", 1),
    "rotated": ("+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +datum=WGS84", dict(
        grid_mapping_name="rotated_latitude_longitude", grid_north_pole_latitude=39.25,
        grid_north_pole_longitude=-162.0), -6.0, -4.0, 1.0, "degrees", 1),
}
WIDTH, HEIGHT_CELLS = 13, 9


def lonlat(name, x, y):
    definition, *_ = CASES[name]
    crs = pyproj.CRS.from_user_input(definition + " +no_defs +type=crs")
    lon, lat = pyproj.Transformer.from_crs(crs, GEOGRAPHIC, always_xy=True).transform(x, y)
    return (lon + 180) % 360 - 180, lat


def axes(name):
    _, _, x0, y0, step, units, unit = CASES[name]
    return x0 + step * np.arange(WIDTH), y0 + step * np.arange(HEIGHT_CELLS), units, unit


def values():
    return (100 + np.arange(WIDTH * HEIGHT_CELLS)).reshape(HEIGHT_CELLS, WIDTH).astype("f4")


def write(folder, name, silent=False):
    """silent: without the figure of the Earth, but with the places of the cells."""
    x, y, units, unit = axes(name)
    path = folder / f"{name}.nc"
    with netCDF4.Dataset(path, "w") as out:
        kind = {"degrees": ("grid_longitude", "grid_latitude")}.get(
            units, ("projection_x_coordinate", "projection_y_coordinate"))
        for axis, numbers, standard in (("y", y, kind[1]), ("x", x, kind[0])):
            out.createDimension(axis, len(numbers))
            var = out.createVariable(axis, "f8", (axis,))
            var.setncatts({"standard_name": standard, "units": units})
            var[:] = numbers
        said = {k: v for k, v in CASES[name][1].items() if not silent or k not in (*ELLIPSOID, *SPHERE)}
        out.createVariable("crs", "i4").setncatts(said)
        for axis, degrees, values2 in zip(("lon", "lat"), ("degrees_east", "degrees_north"), lonlat(name, *np.meshgrid(x * unit, y * unit))):
            if silent:
                var = out.createVariable(axis, "f4", ("y", "x"))
                var.units = degrees
                var[:] = values2
        var = out.createVariable("v", "f4", ("y", "x"))
        var.grid_mapping = "crs"
        if silent:
            var.coordinates = "lon lat"
        var[:] = values()
    return path


@pytest.fixture(scope="module")
def site(tmp_path_factory, rastrum, start):
    folder, store = tmp_path_factory.mktemp("projections"), tmp_path_factory.mktemp("projected")
    for name in CASES:
        rastrum("ingest", write(folder, name), "--collection", name, "--store", store)
    with Client(start(store)) as client:
        client.store = store
        yield client


@pytest.mark.parametrize("name", CASES)
def test_cells_lie_where_proj_puts_them(site, name):
    x, y, _, unit = axes(name)
    for row, column in ((0, 0), (4, 6), (8, 12), (2, 9)):
        # A third of a cell off, so that half a cell's error would meet another cell.
        lon, lat = lonlat(name, (x[column] + (x[1] - x[0]) / 3) * unit, (y[row] - (y[1] - y[0]) / 3) * unit)
        answer = site.ok("/api/timeseries", collection=name, lon=lon, lat=lat).json()
        assert answer["values"] == [values()[row, column]]
        at = lonlat(name, x[column] * unit, y[row] * unit)
        assert answer["cell"]["lon"] == pytest.approx(at[0], abs=2e-6)
        assert answer["cell"]["lat"] == pytest.approx(at[1], abs=2e-6)


@pytest.mark.parametrize("name", CASES)
def test_the_map_says_its_crs(site, name):
    """The TIFF's keys, or where they can't the item: read by PROJ through rasterio and pyproj."""
    item = site.ok(f"/stac/collections/{name}/items").json()["features"][0]
    path = next(site.store.glob(f"{name}/**/*.tif"))
    x, y, _, unit = axes(name)
    lon, lat = lonlat(name, x[3] * unit, y[5] * unit)
    with rasterio.open(path) as tif:
        crs = pyproj.CRS.from_wkt(tif.crs.to_wkt() if tif.crs else item["properties"]["proj:wkt2"])
        at = pyproj.Transformer.from_crs(GEOGRAPHIC, crs, always_xy=True).transform(lon, lat)
        assert tif.read(1)[tif.index(*at)] == values()[5, 3]
    if item["properties"].get("proj:code") is None:
        pyproj.CRS.from_wkt(item["properties"]["proj:wkt2"])
    west, south, east, north = item["bbox"]
    assert west < lon < east and south < lat < north


# Web Mercator ends at 85 degrees.
@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("polar")])
def test_a_tile_shows_the_cell(site, name):
    x, y, _, unit = axes(name)
    lon, lat = lonlat(name, x[6] * unit, y[4] * unit)
    zoom = 9
    fx = (lon + 180) / 360 * 2**zoom
    fy = (1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * 2**zoom
    answer = site.ok(f"/tiles/{name}/{zoom}/{int(fx)}/{int(fy)}.npy", resampling="nearest")
    pixels = np.load(io.BytesIO(answer.content))
    row, column = int(fy % 1 * pixels.shape[1]), int(fx % 1 * pixels.shape[2])
    assert pixels[-1, row, column] and pixels[0, row, column] == values()[4, 6]


@pytest.mark.parametrize("name, words", (("lambert1", "sphere of 6371229 m"), ("laea", None), ("polar_scale", "sphere of 6371229 m")))
def test_places_tell_a_missing_figure_of_the_earth(rastrum, tmp_path, name, words):
    path = write(tmp_path, name, silent=True)
    findings = json.loads(rastrum("inspect", path, "--json").stdout)["findings"]
    found = [f["message"] for f in findings if f["code"] == "figure-found"]
    assert (len(found) == 1 and words in found[0]) if words else not found
    rastrum("ingest", path, "--collection", "c", "--store", tmp_path / "store")
    x, y, _, unit = axes(name)
    for row, column in ((0, 0), (8, 12), (4, 7)):
        lon, lat = lonlat(name, x[column] * unit, y[row] * unit)
        answer = json.loads(rastrum("timeseries", "c", lon, lat, "--store", tmp_path / "store").stdout)
        assert answer["values"] == [values()[row, column]] and answer["cell"]["distance_m"] < 5


def test_an_item_of_two_grids_tells_the_crs_that_tiffs_cannot(rastrum, start, tmp_path):
    path = write(tmp_path, "rotated")
    with netCDF4.Dataset(path, "a") as out:
        for name, units in (("lat", "degrees_north"), ("lon", "degrees_east")):
            out.createDimension(name, 3)
            out.createVariable(name, "f8", (name,)).units = units
            out[name][:] = range(3)
        out.createVariable("a", "f4", ("lat", "lon"))[:] = 1
    rastrum("ingest", path, "--collection", "c", "--store", tmp_path / "store")
    with Client(start(tmp_path / "store")) as http:
        item = http.ok("/stac/collections/c/items").json()["features"][0]
    assert "ole rotation" in item["properties"]["proj:wkt2"] and item["properties"]["proj:code"] is None
    assert item["assets"]["a"]["proj:code"] == "EPSG:4326"
