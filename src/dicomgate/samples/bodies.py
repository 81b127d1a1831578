"""What the phantoms are made of: tables of ellipsoids for a torso, a head, a hand and a beating heart."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dicomgate.samples.shapes import ENDLESS, Ellipsoid

AIR, LUNG, FAT, WATER, MUSCLE, LIVER, BLOOD, MARROW, RIB, BONE = -1000, -860, -100, 5, 55, 70, 190, 220, 520, 800
FLESH, DENSE = 40, 900


def torso() -> list[Ellipsoid]:
    """Chest and upper belly in Hounsfield units; z = 0 is the middle of the stack."""
    return [
        Ellipsoid((0, 0, 0), (165, 112, ENDLESS), FAT, AIR),
        Ellipsoid((0, 0, 0), (150, 98, ENDLESS), MUSCLE, FAT),
        Ellipsoid((-78, -5, 30), (58, 74, 105), LUNG, MUSCLE, 8),
        Ellipsoid((80, -5, 34), (54, 74, 104), LUNG, MUSCLE, -8),
        Ellipsoid((-60, -6, -88), (84, 70, 62), LIVER, MUSCLE),
        Ellipsoid((62, -26, -84), (42, 38, 36), 40, MUSCLE),
        Ellipsoid((66, -40, -78), (22, 16, 22), AIR, 40),
        Ellipsoid((22, -32, -8), (54, 44, 52), 45, -300, 35),
        Ellipsoid((32, -28, -14), (27, 20, 32), BLOOD, 45, 35),
        Ellipsoid((-4, -42, 2), (20, 17, 30), BLOOD - 30, 45, 10),
        Ellipsoid((14, 34, 0), (13, 13, ENDLESS), BLOOD, MUSCLE),
        Ellipsoid((8, -22, 64), (44, 15, 14), BLOOD, MUSCLE, 55),
        Ellipsoid((0, 6, 84), (9, 8, 50), AIR, MUSCLE),
        Ellipsoid((-98, 12, 42), (9, 9, 9), 30, LUNG),
        Ellipsoid((-95, 9, 44), (3, 3, 3), 400, 30),
        Ellipsoid((0, -92, 30), (17, 5, 72), RIB, MUSCLE),
        *_spine(),
        *_ribs(),
    ]


def _spine() -> Iterator[Ellipsoid]:
    for level in range(-5, 6):
        z = level * 26.0
        yield Ellipsoid((0, 62, z), (22, 18, 12.5), BONE - 150, MUSCLE)
        yield Ellipsoid((0, 62, z), (18, 14, 10), MARROW, BONE - 150)
    yield Ellipsoid((0, 86, 0), (14, 10, ENDLESS), RIB, MUSCLE)
    yield Ellipsoid((0, 84, 0), (8.5, 7.5, ENDLESS), WATER + 15, RIB)


def _ribs() -> Iterator[Ellipsoid]:
    """Each rib is a string of beads around the chest, sinking toward the front."""
    for level in range(-2, 6):
        for step in range(-13, 14):
            angle = math.radians(90 + step * 10.5)
            place = (144 * math.cos(angle), 92 * math.sin(angle), level * 24.0 + 34 * math.sin(angle) - 10)
            turn = math.degrees(math.atan2(92 * math.cos(angle), -144 * math.sin(angle)))
            yield Ellipsoid(place, (14, 4.2, 6.5), RIB, MUSCLE, turn)


def head() -> list[Ellipsoid]:
    """A head as a T1-weighted picture shows it: fat bright, water dark, bone nearly nothing."""
    grey, white, water, vessel = 520, 720, 190, 60
    return [
        Ellipsoid((0, 0, 0), (76, 96, 104), 980),
        Ellipsoid((0, 0, 0), (72, 92, 100), 130),
        Ellipsoid((0, 0, 2), (66, 86, 94), water),
        *(Ellipsoid((side * 34, 4, 4), (31, 80, 86), grey) for side in (-1, 1)),
        *(Ellipsoid((side * 31, 6, 6), (23, 66, 70), white) for side in (-1, 1)),
        Ellipsoid((0, 6, 2), (15, 26, 24), white - 40),
        *(Ellipsoid((side * 14, 2, 4), (9, 17, 14), grey + 40, 0, side * 18) for side in (-1, 1)),
        *(Ellipsoid((side * 11, -16, 16), (5, 24, 15), water, 0, side * 14) for side in (-1, 1)),
        *(Ellipsoid((side * 17, 34, 10), (5, 20, 12), water, 0, side * -20) for side in (-1, 1)),
        *(Ellipsoid((side * 20, 52, -50), (24, 24, 20), grey + 20) for side in (-1, 1)),
        Ellipsoid((0, 24, -52), (13, 15, 44), white - 60),
        *(Ellipsoid((side * 31, -74, -32), (13, 14, 13), water + 40) for side in (-1, 1)),
        *(Ellipsoid((side * 31, -85, -32), (5, 4, 5), grey) for side in (-1, 1)),
        Ellipsoid((0, -84, -58), (10, 18, 24), vessel),
        Ellipsoid((26, 30, 30), (15, 14, 14), 860),
        Ellipsoid((27, 31, 30), (8, 7, 8), 300),
    ]


def hand() -> list[Ellipsoid]:
    """A left hand for a projection: z runs to the finger tips."""
    bodies = [
        Ellipsoid((0, 0, -40), (40, 13, 48), FLESH, AIR),
        Ellipsoid((0, 0, -130), (27, 17, 62), FLESH, AIR),
        Ellipsoid((-11, 0, -136), (9, 8, 58), DENSE, FLESH),
        Ellipsoid((12, 0, -138), (7, 6, 58), DENSE, FLESH),
        *(Ellipsoid((x, 0, z), (7.5, 6, 6.5), DENSE, FLESH) for x in (-15, -1, 13) for z in (-68, -82)),
    ]
    fingers = ((-29, 9, 72, -7), (-10, 10, 88, -1), (9, 10, 82, 3), (27, 8, 62, 9))
    for x, half_width, length, lean in fingers:
        bodies += _finger(x, half_width, length, lean)
    return bodies + _thumb()


def _finger(x: float, half_width: float, length: float, lean: float) -> Iterator[Ellipsoid]:
    yield Ellipsoid((x * 0.8, 0, -28), (5.2, 4.8, 31), DENSE, FLESH)
    bottom = 6.0
    for share in (0.46, 0.31, 0.23):
        half = length * share / 2
        place = (x + lean * (bottom + half) / length, 0.0, bottom + half)
        yield Ellipsoid(place, (half_width, half_width * 0.85, half * 1.32), FLESH, AIR)
        yield Ellipsoid(place, (half_width * 0.5, half_width * 0.45, half * 0.9), DENSE, FLESH)
        bottom += 2 * half


def _thumb() -> list[Ellipsoid]:
    places = ((-41, -34, 20), (-54, -4, 17), (-62, 20, 13))
    soft = [Ellipsoid((x, 0, z), (11, 10, half * 1.3), FLESH, AIR) for x, z, half in places]
    return soft + [Ellipsoid((x, 0, z), (5.4, 5, half * 0.85), DENSE, FLESH) for x, z, half in places]
