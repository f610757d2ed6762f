"""Writes core/render/glyphs.c, the letters of legends, from a TrueType font: `tests/support/make_glyphs.py FONT`.

The glyphs that come along are DejaVu Sans at 12 pixels (Bitstream Vera and Arev licences, which allow it). Needs Pillow.
"""
import pathlib
import sys

from PIL import Image, ImageDraw, ImageFont

SIZE = 12
CODES = [*range(0x20, 0x7F), *range(0xA1, 0x180), 0x2070, *range(0x2074, 0x207F), *range(0x2080, 0x208A), 0x2013, 0x2014, 0x2018,
         0x2019, 0x201C, 0x201D, 0x2026, 0x2030, 0x2032, 0x2033, 0x2126, 0x2212, 0x221E, 0x2264, 0x2265, 0xFFFD,
         *range(0x391, 0x3CA)]
HEAD = """// glyphs.c - the letters of legends: DejaVu Sans, 12 pixels, made by tests/support/make_glyphs.py.
// DejaVu's changes are in the public domain; Bitstream Vera is (c) 2003 by Bitstream, Inc. and Arev
// (c) 2006 by Tavmjong Bah, whose licences allow this.
#include "render/text.h"

// Rows from the top; a hex digit a pixel, 0 to f.
// clang-format off
const ra__glyph RA__GLYPHS[] = {
"""


def glyph(font, code):
    text = chr(code)
    left, top, right, bottom = font.getbbox(text, anchor="ls")
    width, height = right - left, bottom - top
    if width <= 0 or height <= 0:
        return f'    {{0x{code:x}, {round(font.getlength(text))}, 0, 0, 0, 0, ""}},\n'
    image = Image.new("L", (width, height))
    ImageDraw.Draw(image).text((-left, -top), text, 255, font, anchor="ls")
    digits = "".join(f"{value // 16:x}" for value in image.tobytes())
    return f'    {{0x{code:x}, {round(font.getlength(text))}, {left}, {top}, {width}, {height}, "{digits}"}},\n'


def main(path):
    font = ImageFont.truetype(path, SIZE)
    codes = sorted(set(CODES))
    out = pathlib.Path(__file__).resolve().parents[2] / "core" / "render" / "glyphs.c"
    out.write_text(HEAD + "".join(glyph(font, code) for code in codes) + f"}};\nconst unsigned RA__GLYPH_COUNT = {len(codes)};\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
