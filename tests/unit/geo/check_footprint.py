"""Lines "definition, shape, affine, bbox, geometry": a lattice of places inside the grid, taken to degrees by pyproj,
has to lie in the bbox and the geometry; the bbox has to end where the places do; the geometry has to be valid."""
import json
import sys

import numpy
import pyproj
import shapely
import shapely.geometry

bad = n = 0


def fault(text):
    global bad
    bad += 1
    print(text)


for line in sys.stdin:
    name, shape, affine, bbox, geometry = line.rstrip("\n").split("\t")
    n += 1
    width, height = map(int, shape.split())
    gt = [float(x) for x in affine.split()]
    west, south, east, north = (float(x) for x in bbox.split())
    crs = pyproj.CRS(name + (" +type=crs" if name.startswith("+") else ""))
    forth = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    back = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    c, r = (a.ravel() for a in numpy.meshgrid(numpy.linspace(0, width, 401), numpy.linspace(0, height, 401)))
    x, y = gt[0] + c * gt[1] + r * gt[2], gt[3] + c * gt[4] + r * gt[5]
    lon, lat = forth.transform(x, y)
    bx, by = back.transform(lon, lat)
    dx = (bx - x + 180) % 360 - 180 if crs.is_geographic else bx - x
    ok = numpy.isfinite(lon) & numpy.isfinite(lat) & (abs(dx) < abs(gt[1]) / 10) & (abs(by - y) < abs(gt[5]) / 10)
    lon, lat = (lon[ok] + 180) % 360 - 180, lat[ok]
    span = east - west if east > west else east - west + 360
    size = max(span, north - south)
    slack = size * 0.004
    rim = max(slack, 0.5 if ok.all() else 3)  # the lattice does not come close to a limb
    off = (lon - west) % 360
    off = numpy.where(off > 360 - slack, off - 360, off)
    if off.max() > span + slack or lat.min() < south - slack or lat.max() > north + slack:
        fault(f"{name}: places outside the bbox {bbox}: {off.max()} of {span}, {lat.min()} {lat.max()}")
    if span < 360 and (off.min() > max(slack, rim - 0.5) or off.max() < span - max(slack, rim - 0.5)):
        fault(f"{name}: bbox {bbox} is wider than needed: {off.min()}..{off.max()} of {span}")
    if lat.min() > south + rim or lat.max() < north - rim:
        fault(f"{name}: bbox {bbox} is higher than needed: {lat.min()}..{lat.max()}")
    shape = shapely.geometry.shape(json.loads(geometry))
    if not shape.is_valid:
        fault(f"{name}: {shapely.is_valid_reason(shape)}")
        continue
    wide = shape.buffer(slack)
    inside = shapely.contains_xy(wide, lon, lat) | shapely.contains_xy(wide, lon + 360, lat) \
        | shapely.contains_xy(wide, lon - 360, lat)
    if not inside.all():
        fault(f"{name}: {(~inside).sum()} of {len(inside)} places outside the geometry, e.g. "
              f"{lon[~inside][0]} {lat[~inside][0]}")
    # Places of the geometry are places of the grid.
    glon, glat = (a.ravel() for a in numpy.meshgrid(numpy.linspace(-180, 180, 361), numpy.linspace(-89.9, 89.9, 181)))
    core = shape.buffer(-3 * slack)
    held = shapely.contains_xy(core, glon, glat)
    gx, gy = back.transform(glon[held], glat[held])
    if crs.is_geographic:
        gx = gt[0] + (gx - gt[0]) % 360
    det = gt[1] * gt[5] - gt[2] * gt[4]
    col = ((gx - gt[0]) * gt[5] - (gy - gt[3]) * gt[2]) / det
    row = ((gy - gt[3]) * gt[1] - (gx - gt[0]) * gt[4]) / det
    out = ~((col >= -1) & (col <= width + 1) & (row >= -1) & (row <= height + 1))
    if out.any():
        fault(f"{name}: {out.sum()} of {len(out)} places of the geometry are not in the grid, e.g. "
              f"{glon[held][out][0]} {glat[held][out][0]}")
    points = sum(len(p.exterior.coords) for p in getattr(shape, "geoms", [shape]))
    if points > 90:
        fault(f"{name}: {points} points")
print(f"{n} footprints, {bad} faults")
sys.exit(bad > 0 or n == 0)
