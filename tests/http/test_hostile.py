"""What holds of every file that is refused, and what the kernel holds when a library is taken over; see hostile.py for the
files that are made to do harm."""
import json
import os
import pathlib
import subprocess

import netCDF4
import numpy as np
import pytest

import hostile

CASES, case = hostile.registry()
NY, NX = 12, 16


def grid(path, change=None, lat=None, lon=None, crs=None, **attributes):
    """A grid with `t`, whose attributes are given; `crs` are those of a grid mapping, with metres for axes."""
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as d:
        names = ("y", "x") if crs else ("lat", "lon")
        units = ("m", "m") if crs else ("degrees_north", "degrees_east")
        for name, unit, values in zip(names, units, (np.linspace(-50, 50, NY) if lat is None else lat,
                                                     np.linspace(0, 150, NX) if lon is None else lon)):
            d.createDimension(name, len(values))
            axis = d.createVariable(name, "f8", (name,))
            axis.setncatts({"units": unit, **({"standard_name": f"projection_{name}_coordinate"} if crs else {})})
            axis[:] = values
        t = d.createVariable("t", "i2", names)
        t[:] = np.arange(NY * NX).reshape(NY, NX)
        if crs:
            d.createVariable("crs", "i4", ()).setncatts(crs)
            t.grid_mapping = "crs"
        t.setncatts(attributes)
        if change:
            change(d)
    return path


# ---- CF

@case("")
def names_in_a_circle(folder, _secret):
    return grid(folder / "a.nc", coordinates="t t a", grid_mapping="t", ancillary_variables="t", cell_measures="area: t", bounds="t")


@case("")
def grid_mappings_in_a_circle(folder, _secret):
    def change(d):
        for name, other in (("a", "b"), ("b", "a")):
            d.createVariable(name, "i4", ()).setncatts({"grid_mapping": other, "grid_mapping_name": "latitude_longitude"})
    return grid(folder / "a.nc", change, grid_mapping="a: b a b: a")


@case("")
def bounds_of_an_axis_that_are_the_axis(folder, _secret):
    def change(d):
        d["lat"].setncatts({"bounds": "lat", "climatology": "lat", "formula_terms": "a: lat b: lat"})
        d["lon"].bounds = "lat"
    return grid(folder / "a.nc", change)


AXIS = "axis|longitude|latitude|finite|NaN|missing|coordinate|range"


def axis(says, name, **axes):
    case(says, name=name)(lambda folder, _secret: grid(folder / "a.nc", **axes))


axis(AXIS, "an axis of NaN", lat=np.full(NY, np.nan))
axis(AXIS, "an axis of infinities", lon=np.full(NX, np.inf))
axis(AXIS, "an axis of both infinities", lat=np.r_[-np.inf, np.zeros(NY - 2), np.inf])
axis(AXIS, "an axis of one value", lon=np.zeros(NX))
axis(AXIS, "an axis of 1e308", lat=np.linspace(-1.7e308, 1.7e308, NY))
axis(AXIS, "latitudes of thousands", lat=np.linspace(-1e5, 1e5, NY))
axis("", "longitudes of thousands of millions", lon=np.linspace(0, 1e12, NX))
axis("", "cells of 1e-300", lon=np.arange(NX) * 1e-300)


def attribute(says, name, **attributes):
    case(says, name=name)(lambda folder, _secret: grid(folder / "a.nc", **attributes))


attribute("", "a scale of nothing", scale_factor=0.0)
attribute("", "a scale of NaN", scale_factor=float("nan"))
attribute("", "an offset of infinity", add_offset=float("inf"))
attribute("", "a scale of many numbers", scale_factor=np.ones(1000))
attribute("", "a scale that is a text", scale_factor="1e999; rm -rf /")
attribute("", "a valid range the wrong way round", valid_range=np.array([9, -9], "i2"))
attribute("", "a million flags", flag_values=np.arange(30000, dtype="i2"), flag_meanings=" ".join(["word"] * 1_000_000))
attribute("", "a million names of coordinates", coordinates=" ".join(["nothing"] * 1_000_000))
attribute("", "cell methods of a million brackets", cell_methods="time: mean (" * 200_000)
attribute("", "units without end", units="m" * 1_000_000)
attribute("", "units in brackets without end", units="(" * 100_000 + "m" + ")" * 100_000)
attribute("", "units of powers of powers", units="m^9^9^9^9^9^9^9^9^9^9^9999999999999999")
attribute("", "texts that steer a terminal", units="\x1b]0;owned\x07\x1b[2J", long_name="\x1b[31m\r\n\x9b2J")


# ---- definitions of a CRS that name files

def mapping(says, name, make):
    """A grid mapping whose attributes may name the secret."""
    case(says, name=name)(lambda folder, secret: grid(folder / "a.nc", lat=np.linspace(0, 1e6, NY), lon=np.linspace(0, 1e6, NX),
                                                      crs=make(secret)))


def bound(grids):
    """A CRS that is bound to WGS 84 by a grid shift in a file."""
    base = ('GEOGCRS["x",DATUM["x",ELLIPSOID["GRS 1980",6378137,298.257222101]],CS[ellipsoidal,2],AXIS["latitude",north],'
            'AXIS["longitude",east],ANGLEUNIT["degree",0.0174532925199433]]')
    merc = base.replace("GEOGCRS", "BASEGEOGCRS").replace(',CS[ellipsoidal,2],AXIS["latitude",north],AXIS["longitude",east]', "")
    crs = (f'PROJCRS["p",{merc},CONVERSION["m",METHOD["Mercator (variant A)"],PARAMETER["Longitude of natural origin",0]],'
           'CS[Cartesian,2],AXIS["x",east],AXIS["y",north],LENGTHUNIT["metre",1]]')
    return (f'BOUNDCRS[SOURCECRS[{crs}],TARGETCRS[{base}],ABRIDGEDTRANSFORMATION["t",METHOD["NTv2"],'
            f'PARAMETERFILE["Latitude and longitude difference file","{grids}"]]]')


FILES = "crs|CRS|grid mapping|PROJ"
mapping("", "a grid of shifts by its path", lambda s: {"proj4": f"+proj=merc +ellps=GRS80 +nadgrids={s} +units=m"})
mapping("", "a grid of heights by its path", lambda s: {"proj4": f"+proj=merc +ellps=GRS80 +geoidgrids={s} +units=m"})
mapping("", "a relative grid of shifts", lambda s: {"proj4": "+proj=merc +ellps=GRS80 +nadgrids=../secret,@../secret +units=m"})
mapping(FILES, "an init file", lambda s: {"proj4": f"+init={s}:1 +units=m"})
mapping(FILES, "a text that is a file", lambda s: {"crs_wkt": f"@{s}"})
mapping(FILES, "a path for WKT", lambda s: {"crs_wkt": str(s), "spatial_ref": f"file://{s}"})
mapping("", "a bound CRS", lambda s: {"crs_wkt": bound(s)})
mapping("", "a bound CRS of the network", lambda s: {"crs_wkt": bound("https://127.0.0.1:9/grid.tif")})
mapping(FILES, "a pipeline", lambda s: {"proj4": f"+proj=pipeline +step +proj=hgridshift +grids={s} +step +proj=merc"})
mapping(FILES, "WKT of 100000 brackets", lambda s: {"crs_wkt": "PROJCS[" * 100_000})
mapping(FILES, "PROJJSON of 100000 brackets", lambda s: {"crs_wkt": '{"type":' * 30_000})
mapping(FILES, "a code of a table", lambda s: {"crs_wkt": "EPSG:32633' OR 1=1; ATTACH '/tmp/x' AS y; --"})
mapping(FILES, "an Earth of no size", lambda s: {"grid_mapping_name": "lambert_conformal_conic", "semi_major_axis": 0.0, "standard_parallel": 0.0,
                                                 "longitude_of_central_meridian": 0.0, "latitude_of_projection_origin": 0.0})
mapping(FILES, "parameters of NaN", lambda s: {"grid_mapping_name": "transverse_mercator", "scale_factor_at_central_meridian": float("nan"),
                                               "longitude_of_central_meridian": float("inf"), "latitude_of_projection_origin": 1e308,
                                               "false_easting": 0.0, "false_northing": 0.0})


def marks_of(each):
    """Strict checks of strings go to the end of the whole list at each of its words."""
    return [pytest.mark.release_only] if each.name in ("a million flags", "a million names of coordinates") else []


@pytest.mark.parametrize("hostile_case", [pytest.param(each, marks=marks_of(each)) for each in CASES], ids=str)
@pytest.mark.filterwarnings("ignore")
def test_conventions(binary, tmp_path, hostile_case):
    hostile.attack(binary, tmp_path, hostile_case)


# ---- what every refusal is like

def test_every_entry_that_is_refused(binary, shared, tmp_path):
    """That it is refused, and why, the acceptance stage compares; here: nothing left, little memory, no trace, one sentence."""
    manifest = json.loads((shared / "data" / "manifest.json").read_text())
    entries = [e["file"] for kind in ("netcdf", "zarr", "tiff") for e in manifest[kind] if e["expect"].startswith("reject")]
    assert len(entries) > 20
    wrong = []
    for name in entries:
        folder = hostile.folder_of(tmp_path / name.replace("/", "_"))
        refusal = hostile.Case(name, lambda _folder, _secret, name=name: shared / "data" / name, ".")
        try:
            hostile.attack(binary, folder, refusal, copied=False)
        except AssertionError as error:
            wrong.append(f"{name}: {str(error)[:400]}")
    assert not wrong, "\n".join(wrong)


@pytest.fixture(scope="session")
def hole(tmp_path_factory):
    library = tmp_path_factory.mktemp("hole") / "hole.so"
    source = pathlib.Path(__file__).with_name("hole.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.mark.release_only
@pytest.mark.parametrize("command", ("ingest", "inspect"))
def test_a_library_that_is_taken_over_gets_nowhere(binary, tmp_path, hole, command):
    """No other file is read or written, nor more memory taken than --memory and what the program itself needs."""
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_bytes(hostile.MARKER)
    path = grid(tmp_path / "in" / "a.nc")
    words = [binary, command, path, "--store", "store", "--memory", "128M", *(["--collection", "c"] if command == "ingest" else [])]
    done = subprocess.run(list(map(str, words)), cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "LD_PRELOAD": str(hole), "HOLE_READS": str(tmp_path / "secret"), "HOLE_MIB": "1024",
                               "HOLE_WRITES": str(tmp_path / "in" / "a.lua")})
    assert "hole reads: Permission denied" in done.stderr and "hole writes: Permission denied" in done.stderr, done.stderr
    assert "hole memory: refused" in done.stderr
    assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path / "in") == ["a.nc"]


def test_no_new_privileges(binary, tmp_path):
    """Neither by a program that is set-uid nor otherwise: the kernel tells it of the process."""
    path = grid(tmp_path / "a.nc")
    with subprocess.Popen([str(binary), "ingest", str(path), "--collection", "c", "--store", str(tmp_path / "s"), "--json"],
                          stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        process.stdout.read()
    assert "NoNewPrivs:\t1" in status
