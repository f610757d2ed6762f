"""What a tile should hold, worked out by GDAL's warper (through rasterio) from the arrays of sources.py."""
import dataclasses
import io
import math

import numpy as np
import pyproj
import rasterio
from affine import Affine
from PIL import Image
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

MERCATOR = "EPSG:3857"
HALF = math.pi * 6378137
MARGIN = 4  # columns repeated beyond the seam of a grid that goes round the world


@dataclasses.dataclass
class Grid:
    """A plane north-up, with x within ±180 where it is a longitude."""

    values: np.ndarray
    transform: Affine
    crs: str


def north_up(source, plane):
    x, y, plane = np.asarray(source.x, float), np.asarray(source.y, float), np.asarray(plane, float)
    if y[0] < y[-1]:
        y, plane = y[::-1], plane[::-1]
    dx, dy = x[1] - x[0], y[0] - y[1]
    if source.geographic and len(x) * dx > 359.99:
        lon = (x + 180) % 360 - 180
        order = np.argsort(lon)
        x = lon[order][0] + dx * np.arange(-MARGIN, len(x) + MARGIN)
        plane = np.take(plane[:, order], np.arange(-MARGIN, len(lon) + MARGIN), axis=1, mode="wrap")
    return Grid(plane, Affine(dx, 0, x[0] - dx / 2, 0, -dy, y[0] + dy / 2), source.crs)


def halved(grid):
    """The next overview: means of two by two cells, of those that are there."""
    rows, columns = (n + n % 2 for n in grid.values.shape)
    padded = np.full((rows, columns), np.nan)
    padded[: grid.values.shape[0], : grid.values.shape[1]] = grid.values
    blocks = padded.reshape(rows // 2, 2, columns // 2, 2)
    count = np.isfinite(blocks).sum(axis=(1, 3))
    total = np.nansum(blocks, axis=(1, 3))
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return Grid(mean, grid.transform @ Affine.scale(2), grid.crs)


def tile_transform(z, x, y, size=256):
    side = 2 * HALF / 2**z
    return Affine(side / size, 0, -HALF + x * side, 0, -side / size, HALF - y * side)


def tile_at(lon, lat, z):
    """The tile that holds a place."""
    n = 2**z
    s = math.sin(math.radians(lat))
    column = int((lon + 180) / 360 * n)
    row = int((0.5 - math.log((1 + s) / (1 - s)) / (4 * math.pi)) * n)
    return min(column, n - 1), min(max(row, 0), n - 1)


def warp_to(grid, transform, crs, method, size=256):
    """float64 with NaN where nothing is; exact positions, and no smoothing where cells are smaller than pixels."""
    rows, columns = grid.values.shape
    kind = {"driver": "GTiff", "width": columns, "height": rows, "count": 1, "dtype": "f8", "nodata": np.nan}
    with rasterio.MemoryFile() as memory:
        with memory.open(crs=grid.crs, transform=grid.transform, **kind) as out:
            out.write(grid.values, 1)
        with memory.open() as source, WarpedVRT(
                source, crs=crs, transform=transform, width=size, height=size, nodata=np.nan, resampling=Resampling[method],
                tolerance=1e-9, XSCALE="1", YSCALE="1") as warped:
            return warped.read(1)


def warp(grid, z, x, y, method, size=256):
    return warp_to(grid, tile_transform(z, x, y, size), MERCATOR, method, size)


def positions(grid, z, x, y, size=256):
    """(column, row) of every pixel's centre in the grid; a cell's centre is a whole number."""
    i, j = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5)
    mx, my = tile_transform(z, x, y, size) @ (i, j)
    gx, gy = pyproj.Transformer.from_crs(MERCATOR, grid.crs, always_xy=True).transform(mx, my)
    column, row = ~grid.transform @ (np.asarray(gx), np.asarray(gy))
    return column - 0.5, row - 0.5


def levels(values, low, high):
    """The level of 255 that a value is drawn with: clipped, stretched, cut off."""
    with np.errstate(invalid="ignore"):
        scaled = (np.clip(values, low, high) - low) / (high - low) * 255
        return np.nan_to_num(scaled.astype("f4")).astype("u1")


def npy(body):
    """(bands, mask) of an npy tile; the mask is boolean."""
    array = np.load(io.BytesIO(body))
    assert array.ndim == 3 and array.dtype in (np.float32, np.float64), (array.shape, array.dtype)
    assert set(np.unique(array[-1])) <= {0, 255}
    return array[:-1], array[-1] == 255


def png(body):
    """RGBA bytes of a png tile."""
    picture = Image.open(io.BytesIO(body))
    picture.load()
    assert picture.format == "PNG"
    return np.asarray(picture.convert("RGBA"))


def unequal_nearest(got, mask, grid, z, x, y):
    """(share of pixels that differ from GDAL's, how many of those are of no cell within 0.51 of the pixel)."""
    want = warp(grid, z, x, y, "nearest", mask.shape[0])
    got = np.where(mask, got, np.nan)
    differ = ~((got == want.astype(got.dtype)) | (np.isnan(got) & np.isnan(want)))
    column, row = positions(grid, z, x, y, mask.shape[0])
    wrong = 0
    for j, i in np.argwhere(differ):
        wrong += not _near_cell(got[j, i], grid.values, column[j, i], row[j, i])
    return differ.mean(), wrong


def _near_cell(value, plane, column, row):
    for r in {math.floor(row), math.ceil(row)}:
        for c in {math.floor(column), math.ceil(column)}:
            if max(abs(r - row), abs(c - column)) > 0.51:
                continue
            inside = 0 <= r < plane.shape[0] and 0 <= c < plane.shape[1]
            cell = plane[r, c] if inside else np.nan
            if value == np.asarray(cell, value.dtype) or (np.isnan(value) and np.isnan(cell)):
                return True
    return False


def unequal_bilinear(grey, mask, grid, z, x, y, low, high):
    """(share of pixels over 1 level from GDAL's or in one mask alone, largest difference of levels)."""
    want = warp(grid, z, x, y, "bilinear", mask.shape[0])
    there = np.isfinite(want)
    distance = np.abs(grey.astype(int) - levels(want, low, high).astype(int))
    both = there & mask
    differ = (both & (distance > 1)) | (there != mask)
    return differ.mean(), int(distance[both].max(initial=0))
