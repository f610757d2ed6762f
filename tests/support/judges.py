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

CHECKS = ["stac", "stac_schemas", "stac_api_validator", "cog", "cube", "zarr", "tilejson", "openapi", "covjson"]
COLLECTIONS = {"weather": "weather.nc", "europe": "europe.nc"}

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


class Acceptance:
    """Runs acceptance.py over some entries and reads its report back."""

    def __init__(self, root, shared, python, reports):
        self.tool, self.data = shared / "tools" / "acceptance.py", shared / "data"
        self.manifest = json.loads((self.data / "manifest.json").read_text())
        self.binary, self.python, self.reports = root / "build" / "release" / "rastrum", python, reports

    def run(self, title, *options):
        report = self.reports / f"acceptance-{title}.json"
        report.unlink(missing_ok=True)
        subprocess.run([str(self.python), str(self.tool), "--rastrum", str(self.binary), "--report", str(report),
                        "--data", str(self.data), "--schemas", str(self.data.parent / "schemas"),
                        "--jobs", str(os.cpu_count() or 1), *map(str, options)],
                       stdin=subprocess.DEVNULL, check=False)
        return json.loads(report.read_text())["entries"]

    def scope_file(self, title, names):
        path = self.reports / f"scope-{title}.txt"
        path.write_text("\n".join(names) + "\n")
        return path

    def refusals(self, title, names):
        """The same files, where the right answer is a clear refusal that leaves nothing behind."""
        entries = [{"file": name, "expect": "reject with a clear error"} for name in names]
        path = self.reports / f"manifest-{title}.json"
        path.write_text(json.dumps({"netcdf": entries}))
        return self.run(title, "--manifest", path)


def _explained(entry):
    texts = [text for name, text in EXPLAINED if name == entry["name"]]
    told = [message for message in entry["messages"] if any(text in message for text in texts)]
    return len(told) == entry["mismatches"]


def _good(entry):
    return entry["compared"] > 0 and _explained(entry)


def _others(judge, scope):
    """(file, expected, result, right) of every entry outside the scope: ingested right, or refused clearly."""
    foreign = [e.get("file") or e["store"] for part in ("zarr", "tiff") for e in judge.manifest[part] if not e.get("frames")]
    names = [e["file"] for e in judge.manifest["netcdf"] if e["file"] not in scope] + foreign
    entries = judge.run("others", "--scope", judge.scope_file("others", names))
    refused = [e["name"] for e in entries if e["got"] == "refused" and not e["kind"].endswith("reject")]
    rows = {}
    for entry in entries:
        said = "refused clearly" if entry["kind"].endswith("reject") else "ingested right"
        rows[entry["name"]] = (entry["kind"], said if _good(entry) else f"WRONG: {entry['message']}", _good(entry))
    for entry in judge.refusals("refusals", refused) if refused else []:
        clear = f"refused: {entry['message']}" if _good(entry) else f"WRONG: {entry['message']}"
        rows[entry["name"]] = (rows.get(entry["name"], ("not NetCDF",))[0], clear, _good(entry))
    return rows


def _show_table(rows):
    print(f"\n{'file':<58} {'expected':<20} result")
    for name, (expected, result, _) in sorted(rows.items()):
        print(f"{name:<58} {expected:<20} {result[:150]}")


def acceptance(root, shared, python, reports):
    tally = Tally()
    if _missing(root, shared, tally, "acceptance"):
        return tally
    judge = Acceptance(root, shared, python, reports)
    scope_path = shared / "tools" / "scope-skeleton.txt"
    scope = {line.split("#")[0].strip() for line in scope_path.read_text().splitlines()} - {""}
    rows = {}
    for entry in judge.run("skeleton", "--scope", scope_path):
        rows[entry["name"]] = (entry["kind"], "ingested right" if _good(entry) else f"WRONG: {entry['message']}",
                               _good(entry))
    rows.update(_others(judge, scope))
    _show_table(rows)
    for name, (_, result, right) in sorted(rows.items()):
        tally.add(f"acceptance/{name}", right, result)
    return tally


def _demo_server(root, place):
    """A server over a fresh store that holds the demo's generated collections."""
    shutil.rmtree(place, ignore_errors=True)
    (place / "data").mkdir(parents=True)
    built = root / "build" / "release"
    subprocess.run([str(built / "examples" / "data" / "rastrum_demo_data"),
                    str(root / "examples" / "data" / "etopo60.cdf"), str(place / "data")], check=True)
    for collection, name in COLLECTIONS.items():
        subprocess.run([str(built / "rastrum"), "ingest", str(place / "data" / name), "--collection", collection,
                        "--store", str(place / "store")], stdin=subprocess.DEVNULL, check=True)
    return Server(built / "rastrum", place / "store", log=place / "server.log")


def _check(shared, python, url, check, collection):
    tool = shared / "tools" / "clients" / f"check_{check}.py"
    done = subprocess.run([str(python), str(tool), url, collection], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, cwd=tool.parent,
                          env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    return done.returncode == 0, done.stdout


def clients(root, shared, python, reports):
    tally = Tally()
    if _missing(root, shared, tally, "clients"):
        return tally
    jobs = [(check, c) for c in COLLECTIONS for check in CHECKS if check != "openapi" or c == "weather"]
    place = pathlib.Path(root) / "build" / "clients"
    with _demo_server(root, place) as server, concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda job: _check(shared, python, server.url, *job), jobs)
        for (check, collection), (ok, output) in zip(jobs, answers):
            (reports / f"client-{check}-{collection}.txt").write_text(output)
            verdict = output.strip().splitlines()[-1] if output.strip() else "no output"
            print(f"{check} {collection}: {verdict}", flush=True)
            tally.add(f"clients/{check}/{collection}", ok, "" if ok else output[-3000:])
        tally.add("clients/server is alive and ends well", server.alive())
    return tally
