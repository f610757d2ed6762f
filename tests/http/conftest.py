"""Fixtures of the HTTP tests: one store with all of sources.py and the example data, one server on it."""
import os
import pathlib
import re
import subprocess

import httpx
import pytest

import gates
import sources as made
from server import Server

ROOT = pathlib.Path(__file__).resolve().parents[2]
SANITIZED = os.environ.get("RASTRUM_SANITIZED") == "1"
TRACE = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|stack traceback:|Assertion .* failed")
EXAMPLES = {"ocean_climate": "coads_climatology.cdf", "relief": "etopo60.cdf"}


@pytest.fixture(scope="session")
def binary():
    path = pathlib.Path(os.environ.get("RASTRUM_BIN", ROOT / "build" / "release" / "rastrum"))
    assert path.exists(), f"{path} is not built"
    return path


@pytest.fixture(scope="session")
def shared():
    path = pathlib.Path(os.environ.get("RASTRUM_SHARED", ROOT.parent / "shared"))
    if not (path / "data" / "manifest.json").exists():
        pytest.skip(f"the test data are not at {path}")
    return path


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    """name -> Source; the name is also the collection's."""
    return made.make_all(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="session")
def rastrum(binary):
    """rastrum(*words, code=0) runs the command to its end; no trace may ever be printed."""

    def run(*words, code=0, timeout=300, **options):
        done = subprocess.run([str(binary), *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=timeout, check=False, **options)
        assert not TRACE.search(done.stderr + done.stdout), done.stderr[-6000:]
        if code is not None:
            assert done.returncode == code, f"{words}: exit {done.returncode}\n{done.stderr[-3000:]}"
        return done

    return run


@pytest.fixture(scope="session")
def store(tmp_path_factory, rastrum, sources):
    place = tmp_path_factory.mktemp("store")
    files = {name: source.path for name, source in sources.items()}
    files.update({name: ROOT / "examples" / "data" / file for name, file in EXAMPLES.items()})
    for name, path in files.items():
        rastrum("ingest", path, "--collection", name, "--store", place)
    return place


class Client(httpx.Client):
    """An HTTP client of one server; `get` and the like take paths."""

    def __init__(self, server):
        super().__init__(base_url=server.url, timeout=60, follow_redirects=False)
        self.server = server

    def ok(self, path, **params):
        """A GET that must be answered 200."""
        answer = self.get(path, params=params)
        assert answer.status_code == 200, f"{answer.url}: {answer.status_code} {answer.text[:500]}"
        return answer

    def problem(self, status, path, **params):
        """A GET that must be refused with this status and a problem document, which is returned."""
        answer = self.get(path, params=params)
        assert answer.status_code == status, f"{answer.url}: {answer.status_code} {answer.text[:500]}"
        assert answer.headers["content-type"].split(";")[0] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == status and problem["title"]
        return problem


@pytest.fixture(scope="session")
def start(binary, tmp_path_factory):
    """start(store, *options) -> Server: a server of one's own; ended, and its log read, after the session.
    With plugins that fail on purpose `lua_traces` may stand in the log."""
    running = []

    def begin(store, *options, env=None, lua_traces=False):
        log = tmp_path_factory.mktemp("server") / "log"
        if SANITIZED:  # what takes so much longer there
            env = {"RASTRUM_LUA_TIME": "500ms", **(env or {})}
        server = Server(binary, store, log, options, env)
        server.lua_traces = lua_traces
        running.append(server)
        return server

    yield begin
    for server in running:
        was_alive = server.alive()
        code = server.stop()
        log = server.log().replace("stack traceback:", "") if server.lua_traces else server.log()
        assert not TRACE.search(log), log[-8000:]
        assert not was_alive or code == 0, f"exit {code} after SIGTERM: {server.log()[-3000:]}"


@pytest.fixture(scope="session")
def server(start, store):
    return start(store, "--colormaps", ROOT / "tests" / "http" / "colormaps")


@pytest.fixture(scope="session")
def http(server):
    with Client(server) as client:
        yield client


@pytest.fixture(scope="session")
def wide(tmp_path_factory, rastrum, sources):
    """A store with the collection `wide` (gates.py) and a small one beside it."""
    folder = tmp_path_factory.mktemp("wide")
    gates.make_wide(folder / "wide.nc")
    for name, path in (("wide", folder / "wide.nc"), ("globe", sources["globe"].path)):
        rastrum("ingest", path, "--collection", name, "--store", folder / "store")
    return folder / "store"


@pytest.fixture
def gated(tmp_path):
    """gated(path) -> Gate; open again at the end, whatever happened, so that the server can end."""
    made_ = []

    def make(path):
        made_.append(gates.Gate(tmp_path, path))
        return made_[-1]

    yield make
    for gate in made_:
        gate.gate.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def timed(request):
    """Whether times are compared: in the long run alone. Elsewhere they are only shown."""
    return not SANITIZED and "not long" not in request.config.getoption("markexpr")


@pytest.fixture(scope="session")
def stress_report():
    """title -> lines of Markdown; at the end they are printed and stand in build/reports."""
    sections = {}
    yield sections
    text = "\n\n".join("\n".join((f"## {title}", "", *lines)) for title, lines in sections.items())
    text += f"\n\nLoad of the machine at the end: {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs.\n"
    path = ROOT / "build" / "reports" / ("stress-sanitized.md" if SANITIZED else "stress.md")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    print("\n" + text)


@pytest.fixture(scope="session")
def packages(binary, tmp_path_factory):
    """name -> the package file, made of the binary that is tested."""
    folder = tmp_path_factory.mktemp("packages")
    done = subprocess.run(["cpack", "-B", folder], cwd=pathlib.Path(binary).resolve().parent, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.name.split("_")[0]: path for path in folder.glob("*.deb")}
