"""Every file of charsets/ is found by its patient's name, typed in its own script (PS3.5 §6.1, PS3.4 C.2.2.2, QIDO-06).

Exactly, by wildcard, and by fuzzy matching; by each component group alone, and whatever the case and the accents.
"""

from __future__ import annotations

import io
import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import pydicom
import pytest
from interop_corpus import DATA, needs_data
from pydicom.valuerep import PersonName

from dicomgate.testing import instances, processes
from dicomgate.testing.processes import Running

pytestmark = [needs_data, pytest.mark.slow]

FILES = sorted((DATA / "charsets").rglob("*.dcm")) if DATA.is_dir() else []
GROUPS = ("alphabetic", "ideographic", "phonetic")


@dataclass(frozen=True)
class Person:
    """Where a file's patient is found, and what he is called."""

    study: str
    key: str
    name: str
    groups: dict[str, str]

    @property
    def words(self) -> set[str]:
        return {folded(word) for group in self.groups.values() for word in split(group)}


def split(group: str) -> list[str]:
    """The components of a component group, and the words of each."""
    return group.replace("^", " ").split()


def folded(text: str) -> str:
    """Without case, width and accents; the voicing marks of Kana are no accents."""
    loose = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFKC", "".join(letter for letter in loose if not "\u0300" <= letter <= "\u036f"))


def read(content: bytes) -> tuple[str, str, dict[str, str]]:
    """By pydicom: where the name stands, itself as one text, and its component groups that are not empty.

    Two files have it in an item of a sequence, one of these with a character set of the item's own.
    """
    dataset = pydicom.dcmread(io.BytesIO(content), force=True)
    is_below = "PatientName" not in dataset
    name = (dataset.RequestedProcedureCodeSequence[0] if is_below else dataset).PatientName
    assert isinstance(name, PersonName)
    groups = {group: getattr(name, group) for group in GROUPS}
    key = "RequestedProcedureCodeSequence.PatientName" if is_below else "PatientName"
    return key, str(name), {group: text.strip() for group, text in groups.items() if text.strip("^ ")}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("names")
    with processes.running(data=home / "data", log=home / "log") as running:
        yield running


@pytest.fixture(scope="module")
def people(server: Running) -> dict[str, Person]:
    """All of them in one archive, each in a study of his own: some of the files share their UIDs."""
    found = {}
    for number, path in enumerate(FILES):
        content = with_own_uids(path.read_bytes(), number)
        reply = server.ask("POST", "/dicomweb/studies", {"Content-Type": "application/dicom"}, content)
        assert reply.status == 200, reply.body
        (one,) = json.loads(reply.body)["00081199"]["Value"]
        study = one["00081190"]["Value"][0].split("/studies/")[1].split("/")[0]
        found[path.name] = Person(study, *read(content))
    return found


def with_own_uids(content: bytes, number: int) -> bytes:
    """The same bytes but for the UIDs: a file that lacks some gets them, and no text is written anew."""
    dataset = pydicom.dcmread(io.BytesIO(content), force=True)
    for place, keyword in enumerate(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")):
        setattr(dataset, keyword, f"2.25.{number + 1}.{place}")
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    into = io.BytesIO()
    dataset.save_as(into)
    assert read(into.getvalue()) == read(content)
    return into.getvalue()


def studies(server: Running, asked: str, *others: str, key: str = "PatientName") -> set[str]:
    """Typed as it is, percent-encoded as UTF-8; `*` and `?` mean what they do."""
    query = "&".join([f"{key}={quote(asked, safe='*?')}", *others])
    resource = "instances" if "." in key else "studies"
    reply = server.ask("GET", f"/dicomweb/{resource}?{query}", {"Accept": "application/dicom+json"})
    assert reply.status in {200, 204}, reply.body
    assert "warning" not in reply.headers, reply.headers["warning"]
    return {row["0020000D"]["Value"][0] for row in json.loads(reply.body)} if reply.body else set()


named = pytest.mark.parametrize("file", [path.name for path in FILES])


@named
def test_the_answer_says_the_name_as_it_is_written(server: Running, people: dict[str, Person], file: str) -> None:
    person = people[file]
    sequence = person.key.rpartition(".")[0]
    fields = f"&includefield={sequence}" if sequence else ""
    reply = server.ask("GET", f"/dicomweb/instances?StudyInstanceUID={person.study}{fields}")
    (row,) = json.loads(reply.body.decode("utf-8"))
    said = (row["00321064"]["Value"][0] if sequence else row)["00100010"]["Value"][0]
    assert {group.lower(): text for group, text in said.items()} == person.groups


@named
def test_by_the_whole_name(server: Running, people: dict[str, Person], file: str) -> None:
    person = people[file]
    for asked in (person.name, *person.groups.values()):
        assert person.study in studies(server, asked, key=person.key), asked


@named
def test_by_wildcards(server: Running, people: dict[str, Person], file: str) -> None:
    person = people[file]
    for group in person.groups.values():
        letters = group.strip("^")
        for asked in (
            letters[:2] + "*",
            f"*{letters[1:-1]}*",
            "*" + letters[-2:],
            "?" + letters[1:],
            letters[:1] + "*" + letters[-1:],
        ):
            assert person.study in studies(server, asked, key=person.key), asked
        assert person.study not in studies(server, f"{letters}x*", key=person.key), "and not by what he is not called"


@named
def test_by_any_word_of_it_fuzzily(server: Running, people: dict[str, Person], file: str) -> None:
    """Words in any order, from any group, with or without case and accents."""
    person = people[file]
    for group in person.groups.values():
        words = split(group)
        for asked in (*words, " ".join(reversed(words)), "^".join(reversed(words)), words[0][:2]):
            assert person.study in studies(server, asked, "fuzzymatching=true", key=person.key), asked
    for word in person.words:
        for asked in (word, word.upper()):
            assert person.study in studies(server, asked, "fuzzymatching=true", key=person.key), asked
    mixed = [split(group)[0] for group in person.groups.values()]
    assert person.study in studies(server, " ".join(mixed), "fuzzymatching=true", key=person.key)
    assert person.study not in studies(server, f"{mixed[0]} Nobody", "fuzzymatching=true", key=person.key)


@named
def test_case_and_accents_do_not_matter_in_names(server: Running, people: dict[str, Person], file: str) -> None:
    """PS3.4 C.2.2.2.1 lets names be matched so; we say that we do."""
    person = people[file]
    for group in person.groups.values():
        assert person.study in studies(server, folded(group), key=person.key)
        assert person.study in studies(server, folded(group).upper(), key=person.key)


def test_nobody_else_is_found(server: Running, people: dict[str, Person]) -> None:
    """By the ideographic name alone, exactly those who are called so."""
    people = {file: person for file, person in people.items() if person.key == "PatientName"}
    for person in people.values():
        for group in person.groups.values():
            wanted = {
                one.study for one in people.values() if any(folded(other) == folded(group) for other in one.groups.values())
            }  # fmt: skip
            assert studies(server, group) == wanted, group


OTHERS = {
    "ISO_IR 192": ("Wang^XiaoDong=王^小东=", "Wang^XiaoDong=王^小东=".encode()),
    "GB18030": ("Wang^XiaoDong=王^小东=", "Wang^XiaoDong=王^小东=".encode("gb18030")),
    "GBK": ("Wang^XiaoDong=王^小东=", "Wang^XiaoDong=王^小东=".encode("gbk")),
    "ISO_IR 166": ("สมชาย^ใจดี", "สมชาย^ใจดี".encode("iso8859_11")),
    "ISO_IR 203": ("Œuvré^Žofie", "Œuvré^Žofie".encode("iso8859_15")),
    "ISO_IR 101": ("Łukasiewicz^Żółć", "Łukasiewicz^Żółć".encode("iso8859_2")),
    "\\ISO 2022 IR 58": ("Wang^XiaoDong=王^小东=", b"Wang^XiaoDong=\x1b$)A\xcd\xf5^\x1b$)A\xd0\xa1\xb6\xab="),
    "\\ISO 2022 IR 159": ("Yoshida^Shigeo=丂^丄=", b"Yoshida^Shigeo=\x1b$(D\x30\x21\x1b(B^\x1b$(D\x30\x22\x1b(B="),
}
"""What no file here has; as bytes, since not every writer knows these sets."""


@pytest.mark.parametrize("charset", OTHERS)
def test_other_character_sets_of_the_standard(server: Running, charset: str) -> None:
    name, written = OTHERS[charset]
    target, blank = instances.new_target(), "X" * len(written)
    facts = {"SpecificCharacterSet": charset.split("\\"), "PatientName": blank, "PatientID": target.instance[-20:]}
    content = instances.make(target, attributes=facts).replace(blank.encode(), written)
    assert server.ask("POST", "/dicomweb/studies", {"Content-Type": "application/dicom"}, content).status == 200
    for group in filter(None, name.split("=")):
        assert target.study in studies(server, group)
        assert target.study in studies(server, f"*{group[1:3]}*")
        assert target.study in studies(server, group.split("^")[1], "fuzzymatching=true")
