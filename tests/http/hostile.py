"""Files made to do harm, and what has to come of them: a refusal in one sentence (or a sane result), nothing left behind,
memory within --memory, no byte of the secret beside the file, which the kernel says nobody opened."""
import contextlib
import ctypes
import dataclasses
import json
import os
import pathlib
import re
import sqlite3
import struct
import subprocess
import sys
import typing

MARKER = b"SECRETSECRETSECRETSECRETSECRETSECRET"  # reads as plausible numbers too: 9 floats of 3e12
SANITIZED = os.environ.get("RASTRUM_SANITIZED") == "1"
MEMORY = 128 << 20
BASE = 24 << 20  # beyond --memory: shared libraries and PROJ's database, of which an ingest that is refused needs most
SECONDS = 120 if SANITIZED else 30  # after which it hangs; all are done in a fraction of one
TRACE = re.compile(r"Traceback|stack traceback|Sanitizer|runtime error|HDF5-DIAG|infinite loop|Segmentation|terminate called|free\(\)|malloc")
IN_OPEN, IN_ACCESS, IN_CREATE, IN_NONBLOCK = 0x20, 0x1, 0x100, 0o4000

# Of a child's peak the kernel takes over what its parent had: so a small process starts it.
MEASURE = """
import ctypes, os, sys
child = os.fork()
if not child:
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG: what hangs ends with its test
    os.execv(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(child, 0)
open(sys.argv[1], "w").write(f"{os.waitstatus_to_exitcode(status)} {usage.ru_maxrss}")
"""


class Watch:
    """Counts who opens or reads a file, by the kernel's own word (inotify)."""

    libc = ctypes.CDLL(None, use_errno=True)

    def __init__(self, path):
        self.fd = self.libc.inotify_init1(IN_NONBLOCK)
        assert self.fd >= 0 and self.libc.inotify_add_watch(self.fd, os.fsencode(path), IN_OPEN | IN_ACCESS) >= 0

    def events(self):
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            return 0
        count = 0
        while data:
            data = data[16 + struct.unpack_from("iIII", data)[3]:]
            count += 1
        return count

    def close(self):
        os.close(self.fd)


@dataclasses.dataclass
class Case:
    name: str
    make: typing.Callable  # (folder, secret) -> the path that is ingested
    says: str              # of the refusal, a regular expression; "" for what is read, or refused, without harm
    options: tuple = ()

    def __str__(self):
        return self.name


def registry():
    """(list of cases, decorator that adds one)"""
    cases = []

    def case(says, name=None, options=()):
        def add(make):
            cases.append(Case(name or make.__name__.strip("_"), make, says, options))
            return make
        return add

    return cases, case


@dataclasses.dataclass
class Done:
    code: int
    peak: int
    out: str
    err: str


def run(binary, folder, *words):
    """A command in this folder, with its peak of memory."""
    told = folder / "measured"
    environment = {**os.environ, "TMPDIR": str(folder / "scratch")}
    command = [sys.executable, "-I", "-S", "-c", MEASURE, str(told), str(binary), *map(str, words)]
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False,
                          env=environment)
    code, peak = map(int, told.read_text().split())
    return Done(code, peak << 10, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def left(folder):
    """Files that a refused ingest left in its store or scratch."""
    found = [p for root in ("store", "scratch") for p in (folder / root).rglob("*") if not p.is_dir()]
    return [p for p in found if not p.name.startswith("catalog.db")]


def rows(folder):
    """Datasets in the catalog, and leases that are still held."""
    catalog = folder / "store" / "catalog.db"
    if not catalog.exists():
        return [0, 0]
    with contextlib.closing(sqlite3.connect(catalog)) as db:
        return [db.execute(f"select count(*) from {table}").fetchone()[0] for table in ("datasets", "leases")]


def holds_marker(folder):
    return [p for p in (folder / "store").rglob("*") if p.is_file() and MARKER in p.read_bytes()]


def check_sentence(done, path, says, name):
    lines = done.err.splitlines()
    assert len(lines) == 1, f"{name}: {done.err[:2000]}"
    assert lines[0].startswith("rastrum: ") and path.name in lines[0], f"{name}: {lines[0][:300]}"
    assert re.search(says, lines[0]), f"{name}: {lines[0][:500]}"
    assert len(lines[0]) < 1500, f"{name}: a sentence of {len(lines[0])} characters"
    assert all(c.isprintable() for c in lines[0]), f"{name}: {lines[0][:300]!r}"


def attack(binary, folder, case, copied=True):
    """Ingests and inspects what the case makes, and decodes all that can be where it is `copied`, a file of the test's own;
    asserts what has to hold of each."""
    for part in ("in", "scratch"):
        (folder / part).mkdir()
    secret = folder / "secret"
    secret.write_bytes(MARKER * 4096)
    path = case.make(folder / "in", secret)
    watch = Watch(secret)
    try:
        common = ("--memory", str(MEMORY), "--scratch", folder / "scratch", *case.options)
        ingested = run(binary, folder, "ingest", path, "--collection", "c", "--store", folder / "store", *common)
        decoded = run(binary, folder, "inspect", path, *(["--checksums"] if copied else []), "--json", "--memory", str(MEMORY))
        opened = watch.events()
    finally:
        watch.close()
    assert opened == 0, f"{case}: the secret was opened"
    for done in (ingested, decoded):
        assert done.code in (0, 1), f"{case}: exit {done.code} {done.err[-2000:]}"
        assert not TRACE.search(done.err + done.out), f"{case}: {done.err[-3000:]}"
        assert MARKER.decode() not in done.err + done.out, case
        assert SANITIZED or done.peak <= MEMORY + BASE, f"{case}: {done.peak >> 20} MiB"
    assert not holds_marker(folder), case
    if case.says:
        assert ingested.code == 1, f"{case}: {ingested.out[-500:]}"
        check_sentence(ingested, path, case.says, case)
    if ingested.code == 1:
        assert not left(folder), (str(case), left(folder))
        assert rows(folder) == [0, 0], case
    if decoded.code == 1:
        check_sentence(decoded, path, "", case)
    return ingested, decoded


def put(path, data):
    path.write_bytes(data)
    return path


def put_json(path, value):
    path.write_text(json.dumps(value))
    return path


def folder_of(path):
    path.mkdir(parents=True, exist_ok=True)
    return pathlib.Path(path)
