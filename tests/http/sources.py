"""NetCDF files made for the tests, each beside what it holds. A new kind of source is one more function here."""
import dataclasses
import pathlib

import netCDF4
import numpy as np
import pyproj

GEOGRAPHIC = "EPSG:4326"
CF_GLOBAL = {"Conventions": "CF-1.8", "title": "made for the tests"}


@dataclasses.dataclass
class Source:
    """x and y are cell centres in `crs` in the order of the file; values are decoded, NaN where missing."""

    name: str
    path: pathlib.Path
    crs: str
    x: np.ndarray
    y: np.ndarray
    values: dict  # variable -> float64 array, time first where there is one
    times: list = dataclasses.field(default_factory=list)  # RFC 3339 in the file's calendar
    levels: list = dataclasses.field(default_factory=list)
    calendar: str = "proleptic_gregorian"
    units: dict = dataclasses.field(default_factory=dict)

    @property
    def geographic(self):
        return self.crs == GEOGRAPHIC

    def lonlat(self, row, column):
        """Centre of a cell, longitude within ±180."""
        x, y = float(self.x[column]), float(self.y[row])
        if not self.geographic:
            x, y = pyproj.Transformer.from_crs(self.crs, GEOGRAPHIC, always_xy=True).transform(x, y)
        return (x + 180) % 360 - 180, y


def waves(shape, seed, low, high):
    """A smooth field of this shape with some roughness, each value within low..high."""
    random = np.random.default_rng(seed)
    out = np.zeros(shape)
    axes = np.meshgrid(*[np.linspace(0, 1, n) for n in shape], indexing="ij")
    for _ in range(8):
        turns = random.uniform(0.5, 3, len(shape))
        phase = random.uniform(0, 2 * np.pi)
        out += np.sin(2 * np.pi * sum(t * a for t, a in zip(turns, axes)) + phase)
    out += random.normal(0, 0.1, shape)
    return low + (out - out.min()) / (out.max() - out.min()) * (high - low)


def _file(folder, name, **kind):
    path = folder / f"{name}.nc"
    out = netCDF4.Dataset(path, "w", **kind)
    out.setncatts(CF_GLOBAL)
    return path, out


def _axis(out, name, values, dtype="f8", **attributes):
    out.createDimension(name, len(values))
    var = out.createVariable(name, dtype, (name,))
    var.setncatts(attributes)
    var[:] = values


def _time(out, values, units, calendar):
    _axis(out, "time", values, standard_name="time", units=units, calendar=calendar, axis="T")
    dates = netCDF4.num2date(values, units, calendar)
    return [d.strftime("%Y-%m-%dT%H:%M:%SZ").strip() for d in dates]


def _lonlat(out, lon, lat, dtype="f8"):
    _axis(out, "lat", lat, dtype, standard_name="latitude", units="degrees_north", axis="Y")
    _axis(out, "lon", lon, dtype, standard_name="longitude", units="degrees_east", axis="X")


def _variable(out, name, dtype, dims, values, fill=None, **attributes):
    """Returns what a reader decodes: the float64 of what was stored, NaN for missing."""
    var = out.createVariable(name, dtype, dims, fill_value=fill, zlib=out.data_model == "NETCDF4", shuffle=True)
    var.setncatts(attributes)
    var[:] = np.ma.masked_invalid(values) if fill is None else np.ma.fix_invalid(values, fill_value=0)
    stored = var[:]
    if "scale_factor" in attributes:
        var.set_auto_maskandscale(False)
        raw = var[:].astype("f8")
        decoded = raw * attributes["scale_factor"] + attributes.get("add_offset", 0)
        return np.where(raw == fill, np.nan, decoded)
    return np.ma.filled(stored.astype("f8"), np.nan)


def globe(folder):
    """Global 2 degrees on 0..360 whose first cell lies across 0, three pressure levels, 60 six-hourly steps."""
    path, out = _file(folder, "globe")
    lon, lat, levels = np.arange(0, 360, 2.0), np.arange(-89, 90, 2.0), [850.0, 500.0, 250.0]
    times = _time(out, np.arange(60) * 6.0, "hours since 2020-02-20", "proleptic_gregorian")
    _axis(out, "level", levels, standard_name="air_pressure", units="hPa", positive="down", axis="Z")
    _lonlat(out, lon, lat)
    land = np.hypot(((lon[None, :] - 100 + 180) % 360 - 180) / 50, (lat[:, None] - 20) / 30) < 1
    land = land | (np.hypot(((lon[None, :] - 2 + 180) % 360 - 180) / 12, (lat[:, None] + 30) / 12) < 1)
    # Periodic in longitude, so that a seam would show.
    smooth = 280 + 15 * np.cos(np.radians(lat))[:, None] * np.cos(np.radians(2 * lon))[None, :]
    rough = np.random.default_rng(1).normal(0, 0.2, (60, lat.size, lon.size))
    sst = np.where(land, np.nan, smooth + rough + 2 * np.sin(np.arange(60) / 5)[:, None, None])
    wind = waves((60, 3, lat.size, lon.size), 2, 0, 60)
    values = {
        "sst": _variable(out, "sst", "f4", ("time", "lat", "lon"), sst, fill=np.float32(-999), units="K",
                         standard_name="sea_surface_temperature"),
        "wind": _variable(out, "wind", "f4", ("time", "level", "lat", "lon"), wind, units="m s-1",
                          standard_name="wind_speed"),
    }
    out.close()
    return Source("globe", path, GEOGRAPHIC, lon, lat, values, times, levels, units={"sst": "K", "wind": "m s-1"})


def packed(folder):
    """int16 with scale and offset on -180..180, 3 degrees, NetCDF classic, monthly, calendar noleap."""
    path, out = _file(folder, "packed", format="NETCDF3_CLASSIC")
    lon, lat = np.arange(-178.5, 180, 3), np.arange(-88.5, 90, 3)
    times = _time(out, np.arange(12) * 30.0 + 15, "days since 2001-01-01", "noleap")
    _lonlat(out, lon, lat, "f4")
    rain = waves((12, lat.size, lon.size), 3, 0, 40)
    rain[:, 50:, 20:40] = np.nan
    values = {"rain": _variable(out, "rain", "i2", ("time", "lat", "lon"), rain, fill=np.int16(-32768), units="mm",
                                long_name="rain", scale_factor=0.0025, add_offset=20.0)}
    out.close()
    return Source("packed", path, GEOGRAPHIC, lon, lat, values, times, calendar="noleap", units={"rain": "mm"})


def alps(folder):
    """Regional, a tenth of a degree, latitudes descending, no time; two variables of other types."""
    path, out = _file(folder, "alps")
    lon, lat = 5 + 0.1 * np.arange(120), 49 - 0.1 * np.arange(70)
    _lonlat(out, lon, lat)
    height = waves((70, 120), 4, 0, 4000)
    values = {
        "height": _variable(out, "height", "f8", ("lat", "lon"), height, units="m", standard_name="surface_altitude"),
        "cover": _variable(out, "cover", "u1", ("lat", "lon"), np.floor(height / 200), fill=np.uint8(255), units="1",
                           long_name="land cover class"),
    }
    out.close()
    return Source("alps", path, GEOGRAPHIC, lon, lat, values, units={"height": "m", "cover": "1"})


def _grid_mapping(out, crs, **attributes):
    var = out.createVariable("crs", "i4", ())
    var.setncatts(attributes)
    var.crs_wkt = pyproj.CRS(crs).to_wkt()


def _projected(out, x, y):
    _axis(out, "y", y, standard_name="projection_y_coordinate", units="m", axis="Y")
    _axis(out, "x", x, standard_name="projection_x_coordinate", units="m", axis="X")


def europe(folder):
    """EPSG:3035, 25 km, daily, y ascending."""
    path, out = _file(folder, "europe")
    x, y = 3000000 + 12500 + 25000.0 * np.arange(80), 2000000 + 12500 + 25000.0 * np.arange(70)
    times = _time(out, np.arange(10.0), "days since 2021-06-01 12:00", "standard")
    _projected(out, x, y)
    _grid_mapping(out, "EPSG:3035", grid_mapping_name="lambert_azimuthal_equal_area",
                  longitude_of_projection_origin=10.0, latitude_of_projection_origin=52.0, false_easting=4321000.0,
                  false_northing=3210000.0, semi_major_axis=6378137.0, inverse_flattening=298.257222101)
    heat = waves((10, y.size, x.size), 5, -10, 35)
    heat[:, 10:20, 30:50] = np.nan
    values = {"heat": _variable(out, "heat", "f4", ("time", "y", "x"), heat, fill=np.float32(1e20), units="degC",
                                grid_mapping="crs", long_name="heat")}
    out.close()
    return Source("europe", path, "EPSG:3035", x, y, values, times, calendar="standard", units={"heat": "degC"})


def zone(folder):
    """EPSG:32633 (UTM), 1 km, y descending, one time as a scalar coordinate."""
    path, out = _file(folder, "zone")
    x, y = 300500 + 1000.0 * np.arange(200), 5399500 - 1000.0 * np.arange(180)
    _projected(out, x, y)
    _grid_mapping(out, "EPSG:32633", grid_mapping_name="transverse_mercator", latitude_of_projection_origin=0.0,
                  longitude_of_central_meridian=15.0, scale_factor_at_central_meridian=0.9996, false_easting=500000.0,
                  false_northing=0.0, semi_major_axis=6378137.0, inverse_flattening=298.257223563)
    when = out.createVariable("time", "f8", ())
    when.setncatts({"standard_name": "time", "units": "hours since 2022-03-04", "calendar": "standard"})
    when[...] = 5.5
    snow = waves((y.size, x.size), 6, 0, 3)
    values = {"snow": _variable(out, "snow", "f4", ("y", "x"), snow, fill=np.float32(np.nan), units="m",
                                grid_mapping="crs", coordinates="time", long_name="snow depth")}
    out.close()
    return Source("zone", path, "EPSG:32633", x, y, values, ["2022-03-04T05:30:00Z"], calendar="standard",
                  units={"snow": "m"})


def model(folder):
    """The 360-day calendar, 60 daily steps over 30 February, 5 degrees, 0..360."""
    path, out = _file(folder, "model")
    lon, lat = np.arange(2.5, 360, 5), np.arange(-87.5, 90, 5)
    times = _time(out, 15 + np.arange(60.0), "days since 1850-01-01", "360_day")
    _lonlat(out, lon, lat)
    tas = waves((60, lat.size, lon.size), 7, 220, 310)
    values = {"tas": _variable(out, "tas", "f4", ("time", "lat", "lon"), tas, fill=np.float32(1e20), units="K",
                               standard_name="air_temperature")}
    out.close()
    return Source("model", path, GEOGRAPHIC, lon, lat, values, times, calendar="360_day", units={"tas": "K"})


def fine(folder):
    """Global a quarter of a degree on -180..180, so that there are overviews; int16, two instants of one day."""
    path, out = _file(folder, "fine")
    lon, lat = np.arange(-179.875, 180, 0.25), np.arange(-89.875, 90, 0.25)
    times = _time(out, [6.0, 18.0], "hours since 2023-07-01", "standard")
    _lonlat(out, lon, lat)
    depth = np.round(waves((2, lat.size, lon.size), 8, -6000, 6000))
    depth[:, 100:140, 1000:1100] = np.nan
    values = {"depth": _variable(out, "depth", "i2", ("time", "lat", "lon"), depth, fill=np.int16(-32768), units="m",
                                 long_name="depth")}
    out.close()
    return Source("fine", path, GEOGRAPHIC, lon, lat, values, times, calendar="standard", units={"depth": "m"})


MAKERS = (globe, packed, alps, europe, zone, model, fine)


def make_all(folder):
    return {source.name: source for source in (maker(folder) for maker in MAKERS)}
