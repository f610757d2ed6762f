"""Virtual datasets: chunks of NetCDF files, and of what references point to, served where they lie, here and by HTTP."""
import concurrent.futures
import io
import json
import os
import shutil

import fsspec
import httpx
import netCDF4
import numpy as np
import pytest
import xarray
import zarr
from far import Far
from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper
from fsspec.implementations.reference import ReferenceFileSystem
from kerchunk.hdf import SingleHdf5ToZarr
from server import Server
from wire import wait_for

pytestmark = pytest.mark.filterwarnings("ignore")
LOOPBACK = ("--fetch-allow", "127.0.0.1")


@pytest.fixture
def serve(binary, tmp_path):
    servers = []

    def start(store, *options):
        servers.append(Server(binary, store, tmp_path / f"server{len(servers)}.log", options))
        return httpx.Client(base_url=servers[-1].url, timeout=60)
    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def far(tmp_path):
    (tmp_path / "far").mkdir()
    server = Far(str(tmp_path / "far"))
    yield server
    server.close()


FORMS = {
    "deflated": ("NETCDF4", {"zlib": True, "shuffle": True, "fletcher32": True, "chunksizes": (2, 4, 5)}),
    "zstd": ("NETCDF4", {"compression": "zstd", "chunksizes": (1, 9, 18)}),
    "in-time": ("NETCDF4", {"zlib": True, "chunksizes": (6, 2, 3)}),
    "contiguous": ("NETCDF4", {"contiguous": True}),
    "big-endian": ("NETCDF4", {"endian": "big", "zlib": True}),
    "cdf1": ("NETCDF3_CLASSIC", {}),
    "cdf2": ("NETCDF3_64BIT_OFFSET", {}),
    "cdf5": ("NETCDF3_64BIT_DATA", {}),
}


def make(path, form="deflated", seed=3, records=True, fill=-999):
    kind, options = FORMS[form]
    with netCDF4.Dataset(path, "w", format=kind) as d:
        d.title = "made"
        records = records and not options.get("contiguous")
        for name, units, values in (("time", "days since 2000-01-01", np.arange(6.0)), ("lat", "degrees_north", np.linspace(-80, 80, 9)),
                                    ("lon", "degrees_east", np.arange(0, 360, 20.0))):
            d.createDimension(name, None if name == "time" and records else len(values))
            d.createVariable(name, "f8", (name,))[:] = values
            d[name].units = units
        random = np.random.default_rng(seed)
        for name, dtype in (("t2m", "i2"), ("wind", "f4")):
            v = d.createVariable(name, dtype, ("time", "lat", "lon"), fill_value=fill, **options)
            v.units = "K"
            if dtype == "i2":
                v.scale_factor, v.add_offset = 0.1, 5.0
            values = random.integers(2000, 3000, (6, 9, 18)) / 10
            v[:] = values if fill is None else np.ma.masked_where(values < 210, values)
    return path


def ingest(rastrum, path, collection, store, *options, **more):
    return rastrum("ingest", path, "--collection", collection, "--store", store, *options, **more)


def answers(http, collection, place="30/20"):
    """Series, tiles and items of a collection, without what names the collection and the version."""
    lon, lat = place.split("/")
    series = http.get("/api/timeseries", params={"collection": collection, "variable": "t2m,wind", "lon": lon, "lat": lat})
    assert series.status_code == 200, series.text
    out = [series.json()["timestamps"], [one["values"] for one in series.json()["series"]]]
    for variable in ("t2m", "wind"):
        for tile in ("0/0/0", "2/1/1", "3/5/2"):
            got = http.get(f"/tiles/{collection}/{tile}.npy", params={"variable": variable, "datetime": "2000-01-03T00:00:00Z"})
            assert got.status_code == 200, got.text
            out.append(np.load(io.BytesIO(got.content)).tolist())
    items = http.get(f"/stac/collections/{collection}/items", params={"limit": 100}).json()["features"]
    out.append([(item["id"], item["bbox"], sorted(item["assets"])) for item in items])
    return out


def same(one, other):
    return json.dumps(one) == json.dumps(other)


@pytest.mark.parametrize("form", FORMS)
def test_the_answers_of_a_copy(rastrum, serve, tmp_path, form):
    """Nothing is written but references; every value is that of the copy."""
    path = make(tmp_path / "a.nc", form)
    ingest(rastrum, path, "v", tmp_path / "store", "--virtual")
    ingest(rastrum, path, "c", tmp_path / "store")
    written = {file.name for file in (tmp_path / "store" / "v").rglob("*") if file.is_file()}
    assert written == {"manifest.json", "refs.json", "source.inline", "source.list", "source.pointer", "source.targets"}
    http = serve(tmp_path / "store")
    assert same(answers(http, "v"), answers(http, "c"))


def reference_store(refs):
    fs = ReferenceFileSystem(refs, fs=AsyncFileSystemWrapper(fsspec.filesystem("file"), asynchronous=True), asynchronous=True)
    return zarr.storage.FsspecStore(fs, read_only=True, path="")


@pytest.mark.parametrize("form", FORMS)
def test_others_read_the_references(rastrum, serve, tmp_path, form):
    """zarr-python and xarray, by refs.json and by the URLs of the store, against the file itself."""
    path = make(tmp_path / "a.nc", form)
    ingest(rastrum, path, "v", tmp_path / "store", "--virtual")
    version = next((tmp_path / "store" / "v" / "a").iterdir())
    refs = json.loads((version / "refs.json").read_text())
    assert refs["version"] == 1
    text = json.dumps(refs["refs"]).replace("{{source}}/files/1/a.nc", str(path))
    http = serve(tmp_path / "store")
    url = str(http.base_url).rstrip("/") + f"/data/v/a/{version.name}/"
    assert httpx.get(url + "refs.json").json() == refs
    assert httpx.get(url + "source/files/1/a.nc").content == path.read_bytes()
    assert httpx.get(url + "source.targets").status_code == 404
    for decode in (False, True):
        with xarray.open_dataset(path, decode_cf=decode) as file:
            for store in (reference_store(json.loads(text)), url + "source/"):
                with xarray.open_dataset(store, engine="zarr", consolidated=isinstance(store, str), decode_cf=decode, chunks=None) as got:
                    assert set(got.variables) == set(file.variables)
                    for name in file.variables:
                        assert file[name].dims == got[name].dims
                        np.testing.assert_array_equal(file[name].values, got[name].values)


def test_a_copy_takes_its_place(rastrum, serve, tmp_path):
    """Under the same ids, while the server runs; and the other way round."""
    path = make(tmp_path / "a.nc")
    ingest(rastrum, path, "c", tmp_path / "store", "--virtual")
    http = serve(tmp_path / "store")
    first = answers(http, "c")
    assert "unchanged" in ingest(rastrum, path, "c", tmp_path / "store", "--virtual").stderr
    versions = {item["assets"]["zarr"]["href"] for item in http.get("/stac/collections/c/items").json()["features"]}
    ingest(rastrum, path, "c", tmp_path / "store")
    assert same(answers(http, "c"), first)
    items = http.get("/stac/collections/c/items").json()["features"]
    assert not versions & {item["assets"]["zarr"]["href"] for item in items}
    assert all(item["assets"]["t2m"]["href"].endswith(".tif") for item in items)
    ingest(rastrum, path, "c", tmp_path / "store", "--virtual")
    assert same(answers(http, "c"), first)


def test_a_file_that_changed(rastrum, serve, tmp_path):
    """Another file, a changed one or none is told; never its values. Put back, it is served."""
    path, kept = make(tmp_path / "a.nc"), tmp_path / "kept.nc"
    ingest(rastrum, path, "c", tmp_path / "store", "--virtual")
    shutil.copy2(path, kept)
    query = {"collection": "c", "variable": "t2m", "lon": 30, "lat": 20}
    for change in ("replaced", "in place", "removed"):
        http = serve(tmp_path / "store")
        right = http.get("/api/timeseries", params=query).json()["values"]
        if change == "replaced":
            make(tmp_path / "new.nc", seed=4)
            os.replace(tmp_path / "new.nc", path)
        elif change == "in place":
            with netCDF4.Dataset(path, "a") as d:
                d["t2m"][:] = 0
        else:
            path.unlink()
        got = http.get("/api/timeseries", params={**query, "lon": 150, "lat": -40})
        tile = http.get("/tiles/c/1/1/1.png", params={"variable": "wind"})
        for answer in (got, tile):
            assert answer.status_code == 409 and "changed or removed since it was ingested" in answer.json()["detail"], answer.text
        shutil.copy2(kept, path)
        fresh = serve(tmp_path / "store")
        assert fresh.get("/api/timeseries", params=query).json()["values"] == right


def test_what_cannot_be_virtual(rastrum, tmp_path, shared):
    """Refused with the reason, and nothing is left."""
    folder = shared / "data" / "netcdf"
    plain = make(tmp_path / "a.nc")
    with netCDF4.Dataset(tmp_path / "uneven.nc", "w") as d:
        for name, values in (("lat", [-80, -20, 10, 50, 60]), ("lon", np.arange(0, 360, 40.0))):
            d.createDimension(name, len(values))
            d.createVariable(name, "f8", (name,))[:] = values
            d[name].units = {"lat": "degrees_north", "lon": "degrees_east"}[name]
        d.createVariable("t", "f4", ("lat", "lon"))[:] = 1
    xarray.open_dataset(plain).to_zarr(tmp_path / "a.zarr")
    cases = [(tmp_path / "uneven.nc", (), "uneven or curvilinear"), (tmp_path / "a.zarr", (), "neither a NetCDF file nor references"),
             (plain, ("--in-place",), "one of --virtual, --in-place and --copy")]
    cases += [(folder / "rasm.nc", (), "uneven or curvilinear")] if (folder / "rasm.nc").exists() else []
    for path, options, why in cases:
        said = ingest(rastrum, path, "c", tmp_path / "store", "--virtual", *options, code=1).stderr
        assert why in said, said
        assert not list((tmp_path / "store").glob("c/*"))


def references(path, target):
    refs = SingleHdf5ToZarr(str(path), inline_threshold=0).translate()
    return json.dumps(refs).replace(str(path), target)


def test_references_of_others(rastrum, serve, tmp_path, far):
    """Kerchunk's, here and by URL, copied and virtual: the values of the file."""
    path = make(tmp_path / "far" / "a.nc", "in-time", records=False, fill=None)  # kerchunk 0.2.9 leaves out variables with one
    (tmp_path / "far" / "r.json").write_text(references(path, far.url + "/a.nc"))
    (tmp_path / "far" / "l.json").write_text(references(path, "a.nc"))
    ingest(rastrum, path, "c", tmp_path / "store", "--variables", "wind")
    for collection, source, options in (("l", tmp_path / "far" / "l.json", ()), ("r", f"{far.url}/r.json", LOOPBACK),
                                        ("u", f"{far.url}/l.json", LOOPBACK)):
        ingest(rastrum, source, collection, tmp_path / "store", *options)
        ingest(rastrum, source, collection + "v", tmp_path / "store", "--virtual", *options)
    http = serve(tmp_path / "store", *LOOPBACK)
    values = [http.get("/api/timeseries", params={"collection": name, "variable": "wind", "lon": 30, "lat": 20}).json()["values"]
              for name in ("c", "l", "lv", "r", "rv", "u", "uv")]
    assert all(one == values[0] for one in values) and len(values[0]) == 6
    listed = json.loads(next((tmp_path / "store" / "rv").rglob("refs.json")).read_text())["refs"]
    assert listed["wind/0.0.0"][0] == far.url + "/a.nc"


def test_references_stay_below_their_own(rastrum, tmp_path, far):
    """Other servers, folders and schemes are refused, unless a root is configured; no byte of them is read."""
    path = make(tmp_path / "far" / "a.nc", "in-time", records=False, fill=None)
    make(tmp_path / "b.nc", "in-time", records=False, fill=None)
    (tmp_path / "far" / "sub").mkdir()
    targets = (f"{far.url}/a.nc", f"{far.url}/sub/../a.nc", f"{far.url}/sub/%2e%2e/a.nc", "../a.nc", "http://127.0.0.1:1/sub/a.nc", str(path),
               f"file://{path}", "s3://b/sub/a.nc")
    for target in targets:
        (tmp_path / "far" / "sub" / "r.json").write_text(references(path, target))
        far.seen.clear()
        for options in ((), ("--virtual",)):
            said = ingest(rastrum, f"{far.url}/sub/r.json", "c", tmp_path / "store", *LOOPBACK, *options, code=1).stderr
            assert "only files in the folder" in said, said
        assert {path for path, _ in far.seen} <= {"/sub/r.json"}, far.seen
    (tmp_path / "far" / "sub" / "r.json").write_text(references(path, f"{far.url}/a.nc"))
    ingest(rastrum, f"{far.url}/sub/r.json", "c", tmp_path / "store", *LOOPBACK, "--source-roots", far.url + "/")
    (tmp_path / "l.json").write_text(references(path, str(path)))
    ingest(rastrum, tmp_path / "far" / "sub" / "r.json", "d", tmp_path / "store", *LOOPBACK, code=1)
    (tmp_path / "far" / "sub" / "l.json").write_text(references(tmp_path / "b.nc", str(tmp_path / "b.nc")))
    ingest(rastrum, tmp_path / "far" / "sub" / "l.json", "d", tmp_path / "store", code=1)
    ingest(rastrum, tmp_path / "far" / "sub" / "l.json", "d", tmp_path / "store", "--source-roots", tmp_path)


def test_sources_by_url(rastrum, tmp_path, far):
    """NetCDF, Zarr with consolidated metadata and archives: the same arrays as of the file, and the same dataset."""
    path = make(tmp_path / "far" / "a.nc")
    with xarray.open_dataset(path) as file:
        file.to_zarr(tmp_path / "far" / "two.zarr", zarr_format=2)
        file.to_zarr(tmp_path / "far" / "three.zarr", zarr_format=3)
        file.to_zarr(tmp_path / "far" / "bare.zarr", zarr_format=3, consolidated=False)
    shutil.make_archive(str(tmp_path / "far" / "z"), "zip", tmp_path / "far" / "two.zarr")

    def sums(place, *options):
        arrays = json.loads(rastrum("inspect", place, "--checksums", "--json", *options).stdout)["arrays"]
        return {array["path"]: array["sha256"] for array in arrays}
    for name in ("a.nc", "two.zarr", "three.zarr", "z.zip"):
        assert sums(f"{far.url}/{name}", *LOOPBACK) == sums(tmp_path / "far" / name), name
    said = ingest(rastrum, f"{far.url}/bare.zarr", "c", tmp_path / "store", *LOOPBACK, code=1).stderr
    assert "has no consolidated metadata" in said
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for name in ("a.nc", "two.zarr", "z.zip"):
        published = ingest(rastrum, f"{far.url}/{name}?token=secret", "c", tmp_path / "store", *LOOPBACK, "--scratch", scratch)
        assert "secret" not in published.stderr
    assert not list(scratch.iterdir())
    assert "made of" in ingest(rastrum, path, "c", tmp_path / "store", code=1).stderr
    assert "larger than" in ingest(rastrum, f"{far.url}/a.nc", "d", tmp_path / "store", *LOOPBACK, "--source-size", "1K", code=1).stderr
    assert "no such file" in ingest(rastrum, f"{far.url}/none.nc", "d", tmp_path / "store", *LOOPBACK, code=1).stderr
    far.seen.clear()
    assert "fetch_allow" in ingest(rastrum, f"{far.url}/a.nc", "d", tmp_path / "store", code=1).stderr
    assert not far.seen


def get(http, seed):
    return http.get("/api/timeseries", params={"collection": "v", "variable": "wind", "lon": 10 + 20 * seed, "lat": 20})


def test_a_far_file(rastrum, serve, tmp_path, far):
    """Served by ranges; the same chunk is fetched once for many; what its server does wrong is 502, 504 or 409, never a value."""
    path = make(tmp_path / "far" / "a.nc", "in-time")
    ingest(rastrum, f"{far.url}/a.nc", "v", tmp_path / "store", "--virtual", *LOOPBACK)
    ingest(rastrum, path, "c", tmp_path / "store", "--variables", "t2m,wind")
    http = serve(tmp_path / "store", *LOOPBACK, "--source-timeout", "1s")
    far.seen.clear()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        many = list(pool.map(lambda _: get(http, 1).json()["values"], range(8)))
    assert all(one == many[0] for one in many)
    ranges = [asked for name, asked in far.seen if name == "/a.nc"]
    assert ranges and len(ranges) == len(set(ranges)), "each range is fetched once"
    assert same(answers(http, "v"), answers(http, "c"))
    fresh = serve(tmp_path / "store", *LOOPBACK, "--source-timeout", "1s")
    for how, status, why in (("longer", 502, "more bytes"), ("other", 502, "other bytes"), ("whole", 400, "no byte ranges"), ("tag", 409, "changed"),
                             ("gone", 409, "removed"), ("error", 502, "answered 500"), ("away", 403, "fetch_allow"), ("hang", 504, "in time")):
        far.how = how
        answer = get(fresh, 5)
        assert answer.status_code == status and why in answer.json()["detail"], (how, answer.text)
    far.how = None
    wait_for(lambda: get(fresh, 5).status_code == 200, what="the server is asked again")
    assert get(fresh, 5).json()["values"] == http.get("/api/timeseries", params={
        "collection": "c", "variable": "wind", "lon": 110, "lat": 20}).json()["values"]
    refused = serve(tmp_path / "store")
    assert get(refused, 1).status_code == 403


def test_others_do_not_wait_for_it(rastrum, serve, tmp_path, far):
    """A server that hangs holds the threads for other servers, and nobody else's."""
    path = make(tmp_path / "far" / "a.nc", "in-time")
    ingest(rastrum, f"{far.url}/a.nc", "v", tmp_path / "store", "--virtual", *LOOPBACK)
    ingest(rastrum, path, "c", tmp_path / "store")
    http = serve(tmp_path / "store", *LOOPBACK, "--threads", "1", "--source-timeout", "30s")
    far.how = "hang"
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        waiting = [pool.submit(get, http, seed) for seed in range(12)]
        assert far.waiting.acquire(timeout=30)
        for lon in range(10, 350, 20):
            answer = http.get("/api/timeseries", params={"collection": "c", "variable": "wind", "lon": lon, "lat": 20}, timeout=20)
            assert answer.status_code == 200
            assert http.get("/tiles/c/0/0/0.png", timeout=20).status_code == 200
        assert not any(one.done() for one in waiting)
        far.how = None
        far.release.set()
        assert all(one.result().status_code == 200 for one in waiting)
