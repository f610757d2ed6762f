"""Tiles of data with gaps, beside NumPy: a missing operand makes a missing result, and a filter whose own cell is missing gives nothing."""
import golden
import netCDF4
import numpy as np
import pytest
from conftest import Client

TILE = (5, 18, 13)  # about 22° to 34° E, 22° to 32° N: a cell of the data is more than ten pixels


@pytest.fixture(scope="module")
def gaps(start, rastrum, tmp_path_factory):
    """(client, {name: north-up grid}): two variables of a degree; each misses cells of its own, and both some."""
    folder = tmp_path_factory.mktemp("gaps")
    lon, lat = np.arange(10.5, 50), np.arange(44.5, 9, -1.0)
    random = np.random.default_rng(7)
    with netCDF4.Dataset(folder / "gaps.nc", "w") as out:
        for name, values, units in (("lat", lat, "degrees_north"), ("lon", lon, "degrees_east")):
            out.createDimension(name, len(values))
            out.createVariable(name, "f8", (name,)).units = units
            out[name][:] = values
        fields = {}
        for name in ("a", "b"):
            values = random.uniform(-50, 50, (lat.size, lon.size)).astype("f4")
            values[random.uniform(size=values.shape) < 0.25] = np.nan
            out.createVariable(name, "f4", ("lat", "lon"), fill_value=np.float32(np.nan))[:] = values
            fields[name] = values.astype("f8")
    rastrum("ingest", folder / "gaps.nc", "--collection", "gaps", "--store", folder / "store")
    transform = golden.Affine(1, 0, 10, 0, -1, 45)
    with Client(start(folder / "store")) as client:
        yield client, {name: golden.Grid(values, transform, "EPSG:4326") for name, values in fields.items()}


def drawn(client, **params):
    return golden.npy(client.ok("/tiles/gaps/{}/{}/{}.npy".format(*TILE), **params).content)


@pytest.fixture(scope="module")
def cells(gaps):
    """(row, column) of the cell that each pixel lies in, and the planes there."""
    column, row = golden.positions(gaps[1]["a"], *TILE)
    return row, column, {name: grid.values[np.rint(row).astype(int), np.rint(column).astype(int)] for name, grid in gaps[1].items()}


def settled(row, column):
    """Pixels that lie far enough from a cell's edge that nobody may put them into the next one."""
    return np.logical_and.reduce([np.abs(v - np.rint(v)) < 0.49 for v in (row, column)])


EXPRESSIONS = {  # what would be a number without the operand that is missing, too
    "a + b": lambda a, b: a + b, "where(a > 0, 1, 2) + b * 0": lambda a, b: np.where(a > 0, 1, 2) + b * 0, "a == a": lambda a, b: a == a,
    "isnan(a)": lambda a, b: a * 0, "b != b": lambda a, b: b != b, "min(a, b)": np.fmin, "a ** 0": lambda a, b: np.ones_like(a),
    "(a < 0) | (b < 0)": lambda a, b: (a < 0) | (b < 0)}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_missing_operand_makes_a_missing_result(gaps, cells, expression):
    row, column, planes = cells
    used = [planes[name] for name in "ab" if name in expression.replace("isnan", "").replace("where", "").replace("min", "")]
    there = np.logical_and.reduce([np.isfinite(plane) for plane in used])
    values, mask = drawn(gaps[0], expression=expression)
    sure = settled(row, column)
    assert 0.3 < there.mean() < 0.9 and (mask == there)[sure].all()
    want = np.asarray(EXPRESSIONS[expression](planes["a"], planes["b"]), "f8")
    assert np.allclose(values[0][mask & sure], want[mask & sure], rtol=1e-6)


def test_of_several_results_all_are_missing(gaps, cells):
    row, column, planes = cells
    values, mask = drawn(gaps[0], expression="a; b")
    assert values.shape[0] == 2 and (mask == np.isfinite(planes["a"]) & np.isfinite(planes["b"]))[settled(row, column)].all()


def catmull_rom(x):
    x = np.abs(x)
    return np.where(x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))


def b_spline(x):
    x = np.abs(x)
    return np.where(x <= 1, 0.5 * x**3 - x**2 + 2 / 3, np.where(x < 2, (2 - x) ** 3 / 6, 0))


def lanczos(x):
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


def gauss(x):
    return np.where(np.abs(x) <= 1.5, np.exp(-2 * x**2), 0)


FILTERS = {"cubic": (catmull_rom, 2), "cubic_spline": (b_spline, 2), "lanczos": (lanczos, 3), "gauss": (gauss, 2)}


def filtered(plane, row, column, kernel, reach):
    """The filter over the cells that are there, their weights made up to one; nothing where the pixel's own cell is missing."""
    total, weight = np.zeros(row.shape), np.zeros(row.shape)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            j, i = np.rint(row).astype(int) + dy, np.rint(column).astype(int) + dx
            value, w = plane[j, i], kernel(row - j) * kernel(column - i)
            total += np.where(np.isfinite(value), value * w, 0)
            weight += np.where(np.isfinite(value), w, 0)
    out = total / np.where(np.abs(weight) > 1e-6, weight, np.nan)
    return np.where(np.isfinite(plane[np.rint(row).astype(int), np.rint(column).astype(int)]), out, np.nan)


@pytest.mark.parametrize("method", FILTERS)
def test_a_filter_whose_own_cell_is_missing_gives_nothing(gaps, cells, method):
    row, column, planes = cells
    want = filtered(gaps[1]["a"].values, row, column, *FILTERS[method])
    values, mask = drawn(gaps[0], variable="a", resampling=method)
    sure = settled(row, column)
    assert 0.2 < np.isnan(planes["a"]).mean() < 0.35 and (mask == np.isfinite(want))[sure].all()
    good = mask & sure & np.isfinite(want)
    # the sum of a few weights may come near nothing: what is far beyond the data is left out
    good &= np.abs(want) < 200
    assert good.mean() > 0.5 and np.allclose(values[0][good], want[good], atol=0.35), np.abs(values[0] - want)[good].max()


@pytest.mark.parametrize("method", ("average", "rms", "mode"))
def test_what_covers_cells_takes_those_that_are_there(gaps, cells, method):
    """From far off: a pixel has a value wherever one of the cells that it covers has."""
    client, grids = gaps
    values, mask = golden.npy(client.ok("/tiles/gaps/1/1/0.npy", variable="a", resampling=method).content)
    column, row = golden.positions(grids["a"], 1, 1, 0)
    own = np.isfinite(grids["a"].values)
    inside = (row > 1) & (row < own.shape[0] - 2) & (column > 1) & (column < own.shape[1] - 2)
    assert inside.sum() > 500
    near = np.clip(np.rint(row).astype(int), 0, own.shape[0] - 1), np.clip(np.rint(column).astype(int), 0, own.shape[1] - 1)
    holds = own[near]
    assert mask[inside & holds].all()
    assert np.abs(values[0][mask]).max() <= 50 + 1e-3
