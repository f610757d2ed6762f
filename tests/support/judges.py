"""The judges that come with the test data: acceptance of the files of the first width, the result of every
other file, and the clients' checks on a server with the demo's collections."""
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess

from server import Server
from tally import Tally

CHECKS = ["stac", "stac_schemas", "stac_api_validator", "cog", "cube", "zarr", "tilejson"]
ONCE = {"openapi": "weather", "covjson": "weather", "tiles": "europe"}  # tiles: beside the real titiler
COLLECTIONS = {"weather": "weather.nc", "europe": "europe.nc"}
# Real files, on which all checks run: projected; global, 0 to 360 degrees, latitudes descending; with a depth.
REAL = ("arome_lcc", "gfs_onedeg", "cmems_phy")
LEVELS = "small_4d"  # several levels; its cells are all 1, which check_tiles can make no stretch of
SHORT = ("--examples", "2", "--include", r"\{collection\}", "--include", "timeseries", "--include", "search")
OPTIONS = {
    ("cube", "arome_lcc"): ("--tools", "odc"),  # stackstac knows CRSs by their EPSG code alone; this one has none
    ("cube", LEVELS): ("--tools", "odc"),  # stackstac takes no COG of several bands
    ("zarr", "cmems_phy"): ("--no-cog",),  # it compares arrays of three dimensions
    ("zarr", LEVELS): ("--no-cog",),
    # Its first variable leaps from cell to cell, and GDAL's bilinear takes more than the four nearest where they are small.
    ("tiles", "gfs_onedeg"): ("--variable", "Temperature_surface"),
    # The long run leaves titiler's addresses out, which have all parameters of the tiles twice more.
    ("openapi", "weather"): ("--include", r"^/(?!titiler)"),
    **{("openapi", name): SHORT for name in REAL},
    ("openapi", "cmems_phy"): (*SHORT, "--include", "titiler"),
}

# What the judge says of an entry and is not a fault of ours: the entry, the mismatch, why.
EXPLAINED = {
    ("netcdf/seasonal_ensemble.nc", "no item at 1960-11-01T00:00:00"):
        "a forecast without a valid time: its steps are at reftime + leadtime, the entry takes reftime alone",
}


def _missing(root, shared, tally, name):
    if not (shared / "tools" / "acceptance.py").exists():
        tally.skip(name, f"the judges are not at {shared}")
        return True
    if not (root / "build" / "release" / "rastrum").exists():
        tally.add(name, False, "build/release/rastrum is not there")
        return True
    return False


def _judge(root, shared, python, reports):
    """Every entry of the manifest, judged from outside."""
    report, data = reports / "acceptance.json", shared / "data"
    report.unlink(missing_ok=True)
    subprocess.run([str(python), str(shared / "tools" / "acceptance.py"), "--rastrum", str(root / "build" / "release" / "rastrum"),
                    "--report", str(report), "--data", str(data), "--schemas", str(shared / "schemas"), "--strict",
                    "--jobs", str(os.cpu_count() or 1)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
    return json.loads(report.read_text())["entries"]


def _why(entry):
    """Why its mismatches are none of ours; None where they are, or there are none."""
    texts = {text: why for (name, text), why in EXPLAINED.items() if name == entry["name"]}
    told = [why for message in entry["messages"] for text, why in texts.items() if text in message]
    return told[0] if told and len(told) == entry["mismatches"] else None


def _outcome(entry):
    """(what came of it, whether that is right)"""
    if entry["unverified"]:
        return f"WRONG: {entry['unverified'][0]}", False
    if entry["mismatches"] and not _why(entry):
        return f"WRONG: {entry['message']}", False
    if entry["kind"].endswith("reject"):
        return "refused", entry["compared"] > 0
    said = entry["got"] or "read"
    return (f"{said}; {_why(entry)}" if _why(entry) else said), entry["compared"] > 0 or said == "not applicable"


HEAD = """# Conformance

Every file of the test data's manifest (NetCDF, Zarr and TIFF files made by others, with values that others computed), judged from outside
by its `acceptance.py --strict`. Made by `tests/run acceptance`, which fails where an outcome differs; `values` is how many were compared.

| file | expected | outcome | values |
|---|---|---|---|
"""


def _page(entries):
    lines = [f"| {e['name']} | {e['kind']} | {_outcome(e)[0]} | {e['compared']} |" for e in sorted(entries, key=lambda e: e["name"])]
    wrong = sum(not _outcome(e)[1] for e in entries)
    total = f"\n{len(entries)} entries, {sum(e['compared'] for e in entries)} values compared, {wrong} wrong.\n"
    return HEAD + "\n".join(lines) + "\n" + total


def _outcomes(page):
    """What the page says of each file, without the number of values."""
    return [line.rsplit("|", 2)[0] for line in page.splitlines() if line.startswith("| ")]


def acceptance(root, shared, python, reports):
    tally = Tally()
    if _missing(root, shared, tally, "acceptance"):
        return tally
    entries = _judge(root, shared, python, reports)
    page = _page(entries)
    (reports / "conformance.md").write_text(page)
    print(page)
    for entry in entries:
        result, right = _outcome(entry)
        tally.add(f"acceptance/{entry['name']}", right, result)
    kept = root / "tests" / "conformance.md"
    same = kept.exists() and _outcomes(kept.read_text()) == _outcomes(page)
    tally.add("acceptance/conformance.md", same, "tests/conformance.md is not what came of it: copy build/reports/conformance.md over it")
    return tally


def _server(root, shared, place):
    """A server over a fresh store that holds the demo's generated collections and the real files."""
    shutil.rmtree(place, ignore_errors=True)
    (place / "data").mkdir(parents=True)
    built = root / "build" / "release"
    subprocess.run([str(built / "examples" / "data" / "rastrum_demo_data"),
                    str(root / "examples" / "data" / "etopo60.cdf"), str(place / "data")], check=True)
    files = {collection: place / "data" / name for collection, name in COLLECTIONS.items()}
    files.update({name: shared / "data" / "netcdf" / f"{name}.nc" for name in (*REAL, LEVELS)})
    for collection, path in files.items():
        subprocess.run([str(built / "rastrum"), "ingest", str(path), "--collection", collection,
                        "--store", str(place / "store")], stdin=subprocess.DEVNULL, check=True)
    return Server(built / "rastrum", place / "store", log=place / "server.log")


def _check(shared, python, url, check, collection):
    tool = shared / "tools" / "clients" / f"check_{check}.py"
    options = OPTIONS.get((check, collection), ())
    done = subprocess.run([str(python), str(tool), url, collection, *options], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, cwd=tool.parent,
                          env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    return done.returncode == 0, done.stdout


def clients(root, shared, python, reports):
    tally = Tally()
    if _missing(root, shared, tally, "clients"):
        return tally
    jobs = [(check, c) for c in (*COLLECTIONS, *REAL, LEVELS) for check in CHECKS] + list(ONCE.items())
    jobs += [(check, c) for c in REAL for check in ONCE] + [("covjson", LEVELS)]
    place = pathlib.Path(root) / "build" / "clients"
    with _server(root, shared, place) as server, concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda job: _check(shared, python, server.url, *job), jobs)
        for (check, collection), (ok, output) in zip(jobs, answers):
            (reports / f"client-{check}-{collection}.txt").write_text(output)
            verdict = output.strip().splitlines()[-1] if output.strip() else "no output"
            print(f"{check} {collection}: {verdict}", flush=True)
            tally.add(f"clients/{check}/{collection}", ok, "" if ok else output[-3000:])
        tally.add("clients/server is alive and ends well", server.alive())
    return tally
