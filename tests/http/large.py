"""Files larger than the memory that an ingest may use, in the four ways in which they lie on disk; and a run of the command
under a limit of its address space, watched from outside."""
import dataclasses
import json
import pathlib
import subprocess
import time

import netCDF4
import numpy as np

KINDS = ("steps", "series", "contiguous", "classic")
ROWS, COLUMNS = 721, 1440


def fields(steps):
    """One smooth field a step with a little noise, on eighths so that it compresses as weather does."""
    y = np.linspace(-1, 1, ROWS, dtype="f4")[:, None]
    x = np.linspace(0, 2 * np.pi, COLUMNS, endpoint=False, dtype="f4")[None, :]
    noise = [np.random.default_rng(n).normal(0, 4, (ROWS, COLUMNS)).round().astype("f4") / 16 for n in range(4)]
    for n in range(steps):
        smooth = 280 - 40 * y**2 + 8 * np.sin(3 * x + n / 20) + 4 * np.cos(9 * y - n / 50)
        yield (np.round(smooth * 8) / 8 + noise[n % 4]).astype("f4")


def layout(kind, steps):
    if kind == "steps":
        return {"chunksizes": (1, ROWS, COLUMNS), "zlib": True, "complevel": 1, "shuffle": True}
    if kind == "series":
        side = max(1, int((2**18 // steps) ** 0.5))
        return {"chunksizes": (steps, side, side), "zlib": True, "complevel": 1, "shuffle": True}
    return {"contiguous": True} if kind == "contiguous" else {}


def write_series(variable, steps):
    """By bands of whole chunks, so that each is compressed once and little memory is used."""
    side = variable.chunking()[1]
    band = side * max(1, 2**28 // (steps * side * COLUMNS * 4))
    for top in range(0, ROWS, band):
        variable[:, top:top + band, :] = np.stack([field[top:top + band] for field in fields(steps)])


def make(path, kind, steps):
    form = "NETCDF3_64BIT_OFFSET" if kind == "classic" else "NETCDF4"
    with netCDF4.Dataset(path, "w", format=form) as d:
        for name, size in (("time", steps), ("lat", ROWS), ("lon", COLUMNS)):
            d.createDimension(name, size)
        for name, units, values in (("time", "hours since 2020-01-01", np.arange(steps) * 6.0),
                                    ("lat", "degrees_north", np.linspace(90, -90, ROWS)),
                                    ("lon", "degrees_east", np.arange(COLUMNS) * 0.25)):
            axis = d.createVariable(name, "f8", (name,))
            axis.units = units
            axis[:] = values
        variable = d.createVariable("t2m", "f4", ("time", "lat", "lon"), **layout(kind, steps))
        variable.units = "K"
        if kind == "series":
            write_series(variable, steps)
        else:
            for n, field in enumerate(fields(steps)):
                variable[n] = field
    return path


def make_map(path, side):
    """One map of side x side cells."""
    with netCDF4.Dataset(path, "w") as d:
        for name, units, values in (("lat", "degrees_north", 60 - np.arange(side) * (100 / side)),
                                    ("lon", "degrees_east", np.arange(side) * (100 / side))):
            d.createDimension(name, side)
            axis = d.createVariable(name, "f8", (name,))
            axis.units = units
            axis[:] = values
        variable = d.createVariable("t2m", "f4", ("lat", "lon"), chunksizes=(1000, 1000), zlib=True, complevel=1)
        x = 20 * np.sin(np.linspace(0, 30, side, dtype="f4"))[None, :]
        noise = np.random.default_rng(1).integers(0, 8, (1000, side)).astype("f4") / 8
        for top in range(0, side, 1000):
            y = 30 * np.cos(np.arange(top, min(top + 1000, side), dtype="f4") / 300)[:, None]
            variable[top:top + 1000] = np.round((x + y + 280) * 8) / 8 + noise[:len(y)]
    return path


def chunk_count(path):
    """Of all variables that the file stores in chunks; None where the large one is not."""
    count = 0
    with netCDF4.Dataset(path) as d:
        if d.data_model != "NETCDF4" or d["t2m"].chunking() == "contiguous":
            return None
        for variable in d.variables.values():
            chunking = variable.chunking()
            sides = variable.shape if chunking == "contiguous" else chunking
            count += int(np.prod([-(-size // side) for size, side in zip(variable.shape, sides)]))
    return count


@dataclasses.dataclass
class Watched:
    code: int
    events: list
    errors: str
    peak_rss: int  # bytes, as are the others
    peak_space: int
    read: int
    written: int

    @property
    def published(self):
        assert self.code == 0, self.errors[-2000:]
        return self.events[-1]


def numbers(text):
    return {words[0].rstrip(":"): int(words[1]) for words in map(str.split, text.splitlines()) if len(words) > 1
            and words[1].isdigit()}


def watch(binary, *words, limit=None):
    """Runs the command and looks at it until it ends. limit: of its address space, in bytes."""
    command = ["prlimit", f"--as={limit}"] if limit else []
    with subprocess.Popen([*command, str(binary), *map(str, words), "--json"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        folder, status, io = pathlib.Path(f"/proc/{process.pid}"), {}, {}
        while process.poll() is None:
            try:
                status = {**status, **numbers((folder / "status").read_text())}
                io = numbers((folder / "io").read_text()) or io
            except (OSError, ValueError):
                pass
            time.sleep(0.01)
        out, errors = process.communicate()
    events = [json.loads(line) for line in out.splitlines()]
    return Watched(process.returncode, events, errors, status.get("VmHWM", 0) * 1024, status.get("VmPeak", 0) * 1024,
                   io.get("rchar", 0), io.get("wchar", 0))
