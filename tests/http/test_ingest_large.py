"""Ingest within its memory, whatever the file's size and the shape of its chunks: under a limit of the address space, each
chunk decoded once, the same objects whatever the memory. Prints what each run took."""
import filecmp
import json
import os
import signal
import subprocess
import time

import netCDF4
import numpy as np
import pytest
import rasterio
import rio_cogeo
import xarray

import large

MIB = 2**20
LIBRARIES = 256 * MIB  # address space of the program, its libraries and the stacks of threads, over --memory


@pytest.fixture(scope="module", params=large.KINDS)
def source(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / f"{request.param}.nc"
    large.make(path, request.param, 32)  # 133 MB raw
    yield path
    path.unlink()


def ingest(binary, path, store, memory):
    done = large.watch(binary, "ingest", path, "--collection", "c", "--store", store, "--memory", f"{memory // MIB}M",
                       limit=memory + LIBRARIES)
    spilled = done.written - done.published["bytes_out"]
    print(f"\n{path.name}: --memory {memory // MIB}M: {done.peak_rss // MIB} MiB of memory, {done.peak_space // MIB} of "
          f"address space, {done.read / 1e6:.0f} MB read ({(done.read - spilled) / path.stat().st_size:.2f} x the file and {spilled / 1e6:.0f} MB spilled), "
          f"{done.published['scratch_bytes'] / 1e6:.0f} MB of scratch, {done.published['seconds']:.1f} s")
    return done


def check(done, path, memory):
    assert done.peak_rss <= memory
    # What is spilled is read back once; the program reads its own files too.
    spilled = done.written - done.published["bytes_out"]
    assert done.read <= 2.1 * path.stat().st_size + spilled + 4 * MIB
    chunks = large.chunk_count(path)
    assert chunks is None or done.published["chunks_read"] == chunks


def objects(store):
    return sorted(p.relative_to(store) for p in (store / "c").rglob("*") if p.is_file())


def same_values(path, store):
    """All of the Zarr, and some maps."""
    version = next((store / "c" / path.stem).iterdir())
    with xarray.open_dataset(path) as a, xarray.open_zarr(version / "data.zarr", chunks=None) as b:
        count = a.sizes["time"]
        for n in range(0, count, 8):
            steps = slice(n, n + 8)
            assert np.array_equal(a["t2m"].isel(time=steps).values, b["t2m"].isel(time=steps).values)
        maps = sorted((version / "t2m").glob("*.tif"))
        assert len(maps) == count
        for n in (0, count // 2, count - 1):
            with rasterio.open(maps[n]) as cog:
                assert np.array_equal(np.roll(a["t2m"].isel(time=n).values, large.COLUMNS // 2, axis=1), cog.read(1))


def same_within(part, a, b):
    assert abs(a - b) <= part * max(a, b), (a, b)


def foretold(rastrum, path, store, memory, published):
    """A dry run tells what the run gave; it writes nothing."""
    out = rastrum("ingest", path, "--collection", "c", "--store", store, "--memory", f"{memory // MIB}M", "--dry-run", "--json")
    plan = json.loads(out.stdout.splitlines()[-1])["plan"]["plan"]
    estimate = plan["estimate"]
    print(f"  foretold: {estimate['bytes'] / 1e6:.1f} MB in {estimate['objects']} objects, {estimate['scratch_bytes'] / 1e6:.0f} MB "
          f"of scratch, {estimate['seconds']:.1f} s; was {published['bytes_out'] / 1e6:.1f} in {published['objects']}, "
          f"{published['scratch_bytes'] / 1e6:.0f}, {published['seconds']:.1f}")
    assert estimate["objects"] == published["objects"] and not store.exists()
    same_within(0.1, estimate["bytes"], published["bytes_out"])
    assert plan["memory_bytes"] <= memory and (estimate["scratch_bytes"] > 0) == (published["scratch_bytes"] > 0)


@pytest.mark.release_only
def test_more_than_memory(binary, rastrum, source, tmp_path):
    little = ingest(binary, source, tmp_path / "little", 96 * MIB)
    check(little, source, 96 * MIB)
    assert little.published["scratch_bytes"] > 0
    same_values(source, tmp_path / "little")
    foretold(rastrum, source, tmp_path / "dry", 96 * MIB, little.published)
    plenty = ingest(binary, source, tmp_path / "plenty", 512 * MIB)
    check(plenty, source, 512 * MIB)
    assert plenty.published["scratch_bytes"] == 0
    names = objects(tmp_path / "little")
    assert names == objects(tmp_path / "plenty") and len(names) > 32
    _, differ, errors = filecmp.cmpfiles(tmp_path / "little", tmp_path / "plenty", names, shallow=False)
    assert not differ and not errors


@pytest.mark.long
@pytest.mark.release_only
@pytest.mark.parametrize("kind", large.KINDS)
def test_four_gigabytes(binary, tmp_path, kind):
    path = large.make(tmp_path / f"{kind}.nc", kind, 1000)
    done = ingest(binary, path, tmp_path / "store", 512 * MIB)
    check(done, path, 512 * MIB)
    same_values(path, tmp_path / "store")


def a_map(binary, path, tmp_path, memory):
    done = ingest(binary, path, tmp_path / "store", memory)
    check(done, path, memory)
    cog = next((tmp_path / "store").rglob("*.tif"))
    with netCDF4.Dataset(path) as a, rasterio.open(cog) as b:
        assert rio_cogeo.cog_validate(str(cog), strict=True, quiet=True)[0]
        for top in range(0, b.height, 1000):
            rows = slice(top, top + 200)
            assert np.array_equal(a["t2m"][rows], b.read(1, window=((top, min(top + 200, b.height)), (0, b.width))))
    return done


@pytest.mark.release_only
def test_a_map_larger_than_memory(binary, tmp_path):
    path = large.make_map(tmp_path / "map.nc", 6000)  # 144 MB
    a_map(binary, path, tmp_path, 112 * MIB)
    ingest(binary, path, tmp_path / "plenty", 1024 * MIB)
    _, differ, errors = filecmp.cmpfiles(tmp_path / "store", tmp_path / "plenty", objects(tmp_path / "plenty"), shallow=False)
    assert not differ and not errors


@pytest.mark.long
@pytest.mark.release_only
def test_a_map_of_six_gigabytes(binary, tmp_path):
    a_map(binary, large.make_map(tmp_path / "map.nc", 40000), tmp_path, 512 * MIB)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return large.make(tmp_path_factory.mktemp("large") / "small.nc", "contiguous", 24)


def test_one_chunk_too_many(rastrum, small, tmp_path):
    done = rastrum("ingest", small, "--store", tmp_path / "store", "--memory", "60M", code=1)
    assert "needs" in done.stderr and "--memory allows 60 MiB" in done.stderr and "'t2m'" in done.stderr
    assert not list(tmp_path.rglob("*.tif"))


def test_scratch_is_checked_before_the_start(rastrum, small, tmp_path):
    words = ("ingest", small, "--store", tmp_path / "store", "--memory", "96M", "--scratch")
    done = rastrum(*words, "/proc/self", code=1)
    assert "--scratch" in done.stderr and "MB" in done.stderr
    done = rastrum(*words, tmp_path / "absent", code=1)
    assert "--scratch" in done.stderr and "absent" in done.stderr
    assert not list(tmp_path.rglob("*.tif"))


def test_scratch_that_fills_up(binary, small, tmp_path):
    limited = 'trap "" XFSZ; ulimit -f 20000; exec "$@"'
    done = subprocess.run(["bash", "-c", limited, "-", binary, "ingest", small, "--store", tmp_path / "store", "--memory", "96M"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "is full after" in done.stderr and "--scratch" in done.stderr
    assert not list(tmp_path.rglob("*.tif"))


def test_a_kill_leaves_no_scratch(binary, small, tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    with subprocess.Popen([str(binary), "ingest", str(small), "--store", str(tmp_path / "store"), "--memory", "96M", "--scratch",
                           str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not spilled(process.pid, folder):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL and not list(folder.iterdir())


def spilled(pid, folder):
    """Whether the process has a file with bytes in the folder."""
    for fd in os.scandir(f"/proc/{pid}/fd"):
        try:
            if os.readlink(fd.path).startswith(str(folder)) and os.stat(fd.path).st_size > 0:
                return True
        except OSError:
            pass
    return False
