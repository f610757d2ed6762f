"""Several workers and their supervisor: one dies, hangs or is killed, and only its own requests notice."""
import fcntl
import json
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import termios
import threading
import time

import httpx
import pytest
from conftest import Client
from server import Server
from wire import Wire

SPIN = """
local M = { name = "spin", api = 1 }
local function spin() while true do end end
local function fine() return { status = 200, type = "text/plain", body = "fine" } end
M.routes = { { "GET", "/spin", spin, summary = "without end" }, { "GET", "/spin/fine", fine, summary = "at once" } }
return M
"""


@pytest.fixture(name="plugins")
def spinning_plugin(tmp_path):
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "spin.lua").write_text(SPIN)
    return folder


def until(true, seconds=60):
    """Waits for it; what it returned."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)
    return found


def lines(server, message):
    """The log's lines with this message, as objects. The last one may not be whole yet."""
    found = []
    for line in server.log().splitlines():
        if line.startswith("{") and line.endswith("}") and message in line:
            found.append(json.loads(line))
    return [line for line in found if message in line["message"]]


def workers(server):
    """index -> pid of the worker that was started last."""
    return {line["worker"]: line["pid"] for line in lines(server, "worker started")}


def exists(pid):
    """A process that is there and no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as source:
            return source.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as source:
        return int(source.read().rsplit(")", 1)[1].split()[11])


def unread(pipe):
    """The bytes that wait in it."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]


def metric(text, name):
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
    return float(found[1]) if found else 0.0


def fresh(server, path="/metrics"):
    """The answer over a connection of its own, so that any worker may give it."""
    return httpx.get(server.url + path, timeout=60)


def all_ready(server, count):
    until(lambda: metric(fresh(server).text, "rastrum_workers") == count)


def get(path, request_id):
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {request_id}\r\n\r\n"


def answered_by(server):
    """request id -> the worker that has logged it."""
    return {line["id"]: line["worker"] for line in lines(server, "request")}


def test_metrics_are_one_sum(start, tmp_path):
    """Whichever worker is asked: the same counts, none lost when a worker is killed, and no gauge of a dead one."""
    server = start(tmp_path / "store", "--workers", "3", "--admin", tmp_path / "admin.sock")
    admin = httpx.Client(transport=httpx.HTTPTransport(uds=str(tmp_path / "admin.sock")), base_url="http://localhost")
    until(lambda: metric(admin.get("/metrics").text, "rastrum_workers") == 3)
    asked, held = 0, []
    while len({worker for name, worker in answered_by(server).items() if name.startswith("sum-")}) < 2:
        assert asked < 2000, "one worker answers everything"
        for _ in range(20):
            wire = Wire(server.port)
            wire.send(get("/healthz", f"sum-{asked}"))
            held.append(wire)
            asked += 1
        for wire in held[-20:]:
            assert wire.answer()[0] == 200
    count = 'rastrum_http_requests_total{route="/healthz",method="GET",status="2xx"}'
    until(lambda: metric(admin.get("/metrics").text, count) == asked)
    for _ in range(10):
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(tmp_path / "admin.sock"))) as other:
            text = other.get("http://localhost/metrics").text
        assert metric(text, count) == asked
        assert metric(text, 'rastrum_http_request_duration_seconds_count{route="/healthz"}') == asked
        assert len(re.findall("^rastrum_build_info.* 1$", text, re.M)) == 1
        assert metric(text, "rastrum_http_connections") > len(held)
    pids = workers(server)
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    admin = httpx.Client(transport=httpx.HTTPTransport(uds=str(tmp_path / "admin.sock")), base_url="http://localhost")
    until(lambda: len(lines(server, "worker started")) == 6)
    until(lambda: metric(admin.get("/metrics").text, "rastrum_workers") == 3)
    text = admin.get("/metrics").text
    assert metric(text, count) == asked
    assert metric(text, "rastrum_http_connections") < 5
    assert metric(text, 'rastrum_worker_restarts_total{reason="crash"}') == 3
    for wire in held:
        wire.socket.close()


class Load(threading.Thread):
    """Asks again and again over one connection; a new one when it breaks."""

    def __init__(self, server, name, stop):
        super().__init__(daemon=True)
        self.server, self.name, self.stop = server, name, stop
        self.answers, self.broken, self.refused = 0, [], 0
        self.wire = Wire(server.port, 60)
        self.ask("first")

    def ask(self, word):
        try:
            self.wire.send(get("/spin/fine", f"{self.name}-{word}"))
            answer = self.wire.answer()
        except OSError:
            answer = None
        if answer:
            assert answer[0] == 200, answer
            self.answers += 1
        return answer

    def run(self):
        while not self.stop.is_set():
            if self.ask(self.answers):
                continue
            self.broken.append(self.name if not self.broken else "again")
            self.wire.socket.close()
            try:
                self.wire = Wire(self.server.port, 60)
            except OSError:
                self.refused += 1


def test_kill_9_of_a_worker_loses_only_its_own_requests(start, tmp_path, plugins):
    server = start(tmp_path / "store", "--workers", "2", "--plugins", plugins)
    all_ready(server, 2)
    stop, loads, owners = threading.Event(), [], {}
    while len(set(owners.values())) < 2:
        assert len(loads) < 400, "one worker takes all connections"
        loads += [Load(server, f"load{len(loads) + i}", stop) for i in range(20)]
        until(lambda: len(answered_by(server).keys() & {f"{load.name}-first" for load in loads}) == len(loads))
        owners = {load.name: answered_by(server)[f"{load.name}-first"] for load in loads}
    loads = loads[-40:]
    victim = owners[loads[-1].name]
    for load in loads:
        load.start()
    until(lambda: all(load.answers > 5 for load in loads))
    os.kill(workers(server)[victim], signal.SIGKILL)
    until(lambda: len(lines(server, "worker started")) == 3)
    mine = [load for load in loads if owners[load.name] == victim]
    until(lambda: all(load.broken for load in mine))
    before = [load.answers for load in loads]
    until(lambda: all(load.answers > n + 5 for load, n in zip(loads, before)))
    stop.set()
    for load in loads:
        load.join(60)
    for load in loads:
        assert load.refused == 0, "the listener refused a connection"
        assert load.broken == ([load.name] if load in mine else []), load.name
    died = lines(server, "a worker ended with signal 9")
    assert len(died) == 1 and died[0]["worker"] == victim


def test_a_worker_that_keeps_dying_is_replaced_with_growing_pauses(start, tmp_path):
    server = start(tmp_path / "store")
    for n in range(1, 4):
        until(lambda n=n: len(lines(server, "worker started")) == n)
        until(lambda n=n: len(lines(server, "listening on")) == n)
        os.kill(workers(server)[0], signal.SIGKILL)
    until(lambda: len(lines(server, "a worker ended")) == 3)
    pauses = [int(re.search(r"in (\d+) ms", line["message"])[1]) for line in lines(server, "a worker ended")]
    assert pauses == [100, 200, 400]
    assert fresh(server, "/healthz").status_code == 200


def test_kill_9_of_the_supervisor_leaves_no_orphan(binary, tmp_path, plugins):
    """Idle, busy and stopped workers are all gone, and the port is free for the next one."""
    server = Server(binary, tmp_path / "store", tmp_path / "log", ("--workers", "3", "--plugins", plugins, "--lua-time", "60s"))
    all_ready(server, 3)
    pids = workers(server)
    with Wire(server.port) as wire:
        wire.send(get("/spin", "busy"))
        os.kill(pids[2], signal.SIGSTOP)
        server.process.kill()
        server.process.wait(10)
        until(lambda: not any(map(exists, pids.values())), 10)
    again = Server(binary, tmp_path / "store", tmp_path / "log2", ("--listen", f"127.0.0.1:{server.port}"))
    assert fresh(again, "/healthz").status_code == 200
    assert again.stop() == 0


def test_sigterm_ends_all_workers_and_answers_what_runs(start, tmp_path):
    (tmp_path / "slow.lua").write_text(
        'local M = { name = "slow", api = 1 }\n'
        'local function slow() rastrum.sleep(1500) return { status = 200, type = "text/plain", body = "done" } end\n'
        'M.routes = { { "GET", "/slow", slow, summary = "Slow" } }\nreturn M\n')
    server = start(tmp_path / "store", "--workers", "2", "--plugins", tmp_path)
    all_ready(server, 2)
    wires = [Wire(server.port) for _ in range(12)]
    for i, wire in enumerate(wires):
        wire.send(get("/slow", f"slow-{i}"))
    until(lambda: metric(fresh(server).text, "rastrum_lua_tasks") >= 13)
    pids = workers(server)
    server.process.terminate()
    for wire in wires:
        answer = wire.answer()
        assert answer and answer[0] == 200 and answer[2] == b"done"
        wire.socket.close()
    assert server.process.wait(20) == 0
    assert not any(map(exists, pids.values()))
    assert sorted(line["worker"] for line in lines(server, "ending on SIGTERM")) == [0, 1]


def test_sigterm_before_a_worker_is_ready(start, tmp_path):
    server = start(tmp_path / "store", "--workers", "2")
    all_ready(server, 2)
    os.kill(workers(server)[1], signal.SIGKILL)
    until(lambda: len(lines(server, "worker started")) == 3)
    server.process.terminate()
    assert server.process.wait(20) == 0


# ---- the watchdog

def busy_worker(server):
    """The pid of the worker that uses the processor; None when it cannot be told."""
    pids = workers(server)
    before = {index: cpu(pid) for index, pid in pids.items() if exists(pid)}
    time.sleep(0.2)
    used = {index: cpu(pids[index]) - ticks for index, ticks in before.items() if exists(pids[index])}
    most = max(used, key=used.get, default=None)
    return pids[most] if used and used[most] >= 3 and sum(used.values()) < 1.5 * used[most] else None


def stall(server, name):
    """Stops the worker that runs a spinning request, as a C call without end would; the kill's line in the log."""
    kills = len(lines(server, "is stuck"))
    with Wire(server.port, 60) as wire:
        wire.send(get("/spin", name))
        os.kill(until(lambda: busy_worker(server)), signal.SIGSTOP)
        assert wire.answer() is None, "the request ended with its worker"
    until(lambda: len(lines(server, "is stuck")) > kills)
    started = len(lines(server, "worker started"))
    until(lambda: len(lines(server, "listening on")) >= started)
    return lines(server, "is stuck")[-1]


def test_three_stalls_switch_a_plugin_off(start, tmp_path, plugins):
    server = start(tmp_path / "store", "--workers", "2", "--plugins", plugins, "--lua-time", "60s", "--watchdog", "1s")
    all_ready(server, 2)
    blamed = 0
    for attempt in range(8):  # a stop between two slices names nobody
        assert fresh(server, "/spin/fine").status_code == 200
        line = stall(server, f"stall-{attempt}")
        assert line["ms"] >= 1000 and line["plugin"] in ("spin", "")
        if line["plugin"] == "spin":
            assert line["request"] == f"stall-{attempt}"
            blamed += 1
        if blamed == 3:
            break
    assert blamed == 3
    until(lambda: lines(server, "three times in ten minutes"))
    all_ready(server, 2)
    for _ in range(30):  # of either worker
        answer = fresh(server, "/spin/fine")
        problem = answer.json()
        assert answer.status_code == 503 and answer.headers["retry-after"]
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["plugin"] == "spin" and "spin" in problem["detail"] and "reload" in problem["detail"]
        assert fresh(server, "/healthz").status_code == 200
        listed = {each["name"]: each.get("blocked") for each in fresh(server, "/plugins").json()["plugins"]}
        assert "reload" in listed.pop("spin") and not any(listed.values())
    text = fresh(server).text
    assert metric(text, 'rastrum_watchdog_kills_total{plugin="spin"}') == 3
    assert metric(text, "rastrum_plugins_switched_off") == 1
    assert metric(text, 'rastrum_worker_restarts_total{reason="watchdog"}') == len(lines(server, "is stuck"))
    server.process.send_signal(signal.SIGHUP)
    until(lambda: lines(server, "reload: done"))
    for _ in range(10):
        assert fresh(server, "/spin/fine").status_code == 200
    assert metric(fresh(server).text, "rastrum_plugins_switched_off") == 0


def test_an_idle_worker_that_stops_is_nobodys_fault(start, tmp_path):
    server = start(tmp_path / "store", "--workers", "2", "--watchdog", "1s")
    all_ready(server, 2)
    os.kill(workers(server)[1], signal.SIGSTOP)
    line = until(lambda: lines(server, "is stuck"))[0]
    assert line["worker"] == 1 and line["plugin"] == "" and line["request"] == ""
    until(lambda: len(lines(server, "worker started")) == 3)
    all_ready(server, 2)
    assert metric(fresh(server).text, 'rastrum_watchdog_kills_total{plugin=""}') == 1


def test_a_log_that_nobody_reads_is_nobodys_fault(binary, tmp_path):
    """A pager holds the log's pipe: requests wait until it reads on, and no worker is killed for it."""
    answers, log = [], []
    with subprocess.Popen([binary, "serve", "--listen", "127.0.0.1:0", "--store", tmp_path / "store", "--watchdog", "1s"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline().rsplit(":", 1)[1])
            with Wire(port, 60) as wire:
                for _ in range(30):
                    wire.send(get("/healthz/" + "x" * 7000, "held"))
                until(lambda: unread(process.stderr) > 50000)
                time.sleep(2)  # the time in which a kill would come
                reader = threading.Thread(target=lambda: log.extend(process.stderr))
                reader.start()
                answers = [wire.answer() for _ in range(30)]
            process.terminate()
            assert process.wait(20) == 0
            reader.join(20)
        finally:
            process.kill()
    assert all(answer and answer[0] == 404 for answer in answers)
    assert not any("is stuck" in line or "a worker ended" in line for line in log)


def test_endless_lua_is_no_stall(start, tmp_path, plugins):
    """What the slices hold is not the watchdog's business, however long it runs."""
    server = start(tmp_path / "store", "--plugins", plugins, "--lua-time", "3s", "--watchdog", "1s")
    assert fresh(server, "/spin").status_code == 503
    assert not lines(server, "is stuck")


@pytest.mark.parametrize("option, value", (("--watchdog", "200ms"), ("--workers", "0"), ("--workers", "65")))
def test_a_wrong_value_is_used_wrongly(binary, tmp_path, option, value):
    done = subprocess.run([binary, "serve", "--listen", "127.0.0.1:0", "--store", tmp_path, option, value],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2 and option[2:] in done.stderr


def test_workers_that_cannot_start_end_the_server(binary, tmp_path):
    (tmp_path / "file").write_text("no folder")
    done = subprocess.run([binary, "serve", "--listen", "127.0.0.1:0", "--store", tmp_path / "file", "--workers", "2"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "file" in done.stderr


# ---- the admin socket

@pytest.mark.parametrize("form", ("{}", "unix:{}"))
def test_admin_on_a_unix_socket(start, tmp_path, form):
    path = tmp_path / "admin.sock"
    server = start(tmp_path / "store", "--workers", "2", "--admin", form.format(path))
    mode = path.stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://localhost") as admin:
        end = time.monotonic() + 30  # the second worker may start after the first answers
        while "rastrum_workers 2" not in admin.get("/metrics").text:
            assert time.monotonic() < end, "two workers are counted"
        assert admin.get("/readyz").status_code == 200 and admin.get("/healthz").status_code == 200
        assert admin.get("/plugins").json() == fresh(server, "/plugins").json()
        assert admin.get("/stac").status_code == 404
    assert fresh(server).status_code == 404, "metrics are on the admin port alone"
    assert server.stop() == 0
    assert not path.exists()


def test_a_socket_that_nobody_serves_is_replaced(binary, start, tmp_path):
    path = tmp_path / "admin.sock"
    first = Server(binary, tmp_path / "store", tmp_path / "log", ("--admin", path))
    first.process.kill()
    first.process.wait(10)
    assert path.exists()
    second = start(tmp_path / "store", "--admin", path)
    third = subprocess.run([binary, "serve", "--listen", "127.0.0.1:0", "--store", tmp_path / "store", "--admin", path],
                           capture_output=True, text=True, timeout=30, check=False)
    assert third.returncode == 1 and "admin.sock" in third.stderr
    assert path.exists() and fresh(second, "/healthz").status_code == 200


def test_a_file_in_the_sockets_place_stays(binary, tmp_path):
    path = tmp_path / "admin.sock"
    path.write_text("mine")
    done = subprocess.run([binary, "serve", "--listen", "127.0.0.1:0", "--store", tmp_path / "store", "--admin", path],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and "admin.sock" in done.stderr
    assert path.read_text() == "mine"


def test_the_next_free_port(binary, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = Server(binary, tmp_path / "store", tmp_path / "log",
                        ("--listen", f"127.0.0.1:{port}", "--next-free-port", "--workers", "2"))
        assert port < server.port <= port + 20
        with Client(server) as http:
            assert http.get("/healthz").status_code == 200
        assert server.stop() == 0
