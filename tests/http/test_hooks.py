"""Hooks of an ingest: told of each event, able to refuse, never able to break a publication; and rastrum.fetch."""
import json

import pytest
from peer import Peer

# Writes what it hears into the log, which comes out on standard error as JSON.
LISTENER = """
local M = { name = "listener", api = 1 }
local function tell(event)
  return function(what)
    what.plan = what.plan and { arrays = what.plan.plan.arrays }
    what.event = event
    rastrum.log.info("heard", what)
  end
end
M.hooks = { on_validate = tell "validate", on_step = tell "step", on_publish = tell "publish", on_failure = tell "failure" }
return M
"""


@pytest.fixture(name="ingest")
def ingest_with_plugins(rastrum, tmp_path):
    """ingest(file, {name: Lua}, …) -> what it said; the store is kept between calls."""
    folder = tmp_path / "plugins"
    folder.mkdir()

    def run(source, plugins, *words, code=0, **options):
        for name, text in plugins.items():
            (folder / f"{name}.lua").write_text(text)
        done = rastrum("ingest", source, "--collection", "c", "--store", tmp_path / "store", "--plugins", folder, *words, code=code,
                       **options)
        logged = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
        done.heard = [line["data"] for line in logged if line["message"] == "heard"]
        done.errors = [line["message"] for line in logged if line["level"] == "error"]
        return done

    run.store = tmp_path / "store"
    return run


def published(store):
    return list(store.rglob("manifest.json"))


def hook(name, event, body):
    return f'local M = {{ name = "{name}", api = 1 }}\nM.hooks = {{ {event} = function(what) {body} end }}\nreturn M\n'


def test_each_event_is_told(ingest, sources):
    done = ingest(sources["zone"].path, {"listener": LISTENER})
    assert [h["event"] for h in done.heard] == ["step", "validate", "step", "step", "step", "publish"]
    assert [h["step"] for h in done.heard if h["event"] == "step"] == ["validate", "convert", "describe", "publish"]
    validate, publish = done.heard[1], done.heard[-1]
    assert validate["file"] == sources["zone"].path.name and validate["plan"]["arrays"] > 0
    assert publish["collection"] == "c" and publish["version"] and publish["bytes_in"] > 0 and publish["variables"]
    assert publish["source"] == str(sources["zone"].path)
    again = ingest(sources["zone"].path, {})
    assert [h["event"] for h in again.heard] == ["step", "validate"], "nothing was published"


def test_a_failure_is_told(ingest, tmp_path):
    (tmp_path / "bad.nc").write_text("nothing")
    done = ingest(tmp_path / "bad.nc", {"listener": LISTENER}, code=1)
    failure = done.heard[-1]
    assert (failure["event"], failure["step"], failure["file"]) == ("failure", "validate", "bad.nc")
    assert failure["message"] in done.stderr and failure["code"] == "invalid" or failure["code"] == "unsupported"
    done = ingest(tmp_path / "missing.nc", {}, code=1)
    assert [h["event"] for h in done.heard] == ["failure"]


@pytest.mark.parametrize("body", ['return nil, "no summer data"', 'return false, "no summer data"',
                                  'return nil, { code = "invalid", message = "no summer data" }'])
def test_validate_may_refuse(ingest, sources, body):
    for words in ((), ("--dry-run",)):
        done = ingest(sources["zone"].path, {"picky": hook("picky", "on_validate", body)}, *words, code=1)
        name = sources["zone"].path.name
        assert f"rastrum: {name}: plugin 'picky' refuses it: no summer data" in done.stderr
        assert not published(ingest.store)


@pytest.mark.parametrize("event", ["on_validate", "on_step", "on_publish"])
@pytest.mark.parametrize("body, said", [
    ('error("out of order")', "out of order"),
    ("while true do end", "did not end within 300 ms"),
    ("local t = {} for i = 1, 1e9 do t[i] = { i } end", "lua_memory|did not end"),
    ("rastrum.sleep(60000)", "did not end within 300 ms"),
])
def test_one_that_fails_breaks_nothing(ingest, sources, event, body, said):
    done = ingest(sources["zone"].path, {"broken": hook("broken", event, body)}, env={"RASTRUM_HOOK_TIMEOUT": "300ms"})
    assert published(ingest.store), done.stderr
    text = "\n".join(done.errors)
    assert "broken" in text and any(each in text for each in said.split("|")), done.stderr


def test_an_unknown_hook_is_refused(rastrum, tmp_path):
    (tmp_path / "odd.lua").write_text(hook("odd", "on_publsh", ""))
    done = rastrum("plugin", "list", "--plugins", tmp_path, "--store", tmp_path / "store", code=None)
    assert "unknown hook 'on_publsh'; did you mean 'on_publish'?" in done.stdout + done.stderr


# ---- rastrum.fetch


@pytest.fixture(name="peer")
def another_server():
    with Peer() as peer:
        yield peer


ASK = """
local M = { name = "ask", api = 1 }
M.workflows = { ask = function(ctx)
  for _, line in ipairs(rastrum.json.decode(rastrum.config.plugin_settings.ask)) do
    local answer, err = rastrum.fetch(line[1], line[2])
    rastrum.log.info("answer", { answer = answer, code = err and err.code,
      message = err and err.message })
  end
  return true
end }
return M
"""


@pytest.fixture(name="ask")
def fetches(rastrum, tmp_path):
    """ask([url, options], …) -> what rastrum.fetch gave."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "ask.lua").write_text(ASK)

    def run(*requests, allow="127.0.0.1"):
        config = tmp_path / "rastrum.lua"
        text = json.dumps([list(request) for request in requests])
        config.write_text(f"return {{ plugin_settings = {{ ask = [==[{text}]==] }}, fetch_allow = {{ {json.dumps(allow)} }} }}")
        done = rastrum("ingest", "none", "--workflow", "ask", "--plugins", tmp_path / "plugins", "--config", config, "--store",
                       tmp_path / "store")
        lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
        return [line["data"] for line in lines if line["message"] == "answer"]

    return run


def test_fetch_asks(ask, peer):
    options = {"method": "PUT", "headers": {"X-Key": "k"}, "body": "text"}
    first, second, third = ask([peer.url + "/a?b=c"], [peer.url + "/none"], [peer.url + "/put", options])
    assert first["answer"]["status"] == 200 and first["answer"]["body"] == '{"ok":true}'
    assert first["answer"]["headers"]["x-twice"] == "a, b"
    assert second["answer"]["status"] == 404
    assert third["answer"]["status"] == 200
    method, path, headers, body = peer.asked[2]
    assert (method, path, headers["X-Key"], body) == ("PUT", "/put", "k", b"text")
    assert peer.asked[0][:2] == ("GET", "/a?b=c")


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://[::1]:{port}/", "http://0.0.0.0:{port}/",
                                 "http://[::ffff:127.0.0.1]:{port}/", "http://2130706433:{port}/", "http://10.0.0.1/",
                                 "http://169.254.169.254/latest/meta-data/"])
def test_fetch_refuses_special_addresses(ask, peer, url):
    port = peer.server.server_address[1]
    (answer,) = ask([url.format(port=port), {"timeout": 3000}], allow="192.0.2.1")
    assert answer["code"] == "denied" and "fetch_allow" in answer["message"], answer
    assert not peer.asked


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "/etc/passwd", "http://a b/\r\nX: y"])
def test_fetch_takes_web_addresses_only(ask, url):
    (answer,) = ask([url])
    assert answer["code"] == "invalid", answer


def test_fetch_checks_where_it_is_sent(ask, peer):
    """A redirect leads to no other scheme and no special address; without leave it is an answer."""
    peer.elsewhere = f"http://[::1]:{peer.server.server_address[1]}/secret"
    plain, followed = ask([peer.url + "/away"], [peer.url + "/away", {"redirects": 3}])
    assert plain["answer"]["status"] == 302 and followed["code"] == "denied"
    peer.elsewhere = "file:///etc/passwd"
    (followed,) = ask([peer.url + "/away", {"redirects": 3}])
    assert followed["code"] in ("io", "invalid") and "root:" not in json.dumps(followed)
    peer.elsewhere = "/end"
    (followed,) = ask([peer.url + "/away", {"redirects": 3}])
    assert followed["answer"]["status"] == 200


def test_fetch_is_bounded(ask, peer):
    large, slow, refused = ask([peer.url + "/large", {"most": 1000}], [peer.url + "/slow", {"timeout": 300}],
                               ["http://127.0.0.1:1/"])
    assert large["code"] == "too_big" and slow["code"] == "timeout" and refused["code"] == "io"
