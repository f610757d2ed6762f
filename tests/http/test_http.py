"""The server's manners: HTTP/1.1 on the wire, limits, headers, its own routes, and how it ends."""
import gzip
import json
import random
import re
import signal
import subprocess
import threading
import time

import httpx
import pytest
from conftest import ROOT, SANITIZED, Client
from wire import Wire, ask

GET = "GET {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n"
TILE = "/tiles/globe/2/1/1.png?variable=sst"
ROUTES = ("/", "/docs", "/healthz", "/readyz", "/metrics", "/plugins", "/openapi.json", "/colorMaps", "/colorMaps/viridis",
          "/colorMaps/viridis?format=png", TILE, "/tiles/globe/tilejson.json", "/tiles/globe/times",
          "/api/timeseries?collection=globe&lon=1&lat=1", "/stac", "/stac/collections", "/stac/search?limit=1",
          "/stac/collections/globe/items?limit=1")


def test_keep_alive_and_pipelining(server):
    with Wire(server.port) as wire:
        for _ in range(3):
            wire.send(GET.format("/healthz", ""))
            assert wire.answer()[0] == 200
        wire.send(GET.format("/healthz", "") + GET.format("/nosuch", "") + GET.format(TILE, ""))
        assert [wire.answer()[0] for _ in range(3)] == [200, 404, 200]
        wire.send(GET.format("/healthz", "Connection: close\r\n"))
        status, headers, _ = wire.answer()
        assert status == 200 and headers["connection"] == "close" and wire.closed()


def test_http_1_0_closes(server):
    with Wire(server.port) as wire:
        wire.send("GET /healthz HTTP/1.0\r\n\r\n")
        assert wire.answer()[0] == 200 and wire.closed()


@pytest.mark.parametrize("path", ROUTES)
def test_head_is_get_without_the_body(http, path):
    get, head = http.get(path), http.head(path)
    assert get.status_code == head.status_code == 200 and not head.content
    different = {"date", "x-request-id", "server-timing"}
    if path == "/metrics":
        different.add("content-length")
    assert {k: v for k, v in get.headers.items() if k not in different} == \
        {k: v for k, v in head.headers.items() if k not in different}


@pytest.mark.parametrize("path", ROUTES)
def test_every_answer_says_its_name_time_and_cache(http, path):
    answer = http.get(path)
    assert answer.headers["x-request-id"] and answer.headers["date"] and answer.headers["content-type"]
    assert "cache-control" in answer.headers


def test_the_client_s_request_id_is_kept_if_sane(http):
    assert http.get("/healthz", headers={"X-Request-Id": "abc-123_4.5"}).headers["x-request-id"] == "abc-123_4.5"
    for bad in ("x" * 500, "a b\t<script>"):
        assert http.get("/healthz", headers={"X-Request-Id": bad}).headers["x-request-id"] != bad
    ids = {http.get("/healthz").headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


def test_problems_name_the_request(http):
    problem = http.problem(404, "/nosuch")
    assert "/nosuch" in json.dumps(problem)
    answer = http.get("/nosuch")
    assert answer.headers["cache-control"] == "no-store"


def test_server_timing_names_the_stages(http):
    http.get("/tiles/fine/4/9/5.png")
    answer = http.get("/tiles/fine/5/18/11.png?rescale=-5999,5999")
    stages = dict(re.findall(r"(\w+);dur=([\d.]+)", answer.headers["server-timing"]))
    assert {"warp", "encode"} <= set(stages) <= {"catalog", "fetch", "decode", "warp", "encode"}
    assert all(0 <= float(ms) < 10000 for ms in stages.values())


@pytest.mark.parametrize("path, words", (
    (TILE, ("public", "max-age=60", "stale-while-revalidate=600")), ("/healthz", ("no-store",)), ("/readyz", ("no-store",)),
    ("/metrics", ("no-store",)), ("/api/timeseries?collection=globe&lon=1&lat=1", ("public", "max-age=60")),
    ("/nosuch", ("no-store",)), (TILE + "&zoom=1", ("no-store",))))
def test_cache_control_by_route(http, path, words):
    said = http.get(path).headers["cache-control"]
    assert all(word in said for word in words), said


# ---- methods and origins


@pytest.mark.parametrize("path, allowed", ((TILE, {"GET", "HEAD", "OPTIONS"}), ("/stac/search", {"GET", "HEAD", "OPTIONS", "POST"}),
                                           ("/api/timeseries", {"GET", "HEAD", "OPTIONS", "POST"})))
def test_options_and_405(http, path, allowed):
    answer = http.options(path)
    assert answer.status_code in (200, 204) and set(answer.headers["allow"].split(", ")) == allowed
    for method in ("DELETE", "PUT", "PATCH"):
        answer = http.request(method, path)
        assert answer.status_code == 405 and set(answer.headers["allow"].split(", ")) == allowed
        assert answer.headers["content-type"].startswith("application/problem+json")


def test_unknown_methods(server):
    for method in ("BREW", "CONNECT", "TRACE"):
        answer = ask(server.port, f"{method} /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer is None or answer[0] in (400, 405, 501)


def test_cors_for_all_by_default(http):
    answer = http.get(TILE, headers={"Origin": "https://maps.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    exposed = answer.headers["access-control-expose-headers"].lower()
    assert "etag" in exposed
    answer = http.options("/api/timeseries", headers={"Origin": "https://maps.example", "Access-Control-Request-Method": "POST",
                                                      "Access-Control-Request-Headers": "content-type"})
    assert answer.status_code in (200, 204)
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "content-type" in answer.headers["access-control-allow-headers"].lower()
    assert http.get("/nosuch", headers={"Origin": "https://maps.example"}).headers["access-control-allow-origin"] == "*"


def test_cors_for_the_configured_origins(start, store):
    with Client(start(store, "--cors-origins", "https://a.example", "--cors-origins", "https://b.example")) as http:
        for origin in ("https://a.example", "https://b.example"):
            answer = http.get(TILE, headers={"Origin": origin})
            assert answer.headers["access-control-allow-origin"] == origin and "origin" in answer.headers["vary"].lower()
        for origin in ("https://c.example", "https://a.example.evil", "null", "http://a.example"):
            answer = http.get(TILE, headers={"Origin": origin})
            assert answer.status_code == 200 and "access-control-allow-origin" not in answer.headers


# ---- what is not HTTP, or too much of it


@pytest.mark.parametrize("request_", (
    "GET\r\n\r\n", "GET / HTTP/9.9\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nNo colon\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n",
    "GET / HTTP/1.1\r\nHost : x\r\n\r\n", "GET / HTTP/1.1\nHost: x\n\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "GET nopath HTTP/1.1\r\nHost: x\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /tiles/globe/2/1/1.png?variable=%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n"))
def test_malformed_is_400_or_404_and_the_server_lives(server, request_):
    answer = ask(server.port, request_)
    assert answer is not None and answer[0] in (400, 404, 505), answer
    if answer[0] != 505:
        assert answer[1]["content-type"].startswith("application/problem+json")
    assert ask(server.port, GET.format("/healthz", ""))[0] == 200


@pytest.mark.parametrize("headers", (
    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n",
    "Content-Length: +5\r\n", "Content-Length: 5, 5\r\n", "Content-Length: -1\r\n", "Content-Length: 0x5\r\n",
    "Transfer-Encoding: chunked, identity\r\n", "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding:\x0bchunked\r\n",
    "Content-Length: 99999999999999999999\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"))
def test_smuggling_is_refused(server, headers):
    """Whatever a proxy in front might read otherwise: refused, and nothing after it on that connection is answered."""
    with Wire(server.port, 5) as wire:
        wire.send(f"POST /api/timeseries?collection=globe HTTP/1.1\r\nHost: x\r\n{headers}\r\n"
                  "0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-Id: smuggled\r\n\r\n")
        answer = wire.answer()
        assert answer is not None and answer[0] in (400, 413, 501), answer
        assert b"smuggled" not in wire.rest and wire.closed()


def test_a_chunked_body(http, server):
    point = json.dumps({"type": "Point", "coordinates": [80, 31]}).encode()
    chunks = b"".join(b"%x\r\n%c\r\n" % (1, byte) for byte in point) + b"0\r\n\r\n"
    head = "POST /api/timeseries?collection=globe HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    status, _, body = ask(server.port, head.encode() + chunks)
    assert status == 200 and json.loads(body)["values"]


def test_expect_100_continue(server):
    point = json.dumps({"type": "Point", "coordinates": [80, 31]})
    with Wire(server.port) as wire:
        wire.send("POST /api/timeseries?collection=globe HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                  f"Content-Length: {len(point)}\r\n\r\n")
        assert wire.answer(head=True)[0] == 100
        wire.send(point)
        assert wire.answer()[0] == 200


def test_414_431_413(server):
    for request, status in ((GET.format("/tiles/globe/2/1/1.png?variable=" + "a" * 20000, ""), 414),
                            (GET.format("/healthz", "X-Long: " + "a" * 100000 + "\r\n"), 431),
                            (GET.format("/healthz", "".join(f"X-{i}: 1\r\n" for i in range(20000))), 431),
                            ("POST /api/timeseries?collection=globe HTTP/1.1\r\nHost: x\r\nContent-Length: 300000000\r\n\r\n", 413)):
        with Wire(server.port) as wire:
            wire.send(request)
            got = wire.answer()
            assert got is not None and got[0] == status, (status, got)
            problem = json.loads(got[2])
            assert problem["status"] == status and problem["title"]
    assert ask(server.port, GET.format("/healthz", ""))[0] == 200


def test_a_body_that_grows_too_large_in_chunks(server):
    with Wire(server.port) as wire:
        wire.send("POST /api/timeseries?collection=globe HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(200):
                wire.send(b"10000\r\n" + b" " * 65536 + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = wire.answer()
        assert answer is None or answer[0] == 413


def test_a_client_that_goes_away_does_no_harm(server, http):
    for path in (TILE, "/api/timeseries?collection=globe&lon=1&lat=1", "/stac/search?limit=100"):
        for _ in range(20):
            with Wire(server.port) as wire:
                wire.send(GET.format(path, ""))
        with Wire(server.port) as wire:
            wire.send(GET.format(path, "")[:-9])
    assert http.get("/healthz").status_code == 200


# ---- gzip


def test_gzip_when_asked(server):
    path = "/api/timeseries?collection=globe&lon=1&lat=-60&variable=wind"
    _, headers, plain = ask(server.port, GET.format(path, ""))
    assert "content-encoding" not in headers and "accept-encoding" in headers["vary"].lower()
    status, zipped, body = ask(server.port, GET.format(path, "Accept-Encoding: br, gzip;q=0.8\r\n"))
    assert status == 200 and zipped["content-encoding"] == "gzip" and gzip.decompress(body) == plain
    assert zipped["etag"] != headers["etag"], "the strong tag of other bytes"
    for refuse in ("gzip;q=0", "br", "identity"):
        assert "content-encoding" not in ask(server.port, GET.format(path, f"Accept-Encoding: {refuse}\r\n"))[1]
    again = ask(server.port, GET.format(path, f"Accept-Encoding: gzip\r\nIf-None-Match: {zipped['etag']}\r\n"))
    assert again[0] == 304


def test_pictures_are_not_zipped(server):
    _, headers, _ = ask(server.port, GET.format(TILE, "Accept-Encoding: gzip\r\n"))
    assert "content-encoding" not in headers


# ---- routes of the host itself


def test_healthz_and_readyz(http):
    assert http.get("/healthz").status_code == 200
    assert http.get("/readyz").status_code == 200


def test_metrics(http):
    http.get(TILE)
    deadline = time.monotonic() + 5  # the loop's lag is measured once a second
    while "rastrum_loop_lag_seconds" not in http.ok("/metrics").text and time.monotonic() < deadline:
        time.sleep(0.05)
    answer = http.ok("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = answer.text
    for name in ("rastrum_http_requests_total", "rastrum_http_request_duration_seconds_bucket", "rastrum_build_info",
                 "rastrum_loop_lag_seconds", "rastrum_cache_hits_total", "rastrum_lane_jobs_total", "rastrum_lua_heap_bytes",
                 "rastrum_external_bytes", "rastrum_stage_seconds"):
        assert f"\n{name}" in text, name
    assert 'route="/tiles/{collection}/{z:int}/{x:int}/{y}.{format}"' in text or 'route="/tiles/{collection}/{z}/{x}/{y}.{format}"' in text
    assert "globe" not in text, "labels never hold what a user chose"
    assert len(re.findall(r"^# TYPE (\S+)", text, re.M)) == len(set(re.findall(r"^# TYPE (\S+)", text, re.M)))


def test_metrics_pass_promtool(http):
    tool = next((ROOT / "build" / "tools").rglob("bin/promtool"), None) if (ROOT / "build" / "tools").exists() else None
    if not tool:
        pytest.skip("promtool is not unpacked in build/tools")
    done = subprocess.run([tool, "check", "metrics"], input=http.ok("/metrics").text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_metrics_on_a_port_of_their_own(start, store):
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Client(start(store, "--admin", f"127.0.0.1:{port}")) as http:
        assert http.get("/metrics").status_code == 404
        assert "rastrum_build_info" in httpx.get(f"http://127.0.0.1:{port}/metrics").text


def test_openapi(http):
    document = http.ok("/openapi.json").json()
    from openapi_spec_validator import validate
    validate(document)
    assert document["openapi"].startswith("3.1")
    tile = document["paths"]["/tiles/{collection}/{z}/{x}/{y}.{format}"]["get"]
    parameters = {p["name"]: p for p in tile["parameters"]}
    assert parameters["z"]["in"] == "path" and parameters["z"]["schema"]["maximum"] == 24
    assert {"nearest", "bilinear"} <= set(parameters["resampling"]["schema"]["enum"])
    assert all(p["description"] for p in tile["parameters"]) and tile["summary"]
    for path in ("/api/timeseries", "/stac/search", "/data/{collection}/{dataset}/{version}/{path}", "/healthz", "/colorMaps/{name}"):
        assert path in document["paths"]


def test_every_documented_get_is_there(http):
    document = http.ok("/openapi.json").json()
    for path, item in document["paths"].items():
        if "get" in item and "{" not in path:
            required = [p for p in item["get"].get("parameters", ()) if p.get("required")]
            assert http.get(path).status_code == (400 if required else 200), path


def test_plugins(http):
    text = json.dumps(http.ok("/plugins").json())
    for name in ("tiles", "timeseries", "data", "viewer", "colormaps", "stac"):
        assert f'"{name}"' in text


def test_colormaps(http):
    names = http.ok("/colorMaps").json()["colorMaps"]
    assert {"viridis", "magma", "inferno", "plasma", "levels"} <= set(names) and len(names) >= 16
    table = http.ok("/colorMaps/levels").json()
    assert list(table["7"] if isinstance(table, dict) else table[7]) == [7, 7, 7, 255]
    assert http.ok("/colorMaps/viridis", format="png").content[:8] == b"\x89PNG\r\n\x1a\n"
    assert "nosuch" in http.problem(404, "/colorMaps/nosuch")["detail"]


def test_no_data_at_all(start, tmp_path):
    with Client(start(tmp_path / "empty")) as http:
        for path in ("/", "/healthz", "/readyz", "/stac", "/stac/collections", "/openapi.json", "/stac/search"):
            assert http.get(path).status_code == 200, path
        http.problem(404, "/tiles/globe/0/0/0.png")
        http.problem(404, "/api/timeseries", collection="globe", lon=1, lat=1)


# ---- the end


def slow_plugin(folder):
    """GET /slow/{ms} answers after that long."""
    folder.mkdir()
    (folder / "slow.lua").write_text(
        'local M = { name = "slow", api = 1 }\n'
        'local function slow(req) rastrum.sleep(req.params.ms) return { status = 200, type = "text/plain", body = "done" } end\n'
        'M.routes = { { "GET", "/slow/{ms:int}", slow, summary = "Waits",\n'
        '  params = { { name = "ms", type = "integer", min = 0, max = 20000, description = "how long" } } } }\n'
        'return M\n')
    return folder


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT))
def test_what_is_in_flight_is_answered_at_the_end(start, store, tmp_path, number):
    server = start(store, "--plugins", slow_plugin(tmp_path / "plugins"))
    answers = []
    asking = threading.Thread(target=lambda: answers.append(ask(server.port, GET.format("/slow/1500", ""))))
    asking.start()
    with Client(server) as http:
        deadline = time.monotonic() + 10
        while "rastrum_lua_tasks 2" not in http.get("/metrics").text and time.monotonic() < deadline:
            time.sleep(0.01)
    server.process.send_signal(number)
    asking.join(15)
    assert answers and answers[0][0] == 200 and answers[0][2] == b"done"
    assert answers[0][1].get("connection") == "close"
    assert server.process.wait(10) == 0


def test_an_idle_server_ends_at_once(start, store):
    server = start(store)
    with Wire(server.port) as wire:  # an idle kept-alive connection does not hold it
        wire.send(GET.format("/healthz", ""))
        assert wire.answer()[0] == 200
        server.process.terminate()
        assert server.process.wait(10) == 0


def test_drain_delay_says_not_ready_but_answers(start, store):
    server = start(store, "--drain-delay", "2s")
    with Client(server) as http:
        assert http.get("/readyz").status_code == 200
        server.process.terminate()
        deadline = time.monotonic() + 1.5
        while http.get("/readyz").status_code == 200 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert http.get("/readyz").status_code == 503
        assert http.get(TILE).status_code == 200
    assert server.process.wait(10) == 0


def test_two_workers_share_the_port(start, store):
    server = start(store, "--workers", "2")
    with Client(server) as http:
        for _ in range(20):
            assert http.get(TILE).status_code == 200
    assert server.stop(10) == 0


def test_a_taken_port(binary, server, store):
    done = subprocess.run([binary, "serve", "--listen", f"127.0.0.1:{server.port}", "--store", store], capture_output=True,
                          text=True, timeout=30, check=False)
    assert done.returncode == 1 and str(server.port) in done.stderr
    assert "Traceback" not in done.stderr


def test_request_log_lines(start, store):
    server = start(store, "--log-format", "json")
    with Client(server) as http:
        http.get(TILE, headers={"X-Request-Id": "find-me"})
    server.stop()
    line = next(json.loads(l) for l in server.log().splitlines() if "find-me" in l)
    text = json.dumps(line)
    assert "/tiles/{collection}" in text and "200" in text
    assert {"status", "bytes"} <= set(line) and any(k in line for k in ("ms", "duration_ms", "milliseconds"))


# ---- any query string gets a stated answer

STATED = {200, 204, 206, 304, 307, 400, 404, 405, 413, 414, 416, 431, 503}
PATHS = ("/tiles/globe/{z}/{x}/{y}.png", "/tiles/alps/{z}/{x}/{y}.npy", "/tiles/globe/tilejson.json", "/tiles/model/times",
         "/api/timeseries", "/stac/search", "/stac/collections/globe/items", "/stac/collections/{w}", "/colorMaps/{w}",
         "/collections/globe/items/{w}/point/{n},{n}", "/data/globe/{w}/{w}/{w}", "/{w}", "/plugins", "/healthz",
         "/tiles/{w}/{z}/{x}/{y}.{w}")
NAMES = ("variable", "datetime", "level", "sel", "item", "rescale", "colormap_name", "colormap", "resampling", "nodata",
         "unscale", "return_mask", "bidx", "tilesize", "v", "collection", "collections", "lon", "lat", "method", "f", "limit",
         "bbox", "ids", "intersects", "sortby", "fields", "token", "format", "x", "assets", "")
WORDS = ("sst", "wind", "globe", "alps", "1", "0", "-1", "1e308", "nan", "inf", "1,2", "a,b", "..", "../..", "2020-02-21",
         "2020-02-21/..", "nearest::2020", "level=850", "level=", "=", "viridis", '{"0":"#fff"}', "[[", "%", "\x00", "é",
         "\U0001f30d", "' or 1=1 --", "{{", "%s%n", "9" * 400, "true", "bilinear", "-180,-90,180,90", "180,0,-180,1", "", " ",
         '{"type":"Point","coordinates":[1,2]}', "+datetime", "2020-02-30", "9999-12-31T23:59:59.999Z", "\n", "0x10")


def random_url(dice):
    path = dice.choice(PATHS)
    fill = {"z": lambda: dice.choice((0, 1, 5, 24, 25, -1)), "x": lambda: dice.choice((0, 1, 30, 2**31)), "n": lambda: dice.uniform(-400, 400),
            "y": lambda: dice.choice((0, 1, "0@2x", 2**33)), "w": lambda: dice.choice(WORDS)}
    path = re.sub(r"\{(\w)\}", lambda m: httpx.QueryParams({"a": str(fill[m[1]]())}).__str__()[2:], path)
    pairs = [(dice.choice(NAMES), dice.choice(WORDS) if dice.random() < 0.8 else "".join(
        chr(dice.randrange(32, 0x2000)) for _ in range(dice.randrange(12)))) for _ in range(dice.randrange(5))]
    query = str(httpx.QueryParams(pairs))
    if dice.random() < 0.1:
        query += "".join(chr(dice.randrange(33, 127)) for _ in range(dice.randrange(30))).replace("#", "")
    return path + ("?" + query if query else "")


def test_any_query_string_gets_a_stated_answer(server):
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    dice = random.Random(seed)
    with Wire(server.port) as wire:
        for _ in range(400 if SANITIZED else 1500):
            url = random_url(dice)
            wire.send(GET.format(url, ""))
            answer = wire.answer()
            assert answer is not None, f"seed {seed}: {url}: no answer"
            status, headers, body = answer
            assert status in STATED, f"seed {seed}: {url}: {status} {body[:300]}"
            if status >= 400:
                assert headers["content-type"].startswith("application/problem+json"), f"seed {seed}: {url}"
                problem = json.loads(body)
                assert problem["status"] == status and problem["title"], f"seed {seed}: {url}"
                assert "stack traceback" not in body.decode() and ".lua:" not in body.decode(), f"seed {seed}: {url}"
            if headers.get("connection") == "close":
                wire.__init__(server.port)


def test_any_body_gets_a_stated_answer(server):
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    dice = random.Random(seed)
    values = (None, 1, -1, 1e300, "x", "", [], {}, True, [1, 2, 3, 4], ["globe"], "2020-02-21/..", {"type": "Point"},
              {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}, [{"field": "datetime", "direction": "asc"}])
    names = ("collections", "ids", "bbox", "datetime", "intersects", "limit", "sortby", "fields", "token", "type", "coordinates")
    with Client(server) as http:
        for _ in range(100 if SANITIZED else 300):
            body = json.dumps({dice.choice(names): dice.choice(values) for _ in range(dice.randrange(4))})
            if dice.random() < 0.2:
                body = body[: dice.randrange(len(body) + 1)]
            path = dice.choice(("/stac/search", "/api/timeseries?collection=globe"))
            answer = http.post(path, content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code in STATED, f"seed {seed}: {path} {body}: {answer.status_code} {answer.text[:300]}"
            if answer.status_code >= 400:
                assert answer.headers["content-type"].startswith("application/problem+json")
