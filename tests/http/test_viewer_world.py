"""The page and the world around it: the poles in degrees, a server below a prefix, and data that are replaced meanwhile."""
import re
import types

import httpx
import netCDF4
import numpy as np
import pytest
from browser import browsing
from nginx import Nginx
from server import Server
from viewerpage import HEIGHT, WIDTH, choose, golden, pixels, settle, show, spot, values

pytestmark = pytest.mark.release_only  # it is the browser that works here


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browsing(tmp_path_factory.mktemp("browser"), (WIDTH, HEIGHT)) as window:
        yield window


# ---- the poles


def test_the_poles_are_seen_in_degrees(browser, server, http, sources, tmp_path):
    """A link opens the view in WorldCRS84Quad: cells to 90 degrees, each where it belongs, and a value where one clicks."""
    page = show(browser, server, "map=1.8/0/-30&projection=degrees&collection=globe&variable=wind&ramp=gray&range=0,60")
    settle(page)
    asked = page.run("return performance.getEntriesByType('resource').map(e => new URL(e.name).pathname).filter(p => p.includes('/tiles/'))")
    assert any(re.match(r"/tiles/globe/WorldCRS84Quad/\d+/\d+/\d+\.png", path) for path in asked)
    top, bottom = (round(page.run(f"return viewer.map.screenLat({lat})")) for lat in (90, -90))
    assert 0 < top < bottom < 800
    page.run("for (const line of ['coast', 'border', 'grid', 'halo']) document.documentElement.style.setProperty(`--map-${line}`, 'transparent');"
             "viewer.map.render()")
    table = http.ok("/colorMaps/gray").json()
    source = sources["globe"]
    for row in (0, 1, 44, 88, 89):
        lon, lat = source.lonlat(row, 170)
        x, y = spot(page, (lon, lat))
        seen = page.run(f"return [...document.getElementById('map').getContext('2d').getImageData({x}, {y}, 1, 1).data].slice(0, 3)")
        level = int(source.values["wind"][-1, 0, row, 170] / 60 * 255)
        assert np.abs(np.subtract(seen, table[str(level)][:3])).max() <= 2, (lat, seen)
    page.run("document.documentElement.removeAttribute('style'); viewer.map.draw()")
    assert page.run(f"return viewer.map.place(600, {top + 2})")[1] > 88
    page.click(*spot(page, (source.lonlat(89, 170)[0], 89.6)))
    assert float(values(page)[0].split()[0]) == pytest.approx(float(source.values["wind"][-1, 0, 89, 170]), rel=1e-4)
    assert not [each for each in page.messages() if "willReadFrequently" not in each]  # that is the test's own reading


def test_the_projection_is_chosen_and_kept(browser, server):
    page = show(browser, server, "map=3/80/-40&collection=relief&ramp=topo&range=-6000,6000&smooth=1")
    assert page.run("return [...document.getElementById('projection').options].map(o => o.value)") == ["mercator", "degrees"]
    assert page.run("return document.getElementById('projection').offsetHeight") > 0
    choose(page, "projection", "degrees")
    page.run("viewer.map.set(-40, 66, 3)")
    settle(page)
    page.until("location.hash.includes('projection=degrees')")
    golden(page, "poles")
    page.run("document.getElementById('map-links').open = true")
    page.until("document.querySelectorAll('#map-links textarea').length > 3")
    links = page.run("return [...document.querySelectorAll('#map-links textarea')].map(n => n.value)")
    assert "/tiles/relief/WorldCRS84Quad/{z}/{x}/{y}.png?" in links[0] and "/WorldCRS84Quad/tilejson.json?" in links[1]
    page.run("document.getElementById('fit').click()")
    settle(page)
    north, south = page.run("return [viewer.map.screenLat(90), viewer.map.screenLat(-90)]")
    assert north > 0 and south < page.run("return viewer.map.free().bottom"), "all of the data is the whole world"
    choose(page, "projection", "mercator")
    page.until("document.body.dataset.whole === '1' && !location.hash.includes('projection')")
    assert not page.messages()


# ---- below a prefix

PREFIXED = "server {{ listen 127.0.0.1:{port}; location /rastrum/ {{ proxy_pass http://127.0.0.1:BACK/; proxy_set_header Host $http_host; }} }}"


@pytest.fixture(scope="module")
def prefixed(binary, store, tmp_path_factory):
    """The address of a server that nginx shows below /rastrum/, and nothing else."""
    folder = tmp_path_factory.mktemp("prefix")
    probe = Nginx(folder, PREFIXED)
    options = ("--public-url", f"http://127.0.0.1:{probe.port}/rastrum")
    with Server(binary, store, folder / "log", options) as server:
        (folder / "conf").write_text((folder / "conf").read_text().replace("BACK", str(server.port)))
        with probe:
            yield types.SimpleNamespace(url=f"http://127.0.0.1:{probe.port}/rastrum", top=f"http://127.0.0.1:{probe.port}")


def resources(page):
    return page.run("return performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).map(e => [e.name, e.responseStatus])")


def below(page, prefixed):
    asked = resources(page)
    wrong = [each for each in asked if not each[0].startswith(f"{prefixed.url}/") or each[1] not in (200, 304)]
    assert asked and not wrong, wrong
    assert not page.messages()


def test_the_page_works_below_a_prefix(browser, prefixed):
    page = show(browser, prefixed, "collection=globe&points=-34,11&projection=degrees")
    values(page)
    settle(page)
    page.run("document.getElementById('ramp').click()")
    page.until("document.querySelectorAll('#ramp-options button').length > 20")
    below(page, prefixed)
    for panel in ("map-links", "colour-links", "time-links", "series-links"):
        page.run(f"document.getElementById({panel!r}).open = true")
    page.until("document.querySelectorAll('.link textarea').length > 12")
    for text in page.run("return [...document.querySelectorAll('.link textarea')].map(n => n.value)"):
        for url in re.findall(r"http://[^\s'\"]+", text):
            assert url.startswith(f"{prefixed.url}/"), url
    for link in page.run("return [...document.querySelectorAll('a[href]')].map(a => a.href)"):
        assert link.startswith(f"{prefixed.url}/"), link


def test_the_other_pages_work_below_a_prefix(browser, prefixed):
    browser.open(f"{prefixed.url}/docs")
    browser.until("document.body.dataset.ready === 'yes'")
    browser.run("const card = [...document.querySelectorAll('details')].find(n => n.textContent.includes('/stac/collections') && !n.textContent.includes('{'));"
                "card.open = true; card.scrollIntoView(); setTimeout(() => card.querySelector('button.send').click(), 0)")
    browser.until("document.querySelector('.output .status')")
    below(browser, prefixed)
    browser.open(f"{prefixed.url}/colorMaps?f=html")
    browser.until("document.querySelectorAll('.ramp img').length > 100 && document.querySelector('.ramp img').complete")
    below(browser, prefixed)


def test_links_and_redirects_stay_below_a_prefix(prefixed):
    with httpx.Client(timeout=60) as client:
        made = client.get(f"{prefixed.url}/tiles/globe/tilejson.json").json()["tiles"][0]
        assert made.startswith(f"{prefixed.url}/tiles/globe/")
        old = made.format(z=0, x=0, y=0).replace("v=", "v=0")
        answer = client.get(old)
        assert answer.status_code == 307
        there = client.get(old, follow_redirects=True)
        assert str(there.url).startswith(f"{prefixed.url}/tiles/globe/0/0/0.png") and there.status_code == 200
        for page in ("/stac", "/stac/collections", "/stac/collections/globe/items?limit=1", "/tileMatrixSets"):
            hrefs = re.findall(r'"href":\s*"([^"]+)"', client.get(prefixed.url + page).text)
            ours = [href.replace("\\/", "/") for href in hrefs if prefixed.top in href.replace("\\/", "/")]
            assert ours and all(href.startswith(prefixed.url) for href in ours), ours


# ---- replaced meanwhile


def write(path, low, high, steps):
    with netCDF4.Dataset(path, "w") as out:
        for name, n, units in (("time", steps, "hours since 2024-01-01"), ("lat", 18, "degrees_north"), ("lon", 36, "degrees_east")):
            out.createDimension(name, n)
            out.createVariable(name, "f8", (name,)).units = units
        out["time"][:], out["lat"][:], out["lon"][:] = np.arange(steps), np.arange(-85, 90, 10), np.arange(-175, 180, 10)
        out.createVariable("heat", "f4", ("time", "lat", "lon"))[:] = np.linspace(low, high, steps * 18 * 36).reshape(steps, 18, 36)


def test_what_is_replaced_is_seen_without_a_reload(browser, start, rastrum, tmp_path):
    """Ranges, legend and list of times are those of the new data when the window is looked at again; the view stays."""
    source, place = tmp_path / "heat.nc", tmp_path / "store"
    write(source, 0, 10, 2)
    rastrum("ingest", source, "--collection", "heat", "--store", place)
    page = show(browser, start(place), "collection=heat&map=1.5/10/20")
    settle(page)
    assert page.run("return viewer.layer.info.rescale[1]") < 11 and page.run("return document.getElementById('slider').max") == "1"
    before = pixels(page, tmp_path / "before.png")
    write(source, 500, 900, 3)
    rastrum("ingest", source, "--collection", "heat", "--store", place)
    rastrum("catalog", "restretch", "heat", "--store", place)
    page.run("window.mark = 1; dispatchEvent(new Event('focus'))")
    page.until("viewer.layer.info.rescale[0] > 400 && document.getElementById('slider').max === '2'")
    settle(page)
    assert page.run("return window.mark") == 1 and page.run("return viewer.map.centre()[1]") == pytest.approx(10, abs=0.01)
    assert page.run("return document.querySelector('.legend-bar').getAttribute('aria-label')").startswith("Colours from 5")
    page.until("viewer.histogram.values && viewer.histogram.values[0] > 400")
    assert page.run("return viewer.histogram.range[0]") > 400
    assert page.run("return document.getElementById('time').value") == "2024-01-01 01:00", "the time that was looked at"
    assert np.abs(pixels(page, tmp_path / "after.png") - before)[100:600, 400:1200].mean() > 3
    assert not page.messages()


def test_what_has_not_changed_stays(browser, server):
    page = show(browser, server, "collection=globe&range=270,290")
    settle(page)
    page.run("window.kept = viewer.layer.info; dispatchEvent(new Event('focus'))")
    page.until("viewer.looking === false")
    assert page.run("return window.kept === viewer.layer.info && document.querySelectorAll('.legend').length === 1")
