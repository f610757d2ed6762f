"""xarray_zarr2.py OUT '{"NAME": ["STORE", "GROUP", …], …}' - what xarray with zarr-python 2 reads of the groups of stores, decoded:
OUT/NAME.npz, and dimensions and attributes as JSON on standard output. zarr-python 2 stands before the venv's packages."""
import json
import sys
import warnings

import numpy as np
import xarray
import zarr

warnings.simplefilter("ignore")
assert zarr.__version__.startswith("2."), zarr.__version__
told = {}
for name, (store, *groups) in json.loads(sys.argv[2]).items():
    arrays, told[name] = {}, {}
    for group in groups:
        opened = xarray.open_zarr(store, group=group or None, consolidated=True, decode_times=False)
        for variable, cells in opened.variables.items():
            path = f"{group}/{variable}".lstrip("/")
            arrays[path.replace("/", "\\")] = cells.values
            told[name][path] = {"dims": cells.dims, "attrs": {k: str(v) for k, v in cells.attrs.items()}}
    np.savez(f"{sys.argv[1]}/{name}.npz", **arrays)
print(json.dumps(told))
