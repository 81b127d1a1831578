"""PNG and GIF files made by hand, so that what they should decode to is known."""

import struct
import zlib

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(samples, depth):
    if depth == 16:
        return b"".join(struct.pack(">H", sample) for sample in samples)
    bits = "".join(f"{sample:0{depth}b}" for sample in samples)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big") if bits else b""


def png(rows, depth=8, colour=0, extra=b"", *, interlaced=False):
    """`rows`: of pixels, each a tuple of samples."""
    height, width = len(rows), len(rows[0])
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    data = b""
    for left, top, across, down in passes:
        for row in rows[top::down]:
            samples = [sample for pixel in row[left::across] for sample in pixel]
            if samples:
                data += b"\0" + packed(samples, depth)
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    )


def large_png(rows, columns, channels=1):
    """All black."""
    compressor = zlib.compressobj(1)
    row = bytes(columns * channels + 1)
    data = b"".join(compressor.compress(row) for _ in range(rows)) + compressor.flush()
    head = struct.pack(">IIBBBBB", columns, rows, 8, {1: 0, 3: 2}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


PALETTE = bytes(range(48))  # 16 colours


def gif(width, height, *blocks, palette=PALETTE):
    size = {48: 3, 6: 0, 0: None}[len(palette)]
    flags = 0x80 | size if size is not None else 0
    return b"GIF89a" + struct.pack("<HHBBB", width, height, flags, 0, 0) + palette + b"".join(blocks) + b"\x3b"


def control(delay=0, disposal=0, transparent=None):
    flags = disposal << 2 | (transparent is not None)
    return b"\x21\xf9\x04" + struct.pack("<BHB", flags, delay, transparent or 0) + b"\0"


def image(rows, left=0, top=0, *, palette=b"", interlaced=False):
    """`rows`: of indices below 16. The code is cleared so often that it never grows: five bits for each pixel."""
    height, width = len(rows), len(rows[0])
    order = list(range(height))
    if interlaced:
        order = [*range(0, height, 8), *range(4, height, 8), *range(2, height, 4), *range(1, height, 2)]
    codes = []
    for place, index in enumerate(index for row in order for index in rows[row]):
        codes += [16, index] if place % 8 == 0 else [index]
    codes = codes or [16]
    number = sum(code << 5 * place for place, code in enumerate([*codes, 17]))
    data = number.to_bytes(-(-5 * (len(codes) + 1) // 8), "little")
    flags = (0x80 | 3 if palette else 0) | (0x40 if interlaced else 0)
    blocks = b"".join(bytes([len(data[at : at + 255])]) + data[at : at + 255] for at in range(0, len(data), 255))
    return b"\x2c" + struct.pack("<HHHHB", left, top, width, height, flags) + palette + b"\x04" + blocks + b"\0"


def coloured(indices, palette=PALETTE):
    return b"".join(
        palette[3 * index : 3 * index + 3] if index is not None else b"\0\0\0" for row in indices for index in row
    )
