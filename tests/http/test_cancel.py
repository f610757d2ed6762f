"""Clients that leave, at every stage of a request: what was begun for them stops, and memory returns."""
import pytest
from conftest import ROOT, Client
from gates import GET, POINTS, SERIES, TILE, lane, send
from wire import Wire, ask, gauge, wait_for

HTTP = ROOT / "tests" / "http"
LEAVING = pytest.mark.parametrize("leave", (Wire.reset, lambda wire: wire.socket.close()), ids=("reset", "closed"))

pytestmark = pytest.mark.release_only  # what is loaded in front of the C library goes badly with the sanitizers


@pytest.fixture(scope="module")
def plain(start, wide):
    return start(wide, "--plugins", HTTP / "wireplugins")


def idle(port):
    """Nothing is done for anybody but the one who asks."""
    return gauge(port, "rastrum_lua_tasks") <= 1 and gauge(port, "rastrum_http_connections") <= 1 and not any(
        lane(port, what, name) for what in ("running", "waiting", "bytes") for name in ("cpu", "heavy", "io"))


def cancelled(port, name="heavy"):
    return gauge(port, f'rastrum_lane_jobs_total{{lane="{name}",outcome="cancelled"}}')


@LEAVING
@pytest.mark.parametrize("request_, path", ((GET.format(TILE, ""), ".tif"), (SERIES, "data.zarr/")), ids=("tile", "series"))
def test_a_running_job_stops(start, wide, gated, request_, path, leave):
    """Held at its first block, it reads no other one when its client has gone."""
    gate = gated(path)
    server = start(wide, "--threads", "1", env=gate.env)
    gate.close()
    wire = send(server.port, request_)
    wait_for(lambda: gate.reads() and lane(server.port, "running", "heavy") == 1, what="the job runs")
    leave(wire)
    wait_for(lambda: gauge(server.port, "rastrum_lua_tasks") <= 1, what="the task is dropped")
    before = gate.reads()
    gate.open()
    wait_for(lambda: idle(server.port), what="the job has ended")
    left = gauge(server.port, "rastrum_external_bytes")
    stopped = gate.reads()
    assert ask(server.port, request_)[0] == 200
    wait_for(lambda: idle(server.port))
    whole = gate.reads() - stopped
    assert whole > 8 and stopped - before <= 2, f"{stopped} of {whole} blocks were read for nobody"
    assert left <= gauge(server.port, "rastrum_external_bytes") + 4096


@LEAVING
def test_waiting_jobs_leave_their_lane(start, wide, gated, leave):
    """At once, while the one before them still stands."""
    gate = gated(".tif")
    server = start(wide, "--threads", "1", env=gate.env)
    gate.close()
    first = send(server.port, GET.format(TILE, ""))
    wait_for(gate.reads, what="the first one runs")
    others = [send(server.port, GET.format(TILE, "") if i % 2 else SERIES) for i in range(40)]
    wait_for(lambda: lane(server.port, "waiting", "heavy") == 40)
    for wire in others:
        leave(wire)
    wait_for(lambda: lane(server.port, "waiting", "heavy") == 0 and cancelled(server.port) == 40)
    assert gate.gate.exists() and lane(server.port, "running", "heavy") == 1
    gate.open()
    assert first.answer()[0] == 200, "it is none of its business"
    first.socket.close()
    wait_for(lambda: idle(server.port))


@LEAVING
def test_a_stored_object_on_its_way(start, wide, gated, leave):
    """Its file is read piece by piece; the next piece of one who has gone is not."""
    gate = gated(".tif")
    server = start(wide, env=gate.env)
    tif = max((path for path in wide.rglob("*.tif")), key=lambda path: path.stat().st_size)
    path = "/data/" + str(tif.relative_to(wide))
    pieces = tif.stat().st_size // 65536
    assert pieces > 20
    with Client(server) as http:
        assert len(http.get(path).content) == tif.stat().st_size
    gate.close()
    wires = [send(server.port, GET.format(path, "")) for _ in range(3)]
    wait_for(lambda: lane(server.port, "running", "io") == 3)
    for wire in wires:
        leave(wire)
    gate.open()
    wait_for(lambda: idle(server.port))
    assert gate.reads() <= 3 * 4, "of the pieces of three clients"
    with Client(server) as http:
        assert len(http.get(path).content) == tif.stat().st_size


@LEAVING
def test_a_search_on_its_way(start, wide, gated, leave):
    gate = gated("catalog.db")
    server = start(wide, "--catalog-staleness", "1ms", env=gate.env)
    for _ in range(3):
        gate.close()
        wires = [send(server.port, GET.format(path, "")) for path in
                 ("/stac/search?limit=10", "/stac/collections/wide/items", "/tiles/wide/tilejson.json") * 5]
        wires.append(send(server.port, "POST /stac/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                                       'Content-Length: 11\r\n\r\n{"limit":5}'))
        for wire in wires:
            leave(wire)
        gate.open()
        wait_for(lambda: idle(server.port))
        with Client(server) as http:
            assert http.get("/stac/search?limit=10").status_code == 200


@LEAVING
@pytest.mark.parametrize("part", (5, len(SERIES) - len(POINTS) - 10, len(SERIES) - 10), ids=("head", "fields", "body"))
def test_a_request_half_sent(plain, part, leave):
    port = plain.port
    wires = [send(port, SERIES[:part]) for _ in range(50)]
    wait_for(lambda: gauge(port, "rastrum_http_connections") == 51)
    for wire in wires:
        leave(wire)
    wait_for(lambda: idle(port))
    assert gauge(port, "rastrum_external_bytes") == 0


@LEAVING
def test_a_handler_that_waits(plain, leave):
    wires = [send(plain.port, GET.format("/slow/30000", "")) for _ in range(50)]
    wait_for(lambda: gauge(plain.port, "rastrum_lua_tasks") == 51)
    for wire in wires:
        leave(wire)
    wait_for(lambda: idle(plain.port))


@LEAVING
def test_an_answer_on_its_way(plain, leave):
    """Some of it is read, the rest is held for a client that does not come back."""
    before = gauge(plain.port, "rastrum_external_bytes")
    wires = [send(plain.port, GET.format("/big/4096", "") * 3) for _ in range(10)]
    for wire in wires:
        assert wire.socket.recv(1000)
    assert gauge(plain.port, "rastrum_external_bytes") > before
    for wire in wires:
        leave(wire)
    wait_for(lambda: idle(plain.port) and gauge(plain.port, "rastrum_external_bytes") <= before)
