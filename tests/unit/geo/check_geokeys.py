"""Lines "path, lon, lat, definition": GDAL has to read from each TIFF the CRS that pyproj makes of the definition:
the same place within a micrometre, and the same EPSG code where there is one."""
import sys

import pyproj
import rasterio

bad = n = 0
for line in sys.stdin:
    path, lon, lat, text = line.rstrip("\n").split("\t")
    n += 1
    want = pyproj.CRS(text + (" +type=crs" if text.startswith("+") else ""))
    with rasterio.open(path) as tiff:
        if tiff.crs is None:
            print(f"{text}: GDAL reads no CRS")
            bad += 1
            continue
        got = pyproj.CRS.from_wkt(tiff.crs.to_wkt(version="WKT2_2019"))
    points = [pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(float(lon), float(lat))
              for crs in (want, got)]
    if max(abs(a - b) for a, b in zip(*points)) > 1e-6:
        print(f"{text}: {points[1]}, want {points[0]}: {got.to_proj4()}")
        bad += 1
    if text.startswith("EPSG:") and got.to_epsg() != int(text[5:]):
        print(f"{text}: GDAL reads EPSG:{got.to_epsg()}")
        bad += 1
print(f"{n} CRSs, {bad} bad")
sys.exit(bad > 0 or n == 0)
