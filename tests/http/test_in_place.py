"""Zarr stores that stay where they are: series, maps, points and objects are the source's own, as xarray reads it."""
import io
import json
import math
import os
import re
import shutil
import subprocess
import zipfile

import httpx
import numpy as np
import pytest
import rasterio
import xarray
from server import Server
from test_sources import ingest, weather

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def serve(binary, tmp_path):
    servers = []

    def start(store, *options):
        servers.append(Server(binary, store, tmp_path / "server.log", options))
        return httpx.Client(base_url=servers[-1].url, timeout=60)
    yield start
    for server in servers:
        server.stop()


def zipped(path, method):
    """The store as an archive; metadata deflated always, so that both kinds of members are in it."""
    target = path.with_suffix(".zip")
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(path.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(path), zipfile.ZIP_DEFLATED if file.name[0] == "." else method)
    shutil.rmtree(path)
    return target


FORMS = {
    "v2": ({"zarr_format": 2}, {"chunks": (5, 9, 36)}),
    "v2-packed": ({"zarr_format": 2}, {"dtype": "i2", "scale_factor": 0.01, "add_offset": 280.0, "_FillValue": -32768, "chunks": (1, 17, 36)}),
    "v2-apart": ({"zarr_format": 2, "consolidated": False}, {"chunks": (10, 4, 5)}),
    "v3": ({"zarr_format": 3}, {"chunks": (3, 17, 36)}),
    "v3-sharded": ({"zarr_format": 3}, {"chunks": (5, 9, 12), "shards": (10, 18, 36)}),
    "v3-apart": ({"zarr_format": 3, "consolidated": False}, {"chunks": (10, 17, 7)}),
    "zip-stored": ({"zarr_format": 2}, {"chunks": (5, 9, 36)}),
    "zip-deflated": ({"zarr_format": 3}, {"chunks": (5, 9, 36), "compressors": ()}),
}


def make(tmp_path, form):
    """The store, and what xarray reads of it."""
    path, (options, encoding) = tmp_path / "w.zarr", FORMS[form]
    weather().to_zarr(path, encoding={"t2m": encoding}, **options)
    expected = xarray.open_zarr(path, consolidated=options.get("consolidated")).load()
    if form.startswith("zip"):
        path = zipped(path, zipfile.ZIP_STORED if form == "zip-stored" else zipfile.ZIP_DEFLATED)
    return path, expected


def objects(folder):
    """What lies in a store, but the catalog."""
    return {str(file.relative_to(folder)): file.stat().st_size for file in folder.rglob("*") if file.is_file() and "catalog" not in file.name}


def state(path):
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return [(str(file), file.stat().st_mtime_ns, file.read_bytes()) for file in files]


def series(http, variable="t2m", **query):
    answer = http.get("/api/timeseries", params={"collection": "c", "variable": variable, **query})
    assert answer.status_code == 200, answer.text
    return np.array([np.nan if value is None else value for value in answer.json()["values"]])


@pytest.mark.parametrize("form", FORMS)
def test_a_store_in_place(binary, tmp_path, serve, form):
    path, expected = make(tmp_path, form)
    before, store = state(path), tmp_path / "store"
    published = [event for event in ingest(binary, path, store) if event["event"] == "published"][0]
    held = objects(store)
    assert not [name for name in held if "data.zarr" in name], "no array is copied"
    assert len([name for name in held if name.endswith(".tif")]) == 10, "one map a step"
    http = serve(store)
    for lon, lat in ((20, 40), (-170, -80), (40, 50)):
        wanted = expected["t2m"].sel(lon=lon % 360, lat=lat).values
        assert np.allclose(series(http, lon=lon, lat=lat), wanted, rtol=1e-6, equal_nan=True)
    item = http.get("/stac/collections/c/items").json()["features"][0]
    href = item["assets"]["zarr"]["href"]
    assert href.endswith(f"/{published['version']}/source")
    assert item["assets"]["zarr"]["zarr:zarr_format"] == FORMS[form][0]["zarr_format"]
    served = xarray.open_zarr(href, consolidated=True).load()
    assert served["t2m"].identical(expected["t2m"])
    point = http.get(f"/collections/c/items/{item['id']}/point/20,40").json()
    wanted = expected["t2m"].sel(lon=20, lat=40, time=item["properties"]["datetime"].rstrip("Z")).values
    assert np.allclose(point["values"], wanted, rtol=1e-6)
    collection = http.get("/stac/collections/c").json()
    assert href in [link["href"] for link in collection["links"] if link["rel"] == "store"]
    assert [event["event"] for event in ingest(binary, path, store)][-1] == "unchanged"
    subprocess.run([binary, "catalog", "remove", "c", "w", "--store", str(store)], check=True, capture_output=True, timeout=60)
    subprocess.run([binary, "catalog", "gc", "--grace", "0s", "--store", str(store)], check=True, capture_output=True, timeout=60)
    assert not objects(store), "nothing of the dataset is left"
    assert state(path) == before, "the source is as it was"


def test_a_copy_where_it_is_asked_for(binary, tmp_path):
    path, _ = make(tmp_path, "v2")
    ingest(binary, path, tmp_path / "store", "--copy")
    assert list((tmp_path / "store").rglob("data.zarr"))
    assert "a copy was asked for" in ingest(binary, path, tmp_path / "other", "--copy", "--in-place", code=1)


@pytest.mark.parametrize("why", ("link", "name"))
def test_what_cannot_be_served_where_it_is_is_copied(binary, tmp_path, serve, why):
    path, expected = make(tmp_path, "v2")
    name = "t2m" if why == "link" else "2 m temperature"
    if why == "link":
        chunk = next(file for file in sorted((path / "t2m").iterdir()) if file.name[0] != ".")
        chunk.rename(tmp_path / "elsewhere")
        chunk.symlink_to("../../elsewhere")
    else:
        shutil.rmtree(path)
        weather().rename(t2m=name).to_zarr(path, zarr_format=2)
    said = ingest(binary, path, tmp_path / "no", "--in-place", code=1)
    assert ("links" if why == "link" else "name of an array") in said
    if why == "link":
        assert "leads out" in ingest(binary, path, tmp_path / "store", code=1)
        return
    plan = [event for event in ingest(binary, path, tmp_path / "store", "--dry-run") if event["event"] == "planned"][0]["plan"]["plan"]
    assert plan["in_place"] is False and "name of an array" in plan["copied"]


def chunks_of(path, array="t2m"):
    return sorted(file for file in (path / array).rglob("*") if file.is_file() and not file.name.startswith((".z", "zarr.json")))


@pytest.mark.parametrize("how", ("rewritten", "removed", "metadata", "added"))
def test_a_store_that_was_changed_gives_no_wrong_values(binary, tmp_path, serve, how):
    path, store = tmp_path / "w.zarr", tmp_path / "store"
    data = weather()
    data["t2m"][0, :9] = np.nan  # its chunk is not stored
    data.to_zarr(path, zarr_format=2, encoding={"t2m": {"chunks": (1, 9, 36), "write_empty_chunks": False}})
    chunks = chunks_of(path)
    assert len(chunks) == 19
    ingest(binary, path, store)
    http = serve(store)
    query = {"collection": "c", "variable": "t2m", "lon": 20, "lat": 40}
    if how == "rewritten":
        shutil.copyfile(chunks[2], chunks[1])
        os.utime(chunks[1], ns=(1, 1))
    elif how == "removed":
        (path / "t2m" / "3.0.0").unlink()
    elif how == "metadata":
        told = json.loads((path / "t2m" / ".zarray").read_text())
        told["shape"][0] = 11
        (path / "t2m" / ".zarray").write_text(json.dumps(told))
    else:
        shutil.copyfile(chunks[1], path / "t2m" / "0.0.0")
    base = http.get("/stac/collections/c/items").json()["features"][0]["assets"]["zarr"]["href"]
    touched = {"rewritten": chunks[1].name, "removed": "3.0.0", "metadata": ".zarray", "added": "0.0.0"}[how]
    assert http.get(f"{base}/t2m/{touched}").status_code == 409
    answer = http.get("/api/timeseries", params=query)
    assert answer.status_code == 409 and "ingest it again" in answer.json()["detail"], answer.text
    if how == "metadata":
        return
    expected = xarray.open_zarr(path, consolidated=True)["t2m"].sel(lon=20, lat=40).values
    events = ingest(binary, path, store)
    assert events[-1]["event"] == "published"
    assert np.allclose(series(http, lon=20, lat=40), expected, equal_nan=True)


def test_an_archive_that_was_touched(binary, tmp_path, serve):
    """The same bytes at another time are another source to the server, and to the next ingest as well."""
    path, expected = make(tmp_path, "zip-stored")
    store = tmp_path / "store"
    ingest(binary, path, store)
    os.utime(path, ns=(10**18, 10**18))
    http = serve(store)
    assert http.get("/api/timeseries", params={"collection": "c", "lon": 20, "lat": 40}).status_code == 409
    assert ingest(binary, path, store)[-1]["event"] == "published"
    assert np.allclose(series(http, lon=20, lat=40), expected["t2m"].sel(lon=20, lat=40).values)


def test_only_the_source_can_be_reached(binary, tmp_path, serve):
    path, _ = make(tmp_path, "v2")
    (tmp_path / "secret").write_text("secret")
    ingest(binary, path, tmp_path / "store")
    (path / "late").symlink_to("../secret")
    (path / "new").write_text("unlisted")
    http = serve(tmp_path / "store")
    base = http.get("/stac/collections/c/items").json()["features"][0]["assets"]["zarr"]["href"]
    for key in ("late", "new", "../source.pointer", "%2e%2e/source.list", "../../../../secret", "t2m", "", "t2m/../../secret"):
        answer = http.get(f"{base}/{key}")
        assert answer.status_code in (400, 404, 409) and "secret" not in answer.text.split('"detail"')[0], key


# ---- pyramids

def field(rows, columns, south_up=False, west=-180.0):
    """Even cells of the whole Earth, two steps and two levels of height, a gap in them."""
    lat = 90 - (np.arange(rows) + 0.5) * 180 / rows
    lon = west + (np.arange(columns) + 0.5) * 360 / columns
    y, x = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    cells = np.stack([np.stack([(y * 1000 + x + 7 * t + 3 * z).astype("f4") for z in range(2)]) for t in range(2)])
    cells[..., rows // 4, columns // 4:columns // 4 + columns // 8] = np.nan
    if south_up:
        lat, cells = lat[::-1], cells[:, :, ::-1]
    return xarray.Dataset({"v": (("time", "height", "lat", "lon"), cells, {"units": "1"})},
                          {"time": np.array(["2020-01-01", "2020-01-02"], "M8[ns]"), "height": ("height", [2.0, 10.0], {"units": "m", "positive": "up"}),
                           "lat": ("lat", lat, {"units": "degrees_north"}), "lon": ("lon", lon, {"units": "degrees_east"})})


def halved(data):
    half = data.coarsen(lat=2, lon=2, boundary="trim").mean()
    for name in ("lat", "lon", "v"):
        half[name].attrs = data[name].attrs
    return half


def multiscales(form, names):
    if form == "datasets":
        return {"multiscales": [{"datasets": [{"path": name} for name in names], "type": "reduce"}]}
    if form == "matrices":
        return {"multiscales": {"tile_matrix_set": {"tileMatrices": [{"id": name} for name in names]}}}
    layout = [{"asset": name, **({"derived_from": names[i - 1], "transform": {"scale": [2.0, 2.0]}} if i else {})} for i, name in enumerate(names)]
    return {"zarr_conventions": [{"uuid": "d35379db-88df-4056-af3a-620245f8e347", "name": "multiscales"}], "multiscales": {"layout": layout}}


def pyramid(path, data, form="layout", count=4, zarr_format=3, chunks=(1, 1, 64, 64), names="0123", **encoding):
    level = data
    for i in range(count):
        shape = [min(a, b) for a, b in zip(chunks, level["v"].shape)]
        level.to_zarr(path, group=names[i], mode="a", zarr_format=zarr_format, consolidated=False, encoding={"v": {"chunks": shape, **encoding}})
        level = halved(level)
    attributes = multiscales(form, list(names[:count]))
    if zarr_format == 2:
        (path / ".zattrs").write_text(json.dumps(attributes))
        return
    root = json.loads((path / "zarr.json").read_text())
    root["attributes"] = attributes
    (path / "zarr.json").write_text(json.dumps(root))


def tile_values(http, item, variable, z, x, y, **query):
    answer = http.get(f"/tiles/c/{z}/{x}/{y}.npy", params={"item": item, "variable": variable, "return_mask": "false", **query})
    assert answer.status_code == 200, answer.text
    return np.load(io.BytesIO(answer.content))


def copied(binary, path, tmp_path, serve):
    ingest(binary, path, tmp_path / "copy", "--copy")
    return serve(tmp_path / "copy")


TILES = ((0, 0, 0), (1, 1, 0), (2, 1, 1), (3, 5, 2), (4, 2, 9))


@pytest.mark.parametrize("form, south_up, west, zarr_format", (
    ("layout", False, -180.0, 3), ("datasets", True, -180.0, 2), ("layout", False, 0.0, 3), ("matrices", True, 0.0, 2)))
def test_maps_of_a_pyramid(binary, tmp_path, serve, form, south_up, west, zarr_format):
    """The same pixels as of the COGs that a copy has, whose overviews are the same means."""
    path, store = tmp_path / "p.zarr", tmp_path / "store"
    data = field(256, 512, south_up, west)
    pyramid(path, data, form, zarr_format=zarr_format)
    published = [event for event in ingest(binary, path, store) if event["event"] == "published"][0]
    assert published["variables"] == ["0/v"]
    assert not list(store.rglob("*.tif")), "the maps are made of the source"
    http, other = serve(store), copied(binary, path, tmp_path, serve)
    items = http.get("/stac/collections/c/items").json()["features"]
    asset = items[0]["assets"]["0/v"]
    assert asset["href"].endswith("/source/0/v") and asset["zarr:zarr_format"] == zarr_format
    item = sorted(each["id"] for each in items)[1]
    for z, x, y in TILES:
        for query in ({}, {"bidx": 2}, {"resampling": "bilinear"}, {"nodata": 100250.0}):
            mine, theirs = (tile_values(client, item, "0/v", z, x, y, **query) for client in (http, other))
            assert np.allclose(mine, theirs, rtol=1e-6, equal_nan=True), (z, x, y, query)
            assert mine.shape == theirs.shape and not np.isnan(mine).all()
    own = data["v"].isel(time=1)
    for lon, lat in ((20.3, 40.2), (-170.1, -80.7), (-64.9, 45.1), (0.0, 0.1)):
        near = own.sel(lon=lon if west < 0 else lon % 360, lat=lat, method="nearest").values
        point = http.get(f"/collections/c/items/{item}/point/{lon},{lat}", params={"assets": "0/v"}).json()
        assert np.allclose([math.nan if v is None else v for v in point["values"]], near, equal_nan=True)
    wanted = data["v"].sel(lon=20.3, lat=40.2, method="nearest").isel(height=0).values
    assert np.allclose(series(http, "0/v", lon=20.3, lat=40.2, level=2.0), wanted)


def test_packed_cells_of_a_pyramid(binary, tmp_path, serve):
    path, store = tmp_path / "p.zarr", tmp_path / "store"
    data = field(128, 256) / 50
    pyramid(path, data, dtype="i4", scale_factor=0.5, add_offset=10.0, _FillValue=-9)
    ingest(binary, path, store)
    assert not list(store.rglob("*.tif"))
    http, other = serve(store), copied(binary, path, tmp_path, serve)
    item = http.get("/stac/collections/c/items").json()["features"][0]["id"]
    for z, x, y in ((2, 1, 1), (3, 5, 2)):  # the array itself: its overviews round the packed means otherwise
        for query in ({}, {"unscale": "false"}):
            mine, theirs = (tile_values(client, item, "0/v", z, x, y, **query) for client in (http, other))
            assert np.allclose(mine, theirs, rtol=1e-6, equal_nan=True)


@pytest.mark.parametrize("why", ("subsampled", "packing", "shape", "uneven"))
def test_levels_that_are_not_sure_make_no_maps(binary, tmp_path, serve, why):
    """A level that lies elsewhere, or means other numbers, is not used: the maps are COGs."""
    path, store = tmp_path / "p.zarr", tmp_path / "store"
    data = field(64, 128)
    coarse = data.isel(lat=slice(None, None, 2), lon=slice(None, None, 2)) if why == "subsampled" else halved(data)
    fine = {"dtype": "f4"}
    other = {"dtype": "f4"}
    if why == "packing":
        fine, other = ({"dtype": "i4", "scale_factor": scale, "_FillValue": -9} for scale in (0.5, 0.25))
    if why == "shape":
        coarse = coarse.isel(time=[0])
    if why == "uneven":
        coarse = coarse.assign_coords(lat=coarse["lat"] + np.sin(np.linspace(0, 3, 32)))
    data.to_zarr(path, group="0", zarr_format=3, consolidated=False, encoding={"v": fine})
    coarse.to_zarr(path, group="1", mode="a", zarr_format=3, consolidated=False, encoding={"v": other})
    root = json.loads((path / "zarr.json").read_text())
    root["attributes"] = multiscales("layout", ["0", "1"])
    (path / "zarr.json").write_text(json.dumps(root))
    ingest(binary, path, store)
    assert len(list(store.rglob("*.tif"))) == 2 and not list(store.rglob("data.zarr"))
    http = serve(store)
    assert np.allclose(series(http, "0/v", lon=20, lat=40, level=2.0),
                       data["v"].sel(lon=20, lat=40, method="nearest").isel(height=0).values)


def test_the_finest_level_is_the_data(binary, tmp_path):
    """Also where the coarsest is listed first, as ndpyramid does."""
    path = tmp_path / "p.zarr"
    pyramid(path, field(64, 128), "datasets", count=3, names="210")
    published = [event for event in ingest(binary, path, tmp_path / "store") if event["event"] == "published"][0]
    assert published["variables"] == ["2/v"] and not list((tmp_path / "store").rglob("*.tif"))


def test_dear_series_are_refused_by_their_price(binary, tmp_path, serve):
    """Chunks of whole maps cost a series all of them; the limit says so before anything is read."""
    path, store = tmp_path / "w.zarr", tmp_path / "store"
    data = field(200, 400).isel(time=[0] * 40, height=0, drop=True)
    data = data.assign_coords(time=np.arange(40).astype("M8[D]").astype("M8[ns]"))
    data.to_zarr(path, zarr_format=2, encoding={"v": {"chunks": (1, 200, 400)}})
    ingest(binary, path, store)
    query = {"lon": 20, "lat": 40, "variable": "v"}
    wanted = data["v"].sel(lon=20, lat=40, method="nearest").values
    http = serve(store)
    assert np.allclose(series(http, **query), wanted)
    assert re.search(r'rastrum_lane_jobs_total\{[^}]*lane="heavy"[^}]*\} 1\n', http.get("/metrics").text)
    http = serve(store, "--request-bytes", "4M")
    answer = http.get("/api/timeseries", params={"collection": "c", **query})
    assert answer.status_code == 413 and "40 chunks of 12800000 bytes" in answer.json()["detail"], answer.text
    assert np.allclose(series(http, datetime="1970-01-01/1970-01-10", **query),
                       wanted[:10])


def test_inspect_and_the_dry_run_say_it(binary, tmp_path):
    path = tmp_path / "p.zarr"
    pyramid(path, field(64, 128), count=2)
    done = subprocess.run([binary, "inspect", str(path), "--json"], capture_output=True, text=True, check=True)
    plan = json.loads(done.stdout)
    assert plan["plan"]["in_place"] is True and plan["plan"]["copied"] is None and plan["plan"]["cogs"] == 0
    assert "stays" in subprocess.run([binary, "inspect", str(path)], capture_output=True, text=True, check=True).stdout
    event = [event for event in ingest(binary, path, tmp_path / "store", "--dry-run") if event["event"] == "planned"][0]
    assert event["plan"]["plan"]["estimate"]["bytes"] < 10_000 and "stays" in event["text"]
    assert not (tmp_path / "store").exists() or not objects(tmp_path / "store")


def test_maps_of_a_store_that_was_changed(binary, tmp_path, serve):
    path, store = tmp_path / "p.zarr", tmp_path / "store"
    pyramid(path, field(128, 256), count=3)
    ingest(binary, path, store)
    http = serve(store)
    item = http.get("/stac/collections/c/items").json()["features"][0]["id"]
    for level in "012":
        for chunk in chunks_of(path / level, "v"):
            chunk.write_bytes(chunk.read_bytes())
    answer = http.get("/tiles/c/1/0/0.npy", params={"item": item, "variable": "0/v"})
    assert answer.status_code == 409, answer.text


def test_days_in_place_are_left_out_of_segments(binary, tmp_path, serve):
    """A series goes through the stores themselves; what compaction joins is what was copied."""
    store, data = tmp_path / "store", weather()
    for day in range(4):
        part = data.isel(time=[day])
        path = tmp_path / f"day{day}.zarr"
        part.to_zarr(path, zarr_format=3)
        ingest(binary, path, store, *(("--copy",) if day == 1 else ()))
    subprocess.run([binary, "compact", "c", "--store", str(store)], check=True, capture_output=True, timeout=60)
    http = serve(store)
    assert np.allclose(series(http, lon=20, lat=40), data["t2m"].sel(lon=20, lat=40).isel(time=slice(0, 4)).values)
    assert not (store / "c" / "segments").exists()


def test_with_rasterio(binary, tmp_path):
    """The maps of a store without a pyramid are the COGs of any ingest."""
    path, expected = make(tmp_path, "v3")
    ingest(binary, path, tmp_path / "store")
    first = sorted((tmp_path / "store").rglob("*.tif"))[0]
    with rasterio.open(first) as d:
        cells = np.roll(expected["t2m"].isel(time=0).values, 18, axis=1)
        assert np.array_equal(d.read(1), cells, equal_nan=True)
