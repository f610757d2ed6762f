"""Writes the ramps of colormaps/ from the published tables: `tests/support/make_ramps.py TABLES`, where TABLES holds
rio_tiler_rgba256.json (rio-tiler's 211 maps, [r,g,b,a] 0..255) and cmocean_rgb.json (cmocean's own, [r,g,b]).

A file a map: 256 colours as one text of hex digits, six a colour. `NAME_r` gets a file only where the published table is
not the reverse of NAME's to the last bit, which rounding makes of 52 of them; the program reverses the others.
"""
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

CMOCEAN = """algae amp balance curl deep delta dense diff haline ice matter oxy phase rain solar speed tarn tempo thermal topo
turbid""".split()
BREWER = """accent blues brbg bugn bupu dark2 gnbu greens greys oranges orrd paired pastel1 pastel2 piyg prgn pubu pubugn puor
purd purples rdbu rdgy rdpu rdylbu rdylgn reds set1 set2 set3 spectral ylgn ylgnbu ylorbr ylorrd""".split()
VIRIDIS = "inferno magma plasma viridis".split()
COMMUNITY = "cfastie rplumbo schwarzwald".split()

SOURCES = (
    (CMOCEAN, "cmocean (Kristen M. Thyng), as sampled in rio-tiler", "MIT"),
    (BREWER, "ColorBrewer 2 (Cynthia Brewer, Mark Harrower, Pennsylvania State University), as sampled by matplotlib and rio-tiler",
     "Apache-2.0"),
    (VIRIDIS, "BIDS/colormap (Stéfan van der Walt, Nathaniel Smith), as sampled in rio-tiler", "CC0-1.0"),
    (["turbo"], "Turbo (Anton Mikhailov, Google), as sampled in rio-tiler", "Apache-2.0"),
    (COMMUNITY, "community map, carried by rio-tiler", "BSD-3-Clause"),
)
MATPLOTLIB = ("matplotlib, as sampled in rio-tiler", "PSF-style matplotlib licence; BSD-3-Clause (rio-tiler)")

KINDS = {
    "qualitative": "accent dark2 paired pastel1 pastel2 set1 set2 set3 tab10 tab20 tab20b tab20c flag prism",
    "cyclic": "twilight twilight_shifted hsv phase",
    "diverging": """brbg bwr coolwarm piyg prgn puor rdbu rdgy rdylbu rdylgn seismic spectral balance curl delta diff tarn
topo""",
    "miscellaneous": """ocean gist_earth terrain gist_stern gnuplot gnuplot2 cmrmap cubehelix brg gist_rainbow rainbow jet turbo
nipy_spectral gist_ncar cfastie rplumbo schwarzwald""",
}


def kind_of(base):
    return next((kind for kind, names in KINDS.items() if base in names.split()), "sequential")


def origin_of(base):
    return next(((source, licence) for names, source, licence in SOURCES if base in names), MATPLOTLIB)


def base_of(name, tables):
    return name[:-2] if name.endswith("_r") and name[:-2] in tables else name


def hex_of(table):
    digits = 4 if any(len(entry) == 4 and entry[3] != 255 for entry in table) else 3
    return "".join(f"{part:02x}" for entry in table for part in entry[:digits])


def write(folder, name, kind, origin, table):
    assert len(table) == 256 and len(hex_of(table)) == 256 * 6, name
    head = {"name": name, "kind": kind, "source": origin[0], "licence": origin[1], "type": "linear"}
    lines = [f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)},\n" for key, value in head.items()]
    (folder / f"{name}.json").write_text("{\n" + "".join(lines) + f'  "colors": "{hex_of(table)}"\n}}\n', encoding="utf-8")


def main(tables, folder=ROOT / "colormaps"):
    peer = json.loads((tables / "rio_tiler_rgba256.json").read_text())
    for name, table in peer.items():
        base = base_of(name, peer)
        if base == name or table != peer[base][::-1]:
            write(folder, name, kind_of(base), origin_of(base), table)
    grey = json.loads((tables / "cmocean_rgb.json").read_text())["gray"]
    write(folder, "cmocean_gray", "sequential", ("cmocean (Kristen M. Thyng)", "MIT"), grey)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]))
