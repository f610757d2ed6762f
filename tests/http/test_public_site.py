"""examples/public-site as it stands, with other ports and folders: the real nginx before a rastrum with these settings."""
import gzip
import json
import re
import time

import golden
import httpx
import pytest
from conftest import ROOT, Client
from nginx import Nginx
from server import Server

SITE = ROOT / "examples" / "public-site"
NAME = "maps.example.org"
TILE = "/tiles/globe/0/0/0.png"


def snippet(folder, server):
    text = (SITE / "nginx.conf").read_text()
    changes = (("/var/cache/nginx-rastrum", f"{folder}/cache"), ("server 127.0.0.1:8080;", f"server 127.0.0.1:{server.port};"),
               ("listen 80;", "listen 127.0.0.1:PORT;"))
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text.replace("{", "{{").replace("}", "}}").replace("PORT", "{port}")


@pytest.fixture(scope="module")
def site(binary, store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    (folder / "incoming").mkdir()
    settings = ("--config", SITE / "rastrum.lua", "--watch", folder / "incoming", "--scratch", folder,
                "--admin", folder / "admin.sock", "--log-format", "json")
    with Server(binary, store, folder / "log", settings) as server, Client(server) as direct, \
            Nginx(folder, snippet(folder, server)) as nginx:
        direct.folder, direct.port = folder, nginx.port
        yield direct


class Visitor(httpx.Client):
    """Asks nginx, from an address of its own, for the name that the site has."""

    def __init__(self, site, address="127.0.0.1"):
        super().__init__(base_url=f"http://127.0.0.1:{site.port}", headers={"Host": NAME}, timeout=60,
                         transport=httpx.HTTPTransport(local_address=address))


@pytest.fixture
def visitor(site):
    with Visitor(site) as visitor:
        yield visitor


def test_the_site(site, visitor):
    assert visitor.get("/").text == site.ok("/").text
    assert golden.png(visitor.get(TILE).content).shape == (256, 256, 4)
    assert visitor.get("/tiles/globe/tilejson.json").json()["tiles"][0].startswith(f"https://{NAME}/tiles/globe/")
    assert visitor.get("/tiles/globe/tilejson.json").json()["attribution"] == "Example Institute"
    assert visitor.get("/stac/search").json()["features"]
    assert visitor.get("/tiles/nothing/0/0/0.png").status_code == 404


def answered(site):
    """Requests that rastrum has answered, by its own count."""
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(site.folder / "admin.sock"))) as admin:
        text = admin.get("http://localhost/metrics").text
    return sum(float(n) for n in re.findall(r"^rastrum_http_requests_total\{[^}]*\} (\S+)$", text, re.M))


def test_what_may_be_kept_is_kept(site, visitor):
    path, ramp = f"{TILE}?colormap_name=magma", {"colormap_name": "magma"}
    first = visitor.get(path)
    before = answered(site)
    again = [visitor.get(path) for _ in range(5)]
    assert first.headers["x-cache-status"] == "MISS" and {each.headers["x-cache-status"] for each in again} == {"HIT"}
    assert {each.content for each in again} == {first.content} == {site.ok(TILE, **ramp).content}
    assert answered(site) == before + 1  # the one just above, past nginx
    etag = first.headers["etag"]
    assert visitor.get(path, headers={"If-None-Match": etag}).status_code == 304
    assert [visitor.get("/readyz").headers["x-cache-status"] for _ in range(2)] == ["MISS"] * 2


def test_text_is_compressed_once_and_pictures_never(visitor):
    path = "/stac/collections"
    with visitor.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == "gzip" and "Accept-Encoding" in answer.headers["vary"]
    plain = visitor.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers and gzip.decompress(packed) == plain.content
    assert "content-encoding" not in visitor.get(TILE, headers={"Accept-Encoding": "gzip, br"}).headers


def test_objects_are_read_by_range(site, visitor):
    item = visitor.get("/stac/search", params={"collections": "globe", "limit": 1}).json()["features"][0]
    href = next(each["href"] for each in item["assets"].values() if each["href"].endswith(".tif"))
    path = href.replace(f"https://{NAME}", "")
    part = visitor.get(path, headers={"Range": "bytes=100-299"})
    assert part.status_code == 206 and part.content == site.ok(path).content[100:300]
    assert "x-cache-status" not in part.headers


def clients(site):
    """path -> who asked last, by the log."""
    lines = [json.loads(line) for line in site.server.log().splitlines() if line.startswith("{") and line.endswith("}")]
    return {line["path"]: line["client"] for line in lines if "client" in line}


def test_who_asks_is_told_and_cannot_be_made_up(site):
    with Visitor(site, "127.0.0.7") as far:
        far.get("/far")
        far.get("/forged", headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "evil.example"})
        links = far.get("/stac", headers={"X-Forwarded-Proto": "gopher", "X-Forwarded-Host": "evil.example"}).text
    assert "evil" not in links and "gopher" not in links
    deadline = time.monotonic() + 20
    while not {"/far", "/forged"} <= clients(site).keys() and time.monotonic() < deadline:
        time.sleep(0.02)
    seen = clients(site)
    assert {seen["/far"], seen["/forged"]} == {"127.0.0.7"}


def test_metrics_are_not_for_the_public(site, visitor):
    assert visitor.get("/metrics").status_code == 404 and site.get("/metrics").status_code == 404
    assert answered(site) > 0


def test_one_visitor_cannot_take_it_all(site, visitor):
    """Who asks faster than the burst and the rate allow is told so with 429; others do not notice."""
    seen = []
    with Visitor(site, "127.0.0.9") as greedy:
        while 429 not in seen and len(seen) < 3000:
            seen.append(greedy.get(TILE).status_code)
    assert seen[:200] == [200] * 200 and seen[-1] == 429
    assert visitor.get(TILE).status_code == 200


def test_without_rastrum_what_is_kept_is_served(site, visitor):
    """The last test: it ends the server."""
    path = f"{TILE}?colormap_name=plasma"
    picture = visitor.get(path).content
    assert site.server.stop() == 0
    kept = visitor.get(path)
    assert kept.status_code == 200 and kept.content == picture
    assert visitor.get(f"{TILE}?colormap_name=inferno").status_code == 502
