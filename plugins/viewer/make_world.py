"""Writes world-110m.json and world-50m.json: land and borders for the page's map.

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python3 make_world.py package .

The input is Natural Earth (public domain, naturalearthdata.com) as TopoJSON. The output has closed rings of land and open
lines of borders between countries, each one text in Google's polyline encoding: hundredths of a degree, longitude first,
every number the difference to the one before. Points closer than TOLERANCE to the line between their neighbours are left out.
"""
import json
import pathlib
import sys

TOLERANCE = {"110m": 0.0, "50m": 0.03}  # degrees
SMALLEST = {"110m": 0.0, "50m": 0.15}  # degrees: rings of less extent are left out


def arcs_of(topology):
    """The arcs in degrees."""
    scale, shift = topology["transform"]["scale"], topology["transform"]["translate"]
    for arc in topology["arcs"]:
        x = y = 0
        line = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            line.append((x * scale[0] + shift[0], y * scale[1] + shift[1]))
        yield line


def rings_of(geometry):
    """The rings of a Polygon, MultiPolygon or GeometryCollection, as lists of arc numbers."""
    if geometry["type"] == "GeometryCollection":
        return [ring for each in geometry["geometries"] for ring in rings_of(each)]
    polygons = [geometry["arcs"]] if geometry["type"] == "Polygon" else geometry["arcs"]
    return [ring for polygon in polygons for ring in polygon]


def distance(p, a, b):
    """From a point to the line between two."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = dx * dx + dy * dy
    t = 0 if length == 0 else max(0, min(1, ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / length))
    return ((p[0] - a[0] - t * dx) ** 2 + (p[1] - a[1] - t * dy) ** 2) ** 0.5


def simplify(line, tolerance):
    """Douglas and Peucker's method."""
    keep, parts = {0, len(line) - 1}, [(0, len(line) - 1)]
    while tolerance and parts:
        first, last = parts.pop()
        far = max(range(first + 1, last), key=lambda i: distance(line[i], line[first], line[last]), default=None)
        if far is not None and distance(line[far], line[first], line[last]) > tolerance:
            keep.add(far)
            parts += [(first, far), (far, last)]
    return [line[i] for i in sorted(keep)] if tolerance else line


def encode(line):
    """A line in Google's polyline encoding."""
    out, before = [], (0, 0)
    for point in line:
        now = tuple(round(v * 100) for v in point)
        for value in (now[0] - before[0], now[1] - before[1]):
            value = ~(value << 1) if value < 0 else value << 1
            while value >= 32:
                out.append(chr((32 | (value & 31)) + 63))
                value >>= 5
            out.append(chr(value + 63))
        before = now
    return "".join(out)


def extent(line):
    return max(max(p[k] for p in line) - min(p[k] for p in line) for k in (0, 1))


def convert(topology, resolution):
    arcs = [simplify(arc, TOLERANCE[resolution]) for arc in arcs_of(topology)]
    users = {}
    for country in topology["objects"]["countries"]["geometries"]:
        for ring in rings_of(country):
            for arc in ring:
                users.setdefault(arc if arc >= 0 else ~arc, set()).add(id(country))
    land = []
    for ring in rings_of(topology["objects"]["land"]):
        line = []
        for arc in ring:
            line += (arcs[arc] if arc >= 0 else arcs[~arc][::-1])[1 if line else 0:]
        if extent(line) >= SMALLEST[resolution]:
            land.append(encode(line))
    borders = [encode(arcs[arc]) for arc, countries in sorted(users.items()) if len(countries) > 1]
    return {"source": f"Natural Earth 1:{resolution}, naturalearthdata.com, by way of world-atlas 2.0.2",
            "license": "public domain", "made_by": "make_world.py", "land": land, "borders": borders}


def main():
    folder, out = map(pathlib.Path, sys.argv[1:3])
    for resolution in TOLERANCE:
        topology = json.loads((folder / f"countries-{resolution}.json").read_text())
        text = json.dumps(convert(topology, resolution), indent=0)
        (out / f"world-{resolution}.json").write_text(text + "\n")


main()
