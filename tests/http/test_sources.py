"""GeoTIFFs and Zarr stores as sources: in place, or converted."""
import http.server
import io
import json
import math
import os
import subprocess
import threading

import httpx
import numpy as np
import pytest
import rasterio
import rasterio.warp
import xarray
from rasterio.transform import from_origin
from server import Server

PLACE = from_origin(500_000, 5_600_000, 1000, 1000)


def ingest(binary, path, store, *options, code=0):
    done = subprocess.run([binary, "ingest", str(path), "--collection", "c", "--store", str(store), "--json", *map(str, options)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()] if code == 0 else done.stderr


def image(path, dtype="int16", crs="EPSG:32632", transform=PLACE, cells=None, **options):
    if cells is None:
        cells = (np.arange(300 * 400).reshape(300, 400) % 251).astype(dtype)
    bands = cells.reshape(-1, 300, 400)
    with rasterio.open(path, "w", driver="GTiff", width=400, height=300, count=len(bands), dtype=dtype, crs=crs, transform=transform, nodata=7,
                       tiled=True, blockxsize=128, blockysize=128, compress="deflate", **options) as d:
        d.write(bands)
    with rasterio.open(path, "r+") as d:
        d.build_overviews([2], rasterio.enums.Resampling.nearest)
    return cells


@pytest.fixture
def serve(binary, tmp_path):
    servers = []

    def start(store):
        servers.append(Server(binary, store, log=tmp_path / "server.log"))
        return servers[-1]
    yield start
    for server in servers:
        server.stop()


def bytes_below(folder):
    return sum(os.path.getsize(os.path.join(base, name)) for base, _, names in os.walk(folder) for name in names if name != "catalog.db")


def test_a_cog_in_place(binary, tmp_path, serve):
    path, store = tmp_path / "a b.tif", tmp_path / "store"
    cells = image(path)
    ingest(binary, path, store, "--in-place", "--datetime", "2020-01-01T00:00:00Z", "--dataset", "x")
    assert not list(store.rglob("*.tif")) and not list(store.rglob("*.zarr")), "nothing is copied"
    server = serve(store)
    with httpx.Client(base_url=server.url, timeout=30) as http:
        item = http.get("/stac/collections/c/items").json()["features"][0]
        assert set(item["assets"]) == {"data"}
        href = item["assets"]["data"]["href"]
        assert http.get(href).content == path.read_bytes()
        assert http.get(href, headers={"Range": "bytes=4-9"}).content == path.read_bytes()[4:10]
        with rasterio.open(path) as d:
            for row, col in ((0, 0), (0, 7), (299, 399), (17, 250)):
                lon, lat = rasterio.warp.transform(d.crs, "EPSG:4326", [d.xy(row, col)[0]], [d.xy(row, col)[1]])
                answer = http.get(f"/collections/c/items/{item['id']}/point/{lon[0]},{lat[0]}").json()
                assert answer["values"] == [None if cells[row, col] == 7 else cells[row, col]]
        for climbing in ("source/../source.pointer", "source.pointer", "source/"):
            answer = http.get(f"{href.rsplit('/source/', 1)[0]}/{climbing}")
            assert answer.status_code in (400, 404), climbing


def test_series_of_cogs_in_place(binary, tmp_path, serve):
    """Values along the dates of many images: of their cells as GDAL reads them, or bilinear between four."""
    store, days = tmp_path / "store", {}
    for day in (3, 1, 2):
        path = tmp_path / f"t_2020010{day}.tif"
        days[day] = image(path, cells=np.random.default_rng(day).integers(0, 12, (2, 300, 400)).astype("int16"))
        ingest(binary, path, store, "--in-place", "--datetime", "t_%Y%m%d")
    server = serve(store)
    with httpx.Client(base_url=server.url, timeout=30) as http, rasterio.open(tmp_path / "t_20200101.tif") as d:
        for row, col in ((0, 0), (255, 256), (299, 399)):
            x, y = d.xy(row, col)
            lon, lat = rasterio.warp.transform(d.crs, "EPSG:4326", [x], [y])
            for band in (0, 1):
                said = http.get("/api/timeseries", params={"collection": "c", "lon": lon[0], "lat": lat[0], "sel": f"band={band}"}).json()
                assert said["timestamps"] == [f"2020-01-0{day}T00:00:00Z" for day in (1, 2, 3)]
                cells = [days[day][band, row, col] for day in (1, 2, 3)]
                assert said["values"] == [None if cell == 7 else cell for cell in cells]
        x, y = d.xy(100, 100, offset="lr")  # between four cells
        lon, lat = rasterio.warp.transform(d.crs, "EPSG:4326", [x], [y])
        said = http.get("/api/timeseries", params={"collection": "c", "lon": lon[0], "lat": lat[0], "method": "bilinear"}).json()
        for day, value in zip((1, 2, 3), said["values"]):
            four = days[day][0, 100:102, 100:102].astype("f8")
            assert value == pytest.approx(four[four != 7].mean(), rel=1e-6)


def test_a_cog_that_was_changed_is_not_served(binary, tmp_path, serve):
    path, store = tmp_path / "a.tif", tmp_path / "store"
    image(path)
    ingest(binary, path, store, "--in-place")
    server = serve(store)
    with httpx.Client(base_url=server.url, timeout=30) as http:
        href = http.get("/stac/collections/c/items").json()["features"][0]["assets"]["data"]["href"]
        image(path, dtype="float32")
        os.utime(path, ns=(1, 1))
        answer = http.get(href)
        assert answer.status_code >= 400 and "ingest it again" in answer.json()["detail"]
        ingest(binary, path, store, "--in-place")
        href = http.get("/stac/collections/c/items").json()["features"][0]["assets"]["data"]["href"]
        assert http.get(href).content == path.read_bytes()


@pytest.mark.parametrize("turn", (20, 90, 200))
def test_rows_along_no_axis(binary, tmp_path, serve, turn):
    """What is never converted: an image that lies askew in its CRS. Each pixel is found where GDAL puts it, in tiles too."""
    path, store = tmp_path / "t.tif", tmp_path / "store"
    cells = image(path, transform=PLACE * rasterio.Affine.rotation(turn) * rasterio.Affine.shear(5))
    ingest(binary, path, store, "--in-place", "--datetime", "2020-01-01T00:00:00Z", "--dataset", "x")
    server = serve(store)
    with httpx.Client(base_url=server.url, timeout=30) as http, rasterio.open(path) as d:
        item = http.get("/stac/collections/c/items").json()["features"][0]
        assert item["properties"]["proj:transform"] == pytest.approx(list(d.transform)[:6])
        for row, col in ((1, 1), (0, 8), (299, 398), (17, 250)):
            (lon,), (lat,) = rasterio.warp.transform(d.crs, "EPSG:4326", *([v] for v in d.xy(row, col)))
            assert http.get(f"/collections/c/items/{item['id']}/point/{lon},{lat}").json()["values"] == [cells[row, col]]
            series = http.get("/api/timeseries", params={"collection": "c", "lon": lon, "lat": lat}).json()
            assert series["values"] == [cells[row, col]]
            zoom = 12
            x, y = (lon + 180) / 360 * 2**zoom, (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * 2**zoom
            tile = np.load(io.BytesIO(http.get(f"/tiles/c/{zoom}/{int(x)}/{int(y)}.npy", params={"resampling": "nearest"}).content))
            assert tile[0, int(y % 1 * 256), int(x % 1 * 256)] == cells[row, col]


def test_what_cannot_be_served_as_it_lies_is_converted(binary, tmp_path):
    for k, options in enumerate(({"transform": from_origin(0, 0, 0.5, -0.2), "crs": "EPSG:4326"}, {"BIGTIFF": "YES"})):
        path = tmp_path / f"{k}.tif"
        image(path, **options)
        ingest(binary, path, tmp_path / f"store{k}", "--in-place")
        assert len(list((tmp_path / f"store{k}").rglob("*.tif"))) == (1 if k == 0 else 0)


def test_a_plain_tiff_becomes_a_cog_and_a_series(binary, tmp_path, serve):
    path, store = tmp_path / "t.tif", tmp_path / "store"
    cells = image(path)
    ingest(binary, path, store, "--datetime", "2021-05-06T07:00:00Z")
    with rasterio.open(next(store.rglob("*.tif"))) as d, rasterio.open(path) as own:
        assert np.array_equal(d.read(1), cells) and d.transform == own.transform and d.crs == own.crs
    server = serve(store)
    with httpx.Client(base_url=server.url, timeout=30) as http, rasterio.open(path) as d:
        (x, y), = [d.xy(100, 200)]
        lon, lat = rasterio.warp.transform(d.crs, "EPSG:4326", [x], [y])
        answer = http.get("/api/timeseries", params={"collection": "c", "lon": lon[0], "lat": lat[0]}).json()
        assert answer["timestamps"] == ["2021-05-06T07:00:00Z"] and answer["values"] == [cells[100, 200]]


@pytest.mark.parametrize("options, why", [({"crs": None}, "names no CRS"), ({"transform": PLACE * rasterio.Affine.rotation(20)}, "do not run along")])
def test_tiffs_that_lie_nowhere(binary, tmp_path, options, why):
    path = tmp_path / "t.tif"
    image(path, **options)
    assert why in ingest(binary, path, tmp_path / "store", code=1)
    assert not list((tmp_path / "store").rglob("*.tif"))


def test_times_of_images(binary, tmp_path):
    """--datetime: a time, a pattern for the name, or the DateTime tag."""
    for name, option, wanted in (("a.tif", "2020-05-06", "2020-05-06T00:00:00Z"), ("s2_20210704T103000_x.tif", "%Y%m%dT%H%M%S", "2021-07-04T10:30:00Z"),
                                 ("NDVI-2019.tif", "%Y", "2019-01-01T00:00:00Z"), ("tagged.tif", "tag", "2018-02-03T04:05:06Z")):
        path = tmp_path / name
        image(path)
        with rasterio.open(path, "r+") as d:
            d.update_tags(TIFFTAG_DATETIME="2018:02:03 04:05:06")
        for place in ((), ("--in-place",)):
            store = tmp_path / f"store{name}{len(place)}"
            ingest(binary, path, store, "--datetime", option, *place)
            done = subprocess.run([binary, "catalog", "show", "c", "--store", str(store), "--json"], capture_output=True, text=True, check=True)
            assert wanted in done.stdout.replace(".000Z", "Z"), done.stdout
    image(tmp_path / "bare.tif")
    for option, why in (("%Y%m%d", "no part of its name"), ("tag", "no DateTime tag")):
        assert why in ingest(binary, tmp_path / "bare.tif", tmp_path / "store", "--datetime", option, code=1)


def test_in_place_is_for_tiffs(binary, tmp_path):
    xarray.Dataset({"t": ("x", [1.0])}).to_netcdf(tmp_path / "a.nc")
    assert "a.nc" in ingest(binary, tmp_path / "a.nc", tmp_path / "store", "--in-place", code=1)


def weather():
    time = np.arange("2020-01-01", "2020-01-11", dtype="datetime64[D]")
    lat, lon = np.linspace(80, -80, 17), np.arange(0, 360, 10.0)
    cells = np.random.default_rng(1).normal(280, 10, (10, 17, 36)).astype("f4")
    cells[:, 3, 4] = np.nan
    return xarray.Dataset({"t2m": (("time", "lat", "lon"), cells, {"units": "K", "standard_name": "air_temperature"})},
                          {"time": time, "lat": ("lat", lat, {"units": "degrees_north"}), "lon": ("lon", lon, {"units": "degrees_east"})},
                          {"title": "made"})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ("v2", "v3", "sharded", "packed", "zip", "group"))
def test_zarr_stores(binary, tmp_path, serve, form):
    data, path, store = weather(), tmp_path / "w.zarr", tmp_path / "store"
    encoding = {"t2m": {"chunks": (5, 9, 36)}}
    options = {"zarr_format": 2 if form in ("v2", "packed") else 3}
    if form == "sharded":
        encoding = {"t2m": {"chunks": (5, 9, 12), "shards": (10, 18, 36)}}
    if form == "packed":
        encoding = {"t2m": {"dtype": "i2", "scale_factor": 0.01, "add_offset": 280.0, "_FillValue": -32768}}
    if form == "group":
        options["group"] = "run/one"
    data.to_zarr(path, encoding=encoding, **options)
    if form == "zip":
        subprocess.run(["python3", "-m", "zipfile", "-c", str(tmp_path / "w.zip"), *map(str, path.iterdir())], check=True, cwd=path)
        path = tmp_path / "w.zip"
    ingest(binary, path, store)
    name = "run/one/t2m" if form == "group" else "t2m"
    server = serve(store)
    with httpx.Client(base_url=server.url, timeout=30) as http:
        for lon, lat in ((20, 40), (-170, -80), (40, 50)):
            answer = http.get("/api/timeseries", params={"collection": "c", "variable": name, "lon": lon, "lat": lat}).json()
            wanted = data["t2m"].sel(lon=lon % 360, lat=lat).values
            got = np.array([np.nan if value is None else value for value in answer["values"]])
            assert np.allclose(got, wanted, atol=0.0051 if form == "packed" else 0, equal_nan=True)
            assert answer["timestamps"][0] == "2020-01-01T00:00:00Z" and len(answer["timestamps"]) == 10
    events = ingest(binary, path, store)
    assert "unchanged" in [event["event"] for event in events]


@pytest.mark.filterwarnings("ignore")
def test_of_a_pyramid_the_first_level_is_the_data(binary, tmp_path):
    data = weather()
    path = tmp_path / "p.zarr"
    for level, part in ((0, data), (1, data.isel(lat=slice(None, None, 2), lon=slice(None, None, 2)))):
        part.to_zarr(path, group=str(level), mode="a", zarr_format=2)
    attributes = {"multiscales": [{"datasets": [{"path": "0"}, {"path": "1"}]}]}
    (path / ".zattrs").write_text(json.dumps(attributes))
    (path / ".zmetadata").unlink(missing_ok=True)
    published = [event for event in ingest(binary, path, tmp_path / "store") if event["event"] == "published"][0]
    assert published["variables"] == ["0/t2m"]


@pytest.mark.filterwarnings("ignore")
def test_a_store_that_changes_while_it_is_read(binary, tmp_path):
    """Neither old nor new is published: a hook of the ingest waits until another program has written a chunk anew."""
    path, store = tmp_path / "w.zarr", tmp_path / "store"
    weather().to_zarr(path, zarr_format=2)
    chunk = next(file for file in sorted((path / "t2m").iterdir()) if file.name[0] != ".")

    class Writer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # pylint: disable=invalid-name
            chunk.write_bytes(chunk.read_bytes())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):  # pylint: disable=arguments-differ
            pass
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Writer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (tmp_path / "plugins").mkdir()
        (tmp_path / "plugins" / "waits.lua").write_text(f"""
local M = {{ name = "waits", api = 1 }}
M.hooks = {{ on_validate = function() rastrum.fetch("http://127.0.0.1:{server.server_port}/") end }}
return M
""")
        said = ingest(binary, path, store, "--plugins", tmp_path / "plugins", "--fetch-allow", "127.0.0.1", code=1)
        server.shutdown()
    assert "w.zarr: was changed while it was being read" in said
    assert not list(store.rglob("manifest.json")) and not list(store.rglob("*.tif"))
    ingest(binary, path, store)


@pytest.mark.filterwarnings("ignore")
def test_a_fill_value_beyond_int64(binary, tmp_path):
    """Names and attributes of such an array are kept."""
    cells = np.arange(17 * 36, dtype="u8").reshape(17, 36)
    data = weather().drop_vars(("t2m", "time")).assign(count=(("lat", "lon"), cells, {"units": "1"}))
    data.to_zarr(tmp_path / "w.zarr", zarr_format=3)
    meta = tmp_path / "w.zarr" / "count" / "zarr.json"
    told = json.loads(meta.read_text())
    told["fill_value"] = 2**64 - 1
    meta.write_text(json.dumps(told))
    ingest(binary, tmp_path / "w.zarr", tmp_path / "store", "--datetime", "2020-01-01")
    with rasterio.open(next((tmp_path / "store").rglob("*.tif"))) as d:
        assert set(d.read(1).ravel().tolist()) == set(range(17 * 36))
