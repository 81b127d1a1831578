"""Studies as an archive of fifteen years holds them: names in several scripts, many modalities, series of 1 to 500+.

Made in code from a seed, the same at every run. A fixed number of instances to a study on average, so that an index of
ten times the instances has ten times the studies.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import orjson

from bench import data
from dicomgate.dicom.uids import Target
from dicomgate.index.base import Entry
from dicomgate.samples.modules import Patient

OF_STUDY: Final = 50
_FIRST_DAY: Final = date(2010, 1, 1)
_DAYS: Final = 15 * 365
_SYLLABLES: Final = (
    "ba",
    "be",
    "di",
    "do",
    "fa",
    "ge",
    "hu",
    "ja",
    "ka",
    "lo",
    "ma",
    "ne",
    "pi",
    "ro",
    "sa",
    "te",
    "vi",
    "wo",
    "xu",
    "zi",
    "mar",
    "len",
    "sten",
    "berg",
)
_ACCENTED: Final = ("Müller", "Núñez", "Škoda", "Łukasz", "Ørsted", "Çelik", "Đặng", "Ångström")
_SCRIPTS: Final = {
    "Ideographic": ("山田鈴木佐藤高橋渡辺", "太郎花子一二三次美"),
    "Hangul": ("김이박최정강조윤장임", "민준서연지우현수영호"),
    "Cyrillic": ("абвгдеклмн", "аеиоурстпв"),
    "Greek": ("αβγδεζικλμ", "αειουνπρστ"),
    "Arabic": ("ابتجحدرسعف", "قلمنهويكبت"),
    "Hebrew": ("אבגדהוזחטי", "כלמנסעפצקר"),
}
_FOLDER: Final = "1.2.840.10008.5.1.4.1.1."


@dataclass(frozen=True, slots=True)
class Kind:
    """What examinations of a modality look like: how often, how many series, how long these are."""

    modality: str
    sop_class: str
    share: int
    series: tuple[int, int]
    lengths: tuple[int, int]
    parts: tuple[str, ...]


KINDS: Final = (
    Kind("DX", f"{_FOLDER}1.1", 38, (1, 2), (1, 2), ("CHEST", "HAND", "KNEE", "SPINE")),
    Kind("US", f"{_FOLDER}6.1", 14, (1, 2), (4, 30), ("ABDOMEN", "HEART", "NECK")),
    Kind("MG", f"{_FOLDER}1.2", 6, (1, 4), (1, 2), ("BREAST",)),
    Kind("CR", f"{_FOLDER}1", 12, (1, 1), (1, 3), ("CHEST", "PELVIS")),
    Kind("XA", f"{_FOLDER}12.1", 3, (2, 9), (1, 12), ("HEART",)),
    Kind("CT", f"{_FOLDER}2", 12, (2, 4), (16, 105), ("CHEST", "ABDOMEN", "HEAD")),
    Kind("MR", f"{_FOLDER}4", 10, (2, 7), (12, 40), ("BRAIN", "KNEE", "SPINE")),
    Kind("PT", f"{_FOLDER}128", 2, (2, 2), (60, 200), ("WHOLEBODY",)),
)
_LONG: Final = 50
"""One series of so many long ones is thin slices: 500 and more."""


@dataclass(frozen=True, slots=True)
class Study:
    """One study: what its instances share, and the lengths of its series."""

    number: int
    kind: Kind
    lengths: tuple[int, ...]
    shared: dict[str, Any]

    @property
    def uid(self) -> str:
        """Its UID."""
        return data.study_uid(scattered(self.number))

    def series_uid(self, place: int) -> str:
        """The UID of one of its series."""
        return data.series_uid(scattered(self.number * 100 + place))


def scattered(number: int) -> int:
    """Another number for each, in no order: machines' UIDs do not come sorted, and an index feels that."""
    return number * 0x9E3779B97F4A7C15 % (1 << 64)


def text(study: Study, tag: str) -> str:
    """One of the study's values."""
    value = study.shared[tag]["Value"][0]
    return str(value["Alphabetic"] if isinstance(value, dict) else value)


def studies(instances: int, first: int = 0) -> Iterator[Study]:
    """Studies with so many instances in all, numbered from `first`; always the same."""
    left = instances
    number = first
    dice = random.Random(first)
    while left > 0:
        study = _study(number, dice, left)
        left -= sum(study.lengths)
        number += 1
        yield study


def _study(number: int, dice: random.Random, most: int) -> Study:
    kind = dice.choices(KINDS, weights=[kind.share for kind in KINDS])[0]
    lengths: list[int] = []
    for _ in range(dice.randint(*kind.series)):
        longest = kind.lengths[1] > 100 and dice.randrange(_LONG) == 0
        length = dice.randint(500, 700) if longest else dice.randint(*kind.lengths)
        lengths.append(min(length, most - sum(lengths)))
    return Study(number, kind, tuple(length for length in lengths if length > 0), _shared(number, kind, dice))


def _shared(number: int, kind: Kind, dice: random.Random) -> dict[str, Any]:
    """The study's attributes. A patient has about two and a half studies, of any year."""
    patient = dice.randrange(1 + number * 2 // 5) if number % 5 > 1 else number * 2 // 5
    day = _FIRST_DAY + timedelta(days=dice.randrange(_DAYS))
    part = dice.choice(kind.parts)
    return {
        "00080005": _element("CS", "ISO_IR 192"),
        "00080020": _element("DA", f"{day:%Y%m%d}"),
        "00080030": _element("TM", f"{dice.randrange(7, 20):02d}{dice.randrange(60):02d}{dice.randrange(60):02d}"),
        "00080050": _element("SH", f"A{number:09d}"),
        "00080060": _element("CS", kind.modality),
        "00080080": _element("LO", f"Hospital {dice.randrange(12)}"),
        "00080090": _element("PN", _latin(dice.randrange(400))),
        "00081010": _element("SH", f"{kind.modality}{dice.randrange(4):02d}"),
        "00081030": _element("LO", f"{kind.modality} {part.title()} protocol {dice.randrange(60)}"),
        "00100010": _element("PN", name(patient)),
        "00100020": _element("LO", f"P{patient:08d}"),
        "00100030": _element("DA", f"{1930 + patient % 90}{1 + patient % 12:02d}{1 + patient % 28:02d}"),
        "00100040": _element("CS", "MF"[patient % 2]),
        "00101010": _element("AS", f"{patient % 90:03d}Y"),
        "00101030": _element("DS", 50 + patient % 60),
        "00180015": _element("CS", part),
        "0020000D": _element("UI", data.study_uid(scattered(number))),
        "00200010": _element("SH", f"S{number}"),
    }


@functools.lru_cache(maxsize=1024)
def name(patient: int) -> dict[str, str]:
    """A patient's name: mostly Latin, one in eight with other letters, one in eight in another script."""
    latin = _latin(patient)
    if patient % 8 == 6:
        return {"Alphabetic": f"{_ACCENTED[patient // 8 % len(_ACCENTED)]}^{_word(patient * 7919, 3)}"}
    if patient % 8 != 7:
        return latin
    script = tuple(_SCRIPTS)[patient // 8 % len(_SCRIPTS)]
    family, given = (
        "".join(letters[patient * prime // 10**place % len(letters)] for place in range(3))
        for letters, prime in zip(_SCRIPTS[script], (7, 7919), strict=True)
    )
    if script in ("Ideographic", "Hangul"):
        return {**latin, "Ideographic": f"{family}^{given}"}
    return {"Alphabetic": f"{family}^{given}"}


def _latin(number: int) -> dict[str, str]:
    return {"Alphabetic": f"{_word(number * 104729, 3)}^{_word(number * 7919, 2)}"}


def _word(number: int, syllables: int) -> str:
    found = ""
    for _ in range(syllables):
        number, place = divmod(number, len(_SYLLABLES))
        found += _SYLLABLES[place]
    return found.title()


def entries(study: Study) -> Iterator[Entry]:
    """Its instances as the archive offers them to the index, in order of arrival."""
    number = 0
    for place, length in enumerate(study.lengths, 1):
        series = study.shared | _series(study, place)
        common = {tag: series[tag] for tag in sorted(series)}
        for slice_ in range(1, length + 1):
            number += 1
            uid = data.instance_uid(scattered(study.number * 10_000 + number))
            yield _entry(
                study, common | _instance(uid, slice_), Target(study.uid, study.series_uid(place), uid), number
            )


def _series(study: Study, place: int) -> dict[str, Any]:
    kind = study.kind
    return {
        "00080008": {"vr": "CS", "Value": ["ORIGINAL", "PRIMARY", "AXIAL"]},
        "00080016": _element("UI", kind.sop_class),
        "00080021": study.shared["00080020"],
        "00080031": study.shared["00080030"],
        "00080070": _element("LO", "Example Medical"),
        "0008103E": _element("LO", f"Series {place} of {kind.parts[0].lower()}"),
        "00081090": _element("LO", f"Scanner {kind.modality}"),
        "00181030": _element("LO", f"{kind.parts[0]} ROUTINE"),
        "00180050": _element("DS", 1.25),
        "00180060": _element("DS", 120),
        "0020000E": _element("UI", study.series_uid(place)),
        "00200011": _element("IS", place),
        "00200037": {"vr": "DS", "Value": [1, 0, 0, 0, 1, 0]},
        "00280002": _element("US", 1),
        "00280004": _element("CS", "MONOCHROME2"),
        "00280010": _element("US", 512),
        "00280011": _element("US", 512),
        "00280030": {"vr": "DS", "Value": [0.703125, 0.703125]},
        "00280100": _element("US", 16),
        "00280101": _element("US", 16),
        "00280102": _element("US", 15),
        "00280103": _element("US", 0),
        "00281050": {"vr": "DS", "Value": [40, -600]},
        "00281051": {"vr": "DS", "Value": [400, 1500]},
        "00281052": _element("DS", -1024),
        "00281053": _element("DS", 1),
        "00400244": study.shared["00080020"],
        "00400275": {
            "vr": "SQ",
            "Value": [
                {"00400009": _element("SH", f"SPS{study.number}"), "00401001": _element("SH", f"RP{study.number}")}
            ],
        },
        "7FE00010": {"vr": "OW", "BulkDataURI": "bulkdata/7FE00010"},
    }


def _instance(uid: str, number: int) -> dict[str, Any]:
    height = round(number * 1.25 - 150, 2)
    return {
        "00080018": _element("UI", uid),
        "00080032": _element("TM", f"10{number // 60 % 60:02d}{number % 60:02d}"),
        "00181151": _element("IS", 200 + number % 80),
        "00200013": _element("IS", number),
        "00200032": {"vr": "DS", "Value": [-180.5, -180.5, height]},
        "00201041": _element("DS", height),
    }


def _entry(study: Study, attributes: dict[str, Any], target: Target, number: int) -> Entry:
    place = study.number * 10_000 + number
    return Entry(
        target=target,
        sop_class=study.kind.sop_class,
        transfer_syntax="1.2.840.10008.1.2.1",
        size=526_000,
        digest=f"{place:064x}",
        key=f"{place:016x}-{'b' * 18}",
        received=1.7e9 + number,
        attributes=attributes,
        metadata=orjson.dumps(attributes),
        layout=b"\x82\xa4size\xce\x00\x08\x06\x70\xa6frames\x91\xcd\x10\x22",
    )


def _element(vr: str, value: object) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}


_PERSON: Final = Patient(
    name="Qqqqqqqq^Rrrrrr", number="QPAT00000", charset="ISO_IR 192", born="19700101", sex="O", age="054Y"
)


def files(study: int, count: int) -> Iterator[bytes]:
    """The small PS3.10 files of one study of one series, to be stored over HTTP."""
    template = data.small_ct(_PERSON, "QACC0000000")
    name = (_word(study * 104729, 4) * 2)[:8] + "^" + (_word(study * 7919, 3) * 2)[:6]
    day = _FIRST_DAY + timedelta(days=study * 7919 % _DAYS)
    changes = (
        (b"Qqqqqqqq^Rrrrrr", name.encode()),
        (b"QPAT00000", b"Q%08d" % study),
        (b"QACC0000000", b"Q%010d" % study),
        (b"20240102", f"{day:%Y%m%d}".encode()),
    )
    for number in range(1, count + 1):
        start = template.start(scattered(study), scattered(study * 100), scattered(study * 10_000 + number))
        for old, new in changes:
            start = start.replace(old, new)
        yield start + template.rest
