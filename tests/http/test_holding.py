"""What clients can make a server hold: bodies half sent, answers half read, heads that grow, work for one who
has gone. Each has its bound, and the others are answered meanwhile."""
import json
import socket
import time
from select import select

import pytest
from attackcases import HOST
from conftest import ROOT, SANITIZED
from wire import Wire, ask, gauge, statuses, wait_for
from workerof import memory_of, worker_of

PLUGINS = ROOT / "tests" / "http" / "wireplugins"
GET = "GET {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n"
POST = f"POST /echo HTTP/1.1\r\n{HOST}"
ECHO = GET.format("/echo", "")
MIB = 1 << 20


@pytest.fixture(scope="module")
def plain(start, store):
    return start(store, "--plugins", PLUGINS)


def crowd(start, store, **times):
    """A server whose external memory is 16 MiB."""
    options = [word for name, value in times.items() for word in ("--" + name.replace("_", "-"), value)]
    return start(store, "--plugins", PLUGINS, "--external-memory", "16M", *options)


def test_bodies_on_their_way_are_bounded(start, store):
    """Half sent, they may take half of external_memory; then there is 503 for more of them, and the slow ones are given up
    after body_timeout, however large they are."""
    server = crowd(start, store, body_timeout="2s")
    worker, wires = worker_of(server), []
    before = memory_of(worker)
    head = f"{POST}Content-Length: {2 * MIB}\r\n\r\n".encode()
    for _ in range(40):
        wires.append(Wire(server.port))
        try:
            wires[-1].send(head + b"x" * (MIB * 3 // 2))
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused in the middle
    assert ask(server.port, ECHO)[0] == 200, "who sends no body is not concerned"
    assert memory_of(worker) - before < (64 if SANITIZED else 20) * MIB
    refused = next(wire for wire in wires[::-1] if select([wire.socket], [], [], 0)[0]).answer()
    assert refused[0] == 503 and refused[1]["retry-after"] and "external_memory" in json.loads(refused[2])["detail"]
    wait_for(lambda: statuses(server.port, head[:-2] + b"Connection: close\r\n\r\n" + b"x" * 2 * MIB) == [200])
    assert sum(bool(select([wire.socket], [], [], 0)[0]) for wire in wires) >= 36, "the others may come to their end"
    for wire in wires:
        wire.socket.close()


def test_repeated_fields_take_no_more_than_their_bytes(plain):
    """They are joined into one; piece by piece that would take the square."""
    worker = worker_of(plain)
    before, wires = memory_of(worker), []
    fields = ("A: " + "b" * 310 + "\r\n") * 95
    for _ in range(200):
        wires.append(Wire(plain.port))
        wires[-1].send(f"{POST}{fields}Content-Length: 9\r\n\r\n")
    wait_for(lambda: gauge(plain.port, "rastrum_http_connections") == 201)
    assert memory_of(worker) - before < (128 if SANITIZED else 32) * MIB
    for wire in wires:
        wire.send("123456789")
        assert wire.answer()[0] == 200
        wire.socket.close()


def narrow(port):
    """A client that takes small segments and few of them at a time: what it does not read stays with the server."""
    wire = Wire.__new__(Wire)
    wire.socket, wire.rest = socket.socket(), b""
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    wire.socket.settimeout(20)
    wire.socket.connect(("127.0.0.1", port))
    return wire


def test_readers_that_crawl_do_not_fill_memory(start, store):
    """Some bytes now and then are no reason to hold an answer for ever where memory is short."""
    server = crowd(start, store, write_timeout="8s")
    wires = [narrow(server.port) for _ in range(40)]
    for wire in wires:
        wire.send(GET.format("/big/1024", ""))
    wait_for(lambda: ask(server.port, ECHO)[0] == 503)

    def sip():
        for wire in wires:
            wire.socket.setblocking(False)
            try:
                wire.socket.recv(700)
            except (BlockingIOError, ConnectionResetError):
                pass
        time.sleep(0.1)
        return ask(server.port, ECHO)[0] == 200

    wait_for(sip, seconds=15, what="the others are answered")
    for wire in wires:
        wire.socket.close()


@pytest.mark.parametrize("leave", (Wire.reset, lambda wire: wire.socket.close()), ids=("reset", "closed"))
def test_who_has_sent_ahead_is_missed_as_well(plain, leave):
    """Behind 64 KiB nothing is read any more, yet that the client has gone is seen, and its request ends."""
    wires = [Wire(plain.port) for _ in range(20)]
    for wire in wires:
        wire.send(GET.format("/slow/30000", ""))
        wire.send(ECHO * (80000 // len(ECHO)))  # more than is read, less than the kernel takes besides
    wait_for(lambda: gauge(plain.port, "rastrum_lua_tasks") >= 21)
    for wire in wires:
        leave(wire)
    wait_for(lambda: gauge(plain.port, "rastrum_lua_tasks") <= 1, seconds=10)
    wait_for(lambda: gauge(plain.port, "rastrum_http_connections") == 1)


def test_sent_ahead_and_then_half_closed(plain):
    """Who only stops sending gets every answer, also behind 64 KiB."""
    count = 3 * 65536 // len(ECHO)
    with Wire(plain.port) as wire:
        wire.send(GET.format("/slow/500", ""))
        wire.send(ECHO * count)
        wire.end()
        for _ in range(count + 1):
            assert wire.answer()[0] == 200
        assert wire.closed()


@pytest.mark.parametrize("first, size", ((GET.format("/big/256", "Connection: close\r\n"), 256 << 10),
                                         (f"OPTIONS * HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n", 0)), ids=("late", "at once"))
def test_what_follows_the_last_request_does_not_cost_its_answer(plain, first, size):
    """Closing over unread bytes resets the connection, and the reset may overtake the answer."""
    for _ in range(5):
        with narrow(plain.port) as wire:
            wire.send(first.encode() + b"x" * 100000)
            status, _, body = wire.answer()
            assert status in (200, 204) and len(body) == size
            assert wire.socket.recv(1) == b"", "it is ended, not reset"


def test_the_times_of_heads_and_bodies_are_their_own(start, store):
    """A connection that has begun a request is no idle one, and has less time."""
    server = start(store, "--plugins", PLUGINS, "--header-timeout", "300ms", "--body-timeout", "300ms")
    for part in ("GET /ec", ECHO[:-2], f"{POST}Content-Length: 9\r\n\r\n"):
        with Wire(server.port, 10) as wire:
            wire.send(ECHO)
            assert wire.answer()[0] == 200
            wire.send(part)
            assert wire.answer()[0] == 408 and wire.closed()


@pytest.mark.long
def test_an_idle_connection_is_kept_for_75_seconds(plain):
    """Longer than the 60 that load balancers keep theirs: they end it, not we while they send."""
    with Wire(plain.port, 100) as wire:
        for pause in (65, 0):
            wire.send(ECHO)
            assert wire.answer()[0] == 200
            time.sleep(pause)
        begun = time.monotonic()
        assert wire.closed() and 70 < time.monotonic() - begun < 80
