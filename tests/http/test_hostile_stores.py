"""Zarr stores, zip archives and reference files made to do harm; see hostile.py."""
import base64
import json
import os
import struct
import zipfile
import zlib

import numcodecs
import numpy as np
import pytest

import hostile
from hostile import folder_of, put, put_json

CASES, case = hostile.registry()
NY, NX = 12, 16
RAW = np.arange(NY * NX, dtype="<f4").tobytes()


def v2(shape, dims, dtype="<f4", **more):
    meta = {"zarr_format": 2, "shape": shape, "chunks": shape, "dtype": dtype, "compressor": None, "filters": None, "order": "C",
            "fill_value": None, **more}
    return meta, {"_ARRAY_DIMENSIONS": dims}


def members(t=None, cells=RAW, **more):
    """The keys and bytes of a good store of format 2, with the variable `t` changed."""
    out = {".zgroup": json.dumps({"zarr_format": 2}).encode()}
    arrays = {"lat": (*v2([NY], ["lat"], "<f8"), np.linspace(-50, 50, NY).tobytes()),
              "lon": (*v2([NX], ["lon"], "<f8"), np.linspace(0, 150, NX).tobytes()),
              "t": (*v2([NY, NX], ["lat", "lon"]), cells)}
    arrays["lat"][1]["units"], arrays["lon"][1]["units"] = "degrees_north", "degrees_east"
    arrays["t"][0].update(t or {})
    arrays["t"][1].update(more)
    for name, (meta, attributes, data) in arrays.items():
        out[f"{name}/.zarray"] = json.dumps(meta).encode()
        out[f"{name}/.zattrs"] = json.dumps(attributes).encode()
        if data is not None:
            out[f"{name}/" + ".".join("0" * len(meta["shape"]))] = data
    return out


def write(root, files):
    for key, data in files.items():
        folder_of((root / key).parent)
        put(root / key, data)
    return root


def v3(root, codecs, chunk, shape=(NY, NX), chunks=(NY, NX), **more):
    """A store of format 3: `t` with these codecs and the one chunk."""
    def array(name, shape, chunks, dims, dtype, codecs, attributes):
        return {"zarr_format": 3, "node_type": "array", "shape": shape, "data_type": dtype, "fill_value": 0, "codecs": codecs,
                "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunks}}, "dimension_names": dims, "attributes": attributes,
                "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}}}
    plain = [{"name": "bytes", "configuration": {"endian": "little"}}]
    write(root, {"zarr.json": json.dumps({"zarr_format": 3, "node_type": "group"}).encode(), "t/c/0/0": chunk})
    for name, values, units in (("lat", np.linspace(-50, 50, NY), "degrees_north"), ("lon", np.linspace(0, 150, NX), "degrees_east")):
        write(root, {f"{name}/c/0": values.tobytes()})
        put_json(root / name / "zarr.json", array(name, [len(values)], [len(values)], [name], "float64", plain, {"units": units}))
    put_json(root / "t" / "zarr.json", {**array("t", list(shape), list(chunks), ["lat", "lon"], "float32", codecs, {}), **more})
    return root


BYTES = {"name": "bytes", "configuration": {"endian": "little"}}


def sharded(root, index, inner=(NY, NX), codecs=(BYTES,), body=RAW, index_codecs=(BYTES,), location="end"):
    """One shard whose index is what the case says: pairs of offset and size."""
    raw = b"".join(struct.pack("<QQ", *pair) for pair in index)
    shard = {"name": "sharding_indexed", "configuration": {"chunk_shape": list(inner), "codecs": list(codecs), "index_codecs": list(index_codecs),
                                                            "index_location": location}}
    return v3(root, [shard], body + raw if location == "end" else raw + body)


# ---- folders

@case("", name="a good store is read")
def _(folder, _secret):
    return write(folder / "s.zarr", members())


@case("leads out")
def a_chunk_that_is_a_link(folder, secret):
    root = write(folder / "s.zarr", members(cells=None))
    (root / "t" / "0.0").symlink_to(secret)
    return root


@case("leads out")
def a_chunk_by_a_relative_link(folder, _secret):
    root = write(folder / "s.zarr", members(cells=None))
    (root / "t" / "0.0").symlink_to("../../../secret")
    return root


@case("")
def an_array_that_is_a_link(folder, secret):
    """A link is not listed: the array is not there."""
    root = write(folder / "s.zarr", members())
    other = write(folder / "other", members(cells=hostile.MARKER * 22))
    (root / "t").rename(folder / "old")
    (root / "t").symlink_to(other / "t")
    (root / "u").symlink_to(secret.parent)
    return root


@case("leads out|no gridded")
def metadata_that_are_a_link(folder, secret):
    root = write(folder / "s.zarr", members())
    (root / "t" / ".zarray").unlink()
    (root / "t" / ".zarray").symlink_to(secret)
    (root / "t" / ".zattrs").unlink()
    (root / "t" / ".zattrs").symlink_to(secret)
    return root


@case("")
def folders_in_a_circle(folder, _secret):
    root = write(folder / "s.zarr", members())
    (root / "again").symlink_to(root)
    return root


@case("regular file|cannot be read|not a")
def a_chunk_that_is_a_pipe(folder, _secret):
    root = write(folder / "s.zarr", members(cells=None))
    os.mkfifo(root / "t" / "0.0")
    return root


@case("deep")
def folders_a_hundred_deep(folder, _secret):
    root = write(folder / "s.zarr", members())
    write(root / "/".join("g" * 100), {".zgroup": b'{"zarr_format": 2}'})
    return root


@case("")
def names_that_are_no_keys(folder, _secret):
    files = members()
    root = write(folder / "s.zarr", {k.replace("t/", "a b\n\x1b[31m/"): v for k, v in files.items()})
    return root


# ---- metadata

def meta(says, name, **change):
    def make(folder, _secret):
        return write(folder / "s.zarr", members(t=change))
    case(says, name=name)(make)


meta("whole numbers", "cells beyond any number", shape=[1 << 62, NX])
meta("memory|too big|more than|larger|bytes|overflow|MiB", "a chunk of 4 GiB", chunks=[1 << 15, 1 << 15], shape=[NY, NX])
meta("chunk|memory|too|overflow|shape|larger|bytes", "a chunk beyond any number", chunks=[1 << 62, 1 << 62])
meta("chunk", "chunks of nothing", chunks=[0, NX])
meta("shape|dimension|whole|invalid|negative", "a negative shape", shape=[-1, NX])
meta("shape|dimension|whole|invalid|number", "a shape of texts", shape=["../..", NX])
meta("at most 16", "more dimensions than there are", shape=[1] * 40, chunks=[1] * 40)
meta("no gridded", "objects", dtype="|O")
meta("no gridded", "cells of 2 GiB each", dtype="|S2147483647")
meta("rot13|codec|compressor", "a codec that there is not", compressor={"id": "rot13"})
meta("pickle|filter|codec", "pickle", filters=[{"id": "pickle"}])
meta("json2|filter|codec", "a filter of objects", filters=[{"id": "json2"}])
meta("delta|filter|dtype|type", "delta of a type beyond it", filters=[{"id": "delta", "dtype": "<f99", "astype": "<f99"}])
meta("elementsize", "shuffle of elements of 2 GiB", filters=[{"id": "shuffle", "elementsize": 1 << 31}])
meta("order|transpose", "an order of its own", order="X")
meta("separator", "a separator that climbs", dimension_separator="/../")


@case("JSON|metadata|deep")
def metadata_of_100_000_brackets(folder, _secret):
    root = write(folder / "s.zarr", members())
    put(root / "t" / ".zarray", b"[" * 100_000)
    return root


@case("bytes; at most")
def metadata_of_17_mib(folder, _secret):
    root = write(folder / "s.zarr", members())
    put(root / "t" / ".zattrs", b" " * (17 << 20) + b"{}")
    return root


@case("")
def attributes_in_a_circle(folder, _secret):
    return write(folder / "s.zarr", members(coordinates="t t t", grid_mapping="t", bounds="t", ancillary_variables="t"))


@case("JSON|metadata|codec|sharding|nested|deep")
def shards_in_shards_in_shards(folder, _secret):
    codecs = [BYTES]
    for _ in range(200):
        codecs = [{"name": "sharding_indexed", "configuration": {"chunk_shape": [NY, NX], "codecs": codecs, "index_codecs": [BYTES]}}]
    return v3(folder / "s.zarr", codecs, bytes(10000))


# ---- chunks

def chunk(says, name, compressor, packed):
    def make(folder, _secret):
        return write(folder / "s.zarr", members(t={"compressor": compressor}, cells=packed() if callable(packed) else packed))
    case(says, name=name)(make)


DAMAGED = "chunk|damaged|decode|bytes|ends|corrupt"


def bomb(codec, size=192 << 20):
    return lambda: bytes(codec.encode(bytes(size)))


chunk(DAMAGED, "a bomb of zlib", {"id": "zlib", "level": 1}, bomb(numcodecs.Zlib(1)))
chunk(DAMAGED, "a bomb of gzip", {"id": "gzip", "level": 1}, bomb(numcodecs.GZip(1)))
chunk(DAMAGED, "a bomb of zstd", {"id": "zstd", "level": 1}, bomb(numcodecs.Zstd(1)))
chunk(DAMAGED, "a bomb of bzip2", {"id": "bz2", "level": 1}, bomb(numcodecs.BZ2(1), 16 << 20))
chunk(DAMAGED, "a bomb of lz4", {"id": "lz4", "acceleration": 1}, bomb(numcodecs.LZ4()))
chunk(DAMAGED, "a bomb of blosc", {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1}, bomb(numcodecs.Blosc("lz4")))
chunk(DAMAGED, "lz4 that promises 4 GiB", {"id": "lz4", "acceleration": 1}, struct.pack("<I", 0xffffffff) + bytes(100))
chunk(DAMAGED, "lz4 that promises less than nothing", {"id": "lz4", "acceleration": 1}, struct.pack("<i", -5) + bytes(100))
chunk(DAMAGED, "blosc that promises 2 GiB", {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1},
      struct.pack("<BBBBIII", 2, 1, 0x21, 4, 0x7fffffff, 0x7fffffff, 64) + bytes(48))
chunk(DAMAGED, "blosc of blocks beyond it", {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1},
      struct.pack("<BBBBIII", 2, 1, 0x21, 4, NY * NX * 4, 64, 80) + struct.pack("<I", 0xfffffff0) * 16)
chunk(DAMAGED, "zstd without a size", {"id": "zstd", "level": 1}, b"\x28\xb5\x2f\xfd\x00\x58" + bytes(60))
chunk(DAMAGED, "a chunk that is too short", None, RAW[:-1])
chunk(DAMAGED + "|longer|size", "a chunk that is too long", None, RAW + bytes(1 << 20))
chunk(DAMAGED, "a checksum that is wrong", {"id": "zlib", "level": 1}, zlib.compress(RAW)[:-4] + b"abcd")


def shard(says, name, *words, **options):
    case(says, name=name)(lambda folder, _secret: sharded(folder / "s.zarr", *words, **options))


INDEX = "shard|index|chunk|bytes|ends|outside"
shard(INDEX, "an index that points beyond the shard", [(1 << 40, NY * NX * 4)])
shard(INDEX, "an index whose sum overflows", [((1 << 64) - 16, 32)])
shard(INDEX, "an inner chunk of 2^63 bytes", [(0, 1 << 63)])
shard(INDEX, "an index within its chunk", [(NY * NX * 4 - 8, 64)])
shard(INDEX, "a shard shorter than its index", [], body=b"ab")
shard(INDEX + "|divide|shape|many", "inner chunks of one cell in one of 2^60", [(0, 4)], inner=(1, 1))
shard(INDEX + "|codec", "an index that is packed", [(0, NY * NX * 4)], index_codecs=[BYTES, {"name": "gzip", "configuration": {"level": 1}}])
shard(INDEX + "|crc|checksum", "an index whose checksum is wrong", [(0, NY * NX * 4), (1, 1)], index_codecs=[BYTES, {"name": "crc32c"}])
shard("transpose|order|codec", "a transposition that is none", [(0, NY * NX * 4)],
      codecs=[{"name": "transpose", "configuration": {"order": [7, 7]}}, BYTES])


# ---- archives

def archive(path, files, method=zipfile.ZIP_STORED, more=()):
    with zipfile.ZipFile(path, "w", method) as z:
        for name, data in [*files.items(), *more]:
            z.writestr(zipfile.ZipInfo(name), data, compress_type=method)
    return path


@case("", name="a good archive is read")
def _(folder, _secret):
    return archive(folder / "s.zip", members(), zipfile.ZIP_DEFLATED)


@case("leads out")
def an_entry_that_climbs(folder, _secret):
    return archive(folder / "s.zip", members(), more=[("t/../../secret", b"x")])


@case("leads out")
def an_entry_with_an_absolute_name(folder, secret):
    return archive(folder / "s.zip", members(), more=[(str(secret), b"x")])


@case("leads out")
def an_entry_that_climbs_backwards(folder, _secret):
    return put(folder / "s.zip", archive(folder / "x.zip", members(), more=[("t/..!..!s", b"x")]).read_bytes().replace(b"..!..!s", b"..\\..\\s"))


@case("")
@pytest.mark.filterwarnings("ignore")
def an_entry_that_is_there_twice(folder, _secret):
    return archive(folder / "s.zip", members(), more=[("t/0.0", bytes(NY * NX * 4))])


@case("encrypted")
def an_encrypted_entry(folder, _secret):
    data = bytearray(archive(folder / "s.zip", members()).read_bytes())
    at = -1
    while (at := data.find(b"PK\1\2", at + 1)) >= 0:
        data[at + 8] |= 1
    return put(folder / "s.zip", bytes(data))


@case("method")
def an_entry_of_a_method_of_its_own(folder, _secret):
    return archive(folder / "s.zip", members(), zipfile.ZIP_LZMA)


def directory(folder, entry, change, method=zipfile.ZIP_STORED, files=None):
    """An archive with one entry of its directory changed."""
    data = bytearray(archive(folder / "s.zip", files or members(), method).read_bytes())
    at = data.index(b"PK\1\2")
    while data[at + 46:at + 46 + len(entry)] != entry:
        at = data.index(b"PK\1\2", at + 4)
    change(data, at)
    return put(folder / "s.zip", bytes(data))


@case("damaged|bytes|zip|memory")
def an_entry_of_4_gib(folder, _secret):
    def change(data, at):
        struct.pack_into("<II", data, at + 20, 0xfffffffe, 0xfffffffe)
    return directory(folder, b"t/0.0", change)


@case("damaged|bytes|zip|memory|GiB|chunk")
def a_deflated_entry_of_4_gib(folder, _secret):
    def change(data, at):
        struct.pack_into("<I", data, at + 24, 0xfffffffe)
    return directory(folder, b"t/0.0", change, zipfile.ZIP_DEFLATED)


@case("damaged|zip|bytes|at most|larger")
def a_bomb_in_an_archive(folder, _secret):
    files = members()
    files["t/.zattrs"] = b"{" + b" " * (140 << 20) + b"}"
    return archive(folder / "s.zip", files, zipfile.ZIP_DEFLATED)


@case(DAMAGED + "|zip")
def a_bomb_for_a_chunk_in_an_archive(folder, _secret):
    return archive(folder / "s.zip", members(cells=bytes(140 << 20)), zipfile.ZIP_DEFLATED)


@case("damaged|zip")
def an_entry_beyond_the_archive(folder, _secret):
    return directory(folder, b"t/0.0", lambda data, at: struct.pack_into("<I", data, at + 42, 0xfffffff0))


@case("damaged|zip|ends")
def a_directory_of_millions(folder, _secret):
    data = bytearray(archive(folder / "s.zip", members()).read_bytes())
    at = data.rindex(b"PK\5\6")
    struct.pack_into("<HHII", data, at + 8, 0xfffe, 0xfffe, 0xffffff00, 0)
    return put(folder / "s.zip", bytes(data))


@case("damaged|zip|checksum|bytes|decode")
def an_entry_whose_sum_is_wrong(folder, _secret):
    return directory(folder, b"t/0.0", lambda data, at: struct.pack_into("<I", data, at + 16, 1), zipfile.ZIP_DEFLATED)


@case("no Zarr|damaged|zip")
def a_document_of_an_office(folder, _secret):
    return archive(folder / "s.zip", {"[Content_Types].xml": b"<x/>", "word/document.xml": b"<x/>"})


# ---- references

def references(folder, target, changes=None, t=None, **top):
    refs = {k: v.decode() if k.rsplit("/", 1)[1:] in ([".zarray"], [".zattrs"]) or k == ".zgroup" else "base64:" + base64.b64encode(v).decode()
            for k, v in members(t=t).items()}
    refs["t/0.0"] = target
    refs.update(changes or {})
    return put_json(folder / "refs.json", {"version": 1, "refs": refs, **top})


def reference(says, name, target, **more):
    def make(folder, secret):
        return references(folder, target(secret) if callable(target) else target, **more)
    case(says, name=name)(make)


OUTSIDE = "only files in the folder|leads out"
SIZE = NY * NX * 4
reference(OUTSIDE, "a reference that climbs", ["../secret", 0, SIZE])
reference(OUTSIDE, "a reference that climbs in the middle", ["a/../../secret", 0, SIZE])
reference(OUTSIDE, "a reference that is absolute", lambda s: [str(s), 0, SIZE])
reference(OUTSIDE, "a reference to a file: URL", lambda s: [f"file://{s}", 0, SIZE])
reference(OUTSIDE, "a reference to a local: URL", lambda s: [f"local://{s}", 0, SIZE])
reference(OUTSIDE, "a reference to a file: URL that climbs", ["file://../secret", 0, SIZE])
reference(OUTSIDE, "a reference to a service of the cloud", ["http://169.254.169.254/latest/meta-data", 0, SIZE])
reference(OUTSIDE, "a reference to this machine", ["http://127.0.0.1:1/x", 0, SIZE])
reference(OUTSIDE, "a reference through a zip", lambda s: [f"zip://x::file://{s}", 0, SIZE])
reference("no such file|missing", "a reference to what escapes stand for", ["%2e%2e/secret", 0, SIZE])
reference(OUTSIDE, "a reference by a template", ["{{up}}secret", 0, SIZE], templates={"up": "../"})
reference("no such file|missing", "a reference by a template of a template", ["{{a}}", 0, SIZE], templates={"a": "{{b}}", "b": "../secret"})
reference("template", "a template of code", ["{{ self.__init__.__globals__ }}", 0, SIZE], templates={})
reference("generated", "references that are generated", ["x", 0, SIZE], gen=[{"key": "t/{{i}}", "url": "x", "dimensions": {"i": {"stop": 1 << 40}}}])
reference("whole offset", "an offset below zero", ["refs.json", -1, SIZE])
reference("whole offset", "an offset of a fraction", ["refs.json", 0.5, SIZE])
reference("ends before|bytes|larger|chunk", "an offset beyond the file", ["refs.json", 1 << 62, SIZE])
reference("ends before|bytes|larger|chunk|overflow", "an offset whose sum overflows", ["refs.json", (1 << 63) - 1, (1 << 63) - 1])
reference("ends before|bytes|larger|chunk", "a size beyond the file", ["refs.json", 0, 1 << 40])
reference("base64", "base64 that is none", "base64:&&&&")
reference(DAMAGED + "|size", "base64 of too much", "base64:" + "A" * (8 << 20))
reference(DAMAGED, "a bomb in base64", "base64:" + base64.b64encode(zlib.compress(bytes(192 << 20), 1)).decode(), t={"compressor": {"id": "zlib", "level": 1}})
reference("no name for an array|leads out|climbs|no Zarr|key", "a key that climbs", ["refs.json", 0, SIZE],
          changes={f"../../u/{k}": v.decode() for k, v in members().items() if k.endswith((".zarray", ".zattrs"))})


@case(OUTSIDE)
def a_reference_to_a_link(folder, secret):
    (folder / "link").symlink_to(secret)
    return references(folder, ["link", 0, SIZE])


@case(OUTSIDE)
def a_reference_into_a_folder_that_is_a_link(folder, secret):
    (folder / "sub").symlink_to(secret.parent)
    return references(folder, ["sub/secret", 0, SIZE])


@case("regular|cannot|missing|ends")
def a_reference_to_a_pipe(folder, _secret):
    os.mkfifo(folder / "pipe")
    return references(folder, ["pipe", 0, SIZE])


@case("more than 8192 bytes")
def templates_that_double(folder, _secret):
    return references(folder, ["{{a}}" * 100_000, 0, SIZE], templates={"a": "b" * 100_000})


@pytest.mark.parametrize("hostile_case", CASES, ids=str)
@pytest.mark.filterwarnings("ignore")
def test_stores(binary, tmp_path, hostile_case):
    ingested, _ = hostile.attack(binary, tmp_path, hostile_case)
    if "good" in hostile_case.name:
        assert ingested.code == 0, ingested.err
