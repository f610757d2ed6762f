"""Feeds of many small files for the tests of segments, each beside what it holds."""
import dataclasses
import pathlib
import shutil
import tempfile

import cftime
import netCDF4
import numpy as np

LAT, LON = np.linspace(-75, 75, 6), np.arange(0, 360, 30.0)
LEVELS = [850.0, 500.0]


@dataclasses.dataclass
class File:
    """One source: times in RFC 3339 in its calendar, values decoded, NaN where missing, time first."""

    path: pathlib.Path
    times: list
    values: dict = dataclasses.field(default_factory=dict)

    @property
    def dataset(self):
        return self.path.stem


def _stored(values, dtype, scale, offset, fill):
    """Packs, and gives what a reader decodes: in float32 for small integers, as CF readers of ours do."""
    raw = np.where(np.isnan(values), fill, np.round((values - offset) / scale))
    raw = raw.astype(dtype) if dtype.startswith("i") else np.where(np.isnan(values), fill, values).astype(dtype)
    decoded = (raw.astype("f8") * scale + offset).astype("f8" if dtype in ("i4", "f8") else "f4")
    return raw, np.where(raw == np.dtype(dtype).type(fill), np.nan, decoded)


def _variable(out, name, dims, values, packing):
    dtype, scale, offset, fill = packing
    raw, decoded = _stored(values, dtype, scale, offset, fill)
    var = out.createVariable(name, dtype, dims, fill_value=np.dtype(dtype).type(fill), zlib=True)
    var.units = "K"
    var.set_auto_maskandscale(False)
    if scale != 1 or offset != 0:
        var.scale_factor, var.add_offset = scale, offset
    var[:] = raw
    return decoded


FLOAT = ("f4", 1, 0, -999)


def write(path, day, steps=1, variables=("t",), packing=FLOAT, calendar="standard", units=None, times=None,
          levels=False, scalar=False, mask=1, seed=0):
    """A file of `steps` evenly in one day, the day-th of 2010; `times` (days since then) in their place. `scalar`: time is
    no dimension. The values are a function of everything, so that no two files hold the same."""
    since = cftime.num2date(day, "days since 2010-01-01", calendar).strftime("%Y-%m-%d") if units == "own day" else "2010-01-01"
    units = f"hours since {since}" if units == "own day" else units or "days since 2010-01-01"
    times = np.array(day + np.arange(steps) / steps if times is None else times, "f8")
    dates = cftime.num2date(times, "days since 2010-01-01", calendar)
    file = File(pathlib.Path(path), [d.strftime("%Y-%m-%dT%H:%M:%SZ") for d in dates])
    with netCDF4.Dataset(path, "w") as out:
        out.title = "feed"
        for name, values, unit in (("lat", LAT, "degrees_north"), ("lon", LON, "degrees_east")):
            out.createDimension(name, values.size)
            out.createVariable(name, "f8", (name,))[:] = values
            out[name].units = unit
        if levels:
            out.createDimension("level", len(LEVELS))
            out.createVariable("level", "f8", ("level",))[:] = LEVELS
            out["level"].setncatts({"units": "hPa", "standard_name": "air_pressure", "positive": "down"})
        out.createDimension("bnds", 2)
        if not scalar:
            out.createDimension("time", times.size)
        head = () if scalar else ("time",)
        time = out.createVariable("time", "f8", head)
        time.setncatts({"units": units, "calendar": calendar, "standard_name": "time", "bounds": "time_bnds"})
        time[:] = cftime.date2num(dates, units, calendar)
        bounds = out.createVariable("time_bnds", "f8", head + ("bnds",))
        edges = cftime.num2date(np.stack([times, times + 1 / steps], -1), "days since 2010-01-01", calendar)
        bounds[:] = cftime.date2num(edges, units, calendar)
        if mask:
            out.createVariable("mask", "u1", ("lat", "lon"))[:] = mask
        dims = head + (("level",) if levels else ()) + ("lat", "lon")
        for name in variables:
            shape = (times.size,) + ((len(LEVELS),) if levels else ()) + (LAT.size, LON.size)
            random = np.random.default_rng([day, seed, len(name), ord(name[0])])
            values = np.round(random.uniform(200, 300, shape), 2)
            values[random.random(shape) < 0.05] = np.nan
            decoded = _variable(out, name, dims, values[0] if scalar else values, packing)
            if not scalar:
                var = out[name]
                var.coordinates = "time"
            file.values[name] = decoded[None] if scalar else decoded
    return file


class Folder:
    """Where a feed and its store lie: in memory where there is such a place, since thousands of synced files are slow."""

    def __init__(self, root):
        memory = pathlib.Path("/dev/shm")
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="feed-", dir=memory if memory.is_dir() else root))
        self.files, self.store = self.path / "feed", self.path / "store"
        self.files.mkdir()

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


def expected(files, variable, row, column, level=None):
    """(time, value) at a cell: within a file its own order, files by their first time."""
    out = []
    for file in sorted(files, key=lambda f: (min(f.times), f.dataset)):
        values = file.values[variable]
        cell = values[:, level, row, column] if level is not None else values[:, row, column]
        out += list(zip(file.times, cell))
    return out


def same(answer, want):
    """A series' JSON against expected()."""
    assert answer["timestamps"] == [t for t, _ in want]
    got = np.array([np.nan if v is None else v for v in answer["values"]], "f8").astype("f4")
    np.testing.assert_array_equal(got, np.array([v for _, v in want], "f8").astype("f4"))
