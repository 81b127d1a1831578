"""A data set without who the patient is: the Basic Application Level Confidentiality Profile (PS3.15 §E.1.1, §E.2).

Reports, documents, drawings with text and classes of vendors hold identity where no table of attributes finds it:
they are refused, as PS3.18 §9.4.2.3 lets a server do. Times are gone with everything else (no option retains them).
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

from dicomgate import errors
from dicomgate.dicom import attributes, confidentiality, dictionary
from dicomgate.dicom.confidentiality import Action
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.values import Element

_SOP_CLASS: Final = "00080016"
_CHARSET: Final = "00080005"
_PATIENT_ID: Final = "00100020"
_METHODS: Final = "00120064"
_PIXELS: Final = ("7FE00010", "7FE00008", "7FE00009")
_OF_ANSWERS: Final = "00083002"  # Available Transfer Syntax UID: told of what is stored, not part of it
_WELL_KNOWN: Final = "1.2.840.10008."
_ROOT: Final = "1.2.840.10008.5.1.4.1.1"

_REFUSED: Final[tuple[tuple[str, str], ...]] = (
    (f"{_ROOT}.88.", "reports hold identity in free text"),
    (f"{_ROOT}.104.", "documents hold identity in free text"),
    (f"{_ROOT}.9.4.", "voices are heard in it"),
)
"""What no copy is made of, by the beginning of the SOP class."""
_RAW_DATA: Final = f"{_ROOT}.66"

_DUMMY: Final[dict[str, Any]] = {
    "AE": "REMOVED",
    "AS": "000D",
    "CS": "REMOVED",
    "DA": "20000101",
    "DS": 0,
    "DT": "20000101000000",
    "IS": 0,
    "LO": "REMOVED",
    "LT": "REMOVED",
    "PN": {"Alphabetic": "REMOVED"},
    "SH": "REMOVED",
    "ST": "REMOVED",
    "TM": "000000",
    "UC": "REMOVED",
    "UR": "about:blank",
    "UT": "REMOVED",
}
_DUMMY_BYTES: Final = "AAA="  # two zero bytes
_DUMMY_CODE: Final[JSONDataset] = {
    "00080100": {"vr": "SH", "Value": ["REMOVED"]},
    "00080102": {"vr": "SH", "Value": ["99DICOMGATE"]},
    "00080104": {"vr": "LO", "Value": ["Removed"]},
}
_TELLING: Final = ("00100010", "00100020", "00101000", "00101001", "00101005", "00080050")
"""Names and identifiers of the patient, and the accession number."""
_WRITTEN: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_SHORTEST: Final = 4
_SEPARATORS: Final = re.compile(r"[\W_]+")
_CODES: Final = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113101", "Clean Pixel Data Option"),
)


class Pseudonyms:
    """Other names for UIDs and identifiers: the same for the same, and derived by nobody who has not the secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = hashlib.blake2b(secret, digest_size=32, person=b"pseudonyms").digest()

    def uid(self, given: str) -> str:
        """A UID of the form PS3.5 B.2 gives to numbers of 128 bits; those that the standard itself assigns stay."""
        if given.startswith(_WELL_KNOWN):
            return given
        return f"2.25.{int.from_bytes(self._digest(b'uid', given))}"

    def identifier(self, given: str) -> str:
        """What stands for a patient's identifier."""
        return self._digest(b"identifier", given).hex()[:16].upper()

    @property
    def fingerprint(self) -> str:
        """What changes with the secret, and tells nothing of it: for an entity tag."""
        return self._digest(b"fingerprint", "").hex()

    def _digest(self, kind: bytes, given: str) -> bytes:
        text = given.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._secret, digest_size=16, person=kind).digest()


def deidentify(dataset: JSONDataset, pseudonyms: Pseudonyms) -> JSONDataset:
    """A new data set, which says that it is de-identified and how; values named by BulkDataURI stay so named.

    Forbidden, with the reason, for objects that cannot be cleaned surely. Pixel data is not looked at here, see
    `visible_identity`.
    """
    _check_class(dataset)
    made = _Cleaner(pseudonyms, _telling_words(dataset)).clean(dataset)
    made.pop(_OF_ANSWERS, None)
    if dataset.get(_PATIENT_ID, {}).get("Value"):
        issuer = dataset.get("00100021", {}).get("Value", [""])[0]
        name = f"{dataset[_PATIENT_ID]['Value'][0]}\n{issuer}"
        made[_PATIENT_ID] = {"vr": "LO", "Value": [pseudonyms.identifier(name)]}
    made.update(_statements(dataset))
    return dict(sorted(made.items()))


def _check_class(dataset: JSONDataset) -> None:
    sop_class = str(next(iter(dataset.get(_SOP_CLASS, {}).get("Value") or ()), ""))
    if sop_class not in dictionary.UIDS:
        raise _refusal("its class is none of the standard's, so that nobody knows what it holds")
    if sop_class == _RAW_DATA:
        raise _refusal("nobody but its maker knows what raw data hold")
    for beginning, reason in _REFUSED:
        if sop_class.startswith(beginning):
            raise _refusal(reason)


def _telling_words(dataset: JSONDataset) -> frozenset[str]:
    """What tells the patient wherever people wrote it: parts of the name, and identifiers; short ones mean nothing."""
    texts: list[Any] = []
    for tag in _TELLING:
        for value in dataset.get(tag, {}).get("Value") or ():
            texts += list(value.values()) if isinstance(value, dict) else [value]
    return frozenset(word for text in texts for word in _words(text) if len(word) >= _SHORTEST)


def _words(value: Any) -> list[str]:
    return _SEPARATORS.split(str(value or "").casefold())


class _Cleaner:
    """Takes the table through a data set, at every depth."""

    def __init__(self, pseudonyms: Pseudonyms, telling: frozenset[str]) -> None:
        self._pseudonyms = pseudonyms
        self._telling = telling

    def clean(self, dataset: JSONDataset) -> JSONDataset:
        made: JSONDataset = {}
        for tag, element in dataset.items():
            match confidentiality.action(tag):
                case Action.REMOVE:
                    continue
                case Action.EMPTY:
                    made[tag] = {"vr": element["vr"]}
                case Action.RENAME:
                    made[tag] = _renamed(element, self._pseudonyms)
                case Action.REPLACE:
                    made[tag] = _replaced(tag, element, self._pseudonyms)
                case Action.KEEP:
                    made[tag] = self._keep(tag, element)
        return made

    def _keep(self, tag: str, element: Element) -> Element:
        vr = element.get("vr")
        if vr in _WRITTEN and not self._telling.isdisjoint(_words(element.get("Value"))):
            return _replaced(tag, element, self._pseudonyms)
        if vr != "SQ" or "Value" not in element:
            return element
        return {**element, "Value": [self.clean(item or {}) for item in element["Value"]]}


def _renamed(element: Element, pseudonyms: Pseudonyms) -> Element:
    if not element.get("Value"):
        return {"vr": "UI"}
    return {"vr": "UI", "Value": [pseudonyms.uid(str(uid)) if uid else uid for uid in element["Value"]]}


def _replaced(tag: str, element: Element, pseudonyms: Pseudonyms) -> Element:
    """Something of the same kind that says nothing; what was empty stays so."""
    vr = element.get("vr", "UN")
    if element.keys() <= {"vr"}:
        return element
    if vr == "SQ":
        return _replaced_sequence(tag, element)
    if vr == "UI":
        return _renamed(element, pseudonyms)
    if tag == "00420011":
        raise _refusal("documents hold identity in free text")
    if vr in _DUMMY:
        return {"vr": vr, "Value": [_DUMMY[vr]]}
    return {"vr": vr, "InlineBinary": _DUMMY_BYTES}


def _replaced_sequence(tag: str, element: Element) -> Element:
    if not element.get("Value"):
        return {"vr": "SQ"}
    keyword = attributes.find_keyword(tag) or tag
    if not keyword.endswith("CodeSequence"):
        raise _refusal(f"{keyword} holds what people wrote or drew")
    return {"vr": "SQ", "Value": [dict(_DUMMY_CODE)]}


def _statements(dataset: JSONDataset) -> JSONDataset:
    """What a de-identified object says of itself (PS3.15 §E.1.1 step 6, §E.3.1)."""
    earlier = [_code_only(item) for item in dataset.get(_METHODS, {}).get("Value") or () if item]
    ours = [_code(value, meaning) for value, meaning in _CODES]
    said: JSONDataset = {
        "00120062": {"vr": "CS", "Value": ["YES"]},
        "00120063": {"vr": "LO", "Value": ["PS3.15 E Basic Profile, Clean Pixel Data; dicomgate"]},
        _METHODS: {"vr": "SQ", "Value": [item for item in earlier if item not in ours] + ours},
        "00280303": {"vr": "CS", "Value": ["REMOVED"]},
    }
    if any(tag in dataset for tag in _PIXELS):
        said["00280301"] = {"vr": "CS", "Value": ["NO"]}
    return said


def _code(value: str, meaning: str) -> JSONDataset:
    return {
        "00080100": {"vr": "SH", "Value": [value]},
        "00080102": {"vr": "SH", "Value": ["DCM"]},
        "00080104": {"vr": "LO", "Value": [meaning]},
    }


def _code_only(item: JSONDataset) -> JSONDataset:
    """Of an earlier method its code, and nothing that somebody added."""
    return {tag: item[tag] for tag in ("00080100", "00080102", "00080104") if tag in item}


def _refusal(reason: str) -> errors.Forbidden:
    return errors.Forbidden(f"no de-identified copy is made: {reason}")
