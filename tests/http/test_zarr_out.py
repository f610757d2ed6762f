"""The Zarr stores that ingest writes, v2 and v3, as the programs of others open them: value for value what the source says."""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import warnings

import netCDF4
import numpy as np
import pytest
import xarray

JUDGES = pathlib.Path(__file__).parent / "zarrjudges"
PEERS = pathlib.Path(os.environ.get("PEERS_DIR", ""))
T, Y, X = 30, 37, 44
RNG = np.random.default_rng(20260727)


# ---- sources


def axes(data, calendar="standard", units="hours since 2021-03-01", start=0.0):
    for name, size in (("time", T), ("lat", Y), ("lon", X)):
        data.createDimension(name, size)
    time = data.createVariable("time", "f8", ("time",))
    time.setncatts({"units": units, "calendar": calendar, "standard_name": "time"})
    time[:] = start + np.arange(T) * 6.0
    for name, unit, values in (("lat", "degrees_north", 50 - np.arange(Y) * 0.5), ("lon", "degrees_east", 5 + np.arange(X) * 0.5)):
        axis = data.createVariable(name, "f8", (name,))
        axis.setncatts({"units": unit, "standard_name": {"lat": "latitude", "lon": "longitude"}[name]})
        axis[:] = values


def put(group, name, cells, dims=("time", "lat", "lon"), fill=None, **attrs):
    variable = group.createVariable(name, cells.dtype, dims, fill_value=fill, chunksizes=cells.shape)
    variable.set_auto_maskandscale(False)
    variable.setncatts(attrs)
    variable[...] = cells
    return variable


def float_fields(data):
    axes(data)
    data.setncatts({"title": "Prüfling – naïve", "history": "made by hand\nin two lines", "version": np.int16(3), "list": np.array([1.5, -2.0])})
    cells = RNG.normal(280, 9, (T, Y, X)).astype("f4")
    cells[:, 10:30, 5:40] = np.nan  # whole chunks of fill
    put(data, "t2m", cells, fill=np.float32(np.nan), units="K", long_name="2 metre temperature", cell_methods="time: mean")
    put(data, "plain", RNG.normal(0, 1, (T, Y, X)).astype("f4"), units="m")
    large = RNG.normal(5, 1, (T, Y, X))
    large[large < 4] = 1e20
    put(data, "large", large, fill=1e20, missing_value=1e20, units="m s-1")
    put(data, "mask", np.zeros((Y, X), "f4"), ("lat", "lon"), units="1")


def packed(data):
    axes(data)
    cells = RNG.integers(-32000, 32000, (T, Y, X)).astype("i2")
    cells[:, :17, :17] = -32767
    put(data, "sst", cells, fill=np.int16(-32767), missing_value=np.int16(-32767), scale_factor=0.002, add_offset=290.0, units="K")
    put(data, "byte", RNG.integers(0, 200, (T, Y, X)).astype("u1"), scale_factor=0.5, add_offset=-10.0, units="%")


def flags(data):
    axes(data)
    cells = RNG.integers(0, 4, (T, Y, X)).astype("u1")
    cells[RNG.random(cells.shape) < 0.2] = 255
    put(data, "ice", cells, fill=np.uint8(255), flag_values=np.array([0, 1, 2, 3], "u1"), flag_meanings="none thin thick land")
    put(data, "signed", RNG.integers(-128, 127, (T, Y, X)).astype("i1"), fill=np.int8(-128), flag_masks=np.array([1, 2], "i1"),
        flag_meanings="a b")


def integers(data):
    axes(data)
    wide = RNG.integers(0, 2**64 - 2, (T, Y, X), dtype="u8")
    wide[:, :20, :20] = 2**64 - 1
    put(data, "u64", wide, fill=np.uint64(2**64 - 1), units="1")
    put(data, "i64", RNG.integers(-2**62, 2**62, (T, Y, X), dtype="i8"), fill=np.int64(-2**63), units="1")
    put(data, "i32", np.where(RNG.random((T, Y, X)) < 0.5, 0, 7).astype("i4"), units="1")
    put(data, "u32", np.zeros((T, Y, X), "u4"), units="1")  # zeros are values: nothing may be left out
    put(data, "u16", RNG.integers(0, 2**16 - 1, (T, Y, X)).astype("u2"), fill=np.uint16(65535), units="1")


def groups(data):
    axes(data)
    put(data, "outer", RNG.normal(0, 1, (T, Y, X)).astype("f4"), units="1", grid_mapping="crs")
    crs = data.createVariable("crs", "i4", ())
    crs.setncatts({"grid_mapping_name": "latitude_longitude", "semi_major_axis": 6378137.0, "inverse_flattening": 298.257223563})
    crs[...] = -2147483647
    inner = data.createGroup("model").createGroup("run")
    axes(inner, start=1.0)
    put(inner, "inner", RNG.normal(0, 1, (T, Y, X)).astype("f8"), units="1")


def levels(data):
    axes(data)
    data.createDimension("level", 5)
    level = data.createVariable("level", "i4", ("level",))
    level.setncatts({"units": "hPa", "positive": "down", "axis": "Z"})
    level[:] = [1000, 850, 700, 500, 300]
    put(data, "q", RNG.normal(0, 1, (T, 5, Y, X)).astype("f4"), ("time", "level", "lat", "lon"), fill=np.float32(9.96921e36), units="kg kg-1")


def calendar_360(data):
    axes(data, "360_day", "days since 2000-02-29", start=0.5)
    put(data, "pr", RNG.gamma(1, 1, (T, Y, X)).astype("f4"), units="mm")


SOURCES = {make.__name__: make for make in (float_fields, packed, flags, integers, groups, levels, calendar_360)}


class Written:
    """One source and the stores made of it."""

    def __init__(self, name, path, stores):
        self.name, self.path, self.stores = name, path, stores  # stores: format -> folder

    def groups(self):
        return ["", "model/run"] if self.name == "groups" else [""]

    def raw(self):
        """path -> cells as they are stored, of everything that is numbers."""
        with netCDF4.Dataset(self.path) as data:
            data.set_auto_maskandscale(False)
            at = {group: data[group] if group else data for group in self.groups()}
            return {f"{group}/{name}".lstrip("/"): np.asarray(v[...]) for group, node in at.items() for name, v in node.variables.items()}

    def opened(self, group, **options):
        return xarray.open_dataset(self.path, group=group or None, engine="netcdf4", **options)


@pytest.fixture(scope="module")
def written(rastrum, tmp_path_factory):
    place, out = tmp_path_factory.mktemp("zarr-out"), {}
    for name, make in SOURCES.items():
        path, stores = place / f"{name}.nc", {}
        with netCDF4.Dataset(path, "w") as data:
            make(data)
        for version in (2, 3):
            store = place / f"store{version}"
            rastrum("ingest", path, "--collection", "c", "--store", store, "--zarr-format", version, "--no-compact")
            (stores[version],) = (store / "c" / name).glob("*/data.zarr")
        out[name] = Written(name, path, stores)
    return out


@pytest.fixture(params=SOURCES)
def one(request, written):
    return written[request.param]


def same(got, want, what):
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape and got.dtype.newbyteorder("=") == want.dtype.newbyteorder("="), f"{what}: {got.dtype} {got.shape}"
    assert np.array_equal(got, want, equal_nan=want.dtype.kind in "fc"), what


def judge(*command, env=None):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, **(env or {})})
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def told(value):
    return str(value.tolist() if isinstance(value, np.ndarray | np.generic) else value)


def test_what_is_said_of_v2(rastrum, tmp_path, written):
    path, where = written["packed"].path, ("--collection", "c", "--store", tmp_path)
    done = rastrum("ingest", path, *where, "--zarr-format", "2", "--json")
    event = [json.loads(line) for line in done.stdout.splitlines()][-1]
    (store,) = (tmp_path / "c" / "packed").glob("*/")
    objects = [p for p in store.rglob("*") if p.is_file() and p.name != "manifest.json"]
    assert event["event"] == "published" and event["objects"] == len(objects)
    assert f"out in {len(objects)} objects, " in rastrum("ingest", path, *where, "--zarr-format", "2", "--dataset", "again").stderr
    chunks = json.loads((store / "data.zarr" / "sst" / ".zarray").read_text())["chunks"]
    assert chunks[0] == T and 16 <= chunks[1] and T * chunks[1] * chunks[2] * 2 <= 96 << 10
    assert "unchanged" in rastrum("ingest", path, *where, env={**os.environ, "RASTRUM_ZARR_FORMAT": "2"}).stderr
    (tmp_path / "rastrum.lua").write_text("return { zarr_format = 2 }\n")
    assert "unchanged" in rastrum("ingest", path, *where, "--config", tmp_path / "rastrum.lua").stderr
    refused = rastrum("ingest", path, *where, "--zarr-format", "4", code=1).stderr
    assert "--zarr-format" in refused and "3 or 2" in refused
    series = [json.loads(rastrum("timeseries", "--store", s.parents[3], "--", "c", 7, 45, "variable=sst").stdout)["values"]
              for s in written["packed"].stores.values()]
    assert series[0] == series[1] and len(series[0]) == T


# ---- judges


@pytest.mark.parametrize("version", (2, 3))
def test_xarray(one, version):
    for group in one.groups():
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # not consolidated, no such dimension, …
            warnings.filterwarnings("ignore", ".*(numpy|cftime|2-argument|unsigned|_FillValue).*")
            got = xarray.open_zarr(one.stores[version], group=group or None, consolidated=True, zarr_format=version)
        want = one.opened(group)
        assert set(got.variables) == set(want.variables) and dict(got.sizes) == dict(want.sizes)
        assert set(got.coords) == set(want.coords)
        for name, variable in want.variables.items():
            same(got[name].values, variable.values, f"{group}/{name}")
            assert got[name].dims == variable.dims
            assert {k: told(v) for k, v in variable.attrs.items()}.items() <= {k: told(v) for k, v in got[name].attrs.items()}.items()
            fill = variable.encoding.get("_FillValue")
            own = got[name].encoding.get("_FillValue")
            assert (fill is None and (own is None or np.isnan(own))) or np.array_equal(own, fill, equal_nan=variable.dtype.kind == "f")
        assert {k: told(v) for k, v in want.attrs.items()}.items() <= {k: told(v) for k, v in got.attrs.items()}.items()


@pytest.fixture(scope="module")
def by_zarr_python_2(written, tmp_path_factory):
    """name -> cells and attributes, of all stores by one process."""
    if not (PEERS / "zarr2" / "zarr").is_dir():
        pytest.skip("zarr-python 2 is not installed: tests/run venv")
    out = tmp_path_factory.mktemp("zarr2")
    stores = {name: [str(w.stores[2]), *w.groups()] for name, w in written.items()}
    attributes = judge(sys.executable, JUDGES / "xarray_zarr2.py", out, json.dumps(stores), env={"PYTHONPATH": str(PEERS / "zarr2")})
    return {name: (np.load(out / f"{name}.npz"), attributes[name]) for name in stores}


@pytest.mark.release_only
def test_xarray_with_zarr_python_2(one, by_zarr_python_2):
    (got, attributes), count = by_zarr_python_2[one.name], 0
    for group in one.groups():
        for name, variable in one.opened(group, decode_times=False).variables.items():
            path = f"{group}/{name}".lstrip("/")
            same(got[path.replace("/", "\\")], variable.values, path)
            assert {k: str(v) for k, v in variable.attrs.items() if isinstance(v, str)}.items() <= attributes[path]["attrs"].items()
            assert tuple(attributes[path]["dims"]) == variable.dims
            count += 1
    assert count == len(got.files)


@pytest.mark.release_only
def test_gdal(one, tmp_path):
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if not python or subprocess.run([python, "-c", "from osgeo import gdal_array"], capture_output=True, check=False).returncode:
        pytest.skip("the system's Python has no GDAL")
    raw = one.raw()
    nodata = judge(python, JUDGES / "gdal_arrays.py", tmp_path / "got", one.stores[2], *raw)
    got = np.load(tmp_path / "got.npz")
    with netCDF4.Dataset(one.path) as data:
        for path, cells in raw.items():
            own = got[path.replace("/", "\\")]
            same(own.astype(cells.dtype) if cells.dtype == "i1" else own, cells, path)  # 3.6 has no int8
            fill = getattr(data[path], "_FillValue", None)
            if fill is not None and cells.dtype.itemsize < 8:  # told as a double
                assert np.array_equal(float(nodata[path]), float(fill), equal_nan=True), path


# netcdf-c reads compressed Zarr by its plugins alone: those of Debian's 4.9.0 are not packaged, and without them it gives
# zeros without a word. The wheel has its own. It shows no variable without a dimension.
@pytest.mark.release_only
def test_netcdf_c(one):
    raw = {path: cells for path, cells in one.raw().items() if cells.ndim}
    with netCDF4.Dataset(f"file://{one.stores[2]}#mode=zarr,file") as data:
        data.set_auto_maskandscale(False)
        for path, cells in raw.items():
            same(data[path][...], cells, path)
        with netCDF4.Dataset(one.path) as source:
            for path in raw:
                want = {k: told(v) for k, v in source[path].__dict__.items() if told(v) != "nan"}
                assert want.items() <= {k: told(v) for k, v in data[path].__dict__.items()}.items()


@pytest.mark.release_only
def test_ncdump(one):
    if not shutil.which("ncdump"):
        pytest.skip("ncdump is not installed")
    done = subprocess.run(["ncdump", "-h", f"file://{one.stores[2]}#mode=zarr,file"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    with netCDF4.Dataset(one.path) as data:
        for name, variable in data.variables.items():
            dims = f"({', '.join(variable.dimensions)})" if variable.ndim else ""
            assert f" {name}{dims} ;" in done.stdout, name
        assert all(f"group: {name} {{" in done.stdout for name in data.groups)


@pytest.mark.release_only
@pytest.mark.parametrize("version", (2, 3))
def test_zarrita(written, version):
    node, modules = shutil.which("node"), PEERS / "zarrita" / "node_modules"
    if not node or not modules.is_dir():
        pytest.skip("zarrita.js is not installed: it takes node and npm, then tests/run venv")
    for one in written.values():
        raw = one.raw()
        got = judge(node, JUDGES / "zarrita.mjs", modules, one.stores[version], *raw)
        for path, cells in raw.items():
            assert got[path]["shape"] == list(cells.shape), path
            assert got[path]["sha256"] == hashlib.sha256(np.ascontiguousarray(cells).tobytes()).hexdigest(), path
