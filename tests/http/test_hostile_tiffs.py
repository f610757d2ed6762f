"""TIFFs made to do harm, most of them byte by byte; see hostile.py."""
import struct
import zlib

import numpy as np
import pytest
import rasterio

import hostile
from hostile import put

CASES, case = hostile.registry()
SIZE = 32
SHORT, LONG, DOUBLE, LONG8, IFD8 = 3, 4, 12, 16, 18
CODES = {1: "B", 2: "s", SHORT: "H", LONG: "I", DOUBLE: "d", LONG8: "Q", IFD8: "Q"}
PLACE = {33550: (DOUBLE, [1.0, 1.0, 0.0]), 33922: (DOUBLE, [0.0, 0.0, 0.0, 10.0, 50.0, 0.0]),
         34735: (SHORT, [1, 1, 0, 3, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 4326])}


def tags(**more):
    """Those of an image of bytes in one strip, by number; the strip's offset is filled in by `tiff`."""
    out = {256: (LONG, [SIZE]), 257: (LONG, [SIZE]), 258: (SHORT, [8]), 259: (SHORT, [1]), 262: (SHORT, [1]), 273: (LONG, [0]),
           277: (SHORT, [1]), 278: (LONG, [SIZE]), 279: (LONG, [SIZE * SIZE]), **PLACE}
    out.update({int(k[1:]): v for k, v in more.items()})
    return {k: v for k, v in out.items() if v is not None}


def tiff(entries, body=bytes(range(256)) * 4, next_ifd=0, place=True):
    """A classic little-endian TIFF: header, body at 8, values, directory. With `place` offsets 273 and 324 point to the body."""
    body += b"\0" * (len(body) % 2)
    at, values, rows = 8 + len(body), b"", []
    for tag, (kind, numbers) in sorted(entries.items()):
        if place and tag in (273, 324) and list(numbers) == [0]:
            numbers = [8]
        data = numbers if isinstance(numbers, bytes) else struct.pack(f"<{len(numbers)}{CODES[kind]}", *numbers)
        count = len(data) if isinstance(numbers, bytes) else len(numbers)
        if len(data) > 4:
            rows.append(struct.pack("<HHII", tag, kind, count, at + len(values)))
            values += data + b"\0" * (len(data) % 2)
        else:
            rows.append(struct.pack("<HHI", tag, kind, count) + data.ljust(4, b"\0"))
    head = b"II*\0" + struct.pack("<I", at + len(values))
    return head + body + values + struct.pack("<H", len(rows)) + b"".join(rows) + struct.pack("<I", next_ifd)


def image(says, name, body=None, next_ifd=0, place=True, **more):
    def make(folder, _secret):
        data = body() if callable(body) else body
        return put(folder / "a.tif", tiff(tags(**more), *([] if data is None else [data]), next_ifd=next_ifd, place=place))
    case(says, name=name)(make)


# ---- other files

def vrt(secret):
    return (f'<VRTDataset rasterXSize="9" rasterYSize="9"><SRS>EPSG:4326</SRS><GeoTransform>0,1,0,9,0,-1</GeoTransform><VRTRasterBand '
            f'dataType="Byte" band="1"><SimpleSource><SourceFilename>{secret}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>')


@case("not NetCDF")
def a_vrt_named_tif(folder, secret):
    return put(folder / "a.tif", vrt(secret).encode())


@case("not NetCDF|neither|JSON|GDAL|TIFF")
def a_vrt_behind_the_magic(folder, secret):
    return put(folder / "a.tif", b"II*\0" + vrt(secret).encode())


@case("")
def a_vrt_within_a_tag(folder, secret):
    """GDAL_METADATA, a description and a time that are XML of GDAL's own, in an image that its module reads (JPEG)."""
    xml = f"<GDALMetadata><Item name='SourceFilename'>{secret}</Item>{vrt(secret)}</GDALMetadata>".encode() + b"\0"
    path = folder / "a.tif"
    with rasterio.open(path, "w", driver="GTiff", width=SIZE, height=SIZE, count=1, dtype="uint8", crs="EPSG:4326", compress="lerc",
                       transform=rasterio.Affine(1, 0, 10, 0, -1, 50)) as d:
        d.write(np.arange(SIZE * SIZE, dtype="u1").reshape(1, SIZE, SIZE))
        d.update_tags(**{"TIFFTAG_IMAGEDESCRIPTION": xml.decode()[:-1], "OVERVIEW_FILE": str(secret), "SOURCE_FILENAME": str(secret)})
    return path


@case("", name="files beside it are not read")
def _(folder, secret):
    path = a_vrt_within_a_tag(folder, secret)
    for name in ("a.tif.aux.xml", "a.aux.xml", "a.tif.ovr", "a.tif.msk", "a.tfw", "a.tifw", "a.IMD", "a.RPB", "a_RPC.TXT", "a.tab", "a.prj"):
        (folder / name).symlink_to(secret)
    return path


@pytest.mark.parametrize("name", ("GTIFF_DIR:1:%s", "GTIFF_RAW:%s", "/vsimem/x", "NETCDF:%s:t", "%s,NUM_THREADS=9", "vrt://%s?bands=1"))
def test_names_that_gdal_reads_as_more(binary, tmp_path, name):
    """A path is a path of one local file, whatever GDAL would make of it."""
    for part in ("in", "scratch"):
        (tmp_path / part).mkdir()
    good = a_vrt_within_a_tag(tmp_path / "in", tmp_path / "secret")
    wanted = name.replace("%s", str(good)) if "%s" in name else name
    done = hostile.run(binary, tmp_path, "ingest", wanted, "--collection", "c", "--store", tmp_path / "store")
    assert done.code == 1 and len(done.err.splitlines()) == 1 and not hostile.left(tmp_path), done.err


# ---- directories

@case("", name="a good image is read")
def _(folder, _secret):
    return put(folder / "a.tif", tiff(tags()))


IFD = "TIFF|director|damaged|loop|levels|IFD"


@case("")
def directories_in_a_circle(folder, _secret):
    data = tiff(tags())
    at = struct.unpack_from("<I", data, 4)[0]
    return put(folder / "a.tif", data[:-4] + struct.pack("<I", at))


image(IFD, "a directory beyond the file", next_ifd=0x7fffffff)
image("", "sub-directories in a circle", t330=(LONG, [8]))


@case("")
def a_sub_directory_that_is_the_first(folder, _secret):
    data = tiff(tags(t330=(LONG, [0x11223344])))
    at = struct.unpack_from("<I", data, 4)[0]
    return put(folder / "a.tif", data.replace(struct.pack("<I", 0x11223344), struct.pack("<I", at)))


@case("")
def five_thousand_overviews(folder, _secret):
    data, last = bytearray(tiff(tags())), 0
    for _ in range(5000):
        more = struct.pack("<HHHII", 1, 254, 4, 1, 1) + struct.pack("<I", 0)
        struct.pack_into("<I", data, len(data) - 4, len(data))
        data += more
    assert last == 0
    return put(folder / "a.tif", bytes(data))


@case(IFD)
def a_directory_of_65535_tags(folder, _secret):
    return put(folder / "a.tif", b"II*\0" + struct.pack("<IH", 8, 65535) + struct.pack("<HHII", 256, 3, 1, 9) * 100)


@case(IFD)
def a_big_directory_of_2_to_the_60_tags(folder, _secret):
    return put(folder / "a.tif", b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, 1 << 60) + bytes(400))


@case(IFD)
def a_directory_in_the_header(folder, _secret):
    return put(folder / "a.tif", b"II*\0" + struct.pack("<I", 2) + bytes(64))




@case("")
def offsets_of_thousands_of_millions_of_strips(folder, _secret):
    data = tiff(tags(t278=(LONG, [1]), t273=(LONG, list(range(8, 8 + SIZE))), t279=(LONG, [SIZE] * SIZE)))
    return put(folder / "a.tif", data.replace(struct.pack("<HHI", 273, LONG, SIZE), struct.pack("<HHI", 273, LONG, 0xffffffff)))


# ---- sizes

BIG = "memory|too big|more than|larger|block|strip|TIFF|pixels|size|bytes|chunk|huge"
image(BIG, "an image of 2^32 by 2^32", t256=(LONG, [0xffffffff]), t257=(LONG, [0xffffffff]))
image(BIG, "an image of nothing", t256=(LONG, [0]))
image(BIG, "strips of 2^32 rows", t257=(LONG, [0xfffffff0]), t278=(LONG, [0xffffffff]))
image(BIG, "tiles of 2^31 by 2^31", t322=(LONG, [1 << 31]), t323=(LONG, [1 << 31]), t324=(LONG, [0]), t325=(LONG, [SIZE * SIZE]), t273=None, t279=None)
image(BIG, "tiles of 0", t322=(LONG, [0]), t323=(LONG, [16]), t324=(LONG, [0]), t325=(LONG, [256]), t273=None, t279=None)
image(BIG + "|bands|samples", "65535 bands", t277=(SHORT, [65535]), t258=(SHORT, [8] * 65535))
image(BIG + "|bands|samples", "bands without number", t277=(SHORT, [0]))
image(BIG + "|bits", "cells of 65535 bits", t258=(SHORT, [65535]))
image(BIG + "|ends|outside|beyond", "a strip beyond the file", t273=(LONG, [0x7fffffff]))
image("", "a strip of 4 GiB", t279=(LONG, [0xffffffff]))
image(BIG + "|ends|outside|beyond|missing", "fewer strips than rows", t278=(LONG, [1]))
image("", "strips over each other", t278=(LONG, [8]), t273=(LONG, [8] * 4), t279=(LONG, [SIZE * 8] * 4))
image("", "a strip that is the header", t273=(LONG, [0]), place=False)

# ---- codings

CODED = "block|strip|decode|damaged|bytes|short|GDAL|TIFF"


def coded(says, name, compression, body, **more):
    data = body if isinstance(body, bytes) else body()
    image(says, name, data, t259=(SHORT, [compression]), t279=(LONG, [len(data)]), **more)


coded(CODED, "deflate of too little", 8, zlib.compress(bytes(10)))
coded(CODED, "a bomb of deflate", 8, lambda: zlib.compress(bytes(160 << 20), 1))
coded(CODED, "LZW that goes on", 5, b"\x80\x00" + b"\xff" * 4096)
coded(CODED, "LZW of codes that there are not", 5, b"\x80\x3f\xff\xff\xff\xff")
coded("", "PackBits that goes on", 32773, b"\x81\x00" * 2000)
coded(CODED, "PackBits that ends too soon", 32773, b"\x7f")
coded(CODED, "zstd that is none", 50000, b"\x28\xb5\x2f\xfd" + bytes(60))
coded(CODED, "JPEG that is none", 7, b"\xff\xd8\xff\xe0" + bytes(400))
coded(CODED, "WebP that is none", 50001, b"RIFF\xff\xff\xff\x7fWEBPVP8L" + bytes(60))
coded(CODED, "LERC that is none", 34887, b"Lerc2 " + b"\xff" * 90)
coded(CODED, "LZMA that is none", 34925, b"\xfd7zXZ\0" + b"\xff" * 90)
coded(CODED, "fax that is none", 4, b"\0" * 64, t258=(SHORT, [1]))
coded(CODED + "|compress", "a coding that there is not", 65000, bytes(64))
coded(CODED + "|predictor", "a predictor that there is not", 8, zlib.compress(bytes(SIZE * SIZE)), t317=(SHORT, [99]))
coded(CODED + "|predictor|float", "the predictor of floats on bytes", 8, zlib.compress(bytes(SIZE * SIZE)), t317=(SHORT, [3]))

# ---- places and texts

PLACED = "place|axis|CRS|grid|finite|pixel|georef|TIFF|transform|scale|zero|number|coordinates|lies|latitude|range"
image(PLACED, "pixels of no size", t33550=(DOUBLE, [0.0, 0.0, 0.0]))
image(PLACED, "pixels of NaN", t33550=(DOUBLE, [float("nan")] * 3))
image(PLACED, "a corner at infinity", t33922=(DOUBLE, [0.0, 0.0, 0.0, float("inf"), 1e308, 0.0]))
image(PLACED + "|key", "keys of 65535 entries", t34735=(SHORT, [1, 1, 0, 65535, 1024, 0, 1, 2]))
image(PLACED + "|key|known|PROJ", "a code that there is not", t34735=(SHORT, [1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 65000]))
image(PLACED + "|key", "keys whose texts lie elsewhere", t34735=(SHORT, [1, 1, 0, 2, 1024, 0, 1, 1, 3073, 34737, 60000, 60000]), t34737=(2, b"ab|\0"))
image("", "a nodata that is no number", t42113=(2, b"../../etc/passwd\0"))
image("", "a time that climbs", t306=(2, b"../../../../x:y:z\0\0\0"))


@case("")
def metadata_of_entities(folder, secret):
    laughs = "".join(f'<!ENTITY a{i} "{("&a%d;" % (i - 1)) * 10 if i else "ha"}">' for i in range(12))
    xml = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{secret}">{laughs}]><GDALMetadata><Item name="x">&e;&a11;</Item></GDALMetadata>'.encode() + b"\0"
    return put(folder / "a.tif", tiff(tags(t42112=(2, xml))))


@pytest.mark.parametrize("hostile_case", CASES, ids=str)
@pytest.mark.filterwarnings("ignore")
def test_tiffs(binary, tmp_path, hostile_case):
    ingested, _ = hostile.attack(binary, tmp_path, hostile_case)
    if "good" in hostile_case.name:
        assert ingested.code == 0, ingested.err
