"""Heavy requests, and a gate that holds the jobs of those that read the collection `wide` where they stand (gate.c)."""
import json
import pathlib
import subprocess

import netCDF4
import numpy as np
import sources as made
from wire import Wire, gauge

GET = "GET {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n"
TILE = "/tiles/wide/0/0/0.png?tilesize=1024&rescale=0,1"
POINTS = json.dumps({"type": "MultiPoint", "coordinates": [[lon, lat] for lon in range(-170, 171, 20) for lat in range(-80, 81, 20)]})
SERIES = f"POST /api/timeseries?collection=wide HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(POINTS)}\r\n\r\n{POINTS}"


def make_wide(path):
    """Many blocks and chunks for one request to read."""
    random = np.random.default_rng(4)
    with netCDF4.Dataset(path, "w") as out:
        out.setncatts(made.CF_GLOBAL)
        made._axis(out, "time", np.arange(8.0), units="days since 2020-01-01", standard_name="time", calendar="standard")
        made._lonlat(out, np.arange(-179.875, 180, 0.25), np.arange(-89.875, 90, 0.25))
        out.createVariable("noise", "f4", ("time", "lat", "lon"))[:] = random.random((8, 720, 1440), dtype="f4")


class Gate:
    """Holds reads of files with a text in their path, and counts them."""

    def __init__(self, folder, path):
        self.gate, self.trace = folder / "gate", folder / "trace"
        library = folder / "gate.so"
        source = pathlib.Path(__file__).with_name("gate.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
        self.env = {"LD_PRELOAD": str(library), "GATED_PATH": path, "GATE": str(self.gate), "GATE_TRACE": str(self.trace)}

    def close(self):
        self.trace.unlink(missing_ok=True)
        self.gate.touch()

    def open(self):
        self.gate.unlink()

    def reads(self):
        return self.trace.stat().st_size if self.trace.exists() else 0


def lane(port, what, name):
    return gauge(port, f'rastrum_lane_{what}{{lane="{name}"}}')


def send(port, request):
    wire = Wire(port)
    wire.send(request)
    return wire
