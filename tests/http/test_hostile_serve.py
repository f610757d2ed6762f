"""A server on a store whose objects were damaged or replaced, and requests made to do harm: each is answered, with a status
that says whose fault it is, and the server goes on. See hostile.py for files that are ingested."""
import contextlib
import json
import os
import shutil
import sqlite3
import struct

import netCDF4
import numpy as np
import pytest

import hostile
from conftest import Client
from hostile import put

NY, NX = 40, 60
DAMAGES = {}


def damage(make):
    """Changes the folder of a published version; the name of the function is the collection's."""
    DAMAGES[make.__name__] = make
    return make


def cog(version):
    return next((version / "t").glob("*.tif"))


def shard(version):
    return next(p for p in (version / "data.zarr" / "t").rglob("*") if p.is_file() and p.name != "zarr.json")


def meta(version, change):
    path = version / "data.zarr" / "t" / "zarr.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def over(path, offset, data):
    whole = bytearray(path.read_bytes())
    offset %= len(whole)
    whole[offset:offset + len(data)] = data
    put(path, bytes(whole))


# ---- maps

@damage
def cog_cut(version): put(cog(version), cog(version).read_bytes()[:100])
@damage
def cog_empty(version): put(cog(version), b"")
@damage
def cog_noise(version): put(cog(version), np.random.default_rng(1).bytes(5000))
@damage
def cog_missing(version): cog(version).unlink()
@damage
def cog_vrt(version): put(cog(version), b'<VRTDataset rasterXSize="1" rasterYSize="1"/>')
@damage
def cog_of_noise(version): over(cog(version), 600, np.random.default_rng(2).bytes(cog(version).stat().st_size - 600))


def tag(path, number, change):
    """Changes one entry of a little-endian classic TIFF's first directory: (kind, count, value) -> the same."""
    data = bytearray(path.read_bytes())
    assert data[:4] == b"II*\0"
    at = struct.unpack_from("<I", data, 4)[0]
    for i in range(struct.unpack_from("<H", data, at)[0]):
        place = at + 2 + 12 * i
        if struct.unpack_from("<H", data, place)[0] == number:
            struct.pack_into("<HII", data, place + 2, *change(*struct.unpack_from("<HII", data, place + 2)))
            return put(path, bytes(data))
    raise AssertionError(f"no tag {number}")


@damage
def cog_huge(version): tag(cog(version), 256, lambda *_: (4, 1, 0xffffffff))
@damage
def cog_bands(version): tag(cog(version), 277, lambda *_: (3, 1, 65535))
@damage
def cog_tiles(version): tag(cog(version), 322, lambda *_: (4, 1, 1 << 31))
@damage
def cog_offsets(version): tag(cog(version), 324, lambda kind, count, value: (kind, count, 0xfffffff0 if count == 1 else 0x7ffffff0))
@damage
def cog_sizes(version): tag(cog(version), 325, lambda kind, count, value: (kind, count, 0xfffffff0 if count == 1 else 0x7ffffff0))


@damage
def cog_link(version):
    path = cog(version)
    path.unlink()
    path.symlink_to("/etc/passwd")


def replace(path, make):
    path.unlink()
    make(path)


@damage
def cog_pipe(version): replace(cog(version), os.mkfifo)
@damage
def cog_folder(version): replace(cog(version), os.mkdir)


# ---- series

@damage
def shard_cut(version): put(shard(version), shard(version).read_bytes()[:10])
@damage
def shard_noise(version): put(shard(version), np.random.default_rng(3).bytes(shard(version).stat().st_size))
@damage
def shard_index(version): over(shard(version), -20, b"\xfe" * 16)
@damage
def shard_pipe(version): replace(shard(version), os.mkfifo)
@damage
def shard_link(version): replace(shard(version), lambda path: path.symlink_to(version.parents[3] / "secret"))
@damage
def shard_bomb(version): over(shard(version), 4, struct.pack("<II", 0x7fffffff, 0x7fffffff))
@damage
def meta_none(version): put(version / "data.zarr" / "t" / "zarr.json", b"")
@damage
def meta_deep(version): put(version / "data.zarr" / "t" / "zarr.json", b"[" * 100_000)
@damage
def meta_huge(version): meta(version, lambda d: d.update(shape=[1 << 47] * 3))
@damage
def meta_shape(version): meta(version, lambda d: d.update(shape=[1, 1, 1]))
@damage
def meta_type(version): meta(version, lambda d: d.update(data_type="float64"))
@damage
def meta_rank(version): meta(version, lambda d: d.update(shape=[NY, NX]))


@damage
def meta_chunks(version):
    meta(version, lambda d: d["chunk_grid"]["configuration"].update(chunk_shape=[1 << 40, 1 << 40, 1 << 40]))


@damage
def meta_codec(version): meta(version, lambda d: d.update(codecs=[{"name": "rot13"}]))
@damage
def version_gone(version): shutil.rmtree(version)


# ---- the catalog's rows: (row's body as a table) -> text

ROWS = {
    "row_none": lambda body: "",
    "row_deep": lambda body: "[" * 50_000,
    "row_list": lambda body: "[]",
    "row_null": lambda body: json.dumps(dict.fromkeys(body)),
    "row_huge": lambda body: json.dumps(body).replace(str(NX), "1" + "0" * 300),
    "row_below": lambda body: json.dumps(body).replace(str(NX), "-5"),
    "row_climbs": lambda body: json.dumps(body).replace('"t"', '"../../../secret"'),
    "row_bytes": lambda body: json.dumps(body).replace('"t"', '"\\u0000\\ud800"'),
    "row_many": lambda body: json.dumps(body).replace(f"{NX},", f"{NX * 1000000},"),
}


def make_source(path):
    with netCDF4.Dataset(path, "w") as d:
        for name, values, units in (("time", [0.0, 1.0], "days since 1970-01-01"), ("lat", np.linspace(40, 50, NY), "degrees_north"),
                                    ("lon", np.linspace(0, 15, NX), "degrees_east")):
            d.createDimension(name, len(values))
            axis = d.createVariable(name, "f8", (name,))
            axis.units = units
            axis[:] = values
        t = d.createVariable("t", "f4", ("time", "lat", "lon"))
        t[:] = np.random.default_rng(7).random((2, NY, NX))
    return path


def make_store(folder, rastrum, names):
    """A store with the same dataset in each of these collections."""
    source = make_source(folder / "a.nc")
    for name in ("good", *names):
        rastrum("ingest", source, "--collection", name, "--store", folder / "store")
    return folder / "store"


@pytest.fixture(scope="module")
def rows(tmp_path_factory, rastrum, start):
    """A server on a catalog whose rows were changed."""
    place = make_store(tmp_path_factory.mktemp("rows"), rastrum, ROWS)
    with contextlib.closing(sqlite3.connect(place / "catalog.db")) as db:
        for name, change in ROWS.items():
            body = json.loads(db.execute("select body from datasets where collection = ?", (name,)).fetchone()[0])
            db.execute("update datasets set body = ? where collection = ?", (change(body), name))
        db.commit()
    return start(place, "--workers", "1")


@pytest.fixture(scope="module")
def server(tmp_path_factory, rastrum, start):
    folder = tmp_path_factory.mktemp("objects")
    put(folder / "secret", hostile.MARKER * 4096)
    place = make_store(folder, rastrum, DAMAGES)
    for name, change in DAMAGES.items():
        change(next(p for p in (place / name / "a").iterdir() if p.is_dir()))
    watch = hostile.Watch(folder / "secret")
    yield start(place, "--workers", "1")
    opened = watch.events()
    watch.close()
    assert opened == 0


@pytest.fixture(scope="module")
def http(server):
    with Client(server) as client:
        yield client


def paths(collection):
    return (f"/tiles/{collection}/4/8/5.png?variable=t", f"/api/timeseries?collection={collection}&lon=5&lat=45&variable=t",
            f"/tiles/{collection}/times", f"/tiles/{collection}/tilejson.json", f"/stac/collections/{collection}/items",
            f"/stac/collections/{collection}", f"/legend/{collection}.png")


def check(answer):
    """200, or a problem with a sentence; no trace, no bytes of another file."""
    assert hostile.MARKER not in answer.content and b"root:" not in answer.content
    if answer.status_code not in (200, 204, 307):
        assert 400 <= answer.status_code < 600 and answer.headers["content-type"].startswith("application/problem+json"), answer.text[:300]
        problem = answer.json()
        assert problem["title"] and "traceback" not in answer.text and ".lua:" not in answer.text, answer.text[:1000]


def test_a_good_one(http):
    assert all(http.get(path).status_code == 200 for path in paths("good"))


@pytest.mark.parametrize("collection", ROWS)
def test_rows(rows, collection):
    with Client(rows) as client:
        for path in (*paths(collection), "/stac/search", "/stac/collections"):
            check(client.get(path))
        assert rows.alive() and client.get("/tiles/good/4/8/5.png?variable=t").status_code == 200


@pytest.mark.parametrize("collection", DAMAGES)
def test_objects(http, server, collection):
    answers = [http.get(path) for path in paths(collection)]
    for answer in answers:
        check(answer)
    tile, series = answers[0].status_code, answers[1].status_code
    if collection.startswith("cog"):
        assert tile >= 400 or collection == "cog_bands", (tile, answers[0].content[:200])
    if collection.startswith("shard") and collection != "shard_bomb":
        assert series >= 400, answers[1].text[:300]
    if collection in ("meta_none", "meta_deep", "meta_huge", "meta_chunks", "meta_codec", "meta_rank"):
        assert series >= 400, answers[1].text[:300]
    assert server.alive() and http.get("/tiles/good/4/8/5.png?variable=t").status_code == 200


# ---- requests

VALUES = ("", "%00", "%ff%fe", "..%2f..%2fetc%2fpasswd", "%2e%2e", "nan", "inf", "-inf", "1e309", "1e-400", "-0", "0x10", "9" * 400, "-" + "9" * 400,
          "1" + "0" * 300, "%F0%9F%92%A9" * 50, "%3Cscript%3E", "%27%3B--", "%24%7Bx%7D", "%25n%25s", "(" * 3000, "[" * 3000, "%7B" * 1000,
          "," * 3000, "1," * 3000, "a" * 7000, "%0d%0aX-Evil:%201", "%c0%af", "true", "null", "[]", "%20", "%E2%80%AE")
PARAMETERS = {
    "/tiles/good/4/8/5.png": ("variable", "datetime", "level", "rescale", "colormap_name", "colormap", "expression", "resampling", "tilesize", "buffer",
                              "v", "nodata", "color_formula", "bits"),
    "/api/timeseries": ("collection", "lon", "lat", "variable", "datetime", "level", "format", "f"),
    "/stac/search": ("bbox", "datetime", "collections", "ids", "limit", "intersects", "token", "fields", "sortby", "filter"),
    "/stac/collections/good/items": ("bbox", "datetime", "limit", "token"),
    "/legend/good.png": ("width", "height", "variable", "rescale", "colormap_name"),
    "/tiles/good/times": ("datetime", "limit", "variable"),
    "/colorMaps/viridis": ("f", "width", "height", "format"),
}


@pytest.mark.parametrize("path", PARAMETERS)
def test_parameters(http, server, path):
    """Each value for each parameter: no 5xx, since all of it is the client's mistake, or no mistake."""
    for name in PARAMETERS[path]:
        for value in VALUES:
            base = {"/api/timeseries": "collection=good&lon=5&lat=45"}.get(path, "")
            rest = "&".join(p for p in base.split("&") if p and not p.startswith(name + "="))
            answer = http.get(f"{path}?{rest}{'&' if rest else ''}{name}={value}")
            check(answer)
            assert answer.status_code < 500, (answer.url, answer.text[:500])
            assert "x-evil" not in answer.headers
    assert server.alive()


@pytest.mark.parametrize("path", ("/tiles/{}/4/8/5.png", "/tiles/good/{}/8/5.png", "/tiles/good/4/{}/5.png", "/tiles/good/4/8/{}.png",
                                  "/tiles/good/4/8/5.{}", "/stac/collections/{}/items/x", "/stac/collections/good/items/{}", "/data/{}/a/x/y",
                                  "/data/good/a/{}/manifest.json", "/data/good/a/x/{}", "/legend/{}.png", "/colorMaps/{}", "/viewer/{}"))
def test_parts_of_paths(http, server, path):
    for value in VALUES:
        answer = http.get(path.format(value))
        check(answer)
        assert answer.status_code < 500, (answer.url, answer.text[:500])
    assert server.alive()


def ring(n, size=10.0):
    turn = np.linspace(0, 2 * np.pi, n)
    return [[float(x), float(y)] for x, y in zip(size * np.cos(turn), size * np.sin(turn))]


def nested(depth):
    return '{"type":"GeometryCollection","geometries":[' * depth + '{"type":"Point","coordinates":[0,0]}' + "]}" * depth


GEOMETRIES = {
    "none": "null", "a text": '"x"', "a number": "5", "a list": "[]", "no type": "{}", "a type of its own": '{"type":"Circle","coordinates":[0,0]}',
    "no coordinates": '{"type":"Polygon"}', "an empty ring": '{"type":"Polygon","coordinates":[[]]}', "no rings": '{"type":"Polygon","coordinates":[]}',
    "one corner": '{"type":"Polygon","coordinates":[[[0,0]]]}', "an open ring": '{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1]]]}',
    "texts": '{"type":"Point","coordinates":["a","b"]}', "one number": '{"type":"Point","coordinates":[1]}',
    "numbers beyond": '{"type":"Point","coordinates":[1e999,0]}', "huge numbers": '{"type":"Point","coordinates":[1e308,-1e308]}',
    "NaN": '{"type":"Point","coordinates":[NaN,NaN]}', "objects": '{"type":"Point","coordinates":[{},{}]}', "deep": nested(40), "very deep": nested(20_000),
    "deep coordinates": '{"type":"MultiPolygon","coordinates":' + "[" * 20_000 + "]" * 20_000 + "}",
    "too many corners": json.dumps({"type": "Polygon", "coordinates": [ring(20_000)]}), "most corners": json.dumps({"type": "Polygon", "coordinates": [ring(9_000)]}),
    "a bow": '{"type":"Polygon","coordinates":[[[-10,-10],[10,10],[10,-10],[-10,10],[-10,-10]]]}',
    "a line of no length": '{"type":"LineString","coordinates":[[0,0],[0,0]]}', "the whole globe": json.dumps({"type": "Polygon", "coordinates": [ring(100, 1e6)]}),
    "many members": json.dumps({"type": "MultiPoint", "coordinates": [[0, 0]] * 10_001}),
    "twice the same key": '{"type":"Point","type":"Polygon","coordinates":[0,0]}', "a NUL": '{"type":"Point\\u0000","coordinates":[0,0]}',
    "half a character": '{"type":"\\ud800","coordinates":[0,0]}', "5 MB": '{"type":"Point","coordinates":[0,0],"x":"' + "x" * 5_000_000 + '"}',
    "cut off": '{"type":"Point","coordinates":[0,',
}


@pytest.mark.parametrize("name", GEOMETRIES)
def test_geometries(http, server, name):
    body = '{"collections":["good"],"intersects":' + GEOMETRIES[name] + "}"
    answer = http.post("/stac/search", content=body.encode(), headers={"content-type": "application/json"})
    check(answer)
    assert answer.status_code < 500, answer.text[:500]
    if len(GEOMETRIES[name]) < 6000:
        check(http.get("/stac/search", params={"intersects": GEOMETRIES[name]}))
    assert server.alive()


def test_wkt_is_no_geojson(http):
    for text in ("POINT(0 0)", "POLYGON((" + "0 0," * 1000 + "0 0))", "SRID=4326;POINT(0 0)", "GEOMETRYCOLLECTION(" * 300):
        assert http.get("/stac/search", params={"intersects": text}).status_code == 400
