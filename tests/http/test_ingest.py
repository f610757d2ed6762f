"""Ingest against what others say of the same files: xarray reads the source and the store alike, the manifest's cells are
in the COGs where its coordinates say, and what cannot be ingested is refused in a sentence. Prints a table of all files."""
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import warnings

import netCDF4
import numpy as np
import pyproj
import pytest
import rasterio
import rio_cogeo
import xarray

CODER = xarray.coders.CFDatetimeCoder(use_cftime=True)
TRACE = re.compile(r"Traceback|stack traceback|Sanitizer|runtime error|HDF5-DIAG|infinite loop")


@pytest.fixture(scope="module")
def manifest(shared):
    return json.loads((shared / "data" / "manifest.json").read_text())["netcdf"]


@pytest.fixture(scope="module")
def scope(shared):
    lines = (shared / "tools" / "scope-skeleton.txt").read_text().splitlines()
    return {line.split("#")[0].strip() for line in lines} - {""}


class Store:
    """What one ingest published: its version's folder, arrays and maps."""

    def __init__(self, root, published):
        self.version = root / published["collection"] / published["dataset"] / published["version"]
        self.zarr = self.version / "data.zarr"
        self.manifest = json.loads((self.version / "manifest.json").read_text())

    def maps(self, variable):
        return sorted((self.version / variable).glob("*.tif"))


def ingest(rastrum, path, root, *words):
    done = rastrum("ingest", path, "--collection", "c", "--store", root, "--json", *words, code=None)
    assert done.returncode in (0, 1) and not TRACE.search(done.stderr), done.stderr[-2000:]
    events = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode:
        assert events[-1]["event"] == "error" and path.name in done.stderr and len(done.stderr) > len(path.name) + 30
        left = [p for p in root.rglob("*") if p.is_file() and not p.name.startswith("catalog.db")] if root.exists() else []
        assert not left, left
        return None, events[-1]["message"]
    return Store(root, events[-1]), None


def open_both(path, zarr):
    """The source and the store through xarray; times undecoded where xarray cannot decode the source's either."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return xarray.open_dataset(path, engine="netcdf4", decode_times=CODER), xarray.open_zarr(zarr, decode_times=CODER, chunks=None)
        except Exception:  # pylint: disable=broad-except
            return xarray.open_dataset(path, engine="netcdf4", decode_times=False), xarray.open_zarr(zarr, decode_times=False, chunks=None)


def check_arrays(path, store):
    """Every number of the source is in the store; returns how many were compared."""
    source, made = open_both(path, store.zarr)
    compared = 0
    for name, want in source.variables.items():
        if want.dtype.kind not in "iufbO" or (want.dtype.kind == "O" and want.size and isinstance(want.values.flat[0], (str, bytes))):
            continue
        assert name in made.variables, name
        got = made.variables[name]
        assert got.dims == want.dims and got.shape == want.shape, name
        a, b = want.values, got.values
        if a.dtype.kind == "O":
            assert (a == b).all(), name
        else:
            # A float32 scale is a double in JSON: the product differs in float32's last digit, and near zero in the offset's.
            room = 3e-7 * abs(float(want.encoding.get("add_offset", 0)))
            np.testing.assert_allclose(b.astype("f8"), a.astype("f8"), rtol=3e-7, atol=room, equal_nan=True, err_msg=name)
        assert set(want.attrs) <= set(got.attrs), name
        compared += want.size
    assert set(source.attrs) <= set(made.attrs)
    return compared


def check_objects(store):
    """The manifest names every object with its size."""
    found = {str(p.relative_to(store.version)): p.stat().st_size for p in store.version.rglob("*") if p.is_file()}
    found.pop("manifest.json")
    assert {o["key"]: o["size"] for o in store.manifest["objects"]} == found


def map_and_band(entry, store, point):
    """The COG and the band that a stated cell lies in; None where the labels' order does not tell (repeated times)."""
    name = point["var"].strip("/")
    meta = next((v for v in entry["variables"] if v["name"].strip("/") == name), None)
    maps, times = store.maps(name), [t for t in entry.get("time", []) if t.get("monotonic") in ("increasing", None)]
    if not maps or not meta or not {entry["grid"]["x"], entry["grid"]["y"]} <= set(meta["dims"]):
        return None
    axis = next((d for d in meta["dims"] if any(t["variable"] == d and t["n"] == len(maps) for t in times)), None)
    if axis is None and (len(maps) > 1 or {t["variable"] for t in entry.get("time", [])} & set(meta["dims"])):
        return None
    step, band = 0, 0
    for dim, size, at in zip(meta["dims"], meta["shape"], point["index"]):
        if dim == axis:
            step = at
        elif dim not in (entry["grid"]["x"], entry["grid"]["y"]):
            band = band * size + at
    return maps[step], band + 1


def read_cell(path, lon, lat, band, definition):
    """The decoded value at a place, None where masked, through the file's own affine, CRS, scale, offset and mask; where
    its keys can't say the CRS by the definition that the manifest has."""
    with rasterio.open(path) as image:
        crs = pyproj.CRS.from_user_input(image.crs.to_wkt() if image.crs else definition)
        x, y = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat)
        for turn in (0, 360, -360) if crs.is_geographic else (0,):
            column, row = ~image.transform @ (x + turn, y)
            if 0 <= column < image.width and 0 <= row < image.height:
                window = rasterio.windows.Window(int(column), int(row), 1, 1)
                value = float(image.read(band, window=window)[0, 0]) * image.scales[band - 1] + image.offsets[band - 1]
                return value if image.read_masks(band, window=window)[0, 0] and np.isfinite(value) else None
        raise AssertionError(f"{lon}, {lat} lies outside {path}: {image.bounds}")


def check_cells(entry, store):
    """The manifest's stated cells are in the maps; returns how many were compared."""
    compared, doubtful = 0, {note.split(":")[0] for note in entry.get("decoder_notes", [])}
    for point in entry.get("nearest") or []:
        place = map_and_band(entry, store, point)
        if not place:
            continue
        got = read_cell(place[0], point["lon"], point["lat"], place[1], entry["grid"].get("proj4"))
        # Readers differ about default fill values and valid ranges: a cell of these may be masked.
        if not (got is None and (point["value"] is None or point["var"] in doubtful)):
            assert got == pytest.approx(point["value"], rel=2e-6, abs=1e-6), point
        compared += 1
    return compared


def check_maps(store):
    """One COG a variable passes the strict validator."""
    for folder in {o["key"].rsplit("/", 1)[0] for o in store.manifest["objects"] if o["key"].endswith(".tif")}:
        valid, errors, notes = rio_cogeo.cog_validate(str(store.maps(folder)[0]), strict=True, quiet=True)
        assert valid, (folder, errors, notes)


def test_every_file_of_the_manifest(rastrum, manifest, scope, shared, tmp_path, capsys):
    rows, wrong = [], []
    for entry in manifest:
        path = shared / "data" / entry["file"]
        root = tmp_path / path.name
        try:
            store, reason = ingest(rastrum, path, root)
            if store:
                check_objects(store)
                check_maps(store)
                said = f"ingested: {check_arrays(path, store)} values and {check_cells(entry, store)} map cells equal"
                fine = entry["expect"].startswith("ingest")
            else:
                said, fine = f"refused: {reason}", entry["file"] not in scope
        except (AssertionError, LookupError) as error:
            said, fine = f"WRONG: {str(error)[:300]}", False
        rows.append(f"{path.name:34} {entry['expect'][:8]:9} {said[:150]}")
        if not fine:
            wrong.append(rows[-1])
    with capsys.disabled():
        print("\n" + "\n".join(rows))
        print(f"{len(rows)} files, {sum('ingested' in r for r in rows)} ingested, {sum('refused' in r for r in rows)} refused, {len(wrong)} wrong")
    assert not wrong, "\n".join(wrong)


def test_one_container_is_as_good_as_another(rastrum, shared, tmp_path):
    """The same field in CDF-1, CDF-2, CDF-5, NetCDF-4 and its classic model gives the same maps."""
    values = []
    for kind in ("cdf1", "cdf2", "cdf5", "nc4", "nc4c"):
        store, _ = ingest(rastrum, shared / "data" / "netcdf" / f"trmm_{kind}.nc", tmp_path / kind)
        with rasterio.open(store.maps("pcp")[0]) as image:
            values.append((image.transform, image.crs, image.nodata, image.read().tobytes()))
    assert all(v == values[0] for v in values)


def make_big(path, steps=400):
    with netCDF4.Dataset(path, "w") as out:
        for name, size in (("time", steps), ("lat", 180), ("lon", 360)):
            out.createDimension(name, size)
        for name, units, values in (("time", "days since 2000-01-01", np.arange(steps)), ("lat", "degrees_north", np.arange(180) - 89.5),
                                    ("lon", "degrees_east", np.arange(360) + 0.5)):
            axis = out.createVariable(name, "f8", (name,))
            axis.units = units
            axis[:] = values
        out.createVariable("v", "f4", ("time", "lat", "lon"))[:] = np.random.default_rng(1).random((steps, 180, 360), "f4")


def objects(root):
    return [p for p in root.rglob("*") if p.is_file() and not p.name.startswith("catalog.db")]


@pytest.mark.parametrize("sign", (signal.SIGINT, signal.SIGTERM))
def test_an_interrupted_ingest_leaves_nothing(binary, tmp_path, sign):
    make_big(tmp_path / "big.nc")
    root = tmp_path / "store"
    words = [str(binary), "ingest", "big.nc", "--collection", "c", "--store", "store", "--jobs", "1"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + 30
        while not (root.exists() and len(objects(root)) > 3) and time.monotonic() < end and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(sign)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 1 and not TRACE.search(said), said
    assert not objects(root)


def resident(pid, binary):
    """Peak of a process in KiB; 0 while it is not that program yet, or is gone."""
    try:
        if os.readlink(f"/proc/{pid}/exe") != os.path.realpath(binary):
            return 0
        return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])
    except (OSError, TypeError):
        return 0


def test_every_filter_that_netcdf_writes_is_decoded(rastrum, tmp_path):
    """One variable a filter, in both byte orders; the judge reads them with plugins of its own."""
    filters = ["zlib", "zstd", "bzip2", "blosc_lz", "blosc_lz4", "blosc_lz4hc", "blosc_zlib", "blosc_zstd", "szip"]
    random = np.random.default_rng(5)
    path = tmp_path / "filters.nc"
    with netCDF4.Dataset(path, "w") as d:
        for name, values, units in (("time", np.arange(5), "days since 2020-01-01"), ("lat", np.arange(20), "degrees_north"),
                                    ("lon", np.arange(30), "degrees_east")):
            d.createDimension(name, len(values))
            d.createVariable(name, "f8", (name,)).units = units
            d[name][:] = values
        for i, name in enumerate(filters):
            v = d.createVariable("v_" + name, "<>"[i % 2] + "f4", ("time", "lat", "lon"), endian=("little", "big")[i % 2], compression=name,
                                 complevel=4, blosc_shuffle=i % 3, fletcher32=i % 2 == 1, chunksizes=(2, 8, 16), fill_value=-1)
            v[:] = np.round(random.normal(0, 1, v.shape[:2]))[:, :, None]
    store, refusal = ingest(rastrum, path, tmp_path / "s")
    assert store, refusal
    assert check_arrays(path, store) == len(filters) * 3000 + 55


def test_memory_is_bounded_and_too_little_is_refused(rastrum, binary, tmp_path):
    make_big(tmp_path / "big.nc")  # 104 MB in memory
    done = rastrum("ingest", tmp_path / "big.nc", "--collection", "c", "--store", tmp_path / "s", "--memory", "60M", code=1)
    assert "'v'" in done.stderr and "--memory" in done.stderr and not objects(tmp_path / "s")
    if os.environ.get("RASTRUM_SANITIZED") == "1":
        return
    words = [str(binary), "ingest", "big.nc", "--collection", "c", "--store", "s", "--memory", "100M"]
    peak = 0
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, resident(process.pid, binary))
            time.sleep(0.005)
    assert process.returncode == 0
    assert 0 < peak <= 100 << 10, f"{peak >> 10} MiB"


def test_another_source_does_not_replace_a_dataset(rastrum, tmp_path):
    for folder, steps in (("a", 2), ("b", 3)):
        (tmp_path / folder).mkdir()
        make_big(tmp_path / folder / "data.nc", steps)
    words = ("--collection", "c", "--store", tmp_path / "s")
    rastrum("ingest", tmp_path / "a" / "data.nc", *words)
    said = rastrum("ingest", tmp_path / "b" / "data.nc", *words, code=1).stderr
    assert "a/data.nc" in said and "b/data.nc" in said and "--dataset" in said
    rastrum("ingest", tmp_path / "b" / "data.nc", *words, "--dataset", "data")
    both = rastrum("ingest", tmp_path / "a" / "data.nc", tmp_path / "b" / "data.nc", "--collection", "d", "--store", tmp_path / "s", "--json")
    published = [json.loads(line) for line in both.stdout.splitlines()]
    assert {e["dataset"] for e in published if e["event"] == "published"} == {"a-data", "b-data"}
