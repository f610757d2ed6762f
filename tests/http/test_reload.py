"""Reload: a second VM beside the first, all workers or none, and nobody who is being served notices."""
import contextlib
import json
import os
import re
import signal
import threading
import time

import httpx
import pytest
from conftest import SANITIZED, Client
from traffic import Heart, beats
from wire import Wire

PATIENCE = 60

SITE = """
local M = {{ name = "site", api = 1 }}
{setup}
local function said() return {{ type = "text/plain", body = "{said}" }} end
local function slow(req) rastrum.sleep(req.params.ms) return {{ type = "text/plain", body = "{said}" }} end
local function wait(req)
  repeat rastrum.sleep(10) until rastrum.shared.get(req.params.key)
  return {{ type = "text/plain", body = "{said}" }}
end
local function set(req) rastrum.shared.set(req.params.key, true) return {{ body = "set" }} end
M.routes = {{ {{ "GET", "/said", said }}, {{ "GET", "/slow/{{ms:int}}", slow }},
  {{ "GET", "/wait/{{key}}", wait }}, {{ "GET", "/set/{{key}}", set }} }}
return M
"""


class Site:
    """A server with folders of its own for plugins and ramps, and an admin socket."""

    def __init__(self, start, store, folder, *options, lua_traces=False):
        self.plugins, self.ramps, self.config = folder / "plugins", folder / "ramps", folder / "rastrum.lua"
        self.plugins.mkdir()
        self.ramps.mkdir()
        self.say("one")
        self.configure()
        self.server = start(store, "--config", self.config, "--plugins", self.plugins, "--colormaps", self.ramps,
                            "--admin", folder / "admin", *options, lua_traces=lua_traces)
        self.http = Client(self.server)
        self.admin = httpx.Client(transport=httpx.HTTPTransport(uds=str(folder / "admin")), base_url="http://admin",
                                  timeout=PATIENCE)

    def say(self, said, setup=""):
        self.write("site.lua", SITE.format(said=said, setup=setup))

    def write(self, name, text):
        """As an editor does: another file, which then takes the name."""
        place = self.plugins / name
        place.with_name(f".{place.name}.new").write_text(text)
        place.with_name(f".{place.name}.new").rename(place)

    def configure(self, **settings):
        self.config.write_text("return {" + ", ".join(f"{key} = {value}" for key, value in settings.items()) + "}\n")

    def reload(self):
        return self.admin.post("/reload")

    def reloaded(self):
        answer = self.reload()
        assert answer.status_code == 200 and answer.json()["ok"], answer.text
        return answer.json()

    def refused(self):
        """The reason of a reload that must fail."""
        answer = self.reload()
        assert answer.status_code == 409, answer.text
        told = self.http.ok("/plugins").json()["reload"]
        assert told["ok"] is False and told["error"] == answer.json()["detail"]
        assert json.dumps(told["error"])[1:-1] in self.server.log()
        return told["error"]

    def said(self):
        return self.http.ok("/said").text

    def everywhere(self, count=40):
        """What new connections are told: each may be another worker's."""
        told = set()
        for _ in range(count):
            with Wire(self.server.port) as wire:
                wire.send("GET /said HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                told.add(wire.answer()[2].decode())
        return told

    def workers(self):
        pid = self.server.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as source:
            return [int(word) for word in source.read().split()]

    def gauge(self, name):
        found = re.search(rf"^{re.escape(name)} (\S+)", self.admin.get("/metrics").text, re.M)
        return float(found[1]) if found else 0


def wait_for(test, what):
    deadline = time.monotonic() + PATIENCE
    while not test():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.fixture
def site(start, store, tmp_path):
    return Site(start, store, tmp_path)


@pytest.fixture
def pair(start, store, tmp_path):
    """Two workers, both of which have answered."""
    both = Site(start, store, tmp_path, "--workers", 2, lua_traces=True)
    wait_for(lambda: both.server.log().count('"message":"listening on') == 2, "two workers")
    return both


# ---- what begins one

def test_a_hangup_signal(site):
    site.say("two")
    assert site.said() == "one"
    site.server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: site.said() == "two", "the new text")
    assert site.http.ok("/plugins").json()["reload"]["ok"] is True


def test_a_post_to_the_admin_port(site):
    assert "reload" not in site.http.ok("/plugins").json()
    site.say("two")
    assert site.reloaded()["generation"] == 2
    assert site.said() == "two"
    assert site.admin.get("/reload").status_code == 405
    assert site.admin.post("/reload", headers={"Origin": "http://example.org"}).status_code == 403
    assert site.http.post("/reload").status_code == 404


def test_a_changed_file(start, store, tmp_path):
    site = Site(start, store, tmp_path, "--dev")
    site.say("two")
    wait_for(lambda: site.said() == "two", "a renamed file")
    (site.plugins / "site.lua").write_text(SITE.format(said="three", setup=""))
    wait_for(lambda: site.said() == "three", "a file written in place")
    (site.plugins / "folder").mkdir()
    (site.plugins / "folder" / "init.lua").write_text(SITE.format(said="x", setup="").replace("site", "folder")
                                                      .replace('"/', '"/folder/'))
    wait_for(lambda: site.http.get("/folder/said").status_code == 200, "a new folder")
    (site.plugins / "folder" / "init.lua").unlink()
    wait_for(lambda: site.http.get("/folder/said").status_code == 404, "a plugin that is gone")
    (site.ramps / "fresh.json").write_text('{"type": "linear", "colors": ["#000000", "#ffffff"]}')
    wait_for(lambda: site.http.get("/colorMaps/fresh").status_code == 200, "a new ramp")
    site.configure(plugin_settings='{ x = 1 }')
    before = site.http.ok("/plugins").json()["reload"]["generation"]
    site.configure(attribution='"mine"')
    wait_for(lambda: site.http.ok("/plugins").json()["reload"]["generation"] > before, "the configuration")


def test_what_does_not_matter_begins_none(start, store, tmp_path):
    site = Site(start, store, tmp_path, "--dev", "--log-level", "debug")
    for count, change in enumerate((lambda: (site.plugins / "notes.txt").write_text("x"), lambda: site.say("one"),
                                    lambda: (site.plugins / ".hidden.lua").write_text("return {")), 1):
        change()
        wait_for(lambda: site.server.log().count("a file has changed, but none that counts") >= count, "a look")
    site.say("two")
    wait_for(lambda: site.said() == "two", "the new text")
    assert site.http.ok("/plugins").json()["reload"]["generation"] == 2


# ---- what it reads

def test_new_plugins_and_ramps_are_live(site):
    first = site.http.get("/tiles/globe/0/0/0.png", params={"colormap_name": "fresh"})
    assert first.status_code == 400
    site.write("other.lua", SITE.format(said="x", setup="").replace("site", "other").replace('"/', '"/other/'))
    ramp = site.ramps / "fresh.json"
    ramp.write_text('{"type": "linear", "colors": ["#000000", "#ffffff"]}')
    site.reloaded()
    assert "/other/said" in site.http.ok("/openapi.json").json()["paths"]
    tile = site.http.ok("/tiles/globe/0/0/0.png", colormap_name="fresh")
    ramp.write_text('{"type": "linear", "colors": ["#ff0000", "#ffffff"]}')
    site.reloaded()
    again = site.http.get("/tiles/globe/0/0/0.png", params={"colormap_name": "fresh"},
                          headers={"If-None-Match": tile.headers["etag"]})
    assert again.status_code == 200 and again.headers["etag"] != tile.headers["etag"]
    assert again.content != tile.content


def test_the_configuration(site):
    site.configure(attribution='"Ministry"', disable='{ "viewer" }', listen='"127.0.0.1:1"')
    assert site.http.get("/").status_code == 200
    site.reloaded()
    assert site.http.get("/").status_code == 404
    assert site.http.ok("/tiles/globe/tilejson.json").json()["attribution"] == "Ministry"
    site.configure(attribution='"Ministry"', disable='{ "viewer" }', workers="3", threads="1")
    site.reloaded()
    assert re.search("reload: threads has changed; that takes a restart", site.server.log())
    site.config.write_text("return {")
    assert "rastrum.lua" in site.refused()
    site.configure(no_such_setting="1")
    assert "no_such_setting" in site.refused()
    assert site.http.get("/").status_code == 404


# ---- what fails

@pytest.mark.parametrize("text, why", (
    ("return {", "broken.lua:"),
    ('return { name = "broken", api = 9 }', "api"),
    ('return { name = "broken", api = 1, setup = function() error("no database", 0) end }', "no database"),
    ('return { name = "broken", api = 1, self_test = function() error("wrong sum", 0) end }', "wrong sum"),
    ('return { name = "broken", api = 1, self_test = function() while true do end end }', "Lua time"),
    ('return { name = "broken", api = 1, hooks = { on_request = function() error("oh", 0) end } }', "/healthz"),
), ids=("syntax", "table", "setup", "self_test", "spin", "hook"))
def test_a_broken_plugin_leaves_the_old_ones(start, store, tmp_path, text, why):
    site = Site(start, store, tmp_path, lua_traces=True)
    site.say("two")
    site.write("broken.lua", text)
    reason = site.refused()
    assert why in reason and (why == "/healthz" or "'broken'" in reason)
    assert site.said() == "one"
    assert site.http.get("/tiles/globe/0/0/0.png").status_code == 200
    (site.plugins / "broken.lua").unlink()
    site.reloaded()
    assert site.said() == "two" and site.http.ok("/plugins").json()["reload"]["ok"] is True


def test_a_plugin_that_was_refused_at_the_start_stops_nobody(start, store, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "broken.lua").write_text("return {")
    site = Site(start, store, tmp_path, "--plugins", tmp_path / "more", lua_traces=True)
    assert [each["name"] for each in site.http.ok("/plugins").json()["refused"]] == ["broken"]
    site.say("two")
    site.reloaded()
    assert site.said() == "two"
    (tmp_path / "more" / "broken.lua").write_text("return { name = 'broken', api = 9 }")
    assert "'broken'" in site.refused()


# ---- in flight

def test_what_has_begun_ends_on_the_old_ones(site):
    answers = []

    def ask(path):
        with httpx.Client(base_url=site.server.url, timeout=PATIENCE) as client:
            answers.append(client.get(path).text)

    askers = [threading.Thread(target=ask, args=("/wait/go",)) for _ in range(5)]
    for each in askers:
        each.start()
    wait_for(lambda: site.gauge('rastrum_plugin_tasks{plugin="site"}') == 5, "five requests")
    site.say("two")
    site.reloaded()
    assert not answers and site.said() == "two"
    assert site.gauge("rastrum_lua_vms") == 2
    site.http.ok("/set/go")
    for each in askers:
        each.join(PATIENCE)
    assert answers == ["one"] * 5
    wait_for(lambda: site.gauge("rastrum_lua_vms") == 1, "the old VM's end")


def test_a_body_that_is_being_sent(site, store):
    """A slow reader gets its whole object, whichever VM is gone by then."""
    place = max((p for p in store.rglob("*") if p.is_file() and p.stat().st_size > 100_000),
                key=lambda p: p.stat().st_size if "catalog" not in p.name else 0)
    with Wire(site.server.port, PATIENCE) as wire:
        wire.send(f"GET /data/{place.relative_to(store)} HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = wire.socket.recv(1000)
        site.say("two")
        for _ in range(3):
            site.reloaded()
        wire.rest = head
        status, _, body = wire.answer()
    assert status == 200 and body == place.read_bytes()


@pytest.mark.release_only
def test_building_holds_nobody_up(site, timed):
    """A plugin that takes a second to load: meanwhile no gap of a heartbeat is as long as the load, and in the long run the
    median gap stays within twice idle."""
    idle = beats(site.server.port, 300)
    seen = []
    for attempt in range(6):
        site.say(f"at {attempt}", "local t = rastrum.time.clock() while rastrum.time.clock() - t < 1 do end")
        reloading = threading.Thread(target=site.reloaded)
        with Heart(site.server.port, ["/healthz"], 0.001) as beat:
            reloading.start()
            reloading.join(PATIENCE)
        assert site.said() == f"at {attempt}"
        seen.append((beat.seen["gap"] / idle, beat.seen["longest"]))
        if (not timed or seen[-1][0] <= 2) and seen[-1][1] < 0.5:
            break
    print(f"median gap idle {idle * 1e3:.2f} ms; times idle and the longest's share while a VM is built: {seen}")
    assert not timed or min(times for times, _ in seen) <= 2
    assert min(share for _, share in seen) < 0.5


def test_collections_are_in_memory_before_the_swap(site):
    site.http.ok("/tiles/globe/0/0/0.png")
    site.http.ok("/tiles/alps/0/0/0.png")
    before = site.gauge("rastrum_lua_handles")
    assert before > 0
    site.say("two")
    site.reloaded()
    wait_for(lambda: site.gauge("rastrum_lua_vms") == 1, "the old VM's end")
    # The ramps are not read ahead: that is a matter of microseconds.
    assert before - 1 <= site.gauge("rastrum_lua_handles") <= before


# ---- two workers

def test_all_workers_swap(pair):
    pair.say("two")
    pair.reloaded()
    wait_for(lambda: pair.everywhere() == {"two"}, "both workers")


def test_one_that_fails_stops_all(pair):
    """`shared` is a worker's own: one of the two is told to refuse the new plugin."""
    pair.http.ok("/set/refuse")
    pair.say("two", 'function M.setup() if rastrum.shared.get("refuse") then error("not here", 0) end end')
    answer = pair.reload()
    assert answer.status_code == 409 and "not here" in answer.json()["detail"]
    assert pair.everywhere() == {"one"}
    told = set()
    for _ in range(40):
        with Client(pair.server) as client:
            told.add(client.ok("/plugins").json()["reload"]["error"])
    assert told == {answer.json()["detail"]}, "both tell why"


def test_one_that_dies_stops_all_and_comes_back_as_it_was(pair):
    old = pair.workers()
    pair.say("two", "local t = rastrum.time.clock() while rastrum.time.clock() - t < 1.5 do end")
    answers = []
    asking = threading.Thread(target=lambda: answers.append(pair.reload()))
    # The admin connection is one worker's: that the other dies is told over it.
    pair.admin.get("/healthz")
    mine = {pid for pid in old if connected(pid)}
    victim = next(pid for pid in old if pid not in mine) if len(mine) == 1 else old[1]
    asking.start()
    wait_for(lambda: building(victim), "a build")
    os.kill(victim, signal.SIGKILL)
    asking.join(PATIENCE)
    assert answers and answers[0].status_code == 409, answers
    assert "a worker ended" in answers[0].json()["detail"]
    wait_for(lambda: len(pair.workers()) == 2 and victim not in pair.workers(), "another worker")
    wait_for(lambda: pair.server.log().count('"message":"listening on') == 3, "another worker listens")
    assert pair.everywhere() == {"one"}, "the folder holds another text; what serves is what was committed"
    pair.reloaded()
    wait_for(lambda: pair.everywhere() == {"two"}, "both workers")


def connected(pid):
    """Whether the worker has a connected Unix socket beside its own pair: the admin client's."""
    inodes = set()
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink(entry.path)
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    with open("/proc/net/unix", encoding="ascii") as source:
        return any(fields[6] in inodes and fields[-1].endswith("/admin") and fields[5] == "03"
                   for fields in (line.split() for line in source) if len(fields) == 8)


def building(pid):
    """Whether a thread of the worker other than its loop's is busy."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/stat", encoding="ascii") as source:
            if int(task) != pid and source.read().rsplit(")", 1)[1].split()[0] == "R":
                return True
    return False


def test_a_worker_that_is_replaced_after_a_failure_is_as_the_others(pair):
    pair.write("site.lua", "return {")
    assert pair.reload().status_code == 409
    for pid in pair.workers():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: pair.server.log().count('"message":"listening on') >= 4, "two other workers")
    assert pair.everywhere() == {"one"}


# ---- many

def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as source:
        return int(re.search(r"VmRSS:\s+(\d+)", source.read())[1]) * 1024


class Load:
    """Threads that ask for tiles, series, pages and slow answers until told to stop; `wrong` is what was no 200."""

    PATHS = ("/tiles/globe/1/0/0.png", "/tiles/packed/0/0/0.png", "/said", "/slow/30", "/stac/collections",
             "/api/timeseries?collection=globe&lon=10&lat=10", "/plugins")

    def __init__(self, url, threads=4):
        self.url, self.stop, self.wrong, self.count = url, threading.Event(), [], 0
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(threads)]

    def run(self, shift):
        with httpx.Client(base_url=self.url, timeout=PATIENCE) as client:
            while not self.stop.is_set():
                path = self.PATHS[(self.count + shift) % len(self.PATHS)]
                try:
                    answer = client.get(path)
                    if answer.status_code != 200:
                        self.wrong.append((path, answer.status_code, answer.text[:300]))
                except httpx.HTTPError as error:
                    self.wrong.append((path, repr(error)))
                self.count += 1

    def __enter__(self):
        for each in self.threads:
            each.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for each in self.threads:
            each.join(PATIENCE)


def held(site, worker):
    """What the worker holds when nothing runs any more."""
    wait_for(lambda: site.gauge("rastrum_lua_vms") == 1, "the old VMs' end")
    wait_for(lambda: site.gauge("rastrum_lua_tasks") <= 1, "the end of what runs")
    return {"memory": resident(worker), "files": open_files(worker), "handles": site.gauge("rastrum_lua_handles"),
            "external": site.gauge("rastrum_lua_external_bytes")}


def reload_often(site, count):
    """`count` reloads under load, the text changed each time; every request is answered 200."""
    with Load(site.server.url) as load:
        for i in range(count):
            site.say(f"text {i}")
            site.reloaded()
            assert site.said() == f"text {i}"
    assert not load.wrong, load.wrong[:5]
    assert load.count > count
    return load.count


def reload_many(site, count):
    """What the worker holds is the same after `count` reloads."""
    (worker,) = site.workers()
    for path in Load.PATHS:
        assert site.http.get(path).status_code == 200
    reload_often(site, 8 if SANITIZED else 30)  # caches, pools and heaps take their size
    before = held(site, worker)
    requests = reload_often(site, count)
    after = held(site, worker)
    assert site.workers() == [worker]
    print(f"{count} reloads, {requests} requests:", ", ".join(f"{key} {before[key]} -> {after[key]}" for key in before))
    assert after["files"] <= before["files"] + 8
    assert after["external"] <= before["external"]
    assert after["handles"] <= before["handles"] + 4
    # A VM takes more than a megabyte: those of all reloads would be seen. (The sanitizer keeps what is freed.)
    assert SANITIZED or after["memory"] - before["memory"] < 24e6


def test_reloads_lose_no_request_and_leave_memory_as_it_was(site):
    reload_many(site, 12 if SANITIZED else 30)


@pytest.mark.long
def test_a_hundred_reloads(site):
    reload_many(site, 100)
