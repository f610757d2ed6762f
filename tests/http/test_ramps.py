"""Colour ramps: every published table through real tiles and legends, ramps of one's own in each form, CF flags, legends."""
import io
import json
import re
import signal
import time

import golden
import netCDF4
import numpy as np
import pytest
from conftest import ROOT, Client
from PIL import Image

WIDE, HIGH = 256, 128           # of the grid: a column of tile 0/0/0 each
FLAGS = {0: "water", 1: "forest", 2: "crop_land", 9: "urban_and_built-up"}
MANY = {3 * i: f"class_{i}" for i in range(24)}
HOLE = (slice(40, 70), slice(100, 140))

OWN = {
    "degrees.csv": "value,colour\n-2,#08306b\n# a comment\n12,#41b6c4\n22,#ffffd9\n32,#b10026\nmissing,#cccccc\n",
    "shares.csv": "\ufeffposition;r;g;b\r\n0;0;0;255\r\n0,25;0;0;0\r\n".replace("0,25", "0.25") + "1;255;255;0\r\n",
    "cover.csv": "category\tcolour\tlabel\n9\t#ff0000\ttowns\n1\t0\t128\t0\twoods\nabove\t#0000ff\n",
    "speeds.csv": 'min,max,colour,label\n0,5,#ffffcc,"calm, or nearly"\n5,10,#a1dab4,\n10,15.5,#225ea8,gale\n'
                  "12,13,#000000,odd\nbelow,#00ffff\nabove,#ff00ff\nmissing,#88888880\n",
    "relief.cpt": "# COLOR_MODEL = RGB\n-10 0/0/100 0 100/200/255 ; deep\n0 0 100 0 20 255 255 255\nB 1/2/3\nF #0a0b0c\nN 128\n",
    "ends.json": json.dumps({"type": "linear", "title": "With ends", "colors": ["#000080", "#ffffff", "#800000"],
                             "below": "#00ffff", "above": "#ff00ff", "missing": "#888888", "range": [-5, 30]}),
}


def grid(path, name, values, west=-180.0, width=360.0, **attributes):
    rows, columns = values.shape
    with netCDF4.Dataset(path, "w") as out:
        out.Conventions = "CF-1.8"
        lat, lon = 90 - (np.arange(rows) + 0.5) * 180 / rows, west + (np.arange(columns) + 0.5) * width / columns
        for axis, places, units in (("lat", lat, "degrees_north"), ("lon", lon, "degrees_east")):
            out.createDimension(axis, len(places))
            variable = out.createVariable(axis, "f8", (axis,))
            variable[:] = places
            variable.units = units
        variable = out.createVariable(name, values.dtype, ("lat", "lon"), fill_value=-1 if values.dtype.kind == "i" else np.nan)
        variable.setncatts(attributes)
        variable[:] = values
    return path


def flagged(path, flags):
    values = np.array(list(flags), "i1")[np.arange(WIDE) * len(flags) // WIDE][None].repeat(HIGH, 0)
    values[HOLE] = -1
    return grid(path, "cover", values, long_name="land cover", flag_values=np.array(list(flags), "i1"),
                flag_meanings=" ".join(flags.values()))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ramps")
    ladder = np.arange(WIDE, dtype="f4")[None].repeat(HIGH, 0)
    speed = (ladder - 32) / 4
    speed[HOLE] = np.nan
    west = speed[:, :64].copy()
    return {"ladder": grid(folder / "ladder.nc", "level", ladder), "flags": flagged(folder / "flags.nc", FLAGS),
            "many": flagged(folder / "many.nc", MANY),
            "speeds": grid(folder / "speeds.nc", "speed", speed, long_name="wind speed", units="m s-1"),
            "region": grid(folder / "region.nc", "speed", west, west=-90, width=90.0, units="m s-1")}


@pytest.fixture(scope="module")
def place(tmp_path_factory, rastrum, files):
    place = tmp_path_factory.mktemp("ramps-store")
    for name, path in files.items():
        rastrum("ingest", path, "--collection", name, "--store", place)
    return place


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    for name, text in OWN.items():
        (folder / name).write_text(text, newline="")
    return folder


@pytest.fixture(scope="module")
def http(start, place, folder):
    with Client(start(place, "--colormaps", folder)) as client:
        yield client


@pytest.fixture(scope="module")
def tables(shared):
    """name -> 256 colours of rio-tiler."""
    return {name: np.array(table, "u1")
            for name, table in json.loads((shared / "colormaps" / "rio_tiler_rgba256.json").read_text()).items()}


def tile(http, collection, **params):
    return golden.png(http.ok(f"/tiles/{collection}/0/0/0.png", **params).content)


def values(http, collection):
    """(values, mask) that the tile is drawn from."""
    bands, mask = golden.npy(http.ok(f"/tiles/{collection}/0/0/0.npy").content)
    return bands[0], mask


def legend(http, collection, **params):
    return np.asarray(Image.open(io.BytesIO(http.ok(f"/legend/{collection}.png", **params).content)).convert("RGBA"))


def rgba(text):
    digits = text.lstrip("#")
    return tuple(int(digits[i:i + 2], 16) for i in range(0, len(digits), 2)) + ((255,) if len(digits) == 6 else ())


# ---- the published tables

def test_every_name_through_tiles(http, tables):
    """All 211 names, and the reverse of the three that rio-tiler has none of."""
    level, mask = values(http, "ladder")
    level = level[mask].astype(int)
    assert len(np.unique(level)) == 256 and len(tables) == 211
    expected = dict(tables)
    for name in set(tables) - {each.removesuffix("_r") for each in tables if each.endswith("_r")}:
        if not name.endswith("_r"):
            expected[f"{name}_r"] = tables[name][::-1]
    wrong = [name for name, table in expected.items()
             if (tile(http, "ladder", rescale="0,255", colormap_name=name)[mask] != table[level]).any()]
    assert len(expected) == 214 and wrong == []


def test_every_name_in_legend_and_lists(http, tables):
    listed = {each["id"]: each for each in http.ok("/colorMaps").json()["colormaps"]}
    for name, table in tables.items():
        assert listed[name]["source"] and listed[name]["licence"], name
        shown = legend(http, "ladder", colormap_name=name, width=272, title="", units="", ticks="1")
        assert (shown[15, 9:263] == table[1:255]).all(), name      # the frame lies on the first and the last
        said = http.ok("/legend/ladder.json", colormap_name=name).json()["colors"]
        assert [rgba(each) for each in said] == [tuple(each) for each in table.tolist()], name
        body = http.ok(f"/colorMaps/{name}").json()
        assert [body[str(i)] for i in range(256)] == table.tolist(), name
        bare = golden.png(http.ok(f"/colorMaps/{name}", format="png").content)
        assert (bare[0] == table).all(), name


def our(name):
    digits = json.loads((ROOT / "colormaps" / f"{name}.json").read_text())["colors"]
    return np.array([int(digits[i:i + 2], 16) for i in range(0, len(digits), 2)]).reshape(-1, 3)


def test_cmocean_and_viridis_are_those_of_their_authors(shared):
    """To the rounding of floats: rio-tiler cuts, the tables here are rounded."""
    for name, table in json.loads((shared / "colormaps" / "cmocean_rgb.json").read_text()).items():
        table = np.array(table, float)
        at = np.linspace(0, len(table) - 1, 256)
        expected = np.stack([np.interp(at, np.arange(len(table)), table[:, c]) for c in range(3)], 1)
        assert np.abs(our("cmocean_gray" if name == "gray" else name) - expected).max() < 1.5, name
    for name, table in json.loads((shared / "colormaps" / "viridis_family_float.json").read_text()).items():
        assert np.abs(our(name) - np.array(table) * 255).max() < 1, name


def test_colorbrewer_is_that_of_its_authors(shared):
    """The ramp goes through the colours of the scheme with the most classes, or consists of them."""
    for name, scheme in json.loads((shared / "colormaps" / "colorbrewer.json").read_text()).items():
        most = max(int(each) for each in scheme if each.isdigit())
        if name == "YlOrRd":
            continue  # the list has only eight of its nine classes
        at = np.arange(most) * 255 / (most - 1) if scheme["type"] != "qual" else (np.arange(most) + 0.5) / most * 256 - 0.5
        assert np.abs(our(name.lower())[np.round(at).astype(int)] - scheme[str(most)]).max() <= 2, name


def test_every_file_says_where_it_is_from():
    files = sorted((ROOT / "colormaps").glob("*.json"))
    listed = (ROOT / "colormaps" / "README.md").read_text()
    for path in files:
        said = json.loads(path.read_text())
        assert said["source"] and said["licence"] and said["name"] == path.stem, path
        assert path.stat().st_size < 2048, path
        assert f"`{path.stem.removesuffix('_r')}`" in listed, path
        assert said["source"] in listed and said["licence"] in listed, path


# ---- ramps of one's own

def spread(at, stops):
    """Colours of a linear ramp of 256 entries between stops."""
    where = [stop[0] for stop in stops]
    entries = np.linspace(0, 1, 256) * (where[-1] - where[0]) + where[0]
    table = np.stack([np.interp(entries, where, [stop[1][c] for stop in stops]) for c in range(3)], 1)
    level = np.floor(np.clip((at - where[0]) / (where[-1] - where[0]), 0, 1) * 255).astype(int)
    return table[level]


def near(shown, expected):
    return np.abs(shown[..., :3].astype(float) - expected).max() <= 1  # half of one is rounded in the table


def test_stops_by_value(http):
    """They bring their range along; a colour for no value; rescale stretches them."""
    value, mask = values(http, "speeds")
    stops = [(-2, (8, 48, 107)), (12, (65, 182, 196)), (22, (255, 255, 217)), (32, (177, 0, 38))]
    shown = tile(http, "speeds", colormap_name="degrees")
    assert near(shown[mask], spread(value[mask], stops))
    assert not mask.all() and (shown[~mask] == rgba("#cccccc")).all()
    wider = tile(http, "speeds", colormap_name="degrees", rescale="-10,60")
    assert near(wider[mask], spread(value[mask], [(-10 + (at + 2) / 34 * 70, colour) for at, colour in stops]))
    turned = tile(http, "speeds", colormap_name="degrees_r")
    assert near(turned[mask], spread(value[mask], [(30 - at, colour) for at, colour in stops[::-1]]))
    info = http.ok("/tiles/speeds/tilejson.json", colormap_name="degrees").json()
    assert info["rescale"] == [-2, 32] and info["colormap_name"] == "degrees"


def test_stops_by_share(http):
    """With a byte order mark, semicolons and Windows' line ends."""
    value, mask = values(http, "ladder")
    stops = [(0, (0, 0, 255)), (0.25, (0, 0, 0)), (1, (255, 255, 0))]
    shown = tile(http, "ladder", colormap_name="shares", rescale="0,255")
    assert near(shown[mask], spread(value[mask] / 255, stops))


def test_categories(http):
    """Exact; what has no colour is transparent, what lies above has one here."""
    value, mask = values(http, "many")
    shown = tile(http, "many", colormap_name="cover")
    assert (shown[mask & (value == 9)] == rgba("#ff0000")).all()
    assert (shown[mask & (value > 9)] == rgba("#0000ff")).all()
    rest = ~mask | (value < 9)
    assert rest.any() and not shown[rest][:, 3].any()
    woods = tile(http, "flags", colormap_name="cover")
    value, mask = values(http, "flags")
    assert (woods[mask & (value == 1)] == (0, 128, 0, 255)).all()
    said = http.ok("/legend/flags.json", colormap_name="cover").json()
    assert [(each["value"], each["label"]) for each in said["entries"]] == [(1, "woods"), (9, "towns")]
    assert said["above"] == "#0000ff" and "below" not in said and said["type"] == "categories"


def test_intervals(http):
    value, mask = values(http, "speeds")
    shown = tile(http, "speeds", colormap_name="speeds")
    cases = ((value < 0, "#00ffff"), ((value >= 0) & (value < 5), "#ffffcc"), ((value >= 5) & (value < 10), "#a1dab4"),
             ((value >= 10) & (value < 15.5) & ~((value >= 12) & (value < 13)), "#225ea8"),
             ((value >= 12) & (value < 13), "#000000"), (value >= 15.5, "#ff00ff"))
    for where, colour in cases:
        assert (mask & where).any() and (shown[mask & where] == rgba(colour)).all(), colour
    assert (shown[~mask] == rgba("#88888880")).all()
    entries = http.ok("/legend/speeds.json", colormap_name="speeds").json()["entries"]
    assert entries[0] == {"min": 0, "max": 5, "color": "#ffffcc", "label": "calm, or nearly"}
    assert entries[1]["label"] == "5 – 10"


def test_a_palette_of_gmt(http):
    value, mask = values(http, "speeds")
    shown = tile(http, "speeds", colormap_name="relief")
    inside = mask & (value >= -10) & (value <= 20)
    deep = inside & (value < -0.2)
    assert near(shown[deep], np.stack([np.interp(value[deep], (-10, 0), pair) for pair in ((0, 100), (0, 200), (100, 255))], -1)) \
        or np.abs(shown[deep][:, :3] - np.stack([np.interp(value[deep], (-10, 0), pair)
                                                 for pair in ((0, 100), (0, 200), (100, 255))], -1)).max() < 3
    assert (shown[mask & (value > 20)] == (10, 11, 12, 255)).all() and (mask & (value > 20)).any()
    assert (shown[~mask] == (128, 128, 128, 255)).all()
    assert http.ok("/legend/speeds.json", colormap_name="relief").json()["below"] == "#010203"


def test_colours_beyond_the_range(http):
    value, mask = values(http, "speeds")
    for params, low, high in (({}, -5, 30), ({"rescale": "0,10"}, 0, 10)):
        shown = tile(http, "speeds", colormap_name="ends", **params)
        assert (shown[mask & (value < low)] == rgba("#00ffff")).all() and (mask & (value < low)).any()
        assert (shown[mask & (value > high)] == rgba("#ff00ff")).all() and (mask & (value > high)).any()
        inside = mask & (value >= low) & (value <= high)
        assert near(shown[inside], spread(value[inside], [(low, (0, 0, 128)), ((low + high) / 2, (255, 255, 255)),
                                                          (high, (128, 0, 0))]))
        turned = tile(http, "speeds", colormap_name="ends_r", **params)
        assert (turned[mask & (value < low)] == rgba("#ff00ff")).all()
        assert (turned[mask & (value > high)] == rgba("#00ffff")).all()


def test_nothing_is_missing_beyond_the_grid(http):
    """The colour for no value fills holes of the data, not the world around them."""
    shown = tile(http, "region", colormap_name="ends")
    assert not shown[:, :63][..., 3].any() and not shown[:, 129:][..., 3].any()
    _, mask = values(http, "region")
    inside = np.zeros_like(mask)
    inside[:, 64:128] = True
    assert (shown[mask][:, 3] == 255).all()
    far = golden.png(http.ok("/tiles/region/3/7/3.png", colormap_name="ends").content)
    assert not far[..., 3].any()


def test_a_ramp_in_the_request(http):
    colormap = json.dumps({"type": "linear", "colors": ["#000000", "#ffffff"], "missing": "#ff0000"})
    _, mask = values(http, "speeds")
    shown = tile(http, "speeds", colormap=colormap, rescale="0,1")
    assert (shown[~mask] == (255, 0, 0, 255)).all()
    assert http.ok("/legend/speeds.json", colormap=colormap).json()["missing"] == "#ff0000"


# ---- CF flags

@pytest.mark.parametrize("collection, flags", (("flags", FLAGS), ("many", MANY)))
def test_flags_are_categories_by_themselves(http, collection, flags):
    value, mask = values(http, collection)
    said = http.ok(f"/legend/{collection}.json").json()
    assert said["type"] == "categories" and "colormap_name" not in said
    assert [(each["value"], each["label"]) for each in said["entries"]] == [
        (number, meaning.replace("_", " ")) for number, meaning in flags.items()]
    colours = {each["color"] for each in said["entries"]}
    assert len(colours) == len(flags)
    shown = tile(http, collection)
    for each in said["entries"]:
        here = mask & (value == each["value"])
        assert here.any() and (shown[here] == rgba(each["color"])).all()
    assert not shown[~mask][:, 3].any()
    drawn = legend(http, collection)
    for colour in colours:
        assert (drawn == rgba(colour)).all(-1).sum() >= 100, colour  # its field
    chosen = tile(http, collection, colormap_name="viridis", rescale="0,100")
    assert (chosen[mask] != shown[mask]).any()


def test_flags_of_unsigned_bytes_and_of_masks(rastrum, start, tmp_path):
    """NetCDF-3 has no unsigned bytes: 200 is written as -56. With masks a value is several flags at once."""
    stored = np.array([1, -56], "i1")[np.arange(WIDE) // 128][None].repeat(HIGH, 0)
    attributes = {"flag_meanings": "low high", "flag_values": np.array([1, -56], "i1")}
    files = {"bytes": grid(tmp_path / "bytes.nc", "q", stored, _Unsigned="true", **attributes),
             "masks": grid(tmp_path / "masks.nc", "q", stored, flag_masks=np.array([1, -56], "i1"), **attributes)}
    for name, path in files.items():
        rastrum("ingest", path, "--collection", name, "--store", tmp_path / "store")
    with Client(start(tmp_path / "store")) as http:
        entries = http.ok("/legend/bytes.json").json()["entries"]
        assert [(each["value"], each["label"]) for each in entries] == [(1, "low"), (200, "high")]
        assert (tile(http, "bytes")[100, 200] == rgba(entries[1]["color"])).all()
        assert http.ok("/legend/masks.json").json()["type"] == "linear"


# ---- legends

def ticks_of(picture, vertical):
    """Where the marks beside the bar are."""
    line = picture[:, 8 + 14 + 1] if vertical else picture[8 + 14 + 1]
    return np.nonzero((line[:, :3] < 100).all(-1))[0].tolist()


def test_ticks(http):
    """Round values about as many as asked for, or those asked for, at their places."""
    for count in (1, 3, 5, 10, 20):
        got = http.ok("/legend/speeds.json", rescale="-2,32", ticks=count).json()["ticks"]
        assert abs(len(got) - count) <= max(1, count / 3), (count, [each["value"] for each in got])
        for each in got:
            assert each["at"] == pytest.approx((each["value"] + 2) / 34)
    for given, count in (("-2,32", 5), ("0,1e-05", 5), ("1000000,1000001", 4), ("-3e8,3e9", 7), ("0.1,0.7", 3)):
        got = http.ok("/legend/speeds.json", rescale=given, ticks=count).json()["ticks"]
        assert 2 <= len(got) <= 2 * count and len({each["label"] for each in got}) == len(got), (given, got)
    wanted = {"rescale": "0,100", "ticks": "0,30,100", "title": "", "units": ""}
    assert [each["label"] for each in http.ok("/legend/speeds.json", **wanted).json()["ticks"]] == ["0", "30", "100"]
    assert ticks_of(legend(http, "speeds", width=272, **wanted), False) == [8, 8 + 77, 8 + 255]
    upright = legend(http, "speeds", orientation="vertical", height=268, width=80, **wanted)
    assert ticks_of(upright, True) == [14, 14 + 239 - round(0.3 * 239), 14 + 239]
    labels = [each["label"] for each in http.ok("/legend/speeds.json", rescale="-2e9,2e9", ticks=5).json()["ticks"]]
    assert labels == ["−2·10⁹", "−10⁹", "0", "10⁹", "2·10⁹"]


@pytest.mark.parametrize("given", ("0", "21", "abc", "1,2,x", "-1000,0", "1.5"))
def test_ticks_that_make_no_sense(http, given):
    problem = http.problem(400, "/legend/speeds.json", rescale="0,1", ticks=given)
    assert problem["where"] == "ticks" and (given in problem["detail"])


def test_title_and_units(http):
    said = http.ok("/legend/speeds.json").json()
    assert (said["title"], said["units"]) == ("wind speed", "m s-1")
    said = http.ok("/legend/speeds.json", title="Wind", units="kn").json()
    assert (said["title"], said["units"]) == ("Wind", "kn")
    plain, titled = legend(http, "speeds"), legend(http, "speeds", title="Wind")
    assert plain.shape == titled.shape and (plain[24:] == titled[24:]).all() and (plain[:20] != titled[:20]).any()
    units = legend(http, "speeds", units="kn")
    assert (plain[24:] == units[24:]).all() and (plain[:20] != units[:20]).any()
    none = legend(http, "speeds", title="")
    assert none.shape[0] < plain.shape[0]
    long = legend(http, "speeds", title="a title of so many words that it takes more than one line of the legend")
    assert long.shape[0] == plain.shape[0] + 16


def test_sizes(http):
    for width, height in ((32, 32), (100, 40), (320, 66), (60, 300), (2048, 1024)):
        for each in ("speeds", "flags", "many"):
            for orientation in ("horizontal", "vertical"):
                assert legend(http, each, width=width, height=height, orientation=orientation).shape == (height, width, 4)
    for name, value in (("width", 31), ("height", 31), ("width", 2049), ("orientation", "diagonal")):
        assert name in json.dumps(http.problem(400, "/legend/speeds.png", **{name: value}))
    assert "2097152" in http.problem(400, "/legend/speeds.png", width=2048, height=2048)["detail"]
    http.problem(400, "/colorMaps/viridis", format="png", width=2048, height=2048)
    http.problem(404, "/legend/nosuch.png")
    http.problem(404, "/legend/speeds.png", variable="nosuch")
    http.problem(400, "/legend/speeds.png", colormap_name="nosuch")


def test_ground(http):
    light, dark = legend(http, "speeds"), legend(http, "speeds", theme="dark")
    assert (light[0, 0] == (255, 255, 255, 255)).all() and dark[0, 0, :3].max() < 40
    clear = legend(http, "speeds", transparent="true")
    assert clear[0, 0, 3] == 0 and clear[..., 3].max() == 255


def test_tags(http):
    first = http.get("/legend/speeds.png?ticks=4")
    again = http.get("/legend/speeds.png?ticks=4", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304 and not again.content
    assert http.get("/legend/speeds.png?ticks=5").headers["etag"] != first.headers["etag"]


PICTURES = {
    "legend_bar": ("speeds", {"rescale": "-8,56"}),
    "legend_upright": ("speeds", {"colormap_name": "ends", "orientation": "vertical", "theme": "dark"}),
    "legend_flags": ("flags", {}),
    "legend_intervals": ("speeds", {"colormap_name": "speeds", "orientation": "vertical"}),
    "legend_full": ("many", {"width": 220, "height": 110, "title": "θ: of many classes only those that have room"}),
}


@pytest.mark.parametrize("name", PICTURES)
def test_they_look_as_they_did_when_they_were_looked_at(http, name):
    """Letters are drawn by us, so the pixels are the same everywhere. A new look goes to build/ to be looked at."""
    collection, params = PICTURES[name]
    shown, kept = legend(http, collection, **params), ROOT / "tests" / "golden" / f"{name}.png"
    (ROOT / "build").mkdir(exist_ok=True)
    Image.fromarray(shown).save(ROOT / "build" / f"{name}.png")
    assert kept.exists(), f"build/{name}.png is not in tests/golden yet"
    expected = np.asarray(Image.open(kept).convert("RGBA"))
    assert shown.shape == expected.shape and (shown == expected).all(), f"build/{name}.png differs from tests/golden"


# ---- the first ramp, by the README's words

def section():
    text = (ROOT / "README.md").read_text()
    return re.search(r"^## A first colour ramp\n(.*?)^## ", text, re.M | re.S)[1]


def until(asked, seconds=60):
    deadline = time.monotonic() + seconds
    while not asked():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_first_ramp(start, place, rastrum, tmp_path):
    """Its table into a folder, its command with that folder, then a reload: listed, in the gallery, drawn as it says."""
    words = section()
    table = re.search(r"^```csv\n(.*?)^```$", words, re.M | re.S)[1]
    file = re.search(r"\]\((examples/colormaps/(\w+)\.csv)\)", words)
    assert (ROOT / file[1]).read_text() == table
    commands = re.findall(r"^build/release/rastrum (.*)$", words, re.M)
    assert [each.split()[0] for each in commands] == ["colormap", "serve"]
    (tmp_path / "examples" / "colormaps").mkdir(parents=True)
    (tmp_path / "examples" / "colormaps" / "readme.txt").write_text("not a ramp")
    _, *options = commands[1].split()
    with Client(start(place, *[tmp_path / each if "/" in each else each for each in options])) as http:
        http.problem(404, f"/colorMaps/{file[2]}")
        (tmp_path / file[1]).write_text(table)
        rastrum(*commands[0].split(), cwd=tmp_path)
        http.server.process.send_signal(signal.SIGHUP)
        until(lambda: http.get(f"/colorMaps/{file[2]}").status_code == 200)
        listed = http.ok("/colorMaps").json()
        assert {file[2], f"{file[2]}_r"} <= set(listed["colorMaps"]) and listed["refused"] == []
        assert f'data-name="{file[2]}"' in http.ok("/colorMaps", f="html").text
        low, high = re.search(r"from (-?\d+) to (\d+) where `rescale`", words).groups()
        assert http.ok("/legend/speeds.json", colormap_name=file[2]).json()["rescale"] == [int(low), int(high)]
        value, mask = values(http, "speeds")
        stops = [(float(line.split(",")[0]), rgba(line.split(",")[1])) for line in table.splitlines()[1:] if line[0] in "-0123456789"]
        shown = tile(http, "speeds", colormap_name=file[2])
        assert near(shown[mask], spread(value[mask], stops)) and (shown[~mask] == rgba("#cccccc")).all()
        (tmp_path / file[1]).write_text(table.replace("22,", "x22,"))
        http.server.process.send_signal(signal.SIGHUP)
        until(lambda: http.ok("/colorMaps").json()["refused"])
        assert http.ok("/colorMaps").json()["refused"] == [
            {"file": f"{file[2]}.csv", "message": "line 4: \"x22\" is not a number"}]
        assert "line 4" in http.ok("/colorMaps", f="html").text and "line 4" in http.server.log()
        assert f"{file[2]}.csv: line 4" in http.problem(400, "/tiles/speeds/0/0/0.png", colormap_name=file[2])["detail"]


def test_a_changed_table_is_seen_at_once_with_dev(start, place, tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text("value,colour\n0,#000000\n10,#ffffff\n")
    with Client(start(place, "--colormaps", tmp_path, "--dev")) as http:
        before = tile(http, "speeds", colormap_name="mine")
        table.write_text("value,colour\n0,#ff0000\n10,#ffffff\n")
        until(lambda: (tile(http, "speeds", colormap_name="mine") != before).any())


# ---- people and programs

CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"


@pytest.mark.parametrize("accept, kind", (
    (None, "json"), ("*/*", "json"), ("application/json", "json"), (CHROME, "html"), ("text/html", "html"),
    ("application/json, text/html;q=0.5", "json"), ("text/html, application/json;q=0.5", "html"),
    ("application/geo+json, */*;q=0.1", "json"), ("TEXT/HTML", "html"), ("text/html;q=0", "json"), ("image/png", "json")))
def test_a_gallery_for_people_and_json_for_programs(http, accept, kind):
    answer = http.get("/colorMaps", headers={"Accept": accept} if accept else {"Accept": ""})
    assert answer.status_code == 200 and "Accept" in answer.headers["vary"].split(", ")
    assert answer.headers["content-type"] == {"json": "application/json", "html": "text/html; charset=utf-8"}[kind]
    asked = http.get("/colorMaps", params={"f": kind}, headers={"Accept": accept or ""})
    assert asked.headers["content-type"] == answer.headers["content-type"]
