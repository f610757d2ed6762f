"""What `rastrum inspect --checksums` decodes of TIFFs, against GDAL's cells and masks (rasterio)."""
import hashlib
import json
import struct
import subprocess

import numpy as np
import pytest
import rasterio
import rasterio.warp
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin

HEIGHT, WIDTH = 77, 53
PLACE = {"transform": from_origin(10, 60, 0.5, 0.5), "crs": "EPSG:4326"}


def inspect(binary, path, *options):
    done = subprocess.run([binary, "inspect", str(path), "--checksums", "--json", *map(str, options)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def write(path, cells, mask=None, colours=None, **options):
    bands = cells.shape[0]
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), \
            rasterio.open(path, "w", driver="GTiff", width=WIDTH, height=HEIGHT, count=bands, dtype=cells.dtype, **PLACE, **options) as d:
        d.write(cells)
        if colours:
            d.colorinterp = colours
        if mask is not None:
            d.write_mask(mask)
    return path


def cells_of(dtype, bands=1, most=200):
    dice = np.random.default_rng(bands)
    if np.dtype(dtype).kind == "f":
        return dice.normal(0, 30, (bands, HEIGHT, WIDTH)).astype(dtype)
    return dice.integers(0, most, (bands, HEIGHT, WIDTH)).cumsum(axis=2).clip(0, most).astype(dtype)


def same(binary, path, tmp_path):
    """Every band's cells and mask are those that GDAL reads."""
    (tmp_path / "dump").mkdir(exist_ok=True)
    found = inspect(binary, path, "--dump", tmp_path / "dump")
    with rasterio.open(path) as d:
        assert [found[k] for k in ("width", "height", "bands")] == [d.width, d.height, d.count]
        assert [tuple(size) for size in found["overviews"]] == [(-(-d.width // f), -(-d.height // f)) for f in d.overviews(1)]
        for i, band in enumerate(found["arrays"], 1):
            cells, mask = d.read(i), d.read_masks(i) != 0
            assert band["sha256"] == hashlib.sha256(cells.astype(cells.dtype.newbyteorder("<")).tobytes()).hexdigest(), i
            assert np.array_equal(np.load(band["mask_npy"]), mask & (cells == cells))
            assert band["valid"] == int((mask & (cells == cells)).sum())
    return found


CODINGS = [{"compress": c, "predictor": p} for c in ("deflate", "lzw", "zstd") for p in (1, 2)] + [{"compress": "packbits"}, {}]


@pytest.mark.parametrize("options", CODINGS, ids=lambda options: "-".join(map(str, options.values())) or "none")
@pytest.mark.parametrize("endianness", ("little", "big"))
def test_codings(binary, tmp_path, options, endianness):
    for dtype in ("uint8", "int16", "uint32", "float32", "float64"):
        if options.get("predictor") == 2 and dtype.startswith("float"):
            options = {**options, "predictor": 3}
        for k, layout in enumerate(({"tiled": True, "blockxsize": 16, "blockysize": 32}, {"blockysize": 7}, {"BIGTIFF": "YES"})):
            path = write(tmp_path / f"{dtype}{k}.tif", cells_of(dtype, 3), interleave="pixel" if k else "band", endianness=endianness,
                         **layout, **options)
            same(binary, path, tmp_path)


@pytest.mark.parametrize("bits", (1, 2, 4))
def test_few_bits(binary, tmp_path, bits):
    for interleave in ("pixel", "band"):
        cells = cells_of("uint8", 3, most=2**bits - 1)
        path = write(tmp_path / f"{interleave}.tif", cells, nbits=bits, interleave=interleave, compress="deflate")
        assert same(binary, path, tmp_path)["arrays"][0]["dtype"] == "|u1"


def test_half_floats(binary, tmp_path):
    cells = cells_of("float32")
    cells[0, 0, :5] = (0, -0.0, 6e-8, np.inf, np.nan)
    for k, options in enumerate(({}, {"compress": "deflate", "predictor": 3}, {"endianness": "big"})):
        same(binary, write(tmp_path / f"{k}.tif", cells, nbits=16, **options), tmp_path)


def test_masks(binary, tmp_path):
    mask = np.random.default_rng(5).integers(0, 2, (HEIGHT, WIDTH)).astype(bool)
    for k, layout in enumerate(({"tiled": True, "blockxsize": 16, "blockysize": 32, "compress": "deflate"}, {})):
        same(binary, write(tmp_path / f"mask{k}.tif", cells_of("uint8", 3), mask=mask, **layout), tmp_path)
    same(binary, write(tmp_path / "nodata.tif", cells_of("int16"), nodata=200), tmp_path)
    same(binary, write(tmp_path / "nan.tif", cells_of("float32"), nodata=float("nan")), tmp_path)
    same(binary, write(tmp_path / "both.tif", cells_of("uint8"), mask=mask, nodata=200), tmp_path)


@pytest.mark.parametrize("interleave", ("pixel", "band"))
def test_alpha(binary, tmp_path, interleave):
    cells = cells_of("uint8", 4)
    cells[3] = np.where(np.arange(WIDTH) % 3, 255, 0)
    colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
    path = write(tmp_path / "a.tif", cells, colours=colours, photometric="rgb", alpha="unspecified", interleave=interleave)
    same(binary, path, tmp_path)


def test_sparse_blocks_and_overviews(binary, tmp_path):
    path = tmp_path / "s.tif"
    with rasterio.open(path, "w", driver="GTiff", width=200, height=150, count=1, dtype="int16", nodata=-5, tiled=True, blockxsize=32,
                       blockysize=32, sparse_ok=True, compress="deflate") as d:
        d.write(np.full((60, 70), 9, "int16"), 1, window=((0, 60), (0, 70)))
    with rasterio.open(path, "r+") as d:
        d.build_overviews([2, 4])
    same(binary, path, tmp_path)


def by_hand(path, images):
    """A TIFF of plain one-strip images: (cells, more tags, images in directories of its own)."""
    out, links = bytearray(struct.pack("<2sHI", b"II", 42, 0)), [4]

    def directory(cells, more, children):
        places = [directory(*child) for child in children]
        tags = {256: (4, cells.shape[1]), 257: (4, cells.shape[0]), 258: (3, 8 * cells.itemsize), 259: (3, 1), 262: (3, 1),
                273: (4, len(out)), 278: (4, cells.shape[0]), 279: (4, cells.nbytes), 339: (3, "uif".index(cells.dtype.kind) + 1), **more}
        out.extend(cells.tobytes() + bytes(cells.nbytes % 2))
        if places:
            tags[330] = (13, len(out), len(places))
            out.extend(struct.pack(f"<{len(places)}I", *places))
        for tag, (kind, value, *count) in list(tags.items()):
            if kind == 2:
                kind, value = 2, value.encode() + b"\0"
            if isinstance(value, bytes):
                tags[tag] = (kind, len(out), len(value) // {2: 1, 3: 2, 11: 4, 12: 8}[kind])
                out.extend(value + bytes(len(value) % 2))
        here = len(out)
        entries = [struct.pack("<HHII", tag, kind, *count or (1,), value) for tag, (kind, value, *count) in sorted(tags.items())]
        out.extend(struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4))
        return here

    for image in images:
        here = directory(*image)
        struct.pack_into("<I", out, links[0], here)
        links[0] = len(out) - 4
    path.write_bytes(out)
    return path


def test_overviews_wherever_they_stand(binary, tmp_path):
    """Small to large, in directories of the image's own, and among pictures for people that are none."""
    full = cells_of("uint16")[0]
    half, quarter = ((full[::k, ::k], {254: (4, 1)}, ()) for k in (2, 4))
    sizes = [[*reversed(image[0].shape)] for image in (half, quarter)]
    picture = (full[::8, ::8].astype("u1"), {254: (4, 1)}, ())
    for name, images in {"order": [(full, {}, ()), quarter, picture, half], "own": [(full, {}, (half, picture, quarter))]}.items():
        found = inspect(binary, by_hand(tmp_path / f"{name}.tif", images))
        assert found["overviews"] == sizes and found["arrays"][0]["sha256"] == hashlib.sha256(full.tobytes()).hexdigest(), name


@pytest.mark.parametrize("text, dtype, cell", (("7 7 7", "uint8", 7), ("-3.4028235e+38", "float64", -float(np.finfo("f4").max)),
                                               ("-1.79769313486232e+308", "float64", -np.finfo("f8").max), ("  7.0 ", "int16", 7)))
def test_nodata_as_it_is_written(binary, tmp_path, text, dtype, cell):
    cells = np.zeros((HEIGHT, WIDTH), dtype)
    cells[3, 4:9] = cell
    path = by_hand(tmp_path / "n.tif", [(cells, {42113: (2, text)}, ())])
    if "308" not in text:  # which GDAL takes for infinite
        same(binary, path, tmp_path)
    assert inspect(binary, path)["arrays"][0]["valid"] == cells.size - 5


@pytest.mark.parametrize("tags", ({279: (4, 0)}, {279: (4, 10**6)}, {278: (4, 2**32 - 1)}, {279: None}, {42113: (1, 0x37)}), ids=str)
def test_tags_that_are_wrong_or_missing(binary, tmp_path, tags):
    cells = cells_of("uint8")[0]
    image = by_hand(tmp_path / "t.tif", [(cells, {tag: value for tag, value in tags.items() if value}, ())])
    if None in tags.values():  # a tag of another number that nobody knows
        image.write_bytes(image.read_bytes().replace(struct.pack("<HHI", 279, 4, 1), struct.pack("<HHI", 65000, 4, 1)))
    same(binary, image, tmp_path)


def keys(*entries):
    return {34735: (3, struct.pack(f"<{4 + 4 * len(entries)}H", 1, 1, 0, len(entries), *(n for key, n in entries for n in (key, 0, 1, n))))}


def doubles(kind, *values):
    return (kind, struct.pack(f"<{len(values)}{'f' if kind == 11 else 'd'}", *values))


def place_of(binary, path):
    done = subprocess.run([binary, "inspect", str(path), "--json"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout)["grid"]["grids"][0]["bbox"]


UTM, AT = keys((1024, 1), (3072, 32633)), {33922: doubles(12, 0, 0, 0, 500000, 4600000, 0)}
SCALE = {33550: doubles(12, 30, 30, 0)}
MATRIX = {34264: doubles(12, 60, 0, 0, 400000, 0, -60, 0, 4700000, *[0] * 7, 1)}
PLACES = {"plain": {**UTM, **AT, **SCALE}, "single precision": {**UTM, **AT, 33550: doubles(11, 30, 30, 0)}, "matrix": {**UTM, **MATRIX},
          "both": {**UTM, **AT, **SCALE, **MATRIX}, "no size": {**UTM, **AT, 33550: doubles(12, 0, 0, 0), **MATRIX},
          "grads": {**keys((1024, 2), (2048, 4807), (2054, 9105)), 33550: doubles(12, .25, .25, 0), 33922: doubles(12, 0, 0, 0, 3, 55, 0)},
          "feet": {**keys((1024, 1), (3072, 32633), (3076, 9003)), **AT, **SCALE}}


@pytest.mark.parametrize("name", PLACES)
def test_where_it_lies(binary, tmp_path, name):
    path = by_hand(tmp_path / "g.tif", [(cells_of("float32")[0], PLACES[name], ())])
    with rasterio.open(path) as d:
        want = rasterio.warp.transform_bounds(d.crs, "EPSG:4326", *d.bounds)
    assert place_of(binary, path) == pytest.approx(want, abs=1e-5)


def test_angles_in_arc_seconds(binary, tmp_path):
    place = {**keys((1024, 2), (2048, 4326), (2054, 9104)), 33550: doubles(12, 900, 900, 0), 33922: doubles(12, 0, 0, 0, 36000, 180000, 0)}
    path = by_hand(tmp_path / "g.tif", [(cells_of("float32")[0], place, ())])
    assert place_of(binary, path) == pytest.approx([10, 50 - HEIGHT / 4, 10 + WIDTH / 4, 50])


@pytest.mark.parametrize("photometric", ("cmyk", "cielab"))
def test_colours_that_gdal_converts(binary, tmp_path, photometric):
    same(binary, write(tmp_path / "c.tif", cells_of("uint8", 4 if photometric == "cmyk" else 3), photometric=photometric), tmp_path)


@pytest.mark.parametrize("compress", ("lerc", "jpeg", "webp", "lzma"))
def test_what_gdal_reads_for_us(binary, tmp_path, compress):
    options = {"lerc": {"max_z_error": 0}, "jpeg": {"photometric": "ycbcr"}, "webp": {"webp_lossless": True}}.get(compress, {})
    try:
        path = write(tmp_path / "c.tif", cells_of("uint8", 3), compress=compress, interleave="pixel", **options)
    except rasterio.errors.RasterioError as error:
        pytest.skip(f"rasterio cannot write it: {error}")
    if compress == "jpeg":  # decoders round differently
        with rasterio.open(path) as d:
            (tmp_path / "dump").mkdir()
            bands = inspect(binary, path, "--dump", tmp_path / "dump")["arrays"]
            assert abs(np.load(bands[0]["npy"]).astype(int) - d.read(1)).mean() < 2
    else:
        same(binary, path, tmp_path)


def test_damaged_and_foreign_files(binary, tmp_path):
    path = write(tmp_path / "t.tif", cells_of("float32", 2), compress="deflate", tiled=True, blockxsize=16, blockysize=16)
    good = path.read_bytes()
    cases = {"cut off": good[:len(good) // 2], "header": good[:8], "twisted": good[:4] + bytes([255] * 4) + good[8:]}
    for name, data in cases.items():
        path.write_bytes(data)
        done = subprocess.run([binary, "inspect", str(path), "--checksums"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
        assert done.returncode == 1 and done.stderr.startswith("rastrum: t.tif: ") and len(done.stderr.splitlines()) == 1, (name, done.stderr)
    (tmp_path / "canary.tif").write_bytes(good)
    path.write_text(f'<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand><SimpleSource><SourceFilename>{tmp_path}/canary.tif'
                    "</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>")
    done = subprocess.run([binary, "inspect", str(path), "--checksums"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "not NetCDF" in done.stderr
