"""What `rastrum inspect --checksums` decodes, against numpy's own cells of stores that zarr-python wrote and of NetCDF files."""
import hashlib
import json
import subprocess
import zipfile

import netCDF4
import numcodecs
import numpy as np
import pytest
import zarr
from numcodecs.zarr3 import PackBits
from zarr.codecs import (BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec, TransposeCodec, ZstdCodec)

SHAPE, CHUNKS = (13, 9, 10), (6, 4, 4)


def inspect(binary, path, *options):
    done = subprocess.run([binary, "inspect", str(path), "--checksums", "--json", *map(str, options)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return {array["path"]: array for array in json.loads(done.stdout)["arrays"]}


def digest(cells):
    return hashlib.sha256(np.ascontiguousarray(cells.astype(cells.dtype.newbyteorder("<"))).tobytes()).hexdigest()


def cells_of(dtype, dice):
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return dice.integers(0, 2, SHAPE).astype(dtype)
    if dtype.kind in "iu":
        return dice.integers(0, 100, SHAPE).cumsum(axis=2).astype(dtype)
    if dtype.kind in "mM":
        return dice.integers(-10**6, 10**6, SHAPE).astype("<i8").view(dtype.newbyteorder("<")).astype(dtype)
    if dtype.kind == "U":
        return np.array(["é日𝄞"[:n] for n in dice.integers(0, 4, np.prod(SHAPE))]).reshape(SHAPE).astype(dtype)
    if dtype.kind in "SV":
        return np.frombuffer(dice.bytes(int(np.prod(SHAPE)) * dtype.itemsize), dtype).reshape(SHAPE)
    return dice.normal(0, 50, SHAPE).astype(dtype)


V2 = {
    "none": {"compressors": None},
    "blosc": {"compressors": numcodecs.Blosc("zstd", 3, numcodecs.Blosc.BITSHUFFLE)},
    "blosclz": {"compressors": numcodecs.Blosc("blosclz", 9, numcodecs.Blosc.SHUFFLE)},
    "lz4hc": {"compressors": numcodecs.Blosc("lz4hc", 5, numcodecs.Blosc.NOSHUFFLE)},
    "blosc-zlib": {"compressors": numcodecs.Blosc("zlib", 5, numcodecs.Blosc.SHUFFLE)},
    "zlib": {"compressors": numcodecs.Zlib(4)},
    "gzip": {"compressors": numcodecs.GZip(4)},
    "bz2": {"compressors": numcodecs.BZ2(4)},
    "lz4": {"compressors": numcodecs.LZ4()},
    "zstd": {"compressors": numcodecs.Zstd(4)},
    "fortran": {"compressors": numcodecs.Zlib(1), "order": "F"},
    "slashes": {"compressors": None, "chunk_key_encoding": {"name": "v2", "separator": "/"}},
    "crc32": {"compressors": numcodecs.Zlib(1), "filters": [numcodecs.CRC32()]},
    "fletcher32": {"compressors": numcodecs.Zlib(1), "filters": [numcodecs.Fletcher32()]},
    "xz": {"compressors": numcodecs.LZMA(preset=1)},
    "xz-delta": {"compressors": numcodecs.LZMA(filters=[{"id": 3, "dist": 4}, {"id": 33, "preset": 1}])},
    "lzma": {"compressors": numcodecs.LZMA(format=2)},
}
TYPES = ("|b1", "|i1", "|u1", "<i2", ">u2", "<i4", ">u4", ">i8", "<u8", "<f2", ">f2", "<f4", ">f4", ">f8", "<c8", ">c16", "<M8[ms]",
         "<m8[s]", ">U3", "<U5", "|S7", "|V5")




@pytest.mark.parametrize("dtype", TYPES)
def test_types_of_v2(binary, tmp_path, dtype):
    dice = np.random.default_rng(sum(map(ord, dtype)))
    cells = cells_of(dtype, dice)
    for order in "CF":
        array = zarr.create_array(tmp_path / order, shape=SHAPE, chunks=CHUNKS, dtype=cells.dtype, zarr_format=2, order=order,
                                  compressors=numcodecs.Zlib(1), filters=None)
        array[...] = cells
    for found in (inspect(binary, tmp_path)[order] for order in "CF"):
        assert found["sha256"] == digest(cells) and found["shape"] == list(SHAPE) and found["zarr_format"] == 2
        if cells.dtype.kind in "iuf":
            assert found["valid"] == cells.size and found["min"] == float(cells.min()) and found["max"] == float(cells.max())


@pytest.mark.parametrize("name", V2)
def test_codecs_of_v2(binary, tmp_path, name):
    cells = cells_of("<i4", np.random.default_rng(1))
    array = zarr.create_array(tmp_path / "a" / "b", shape=SHAPE, chunks=CHUNKS, dtype="<i4", zarr_format=2, fill_value=-7,
                              **{"filters": None, **V2[name]})
    array[:6], cells[6:] = cells[:6], -7  # the rest is not stored
    assert inspect(binary, tmp_path)["a/b"]["sha256"] == digest(cells)


@pytest.mark.parametrize("dtype", ("<i2", ">i4", "<u8", "<f4", ">f8", "<f8"))
def test_filters_of_cells(binary, tmp_path, dtype):
    cells = cells_of(dtype, np.random.default_rng(2))
    chains = {"delta": [numcodecs.Delta(dtype)], "shuffled": [numcodecs.Delta(dtype), numcodecs.Shuffle(np.dtype(dtype).itemsize)]}
    if cells.dtype.kind == "f":
        chains["scaled"] = [numcodecs.FixedScaleOffset(10, 4, dtype, "<i2")]
        chains["scaled-delta"] = [numcodecs.FixedScaleOffset(10, 4, dtype, "<i4"), numcodecs.Delta("<i4")]
        chains["tenths"] = [numcodecs.FixedScaleOffset(0.3, 10, dtype, "f4")]
        chains["many"] = [*chains["scaled-delta"], numcodecs.AsType("<i8", "<i4"), numcodecs.Delta("<i8"), numcodecs.Shuffle(8)]
        if dtype[0] == "<":  # what numcodecs can write
            chains["rounded"] = [numcodecs.BitRound(4)]
    if dtype == "<f8":
        chains["narrow"] = [numcodecs.Quantize(2, "<f8", "<f4")]
    if dtype == ">i4":
        chains["small steps"] = [numcodecs.Delta(">i4", ">i2")]
        chains["cast"] = [numcodecs.AsType(">i8", dtype)]
    kept = {}
    for name, chain in chains.items():
        array = zarr.create_array(tmp_path / name, shape=SHAPE, chunks=CHUNKS, dtype=dtype, zarr_format=2, filters=chain,
                                  compressors=numcodecs.Zlib(1))
        array[...] = cells
        kept[name] = array[...]
    found = inspect(binary, tmp_path)
    assert {name: found[name]["sha256"] for name in chains} == {name: digest(kept[name]) for name in chains}


def test_packed_bits(binary, tmp_path):
    cells = cells_of("|b1", np.random.default_rng(7))
    for name, options in {"v2": {"zarr_format": 2, "filters": [numcodecs.PackBits()]},
                          "v3": {"filters": [PackBits()]}}.items():
        zarr.create_array(tmp_path / name, shape=SHAPE, chunks=(13, 3, 1), dtype="bool", compressors=None, **options)[...] = cells
    assert {array["sha256"] for array in inspect(binary, tmp_path).values()} == {digest(cells)}


def test_json_as_python_writes_it(binary, tmp_path):
    """Bare NaN and Infinity, as json.dumps gives them, and numbers between quotes."""
    for name, fill in {"nan": "NaN", "low": "-Infinity", "text": '"2.5"'}.items():
        zarr.create_array(tmp_path / name, shape=SHAPE, chunks=CHUNKS, dtype="<f4", zarr_format=2, fill_value=1.5)
        (tmp_path / name / ".zarray").write_text((tmp_path / name / ".zarray").read_text().replace("1.5", fill))
    v3_array(tmp_path / "v3", "float32", CHUNKS, [BytesCodec()], 2.5)
    text = json.loads((tmp_path / "v3" / "zarr.json").read_text())
    (tmp_path / "v3" / "zarr.json").write_text(json.dumps({**text, "attributes": {"limits": [float("nan"), 2**70]}}))
    v3_array(tmp_path / "raw", "uint16", CHUNKS, [BytesCodec()], 0)
    raw = json.loads((tmp_path / "raw" / "zarr.json").read_text())
    (tmp_path / "raw" / "zarr.json").write_text(json.dumps({**raw, "data_type": "r16", "fill_value": [1, 2]}))
    found = inspect(binary, tmp_path)
    for name, cell in {"nan": "nan", "low": "-inf", "text": 2.5, "v3": 2.5}.items():
        assert found[name]["sha256"] == digest(np.full(SHAPE, np.float32(cell))), name
    assert found["raw"]["sha256"] == digest(np.full(SHAPE, 0x0201, "<u2"))


def shards(inner, codecs, **more):
    return ShardingCodec(chunk_shape=inner, codecs=codecs, index_codecs=[BytesCodec(), Crc32cCodec()], **more)


V3 = {
    "plain": ([BytesCodec()], CHUNKS),
    "big": ([BytesCodec(endian="big"), ZstdCodec()], CHUNKS),
    "transposed": ([TransposeCodec(order=(2, 0, 1)), BytesCodec(), GzipCodec()], CHUNKS),
    "twice": ([TransposeCodec(order=(2, 0, 1)), TransposeCodec(order=(1, 0, 2)), BytesCodec(), BloscCodec()], CHUNKS),
    "checked": ([BytesCodec(), ZstdCodec(), Crc32cCodec()], CHUNKS),
    "shards": ([shards((3, 2, 4), [BytesCodec(), ZstdCodec()])], (6, 4, 8)),
    "start": ([shards((3, 2, 4), [BytesCodec()], index_location="start")], (6, 4, 8)),
    "inside": ([shards((3, 2, 4), [TransposeCodec(order=(1, 2, 0)), BytesCodec(), BloscCodec()])], (6, 4, 8)),
    "outside": ([TransposeCodec(order=(2, 0, 1)), shards((2, 2, 4), [BytesCodec(), ZstdCodec()])], (6, 4, 8)),
    "nested": ([shards((6, 4, 4), [shards((3, 2, 4), [BytesCodec(), ZstdCodec()])])], (12, 8, 8)),
    "nested start": ([shards((6, 4, 4), [shards((3, 2, 4), [BytesCodec()], index_location="start")], index_location="start")], (12, 8, 8)),
}


def v3_array(path, dtype, chunks, codecs, fill):
    """By hand: zarr-python has no public way to nest shards at the creation of an array."""
    metadata = {"zarr_format": 3, "node_type": "array", "shape": SHAPE, "data_type": dtype, "fill_value": fill, "attributes": {},
                "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunks}},
                "chunk_key_encoding": {"name": "default"}, "codecs": [codec.to_dict() for codec in codecs]}
    path.mkdir(parents=True)
    (path / "zarr.json").write_text(json.dumps(metadata, default=lambda value: getattr(value, "value", str(value))))
    return zarr.open_array(path, mode="r+")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", V3)
def test_codecs_of_v3(binary, tmp_path, name):
    codecs, chunks = V3[name]
    cells = cells_of("<i2", np.random.default_rng(3))
    array = v3_array(tmp_path / "g" / "a", "int16", chunks, codecs, -3)
    cells[3:6, 2:4, 4:8] = -3  # inner chunks that are not stored
    cells[:, :, 8:][6:] = -3   # shards that are not
    array[...] = cells
    assert np.array_equal(array[...], cells)
    assert inspect(binary, tmp_path)["g/a"]["sha256"] == digest(cells)


FILLS = {"float32": ("NaN", "Infinity", "-Infinity", 1.5, "0x7fc00001"), "float64": ("NaN", -0.0), "float16": (1.5, "NaN", "0x7e01", 6e-8),
         "bool": (True, False), "uint64": (2**64 - 1,), "int8": (-128,)}


@pytest.mark.parametrize("dtype", FILLS)
def test_fill_values(binary, tmp_path, dtype):
    for i, fill in enumerate(FILLS[dtype]):
        v3_array(tmp_path / str(i), dtype, CHUNKS, [BytesCodec()], fill)
    found = inspect(binary, tmp_path)
    for i, fill in enumerate(FILLS[dtype]):
        kind = np.dtype(dtype)
        if isinstance(fill, str) and fill.startswith("0x"):
            cell = np.array(int(fill, 16), f"<u{kind.itemsize}").view(kind)
        else:
            cell = np.array(float(fill) if isinstance(fill, str) else fill, kind)
        assert found[str(i)]["sha256"] == digest(np.broadcast_to(cell, SHAPE)), fill


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("method", (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
def test_archives(binary, tmp_path, method):
    cells = cells_of("<f4", np.random.default_rng(4))
    zarr.create_array(tmp_path / "s" / "in" / "a", data=cells, chunks=CHUNKS)
    zarr.create_array(tmp_path / "s" / "b", data=cells[0], chunks=(4, 4), zarr_format=2)
    with zipfile.ZipFile(tmp_path / "s.zip", "w", method) as archive:
        archive.writestr("in/a/c/0/0/0", b"older")  # as zarr-python leaves it: of entries of one name the last counts
        for file in sorted((tmp_path / "s").rglob("*")):
            archive.write(file, str(file.relative_to(tmp_path / "s")))
    found = inspect(binary, tmp_path / "s.zip")
    assert found["in/a"]["sha256"] == digest(cells) and found["b"]["sha256"] == digest(cells[0])


def test_slabs_that_do_not_fit_at_once(binary, tmp_path):
    cells = np.arange(40 * 300 * 700, dtype="<i4").reshape(40, 300, 700)
    zarr.create_array(tmp_path / "a", data=cells, chunks=(20, 50, 100))
    zarr.create_array(tmp_path / "deep", data=cells[:2].reshape(1, 2, 300, 700), chunks=(1, 2, 100, 100))
    for memory in ("64M", "8M", "64K"):
        found = inspect(binary, tmp_path, "--memory", memory)
        assert found["a"]["sha256"] == digest(cells) and found["deep"]["sha256"] == digest(cells[:2])


def test_dump(binary, tmp_path):
    cells = cells_of("<f4", np.random.default_rng(5))
    zarr.create_array(tmp_path / "s" / "a", data=cells, chunks=CHUNKS)
    (tmp_path / "out").mkdir()
    found = inspect(binary, tmp_path / "s", "--dump", tmp_path / "out")
    assert np.array_equal(np.load(found["a"]["npy"]), cells)


def test_netcdf(binary, tmp_path):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as d:
        d.createDimension("x", 50)
        d.createVariable("packed", "i2", ("x",), zlib=True, shuffle=True)[:] = np.arange(50)
        d["packed"].scale_factor = 0.5
        d.createGroup("g").createVariable("t", "f8", ("x",))[:] = np.linspace(0, 1, 50)
        d.createVariable("name", str, ("x",))
    found = inspect(binary, tmp_path / "a.nc")
    assert found["packed"]["sha256"] == digest(np.arange(50, dtype="<i2"))
    assert found["g/t"]["sha256"] == digest(np.linspace(0, 1, 50))
    assert "numbers" in found["name"]["skipped"]


def refused(binary, path):
    done = subprocess.run([binary, "inspect", str(path), "--checksums", "--json"], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def test_what_is_not_read_is_named(binary, tmp_path):
    zarr.create_array(tmp_path / "s" / "text", shape=(4,), dtype=str)
    zarr.create_array(tmp_path / "s" / "good", shape=(4,), dtype="i2")
    v3 = tmp_path / "s" / "odd"
    v3_array(v3, "int16", CHUNKS, [BytesCodec()], 0)
    (v3 / "zarr.json").write_text((v3 / "zarr.json").read_text().replace('"codecs": [', '"codecs": [{"name": "rot13"},'))
    found = inspect(binary, tmp_path / "s")
    assert '"string"' in found["text"]["skipped"] and "rot13" in found["odd"]["skipped"]
    assert refused(binary, v3).startswith("rastrum: odd: codec \"rot13\"")
    (v3 / "zarr.json").write_text((v3 / "zarr.json").read_text().replace('{"name": "rot13"},', "").replace("int16", "int8"))
    (v3 / "c" / "0" / "0").mkdir(parents=True)
    (v3 / "c" / "0" / "0" / "0").write_bytes(b"x")
    assert refused(binary, v3).startswith("rastrum: odd: c/0/0/0: ")
    (tmp_path / "empty").mkdir()
    assert "no Zarr array" in refused(binary, tmp_path / "empty")


def test_links_out_of_a_store_are_not_followed(binary, tmp_path):
    cells = cells_of("<i2", np.random.default_rng(6))
    zarr.create_array(tmp_path / "s" / "a", data=cells, chunks=SHAPE, compressors=None)
    chunk = tmp_path / "s" / "a" / "c" / "0" / "0" / "0"
    chunk.rename(tmp_path / "secret")
    chunk.symlink_to(tmp_path / "secret")
    assert "leads out" in refused(binary, tmp_path / "s")
    (tmp_path / "s" / "linked").symlink_to("/")
    chunk.unlink()
    (tmp_path / "secret").rename(chunk)
    assert list(inspect(binary, tmp_path / "s")) == ["a"]


def test_archives_that_lie(binary, tmp_path):
    def archive(name, method=zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "z.zip", "w", method) as z:
            z.writestr(name, json.dumps({"zarr_format": 2}) * 100)
        return tmp_path / "z.zip"
    assert "leads out" in refused(binary, archive("../.zgroup"))
    assert "method 14" in refused(binary, archive("a/.zgroup", zipfile.ZIP_LZMA))
    path = archive("a/.zgroup")
    path.write_bytes(path.read_bytes()[:-30])
    assert "damaged zip" in refused(binary, path)
