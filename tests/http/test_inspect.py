"""What `rastrum inspect` foretells: what requests read and what is written, counted where it happens; its words; and packing
that differs within a collection."""
import io
import json
import re

import feeds
import netCDF4
import numpy as np
import psutil
import pytest
from conftest import Client

pytestmark = pytest.mark.release_only  # numbers and words, of what other tests read

SHOWN = ("coads_climatology.cdf", "a1b_north_america.nc", "goes16_cloud_top_height.nc", "nco_in_subset.nc", "ncep_air_zstd.nc",
         "tos_mpiom_bipolar.nc", "roms_his_0001.nc", "not_netcdf.txt")


def inspect(rastrum, path, code=0):
    return json.loads(rastrum("inspect", "--json", path, code=code).stdout)


def noise(path, shape, seed=1):
    """Cells that no codec makes smaller, over a part of Europe."""
    with netCDF4.Dataset(path, "w") as out:
        dims = ("time", "lat", "lon")[-len(shape):]
        axes = {"time": np.arange(shape[0]), "lat": np.linspace(35, 60, shape[-2]), "lon": np.linspace(-10, 30, shape[-1])}
        units = {"time": "hours since 2000-01-01", "lat": "degrees_north", "lon": "degrees_east"}
        for name, size in zip(dims, shape):
            out.createDimension(name, size)
            out.createVariable(name, "f8", (name,)).units = units[name]
            out[name][:] = axes[name]
        bits = np.random.default_rng(seed).integers(0, 2**32, shape, "u4") & 0x3FFFFFFF | 0x20000000  # no NaN, no fill
        out.createVariable("v", "f4", dims)[:] = bits.view("f4")
    return path


def lookups(http):
    """How often blocks of COGs were asked for."""
    text = http.ok("/metrics").text
    return sum(float(n) for n in re.findall(r'^rastrum_cache_(?:hits|misses)_total\{cache="blocks"\} ([\d.e+]+)$', text, re.M))


@pytest.mark.parametrize("shape", [(700, 900), (300, 1400), (200, 240)])
def test_a_tile_reads_at_most_what_is_told(tmp_path, rastrum, start, shape):
    """None reads more; the dearest falls short by no more than a half, which is how much the blocks' edges may lie better in the
    tiles that there are than in the worst that there could be (one block in a row fewer, of three or four)."""
    told = inspect(rastrum, noise(tmp_path / "map.nc", shape))["variables"][0]["reads"]["tile"]
    rastrum("ingest", tmp_path / "map.nc", "--collection", "map", "--store", tmp_path / "store")
    most = 0
    with Client(start(tmp_path / "store", "--workers", 1)) as http:
        for z in range(9):
            n = 2**z
            columns = range(int((170 / 360) * n), min(int((210 / 360) * n) + 1, n)) if z < 7 else [n // 2]
            rows = range(int(0.25 * n), int(0.45 * n) + 1) if z < 7 else [int(0.34 * n)]
            for x in columns:
                for y in rows:
                    before = lookups(http)
                    http.ok(f"/tiles/map/{z}/{x}/{y}.npy")
                    most = max(most, lookups(http) - before)
    print(f"\n{shape}: told {told['blocks']} blocks, the dearest tile read {most:g}")
    assert told["blocks"] / 2 <= most <= told["blocks"]
    assert told["bytes"] == told["blocks"] * 256 * 256 * 4


def read_bytes(server):
    """Bytes that the workers' read calls have returned."""
    return sum(child.io_counters().read_chars for child in psutil.Process(server.process.pid).children(recursive=True))


def test_a_series_reads_what_is_told(tmp_path, rastrum, start):
    """Within a twentieth: the chunks are encoded (noise does not shrink), and the request itself is read too."""
    told = inspect(rastrum, noise(tmp_path / "cube.nc", (8192, 12, 24)))["variables"][0]
    reads = told["reads"]["series"]
    assert reads["chunks"] == 2 and reads["bytes"] == 2 * 4 * np.prod(told["chunk"])
    rastrum("ingest", tmp_path / "cube.nc", "--collection", "cube", "--store", tmp_path / "store")
    server = start(tmp_path / "store", "--workers", 1)
    with Client(server) as http:
        for lon in (-9, 28):  # the first reads the shards' indexes too
            before = read_bytes(server)
            answer = http.ok("/api/timeseries", collection="cube", lon=lon, lat=40)
            read = read_bytes(server) - before
    assert len(answer.json()["values"]) == 8192
    print(f"\ntold {reads['bytes']} bytes, read {read}")
    assert abs(read - reads["bytes"]) < 0.05 * reads["bytes"]


@pytest.mark.parametrize("name", ["zone", "globe", "alps"])
def test_the_size_is_the_dry_run_s(rastrum, sources, tmp_path, name):
    estimate = inspect(rastrum, sources[name].path)["plan"]["estimate"]
    words = ("ingest", sources[name].path, "--collection", "c", "--store", tmp_path / "store", "--json")
    dry = json.loads(rastrum(*words, "--dry-run").stdout.splitlines()[-1])["plan"]["plan"]["estimate"]
    real = json.loads(rastrum(*words).stdout.splitlines()[-1])
    assert estimate["objects"] == dry["objects"] == real["objects"]
    for foretold in (estimate["bytes"], dry["bytes"]):
        assert abs(foretold - real["bytes_out"]) <= 0.1 * real["bytes_out"]
    assert estimate["seconds"] > 0 and estimate["scratch_bytes"] == dry["scratch_bytes"]


def test_without_a_place_to_write(rastrum, sources, tmp_path):
    done = rastrum("inspect", "--json", sources["zone"].path, "--scratch", tmp_path / "nowhere")
    assert json.loads(done.stdout)["plan"]["estimate"]["bytes"] > 0 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", SHOWN)
def test_the_words(rastrum, shared, name):
    """Labels in one column, all that the JSON has, each thing once, and lines that a terminal can show in two."""
    path = shared / "data" / "netcdf" / name
    report = json.loads(rastrum("inspect", "--json", path, code=None).stdout)
    refused = report["verdict"] == "refuse"
    lines = rastrum("inspect", path, code=1 if refused else 0).stdout.splitlines()
    labels = [line[:10].strip() for line in lines]
    assert set(labels) <= {"source", "grid", "time", "variables", "", "Zarr only", "becomes", "info", "warning", "error", "verdict"}
    assert lines[0].startswith(f"source    {path} (") and lines[-1] == f"verdict   {report['verdict']}"
    text = "\n".join(lines)
    assert not re.search(r"\b1 (steps|maps|chunks|blocks|objects)\b|\bnil\b|userdata|table:", text)
    assert all(len(line) <= 320 for line in lines[1:]) and len(set(lines)) >= len(lines) - 2 * labels.count("variables")
    assert labels.count("becomes") == (not refused) and {f["severity"] for f in report["findings"]} <= set(labels)
    for finding in report["findings"]:
        assert f"{finding['message']} [{finding['code']}]" in text
    for label, list_ in (("grid", (report["grid"] or {}).get("grids", [])), ("time", (report["times"] or {}).get("axes", []))):
        assert labels.count(label) == len(list_)
    if not refused:
        shown = [v["name"] for v in report["variables"] if v["mappable"]]
        assert sum(name in text for name in shown) == len(shown)


# ---- packing that differs within a collection

PACKINGS = {"first": ("i2", 0.01, 250.0, -32768), "scale": ("i2", 0.02, 200.0, -32768), "fill": ("i2", 0.02, 200.0, -999),
            "wide": ("i4", 0.001, 0.0, -1), "float": feeds.FLOAT, "same": feeds.FLOAT}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory, rastrum):
    """Files of one collection, each packed otherwise than the one before, and what their ingest told."""
    folder = tmp_path_factory.mktemp("mixed")
    files, told = [], {}
    for day, (name, packing) in enumerate(PACKINGS.items()):
        files.append(feeds.write(folder / f"{name}.nc", day, variables=("t", "u"), packing=packing, mask=0))
    words = ("--collection", "mixed", "--store", folder / "store", "--json")
    for name in list(PACKINGS)[:-2]:
        told[name] = rastrum("ingest", folder / f"{name}.nc", *words).stdout
    both = rastrum("ingest", *(file.path for file in files[-2:]), *words).stdout  # one after the other in one run
    for name in list(PACKINGS)[-2:]:
        told[name] = "\n".join(line for line in both.splitlines() if json.loads(line).get("dataset") == name)
    return folder, files, told


def differences(lines):
    events = [json.loads(line) for line in lines.splitlines()]
    return [e for e in events if e["event"] == "finding" and e["code"] in ("packing-differs", "units-differ")]


def test_other_packing_is_told(mixed):
    _, _, told = mixed
    assert differences(told["first"]) == differences(told["same"]) == []
    words = {"first": "int16 x 0.01 + 250, missing -32768", "scale": "int16 x 0.02 + 200, missing -32768",
             "fill": "int16 x 0.02 + 200, missing -999", "wide": "int32 x 0.001, missing -1", "float": "float32, missing -999"}
    for before, name in zip(words, list(words)[1:]):
        found = differences(told[name])
        assert [f["where"] for f in found] == ["t", "u"] and {f["code"] for f in found} == {"packing-differs"}
        for finding in found:
            assert finding["severity"] == "warning" and finding["message"] == (
                f"is packed as {words[name]}, but as {words[before]} in dataset '{before}': "
                "each is decoded with its own, in maps and in series")


def test_values_of_files_packed_otherwise(mixed, start, rastrum):
    """In series over all and in tiles of each they are the files' own, before and after the stores are joined."""
    folder, files, _ = mixed
    for joined in (False, True):
        if joined:
            rastrum("compact", "mixed", "--store", folder / "store")
        with Client(start(folder / "store", "--workers", 1)) as http:
            for name in ("t", "u"):
                for row, column in ((0, 0), (3, 7), (5, 11)):
                    answer = http.ok("/api/timeseries", collection="mixed", variable=name, lat=feeds.LAT[row], lon=feeds.LON[column])
                    feeds.same(answer.json(), feeds.expected(files, name, row, column))
            for file in files:
                answer = http.ok("/tiles/mixed/0/0/0.npy", variable="t", datetime=file.times[0], resampling="nearest")
                pixels = np.load(io.BytesIO(answer.content))
                drawn = np.unique(pixels[0][pixels[-1] > 0])
                assert drawn.size > 20 and np.isin(drawn, file.values["t"].astype(drawn.dtype)).all()


def test_other_units_are_told(rastrum, tmp_path):
    for day, (name, units) in enumerate({"kelvin": "K", "celsius": "degC"}.items()):
        feeds.write(tmp_path / f"{name}.nc", day, mask=0)
        with netCDF4.Dataset(tmp_path / f"{name}.nc", "a") as out:
            out["t"].units = units
        for dry in (["--dry-run"], []):
            done = rastrum("ingest", tmp_path / f"{name}.nc", "--collection", "c", "--store", tmp_path / "store", *dry)
            assert ("units-differ" in done.stderr or "has units 'degC', but 'K' in dataset 'kelvin'" in done.stderr) == (name == "celsius")
    again = rastrum("ingest", tmp_path / "celsius.nc", "--collection", "c", "--store", tmp_path / "store", "--json").stdout
    (found,) = differences(again)
    assert found["code"] == "units-differ" and found["where"] == "t" and "not converted" in found["message"]
