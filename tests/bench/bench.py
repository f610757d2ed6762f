"""Side by side with the peers; see `run`. Prints one line a measurement: name, ours, theirs, ratio."""
import http.client, json, os, random, re, resource, shutil, socket, subprocess, sys, tempfile, time, urllib.parse, urllib.request

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BINARY = os.environ.get("RASTRUM_BIN", os.path.join(ROOT, "build/release/rastrum"))
BENCH_DECODE = os.path.join(ROOT, "build/release/tests/bench/bench_decode")
MAKE_DATA = os.path.join(ROOT, "build/release/examples/data/rastrum_demo_data")
SHARED = os.environ.get("RASTRUM_SHARED", os.path.join(ROOT, "..", "shared"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "6"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=60) as r:
        return r.read()


class Client:
    """One kept-alive connection, so that what is measured is the server."""

    def __init__(self, base):
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(base).netloc, timeout=60)

    def get(self, path):
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200: raise SystemExit("%s answered %d: %s" % (path, answer.status, body[:300]))
        return body


def wait_for(url, process, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit("a server ended at once: %s" % process.args)
        try:
            return get(url)
        except OSError:
            time.sleep(0.05)
    raise SystemExit("no answer from " + url)


def row(name, ours, theirs, unit, better="more"):
    ratio = ours / theirs if better == "more" else theirs / ours
    print("%-46s %12.1f %12.1f %-10s %7.1f x" % (name, ours, theirs, unit, ratio), flush=True)


def wrk(base, paths, connections=8):
    """Requests a second over `paths` in turn, for SECONDS, by wrk; every answer has to be a 200."""
    with tempfile.TemporaryDirectory() as d:
        script = os.path.join(d, "paths.lua")
        with open(script, "w") as f:
            f.write("local paths = {\n%s}\nlocal i = 0\n" % "".join("  %s,\n" % json.dumps(p) for p in paths))
            f.write("request = function() i = i % #paths + 1 return wrk.format('GET', paths[i]) end\n")
        out = subprocess.run(["wrk", "-t1", "-c%d" % connections, "-d%ds" % max(1, int(SECONDS)), "-s", script, base],
                             capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out:
        raise SystemExit("wrk saw answers other than 2xx at %s:\n%s" % (base, out))
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


class Ours:
    def __init__(self, store):
        self.process = subprocess.Popen([BINARY, "serve", "--listen", "127.0.0.1:0", "--store", store, "--log-level", "error"],
                                        stdout=subprocess.PIPE, text=True)
        self.base = self.process.stdout.readline().split("listening on ")[1].strip()

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Titiler:
    def __init__(self):
        port = free_port()
        self.base = "http://127.0.0.1:%d" % port
        self.process = subprocess.Popen([os.path.join(SHARED, "tools/clients/run_titiler.sh"), str(port), "2"],
                                        stderr=subprocess.DEVNULL, env=dict(os.environ))
        wait_for(self.base + "/ready", self.process)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def ingest(source, store, collection):
    t = time.monotonic()
    subprocess.run([BINARY, "ingest", source, "--store", store, "--collection", collection, "--json"], check=True,
                   stdout=subprocess.DEVNULL)
    return time.monotonic() - t


def first_cog(store, collection, variable):
    for root, _, names in os.walk(os.path.join(store, collection)):
        if os.path.basename(root) == variable:
            return os.path.join(root, sorted(names)[-1])
    raise SystemExit("no COG of %s in %s" % (variable, collection))


def tile_addresses(zooms):
    return [(z, x, y) for z in zooms for x in range(2 ** z) for y in range(2 ** z)]


def bench_tiles(store):
    random.seed(1)
    cog = first_cog(store, "weather", "air_temperature")
    wide = tile_addresses([2, 3])
    ours, theirs = Ours(store), Titiler()
    try:
        for method in ("nearest", "bilinear"):
            q = "variable=air_temperature&rescale=230,310&colormap_name=viridis&resampling=%s" % method
            a = ["/tiles/weather/%d/%d/%d.png?%s" % (*t, q) for t in wide]
            u = urllib.parse.quote(cog)
            b = ["/cog/tiles/WebMercatorQuad/%d/%d/%d.png?url=%s&rescale=230,310&colormap_name=viridis&resampling=%s&reproject=%s" %
                 (*t, u, method, method) for t in wide]
            for p in a: get(ours.base + p)
            for p in b[:16]: get(theirs.base + p)
            row("tiles, warm, %s, lat/lon" % method, wrk(ours.base, a), wrk(theirs.base, b), "tiles/s")
        cold_tiles(store, ours, theirs)
        projected_tiles(store, ours, theirs)
    finally:
        ours.stop()
        theirs.stop()


def cold_tiles(store, ours, theirs):
    """Every request another time step: header and blocks have not been read before (the page cache is warm for both)."""
    times = json.loads(get(ours.base + "/tiles/weather/times?variable=air_temperature"))["times"][:1200]
    folder = os.path.dirname(first_cog(store, "weather", "air_temperature"))
    files = sorted(os.listdir(folder))[:200]
    q = "rescale=230,310&colormap_name=viridis&resampling=bilinear"
    a = ["/tiles/weather/2/1/1.png?variable=air_temperature&datetime=%s&%s" % (t, q) for t in times]
    b = ["/cog/tiles/WebMercatorQuad/2/1/1.png?url=%s&%s&reproject=bilinear" % (urllib.parse.quote(os.path.join(folder, f)), q)
         for f in files]

    def rate(base, paths):
        client, t = Client(base), time.monotonic()
        for p in paths: client.get(p)
        return len(paths) / (time.monotonic() - t)
    row("tiles, cold, bilinear, one client", rate(ours.base, a), rate(theirs.base, b), "tiles/s")


def projected_tiles(store, ours, theirs):
    cog = first_cog(store, "europe", "air_temperature")
    wide = [(5, x, y) for x in range(15, 19) for y in range(8, 13)]
    q = "rescale=250,310&colormap_name=viridis&resampling=bilinear"
    a = ["/tiles/europe/%d/%d/%d.png?variable=air_temperature&%s" % (*t, q) for t in wide]
    b = ["/cog/tiles/WebMercatorQuad/%d/%d/%d.png?url=%s&%s&reproject=bilinear" % (*t, urllib.parse.quote(cog), q) for t in wide]
    for p in a: get(ours.base + p)
    for p in b: get(theirs.base + p)
    row("tiles, warm, bilinear, EPSG:3035", wrk(ours.base, a), wrk(theirs.base, b), "tiles/s")


def bench_series(store):
    """The full 1,464-step series at random points: over HTTP with JSON, against xarray kept open on the same store."""
    import numpy as np, xarray as xr
    random.seed(2)
    points = [(round(random.uniform(0, 359), 3), round(random.uniform(-88, 88), 3)) for _ in range(200)]
    root = next(r for r, _, _ in os.walk(os.path.join(store, "weather")) if r.endswith("data.zarr"))
    ds = xr.open_zarr(root, chunks=None)["air_temperature"]
    y, x = [d for d in ds.dims if d != "time"]
    lats, lons = ds[y].values, ds[x].values
    t, n = time.monotonic(), 0
    while time.monotonic() - t < SECONDS:
        lon, lat = points[n % len(points)]
        ds.isel({y: int(np.abs(lats - lat).argmin()), x: int(np.abs(lons - lon).argmin())}).values
        n += 1
    theirs = n / (time.monotonic() - t)
    ours = Ours(store)
    try:
        paths = ["/api/timeseries?collection=weather&variable=air_temperature&lon=%s&lat=%s" % p for p in points]
        assert len(json.loads(get(ours.base + paths[0]))["values"]) == ds.sizes["time"]
        client, t, n = Client(ours.base), time.monotonic(), 0
        while time.monotonic() - t < SECONDS:
            client.get(paths[n % len(paths)])
            n += 1
        row("point series, 1,464 steps, one client", n / (time.monotonic() - t), theirs, "series/s")
        row("point series, 1,464 steps, 8 connections", wrk(ours.base, paths), theirs, "series/s")
    finally:
        ours.stop()


def peer_ingest(source, folder, variable, steps):
    """xarray + dask to a time-shaped Zarr of one variable, and GDAL's COG driver (through rasterio) for `steps` steps."""
    import numpy as np, rasterio, rasterio.shutil, xarray as xr
    ds = xr.open_dataset(source, chunks={"time": 64})[[variable]]
    y, x = ds[variable].dims[-2:]
    n = ds.sizes["time"]
    t = time.monotonic()
    whole = {d: -1 for d in ds[variable].dims[1:-2]}
    ds.chunk({"time": n, y: 24, x: 24, **whole}).to_zarr(os.path.join(folder, "peer.zarr"), mode="w", encoding={
        variable: {"chunks": (n,) + ds[variable].shape[1:-2] + (24, 24)}})
    zarr_seconds = time.monotonic() - t
    data = ds[variable].isel(time=slice(0, steps)).values.astype("f4")
    if data.ndim == 4: data = data[:, 0]
    profile = dict(driver="GTiff", width=data.shape[2], height=data.shape[1], count=1, dtype="float32", nodata=float("nan"),
                   crs="EPSG:4326", transform=rasterio.transform.from_bounds(-180, -90, 180, 90, data.shape[2], data.shape[1]))
    t = time.monotonic()
    for i in range(steps):
        with rasterio.io.MemoryFile() as m:
            with m.open(**profile) as d: d.write(data[i], 1)
            with m.open() as d:
                rasterio.shutil.copy(d, os.path.join(folder, "peer%d.tif" % i), driver="COG", compress="ZSTD", predictor="YES", blocksize=256)
    return zarr_seconds, (time.monotonic() - t) / steps


def bench_ingest(data, scratch):
    source = os.path.join(data, "weather.nc")
    import netCDF4
    with netCDF4.Dataset(source) as d:
        names = [v for v in d.variables if d.variables[v].ndim >= 3]
        raw = sum(d.variables[v].size * d.variables[v].dtype.itemsize for v in names)
        sizes = {v: d.variables[v].size * d.variables[v].dtype.itemsize for v in names}
        steps = d.dimensions["time"].size
    seconds = ingest(source, os.path.join(scratch, "ours"), "weather")
    total = 0.0
    for v in names:
        zarr_seconds, cog_seconds = peer_ingest(source, scratch, v, 60)
        total += zarr_seconds + cog_seconds * steps
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    row("ingest, %d MB raw, %d variables" % (raw / 1e6, len(names)), raw / 1e6 / seconds, raw / 1e6 / total, "MB/s")
    print("  ours %.1f s at most %.0f MiB RSS; theirs %.1f s (Zarr by dask; COG steps extrapolated from 60)" % (seconds, peak, total))


def watched(command):
    """Seconds and most MiB of memory that a command took."""
    t = time.monotonic()
    process, most = subprocess.Popen(command, stdout=subprocess.DEVNULL), 0
    while process.poll() is None:
        with open("/proc/%d/status" % process.pid) as f:
            most = max([most] + [int(line.split()[1]) // 1024 for line in f if line.startswith("VmHWM")])
        time.sleep(0.02)
    if process.returncode: raise SystemExit("failed: %s" % command)
    return time.monotonic() - t, most


def bench_large(scratch):
    """A file larger than the memory that ingest may use. The peer may use all there is, and its COGs are a few steps'."""
    sys.path.insert(0, os.path.join(ROOT, "tests", "http"))
    import large
    steps = int(os.environ.get("BENCH_STEPS", "250"))
    for kind in ("steps", "series"):
        path = os.path.join(scratch, kind + ".nc")
        large.make(path, kind, steps)
        raw = steps * large.ROWS * large.COLUMNS * 4 / 1e6
        ours, most = watched([BINARY, "ingest", path, "--store", os.path.join(scratch, "large"), "--collection", kind, "--memory", "512M",
                              "--scratch", scratch, "--json"])
        shutil.rmtree(os.path.join(scratch, "large"))
        code = "import bench; print(*bench.peer_ingest(%r, %r, 't2m', 30))" % (path, scratch)
        peer = subprocess.run([sys.executable, "-c", code], cwd=os.path.dirname(os.path.abspath(__file__)), check=True,
                              capture_output=True, text=True)
        zarr_seconds, cog_seconds = map(float, peer.stdout.split())
        shutil.rmtree(os.path.join(scratch, "peer.zarr"))
        os.remove(path)
        theirs = zarr_seconds + cog_seconds * steps
        row("ingest, %d MB, chunks by %s, --memory 512M" % (raw, kind), raw / ours, raw / theirs, "MB/s")
        print("  ours %.1f s, %d MiB; theirs %.1f s for the Zarr and %.3f for each COG" % (ours, most, zarr_seconds, cog_seconds))


def decode_files(scratch):
    """Name and path of one variable `v` of 48 fields, stored as the field stores them."""
    import netCDF4, numpy as np
    random_cells = np.random.default_rng(1)
    y, x = np.linspace(0, np.pi, 721)[:, None], np.linspace(0, 2 * np.pi, 1440)[None]
    cells = np.stack([280 + 20 * np.sin(y + i * .01) * np.cos(x * 3 + i * .05) + random_cells.normal(0, .3, (721, 1440))
                      for i in range(48)]).astype("f4")
    kinds = [("float32, a chunk a step, shuffle + deflate", "NETCDF4", "f4", dict(chunksizes=(1, 721, 1440), zlib=True)),
             ("int16, time-shaped chunks, shuffle + deflate", "NETCDF4", "i2", dict(chunksizes=(48, 60, 60), zlib=True)),
             ("float32, chunks, deflate only", "NETCDF4", "f4", dict(chunksizes=(4, 181, 360), zlib=True, complevel=1, shuffle=False)),
             ("float32, contiguous", "NETCDF4", "f4", dict(contiguous=True)),
             ("float32, classic", "NETCDF3_64BIT_OFFSET", "f4", {})]
    for i, (name, form, dtype, options) in enumerate(kinds):
        path = os.path.join(scratch, "decode%d.nc" % i)
        with netCDF4.Dataset(path, "w", format=form) as d:
            for dim, n in zip("tyx", cells.shape): d.createDimension(dim, n)
            v = d.createVariable("v", dtype, ("t", "y", "x"), **options)
            v.set_auto_scale(False)
            v[:] = cells if dtype == "f4" else ((cells - 280) * 500).astype(dtype)
        yield name, path


def bench_decode(scratch):
    """All cells of a file: our decoder with one thread and with all, against nc_get_vara and against xarray."""
    import xarray as xr
    for name, path in decode_files(scratch):
        out = subprocess.run([BENCH_DECODE, path, "v", str(os.cpu_count())], check=True, capture_output=True, text=True).stdout
        rates, best = json.loads(out), 0.0
        for _ in range(3):
            with xr.open_dataset(path, engine="netcdf4", decode_cf=False) as ds:
                t = time.monotonic()
                cells = ds["v"].load()
                best = max(best, cells.nbytes / 1e6 / (time.monotonic() - t))
        row("decode, %s, 1 thread" % name, rates["ours"], rates["netcdf_c"], "MB/s")
        row("        %d threads" % os.cpu_count(), rates["ours_threads"], rates["netcdf_c"], "MB/s")
        row("        %d threads, peer xarray" % os.cpu_count(), rates["ours_threads"], best, "MB/s")
        os.remove(path)


def main(which):
    which = which or ["tiles", "series", "ingest", "large", "decode"]
    work = tempfile.mkdtemp(prefix="rastrum-bench-")
    try:
        data, store = os.path.join(work, "data"), os.path.join(work, "store")
        os.makedirs(data)
        subprocess.run([MAKE_DATA, os.path.join(ROOT, "examples/data/etopo60.cdf"), data], check=True, stdout=subprocess.DEVNULL)
        if "tiles" in which or "series" in which:
            ingest(os.path.join(data, "weather.nc"), store, "weather")
            ingest(os.path.join(data, "europe.nc"), store, "europe")
        print("%-46s %12s %12s %-10s %9s" % ("", "rastrum", "peer", "", "ratio"))
        if "tiles" in which: bench_tiles(store)
        if "series" in which: bench_series(store)
        if "ingest" in which: bench_ingest(data, work)
        if "large" in which: bench_large(work)
        if "decode" in which: bench_decode(work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
