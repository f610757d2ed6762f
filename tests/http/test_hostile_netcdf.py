"""NetCDF and HDF5 files made to do harm; see hostile.py. Each would be ingested but for the one thing that is wrong."""
import struct
import zlib

import h5py
import netCDF4
import numpy as np
import pytest

import hostile
from hostile import put

CASES, case = hostile.registry()
NY, NX = 12, 16


def make(path, fill=True, form="NETCDF4", time=0, **options):
    """A grid with the variable `t`; its attributes come from options."""
    with netCDF4.Dataset(path, "w", format=form) as d:
        axes = [("lat", np.linspace(-50, 50, NY), "degrees_north"), ("lon", np.linspace(0, 150, NX), "degrees_east")]
        if time:
            axes.insert(0, ("time", np.arange(time), "days since 2000-01-01"))
        for name, values, units in axes:
            d.createDimension(name, len(values))
            axis = d.createVariable(name, "f8", (name,))
            axis.units = units
            axis[:] = values
        if fill:
            t = d.createVariable("t", "f4", [a[0] for a in axes])
            t[:] = np.arange(t.size).reshape(t.shape)
            t.units = "K"
            t.setncatts(options)
    return path


def with_h5(path, change, **options):
    make(path, **options)
    with h5py.File(path, "r+") as f:
        change(f)
    return path


def scales(f, name="t"):
    for i, axis in enumerate(("lat", "lon")):
        f[name].dims[i].attach_scale(f[axis])


def patched(path, old, new, where=0):
    """The file with the bytes `new` over the first `old`, behind `where` more bytes."""
    data = bytearray(path.read_bytes())
    at = data.index(old) + where
    data[at:at + len(new)] = new
    return put(path, bytes(data))


# ---- other files

@case("external storage")
def external_storage(folder, secret):
    def change(f):
        f.create_dataset("t", (NY, NX), "f4", external=[(str(secret), 0, NY * NX * 4)])
        scales(f)
    return with_h5(folder / "a.nc", change, fill=False)


@case("external storage")
def external_storage_of_a_relative_name_in_a_group(folder, secret):
    def change(f):
        f.create_group("g").create_dataset("t", (NY, NX), "f4", external=[("../secret", 0, NY * NX * 4)])
        scales(f, "g/t")
    return with_h5(folder / "a.nc", change, fill=False)


def outside(secret):
    """The secret as an HDF5 file that holds the grid, so that a link to it would be read."""
    make(secret.parent / "other.nc")
    with h5py.File(secret.parent / "other.nc", "r+") as f:
        f["t"][...] = np.frombuffer(hostile.MARKER * 100, "f4")[:NY * NX].reshape(NY, NX)
    return put(secret, (secret.parent / "other.nc").read_bytes())


@case("external link")
def external_link(folder, secret):
    outside(secret)
    return with_h5(folder / "a.nc", lambda f: f.__setitem__("t", h5py.ExternalLink(str(secret), "/t")), fill=False)


@case("external link")
def external_link_to_an_axis(folder, secret):
    outside(secret)

    def change(f):
        del f["lon"]
        f["lon"] = h5py.ExternalLink("../secret", "/lon")
    return with_h5(folder / "a.nc", change)


@case("external link")
def external_link_to_a_group(folder, secret):
    outside(secret)
    return with_h5(folder / "a.nc", lambda f: f.create_group("deep/er").__setitem__("g", h5py.ExternalLink(str(secret), "/")))


@case("link")
def link_of_a_type_of_its_own(folder, _):
    """Type 65 is an application's own: what it leads to is decided by a plug-in."""
    path = with_h5(folder / "a.nc", lambda f: f.create_group("g").__setitem__("far", h5py.ExternalLink("x", "/t")))
    data = path.read_bytes()
    name = data.index(b"\x03far")
    at = data.rindex(b"\x40", 0, name)
    return put(path, data[:at] + b"\x41" + data[at + 1:])


@case("", name="a good soft link is followed")
def _(folder, _secret):
    return with_h5(folder / "a.nc", lambda f: f.__setitem__("same", h5py.SoftLink("/t")))


@case("leads nowhere")
def a_soft_link_to_itself(folder, _secret):
    return with_h5(folder / "a.nc", lambda f: f.__setitem__("circle", h5py.SoftLink("/circle")))


@case("lies within itself")
def a_soft_link_to_the_group_above(folder, _secret):
    return with_h5(folder / "a.nc", lambda f: f.create_group("g").__setitem__("up", h5py.SoftLink("/")))


@case("leads nowhere|external link")
def a_soft_link_through_an_external_one(folder, secret):
    outside(secret)

    def change(f):
        f["a"] = h5py.SoftLink("/z/t")
        f["z"] = h5py.ExternalLink(str(secret), "/")
    return with_h5(folder / "a.nc", change, fill=False)


@case("virtual")
def virtual_dataset(folder, secret):
    outside(secret)

    def change(f):
        layout = h5py.VirtualLayout((NY, NX), "f4")
        layout[:] = h5py.VirtualSource(str(secret), "t", (NY, NX))
        f.create_virtual_dataset("t", layout)
        scales(f)
    return with_h5(folder / "a.nc", change, fill=False)


@case("virtual")
def virtual_dataset_of_a_pattern(folder, secret):
    outside(secret)

    def change(f):
        layout = h5py.VirtualLayout((NY, NX), "f4", maxshape=(None, NX))
        layout[:] = h5py.VirtualSource("../secret", "t", (NY, NX))
        f.create_virtual_dataset("g/t", layout)
    return with_h5(folder / "a.nc", change, fill=False)


@case("", name="references of a dimension that lead nowhere")
def _(folder, _secret):
    def change(f):
        del f["t"].attrs["DIMENSION_LIST"]
        kind = h5py.vlen_dtype(h5py.ref_dtype)
        f["t"].attrs.create("DIMENSION_LIST", np.array([np.array([h5py.Reference()], h5py.ref_dtype)] * 2 + [None], kind)[:2], dtype=kind)
    return with_h5(folder / "a.nc", change)


# ---- sizes

@case("memory|too big|more than")
def a_chunk_of_4_gib(folder, _secret):
    def change(f):
        f.create_dataset("t", (32767, 32767), "f4", chunks=(32767, 32767), compression="gzip")
        f["t"].id.write_direct_chunk((0, 0), zlib.compress(bytes(4 << 20)))
        for i, (axis, units) in enumerate((("lat", b"degrees_north"), ("lon", b"degrees_east"))):
            del f[axis]
            f.create_dataset(axis, data=np.linspace(-80, 80, 32767))
            f[axis].attrs["units"] = units
            f[axis].make_scale(axis)
            f["t"].dims[i].attach_scale(f[axis])
    return with_h5(folder / "a.nc", change, fill=False)


@case("too many chunks")
def more_cells_than_there_are_numbers(folder, _secret):
    def change(f):
        f.create_dataset("t", (1 << 31, 1 << 30, NY, NX), "f4", chunks=(1, 1, NY, NX))
        for i, axis in enumerate(("lat", "lon")):
            f["t"].dims[2 + i].attach_scale(f[axis])
    return with_h5(folder / "a.nc", change, fill=False)


def chunk_of(packed, **options):
    def change(f):
        f.create_dataset("t", (NY, NX), "f4", chunks=(NY, NX), **options)
        f["t"].id.write_direct_chunk((0, 0), packed)
        scales(f)
    return change


@case("chunk|decode|bytes|decoded")
def a_bomb_in_a_chunk(folder, _secret):
    return with_h5(folder / "a.nc", chunk_of(zlib.compress(bytes(200 << 20), 1), compression="gzip"), fill=False)


@case("chunk|decode|bytes")
def a_chunk_that_is_too_short(folder, _secret):
    return with_h5(folder / "a.nc", chunk_of(zlib.compress(bytes(10)), compression="gzip"), fill=False)


@case("chunk|checksum|Fletcher")
def a_checksum_that_is_wrong(folder, _secret):
    return with_h5(folder / "a.nc", chunk_of(bytes(NY * NX * 4) + b"abcd", fletcher32=True), fill=False)


def dcpl_of(*filters):
    dcpl = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    dcpl.set_chunk((NY, NX))
    for code, values in filters:
        dcpl.set_filter(code, h5py.h5z.FLAG_OPTIONAL, values)
    return dcpl


def with_filters(path, *filters, packed=bytes(64)):
    def change(f):
        h5py.h5d.create(f.id, b"t", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((NY, NX)), dcpl_of(*filters))
        f["t"].id.write_direct_chunk((0, 0), packed)
        scales(f)
    return with_h5(path, change, fill=False)


@case("values of variable|chunk")
def thirty_two_filters(folder, _secret):
    return with_filters(folder / "a.nc", *[(1, (9,))] * 32, packed=zlib.compress(bytes(100)))


@case("filter")
def a_filter_that_nobody_has(folder, _secret):
    return with_filters(folder / "a.nc", (32999, (1, 2, 3)))


@case("attribute|has")
def an_attribute_of_many_megabytes(folder, _secret):
    path = make(folder / "a.nc")
    with h5py.File(path, "r+", libver="latest") as f:
        f["t"].attrs["valid_range"] = np.zeros(17 << 20, "i1")
    return path


@case("")
def a_global_attribute_of_a_thousand_million(folder, _secret):
    """Its header says so; the file has no such bytes."""
    path = make(folder / "a.nc", form="NETCDF3_CLASSIC", long_name="abcdefgh")
    return patched(path, b"abcdefgh", struct.pack(">I", 1_000_000_000), -4)


# ---- structures

@case("group|itself|twice|deep")
def a_group_within_itself(folder, _secret):
    return with_h5(folder / "a.nc", lambda f: f.create_group("g").__setitem__("again", f["g"]))


@case("group|itself|twice|deep")
def the_root_within_a_group(folder, _secret):
    return with_h5(folder / "a.nc", lambda f: f.create_group("g").__setitem__("root", f["/"]))


@case("group|deep")
def five_thousand_groups_in_each_other(folder, _secret):
    def change(f):
        group = f
        for _ in range(5000):
            group = group.create_group("g")
    return with_h5(folder / "a.nc", change)


@case("name|long|characters|bytes")
def a_name_of_64_kb(folder, _secret):
    return with_h5(folder / "a.nc", lambda f: f.move("t", "t" * 65000))


@case("name|long|characters|bytes")
def a_group_s_name_of_64_kb(folder, _secret):
    return with_h5(folder / "a.nc", lambda f: f.create_group("g" * 65000).create_dataset("x", data=1))


@case("")
def an_attribute_s_name_of_60_kb(folder, _secret):
    return with_h5(folder / "a.nc", lambda f: f["t"].attrs.__setitem__("a" * 60000, 1))


@case("UTF-8")
def a_name_that_is_no_utf_8(folder, _secret):
    return with_h5(folder / "a.nc", lambda f: f.move("t", b"t\xff\xfe\x80"))


@case("")
def names_that_climb(folder, _secret):
    def change(f):
        for name in ("..", "...", "..\\..\\x", "-rf", "a b", "x\ny", "%2e%2e%2fx", "${HOME}", "a;b"):
            f.copy("t", name)
            scales(f, name)
        del f["t"]
    return with_h5(folder / "a.nc", change)


@case("no name for an array")
def a_variable_named_as_a_file_of_the_store(folder, _secret):
    def change(f):
        for name in ("zarr.json", "manifest.json", "data.zarr", ".zgroup", "catalog.db"):
            f.copy("t", name)
            scales(f, name)
    return with_h5(folder / "a.nc", change)


def with_tree(path, patch):
    """A dataset of many chunks, so that its B-tree has levels; `patch` changes the bytes of each node."""
    def change(f):
        t = f.create_dataset("t", (400, NY, NX), "f4", chunks=(1, NY, NX), compression="gzip")
        t[...] = 1
        f["time"] = np.arange(400.0)
        f["time"].attrs["units"] = b"days since 2000-01-01"
        f["time"].make_scale("time")
        for i, axis in enumerate(("time", "lat", "lon")):
            t.dims[i].attach_scale(f[axis])
    with_h5(path, change, fill=False)
    data = bytearray(path.read_bytes())
    nodes = [i for i in range(len(data) - 24) if data[i:i + 5] == b"TREE\x01"]
    assert len(nodes) > 3
    for at in nodes:
        patch(data, at, nodes)
    return put(path, bytes(data))


@case("chunk|index|damaged|tree|cannot be read")
def a_tree_of_chunks_whose_children_are_itself(folder, _secret):
    def patch(data, at, _nodes):
        if data[at + 5]:  # above the leaves; keys are of 8 + 4 × 8 bytes
            for i in range(struct.unpack_from("<H", data, at + 6)[0]):
                struct.pack_into("<Q", data, at + 24 + 40 + i * 48, at)
    return with_tree(folder / "a.nc", patch)


@case("chunk|index|damaged|tree|cannot be read")
def a_tree_of_chunks_whose_siblings_go_round(folder, _secret):
    def patch(data, at, nodes):
        struct.pack_into("<QQ", data, at + 8, nodes[0], nodes[-1])
        data[at + 5] = 0
    return with_tree(folder / "a.nc", patch)


@case("chunk|outside|larger|damaged")
def chunks_outside_the_file(folder, _secret):
    def patch(data, at, _nodes):
        if not data[at + 5]:
            for i in range(struct.unpack_from("<H", data, at + 6)[0]):
                struct.pack_into("<Q", data, at + 24 + 40 + i * 48, (1 << 62) + i)
    return with_tree(folder / "a.nc", patch)


@case("chunk|outside|larger|damaged")
def chunks_of_4_gib_each(folder, _secret):
    def patch(data, at, _nodes):
        if not data[at + 5]:
            for i in range(struct.unpack_from("<H", data, at + 6)[0]):
                struct.pack_into("<I", data, at + 24 + i * 48, 0xffffffff)
    return with_tree(folder / "a.nc", patch)


@case("")
def a_fill_value_of_64_kb(folder, _secret):
    """The message says a length that neither it nor the type has."""
    def change(f):
        f.create_dataset("t", (NY, NX), "f4", fillvalue=123456.0)
        scales(f)
    path = with_h5(folder / "a.nc", change, fill=False)
    return patched(path, struct.pack("<If", 4, 123456.0), struct.pack("<I", 65535))


@case("crashes the library")
def strings_outside_their_heap(folder, _secret):
    def change(f):
        f.create_dataset("names", (4,), h5py.string_dtype(), data=["a", "b", "c", "d"])
        f["t"].attrs["units"] = np.array(["K", "K"], object)
    path = with_h5(folder / "a.nc", change)
    data = path.read_bytes()
    assert b"GCOL\x01\0\0\0\0\x10\0\0" in data
    return put(path, data.replace(b"GCOL\x01\0\0\0\0\x10\0\0", b"GCOL\x01\0\0\0\xff\xff\xff\x7f"))


@case("damaged|HDF5|opened|read")
def a_superblock_that_points_beyond(folder, _secret):
    path = make(folder / "a.nc")
    data = bytearray(path.read_bytes())
    assert data[8] == 2  # version; the root's object header at 36
    data[36:44] = struct.pack("<Q", 1 << 60)
    return put(path, bytes(data))


# ---- classic files

def classic(folder, old, new, where=0, **options):
    return patched(make(folder / "a.nc", form="NETCDF3_CLASSIC", **options), old, new, where)


@case("cut short")
def records_without_end(folder, _secret):
    path = make(folder / "a.nc", form="NETCDF3_CLASSIC", fill=False)
    with netCDF4.Dataset(path, "a") as d:
        d.createDimension("time", None)
        d.createVariable("time", "f8", ("time",)).units = "days since 2000-01-01"
        d.createVariable("t", "f4", ("time", "lat", "lon"))[:2] = np.ones((2, NY, NX))
        d["time"][:] = [0, 1]
    data = path.read_bytes()
    return put(path, data[:4] + struct.pack(">I", 0x7ffffff0) + data[8:])


@case("cut short|damaged")
def a_dimension_of_2_to_the_31(folder, _secret):
    return classic(folder, b"lat\0" + struct.pack(">I", NY), struct.pack(">I", 0x7fffffff), 4)


@case("cut short|damaged")
def values_beyond_the_file(folder, _secret):
    path = make(folder / "a.nc", form="NETCDF3_CLASSIC")
    data = path.read_bytes()
    begin = struct.pack(">I", len(data) - NY * NX * 4)
    at = data.rindex(begin, 0, data.index(struct.pack(">d", -50)))
    return put(path, data[:at] + struct.pack(">I", 0x7ffffff0) + data[at + 4:])


@case("damaged")
def a_name_of_negative_length(folder, _secret):
    return classic(folder, struct.pack(">I", 3) + b"lat\0", struct.pack(">i", -1))


@case("damaged")
def lists_of_thousands_of_millions(folder, _secret):
    return classic(folder, struct.pack(">II", 10, 2), struct.pack(">I", 0xfffffff0), 4)


@case("damaged")
def a_dimension_that_there_is_not(folder, _secret):
    return classic(folder, b"t\0\0\0" + struct.pack(">III", 2, 0, 1), struct.pack(">I", 77), 8)


@case("no name for an array|NetCDF")
def a_classic_name_that_climbs(folder, _secret):
    path = make(folder / "a.nc", form="NETCDF3_CLASSIC", fill=False)
    with netCDF4.Dataset(path, "a") as d:
        d.createVariable("aabbcc", "f4", ("lat", "lon"))[:] = 1
    return patched(path, b"aabbcc", b"../../")


def cdf5(dims, kind, begin, more=b""):
    """A CDF-5 file of one variable over two dimensions."""
    def name(text):
        return struct.pack(">Q", len(text)) + text + b"\0" * (-len(text) % 4)
    absent = struct.pack(">IQ", 0, 0)
    head = b"CDF\5" + struct.pack(">Q", 0) + struct.pack(">IQ", 10, len(dims))
    head += b"".join(name(n) + struct.pack(">Q", size) for n, size in dims) + absent
    head += struct.pack(">IQ", 11, 1) + name(b"t") + struct.pack(">Q", len(dims)) + b"".join(struct.pack(">Q", i) for i in range(len(dims)))
    return head + absent + struct.pack(">IQQ", kind, 8, begin) + more


@case("damaged|cut short")
def dimensions_whose_product_overflows(folder, _secret):
    return put(folder / "a.nc", cdf5([(b"lat", 1 << 33), (b"lon", 1 << 33)], 6, 200, bytes(500)))


@case("damaged|cut short")
def a_product_that_overflows_to_a_little(folder, _secret):
    return put(folder / "a.nc", cdf5([(b"lat", (1 << 62) + 1), (b"lon", 4)], 6, 200, bytes(500)))


@case("damaged|cut short|type")
def a_type_that_there_is_not(folder, _secret):
    return put(folder / "a.nc", cdf5([(b"lat", 4), (b"lon", 4)], 99, 200, bytes(500)))


@case("cut short|damaged")
def a_header_alone(folder, _secret):
    return put(folder / "a.nc", b"CDF\2" + struct.pack(">I", 0xffffffff))


# ---- files that are something else

@case("not NetCDF|XML")
def a_vrt(folder, secret):
    return put(folder / "a.nc", f'<VRTDataset rasterXSize="9" rasterYSize="9"><SRS>EPSG:4326</SRS><VRTRasterBand dataType="Byte">'
               f'<SimpleSource><SourceFilename>{secret}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>'.encode())


@case("NcML|XML|NetCDF|opened|JSON|CDL|neither")
def ncml(folder, secret):
    return put(folder / "a.nc", f'  <netcdf xmlns="http://www.unidata.ucar.edu/namespaces/netcdf/ncml-2.2" location="{secret}"/>'.encode())


@case("address|cannot be found|no such file")
def a_url(folder, _secret):
    return folder / "http:" / "127.0.0.1:9" / "a.nc"


@case("#|rename")
def a_name_with_a_mode(folder, _secret):
    return make(folder / "a.nc").rename(folder / "a.nc#mode=zarr,file")


def marks_of(each):
    """A sanitizer tells of a crash of netcdf-c itself, before our sentence does."""
    return [pytest.mark.release_only] if each.says == "crashes the library" else []


@pytest.mark.parametrize("hostile_case", [pytest.param(each, marks=marks_of(each)) for each in CASES], ids=str)
@pytest.mark.filterwarnings("ignore")
def test_netcdf(binary, tmp_path, hostile_case):
    ingested, _ = hostile.attack(binary, tmp_path, hostile_case)
    if "good" in hostile_case.name:
        assert ingested.code == 0, ingested.err
