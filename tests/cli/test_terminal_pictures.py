"""Pictures for terminals: what a terminal would show of the characters is the picture that went in."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate.cli import terminal, terminal_pictures
from dicomgate.cli.terminal import Graphics
from dicomgate.cli.terminal_pictures import Bitmap


@st.composite
def bitmaps(draw, colours=256):
    width, height = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    palette = draw(st.lists(st.binary(min_size=3, max_size=3), min_size=1, max_size=colours))
    picks = draw(st.lists(st.sampled_from(palette), min_size=width * height, max_size=width * height))
    return Bitmap(width, height, b"".join(picks))


def read_half_blocks(text):
    """The pixels that a terminal shows: foreground above, background below."""
    rows = []
    for line in text.splitlines():
        assert line.endswith("\x1b[0m")
        upper, lower, front, back = [], [], None, None
        for colours, block in re.findall(r"\x1b\[([\d;]+)m|(▀)", line):
            if block:
                upper.append(front)
                lower.append(back)
            elif colours != "0":
                parts = colours.split(";")
                front = tuple(map(int, parts[2:5]))
                back = tuple(map(int, parts[7:10])) if len(parts) > 5 else None
        rows += [upper, lower] if lower[0] is not None else [upper]
    return rows


def pixels(bitmap):
    return [[tuple(bitmap.row(y)[3 * x : 3 * x + 3]) for x in range(bitmap.width)] for y in range(bitmap.height)]


@pytest.mark.slow
@given(bitmaps())
def test_half_blocks_show_every_pixel(bitmap):
    assert read_half_blocks("".join(terminal_pictures.format_half_blocks(bitmap))) == pixels(bitmap)


def read_sixels(text):
    """What a terminal paints, with the colours in percent."""
    head = re.match(r'\x1bP0;1q"1;1;(\d+);(\d+)', text)
    width, height = int(head[1]), int(head[2])
    assert text.endswith("\x1b\\\n")
    palette, shown, x, y, colour = {}, {}, 0, 0, None
    for number, red, green, blue, pick, count, sixel, move in re.findall(
        r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|(?:!(\d+))?([?-~])|([$-])", text[head.end() : -3]
    ):
        if number:
            palette[number] = (int(red), int(green), int(blue))
        elif pick:
            colour = palette[pick]
        elif sixel:
            for _ in range(int(count or 1)):
                for bit in range(6):
                    if (ord(sixel) - 63) >> bit & 1:
                        assert (x, y + bit) not in shown
                        shown[x, y + bit] = colour
                x += 1
        else:
            x, y = 0, y + 6 * (move == "-")
    return [[shown[x, y] for x in range(width)] for y in range(height)]


@pytest.mark.slow
@given(bitmaps())
def test_sixels_show_every_pixel_as_exactly_as_sixels_can(bitmap):
    expected = [[tuple(round(value / 2.55) for value in pixel) for pixel in row] for row in pixels(bitmap)]
    assert read_sixels("".join(terminal_pictures.format_sixels(bitmap))) == expected


def test_more_colours_than_sixels_have_become_fewer_and_stay_near():
    content = b"".join(bytes((x * 8, y * 8, (x * y) % 256)) for y in range(32) for x in range(32))
    shown = read_sixels("".join(terminal_pictures.format_sixels(Bitmap(32, 32, content))))
    assert 16 < len({pixel for row in shown for pixel in row}) <= 256
    for y in range(32):
        for x in range(32):
            assert all(
                abs(a - b / 2.55) <= 50
                for a, b in zip(shown[y][x], content[3 * (32 * y + x) : 3 * (32 * y + x) + 3], strict=True)
            )


def test_runs_are_counted():
    assert "!400~" in "".join(terminal_pictures.format_sixels(Bitmap(400, 6, bytes(3 * 400 * 6))))


@given(st.binary(min_size=1, max_size=20_000))
def test_kitty_and_iterm_get_the_file_itself(png):
    chunks = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", "".join(terminal_pictures.format_kitty(png)))
    assert base64.b64decode("".join(text for _, text in chunks)) == png
    assert all(len(text) <= 4096 for _, text in chunks)
    assert ["m=1" in keys for keys, _ in chunks] == [True] * (len(chunks) - 1) + [False]
    (line,) = terminal_pictures.format_iterm(png, 3, 4)
    assert base64.b64decode(line.partition(":")[2].removesuffix("\a\n")) == png
    assert f"size={len(png)};width=3px;height=4px" in line


@pytest.mark.parametrize(
    ("pixel", "named"),
    [(b"\0\0\0", 16), (b"\xff\xff\xff", 231), (b"\xff\0\0", 196), (b"\x80\x80\x80", 244), (b"\x5f\x87\xaf", 67)],
)
def test_the_nearest_of_256_colours(pixel, named):
    (line,) = terminal_pictures.format_half_blocks(Bitmap(1, 1, pixel), has_all_colours=False)
    assert line == f"\x1b[38;5;{named}m▀\x1b[0m\n"


@pytest.mark.parametrize(
    ("answer", "environment", "chosen"),
    [
        (b"\x1b_Gi=31;OK\x1b\\\x1b[?62;c", {}, Graphics.KITTY),
        (b"\x1b[?62;4;22c", {}, Graphics.SIXEL),
        (b"\x1b[?1;2;4c", {"TERM_PROGRAM": "iTerm.app"}, Graphics.ITERM),
        (b"\x1b[?1;2c", {"LC_TERMINAL": "iTerm2"}, Graphics.ITERM),
        (b"\x1b[?1;2;4c", {"TERM_PROGRAM": "iTerm.app", "TMUX": "/tmp/tmux"}, Graphics.SIXEL),
        (b"\x1b[?64;1;2;6;9c", {}, Graphics.HALF),
        (b"\x1b[?44c", {}, Graphics.HALF),
        (b"", {}, Graphics.HALF),
    ],
)
def test_the_way_follows_from_what_the_terminal_says(answer, environment, chosen):
    assert terminal.choose(answer, environment) is chosen


def test_24_bit_colour_is_what_the_environment_says():
    assert terminal.has_all_colours({"COLORTERM": "truecolor"})
    assert terminal.has_all_colours({"TERM": "xterm-direct"})
    assert not terminal.has_all_colours({"TERM": "xterm-256color"})
