"""Eight states of the page, each looked at: what is drawn is asserted, and the picture is that of tests/golden/."""
import io

import numpy as np
import pytest
from browser import browsing
from PIL import Image
from viewerpage import HEIGHT, WIDTH, colours, golden, inside, pixels, settle, show, spot, values

pytestmark = pytest.mark.release_only  # it is the browser that works here
CARDS = "#panel, #tools, #timeline, .legend, #inspect, #message, #timeline *, #panel > *, #tools *"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browsing(tmp_path_factory.mktemp("browser"), (WIDTH, HEIGHT)) as window:
        yield window


def test_global(browser, server, tmp_path):
    page = show(browser, server, "collection=ocean_climate&points=-34,11;-150,10")
    values(page)
    settle(page)
    shot = pixels(page, tmp_path / "shot.png")
    assert colours(shot[20:260, 360:1200]) > 100
    assert inside(page, CARDS)
    asked = page.run("return performance.getEntriesByType('resource').map(e => e.name)")
    assert len(asked) > 20 and all(url.startswith((server.url, "data:")) for url in asked), "nothing is fetched from elsewhere"
    golden(page, "global")
    assert not page.messages()


def test_seam(browser, server, tmp_path):
    """Across 180 degrees the picture goes on: no line, no gap, no step."""
    page = show(browser, server, "map=3.3/0/180&collection=ocean_climate&ramp=thermal")
    settle(page)
    shot = pixels(page, tmp_path / "shot.png")
    seam = spot(page, (180, 0))[0]
    rows = slice(420, 620)  # sea on both sides
    assert np.abs(shot[rows, seam - 8:seam - 4].mean(axis=(0, 1)) - shot[rows, seam + 5:seam + 9].mean(axis=(0, 1))).max() < 12
    east = page.run("return viewer.map.toScreen(-170, 0)[0]")
    assert east > seam, "the east goes on beyond the seam"
    assert inside(page, CARDS)
    golden(page, "seam")


def test_pole(browser, server, tmp_path):
    """At the projection's edge the map ends cleanly: data to the last row, and nothing beyond it."""
    page = show(browser, server, "map=3/84/-40&collection=relief&ramp=topo&range=-6000,6000&smooth=1")
    settle(page)
    edge = round(page.run("return viewer.map.screenY(0)"))
    assert 100 < edge < 500
    shot = pixels(page, tmp_path / "shot.png")
    assert colours(shot[40:edge - 2, 500:1200]) == 1
    assert colours(shot[edge + 2:edge + 60, 500:1200]) > 20
    golden(page, "pole")


def test_phone(browser, server):
    page = show(browser, server, "collection=ocean_climate&points=-34,11", size=(390, HEIGHT))
    try:
        values(page)
        settle(page)
        assert inside(page, CARDS)
        assert page.run("return document.documentElement.scrollWidth <= innerWidth")
        sizes = page.run("return [...document.querySelectorAll('#timeline button, #tools button, #fold')].filter(n => n.offsetParent).map(n => n.offsetHeight)")
        assert min(sizes) >= 32, "a finger hits them"
        free = page.run("const f = viewer.map.free(); return f.bottom - f.top")
        assert free > 180, "the map is seen"
        golden(page, "phone")
        page.run("document.getElementById('fold').click()")
        page.until("document.getElementById('variable').offsetParent")
        assert inside(page, "#panel, #timeline, #tools")
    finally:
        page.resize(WIDTH, HEIGHT)


def luminance(text):
    parts = [float(v) for v in text[text.index("(") + 1:-1].split(",")[:3]]
    linear = [v / 255 / 12.92 if v / 255 <= 0.03928 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in parts]
    return sum(k * v for k, v in zip((0.2126, 0.7152, 0.0722), linear))


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_dark(browser, server, theme):
    page = show(browser, server, f"collection=ocean_climate&variable=WSPD&ramp=speed&theme={theme}&points=-34,11")
    values(page)
    settle(page)
    found = page.run("""return [...document.querySelectorAll('h1, h2, label, summary, button, #first, .units, .where, legend')]
      .filter(n => n.offsetParent && n.textContent.trim()).map(n => {
        let b = n; while (b && /rgba\\(0, 0, 0, 0\\)|transparent/.test(getComputedStyle(b).backgroundColor)) b = b.parentElement;
        return [getComputedStyle(n).color, getComputedStyle(b || document.body).backgroundColor, n.textContent]; })""")
    for ink, paper, text in found:
        a, b = sorted((luminance(ink), luminance(paper)))
        assert (b + 0.05) / (a + 0.05) >= 4.5, (theme, text, ink, paper)
    if theme == "dark":
        golden(page, "dark")


def test_no_data(browser, start, tmp_path):
    server = start(tmp_path / "empty")
    browser.open(server.url)
    browser.until("window.viewer && !document.getElementById('empty').hidden")
    assert "rastrum ingest" in browser.run("return document.getElementById('empty').innerText")
    browser.until("document.getElementById('map').width > 300 && document.body.dataset.outlined === '1'")
    shot = pixels(browser, tmp_path / "shot.png")
    assert colours(shot[100:700, 400:1200]) > 3, "the world is there without data"
    seas = [(2, lat) for lat in np.arange(66.3, 73, 0.7)] + [(-34, -17), (80, -17)]  # lands that go on past 180 degrees fill no sea
    assert colours(np.array([shot[y, x] for x, y in (spot(browser, place) for place in seas)])) == 1
    golden(browser, "no-data")


def test_error(browser, start, store, tmp_path):
    """A server that has gone is said so, with a way to try again; an unknown name is answered with the sentence of the server."""
    server = start(store)
    page = show(browser, server, "collection=ocean_climate")
    settle(page)
    server.stop()
    page.run("viewer.map.set(-60, 30, 4)")
    page.until("document.getElementById('message-text').textContent.includes('does not answer')")
    assert page.run("return !document.getElementById('retry').hidden")
    assert inside(page, CARDS)
    golden(page, "error")


def test_an_unknown_name_is_said(browser, server):
    browser.open("about:blank")
    browser.open(server.url + "/#collection=glob")
    said = browser.until("window.viewer && document.getElementById('message-text').textContent")
    assert "glob" in said


# Tiles come late and out of order, those from LAST on not before window.release(); with each picture the page writes down what it
# says and shows.
LAST = "2020-02-26T12:00:00Z"
WATCH = """
  const real = window.fetch, turns = [180, 20, 120, 0, 60], gate = new Promise(done => { window.release = done; });
  let n = 0;
  window.fetch = async (url, options) => {
    const time = /datetime=([^&]*)/.exec(url);
    if (time) window.asked.add(time[1]);
    if (time && time[1] >= "%s") await gate;
    if (/\\/\\d+\\/\\d+\\/\\d+/.test(url)) await new Promise(done => setTimeout(done, turns[n++ %% turns.length]));
    return real(url, options);
  };
  window.seen = [];
  window.asked = new Set();
  const c = document.getElementById('map').getContext('2d');
  viewer.map.on('drawn', () => window.seen.push([[...window.asked], document.getElementById('time').value, document.body.dataset.shown,
    [...c.getImageData(%d, %d, 1, 1).data].slice(0, 3)]));
  document.getElementById('play').click();
"""


def test_play(browser, server, http):
    """While it plays, every picture has the colour of the time that stands beside it, and no step is left out."""
    place = (-34, 11)
    page = show(browser, server, "map=2/10/-40&collection=globe&time=2020-02-25T00:00:00Z&ramp=jet")
    settle(page)
    x, y = spot(page, place)
    page.run("document.getElementById('speed').click(); document.getElementById('speed').click();" + WATCH % (LAST, x, y))
    page.until("document.body.dataset.shown === '2020-02-26T06:00:00Z' && document.querySelector('.legend')", 60)
    golden(page, "play")
    page.run("window.release()")
    page.until("new Set(window.seen.map(s => s[2])).size >= 8", 60)
    seen = page.run("document.getElementById('play').click(); return window.seen")
    times = http.ok("/tiles/globe/times", variable="sst").json()["times"]
    order = [times.index(time) for time in dict.fromkeys(s[2] for s in seen)]
    assert order == list(range(order[0], order[0] + len(order)))
    size = 256 * 2 ** 2
    column = (place[0] + 180) / 360 * size
    row = (0.5 - np.log(np.tan(np.pi / 4 + np.radians(place[1]) / 2)) / (2 * np.pi)) * size
    wanted = {}
    for asked, text, time, colour in seen:
        assert text == time.replace("T", " ").replace(":00Z", ""), "the label is that of the picture"
        if time not in wanted:
            tile = http.ok(f"/tiles/globe/2/{int(column // 256)}/{int(row // 256)}.png", variable="sst", datetime=time, colormap_name="jet")
            wanted[time] = Image.open(io.BytesIO(tile.content)).convert("RGB").getpixel((int(column % 256), int(row % 256)))
        assert np.abs(np.subtract(colour, wanted[time])).max() <= 2, (time, colour, wanted[time])
    assert len(set(wanted.values())) > 3, "the frames differ"
    early = [len(set(times[times.index(time) + 1:]) & set(asked)) for asked, _, time, _ in seen]
    assert max(early) >= 2, "tiles of the frame after the next are asked for early"
