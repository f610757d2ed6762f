"""The table of errors in examples/README.md: each sentence is what is really shown, and each case has its line."""
import errno
import os
import re
import socket
import sqlite3
import subprocess

import pytest

import crash
from conftest import ROOT, SANITIZED
from test_doctor import AS_ANYBODY

PAGE = ROOT / "examples" / "README.md"
DATA = ROOT / "examples" / "data"
CDL = """netcdf t { dimensions: time = 1; lat = 2; lon = 2; variables: double time(time); time:units = "days since yesterday";
  double lat(lat); lat:units = "degrees_north"; double lon(lon); lon:units = "degrees_east"; float v(time, lat, lon);
  data: time = 0; lat = 0, 1; lon = 0, 1; v = 1, 2, 3, 4; }"""
CASES = {}


def rows():
    """symptom -> sentence, of the table's lines."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and line.count(" | ") == 2]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {symptom: sentence.strip("`") for symptom, sentence, mend in cells if symptom != "symptom" and mend}


def case(symptom):
    def register(function):
        CASES[symptom] = function
        return function

    return register


class Place:
    """What the cases work with: the store of all tests, a folder of their own, the program."""

    def __init__(self, rastrum, binary, store, folder):
        self.rastrum, self.binary, self.store, self.folder = rastrum, binary, store, folder

    def says(self, *words, before=(), env=None):
        done = subprocess.run([*before, str(self.binary), *map(str, words)], cwd=self.folder, capture_output=True, text=True, timeout=120,
                              check=False, env={**os.environ, "RASTRUM_LOG_LEVEL": "error", **(env or {})})
        assert done.returncode in (1, 2), done
        return done.stderr.strip().splitlines()[-1]

    def tile(self, *words, zxy=("0", "0", "0")):
        return self.says("tile", "globe", *zxy, *words, "--store", self.store)

    def series(self, *words, at=("80", "31")):
        return self.says("timeseries", "globe", *at, *words, "--store", self.store)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def ingest(self, path, *words, **options):
        return self.says("ingest", path, "--store", self.folder / "own", *words, **options)


@case("`serve`: the port is in use")
def _(p):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        return p.says("serve", "--listen", f"127.0.0.1:{taken.getsockname()[1]}", "--store", p.store)


@case("`serve`: an address that is not this machine's")
def _(p): return p.says("serve", "--listen", "192.0.2.1:8080", "--store", p.store)


@case("the store is missing, or another one was meant")
def _(p): return p.says("tile", "globe", "0", "0", "0", "--store", p.folder / "none")


@case("the store's folder may not be made")
def _(p):
    (p.folder / "shut").mkdir(mode=0o500)
    return p.says("serve", "--listen", "127.0.0.1:0", "--store", p.folder / "shut" / "store", before=AS_ANYBODY)


@case("the store may not be written")
def _(p):
    (p.folder / "own").mkdir(mode=0o500)
    return p.ingest(DATA / "etopo60.cdf", before=AS_ANYBODY)


@case("the disk is full")
def _(p):
    library = crash.build_faultfs(p.folder)
    return p.ingest(DATA / "etopo60.cdf", env={"LD_PRELOAD": str(library), "FAULTFS_BELOW": str(p.folder / "own"),
                                               "FAULTFS_FAIL": f"{errno.ENOSPC},20"})


@case("a file that may not be read")
def _(p):
    path = p.write("private.nc", (DATA / "etopo60.cdf").read_bytes())
    path.chmod(0)
    return p.ingest(path, before=AS_ANYBODY)


@case("a file that is no NetCDF")
def _(p): return p.ingest(p.write("notes.nc", "hello"))


@case("a file that was not copied to its end")
def _(p): return p.ingest(p.write("half.nc", (DATA / "etopo60.cdf").read_bytes()[:5000]))


@case("a file with wrong units of time")
def _(p):
    path = p.folder / "t.nc"
    subprocess.run(["ncgen", "-o", path, p.write("t.cdl", CDL)], check=True)
    return p.ingest(path)


@case("a file that needs more than `--memory`")
def _(p): return p.ingest(DATA / "coads_climatology.cdf", "--memory", "1M")


@case("a variable that the file has not")
def _(p): return p.ingest(DATA / "etopo60.cdf", "--variables", "elevation")


@case("the catalog was written by a newer program")
def _(p):
    with sqlite3.connect(p.folder / "new.db") as db:
        db.execute("PRAGMA user_version = 99")
        db.execute("CREATE TABLE other (x)")
    return p.says("catalog", "list", "--catalog", f"sqlite:{p.folder}/new.db")


@case("the catalog is damaged")
def _(p):
    path = p.write("torn.db", b"torn " * 2000)
    return p.says("catalog", "list", "--catalog", f"sqlite:{path}")


@case("a mistyped setting in `rastrum.lua`")
def _(p): return p.says("config", "--config", p.write("rastrum.lua", 'return { lisen = "127.0.0.1:80" }').name)


@case("a configuration file that is not there")
def _(p): return p.says("config", "--config", p.folder / "none.lua")


@case("a mistyped option")
def _(p): return p.says("serve", "--workrs", "2")


@case("a folder of plugins that is not there")
def _(p): return p.says("serve", "--plugins", p.folder / "none", "--store", p.store)


@case("a plugin that is wrong (the server goes on without it)")
def _(p):
    p.write("plugins/mine.lua", "return { name = ")
    report = p.rastrum("plugin", "list", "--plugins", p.folder / "plugins", "--log-format", "plain", "--store", p.store)
    return re.search(r"plugin 'mine' is refused: .+", report.stderr)[0]


@case("a colour ramp that is wrong")
def _(p): return p.says("colormap", "check", p.write("mine.json", '{"type": "linear", "colors": ["#12"]}'))


@case("an unknown collection")
def _(p): return p.says("tile", "glob", "0", "0", "0", "--store", p.store)


@case("an unknown variable")
def _(p): return p.tile("variable=ssst")


@case("a map at a time that there is not")
def _(p): return p.tile("variable=sst", "datetime=2050-01-01")


@case("a series of a time that there is not")
def _(p): return p.series("variable=sst", "datetime=2050-01-01/2051-01-01")


@case("a time that is not written as one")
def _(p): return p.tile("variable=sst", "datetime=days since 1970")


@case("a level that there is not")
def _(p): return p.tile("variable=wind", "level=123")


@case("a level of what has none")
def _(p): return p.tile("variable=sst", "level=500")


@case("an unknown colour ramp")
def _(p): return p.tile("variable=sst", "colormap_name=virids")


@case("a `rescale` the wrong way round")
def _(p): return p.tile("variable=sst", "rescale=9,1")


@case("a tile outside the map")
def _(p): return p.tile("variable=sst", zxy=("0", "4", "0"))


@case("a kind of picture that there is not")
def _(p): return p.tile("variable=sst", zxy=("0", "0", "0.gif"))


@case("a mistyped parameter")
def _(p): return p.tile("varable=sst")


@case("a place outside the globe")
def _(p): return p.series(at=("80", "91"))


@case("too many points")
def _(p): return p.series("variable=sst", at=(",".join(["1"] * 1001), ",".join(["1"] * 1001)))


@case("a request that would take too much memory")
def _(p): return p.tile("variable=sst", "--request-bytes", "1K")


def shown(text):
    """Without what the program puts around a sentence."""
    return re.sub(r"^rastrum: |; see rastrum [\w ]*--help$| \(\d{3}\)$", "", text)


def test_each_line_has_its_case():
    assert set(rows()) == set(CASES) and len(CASES) >= 20


@pytest.mark.parametrize("symptom", sorted(CASES))
def test_the_sentence_is_the_one_shown(symptom, rastrum, binary, store, tmp_path):
    if SANITIZED and symptom == "the disk is full":
        pytest.skip("a sanitized program takes no preloaded library")
    said = shown(CASES[symptom](Place(rastrum, binary, store, tmp_path)))
    pattern = ".+".join(re.escape(piece) for piece in rows().get(symptom, "").split("…"))
    assert re.fullmatch(pattern, said), f"{symptom}\n  shown: {said}\n  table: {rows().get(symptom)}"
