"""Plugins that go wrong: each is stopped, refused or answered for itself (what others notice of it: test_stress.py)."""
import json
import random
import re
import threading
import time

import pytest
from conftest import ROOT, Client

BAD = ROOT / "tests" / "http" / "badplugins"
COLLECTIONS = ("globe", "packed", "alps", "europe", "zone", "model", "fine")
ENDLESS = ("spin", "pcall", "nested", "wrap", "sort", "allocate", "recurse")


@pytest.fixture(scope="module")
def server(start, store):
    return start(store, "--plugins", BAD, lua_traces=True)


@pytest.fixture(scope="module")
def http(server):
    with Client(server) as client:
        yield client


@pytest.mark.parametrize("kind", ENDLESS)
def test_an_endless_handler_gets_a_503_that_names_it(http, kind):
    answer = http.get(f"/bad/{kind}")
    assert answer.status_code in ((500, 503) if kind == "recurse" else (503,)), answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert "spin" in json.dumps(answer.json())
    if answer.status_code == 503:
        assert answer.headers["retry-after"]
    assert http.get("/healthz").status_code == 200


@pytest.mark.parametrize("name, why", (("broken", "broken.lua"), ("newer", "99"), ("spinning_load", "spinning_load"),
                                       ("globals", "leaked"), ("clash", "/healthz")))
def test_a_plugin_that_cannot_load_is_refused_with_its_reason(http, name, why):
    refused = {each["name"]: each["reason"] for each in http.ok("/plugins").json()["refused"]}
    assert why in refused[name]


def test_the_rest_works_beside_refused_plugins(http):
    assert http.get("/tiles/globe/0/0/0.png").status_code == 200
    assert http.get("/healthz").text != "mine"


@pytest.mark.parametrize("path", ("raise", "raise-table", "none", "answer", "status", "header", "twice"))
def test_a_wrong_handler_gets_a_500_without_its_insides(http, path):
    problem = http.problem(500, f"/wrong/{path}")
    said = json.dumps(problem)
    assert "wrong" in said or path == "header", "the plugin is named"
    assert "traceback" not in said and "secret-detail" not in said and ".lua:" not in said
    assert "X-B" not in said


def test_a_text_that_would_be_too_large_is_a_503(http):
    said = http.problem(503, "/wrong/rep")["detail"]
    assert "plugin 'wrong': string.rep would make" in said and "limits.wrong.output" in said


def test_the_log_has_the_insides(server, http):
    http.get("/wrong/raise")
    assert "secret-detail" in server.log()


def test_a_buffer_does_not_outlive_its_request(http):
    assert http.post("/wrong/keep", content=b"x" * 1000, headers={"Content-Type": "text/plain"}).text == "kept"
    assert http.get("/wrong/use").status_code == 500


def test_waiting_in_a_coroutine_of_ones_own(http):
    assert "handler's own coroutine" in http.ok("/wrong/elsewhere").text


def test_what_a_plugin_must_not_reach(http):
    assert http.ok("/wrong/reach").text == ""


def test_no_way_out_leads_anywhere(server, http):
    """Every way of badplugins/escape gets nothing, and its neighbour sees what it saw before."""
    assert http.ok("/escape/handles").text == "buf dataset op ramp sql"
    before = http.ok("/neighbour/state").json()
    assert before["secret"] == "keptkept" and before["enum"] == "one" and before["setup"] == before["listen"]
    ways = http.ok("/escape/ways").json()
    assert len(ways) >= 60 and len({each["name"] for each in ways}) == len(ways)
    print(len(ways), "ways")
    assert [each for each in ways if each["loot"]] == []
    assert http.ok("/neighbour/state").json() == before
    assert http.ok("/tiles/globe/0/0/0.png", colormap_name="viridis").content
    assert http.ok("/escape/own").text == "true"


@pytest.mark.parametrize("path", ("answer", "error"))
def test_what_the_host_reads_of_a_plugin_can_be_stopped(http, path):
    assert http.get(f"/escape/{path}").status_code in (200, 500, 503)
    assert http.ok("/healthz")


def test_limits_of_one_plugin(start, store, rastrum, tmp_path):
    settings = tmp_path / "rastrum.lua"
    settings.write_text('return { limits = { spin = { lua_time = "40ms" }, slow = { requests = 1, wall = "3s" }, none = { steps = 5 } } }\n')
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "spin.lua").write_text((BAD / "spin.lua").read_text())
    (plugins / "slow.lua").write_text(
        'local function wait() rastrum.sleep(60000) end\n'
        'return { name = "slow", api = 1, routes = { { "GET", "/slow", wait, summary = "Waits" } } }\n')
    own = start(store, "--config", settings, "--plugins", plugins)
    with Client(own) as http:
        assert "used more than 40 ms of Lua time in one request; limits.spin.lua_time raises" in http.problem(503, "/bad/spin")["detail"]
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(http.get("/slow")))
        waiting.start()
        while gauge(http, 'rastrum_plugin_tasks{plugin="slow"}') < 1 and waiting.is_alive():
            time.sleep(0.01)
        refused = http.get("/slow")
        assert refused.status_code == 503 and refused.headers["retry-after"]
        assert "plugin 'slow' answers 1 requests already, the most at a time; limits.slow.requests" in refused.json()["detail"]
        assert http.ok("/healthz")
        waiting.join(60)
        assert "did not answer within 3000 ms; limits.slow.wall" in answers[0].json()["detail"]
        assert gauge(http, 'rastrum_plugin_lua_seconds_total{plugin="spin"}') >= 0.04
        for reason, plugin in (("timeout", "spin"), ("busy", "slow"), ("timeout", "slow")):
            assert gauge(http, f'rastrum_lua_dropped_total{{reason="{reason}",plugin="{plugin}"}}') == 1
    assert "there is no plugin 'none'" in own.log()
    shown = json.loads(rastrum("config", "--config", settings, "--json").stdout)
    assert shown["limits"] == {"origin": str(settings), "value": {
        "spin": {"lua_time": "40ms"}, "slow": {"requests": 1, "wall": "3s"}, "none": {"steps": 5}}}


@pytest.mark.parametrize("limits, why", (
    ("{ tiles = { lua_tim = 1 } }", "limits.tiles.lua_tim is no limit; there are lua_time, wall, memory"),
    ('{ tiles = { wall = "long" } }', "limits.tiles.wall is 'long'; it takes a time such as 10s"),
    ("{ tiles = { memory = 0 } }", "limits.tiles.memory is '0'; it takes a size such as 64M, more than 0"),
    ("{ tiles = 5 }", "limits.tiles: a plugin's name and a table"), ('"x"', "limits is no table")))
def test_limits_that_are_wrong(rastrum, tmp_path, limits, why):
    (tmp_path / "rastrum.lua").write_text(f"return {{ limits = {limits} }}\n")
    assert why in rastrum("config", "--config", tmp_path / "rastrum.lua", code=2).stderr


def test_a_plugin_replaces_a_built_in_one_of_its_name(start, store, tmp_path):
    (tmp_path / "viewer.lua").write_text(
        'local function page() return { status = 200, type = "text/plain", body = "my own page" } end\n'
        'return { name = "viewer", api = 1, routes = { { "GET", "/", page, summary = "Mine" } } }\n')
    with Client(start(store, "--plugins", tmp_path)) as own:
        assert own.ok("/").text == "my own page"
    with Client(start(store, "--disable", "viewer")) as without:
        assert without.get("/").status_code == 404 and without.get("/healthz").status_code == 200


def gauge(http, name):
    found = re.search(rf"^{re.escape(name)} (\S+)", http.ok("/metrics").text, re.M)
    return float(found[1]) if found else 0.0


def random_request(dice):
    zoom = dice.randrange(7)
    n = 2**zoom
    if dice.random() < 1 / 11:
        return "/api/timeseries", {"collection": dice.choice(("globe", "packed", "model", "europe")), "lon": dice.uniform(-180, 180),
                                   "lat": dice.uniform(-85, 85), "method": dice.choice(("nearest", "bilinear"))}
    form = dice.choice(("png", "png", "npy"))
    path = f"/tiles/{dice.choice(COLLECTIONS)}/{zoom}/{dice.randrange(n)}/{dice.randrange(n)}.{form}"
    return path, {"resampling": dice.choice(("nearest", "bilinear"))}


def test_nothing_is_left_of_two_thousand_requests(server, http):
    """No status but the stated ones; then no task is left, and no byte but those of the catalog's snapshots."""
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    dice = random.Random(seed)
    for name in COLLECTIONS:
        http.ok(f"/tiles/{name}/0/0/0.png")
    idle = gauge(http, "rastrum_lua_external_bytes")
    kinds = {}
    for _ in range(2200):
        path, params = random_request(dice)
        answer = http.get(path, params=params)
        outside = answer.status_code == 400 and "outside" in answer.text
        assert answer.status_code == 200 or outside, f"seed {seed}: {answer.url}: {answer.status_code} {answer.text[:300]}"
        kinds[path.split("/")[1]] = kinds.get(path.split("/")[1], 0) + 1
    assert kinds["api"] > 120 and kinds["tiles"] > 1800
    assert gauge(http, "rastrum_lua_external_bytes") == idle
    assert gauge(http, "rastrum_lua_tasks") <= 1
