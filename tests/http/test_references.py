"""Reference files of kerchunk: the cells that they point to, and nothing else."""
import base64
import json
import subprocess

import netCDF4
import numpy as np
import pytest
from kerchunk.hdf import SingleHdf5ToZarr
from kerchunk.netCDF3 import NetCDF3ToZarr


def run(binary, *words, code=0):
    done = subprocess.run([binary, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done


def sums(binary, path):
    arrays = json.loads(run(binary, "inspect", path, "--checksums", "--json").stdout)["arrays"]
    return {array["path"]: array.get("sha256") for array in arrays if "sha256" in array}


def refused(binary, path):
    said = run(binary, "inspect", path, "--checksums", code=1).stderr
    assert len(said.splitlines()) == 1
    return said


def make(path, form="NETCDF4"):
    with netCDF4.Dataset(path, "w", format=form) as d:
        d.title = "made"
        for name, units, values in (("time", "days since 2000-01-01", np.arange(6.0)), ("lat", "degrees_north", np.linspace(80, -80, 9)),
                                    ("lon", "degrees_east", np.arange(0, 360, 20.0))):
            d.createDimension(name, len(values))
            d.createVariable(name, "f8", (name,))[:] = values
            d[name].units = units
        # kerchunk 0.2.9 leaves out packed variables of HDF5 that have a fill value.
        options = {"fill_value": -999} if form.startswith("NETCDF3") else {"zlib": True, "shuffle": True, "chunksizes": (2, 4, 5)}
        v = d.createVariable("t2m", "i2", ("time", "lat", "lon"), **options)
        v.scale_factor, v.units = 0.1, "K"
        v[:] = np.random.default_rng(3).integers(2000, 3000, (6, 9, 18)) / 10
    return path


def references(path, **options):
    kind = NetCDF3ToZarr if path.read_bytes()[:3] == b"CDF" else SingleHdf5ToZarr
    return kind(str(path), inline_threshold=options.pop("inline", 0), **options).translate()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ("NETCDF4", "NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET"))
def test_what_kerchunk_makes(binary, tmp_path, form):
    """The same cells, series and times as the file itself."""
    path = make(tmp_path / "a.nc", form)
    own = sums(binary, path)
    for inline in (0, 500):
        (tmp_path / "a.json").write_text(json.dumps(references(path, inline=inline)))
        assert sums(binary, tmp_path / "a.json") == own
    series = []
    for source in ("a.nc", "a.json"):
        run(binary, "ingest", tmp_path / source, "--collection", source[2:], "--store", tmp_path / "store")
        answer = json.loads(run(binary, "timeseries", source[2:], 40, 20, "--store", tmp_path / "store").stdout)
        series.append((answer["timestamps"], answer["values"]))
    assert series[0] == series[1] and len(series[0][1]) == 6


@pytest.mark.filterwarnings("ignore")
def test_forms_of_the_file(binary, tmp_path):
    """Version 0, templates, relative and file: targets, values inside."""
    path = make(tmp_path / "a.nc")
    own, refs = sums(binary, path), references(path)["refs"]
    name = str(path)
    swapped = {key: [value[0].replace(name, "{{u}}"), *value[1:]] if isinstance(value, list) else value for key, value in refs.items()}
    forms = {
        "zero": refs,
        "templates": {"version": 1, "templates": {"u": name}, "refs": swapped},
        "relative": {"version": 1, "templates": {"u": "./a.nc"}, "refs": swapped},
        "file": {"version": 1, "templates": {"u": "file://" + name}, "refs": swapped},
        "spaces": {"version": 1, "templates": {"u": name}, "refs": json.loads(json.dumps(swapped).replace("{{u}}", "{{ u }}"))},
        "objects": {"version": 1, "refs": {k: json.loads(v) if k.endswith(".zarray") else v for k, v in refs.items()}},
        "base64": {"version": 1, "refs": {k: "base64:" + base64.b64encode(path.read_bytes()[v[1]:v[1] + v[2]]).decode()
                                          if isinstance(v, list) else v for k, v in refs.items()}},
    }
    for form, content in forms.items():
        (tmp_path / "r.json").write_text(json.dumps(content))
        assert sums(binary, tmp_path / "r.json") == own, form


@pytest.mark.filterwarnings("ignore")
def test_nothing_outside_is_read(binary, tmp_path):
    path = make(tmp_path / "a.nc")
    folder = tmp_path / "inner"
    folder.mkdir()
    refs = references(path)
    text = json.dumps(refs)
    for target, why in ((str(path), "only files in the folder"), ("../a.nc", "only files in the folder"), ("x/../../a.nc", "only files"),
                        ("http://127.0.0.1:9/a.nc", "only files"), ("s3://bucket/a.nc", "only files"), ("missing.nc", "missing"),
                        ("link.nc", "leads out")):
        (folder / "r.json").write_text(text.replace(str(path), target))
        if target == "link.nc":
            (folder / "link.nc").symlink_to(path)
        assert why in refused(binary, folder / "r.json"), target
        said = run(binary, "ingest", folder / "r.json", "--collection", "c", "--store", tmp_path / "store", code=1).stderr
        assert not list((tmp_path / "store").glob("c/*")), said


def test_files_that_are_none(binary, tmp_path):
    cases = [({"a": 1}, "no \"refs\""), ({"version": 1, "refs": {".zgroup": 5}}, "neither a text nor a list"),
             ({"version": 1, "refs": {"a": ["x", 1]}}, "neither [target]"), ({"version": 1, "refs": {"a": ["x", -1, 5]}}, "whole offset"),
             ({"version": 1, "refs": {"a": "base64:***"}}, "no base64"), ({"version": 1, "gen": [{}], "refs": {}}, "generated"),
             ({"version": 1, "refs": {"a": ["{{f(x=1)}}", 0, 1]}}, "template"), ({"version": 1, "refs": {}}, "no Zarr array")]
    for content, why in cases:
        (tmp_path / "r.json").write_text(json.dumps(content))
        said = refused(binary, tmp_path / "r.json")
        assert why in said and "r.json" in said, said
    (tmp_path / "r.json").write_text('{ "refs": ')
    assert "not JSON" in refused(binary, tmp_path / "r.json")


def test_the_parquet_form_is_refused(binary, tmp_path):
    (tmp_path / "r.parq").mkdir()
    (tmp_path / "r.parq" / ".zmetadata").write_text(json.dumps({"metadata": {".zgroup": {"zarr_format": 2}}, "record_size": 10000}))
    assert "as Parquet" in refused(binary, tmp_path / "r.parq")
