"""The stages of `make test`, in order. Each runs whatever the ones before said; the end shows a table and one
line of totals, and the exit code is 1 when anything failed. Called by tests/run."""
import argparse
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

import judges
from tally import Tally, from_ctest, from_pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
REPORTS = ROOT / "build" / "reports"
PEERS = pathlib.Path(os.environ.setdefault("PEERS_DIR", str(ROOT / "build" / "peers"))).resolve()
SHARED = pathlib.Path(os.environ.setdefault("RASTRUM_SHARED", str(ROOT.parent / "shared"))).resolve()
PYTHON = PEERS / "venv" / "bin" / "python"
os.environ.setdefault("PEERS_PYTHON", str(PYTHON))
CORES = str(os.cpu_count() or 1)
SANITIZED = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "LSAN_OPTIONS": f"suppressions={ROOT}/tests/support/lsan.supp:print_suppressions=0",
    "RASTRUM_SANITIZED": "1",
}


def run(*command, env=None, quiet=False):
    """True when the command succeeds; quiet shows its output only when it does not."""
    words = [str(word) for word in command]
    where = subprocess.PIPE if quiet else None
    done = subprocess.run(words, cwd=ROOT, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                          stdout=where, stderr=subprocess.STDOUT if quiet else None, text=quiet)
    if quiet and done.returncode:
        print(done.stdout, flush=True)
    return done.returncode == 0


def build(preset):
    tally = Tally()
    launcher = {"CMAKE_C_COMPILER_LAUNCHER": "ccache"} if shutil.which("ccache") else {}
    ok = run("cmake", "--preset", preset, "--log-level=WARNING", env=launcher, quiet=True)
    ok = ok and run("cmake", "--build", "--preset", preset, "-j", CORES, quiet=True)
    tally.add(f"build/{preset}", ok)
    return tally


def ctest(preset, *filters, env=None):
    report = REPORTS / f"ctest-{preset}{'-'.join(filters)}.xml".replace("|", "-")
    report.unlink(missing_ok=True)
    run("ctest", "--preset", preset, *filters, "-j", CORES, "--output-junit", report, "--quiet",
        "--test-output-size-passed", 1 << 20, "--test-output-size-failed", 1 << 20,
        "--output-log", report.with_suffix(".log"), env=env)
    if not report.exists():
        return failure(f"ctest/{preset}", "it ended without a report")
    tally = from_ctest(report)
    if tally.failed:
        print(report.with_suffix(".log").read_text(errors="replace")[-20000:], flush=True)
    for name in tally.failed:
        print(f"FAILED {name}", flush=True)
    return tally


def failure(name, why):
    tally = Tally()
    tally.add(name, False, why)
    return tally


def venv():
    """The pinned packages, installed once for each version of the lists."""
    wanted, alone = (ROOT / "tests" / "support" / name for name in ("requirements.txt", "alone.txt"))
    stamp = PEERS / "venv" / ".requirements.sha256"
    digest = hashlib.sha256(wanted.read_bytes() + alone.read_bytes()).hexdigest()
    tally = Tally()
    ok = PYTHON.exists() and stamp.exists() and stamp.read_text() == digest
    if not ok:
        PEERS.mkdir(parents=True, exist_ok=True)
        ok = PYTHON.exists() or run("/usr/bin/python3", "-m", "venv", PEERS / "venv")
        pip = (PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore")
        ok = ok and run(*pip, "-r", wanted) and run(*pip, "--no-deps", "-r", alone)
        if ok:
            stamp.write_text(digest)
    tally.add("venv", ok)
    tally.add("venv/zarr2", ok and zarr2())
    if shutil.which("npm"):
        tally.add("venv/zarrita", zarrita())
    return tally


def zarr2():
    """zarr-python 2, which cannot stand in one environment with 3: a folder for PYTHONPATH."""
    wanted, folder = ROOT / "tests" / "support" / "requirements-zarr2.txt", PEERS / "zarr2"
    stamp = folder / ".requirements"
    if stamp.exists() and stamp.read_bytes() == wanted.read_bytes():
        return True
    shutil.rmtree(folder, ignore_errors=True)
    ok = run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore",
             "--target", folder, "-r", wanted, quiet=True)  # it complains of the other environment
    if ok:
        stamp.write_bytes(wanted.read_bytes())
    return ok


def zarrita():
    """zarrita.js, by the lock file; the tests that need it skip where there is no npm."""
    wanted, folder = ROOT / "tests" / "support" / "zarrita", PEERS / "zarrita"
    stamp = folder / ".complete"
    if stamp.exists() and stamp.read_bytes() == (wanted / "package-lock.json").read_bytes():
        return True
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(wanted, folder)
    ok = run("npm", "ci", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
    if ok:
        stamp.write_bytes((wanted / "package-lock.json").read_bytes())
    return ok


def pytest(preset, *options, env=None):
    report = REPORTS / f"pytest-{preset}.xml"
    report.unlink(missing_ok=True)
    binary = ROOT / "build" / preset / "rastrum"
    if not binary.exists():
        return failure(f"http/{preset}", f"{binary} is not there")
    run(PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml", report, "tests/http", *options,
        env={"RASTRUM_BIN": str(binary), "PYTHONDONTWRITEBYTECODE": "1", **(env or {})})
    return from_pytest(report) if report.exists() else failure(f"http/{preset}", "it ended without a report")


def lint(long):
    tally = Tally()
    run("cmake", "--preset", "lint", "--log-level=WARNING", quiet=True)
    for tool in ("clang-format", "clang-tidy", "luacheck"):
        tally.add(f"lint/{tool}", run("tests/support/lint", "build/lint", tool))
    return tally


def valgrind():
    """The Lua specs, which go over the whole border between C and Lua."""
    tally = Tally()
    command = ("valgrind", "-q", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite",
               ROOT / "build" / "release" / "tests" / "lua" / "run_spec")
    for spec in sorted((ROOT / "tests" / "lua").glob("*_spec.lua")):
        tally.add(f"valgrind/{spec.stem}", run(*command, spec, quiet=True))
    return tally


def merge(*tallies):
    out = Tally()
    for tally in tallies:
        out.passed += tally.passed
        out.failed += tally.failed
        out.skipped += tally.skipped
    return out


def marks(long, sanitized):
    unwanted = ([] if long else ["long"]) + (["release_only"] if sanitized else [])
    return ["-m", " and ".join(f"not {mark}" for mark in unwanted)] if unwanted else []


STAGES = {
    "build": lambda long: merge(build("release"), build("asan")),
    "venv": lambda long: venv(),
    "unit": lambda long: ctest("release", "-LE", "lua"),
    "lua": lambda long: ctest("release", "-L", "lua"),
    "http": lambda long: pytest("release", *marks(long, False)),
    "lint": lint,
    "acceptance": lambda long: judges.acceptance(ROOT, SHARED, PYTHON, REPORTS),
    "clients": lambda long: judges.clients(ROOT, SHARED, PYTHON, REPORTS),
    "unit asan": lambda long: ctest("asan", "-LE", "lint", env=SANITIZED),
    "http asan": lambda long: pytest("asan", *marks(long, True), env=SANITIZED),
}
LONG_STAGES = {
    "unit tsan": lambda long: merge(build("tsan"), ctest("tsan", "-L", "unit")),
    "http tsan": lambda long: pytest("tsan", "-k", "test_reload or test_admission", *marks(False, True),
                                     env={"RASTRUM_SANITIZED": "1"}),
    "valgrind": lambda long: valgrind(),
}


def allowed_skips():
    lines = (ROOT / "tests" / "allowed-skips").read_text().splitlines()
    return {line.split("#")[0].strip() for line in lines} - {""}


def refuse_skips(tally, allowed):
    for name, _ in tally.skipped:
        if name not in allowed:
            tally.add(name, False, "skipped, which tests/allowed-skips does not allow")
    tally.skipped = [skip for skip in tally.skipped if skip[0] in allowed]


def show(rows):
    print("\n== result")
    print(f"{'stage':<12} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>8}")
    for name, tally, seconds in rows:
        print(f"{name:<12} {tally.passed:>7} {len(tally.failed):>7} {len(tally.skipped):>8} {seconds:>8.0f}")
    total = merge(*(tally for _, tally, _ in rows))
    for name in total.failed:
        print(f"FAILED {name}")
    print(f"{total.passed} passed, {len(total.failed)} failed, {len(total.skipped)} skipped", flush=True)
    return 1 if total.failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deps-seconds", type=float, default=0)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join([*STAGES, *LONG_STAGES]))
    options = parser.parse_args()
    stages = {**STAGES, **(LONG_STAGES if options.long or options.stages else {})}
    for name in options.stages:
        if name not in stages:
            parser.error(f"there is no stage '{name}'; one of: {', '.join(stages)}")
    REPORTS.mkdir(parents=True, exist_ok=True)
    allowed = allowed_skips() if os.environ.get("CI") == "true" else None
    rows = [("deps", Tally(passed=1), options.deps_seconds)]
    for name, stage in stages.items():
        if options.stages and name not in options.stages:
            continue
        print(f"\n== {name}", flush=True)
        started = time.monotonic()
        try:
            tally = stage(options.long)
        except Exception as error:  # a fault of one stage must not hide the others
            tally = failure(name, f"{type(error).__name__}: {error}")
        if allowed is not None:
            refuse_skips(tally, allowed)
        rows.append((name, tally, time.monotonic() - started))
        print(f"-- {name}: {rows[-1][2]:.0f} s", flush=True)
    return show(rows)


if __name__ == "__main__":
    sys.exit(main())
