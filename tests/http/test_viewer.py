"""The page at / in a headless Chromium: what the pickers, the map, the timeline, the chart and a link do."""
import csv
import io
import json
import re

import numpy as np
import pytest
from browser import browsing
from PIL import Image
from viewerpage import HEIGHT, WHOLE, WIDTH, choose, colours, pixels, settle, show, spot, values

pytestmark = pytest.mark.release_only  # it is the browser that works here
SEA, LAND = (-34, 11), (100, 20)  # of `globe`


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browsing(tmp_path_factory.mktemp("browser"), (WIDTH, HEIGHT)) as window:
        yield window


@pytest.fixture
def page(browser, server):
    """The page with the collection `globe`, drawn to the end."""
    return show(browser, server, "collection=globe")


def test_every_file_has_a_tag(http):
    names = ["", "viewer/main.js", "viewer/viewer.css", "viewer/world-50m.json"]
    for name in names:
        first = http.ok("/" + name)
        again = http.get("/" + name, headers={"If-None-Match": first.headers["etag"]})
        assert again.status_code == 304 and not again.content
        assert "default-src 'self'" in first.headers["content-security-policy"]
    for link in re.findall(r'<a href="([^"]+)"', http.ok("/").text):
        assert http.get(f"/{link}").status_code == 200, link
    http.problem(404, "/viewer/init.lua")
    http.problem(404, "/viewer/nothing.js")


def test_the_outlines_are_those_of_the_world(http):
    for name in ("110m", "50m"):
        world = http.ok(f"/viewer/world-{name}.json").json()
        assert "Natural Earth" in world["source"] and world["license"] == "public domain"
        assert len(world["land"]) > 100 and len(world["borders"]) > 200


def test_a_click_shows_the_value_and_the_series(page, http):
    page.click(*spot(page, SEA))
    shown = values(page)
    lon, lat = page.run("return viewer.state.points[0]")
    series = http.ok("/api/timeseries", collection="globe", variable="sst", lon=lon, lat=lat).json()
    assert float(shown[0].split()[0]) == pytest.approx(series["values"][-1], rel=1e-4)
    assert shown[0].endswith(" K")
    ink = page.run("const c = document.getElementById('chart'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
                   "let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n")
    assert ink > 500


def test_a_click_on_land_says_so(page):
    page.click(*spot(page, LAND))
    assert values(page) == ["no data here"]
    assert not page.run("return document.getElementById('chart').offsetHeight")


def test_several_points_and_variables_as_csv(page, http):
    show(page, http.server, "collection=globe&points=-34,11;-50,-20&chart=wind")
    page.until("viewer.inspector.chart.series.length === 4")
    rows = list(csv.DictReader(io.StringIO(page.run("return viewer.inspector.csv()"))))
    assert {(row["variable"], row["lon"]) for row in rows} == {(v, x) for v in ("sst", "wind") for x in ("-34", "-50")}
    wind = http.ok("/api/timeseries", collection="globe", variable="wind", lon=-50, lat=-20).json()["values"]
    ours = [float(row["value"]) for row in rows if row["variable"] == "wind" and row["lon"] == "-50"]
    assert ours == pytest.approx(wind)
    assert page.run("return viewer.inspector.chart.plots().map(p => p.unit)") == ["K", "m s⁻¹"]
    page.run("""window.saved = []; const real = URL.createObjectURL;
      HTMLAnchorElement.prototype.click = function () { saved.push(this.download); };
      URL.createObjectURL = (blob) => { saved.push(`${blob.type} ${blob.size}`); return real(blob); };
      document.getElementById('save-csv').click(); document.getElementById('save-png').click()""")
    saved = page.until("window.saved.length === 4 && window.saved")
    assert saved[0].startswith("text/csv") and saved[1] == "globe-sst-wind.csv"
    assert saved[2].startswith("image/png") and int(saved[2].split()[1]) > 5000 and saved[3] == "globe-sst-wind.png"
    page.run("document.getElementById('series-links').open = true")
    page.until("document.querySelectorAll('#series-links textarea').length >= 7")
    assert not page.messages()


def test_the_chart_zooms(page):
    page.click(*spot(page, SEA))
    values(page)
    box = page.run("const r = document.getElementById('chart').getBoundingClientRect(); return [r.left, r.top, r.width, r.height]")
    x, y = round(box[0] + box[2] / 2), round(box[1] + box[3] / 2)
    before = page.run("return viewer.inspector.chart.span")
    page.point(("move", x - 100, y), ("down",), ("move", x + 100, y), ("up",))
    after = page.run("return viewer.inspector.chart.span")
    assert before[0] < after[0] < after[1] < before[1]
    page.run("document.getElementById('chart-all').click()")
    assert page.run("return viewer.inspector.chart.span") == before


def test_variable_level_and_time(page):
    choose(page, "variable", "wind")
    page.until("viewer.layer.wanted.query.includes('variable=wind')")
    assert page.until("document.querySelectorAll('#extras select option').length") == 3
    page.run("const s = document.querySelector('#extras select'); s.selectedIndex = 1; s.dispatchEvent(new Event('change'))")
    page.until("viewer.layer.wanted.query.includes('sel=level=500')")
    page.run("document.getElementById('earlier').click()")
    page.until("viewer.layer.shown?.query.includes('2020-03-05T12:00:00Z')")
    assert page.until("document.getElementById('time').value") == "2020-03-05 12:00"
    choose(page, "time", "2020-02-25")
    page.until("document.body.dataset.shown === '2020-02-25T00:00:00Z'")
    assert not page.messages()


def test_a_level_is_forgotten_with_its_variable(page, server):
    show(page, server, "collection=globe&variable=sst&sel=level=500")
    assert page.run("return viewer.layer.settings.sel") == {}
    assert page.run("return document.getElementById('message').hidden")


def test_the_ramp_changes_map_and_legend(page, tmp_path):
    before = pixels(page, tmp_path / "before.png")
    settle(page)
    page.run("document.getElementById('ramp').click()")
    page.until("document.querySelectorAll('#ramp-options button').length > 20")
    page.run("const f = document.getElementById('ramp-find'); f.value = 'magma'; f.dispatchEvent(new Event('input'))")
    assert page.run("return [...document.querySelectorAll('#ramp-options button')].filter(b => !b.hidden).map(b => b.title)") == ["magma"]
    page.run("document.querySelector('#ramp-options button:not([hidden])').click()")
    page.until("viewer.layer.shown?.info.colormap_name === 'magma'")
    settle(page)
    after = pixels(page, tmp_path / "after.png")
    assert np.abs(after - before)[100:600, 400:1200].mean() > 5
    assert page.run("return document.querySelector('.legend .units').textContent") == "K"


def colour_at(page, place):
    """The layer's colour, without the lines that are drawn over it."""
    page.run("for (const line of ['coast', 'border', 'grid', 'halo']) document.documentElement.style.setProperty(`--map-${line}`, 'transparent');"
             "viewer.map.render()")
    x, y = spot(page, place)
    return page.run(f"return [...document.getElementById('map').getContext('2d').getImageData({x}, {y}, 1, 1).data].slice(0, 3)")


def ramp_colour(http, name, share):
    table = http.ok(f"/colorMaps/{name}").json()
    return table[str(max(0, min(255, int(share * 256))))][:3]


def test_range_and_log_scale_are_those_of_the_map(page, server, http):
    """On a logarithmic scale a value's place on the ramp is that of its logarithm."""
    show(page, server, "collection=globe&variable=wind&range=1,60&ramp=gray&log=1")
    settle(page)
    for place in (SEA, (30, -41), (150, 35), (-100, -21)):
        value = http.ok("/api/timeseries", collection="globe", variable="wind", lon=place[0], lat=place[1]).json()["values"][-1]
        wanted = ramp_colour(http, "gray", np.log(max(value, 1)) / np.log(60))
        assert np.abs(np.subtract(colour_at(page, place), wanted)).max() <= 3, (place, value)
    choose(page, "high", "40")
    page.until("viewer.layer.shown?.info.rescale[1] === 40")
    choose(page, "low", "-5")
    assert page.run("return document.getElementById('low').validity.customError"), "a logarithm has no negative end"


def test_the_histogram_is_of_the_values_in_view(page, http):
    page.until("viewer.histogram.values && viewer.histogram.values.length > 1000")
    low, high = page.run("return [viewer.histogram.values[0], viewer.histogram.values.at(-1)]")
    tile = np.load(io.BytesIO(http.ok("/tiles/globe/0/0/0.npy", variable="sst").content))
    seen = tile[0][tile[1] > 0]
    assert seen.min() - 0.5 < low < high < seen.max() + 0.5
    page.run("document.getElementById('fit-range').click()")
    page.until("viewer.layer.settings.range && Math.abs(viewer.layer.shown.info.rescale[0] - viewer.layer.settings.range[0]) < 1e-3")
    fitted = page.run("return viewer.layer.shown?.info.rescale")
    assert low < fitted[0] < fitted[1] < high


def test_a_limit_is_dragged_on_the_histogram(page):
    page.until("viewer.histogram.values && viewer.histogram.values.length > 1000")
    settle(page)
    before = page.run("return viewer.layer.shown.info.rescale")
    left, top, x = page.run("const r = document.getElementById('histogram').getBoundingClientRect();"
                            "return [r.left, r.top + 30, viewer.histogram.axis().to(viewer.histogram.range[0])]")
    page.point(("move", round(left + x), round(top)), ("down",), ("move", round(left + x + 60), round(top)), ("up",))
    page.until(f"viewer.layer.shown?.info.rescale[0] > {before[0]}")
    after = page.run("return viewer.layer.shown.info.rescale")
    assert before[0] < after[0] < after[1] and after[1] == pytest.approx(before[1])
    page.run("document.getElementById('reset-range').click()")
    page.until(f"viewer.layer.shown?.info.rescale[0] === {before[0]}")


def test_drag_zoom_and_keys(page):
    view = "return [...viewer.map.centre(), viewer.map.view.zoom]"
    before = page.run(view)
    x, y = spot(page, SEA)
    page.point(("move", x, y), ("down",), ("move", x - 150, y + 60), ("up",))
    lon, lat, zoom = page.run(view)
    assert lon > before[0] and lat > before[1] and zoom == before[2]
    assert page.run("return document.getElementById('inspect').hidden"), "a drag is no click"
    page.wheel(x, y, -240)
    assert page.until(f"viewer.map.view.zoom > {zoom} && viewer.map.view.zoom") > zoom
    page.run("document.getElementById('map').focus()")
    page.press("[")
    page.until("viewer.layer.index === viewer.layer.times.length - 2")
    page.press("-")
    page.press("\ue012")  # arrow left
    page.until(f"viewer.map.view.zoom < {zoom} + 0.1")
    page.press("\ue007")  # Enter
    assert values(page)
    settle(page)
    assert not page.messages()


def test_fingers_move_zoom_and_choose(page):
    x, y = spot(page, SEA)
    zoom, lon = page.run("return [viewer.map.view.zoom, viewer.map.centre()[0]]")
    page.touch(((x - 40, y), (x - 120, y)), ((x + 40, y), (x + 120, y)))
    assert page.until(f"viewer.map.view.zoom > {zoom + 1} && viewer.map.view.zoom") < zoom + 2
    assert page.run("return document.getElementById('inspect').hidden"), "two fingers choose nothing"
    page.touch(((x, y), (x - 200, y)))
    assert page.run("return viewer.map.centre()[0]") > lon
    page.touch(((x, y), (x, y)))
    assert values(page)


def test_everything_can_be_named_and_reached_by_keys(page):
    page.click(*spot(page, SEA))
    values(page)
    nameless = page.run("""
      const name = n => n.getAttribute('aria-label') || (n.labels && [...n.labels].map(l => l.textContent.trim()).join('')) || n.textContent.trim();
      return [...document.querySelectorAll('button, input, select, textarea, [role=slider], [role=img], canvas')].filter(n => !name(n)).map(n => n.outerHTML)""")
    assert nameless == []
    page.run("document.getElementById('collection').focus()")
    reached = set()
    for _ in range(60):
        page.press("\ue004")  # Tab
        reached.add(page.run("return document.activeElement.id"))
    assert {"variable", "ramp", "low", "high", "log", "opacity", "compare", "copy-view", "zoom-in", "theme", "chart", "save-csv", "play", "time",
            "slider", "speed"} <= reached
    ring = page.run("const s = getComputedStyle(document.activeElement); return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2")
    assert ring, "the focus is seen"


def test_the_theme_follows_a_key(page):
    before = page.run("return [document.documentElement.dataset.theme, getComputedStyle(document.getElementById('panel')).backgroundColor]")
    page.run("document.getElementById('map').focus()")
    page.press("d")
    after = page.run("return [document.documentElement.dataset.theme, getComputedStyle(document.getElementById('panel')).backgroundColor]")
    assert before[0] != after[0] and before[1] != after[1]
    page.until("location.hash.includes('theme=')")


def test_opacity_lets_the_ground_through(page):
    settle(page)
    full, ground = colour_at(page, SEA), page.run("return viewer.map.colours().sea")
    page.run("const o = document.getElementById('opacity'); o.value = 0; o.dispatchEvent(new Event('input'))")
    assert colour_at(page, SEA) == [int(ground[i:i + 2], 16) for i in (1, 3, 5)] != full


def test_a_link_restores_the_view(page, server):
    link = ("map=2.5/12/-35&collection=globe&variable=wind&time=2020-02-25T00:00:00Z&sel=level=250&ramp=magma_r&range=5,50&log=1&opacity=0.8"
            "&b.collection=packed&b.variable=rain&swipe=0.4&linked=0&points=-34,11;20,-40&chart=sst&theme=dark")
    show(page, server, link)
    settle(page)
    page.until("location.hash.includes('b.time')")
    ours, theirs = (dict(each.split("=", 1) for each in text.split("&")) for text in (page.run("return location.hash.slice(1)"), link))
    assert {key: ours.get(key) for key in theirs} == theirs
    state = page.run("return JSON.stringify(viewer.state)")
    show(page, server, page.run("return location.hash.slice(1)"))
    again = json.loads(page.run("return JSON.stringify(viewer.state)"))
    assert again == json.loads(state)


def test_two_layers_with_a_swipe_bar(page, server, tmp_path):
    show(page, server, "map=2/0/0&collection=globe&ramp=gray&b.collection=globe&b.ramp=jet&swipe=0.5")
    settle(page)
    bar = round(page.run("return viewer.map.swipeX()"))
    shot = pixels(page, tmp_path / "swipe.png")
    row = shot[260:360]
    colourful = np.abs(row[..., 0] - row[..., 2]) > 25
    assert colourful[:, bar + 20:1200].mean() > 0.3 and colourful[:, 360:bar - 20].mean() < 0.2
    page.point(("move", bar, 400), ("down",), ("move", bar + 150, 400), ("up",))
    assert abs(page.run("return viewer.map.swipeX()") - bar - 150) < 8
    page.run("document.getElementById('earlier').click()")
    page.until("viewer.map.layers.every(l => l.shown.time === '2020-03-05T12:00:00Z')")


def rows_of(page, panel):
    return dict(page.run(f"return [...document.querySelectorAll('#{panel} .link')].map(n => [n.firstChild.textContent, n.lastChild.value])"))


def test_the_urls_of_every_panel_work(page, http):
    page.click(*spot(page, SEA))
    values(page)
    page.run("for (const d of document.querySelectorAll('details')) d.open = true")
    page.until("['map', 'colour', 'time', 'series'].every(n => document.querySelectorAll(`#${n}-links textarea`).length >= 4)")
    for panel in ("map-links", "colour-links", "time-links", "series-links"):
        rows = rows_of(page, panel)
        assert "curl" in rows and any(name.startswith("Python") for name in rows)
        for name, text in rows.items():
            assert http.server.url in text, "an address that works elsewhere, too"
            for url in re.findall(r"http[^'\"]+", text):
                answer = http.get(url.replace("{z}", "1").replace("{x}", "0").replace("{y}", "0"))
                assert answer.status_code == 200, (panel, name, url, answer.text[:300])
    rows = rows_of(page, "map-links")
    tile = http.get(rows["Tile URL (XYZ)"].format(z=1, x=0, y=0))
    assert Image.open(io.BytesIO(tile.content)).size == (256, 256) and "immutable" in tile.headers["cache-control"]
    assert http.get(rows["TileJSON"]).json()["tilejson"] == "3.0.0"
    assert http.get(rows["curl"].split("'")[1]).headers["content-type"] == "image/png"
    for panel, name in (("map-links", "values"), ("colour-links", "legend"), ("time-links", "times")):
        names = {}
        exec(next(text for title, text in rows_of(page, panel).items() if title.startswith("Python")), names)  # what a reader copies
        assert len(names[name]) > 1


def test_every_collection_opens(page, server):
    """Real and generated, global and regional, with and without time: each is drawn, and nothing is said in the console."""
    ids = page.run("return [...document.getElementById('collection').options].map(o => o.value)")
    assert {"globe", "alps", "europe", "zone", "ocean_climate", "relief"} <= set(ids)
    for name in ids:
        choose(page, "collection", name)
        page.until(f"viewer.layer.settings.collection === {name!r} && viewer.layer.info && viewer.layer.shown && viewer.layer.shown === viewer.layer.wanted")
        assert page.run("return document.getElementById('message').hidden")
        page.until("document.querySelectorAll('.legend').length === 1")
    assert not page.messages()


def test_projected_data_lie_where_they_belong(page, server, sources, http):
    """A cell of EPSG:3035 has its colour at its own longitude and latitude."""
    source = sources["europe"]
    show(page, server, "collection=europe&ramp=gray&range=-10,35")
    settle(page)
    for row, column in ((40, 20), (55, 60), (30, 65)):
        value = source.values["heat"][-1, row, column]
        wanted = ramp_colour(http, "gray", (value + 10) / 45)
        assert np.abs(np.subtract(colour_at(page, source.lonlat(row, column)), wanted)).max() <= 3


def test_the_map_is_drawn_of_many_colours(page, tmp_path):
    sea = pixels(page, tmp_path / "shot.png")[100:600, 400:1200]
    assert colours(sea) > 100
    assert np.abs(sea - sea.mean(axis=(0, 1))).mean() > 5
    assert page.run(f"return Boolean({WHOLE})")
