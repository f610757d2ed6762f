"""check_zarr.py make|judge FOLDER - zarr-python and xarray as judges of our Zarr reader and writer.
make writes arrays into FOLDER/in, each with its cells in NAME.raw; judge opens what was written into FOLDER/out."""
import json
import pathlib
import sys

import numpy as np
import xarray as xr
import zarr
from zarr import codecs

step, folder = sys.argv[1], pathlib.Path(sys.argv[2])
rng = np.random.default_rng(int(folder.stat().st_mtime))
INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


def make():
    chains = [
        None,
        codecs.ZstdCodec(level=3, checksum=True),
        codecs.GzipCodec(level=5),
        [codecs.BloscCodec(cname="zstd", shuffle="bitshuffle", typesize=4)],
        [codecs.BloscCodec(cname="lz4", shuffle="shuffle", typesize=2), codecs.Crc32cCodec()],
        [codecs.ZstdCodec(), codecs.Crc32cCodec()],
    ]
    n = 0
    for dtype in INTEGERS + ["float32", "float64"]:
        for sharded in (False, True):
            chain = chains[n % len(chains)]
            ndim = int(rng.integers(0, 4))
            shape = tuple(int(s) for s in rng.integers(1, 30, ndim))
            chunks = tuple(int(rng.integers(1, s + 1)) for s in shape)
            shards = tuple(c * int(rng.integers(1, 4)) for c in chunks) if sharded and ndim else None
            if np.dtype(dtype).kind == "f":
                cells, fill = rng.normal(size=shape).astype(dtype), [0.5, "NaN", "-Infinity"][n % 3]
            else:
                info = np.iinfo(dtype)
                cells = rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
                fill = [0, info.max, info.min][n % 3]
            fill = np.dtype(dtype).type(float(fill) if isinstance(fill, str) else fill)
            cells = np.where(rng.random(shape) < 0.5, cells, fill).astype(dtype)
            array = zarr.create_array(
                store=folder / "in" / f"a{n}", shape=shape, dtype=dtype, chunks=chunks, shards=shards,
                fill_value=fill, compressors=chain,
                serializer=codecs.BytesCodec(endian="big" if n % 4 == 3 else "little"),
                chunk_key_encoding={"name": "v2" if n % 5 == 4 else "default", "separator": "." if n % 3 else "/"})
            array[...] = cells
            (folder / "in" / f"a{n}.raw").write_bytes(np.ascontiguousarray(cells).tobytes())
            n += 1


def judge_arrays(version):
    out = folder / f"out{version}"
    names = sorted(p.stem for p in out.glob("*.raw"))
    group = zarr.open_group(out, mode="r", use_consolidated=True, zarr_format=version)
    for name in names:
        array = group[name]
        want = np.frombuffer((out / f"{name}.raw").read_bytes(), array.dtype).reshape(array.shape)
        got = np.ascontiguousarray(array[...])
        assert got.tobytes() == want.tobytes(), f"{name}: cells differ: {array.metadata}"
        assert array.metadata.zarr_format == version
        if version == 2:
            assert array.attrs["_ARRAY_DIMENSIONS"] == json.loads((out / name / ".zattrs").read_text())["_ARRAY_DIMENSIONS"]
            continue
        meta = json.loads((out / name / "zarr.json").read_text())
        assert meta == json.loads(json.dumps(group.metadata.consolidated_metadata.metadata[name].to_dict(), default=str)) \
            or dict(array.attrs) == meta["attributes"], name
    assert len(names) > 20, names


def judge_dataset(version):
    ds = xr.open_zarr(folder / f"xr{version}", consolidated=True, zarr_format=version)
    assert ds.attrs["title"] == "caf\xe9"
    assert list(ds.coords) == ["time", "lat", "lon"], list(ds.coords)
    assert str(ds.time.values[1]) == "2020-01-01T06:00:00.000000000", ds.time.values
    t = ds["t2m"]
    assert t.dims == ("time", "lat", "lon") and t.dtype == np.float32 and t.attrs["units"] == "K"
    want = np.arange(40 * 6 * 7, dtype="f4").reshape(40, 6, 7) / 8
    want[:, 2, 3] = np.nan
    np.testing.assert_array_equal(t.values, want)
    packed = np.arange(40 * 6 * 7).reshape(40, 6, 7) * 0.01 + 273.15
    packed[:, 2, 3] = np.nan
    np.testing.assert_allclose(ds["packed"].values, packed, rtol=1e-6)
    assert ds["packed"].encoding["_FillValue"] == -32767
    assert np.isnan(ds["t2m"].encoding["_FillValue"])


if step == "make":
    make()
else:
    for version in (2, 3):
        judge_arrays(version)
        judge_dataset(version)
    print("zarr", zarr.__version__, "and xarray", xr.__version__, "agree")
