"""/colorMaps in a headless Chromium: every ramp is drawn in its colours, found by words, turned, and fits a phone."""
import json

import numpy as np
import pytest
from browser import browsing
from conftest import ROOT
from PIL import Image

WIDE, PHONE = (1280, 1000), (412, 900)
OWN = {"steps.csv": "value,colour\n-2,#08306b\n32,#b10026\n", "cover.csv": "category,colour\n1,#00ff00\n2,#0000ff\n",
       "<i>.csv": "value,colour\n0,#000000\n1,#ffffff\n", "torn.csv": "value,colour\n1,#ff0000\n<b>,#00ff00\n"}


@pytest.fixture(scope="module")
def url(start, store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gallery")
    for name, text in OWN.items():
        (folder / name).write_text(text)
    return start(store, "--colormaps", folder).url


@pytest.fixture(scope="module", params=(WIDE, PHONE), ids=("wide", "phone"))
def page(request, url, tmp_path_factory):
    with browsing(tmp_path_factory.mktemp("browser"), request.param) as window:
        window.open(f"{url}/colorMaps")
        window.run("for (const each of document.images) each.loading = 'eager'")
        window.until("[...document.images].every(i => i.complete)")
        yield window


def shot(page, name):
    (ROOT / "build").mkdir(exist_ok=True)
    return np.asarray(Image.open(page.picture(ROOT / "build" / f"{name}.png")).convert("RGB"))


def shown(page):
    return page.run("return [...document.querySelectorAll('.ramp')].filter(c => c.offsetParent).map(c => c.querySelector('button').textContent)")


def search(page, words):
    page.run(f"const s = document.getElementById('search'); s.value = {json.dumps(words)}; s.dispatchEvent(new Event('input'))")


def turn(page, on):
    page.run(f"const r = document.getElementById('reversed'); if (r.checked !== {json.dumps(on)}) r.click()")


def test_every_ramp_is_drawn(page, shared):
    names = {name.removesuffix("_r") for name in json.loads((shared / "colormaps" / "rio_tiler_rgba256.json").read_text())}
    assert names | {"cmocean_gray", "steps", "cover"} == set(shown(page))
    assert page.run("return [...document.images].filter(i => i.naturalWidth !== 256).length") == 0
    assert page.messages() == []
    assert page.run("return document.querySelector('header').innerText").count(str(len(names) + 3)) == 1


def test_a_picture_has_the_ramps_colours(page, shared):
    """As painted on the screen, in the middle of its bar."""
    tables = json.loads((shared / "colormaps" / "rio_tiler_rgba256.json").read_text())
    for reverse in (False, True):
        turn(page, reverse)
        for name in ("viridis", "rdbu", "turbo"):
            search(page, name)
            box = page.run(f"const i = document.querySelector('.ramp img[alt={name}]'); i.scrollIntoView({{block: 'center'}});"
                           "const r = i.getBoundingClientRect(); return [r.x, r.y, r.width, r.height]")
            picture = shot(page, f"gallery-{page.size[0]}-{name}")
            row = picture[round(box[1] + box[3] / 2), round(box[0]) + 4:round(box[0] + box[2]) - 4].astype(int)
            at = (np.arange(len(row)) + 4.5) / box[2] * 255
            table = np.array(tables[name + "_r" * reverse])[:, :3]
            assert np.abs(row - table[np.round(at).astype(int)]).max() <= 16, (name, reverse)
    turn(page, False)
    search(page, "")


def test_search_and_reverse(page):
    search(page, "cmocean DIVERGING")
    assert shown(page) == ["balance", "curl", "delta", "diff", "tarn", "topo"]
    search(page, "nothing has this")
    assert shown(page) == [] and page.run("return document.getElementById('none').offsetHeight") > 0
    turn(page, True)
    search(page, "viridis")
    assert shown(page) == ["viridis_r"]
    assert page.run("return document.querySelector('.ramp:not([hidden]) a').getAttribute('href')") == "colorMaps/viridis_r"
    search(page, "categories")
    assert shown(page) == ["cover"]  # it has no reverse
    turn(page, False)
    search(page, "")


def test_nothing_is_wider_than_the_window(page):
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")
    inside = ("[...document.querySelectorAll('.ramp, .ramp button, dt, dd, header p, #search')].filter(e => e.offsetParent)"
              ".every(e => { const r = e.getBoundingClientRect(); return r.left >= 0 && r.right <= innerWidth; })")
    assert page.run(f"return {inside}")
    page.run("window.scrollTo(0, 0)")
    shot(page, f"gallery-{page.size[0]}")


def test_files_that_are_no_ramps_are_told_of_as_text(page):
    said = page.run("return document.getElementById('refused').innerText")
    assert "torn.csv: line 3: \"<b>\" is not a number" in said and "<i>.csv: a ramp's name is made of letters" in said
    assert page.run("return document.querySelectorAll('main i').length") == 0


def test_sources_in_full(page):
    said = page.run("return document.querySelector('footer').innerText")
    for words in ("Kristen M. Thyng", "Pennsylvania State University", "CC0-1.0", "Apache-2.0", "matplotlib"):
        assert words in said
