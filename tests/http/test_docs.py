"""/docs in a headless Chromium: every route of the OpenAPI document stands there, is found by words, and can be tried."""
import json

import pytest
from browser import browsing
from conftest import ROOT

pytestmark = pytest.mark.release_only
WIDE, PHONE = (1280, 1000), (412, 900)
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document(http):
    return http.ok("/openapi.json").json()


@pytest.fixture(scope="module", params=(WIDE, PHONE), ids=("wide", "phone"))
def page(request, http, tmp_path_factory):
    with browsing(tmp_path_factory.mktemp("browser"), request.param) as window:
        window.open(f"{http.server.url}/docs")
        window.until("document.body.dataset.ready")
        yield window


def shot(page, name):
    (ROOT / "build").mkdir(exist_ok=True)
    page.picture(ROOT / "build" / f"docs-{page.size[0]}-{name}.png")


def operations(document):
    return {spec["operationId"]: (method, path, spec) for path, item in document["paths"].items()
            for method, spec in item.items() if method in METHODS}


def shown(page):
    return set(page.run("return [...document.querySelectorAll('details.operation')].filter(e => e.offsetParent).map(e => e.id)"))


def search(page, words):
    page.run(f"const s = document.getElementById('search'); s.value = {json.dumps(words)}; s.dispatchEvent(new Event('input'))")


def fits(page):
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")
    inside = ("[...document.querySelectorAll('main *, nav *')].filter(e => e.offsetParent && !e.closest('pre'))"
              ".filter(e => { const r = e.getBoundingClientRect(); return r.width && (r.left < 0 || r.right > innerWidth); })"
              ".map(e => e.outerHTML.slice(0, 80))")
    assert page.run(f"return {inside}") == []


def test_every_route_stands_there(page, document):
    assert shown(page) == set(operations(document)) and len(shown(page)) > 25
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    for name, words in tags.items():
        assert words in page.run(f"return document.getElementById('group-{name}').innerText")
    assert page.run("return [...document.querySelectorAll('#contents a:not(.name)')].length") == len(operations(document))
    shot(page, "all")
    fits(page)


def test_search_looks_at_paths_words_and_parameters(page, document):
    for words in ("tilejson", "along time", "resampling bilinear", "colormap_name", "STAC items"):
        search(page, words)
        expected = {key for key, (method, path, spec) in operations(document).items()
                    if all(word in " ".join([method, path, spec["tags"][0], spec.get("summary", ""), spec.get("description", ""),
                                             *(f"{p['name']} {p['description']}" for p in spec["parameters"])]).lower()
                           for word in words.lower().split())}
        assert shown(page) == expected, words
    search(page, "nothing has this")
    assert shown(page) == set() and page.run("return document.getElementById('none').offsetHeight") > 0
    search(page, "")


def opened(page, key):
    page.run(f"const d = document.getElementById('{key}'); if (!d.open) d.querySelector('summary').click(); d.scrollIntoView()")
    page.until(f"document.querySelector('#{key} .inside')")


def sent(page, key):
    page.run(f"document.querySelector('#{key} .output').replaceChildren(); document.querySelector('#{key} .send').click()")
    return page.until(f"document.querySelector('#{key} .status')?.innerText", 60)


def test_every_parameter_has_its_field(page, document):
    for key, (_, _, spec) in operations(document).items():
        opened(page, key)
        names = page.run(f"return [...document.querySelectorAll('#{key} .parameter [name]')].map(e => e.name)")
        assert sorted(names) == sorted(p["name"] for p in spec["parameters"]), key
        for parameter in spec["parameters"]:
            if "enum" in parameter["schema"]:
                field = f"document.querySelector('#{key} .parameter [name={parameter['name']}]')"
                options = page.run(f"return [...{field}.options].map(o => o.value).filter(Boolean)")
                assert options == [str(each) for each in parameter["schema"]["enum"]]
    fits(page)


def test_every_route_is_answered_as_it_stands(page, document):
    """What the page fills in by itself is enough for a good answer, of every route."""
    for key in operations(document):
        opened(page, key)
        assert sent(page, key).startswith("20"), (key, page.run(f"return document.getElementById('{key}').innerText"))
    assert page.messages() == []


def test_a_tile_is_seen_and_its_parameters_are_sent(page, http):
    key = "get_tiles_collection_z_x_y_format"
    opened(page, key)
    for name, value in (("collection", "globe"), ("variable", "sst"), ("colormap_name", "plasma"), ("resampling", "bilinear")):
        page.run(f"const e = document.querySelector('#{key} [name={name}]'); e.value = '{value}'; "
                 "e.dispatchEvent(new Event('input', {bubbles: true}))")
    url = page.run(f"return document.querySelector('#{key} .url').textContent")
    assert url == f"{http.server.url}/tiles/globe/0/0/0.png?variable=sst&colormap_name=plasma&resampling=bilinear"
    assert sent(page, key).startswith("200 image/png")
    assert page.until(f"document.querySelector('#{key} .output img')?.naturalWidth") == 256
    page.run(f"document.querySelector('#{key} .request').scrollIntoView({{block: 'center'}})")
    shot(page, "tile")
    page.run(f"document.querySelector('#{key} [name=variable]').value = 'ssst'")
    assert sent(page, key).startswith("404 application/problem+json")
    assert page.run(f"return document.querySelector('#{key} .problem').innerText") == http.get(
        "/tiles/globe/0/0/0.png", params={"variable": "ssst"}).json()["detail"]
    shot(page, "refused")
    fits(page)


def test_a_link_opens_its_route(page, http):
    page.open("about:blank")
    page.open(f"{http.server.url}/docs#get_api_timeseries")
    page.until("document.querySelector('#get_api_timeseries .inside')?.offsetParent")


def test_nothing_comes_from_elsewhere(page):
    """Every address that the page loads is this server's; the policy would not allow another."""
    loaded = page.run("return performance.getEntriesByType('resource').map(e => e.name)")
    origin = page.run("return location.origin")
    assert loaded and all(each.startswith((origin, "blob:", "data:")) for each in loaded)


def test_an_empty_store(start, tmp_path):
    """Without a collection the routes stand there all the same, and a refusal is shown."""
    server = start(tmp_path / "store")
    with browsing(tmp_path, WIDE) as page:
        page.open(f"{server.url}/docs#get_api_timeseries")
        page.until("document.querySelector('#get_api_timeseries .inside')")
        page.run("for (const [name, value] of [['collection', 'none'], ['lon', '1'], ['lat', '1']])"
                 "document.querySelector(`#get_api_timeseries [name=${name}]`).value = value")
        assert sent(page, "get_api_timeseries").startswith("404")
        assert "nothing has been ingested" in page.run("return document.querySelector('.problem').innerText")
