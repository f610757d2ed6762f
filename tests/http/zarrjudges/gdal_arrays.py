"""gdal_arrays.py OUT STORE PATH… - the cells and the nodata value of arrays as GDAL's multidimensional API reads them:
OUT.npz, and the nodata as JSON on standard output. Runs by the system's Python, which has GDAL."""
import json
import sys

import numpy as np
from osgeo import gdal

gdal.UseExceptions()
out, store, *paths = sys.argv[1:]
root = gdal.OpenEx(store, gdal.OF_MULTIDIM_RASTER).GetRootGroup()
cells, nodata = {}, {}
for path in paths:
    array = root.OpenMDArrayFromFullname("/" + path)
    cells[path.replace("/", "\\")] = array.ReadAsArray()
    nodata[path] = str(array.GetNoDataValue())
np.savez(out, **cells)
print(json.dumps(nodata))
