"""What the tests of the page have in common: a window on it, its pixels, and comparison with tests/golden/."""
import os

import numpy as np
from conftest import ROOT
from PIL import Image

WIDTH, HEIGHT = 1280, 943  # of the window; the page has 800
WHOLE = "window.viewer && document.body.dataset.whole === '1' && viewer.layer.info"
GOLDEN = ROOT / "tests" / "golden"


def show(browser, server, link, size=None):
    """Opens a link (what stands behind the #), drawn to the end."""
    if size:
        browser.resize(*size)
    browser.open("about:blank")
    browser.open(f"{server.url}/#{link}")
    browser.until(WHOLE)
    browser.messages()
    return browser


def settle(page):
    """Waits until what was asked for last is drawn, with its legend."""
    page.run("viewer.map.draw()")
    page.until("!document.body.dataset.busy && document.body.dataset.outlined && viewer.map.layers.every(l => l.shown && l.shown === l.wanted)"
               " && viewer.histogram.values && document.querySelectorAll('.legend').length === viewer.map.layers.length")


def pixels(page, path):
    return np.asarray(Image.open(page.picture(path)).convert("RGB")).astype(int)


def spot(page, place):
    """Where a longitude and latitude stand in the window."""
    return [round(v) for v in page.run(f"return viewer.map.toScreen({place[0]}, {place[1]})")]


def colours(array):
    return len(np.unique(array.reshape(-1, 3), axis=0))


def choose(page, name, value):
    page.run(f"const s = document.getElementById({name!r}); s.value = {value!r}; s.dispatchEvent(new Event('change'))")


def values(page):
    """The inspector's readings, when they are there."""
    page.until("document.querySelectorAll('#readings li').length > 0 || document.getElementById('inspect-note').textContent === 'There is no data here.'")
    return page.run("return [...document.querySelectorAll('#readings strong')].map(n => n.textContent)")


def inside(page, selector):
    """None of the elements leaves the window, is cut off or lies under another of them."""
    return page.run("""
      return [...document.querySelectorAll(%r)].filter(n => n.offsetParent || getComputedStyle(n).position === 'fixed')
        .filter(n => n.getBoundingClientRect().width)
        .filter(n => { const r = n.getBoundingClientRect(); return r.left < -0.5 || r.top < -0.5 || r.right > innerWidth + 0.5 || r.bottom > innerHeight + 0.5; })
        .map(n => n.id || n.className)""" % selector) == []


def golden(page, name):
    """Compares a picture with tests/golden/viewer-NAME.png as one sees it from afar, since letters differ from machine to machine.
    WRITE_GOLDEN=1 writes it."""
    build, kept = ROOT / "build" / f"viewer-{name}.png", GOLDEN / f"viewer-{name}.png"
    build.parent.mkdir(exist_ok=True)
    page.picture(build)
    if os.environ.get("WRITE_GOLDEN") == "1":
        GOLDEN.mkdir(exist_ok=True)
        Image.open(build).convert("RGB").quantize(255).save(kept, optimize=True)
    new, old = (Image.open(path).convert("RGB") for path in (build, kept))
    assert new.size == old.size
    small = [np.asarray(image.resize((64, 40), Image.BOX)).astype(int) for image in (new, old)]
    difference = np.abs(small[0] - small[1])
    assert difference.mean() < 4, f"{build} is not {kept}: {difference.mean():.1f} of 255 apart"
