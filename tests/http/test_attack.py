"""What hostile or broken clients send: every request gets a stated answer, and the others notice nothing."""
import json
import resource
import socket
import statistics
import time

import pytest
from attackcases import CASES, HOST, LOOSER, NEXT, STRICTER
from conftest import ROOT, SANITIZED, Client
from nginx import BINARY as NGINX
from nginx import Nginx
from wire import Wire, ask, gauge, statuses, wait_for
from workerof import memory_of, worker_of

PLUGINS = ROOT / "tests" / "http" / "wireplugins"
GET = "GET {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n"
TILE = "/tiles/globe/2/1/1.png?variable=sst"
MIB = 1 << 20
LAST = NEXT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


@pytest.fixture(scope="module")
def attacked(start, store):
    return start(store, "--plugins", PLUGINS)


@pytest.fixture(scope="module")
def hasty(start, store):
    """With short times and a small table of connections."""
    return start(store, "--plugins", PLUGINS, "--header-timeout", "300ms", "--body-timeout", "300ms", "--write-timeout",
                 "300ms", "--idle-timeout", "600ms", "--max-connections", "40")


@pytest.fixture(scope="module")
def nginx(tmp_path_factory):
    if not NGINX.exists():
        pytest.skip("nginx is not unpacked in build/tools")
    with Nginx(tmp_path_factory.mktemp("nginx")) as judge:
        yield judge


# ---- what is a request, and where does it end


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}: {case[1]}")
def test_taken_or_refused(attacked, case):
    _, _, data, wanted = case
    got = statuses(attacked.port, data + LAST)
    if 200 in wanted and got[:1] == [200]:
        assert got == [200, 200], "what comes next is the next request"
    else:
        assert len(got) == 1 and got[0] in wanted, "a refusal is the last answer"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[1])
def test_as_strict_as_nginx(attacked, nginx, case):
    """Taken by both, refused by both, or refused by us alone for the reason that the table states."""
    _, name, data, _ = case
    ours = statuses(attacked.port, data + LAST) == [200, 200]
    said = [status for status in statuses(nginx.port, data + LAST, end=True) if status != 100]
    theirs = said[:1] == [200]
    assert (name in LOOSER) == (ours and not theirs), f"nginx says {said}"
    assert (name in STRICTER) == (theirs and not ours), f"nginx says {said}"


def test_one_byte_at_a_time(attacked):
    """Where the bytes are cut changes nothing."""
    for _, name, data, wanted in CASES:
        if len(data) > 300 or 200 not in wanted:
            continue
        with Wire(attacked.port) as wire:
            wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(len(data)):
                wire.send(data[i:i + 1])
            status = wire.answer()[0]
            if status == 100:  # the body was not there yet
                status = wire.answer()[0]
            assert status in wanted, name


# ---- ahead of time, half, and gone


def test_pipelined_requests_are_answered_in_order(attacked):
    """Slow ones before fast ones, bodies between; the client reads only after it has sent them all."""
    count = 400
    with Wire(attacked.port) as wire:
        for i in range(count):
            wire.send(GET.format("/slow/20" if i % 50 == 0 else "/echo", f"X-Request-Id: r{i}\r\n") if i % 3 else
                      f"POST /echo HTTP/1.1\r\n{HOST}X-Request-Id: r{i}\r\nContent-Length: 4\r\n\r\n{i:04d}")
        for i in range(count):
            status, headers, body = wire.answer()
            assert status == 200 and headers["x-request-id"] == f"r{i}"
            assert i % 3 or body == b"%04d" % i


def test_what_is_sent_ahead_is_not_read_without_end(attacked):
    """Behind a slow answer a client may send 64 KiB; more stays in its own socket."""
    worker = worker_of(attacked)
    before, wires = memory_of(worker), []
    request = GET.format("/echo", "X: " + "y" * 1000 + "\r\n").encode()
    for _ in range(20):
        wires.append(Wire(attacked.port))
        wires[-1].send(GET.format("/slow/3000", ""))
        wires[-1].socket.setblocking(False)
        sent = 0
        try:
            while sent < 64 * MIB:
                sent += wires[-1].socket.send(request * 60)
        except BlockingIOError:
            pass
        assert sent < 64 * MIB
    assert memory_of(worker) - before < (64 if SANITIZED else 12) * MIB
    for wire in wires:
        wire.reset()


def test_expectations(attacked):
    head = f"POST /echo HTTP/1.1\r\n{HOST}Expect: 100-continue\r\n"
    with Wire(attacked.port) as wire:  # the body is wanted, and is read
        wire.send(head + "Content-Length: 5\r\n\r\n")
        assert wire.answer(head=True)[0] == 100
        wire.send("hello")
        assert wire.answer()[::2] == (200, b"hello")
        wire.send(head + "Transfer-Encoding: chunked\r\n\r\n")
        assert wire.answer(head=True)[0] == 100
        wire.send("5\r\nhello\r\n0\r\n\r\n")
        assert wire.answer()[::2] == (200, b"hello")
    for more, status in (("Content-Length: 3000000\r\n", 413), ("Content-Encoding: gzip\r\nContent-Length: 5\r\n", 415),
                         ("Content-Length: 5\r\nContent-Length: 6\r\n", 400), ("Transfer-Encoding: gzip\r\n", 400)):
        assert statuses(attacked.port, f"{head}{more}\r\n") == [status], "refused without a 100"
    assert statuses(attacked.port, f"POST /echo HTTP/1.1\r\n{HOST}Expect: 200-ok\r\nContent-Length: 5\r\n\r\n") == [417]
    assert statuses(attacked.port, b"POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello") == [200]


@pytest.mark.parametrize("count", (1, 3))
@pytest.mark.parametrize("path", ("/echo", "/slow/300", "/big/4096", TILE))
def test_a_half_closed_client_gets_its_answers(attacked, path, count):
    with Wire(attacked.port) as wire:
        wire.send(GET.format(path, "") * count)
        wire.end()
        for _ in range(count):
            assert wire.answer()[0] == 200
        assert wire.closed()


def test_a_half_closed_request_is_dropped(attacked):
    for part in ("GET /ec", GET.format("/echo", "")[:-2], f"POST /echo HTTP/1.1\r\n{HOST}Content-Length: 9\r\n\r\nabc"):
        assert statuses(attacked.port, part, end=True) == []


def test_resets_at_any_moment(attacked):
    """The client goes with RST after each number of bytes of a request and of its answer; nobody else notices."""
    request = f"POST /echo HTTP/1.1\r\n{HOST}Content-Length: 5\r\n\r\nhello".encode()
    with Client(attacked) as other:
        for cut in range(0, len(request) + 1, 3):
            wire = Wire(attacked.port)
            wire.send(request[:cut])
            wire.reset()
            assert other.get("/healthz").status_code == 200
        for taken in (1, 100, 100000):
            wire = Wire(attacked.port)
            wire.send(GET.format("/big/8192", "") * 2)
            wire.socket.recv(taken)
            wire.reset()
            assert other.get("/echo").status_code == 200
    wait_for(lambda: gauge(attacked.port, "rastrum_http_connections") == 1)


# ---- too slow


def test_slow_heads_and_bodies_get_408(hasty):
    for part in ("G", "GET /echo HTTP/1.1\r\nHost: loc", f"POST /echo HTTP/1.1\r\n{HOST}Content-Length: 9\r\n\r\n",
                 f"POST /echo HTTP/1.1\r\n{HOST}Content-Length: 9\r\n\r\nabc",
                 f"POST /echo HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"):
        with Wire(hasty.port) as wire:
            wire.send(part)
            status, headers, body = wire.answer()
            assert status == 408 and headers["connection"] == "close" and json.loads(body)["detail"] and wire.closed()


@pytest.mark.parametrize("start_, drop", ((f"GET /echo HTTP/1.1\r\n{HOST}X: ", "y"),
                                          (f"POST /echo HTTP/1.1\r\n{HOST}Content-Length: 999\r\n\r\n", "y"),
                                          (f"POST /echo HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n5;", "y")))
def test_a_byte_now_and_then_does_not_help(hasty, start_, drop):
    with Wire(hasty.port) as wire:
        wire.send(start_)
        wire.socket.settimeout(0.05)
        deadline = time.monotonic() + 20
        while b"\r\n\r\n" not in wire.rest and time.monotonic() < deadline:
            try:
                wire.send(drop)
                wire.rest += wire.socket.recv(65536)
            except TimeoutError:
                pass
            except (BrokenPipeError, ConnectionResetError):
                break
        assert wire.rest.startswith(b"HTTP/1.1 408 ")


def test_silence_ends_a_connection(hasty):
    with Wire(hasty.port) as new, Wire(hasty.port) as used:
        used.send(GET.format("/echo", ""))
        assert used.answer()[0] == 200
        assert new.closed() and used.closed(), "without a word"
        assert new.rest == used.rest == b""


def test_a_reader_that_stops_is_closed(hasty):
    with Wire(hasty.port) as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.send(GET.format("/big/15000", ""))
        wait_for(lambda: gauge(hasty.port, "rastrum_external_bytes") == 0 and
                 gauge(hasty.port, "rastrum_http_connections") == 1)


def test_a_slow_reader_is_not_closed(hasty):
    """Over the whole the answer takes far longer than the time that a single write may."""
    with Wire(hasty.port) as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        wire.send(GET.format("/big/15000", ""))
        started = time.monotonic()
        while time.monotonic() - started < 1.5:
            wire.rest += wire.socket.recv(65536)
            time.sleep(0.02)
        assert len(wire.answer()[2]) == 15000 << 10


def test_times_are_settings(rastrum):
    plain = json.loads(rastrum("config", "--json").stdout)
    assert plain["idle_timeout"] == {"value": "75s", "origin": "default"}, "more than a load balancer's 60"
    assert [plain[name]["value"] for name in ("header_timeout", "body_timeout", "write_timeout")] == ["10s", "30s", "60s"]
    changed = json.loads(rastrum("config", "--json", "--idle-timeout", "90s").stdout)
    assert changed["idle_timeout"]["value"] == "90s" and "flag" in changed["idle_timeout"]["origin"]


# ---- too much


def test_slow_readers_hold_little(attacked):
    """Of what is asked for behind an unread answer nothing is begun; the kernel gets 64 KiB of it, not megabytes."""
    size, readers, wires = 512 << 10, 30, []
    done = lambda: gauge(attacked.port, 'rastrum_http_requests_total{route="/big/{kib:int}",method="GET",status="2xx"}')
    held = lambda: gauge(attacked.port, "rastrum_external_bytes") - idle
    before, idle = done(), 0
    idle = held()  # of caches
    for _ in range(readers):
        wires.append(Wire(attacked.port))
        wires[-1].socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wires[-1].send(GET.format("/big/512", "") * 50)
    wait_for(lambda: held() >= readers * size)
    with Client(attacked) as other:
        for _ in range(50):
            assert other.get("/echo").status_code == 200
    assert done() == before and held() <= (readers + 1) * size
    for wire in wires:
        wire.reset()
    wait_for(lambda: held() <= 0)


def test_readers_that_stop_do_not_fill_memory(start, store):
    """Past external_memory there is 503 for all, but the readers that hold it are given up soon."""
    server = start(store, "--plugins", PLUGINS, "--external-memory", "16M", "--write-timeout", "16s")
    wires = []
    for _ in range(40):
        wires.append(Wire(server.port))
        wires[-1].socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wires[-1].send(GET.format("/big/1024", ""))
    status, headers, body = wait_for(lambda: (got := ask(server.port, GET.format("/echo", "")))[0] == 503 and got)
    assert headers["retry-after"] and "external_memory" in json.loads(body)["detail"]
    wait_for(lambda: ask(server.port, GET.format("/echo", ""))[0] == 200, seconds=15)
    assert gauge(server.port, "rastrum_external_bytes") <= 9 << 20
    for wire in wires:
        wire.socket.close()


def test_the_limit_of_bodies(attacked):
    most = 2 << 20
    assert statuses(attacked.port, f"POST /echo HTTP/1.1\r\n{HOST}Connection: close\r\nContent-Length: {most}\r\n\r\n".encode()
                    + b"x" * most) == [200]
    assert statuses(attacked.port, f"POST /echo HTTP/1.1\r\n{HOST}Content-Length: {most + 1}\r\n\r\n".encode()) == [413]
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    head = f"POST /echo HTTP/1.1\r\n{HOST}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    assert statuses(attacked.port, head + chunk * 32 + b"0\r\n\r\n") == [200]
    assert statuses(attacked.port, head + chunk * 32 + b"1\r\nx\r\n0\r\n\r\n") == [413]
    tiny = b"1\r\nx\r\n" * 100000
    assert statuses(attacked.port, head + tiny + b"0\r\n\r\n") == [200]
    padded = b"1;" + b"a" * 100 + b"\r\nx\r\n"
    assert statuses(attacked.port, head + padded * 2000 + b"0\r\n\r\n") == [400], "far more framing than data"


@pytest.mark.parametrize("unit, first, status", (("X-Field: some-value\r\n", f"GET /echo HTTP/1.1\r\n{HOST}", 431),
                                                 ("a" * 64, "GET /echo?n=", 414), ("B" * 64, "", 414)))
def test_floods(attacked, unit, first, status):
    """A hundred endless heads at a time: each is refused at its limit, and memory is what the limits say."""
    worker = worker_of(attacked)
    before = memory_of(worker)
    wires = [Wire(attacked.port) for _ in range(100)]
    flood = (unit * (65536 // len(unit))).encode()
    for wire in wires:
        wire.send(first)
        try:
            for _ in range(20):
                wire.send(flood)
        except (BrokenPipeError, ConnectionResetError):
            pass
    for wire in wires:
        answer = wire.answer()
        assert answer is not None and answer[0] == status
        wire.socket.close()
    assert memory_of(worker) - before < (64 if SANITIZED else 16) * MIB


def test_connections_over_the_limit_get_503(hasty):
    wires = [Wire(hasty.port) for _ in range(40)]
    for wire in wires:
        wire.send(GET.format("/echo", ""))
        assert wire.answer()[0] == 200
    with Wire(hasty.port) as wire:
        wire.send(GET.format("/echo", ""))
        status, headers, body = wire.answer()
        assert status == 503 and headers["retry-after"] and headers["connection"] == "close" and wire.closed()
        assert "connections" in json.loads(body)["detail"]
    for wire in wires:
        wire.socket.close()
    wait_for(lambda: ask(hasty.port, GET.format("/echo", ""))[0] == 200)


def medians_ms(clients, count=100):
    """What a tile takes with each of them, in turns: the machine's mood is the same for all."""
    times = [[] for _ in clients]
    for _ in range(count):
        for client, own in zip(clients, times):
            begun = time.perf_counter()
            assert client.get(TILE).status_code == 200
            own.append((time.perf_counter() - begun) * 1000)
    return [statistics.median(own) for own in times]


@pytest.mark.release_only
def test_ten_thousand_idle_connections(start, store, http, timed, capsys):
    """They cost little memory and no time; one more is told so."""
    count, spare = 10000, 600
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < count + spare:
        pytest.skip(f"only {hard} files may be open (ulimit -Hn), which is less than {count + spare}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    server = start(store)  # it raises the limit that it finds
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + spare, hard))
    worker, wires = worker_of(server), []
    with Client(server) as client:
        medians_ms((client, http), 10)
        before = memory_of(worker)
        for i in range(count - 1):
            wires.append(socket.create_connection(("127.0.0.1", server.port)))
            if i % 2:  # half of them have been of use
                wires[-1].sendall(GET.format("/healthz", "").encode())
                assert wires[-1].recv(4096).startswith(b"HTTP/1.1 200")
        wait_for(lambda: 'connections 10000' in client.get("/metrics").text)
        each = (memory_of(worker) - before) / count
        for _ in range(5):
            beside, alone = medians_ms((client, http))
            if beside < 2 * alone:
                break
        assert client.get("/healthz").status_code == 200
        assert statuses(server.port, GET.format("/healthz", "")) == [503]
    with capsys.disabled():
        print(f"\n{count} idle connections: {each / 1024:.1f} KiB each; a tile takes {beside:.2f} ms, {alone:.2f} without")
    for wire in wires:
        wire.close()
    assert each < 8192
    assert not timed or beside < 2 * alone
    wait_for(lambda: gauge(server.port, "rastrum_http_connections") == 1)


# ---- what the log says of it


def test_every_log_line_is_one_line_of_json(start, store):
    """Whatever a client sends and a plugin logs of it: control bytes, quotes, broken UTF-8, line ends, 8 KB."""
    server = start(store, "--plugins", PLUGINS, "--log-format", "json", "--log-level", "debug", lua_traces=True)
    forged = '%0d%0a{"time":"forged","level":"error","message":"forged"}'
    texts = ("%0ab", "%0d%0aX", "%22%5c", '"quoted"\\', "%c3%a9", "%e2%80%a8", "%c2%85", "x" * 8000, forged, "%1b[31mred", "<script>",
             "%7f", "{}", "\\u0000", "%25s%25n", "'", "%ff%fe", "%00")
    for text in texts:
        for form in ("/{}", "/echo?n={}", "/say?n={}", "/say?fail=true&n={}"):
            ask(server.port, GET.format(form.format(text), 'X-Request-Id: "\\\r\nUser-Agent: \xff\xfe"\r\nReferer: \x85\r\n'))
    ask(server.port, GET.format("/echo", "X-Request-Id: \x1b[0m\r\n"))
    for _, _, data, _ in CASES:
        statuses(server.port, data, end=True)
    for method in ("BREW\x1b", 'GE"T', "\xff\xff"):
        ask(server.port, f"{method} / HTTP/1.1\r\nHost: x\r\n\r\n")
    for host in ('a"b', "\xff", "a\\b", "x" * 9000):
        ask(server.port, f"GET /stac HTTP/1.1\r\nHost: {host}\r\n\r\n")
    server.stop()
    with open(server.log_path, "rb") as log:
        lines = log.read().decode("utf-8").splitlines()  # strictly: a broken byte fails here, and a line end of Unicode's below
    said = [json.loads(line) for line in lines if not line.startswith("rastrum: listening on ")]
    assert len(said) > 6 * len(texts) + len(CASES) // 2
    assert all({"time", "level", "message"} <= set(line) for line in said)
    assert not [line for line in said if line["time"] == "forged" or line["message"] == "forged"]
    assert {line.get("data", {}).get("said") for line in said} >= {"\nb", '"\\', "\x1b[31mred", "\x7f", "%s%n", "x" * 8000}, "nothing is lost"
