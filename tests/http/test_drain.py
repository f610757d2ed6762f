"""How a server ends: first it says so, then it takes no more, what is in flight is answered, and no client sees an error."""
import signal
import socket
import threading
import time

import httpx
import pytest
from conftest import ROOT, SANITIZED, Client
from nginx import BINARY as NGINX
from nginx import Nginx, free_port
from wire import Wire, ask, gauge, statuses, wait_for

PLUGINS = ROOT / "tests" / "http" / "wireplugins"
GET = "GET {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n"
TILE = "/tiles/globe/2/1/1.png?variable=sst"


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return False
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # between the two: it is closed before the connection is there
        return False


def test_the_stages_of_an_end(start, store):
    """At once: /readyz 503 and Connection: close, also on connections that were open. After the delay: nothing new, idle
    connections closed, what is in flight answered. Then the process goes."""
    server = start(store, "--plugins", PLUGINS, "--drain-delay", "1500ms")
    with Wire(server.port) as early, Wire(server.port) as idle, Wire(server.port) as busy:
        for wire in (early, idle):
            wire.send(GET.format("/echo", ""))
            status, headers, _ = wire.answer()
            assert status == 200 and "connection" not in headers
        busy.send(GET.format("/slow/2500", ""))
        wait_for(lambda: gauge(server.port, "rastrum_lua_tasks") >= 2)
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: ask(server.port, GET.format("/readyz", ""))[0] == 503)
        early.send(GET.format("/echo", "") * 2)
        status, headers, _ = early.answer()
        assert status == 200 and headers["connection"] == "close"
        assert early.answer() is None, "what was sent behind it is for another connection"
        status, headers, _ = ask(server.port, GET.format("/echo", ""))
        assert status == 200 and headers["connection"] == "close", "still accepting"
        wait_for(lambda: refused(server.port))
        assert idle.closed()
        status, headers, body = busy.answer()
        assert (status, body, headers["connection"]) == (200, b"late", "close")
    assert server.process.wait(10) == 0


@pytest.mark.parametrize("stage", ("head", "body"))
def test_a_request_half_sent_is_finished(start, store, stage):
    server = start(store, "--plugins", PLUGINS)
    request = "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"
    cut = 20 if stage == "head" else len(request) - 2
    with Wire(server.port) as wire:
        wire.send(request[:cut])
        wait_for(lambda: gauge(server.port, "rastrum_http_connections") == 2)
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: refused(server.port))
        wire.send(request[cut:])
        status, headers, body = wire.answer()
        assert (status, body, headers["connection"]) == (200, b"hello", "close")
    assert server.process.wait(10) == 0


def test_an_idle_server_ends_at_once(start, store):
    server = start(store)
    wires = [Wire(server.port) for _ in range(50)]
    for wire in wires[::2]:
        wire.send(GET.format("/healthz", ""))
        assert wire.answer()[0] == 200
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(10) == 0
    assert all(wire.closed() for wire in wires)


@pytest.mark.long
def test_nothing_holds_it_longer_than_25_seconds(start, store):
    """A handler that waits is answered 503 in time; a reader that does not read is left."""
    server = start(store, "--plugins", PLUGINS, "--drain-delay", "1s")
    with Wire(server.port, 40) as waiting, Wire(server.port) as reader:
        waiting.send(GET.format("/slow/30000", ""))
        reader.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.send(GET.format("/big/15000", ""))
        wait_for(lambda: gauge(server.port, "rastrum_lua_tasks") >= 2)
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert waiting.answer()[0] == 503
        assert server.process.wait(10) == 0
        assert time.monotonic() - begun < 25.5


# ---- a rolling restart


class Balancer:
    """What a load balancer's client side does: it asks each server's /readyz, and sends only to those that say 200."""

    def __init__(self, urls):
        self.urls, self.ready, self.over = urls, dict.fromkeys(urls, True), threading.Event()
        self.watchers = [threading.Thread(target=self._watch, args=(url,)) for url in urls]
        for watcher in self.watchers:
            watcher.start()

    def _watch(self, url):
        while not self.over.wait(0.05):
            try:
                self.ready[url] = httpx.get(url + "/readyz", timeout=5).status_code == 200
            except httpx.TransportError:
                self.ready[url] = False

    def pick(self, turn):
        ready = [url for url in self.urls if self.ready[url]]
        assert ready, "no server is ready"
        return ready[turn % len(ready)]

    def stop(self):
        self.over.set()
        for watcher in self.watchers:
            watcher.join()


def load(pick, over, results, pause):
    """One client with kept-alive connections; it notes every status, and every failure by its name."""
    turn = 0
    with httpx.Client(timeout=20, limits=httpx.Limits(keepalive_expiry=60)) as client:
        while not over.is_set():
            turn += 1
            try:
                answer = client.get(pick(turn) + (TILE, "/echo", "/slow/20", "/big/200")[turn % 4])
                results.append(answer.status_code)
            except (httpx.TransportError, AssertionError) as error:
                results.append(repr(error))
            over.wait(pause)


def roll(start, store, pick, servers, options):
    """Restarts each server in turn under load; what the clients saw."""
    results, over = [], threading.Event()
    pauses = (0, 0, 0.05, 0.3)  # busy ones, and some whose connections idle
    clients = [threading.Thread(target=load, args=(pick, over, results, pause)) for pause in pauses]
    for client in clients:
        client.start()
    try:
        for i, server in enumerate(servers):
            seen = len(results)
            wait_for(lambda: len(results) > seen + 50)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(30) == 0
            servers[i] = start(store, *options(i))
            wait_for(lambda: httpx.get(servers[i].url + "/readyz").status_code == 200)
        seen = len(results)
        wait_for(lambda: len(results) > seen + 50)
    finally:
        over.set()
        for client in clients:
            client.join()
    return results


def test_a_rolling_restart_of_two_servers(start, store):
    ports = [free_port(), free_port()]
    options = lambda i: ("--plugins", PLUGINS, "--drain-delay", "1s", "--listen", f"127.0.0.1:{ports[i]}")
    servers = [start(store, *options(i)) for i in range(2)]
    balancer = Balancer([f"http://127.0.0.1:{port}" for port in ports])
    try:
        results = roll(start, store, balancer.pick, servers, options)
    finally:
        balancer.stop()
    assert len(results) > 150 and set(results) == {200}, sorted(set(map(str, results)))


BALANCED = """upstream both {{ SERVERS keepalive 16; }}
  server {{ listen 127.0.0.1:{port};
    location / {{ proxy_pass http://both; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}"""


def test_a_rolling_restart_behind_nginx(start, store, tmp_path):
    """nginx with kept-alive connections knows nothing of /readyz; it sees refused connections and closed idle ones."""
    if not NGINX.exists():
        pytest.skip("nginx is not unpacked in build/tools")
    ports = [free_port(), free_port()]
    options = lambda i: ("--plugins", PLUGINS, "--drain-delay", "500ms", "--listen", f"127.0.0.1:{ports[i]}")
    servers = [start(store, *options(i)) for i in range(2)]
    lines = " ".join(f"server 127.0.0.1:{port} max_fails=0;" for port in ports)
    with Nginx(tmp_path, BALANCED.replace("SERVERS", lines)) as proxy:
        results = roll(start, store, lambda turn: f"http://127.0.0.1:{proxy.port}", servers, options)
    assert len(results) > 150 and set(results) == {200}, sorted(set(map(str, results)))
