"""The examples: a route, a workflow, a search, a ramp and hooks, each as a newcomer would run it."""
import json
import re
import signal
import time

import golden
import pytest
from conftest import ROOT, Client
from peer import Peer

EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def http(start, store):
    with Client(start(store, "--plugins", EXAMPLES, "--colormaps", EXAMPLES / "colormaps")) as client:
        yield client


def test_none_is_refused_and_all_are_short(http):
    files = sorted(EXAMPLES.glob("*.lua")) + sorted(EXAMPLES.glob("*/init.lua"))
    listed = http.ok("/plugins").json()
    assert listed["refused"] == []
    for path in files:
        name = path.parent.name if path.name == "init.lua" else path.stem
        assert name in {each["name"] for each in listed["plugins"]}
        assert len(path.read_text().splitlines()) <= 40, path
    kinds = "".join(path.read_text() for path in files)
    assert all(re.search(rf"M\.{kind}\b", kinds) for kind in ("routes", "workflows", "searches", "ramps", "hooks"))


def test_the_route(http):
    assert http.ok("/hello/you").text == "Hello, you\n"


def test_the_search_stands_where_a_collection_stands(http):
    text = "".join(path.read_text() for path in EXAMPLES.rglob("*.lua"))
    name = re.search(r"searches\.(\w+)|searches\s*=\s*\{\s*(\w+)", text)
    name = name[1] or name[2]
    assert golden.png(http.ok(f"/tiles/{name}/0/0/0.png").content)[..., 3].any()
    assert http.ok(f"/tiles/{name}/tilejson.json").json()["tiles"]
    assert http.ok("/api/timeseries", collection=name, lon=-30, lat=10).json()["timestamps"]
    assert http.ok("/stac/search", collections=name, limit=1).json()["features"]


def test_the_ramp(http):
    own = {"two_tone", *(path.stem for path in (EXAMPLES / "colormaps").glob("*.json"))}
    assert len(own) > 1 and own <= set(http.ok("/colorMaps").json()["colorMaps"])
    for name in own:
        assert http.ok("/tiles/globe/0/0/0.png", colormap_name=name).headers["content-type"] == "image/png"


def test_what_is_shared(http):
    before = int(re.search(r"(\d+) requests", http.ok("/popular/globe").text)[1])
    for column in (0, 1):
        http.ok(f"/tiles/globe/1/{column}/0.png")
    assert http.ok("/popular/globe").text == f"globe: {before + 2} requests by now; the last was for globe\n"
    http.server.process.send_signal(signal.SIGHUP)
    for _ in range(200):
        note = http.ok("/plugins").json().get("reload")
        if note:
            break
        time.sleep(0.05)
    assert note, "the reload is not told of"
    assert http.ok("/popular/globe").text.startswith(f"globe: {before + 2} requests")


def test_the_workflow(rastrum, sources, tmp_path):
    """It refuses a file without times and hands others on."""
    words = ("--workflow", "dated", "--plugins", EXAMPLES, "--collection", "c", "--store", tmp_path / "store")
    done = rastrum("ingest", sources["alps"].path, *words, code=1)
    assert "no times" in done.stderr and not list((tmp_path / "store").rglob("*.tif"))
    rastrum("ingest", sources["zone"].path, *words)
    assert list((tmp_path / "store").rglob("*.tif"))


def test_the_webhook(rastrum, sources, tmp_path):
    """Configured as its head says."""
    config, peer = tmp_path / "rastrum.lua", Peer()
    config.write_text(f'return {{ plugins = "{EXAMPLES}", fetch_allow = "127.0.0.1",\n'
                      f'  plugin_settings = {{ webhook = {{ url = "{peer.url}/hook" }} }} }}\n')
    words = ("--collection", "c", "--store", tmp_path / "store", "--config", config)
    rastrum("ingest", sources["zone"].path, *words)
    (tmp_path / "bad.nc").write_text("nothing")
    done = rastrum("ingest", tmp_path / "bad.nc", *words, code=1)
    told = [json.loads(body) for _, _, _, body in peer.asked]
    assert [each["event"] for each in told] == ["published", "failed"]
    assert told[0]["collection"] == "c" and told[0]["version"] and told[0]["variables"]
    assert told[1]["file"] == "bad.nc" and told[1]["message"] in done.stderr
    peer.close()
    rastrum("ingest", sources["globe"].path, *words)  # a webhook that is away breaks nothing
