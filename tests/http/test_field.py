"""NetCDF files as the field writes them: axes, mappings and names in other people's spelling. Of each the cells have to lie
where its own numbers say (pyproj tells, never the server), in series and on the map; or it is refused with its cause.
One command ingests all, one server answers."""
import dataclasses
import io

import netCDF4
import numpy as np
import pyproj
import pytest

from conftest import Client

LON, LAT = np.arange(0, 30, 2.5), np.arange(40, 60, 2.5)
EAST, NORTH = np.arange(300_000, 700_000, 20_000.0), np.arange(5_500_000, 5_200_000, -20_000.0)
UTM = {"crs_wkt": pyproj.CRS("EPSG:32633").to_wkt()}
WGS84 = {"crs_wkt": pyproj.CRS("EPSG:4326").to_wkt()}
POLE = {"grid_mapping_name": "rotated_latitude_longitude", "grid_north_pole_latitude": 39.25, "grid_north_pole_longitude": -162.0}
ROTATED = "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +datum=WGS84 +type=crs"
LAMBERT = {"grid_mapping_name": "lambert_conformal_conic", "standard_parallel": 38.5, "longitude_of_central_meridian": 262.5,
           "latitude_of_projection_origin": 38.5, "earth_radius": 6371229.0}
PLANE = np.arange(-400, 401, 50.0)


@dataclasses.dataclass
class Kind:
    """A field on two 1-D axes. x and y are as stored, `scale` brings them into the unit of `crs`."""
    name: str
    x: np.ndarray = dataclasses.field(default_factory=lambda: LON)
    y: np.ndarray = dataclasses.field(default_factory=lambda: LAT)
    x_says: dict = dataclasses.field(default_factory=lambda: {"units": "degrees_east"})
    y_says: dict = dataclasses.field(default_factory=lambda: {"units": "degrees_north"})
    axes: tuple = ("lon", "lat")
    dims: tuple = ()  # where they are not called like the axes
    mapping: dict | None = None
    mapping_name: str = "crs"
    names_mapping: bool = True
    crs: str = "EPSG:4326"
    scale: float = 1.0
    dtype: str = "f8"
    time: tuple = ()  # units, calendar, value, what a series says

    def cells(self):
        return np.random.default_rng(len(self.name)).permutation(self.x.size * self.y.size).reshape(self.y.size, self.x.size) + 1.0

    def lonlat(self, row, column):
        x, y = self.x[column] * self.scale, self.y[row] * self.scale
        if self.crs != "EPSG:4326":
            x, y = pyproj.Transformer.from_crs(self.crs, "EPSG:4326", always_xy=True).transform(x, y)
        return (x + 180) % 360 - 180, y

    def write(self, path):
        with netCDF4.Dataset(path, "w") as out:
            dims = self.dims or self.axes
            for dim, axis, values, says in zip(dims, self.axes, (self.x, self.y), (self.x_says, self.y_says)):
                out.createDimension(dim, len(values))
                var = out.createVariable(axis, self.dtype, (dim,))
                var.setncatts(says)
                var[:] = values
            lead = ()
            if self.time:
                out.createDimension("time", 1)
                var, lead = out.createVariable("time", "f8", ("time",)), ("time",)
                var.setncatts({"units": self.time[0], "calendar": self.time[1]})
                var[:] = self.time[2]
            var = out.createVariable(self.name, "f4", (*lead, dims[1], dims[0]))
            var[:] = self.cells().reshape(var.shape)
            if self.mapping:
                out.createVariable(self.mapping_name, "i4", ()).setncatts(self.mapping)
            if self.mapping and self.names_mapping:
                var.grid_mapping = self.mapping_name


def bare(name, **rest):
    return Kind(name, x_says={}, y_says={}, **rest)


def utm(name, axes, **rest):
    return bare(name, x=EAST, y=NORTH, axes=axes, crs="EPSG:32633", **{"mapping": UTM, **rest})


def rotated(name, says, **rest):
    return Kind(name, x=np.arange(-20, 10, 2.0), y=np.arange(-10, 12, 2.0), axes=("rlon", "rlat"), x_says=says, y_says=says, mapping=POLE,
                crs=ROTATED, **rest)


def said(name, east, north, **rest):
    return Kind(name, x_says={"units": east}, y_says={"units": north}, **rest)


def plane(standard, units):
    return {"standard_name": f"projection_{standard}_coordinate", "units": units}


KINDS = (
    said("words", "degrees east", "Degrees_North"), said("letters", "degrees E", "degrees N"), said("blanks", "degrees_east ", " degreeN"),
    said("angles", "deg", "decimal degrees"), said("arcs", "rad", "radians", x=np.radians(LON), y=np.radians(LAT), scale=180 / np.pi),
    bare("plural", axes=("lons", "lats")), bare("capitals", axes=("LONGITUDE", "LATITUDE")),
    Kind("titles", axes=("x", "y"), x_says={"long_name": "Longitude"}, y_says={"long_name": "latitude"}),
    Kind("standard", axes=("a", "b"), x_says={"standard_name": "longitude"}, y_says={"standard_name": "latitude"}),
    Kind("beside", axes=("Longitude", "Latitude"), dims=("XDim", "YDim")),
    utm("plain_xy", ("x", "y")), utm("plain_names", ("easting", "northing")), utm("lost", ("x", "y"), mapping_name="spatial_ref", names_mapping=False),
    Kind("only_one", x=EAST, y=NORTH, axes=("x", "y"), x_says=plane("x", "m"), y_says=plane("y", "m"), mapping=UTM, names_mapping=False,
         crs="EPSG:32633"),
    bare("plain_degrees", axes=("x", "y"), mapping=WGS84, mapping_name="spatial_ref"),
    Kind("lambert_km", x=PLANE, y=PLANE, axes=("x", "y"), x_says=plane("x", "km"), y_says=plane("y", "km"), mapping=LAMBERT, scale=1000,
         crs="+proj=lcc +lat_1=38.5 +lat_2=38.5 +lat_0=38.5 +lon_0=-97.5 +R=6371229"),
    bare("lambert_plain", x=PLANE * 1000, y=PLANE * 1000, axes=("xc", "yc"), mapping=LAMBERT,
         crs="+proj=lcc +lat_1=38.5 +lat_2=38.5 +lat_0=38.5 +lon_0=-97.5 +R=6371229"),
    Kind("beside_plane", x=EAST, y=NORTH, axes=("xgrid", "ygrid"), dims=("x", "y"), x_says=plane("x", "meters"), y_says=plane("y", "meters"),
         mapping=UTM, crs="EPSG:32633"),
    Kind("hundred_km", x=PLANE / 100, y=PLANE / 100, axes=("x", "y"), x_says=plane("x", "100  km"), y_says=plane("y", "100  km"), mapping=LAMBERT,
         scale=1e5, crs="+proj=lcc +lat_1=38.5 +lat_2=38.5 +lat_0=38.5 +lon_0=-97.5 +R=6371229"),
    rotated("pole_axes", {"units": "degrees", "axis": "X"}), rotated("pole_names", {}), rotated("pole_degree", {"units": "degree"}),
    Kind("halves_swapped", x=np.r_[0:180:10.0, -180:0:10.0], y=np.arange(-85, 90, 10.0)), Kind("from_280", x=np.arange(-279.5, 80, 10)),
    Kind("from_74", x=np.arange(74.16, 434, 8), y=np.arange(-78, 70, 8.0)), Kind("over_0", x=np.r_[350:360:2.5, 0:10:2.5]),
    Kind("over_180", x=np.r_[170:180:2.5, -180:-170:2.5]), Kind("falling", x=np.arange(355, -1, -5.0)), Kind("to_360", x=np.arange(5, 361, 5.0)),
    Kind("with_poles", x=np.arange(0, 360, 10.0), y=np.arange(90, -91, -10.0)), Kind("float_axes", x=5.05 + 0.1 * np.arange(12), dtype="f4"),
    Kind("gauss", x=np.arange(0, 360, 11.25), y=np.degrees(np.arcsin(np.polynomial.legendre.leggauss(16)[0]))),
    Kind("iri", time=("months since 1960-01-01", "360", 0.5, "1960-01-16T00:00:00Z")),
    Kind("gpcp", time=("days since 1970-01-01 00:00:00 0:00", "julian", 19723, "2024-01-01T00:00:00Z")),
)


# ---- places in two dimensions


def askew(rows=24, columns=30):
    j, i = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    return -10 + 0.47 * i - 0.17 * j, 40 + 0.17 * i + 0.47 * j


def add_places(out, dims, names, lonlat, says=True, group=None):
    for name, units, values in zip(names, ("degrees_east", "degrees_north"), lonlat):
        var = (group or out).createVariable(name, "f8", dims)
        if says:
            var.units = units
        var[:] = np.broadcast_to(values, var.shape)


def field(out, name, dims, values, **says):
    var = out.createVariable(name, "f4", dims)
    var[:] = np.broadcast_to(values, var.shape)
    var.setncatts(says)


def dims(out, **sizes):
    for name, size in sizes.items():
        out.createDimension(name, size)


def bare_places(out, name):
    """NEMO without attributes."""
    dims(out, y=24, x=30)
    add_places(out, ("y", "x"), ("nav_lon", "nav_lat"), askew(), says=False)
    field(out, name, ("y", "x"), np.arange(720).reshape(24, 30))


def old_wrf(out, name):
    """Places repeat along a Time that has no coordinate."""
    dims(out, Time=2, y=24, x=30)
    add_places(out, ("Time", "y", "x"), ("XLONG", "XLAT"), askew())
    field(out, name, ("Time", "y", "x"), np.arange(720).reshape(24, 30))


def unknown_mapping(out, name):
    dims(out, y=24, x=30)
    for axis, size in (("x", 30), ("y", 24)):
        var = out.createVariable(axis, "f8", (axis,))
        var.setncatts(plane(axis, "m"))
        var[:] = np.arange(size) * 1000
    out.createVariable("swiss", "i4", ()).grid_mapping_name = "Oblique Mercator (LV03 - CH1903)"
    add_places(out, ("y", "x"), ("lon", "lat"), askew())
    field(out, name, ("y", "x"), np.arange(720).reshape(24, 30), grid_mapping="swiss", coordinates="lon lat")


def counting_axes(out, name):
    """x and y count cells; only the places know."""
    dims(out, y=24, x=30)
    for axis, size in (("x", 30), ("y", 24)):
        out.createVariable(axis, "i4", (axis,))[:] = np.arange(size)
    out.createVariable("crs", "i4", ()).setncatts(LAMBERT)
    add_places(out, ("y", "x"), ("lon", "lat"), askew())
    field(out, name, ("y", "x"), np.arange(720).reshape(24, 30), grid_mapping="crs", coordinates="lon lat")


def groups(out, name):
    """A swath as of ocean colour: places in a group beside that of the data."""
    dims(out, lines=24, pixels=30)
    add_places(out, ("lines", "pixels"), ("longitude", "latitude"), askew(), group=out.createGroup("navigation_data"))
    field(out.createGroup("geophysical_data"), name, ("lines", "pixels"), np.arange(720).reshape(24, 30))


CURVED = {"bare_places": bare_places, "old_wrf": old_wrf, "unknown_mapping": unknown_mapping, "counting_axes": counting_axes, "swath": groups}


# ---- the rest


def odd(out, name):
    """Names that are no keys, numbers that JSON does not hold, an enumeration, dates as numbers of a level."""
    dims(out, lat=8, lon=12, issue=2)
    for axis, values in (("lat", LAT), ("lon", LON)):
        out.createVariable(axis, "f8", (axis,))[:] = values
    issue = out.createVariable("issue", "i4", ("issue",))
    issue[:] = [20200101, 20200102]
    out.most = np.uint64(2**64 - 1)
    kinds = out.createEnumType(np.uint8, "cover_t", {"water": 0, "dry land": 7})
    out.createVariable(name, kinds, ("lat", "lon"))[:] = np.arange(96).reshape(8, 12) % 2 * 7
    field(out, "air temperature (2 m)", ("lat", "lon"), np.arange(96).reshape(8, 12))
    field(out, "issued", ("issue", "lat", "lon"), np.arange(192).reshape(2, 8, 12))


@pytest.fixture(scope="module")
def site(tmp_path_factory, rastrum, start):
    folder, store = tmp_path_factory.mktemp("field"), tmp_path_factory.mktemp("fielded")
    for kind in KINDS:
        kind.write(folder / f"{kind.name}.nc")
    for name, write in {**CURVED, "odd": odd}.items():
        with netCDF4.Dataset(folder / f"{name}.nc", "w") as out:
            write(out, name)
    rastrum("ingest", *sorted(folder.iterdir()), "--collection", "field", "--store", store)
    with Client(start(store)) as client:
        client.store, client.sources = store, folder
        yield client


def series(site, variable, lon, lat, **more):
    return site.ok("/api/timeseries", collection="field", variable=variable, lon=lon, lat=lat, **more).json()


def tile_value(site, variable, lon, lat, zoom=12, **more):
    """That of the pixel which holds the place."""
    x = (lon + 180) / 360 * 2**zoom
    y = (1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * 2**zoom
    answer = site.ok(f"/tiles/field/{zoom}/{int(x)}/{int(y)}.npy", variable=variable, resampling="nearest", **more)
    pixels = np.load(io.BytesIO(answer.content))
    at = int(y % 1 * pixels.shape[1]), int(x % 1 * pixels.shape[2])
    return pixels[0][at] if pixels[-1][at] else None


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_cells_lie_where_the_file_says(site, kind):
    cells = kind.cells()
    for row, column in ((0, 0), (len(kind.y) - 1, len(kind.x) - 2), (len(kind.y) // 2, len(kind.x) // 3)):
        lon, lat = kind.lonlat(row, column)
        answer = series(site, kind.name, lon, lat)
        assert answer["values"] == [cells[row, column]]
        if kind.time:
            assert answer["timestamps"] == [kind.time[3]]
        if abs(lat) < 85:
            assert tile_value(site, kind.name, lon, lat) == cells[row, column]


@pytest.mark.parametrize("name", CURVED)
def test_places_in_two_dimensions(site, name):
    lon, lat = askew()
    variable = f"geophysical_data/{name}" if name == "swath" else name
    for row, column in ((0, 0), (23, 29), (11, 7)):
        answer = series(site, variable, lon[row, column], lat[row, column])
        assert answer["values"][0] == row * 30 + column
        assert answer["cell"]["distance_m"] < 1
    # A row is worth 30, a column 1: bilinear within the cell.
    assert abs(tile_value(site, variable, lon[11, 7], lat[11, 7]) - 337) < 16


def test_a_mapping_that_cannot_be_used_is_told(site, rastrum):
    said_ = rastrum("inspect", site.sources / "unknown_mapping.nc").stdout
    assert "grid-mapping-ignored" in said_ and "LV03" in said_


def test_odd_names_and_types(site, rastrum):
    assert series(site, "air temperature (2 m)", 5, 45)["values"] == [26]
    assert tile_value(site, "air temperature (2 m)", 5, 45) == 26
    assert list(site.store.glob("field/odd/*/data.zarr/air=20temperature=20=282=20m=29/zarr.json"))
    assert series(site, "odd", 7.5, 45)["values"] == [7]
    for index, date in enumerate((20200101, 20200102)):
        assert series(site, "issued", 5, 45, level=date)["values"] == [26 + 96 * index]
    assert "name-escaped" in rastrum("inspect", site.sources / "odd.nc").stdout


# ---- refused


def faces(out):
    """A cubed sphere with the axes that GrADS wants."""
    dims(out, nf=6, Ydim=8, Xdim=8)
    for axis, units in (("Xdim", "degrees_east"), ("Ydim", "degrees_north")):
        var = out.createVariable(axis, "f8", (axis,))
        var.units = units
        var[:] = np.arange(8) * 10 - 40
    far = np.arange(6)[:, None, None] * 10
    add_places(out, ("nf", "Ydim", "Xdim"), ("lons", "lats"), (far + askew(8, 8)[0], far + askew(8, 8)[1] - 40))
    field(out, "PS", ("nf", "Ydim", "Xdim"), 1, coordinates="lons lats")


def no_pole(out):
    dims(out, rlat=8, rlon=12)
    for axis, size in (("rlat", 8), ("rlon", 12)):
        out.createVariable(axis, "f8", (axis,))[:] = np.arange(size)
    field(out, "v", ("rlat", "rlon"), 1)


def no_mapping(out):
    dims(out, y=8, x=12)
    for axis, size in (("y", 8), ("x", 12)):
        out.createVariable(axis, "f8", (axis,))[:] = np.arange(size)
    field(out, "v", ("y", "x"), 1)


def two_longitudes(out):
    dims(out, lat=8, lon=12)
    for axis, values in (("lat", LAT), ("lon", LON)):
        out.createVariable(axis, "f8", (axis,))[:] = values
        out[axis].units = "degrees_east"
    field(out, "v", ("lat", "lon"), 1)


def stations(out):
    dims(out, time=4, station=5)
    add_places(out, ("station",), ("lon", "lat"), (np.arange(5.0), np.arange(5.0)))
    field(out, "temp", ("time", "station"), 1, coordinates="lon lat")


def sweep(out):
    dims(out, azimuth=36, range=20)
    add_places(out, (), ("longitude", "latitude"), (10.0, 50.0))
    field(out, "DBZ", ("azimuth", "range"), 1)


def zonal(out):
    dims(out, plev=3, lat=8)
    out.createVariable("lat", "f8", ("lat",))[:] = LAT
    field(out, "ua", ("plev", "lat"), 1)


REFUSED = {faces: "change along 'nf': faces or tiles", no_pole: "no grid mapping says where its pole is", no_mapping: "no georeference",
           two_longitudes: "no two of its dimensions", stations: "a list of places", sweep: "no two of its dimensions",
           zonal: "no two of its dimensions"}


@pytest.mark.parametrize("write", REFUSED, ids=lambda write: write.__name__)
def test_what_is_no_raster_is_refused(tmp_path, rastrum, write):
    path = tmp_path / "f.nc"
    with netCDF4.Dataset(path, "w") as out:
        write(out)
    assert REFUSED[write] in rastrum("ingest", path, "--collection", "c", "--store", tmp_path / "store", code=1).stderr
    assert not [file for file in (tmp_path / "store").rglob("*") if file.is_file() and file.name[:7] != "catalog"]
