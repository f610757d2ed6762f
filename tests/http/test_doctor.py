"""`rastrum doctor`: a line for each thing that it looks at, and each kind of trouble found and mended."""
import json
import os
import resource
import socket
import subprocess
import time

import pytest

from conftest import ROOT

CHECKS = {"program", "libraries", "proj", "files", "memory", "clock", "port", "store", "disk", "scratch", "catalog", "plugins", "ramps", "tile matrix sets"}
# Root may do everything; without these capabilities it is refused like anybody else.
AS_ANYBODY = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()


@pytest.fixture
def doctor(binary, tmp_path):
    """doctor(*options) -> (exit code, {check: its findings}); the folder is one where nothing is wrong."""
    (tmp_path / "data").mkdir()

    def run(*options, before=(), env=None, **more):
        words = [*before, str(binary), "doctor", "--json", "--listen", "127.0.0.1:0", "--store", str(tmp_path / "data"), *map(str, options)]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
                              env={**os.environ, **(env or {})}, **more)
        report, found = json.loads(done.stdout), {}
        for each in report["checks"]:
            found.setdefault(each["check"], []).append(each)
            assert (each["status"] == "ok") == (each["mend"] is None), each
        worst = {each["status"] for each in report["checks"]}
        assert report["status"] == ("fail" if "fail" in worst else "warn" if "warn" in worst else "ok")
        assert done.returncode == (1 if report["status"] == "fail" else 0)
        return done.returncode, found

    return run


def first(found, check, status):
    return next(each for each in found[check] if each["status"] == status)


def test_a_sound_place(doctor, store, rastrum):
    code, found = doctor("--store", store)
    assert code == 0 and set(found) == CHECKS
    assert {each["status"] for each in sum(found.values(), []) if each["check"] not in ("disk", "scratch", "files", "memory")} == {"ok"}
    for library in ("netCDF 4.", "HDF5 1.", "PROJ 9.", "libuv 1.", "SQLite 3.", "LuaJIT 2.", "zstd 1.", "libcurl 7.", "OpenSSL 3."):
        assert library in found["libraries"][0]["found"]
    text = rastrum("doctor", "--store", store, "--listen", "127.0.0.1:0").stdout
    assert all(line.split()[0] in ("ok", "warn", "fail", "to") for line in text.splitlines())


def test_trouble_of_the_store(doctor, tmp_path):
    code, found = doctor("--store", tmp_path / "none")
    assert code == 0 and "no store yet" in first(found, "store", "warn")["found"]
    (tmp_path / "shut").mkdir(mode=0o500)
    code, found = doctor("--store", tmp_path / "shut", before=AS_ANYBODY)
    assert code == 0 and "not written: Permission denied" in first(found, "store", "warn")["found"]
    code, found = doctor("--store", tmp_path / "shut" / "below", before=AS_ANYBODY)
    assert code == 1 and "none can be made" in first(found, "store", "fail")["found"]
    (tmp_path / "shut").chmod(0)
    code, found = doctor("--store", tmp_path / "shut", before=AS_ANYBODY)
    assert code == 1 and "cannot be read: Permission denied" in first(found, "store", "fail")["found"]


def test_trouble_of_scratch(doctor, tmp_path):
    code, found = doctor("--scratch", tmp_path / "none")
    assert code == 1 and "No such file" in first(found, "scratch", "fail")["found"]


def test_trouble_of_the_folder_that_is_watched(doctor, tmp_path):
    assert "No such file" in first(doctor("--watch", tmp_path / "none")[1], "watch", "fail")["found"]
    assert "can be read and written" in first(doctor("--watch", tmp_path)[1], "watch", "ok")["found"]
    (tmp_path / "shut").mkdir(mode=0o500)
    code, found = doctor("--watch", tmp_path / "shut", before=AS_ANYBODY)
    assert code == 0 and "cannot be put beside it: Permission denied" in first(found, "watch", "warn")["found"]
    (tmp_path / "shut").chmod(0)
    code, found = doctor("--watch", tmp_path / "shut", before=AS_ANYBODY)
    assert code == 1 and "cannot be read: Permission denied" in first(found, "watch", "fail")["found"]


def test_trouble_of_the_catalog(doctor, tmp_path):
    (tmp_path / "broken.db").write_bytes(b"no database at all " * 400)
    code, found = doctor("--catalog", f"sqlite:{tmp_path}/broken.db")
    assert code == 1 and "not a database" in first(found, "catalog", "fail")["found"]


def test_trouble_of_plugins_and_ramps(doctor, tmp_path):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "broken.lua").write_text("return {")
    (tmp_path / "ramps").mkdir()
    (tmp_path / "ramps" / "torn.json").write_text('{"type": "linear", "colors": ["#00"]}')
    code, found = doctor("--plugins", tmp_path / "plugins", "--colormaps", tmp_path / "ramps")
    assert code == 1 and "broken is refused: broken.lua:1:" in first(found, "plugins", "fail")["found"]
    assert first(found, "ramps", "fail")["found"].startswith("torn: ")


def test_a_folder_that_is_missing(doctor, tmp_path):
    code, found = doctor("--plugins", tmp_path / "none")
    assert code == 1 and "there is no such folder" in first(found, "plugins", "fail")["found"]


def test_trouble_of_limits(doctor):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (700, 700))

    code, found = doctor(preexec_fn=few)
    assert code == 1 and "only 700 files" in first(found, "files", "fail")["found"]
    code, found = doctor("--max-connections", "100000000")
    assert code == 0 and "--max-connections" in first(found, "files", "warn")["found"]
    code, found = doctor("--block-cache", "4000G")
    assert code == 0 and "--block-cache" in first(found, "memory", "warn")["mend"]


def test_trouble_of_the_port(doctor, server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, found = doctor("--listen", address)
        assert code == 1 and "the port is taken" in first(found, "port", "fail")["found"]
        assert doctor("--listen", address, "--next-free-port")[0] == 0
    code, found = doctor("--listen", f"127.0.0.1:{server.port}")
    assert code == 0 and "rastrum answers there" in first(found, "port", "ok")["found"]


def test_trouble_of_the_clock(doctor, tmp_path):
    doctor()
    catalog = tmp_path / "data" / "catalog.db"
    catalog.touch()
    os.utime(catalog, (time.time() + 5 * 86400,) * 2)
    code, found = doctor()
    assert code == 1 and "hours before the catalog was last written" in first(found, "clock", "fail")["found"]


def test_trouble_of_projections(doctor, tmp_path):
    code, found = doctor(env={"PROJ_DATA": str(tmp_path), "PROJ_LIB": str(tmp_path)})
    assert code == 1 and "does not find its database" in first(found, "proj", "fail")["found"]


@pytest.mark.release_only
def test_trouble_of_the_disk(doctor, tmp_path):
    library = tmp_path / "fakes.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, ROOT / "tests" / "http" / "fakes.c", "-ldl"], check=True)
    for mib, status in ((500, "warn"), (10, "fail")):
        code, found = doctor(env={"LD_PRELOAD": str(library), "FAKE_FREE_MIB": str(mib)})
        assert code == (status == "fail") and f"only {mib} MiB are free" in first(found, "disk", status)["found"]
        assert first(found, "scratch", status)
