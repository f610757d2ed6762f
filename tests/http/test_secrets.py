"""What is secret stays so: it is in no log, in no answer, in no metric and in nothing that `rastrum config` prints, whatever
goes wrong with it. Every secret of these tests has one word in it, which is looked for."""
import itertools
import json
import os
import socket

import pytest
from conftest import Client
from wire import Wire

WORD = "Jabberwock"
_count = itertools.count()


def secret():
    return f"{WORD}{next(_count)}"


def hidden(text):
    assert WORD not in text, text[max(0, text.index(WORD) - 200):][:400]
    return text


# ---- the configuration

CONFIG = """return { plugin_settings = {
  keeper = { key = "KEY", urls = { closed = "http://me:PASS@127.0.0.1:PORT/hook?sig=SIG#x",
    private = "http://PASS@10.0.0.1/?sig=SIG", nobody = "http://me:PASS@no.such.host.invalid/?sig=SIG",
    other = "ftp://me:PASS@host/", broken = "http://me:PASS@[bad" } },
} }
"""
KEEPER = """
local M = { name = "keeper", api = 1 }
local function fetch(req)
  local settings = rastrum.config.plugin_settings.keeper
  local _, err = rastrum.fetch(settings.urls[req.params.name],
    { headers = { Authorization = "Bearer " .. settings.key }, timeout_ms = 5000 })
  rastrum.log.warn(err.message, err)
  return rastrum.fail(err)
end
M.routes = { { "GET", "/keeper/{name}", fetch } }
return M
"""
CURIOUS = """
local M = { name = "curious", api = 1 }
local seen = {}
function M.setup(config) seen[1] = config end
function M.self_test(config) seen[2] = config end
local function look()
  seen[3] = rastrum.config
  return { status = 200, type = "application/json", body = rastrum.json.encode(seen) }
end
M.routes = { { "GET", "/curious", look } }
return M
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A configuration with secrets, and the options for it."""
    folder = tmp_path_factory.mktemp("secrets")
    with socket.socket() as other:  # nobody listens there any more
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    text = CONFIG.replace("PORT", str(port))
    for name in ("KEY", "PASS", "SIG"):
        text = text.replace(name, secret())
    (folder / "rastrum.lua").write_text(text)
    (folder / "plugins").mkdir()
    (folder / "plugins" / "keeper.lua").write_text(KEEPER)
    (folder / "plugins" / "curious.lua").write_text(CURIOUS)
    return ("--config", folder / "rastrum.lua", "--plugins", folder / "plugins", "--fetch-allow", "127.0.0.1",
            "--log-level", "debug")


@pytest.fixture(scope="module")
def server(start, store, site):
    server = start(store, *site, env={"AWS_SECRET_ACCESS_KEY": secret(), "PGPASSWORD": secret()})
    yield server
    hidden(server.log())


@pytest.fixture(scope="module")
def http(server):
    with Client(server) as client:
        yield client


@pytest.mark.parametrize("words", ((), ("--json",)))
def test_what_config_prints(rastrum, site, tmp_path, words):
    for scheme in ("postgres", "https"):
        url = f"{scheme}://me:{secret()}@db.example:5432/base?password={secret()}"
        for options, env in ((("--catalog", url), {}), ((), {"RASTRUM_CATALOG": url})):
            said = rastrum("config", *words, *site, *options, "--store", tmp_path, env={**os.environ, **env})
            assert f"{scheme}://***@db.example:5432/base?***" in hidden(said.stdout + said.stderr)


def test_a_store_that_cannot_be(rastrum):
    said = rastrum("serve", "--store", f"s3://{secret()}:{secret()}@bucket/x?token={secret()}", code=None)
    assert said.returncode != 0 and "s3://***@bucket/x?***" in hidden(said.stdout + said.stderr)


def test_fetches_that_fail(http):
    """Each in its own way: refused, forbidden, not found, not offered, no URL."""
    for name in ("closed", "private", "nobody", "other", "broken"):
        answer = http.get(f"/keeper/{name}")
        assert answer.status_code >= 400 and hidden(answer.text)
    said = http.server.log()
    assert said.count("***@") >= 3, said[-3000:]


def test_plugins_see_their_own_settings_only(http):
    for config in json.loads(hidden(http.ok("/curious").text)):
        assert not config["plugin_settings"] and config["store"]


# ---- requests

HEADERS = "Authorization: Bearer {0}\r\nCookie: session={0}\r\nX-Api-Key: {0}\r\nProxy-Authorization: Basic {0}\r\n"
REQUESTS = (
    "GET /healthz?token={0} HTTP/1.1\r\nHost: localhost\r\n",
    "GET /nowhere?token={0} HTTP/1.1\r\nHost: localhost\r\n",
    "GET /tiles/globe/0/0/0.png?variable=sst&token={0} HTTP/1.1\r\nHost: localhost\r\n",
    "GET /tiles/globe/99/0/0.png?token={0} HTTP/1.1\r\nHost: localhost\r\n",
    "GET /stac/search?limit=-1&token={0} HTTP/1.1\r\nHost: localhost\r\n",
    "GET /keeper/closed?token={0} HTTP/1.1\r\nHost: localhost\r\n",
    "GET http://me:{0}@localhost/healthz HTTP/1.1\r\nHost: localhost\r\n",
    "GET /healthz?token={0} HTTP/9.9\r\nHost: localhost\r\n",
    "GET /healthz HTTP/1.1\r\nHost: localhost\r\nAuthorization : {0}\r\n",
    "GET /healthz HTTP/1.1\r\nHost: localhost\r\nAuthorization: {0}\x01\r\n",
    "GET /healthz HTTP/1.1\r\nHost: me:{0}@localhost\r\n",
    "POST /api/timeseries?collection=globe&token={0} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n",
    "BREW /healthz?token={0} HTTP/1.1\r\nHost: localhost\r\n",
)


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("headers", ("", HEADERS), ids=("", "headers"))
def test_what_clients_send_is_not_told(server, request_, headers):
    with Wire(server.port) as wire:
        wire.send((request_ + headers).format(secret()) + "\r\nhello")
        status, told, body = wire.answer()
    assert status >= 200
    hidden(json.dumps(told) + body.decode("latin-1"))


def test_pages_about_the_server(http):
    for path in ("/metrics", "/plugins", "/", "/openapi.json", "/stac", "/readyz"):
        hidden(http.get(path).text)
