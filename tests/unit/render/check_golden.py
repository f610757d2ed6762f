"""Golden tiles: `write DIR` has GDAL write COGs in several CRSs and lists the tiles to render; `compare DIR` holds what
the C program made of them against GDAL's warper, and sees that the same comparison fails one pixel to the side."""
import json
import math
import pathlib
import sys

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from PIL import Image
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform

HALF = math.pi * 6378137
SIZE = 256
LOW, HIGH = 230.0, 330.0

# name: (CRS, west, north, cell, columns, rows, [(z, lon, lat) of tiles])
GRIDS = {
    "global": ("EPSG:4326", -180, 90, 0.5, 720, 360, [(0, 0, 0), (1, 10, 10), (3, 0.1, 40), (5, -70, -30), (7, 100, 70)]),
    "europe": ("EPSG:3035", 2500000, 5500000, 10000, 400, 400, [(3, 10, 50), (4, 10, 50), (6, 2, 47), (8, 25, 60), (10, 11, 48)]),
    "utm": ("EPSG:32633", 200000, 6200000, 2500, 300, 500, [(5, 15, 50), (7, 14, 52), (9, 12, 48), (11, 15, 50)]),
    "polar": ("EPSG:3413", -3850000, 5850000, 25000, 304, 448, [(2, -45, 70), (4, 100, 75), (6, -40, 80)]),
}


def field(name, columns, rows):
    """Smooth waves with a rough part and holes."""
    y, x = np.mgrid[0:rows, 0:columns].astype("f8")
    random = np.random.default_rng(len(name))
    plane = 280 + 20 * np.sin(x / columns * 19) * np.cos(y / rows * 13) + 10 * np.sin((x + 2 * y) / 17)
    rough = (slice(rows // 4, rows // 2), slice(columns // 2, columns))
    plane[rough] += random.normal(0, 3, plane[rough].shape)
    plane[(np.hypot(x - columns * 0.4, y - rows * 0.6) < rows / 8) | (random.random(plane.shape) < 0.002)] = np.nan
    return plane.astype("f4")


def body(name, crs, grid_transform, columns, rows):
    """A dataset's row of the catalog with one variable."""
    wraps = crs == "EPSG:4326"
    return {
        "format": 1, "collection": "c", "dataset": name, "version": "0" * 16, "fingerprint": "0" * 64,
        "created": "2026-01-01T00:00:00Z", "source": {"name": name, "format": "netcdf4", "bytes": 1, "sha256": "0" * 64},
        "attributes": {},
        "grids": [{"id": "g0", "x": "x", "y": "y", "native": [rows, columns], "shape": [rows, columns],
                   "transform": list(grid_transform.to_gdal()), "x_reversed": False, "y_reversed": False, "roll": 0,
                   "wraps": wraps, "crs": {"epsg": int(crs[5:]), "wkt2": rasterio.crs.CRS.from_string(crs).to_wkt()},
                   "bbox": [-180, -90, 180, 90], "geometry": {"type": "Polygon", "coordinates": [
                       [[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]]}}],
        "axes": [],
        "variables": [{"name": "v", "long_name": "", "standard_name": "", "units": "K", "cell_methods": "",
                       "dims": ["y", "x"], "shape": [rows, columns], "dtype": "float32", "grid": "g0", "time": None,
                       "time_dim": -1, "y_dim": 0, "x_dim": 1, "extra": [],
                       "packing": {"scale": 1, "offset": 0, "missing": [], "valid_min": None, "valid_max": None},
                       "nodata": "NaN", "categorical": False, "flags": None, "mappable": True, "bands": 1,
                       "band_names": ["v"],
                       "statistics": {"min": 0, "max": 1, "mean": 0, "stddev": 0, "valid": 1, "total": 1},
                       "histogram": None, "p2": LOW, "p98": HIGH,
                       "zarr": {"chunk": [rows, columns], "shard": [rows, columns]}}]}


def tile_at(z, lon, lat):
    n = 2**z
    s = math.sin(math.radians(lat))
    return int((lon + 180) / 360 * n), int((0.5 - math.log((1 + s) / (1 - s)) / (4 * math.pi)) * n)


def write(folder):
    cases = []
    for name, (crs, west, north, cell, columns, rows, tiles) in GRIDS.items():
        grid = Affine(cell, 0, west, 0, -cell, north)
        plane = field(name, columns, rows)
        with rasterio.MemoryFile() as memory:
            kind = {"driver": "GTiff", "width": columns, "height": rows, "count": 1, "dtype": "f4"}
            with memory.open(crs=crs, transform=grid, nodata=np.nan, **kind) as out:
                out.write(plane, 1)
            with memory.open() as source:
                rasterio.shutil.copy(source, folder / f"{name}.tif", driver="COG", blocksize=128, compress="ZSTD",
                                     predictor="YES", overview_resampling="average")
        (folder / f"{name}.json").write_text(json.dumps(body(name, crs, grid, columns, rows)))
        cases += [(name, z, *tile_at(z, lon, lat), how) for z, lon, lat in tiles for how in ("nearest", "bilinear")]
    (folder / "cases.txt").write_text("".join("%s %d %d %d %s\n" % case for case in cases))


def tile_transform(z, x, y):
    side = 2 * HALF / 2**z
    return Affine(side / SIZE, 0, -HALF + x * side, 0, -side / SIZE, HALF - y * side)


def warp(path, level, z, x, y, how):
    """GDAL's warper with exact positions from one overview, not smoothed where its cells are smaller than pixels."""
    choice = {} if level == 0 else {"overview_level": level - 1}
    with rasterio.open(path, **choice) as source:
        with WarpedVRT(source, crs="EPSG:3857", transform=tile_transform(z, x, y), width=SIZE, height=SIZE, nodata=np.nan,
                       resampling=Resampling[how], tolerance=1e-9, XSCALE="1", YSCALE="1") as warped:
            return warped.read(1), source.read(1), source.transform, source.crs


def levels(values):
    with np.errstate(invalid="ignore"):
        return np.nan_to_num((np.clip(values.astype("f8"), LOW, HIGH) - LOW) / (HIGH - LOW) * 255).astype("f4").astype("u1")


def unlike_nearest(got, want, plane, grid, crs, z, x, y):
    """(share of pixels unlike GDAL's, how many of these are of no cell within 0.51 of the pixel)."""
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    far, unlike = 0, np.argwhere(~same)
    for j, i in unlike if len(unlike) < 1000 else ():
        mx, my = tile_transform(z, x, y) * (i + 0.5, j + 0.5)
        gx, gy = transform("EPSG:3857", crs, [mx], [my])
        c, r = ~grid * (gx[0], gy[0])
        near = [plane[b, a] if 0 <= a < plane.shape[1] and 0 <= b < plane.shape[0] else np.nan
                for a in {math.floor(c - 0.01), math.floor(c + 0.01)} for b in {math.floor(r - 0.01), math.floor(r + 0.01)}]
        far += not any(v == got[j, i] or (np.isnan(v) and np.isnan(got[j, i])) for v in near)
    return len(unlike) / same.size, far


def unlike_bilinear(got, want):
    """(share of pixels more than one level of 255 away or in one mask only, greatest difference of levels)."""
    both = np.isfinite(got) & np.isfinite(want)
    distance = np.where(both, np.abs(levels(got).astype(int) - levels(want).astype(int)), 0)
    return ((distance > 1) | (np.isfinite(got) != np.isfinite(want))).mean(), distance.max()


def passes(how, got, want, plane, grid, crs, place):
    if how == "nearest":
        share, far = unlike_nearest(got, want, plane, grid, crs, *place)
        return share <= 0.005 and far == 0, "unlike %.5f, of no near cell %d" % (share, far)
    share, most = unlike_bilinear(got, want)
    return share <= 0.001 and most <= 3, "over one level %.5f, most %d" % (share, most)


def check_png(path, got):
    """The picture's colours are the ramp's (grey level = entry) and nothing where the values have nothing."""
    rgba = np.asarray(Image.open(path).convert("RGBA"))
    valid = np.isfinite(got)
    assert ((rgba[..., 3] == 255) == valid).all(), "the mask of %s" % path
    assert (rgba[..., 0][valid] == levels(got)[valid]).all(), "the colours of %s" % path


def compare(folder):
    bad = shifted_fails = shifted = 0
    for number, line in enumerate((folder / "cases.txt").read_text().splitlines()):
        name, z, x, y, how = line.split()
        place = int(z), int(x), int(y)
        level = int((folder / f"{number}.level").read_text())
        got, mask = np.load(folder / f"{number}.npy")
        assert ((mask == 255) == np.isfinite(got)).all()
        check_png(folder / f"{number}.png", got)
        want, plane, grid, crs = warp(folder / f"{name}.tif", level, *place, how)
        ok, what = passes(how, got, want, plane, grid, crs, place)
        print("%-7s %2d/%d/%d %-8s level %d valid %.3f: %s%s" % (name, *place, how, level, np.isfinite(got).mean(), what,
                                                                 "" if ok else "  <-- FAILS"))
        bad += not ok
        steps = np.abs(np.diff(levels(got).astype(int)))
        if np.isfinite(got).mean() > 0.3 and (steps > 3).mean() > 0.005:  # else a neighbour's value is as good
            shifted += 1
            shifted_fails += not passes(how, got[:, :-1], want[:, 1:], plane, grid, crs, place)[0]
    print("shifted by one pixel %d of %d fail" % (shifted_fails, shifted))
    return bad or shifted == 0 or shifted_fails < shifted


if __name__ == "__main__":
    action = {"write": write, "compare": compare}[sys.argv[1]]
    sys.exit(1 if action(pathlib.Path(sys.argv[2])) else 0)
