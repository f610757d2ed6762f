"""check_cog.py make|judge FOLDER - GDAL (through rasterio, and its own validator) and rio-cogeo as judges of our TIFF
reader and COG writer. make writes TIFFs into FOLDER/in, each level's cells beside it in NAME.LEVEL.raw; judge opens
what was written into FOLDER/out, where NAME.json says what is expected."""
import json
import pathlib
import subprocess
import sys
import warnings

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rio_cogeo.cogeo import cog_validate

warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)
step, folder = sys.argv[1], pathlib.Path(sys.argv[2])
rng = np.random.default_rng(int(folder.stat().st_mtime))
SYSTEM_PYTHON = "/usr/bin/python3"  # Debian's GDAL has no other
DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]


def make_one(name, dtype, bands, size, overviews=False, **options):
    height, width = size
    x = np.add.outer(np.arange(height), np.arange(width))[None] * (np.arange(bands) + 1)[:, None, None]
    cells = (x % 120 + rng.integers(0, 7, x.shape)).astype(dtype)
    if np.dtype(dtype).kind == "f":
        cells += rng.random(x.shape).astype(dtype)
    path = folder / "in" / f"{name}.tif"
    with rasterio.open(path, "w", driver="GTiff", dtype=dtype, count=bands, width=width, height=height,
                       transform=rasterio.transform.from_origin(10, 50, 0.5, 0.25), crs="EPSG:4326",
                       nodata=3, **options) as out:
        out.write(cells)
        if overviews:
            out.build_overviews([2, 4], Resampling.average)
    with rasterio.open(path) as src:
        levels = 1 + len(src.overviews(1))
    for level in range(levels):
        extra = {"overview_level": level - 1} if level else {}
        with rasterio.open(path, **extra) as src:
            (folder / "in" / f"{name}.{level}.raw").write_bytes(src.read().tobytes())


def make():
    (folder / "in").mkdir()
    n = 0
    for compress in ("none", "deflate", "lzw", "zstd", "packbits"):
        for dtype in DTYPES:
            options = {"compress": compress, "interleave": ["pixel", "band"][n // 2 % 2]}
            if compress in ("deflate", "lzw", "zstd"):
                options["predictor"] = [1, 3 if dtype.startswith("float") else 2][n % 3 > 0]
            if n % 2:
                options |= {"tiled": True, "blockxsize": 64, "blockysize": 32}
            else:
                options["blockysize"] = int(rng.integers(1, 40))
            options["ENDIANNESS"] = "BIG" if n % 5 in (1, 2) else "LITTLE"
            options["BIGTIFF"] = "YES" if n % 7 == 0 else "NO"
            size = tuple(int(s) for s in rng.integers(20, 150, 2))
            make_one(f"t{n}", dtype, 1 + n % 3, size, overviews=n % 4 == 1, **options)
            n += 1
    make_one(f"t{n}", "float32", 1, (200, 300), tiled=True, blockxsize=64, blockysize=64, sparse_ok=True)


def gdal_says(path):
    """What GDAL's own validator prints against the file; None where it is not installed."""
    run = subprocess.run([SYSTEM_PYTHON, "-W", "ignore", "-m", "osgeo_utils.samples.validate_cloud_optimized_geotiff",
                          "--full-check=yes", str(path)], capture_output=True, text=True)
    if "No module named" in run.stderr or not run.stdout:
        return None
    good = run.returncode == 0 and "is a valid cloud optimized GeoTIFF" in run.stdout
    noise = [line for line in run.stdout.splitlines() if "warning" in line.lower() or line.startswith(" - ")]
    return "" if good and not noise else run.stdout + run.stderr


def close(a, b):
    return a == b or abs(a - b) <= 1e-9 * max(abs(a), abs(b))


def judge_stats(src, cells, want):
    for band in range(src.count):
        values = cells[band].astype("f8").ravel()
        good = np.isfinite(values)
        if want["nodata"] is not None:
            good &= cells[band].ravel() != np.array(want["nodata"]).astype(cells.dtype)
        tags = {k: float(v) for k, v in src.tags(band + 1).items() if k.startswith("STATISTICS_")}
        assert abs(tags["STATISTICS_VALID_PERCENT"] - 100 * good.mean()) < 0.1, (tags, good.mean())
        if good.any():
            v = values[good]
            for name, value in (("MINIMUM", v.min()), ("MAXIMUM", v.max()), ("MEAN", v.mean()), ("STDDEV", v.std())):
                assert close(tags["STATISTICS_" + name], value) or name == "STDDEV" and abs(value) < 1e-6, (name, tags, value)


def judge_one(path, validate):
    want = json.loads(path.with_suffix(".json").read_text())
    valid, errors, warned = cog_validate(path, strict=True, quiet=True)
    assert valid and not errors and not warned, (errors, warned)
    complaint = gdal_says(path) if validate else None
    assert not complaint, complaint
    with rasterio.open(path) as src:
        cells = np.frombuffer(path.with_suffix(".raw").read_bytes(), want["dtype"]).reshape(src.count, src.height, src.width)
        assert src.dtypes[0] == want["dtype"] and src.read().tobytes() == cells.tobytes(), "cells differ"
        assert list(src.transform.to_gdal()) == want["gt"], src.transform
        assert src.crs.to_epsg() == want["epsg"], src.crs
        nodata = float("nan") if want["nodata"] is None else want["nodata"]
        if want["has_nodata"]:
            assert src.nodata == nodata or np.isnan(src.nodata) and np.isnan(nodata), src.nodata
        assert set(src.scales) == {want["scale"]} and set(src.offsets) == {want["offset"]}, (src.scales, src.offsets)
        assert set(src.units) == {want["unit"]}, src.units
        assert list(src.descriptions) == [f"band <{i}>" for i in range(src.count)], src.descriptions
        judge_stats(src, cells, want)
    return complaint is not None


def judge():
    paths = sorted((folder / "out").glob("*.tif"))
    assert len(paths) >= 20
    judged = 0
    for i, path in enumerate(paths):
        try:
            judged += judge_one(path, i % 2 == 0)
        except AssertionError as wrong:
            print(path.with_suffix(".json").read_text())
            sys.exit(f"{path.name}: {wrong}")
    print(len(paths), "COGs: rio-cogeo strict and GDAL", rasterio.__gdal_version__, "agree;", judged, "seen by GDAL's validator")


make() if step == "make" else judge()
