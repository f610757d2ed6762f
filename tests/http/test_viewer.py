"""The page at / in a headless Chromium: tiles with data are drawn, and what the pickers, the map and a click do."""
import shutil

import numpy as np
import pytest
from browser import Browser
from conftest import ROOT
from PIL import Image

WIDTH, HEIGHT = 1280, 943  # of the window; the page has 800
SEA, LAND = (-40, 10), (100, 20)  # of `globe`


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not shutil.which("chromedriver"):
        pytest.skip("there is no chromedriver")
    with Browser(tmp_path_factory.mktemp("browser"), (WIDTH, HEIGHT)) as window:
        yield window


LOADED = ("+document.body.dataset.tiles >= 4 && [...document.querySelectorAll('#tiles img')].every(i => i.complete)"
          " && document.querySelectorAll('#tiles img').length")


@pytest.fixture
def page(browser, server):
    """The page with the collection `globe`, drawn to the end."""
    browser.open(server.url + "/?collection=globe")
    browser.until(LOADED)
    browser.messages()
    return browser


def pixels(page, tmp_path):
    return np.asarray(Image.open(page.picture(tmp_path / "shot.png")).convert("RGB")).astype(int)


def spot(page, place):
    """Where a longitude and latitude stand in the window."""
    return [round(v) for v in page.run(f"return toScreen({place[0]}, {place[1]})")]


def colours(array):
    return len(np.unique(array.reshape(-1, 3), axis=0))


def value(page):
    return page.until("document.getElementById('place-value').textContent.trim().replace('…', '')")


def test_tiles_with_data_are_drawn(page, tmp_path):
    shot = pixels(page, tmp_path)
    sea = shot[100:700, 400:1200]
    assert colours(sea) > 100
    assert np.abs(sea - sea.mean(axis=(0, 1))).mean() > 5
    (ROOT / "build").mkdir(exist_ok=True)
    page.click(*spot(page, SEA))
    assert "K" in value(page)
    page.until("!document.getElementById('chart').hidden")
    page.until(LOADED)
    page.picture(ROOT / "build" / "viewer.png")
    assert not page.messages()


def test_a_click_shows_the_value_and_the_series(page, server, sources, http):
    page.click(*spot(page, SEA))
    shown = float(value(page).split()[0])
    lon, lat = page.run("return state.place")
    series = http.ok("/api/timeseries", collection="globe", variable=page.run("return state.info.variable"), lon=lon, lat=lat).json()
    assert shown == pytest.approx(series["values"][-1], rel=1e-4)
    assert page.run("return document.getElementById('place-title').textContent")
    ink = page.run("const c = document.getElementById('chart'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
                   "let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n")
    assert ink > 500


def test_a_click_on_land_says_so(page):
    page.click(*spot(page, LAND))
    assert "no data" in value(page)
    assert page.run("return document.getElementById('chart').offsetHeight") == 0


def test_variable_level_and_time(page):
    page.run("const s = document.getElementById('variable'); s.value = 'wind'; s.dispatchEvent(new Event('change'))")
    page.until("state.template.includes('variable=wind')")
    assert page.until("document.querySelectorAll('#extras select option').length") == 3
    page.run("const s = document.querySelector('#extras select'); s.selectedIndex = 1; s.dispatchEvent(new Event('change'))")
    page.until("decodeURIComponent(state.template).includes('level=500')")
    page.run("document.getElementById('earlier').click()")
    page.until("decodeURIComponent(state.template).includes('2020-03-05T12:00:00Z')")
    page.until(LOADED)
    assert not page.messages()


def test_the_ramp_changes_map_and_legend(page, tmp_path):
    before = pixels(page, tmp_path)
    legend = "document.getElementById('legend-ramp').toDataURL()"
    was = page.run(f"return {legend}")
    page.run("const s = document.getElementById('ramp'); s.value = 'magma'; s.dispatchEvent(new Event('change'))")
    page.until("state.template.includes('magma')")
    page.until(LOADED)
    page.until(f"{legend} !== {was!r}")
    after = pixels(page, tmp_path)
    assert np.abs(after - before)[100:700, 400:1200].mean() > 5
    assert page.run("return document.getElementById('legend-units').textContent") == "K"
    low, high = page.run("return ['low', 'high'].map(k => +document.getElementById('legend-' + k).textContent)")
    assert 250 < low < high < 310


def test_drag_and_zoom(page):
    before = page.run("return [view.lon, view.lat, view.zoom]")
    x, y = spot(page, SEA)
    page.point(("move", x, y), ("down",), ("move", x - 150, y + 60), ("up",))
    lon, lat, zoom = page.run("return [view.lon, view.lat, view.zoom]")
    assert lon > before[0] and lat > before[1] and zoom == before[2]
    assert page.run("return document.getElementById('place').hidden"), "a drag is no click"
    page.wheel(x, y, -120)
    assert page.until(f"view.zoom > {zoom} && view.zoom") > zoom
    page.run("document.getElementById('zoom-out').click()")
    page.until(LOADED)
    assert not page.messages()


def test_every_collection_opens(page):
    """Real and generated, global and regional, with and without time: each is drawn, and nothing is said in the console."""
    ids = page.run("return [...document.getElementById('collection').options].map(o => o.value)")
    assert {"globe", "alps", "europe", "zone", "ocean_climate", "relief"} <= set(ids)
    for name in ids:
        page.run(f"const s = document.getElementById('collection'); s.value = {name!r}; s.dispatchEvent(new Event('change'))")
        page.until(f"state.collection === {name!r} && state.info && state.template.includes('/tiles/{name}/')")
        page.until("[...document.querySelectorAll('#tiles img')].length > 0 && "
                   "[...document.querySelectorAll('#tiles img')].every(i => i.complete && i.naturalWidth)")
        assert page.run("return document.getElementById('message').textContent") == ""
        assert page.run("return document.getElementById('legend-low').textContent") not in ("", "NaN", "undefined")
    assert not page.messages()


def test_a_small_window(server, tmp_path):
    with Browser(tmp_path, (500, 800)) as small:
        small.open(server.url + "/?collection=alps")
        small.until(LOADED.replace(">= 4", ">= 1"))
        inside = small.run("const r = document.getElementById('panel').getBoundingClientRect();"
                           "return r.left >= 0 && r.right <= innerWidth && r.bottom <= innerHeight")
        assert inside
        assert colours(pixels(small, tmp_path)[100:300, 100:400]) > 50
        small.picture(ROOT / "build" / "viewer-small.png")


def test_without_data_the_page_says_what_to_do(browser, start, tmp_path):
    server = start(tmp_path / "empty")
    browser.open(server.url)
    assert "rastrum ingest" in browser.until("document.getElementById('message').textContent")
