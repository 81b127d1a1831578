"""Probes of searches (PS3.18 §8.3.4, §10.6)."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from dicomgate.client.expectations import (
    asking,
    asking_each,
    count,
    empty,
    has_attributes,
    lacks_attributes,
    parts_are,
    require,
    some,
    status,
    value,
    values,
    warns,
)
from dicomgate.client.probing import JSON, XML, Ask, Lacking, Probe, Reply, Severity
from dicomgate.client.subjects import Subject
from dicomgate.dicom import elements

MUST, SHOULD, MAY = Severity.MUST, Severity.SHOULD, Severity.MAY
_STUDY, _SERIES, _INSTANCE = "0020000D", "0020000E", "00080018"
_RETURNED: Final = {
    # Tables 10.6.3-3 to -5, those that are there whether there is a value or not
    "/studies?StudyInstanceUID={study}": (
        "00080020 00080030 00080050 00080061 00080090 00100010 00100020 00100030 00100040 0020000D 00200010 "
        "00201206 00201208"
    ),
    "/studies/{study}/series": "00080060 0020000E 00200011 00201209",
    "/studies/{study}/series/{series}/instances": "00080016 00080018 00200013",
}
_RESOURCES: Final = (
    ("/studies?StudyInstanceUID={study}", _STUDY, MUST),
    ("/studies/{study}/series", _SERIES, MUST),
    ("/studies/{study}/instances", _INSTANCE, MUST),
    ("/studies/{study}/series/{series}/instances", _INSTANCE, MUST),
    ("/series?SeriesInstanceUID={series}", _SERIES, MUST),
    ("/instances?SOPInstanceUID={instance}", _INSTANCE, MUST),
)
_KEYS: Final = (
    ("/studies?StudyInstanceUID={study}&", ("StudyDate", "StudyTime", "AccessionNumber", "PatientID", "StudyID")),
    ("/studies?StudyInstanceUID={study}&", ("PatientName", "ReferringPhysicianName", "ModalitiesInStudy")),
    ("/studies/{study}/series?", ("Modality", "SeriesNumber", "SeriesInstanceUID")),
    ("/studies/{study}/series/{series}/instances?", ("SOPClassUID", "InstanceNumber", "SOPInstanceUID")),
)
_TAGS: Final = {
    "StudyDate": "00080020",
    "StudyTime": "00080030",
    "AccessionNumber": "00080050",
    "PatientID": "00100020",
    "StudyID": "00200010",
    "PatientName": "00100010",
    "ReferringPhysicianName": "00080090",
    "ModalitiesInStudy": "00080060",
    "Modality": "00080060",
    "SeriesNumber": "00200011",
    "SeriesInstanceUID": _SERIES,
    "SOPClassUID": "00080016",
    "InstanceNumber": "00200013",
    "SOPInstanceUID": _INSTANCE,
}
_OTHERS: Final = {
    "StudyDate": "19010101", "StudyTime": "235959.999", "ModalitiesInStudy": "XC", "Modality": "XC",
    "SeriesNumber": "99999", "InstanceNumber": "99999", "SOPClassUID": "1.2.3", "SeriesInstanceUID": "1.2.3",
    "SOPInstanceUID": "1.2.3",
}  # fmt: skip
"""A value of the same kind that no sample has; where none is said, a word that nobody uses."""


def _resource(path: str, tag: str, severity: Severity) -> Probe:
    def run(subject: Subject) -> None:
        wanted = {_STUDY: "{study}", _SERIES: "{series}", _INSTANCE: "{instance}"}[tag]
        found = subject.ask(Ask(path=path)).datasets()
        uid = subject.word(wanted.strip("{}"))
        require(uid in values(found, tag), f"{len(found)} results without the one that is there")

    name = path.partition("?")[0].replace("{study}", "S").replace("{series}", "E")
    return Probe(item="QIDO-01", severity=severity, asks=f"a search at {name}", expects="what is there", run=run)


def _keys(path: str, names: tuple[str, ...]) -> Probe:
    """Each key finds with the value there is, and does not find with another."""

    def run(subject: Subject) -> None:
        thing = subject.thing("image")
        wrong = []
        for name in names:
            found = elements.texts(thing.attributes.get(_TAGS[name], {}))
            if not found:
                continue
            text = found[0].partition("=")[0]
            right = subject.ask(Ask(path=f"{path}{name}={quote(text, safe='')}"))
            other = subject.ask(Ask(path=f"{path}{name}={_OTHERS.get(name, 'NOBODYSWORD')}"))
            if not right.datasets() or other.datasets():
                wrong.append(name)
        require(not wrong, f"other results for {', '.join(wrong)}")

    return Probe(
        item="QIDO-03",
        severity=MUST,
        asks=f"matching by {', '.join(names)}",
        expects="found by their values, not by others",
        run=run,
    )


def _returned(path: str, tags: str) -> Probe:
    level = ("study", "series", "instance")[path.count("/") // 2]
    return Probe(
        item={"study": "QIDO-12", "series": "QIDO-13", "instance": "QIDO-14"}[level],
        severity=MUST,
        asks=f"what a result says of each {level}",
        expects="all attributes that are required",
        run=asking(Ask(path=path), has_attributes(*tags.split())),
    )


def _counts(subject: Subject) -> None:
    if not subject.study_instances:
        raise Lacking("not known how many instances the study has")
    (study, *_) = subject.ask(Ask(path="/studies?StudyInstanceUID={study}")).datasets() or [{}]
    said = (value(study, "00201206"), value(study, "00201208"))
    true = (len(subject.study_series), len(subject.study_instances))
    require(all(str(a) == str(b) for a, b in zip(said, true, strict=True)), "other numbers of series or instances")


def _modalities(subject: Subject) -> None:
    (study, *_) = subject.ask(Ask(path="/studies?StudyInstanceUID={study}")).datasets() or [{}]
    said = elements.texts(study.get("00080061", {}))
    expected = elements.texts(subject.thing("image").attributes.get("00080060", {}))
    require(set(expected) <= set(said), "Modalities in Study without the image's own")


def _several(separator: str) -> Ask:
    path = "/studies/{study}/series/{series}/instances?SOPInstanceUID={instance}" + separator + "{second}"
    return Ask(path=path)


def _two(separator: str) -> Probe:
    def run(subject: Subject) -> None:
        _need(subject, 2)
        asking(_several(separator), count(2))(subject)

    return Probe(
        item="QIDO-05" if separator == "," else "V8",
        severity=MUST if separator == "," else SHOULD,
        asks=f"two UIDs joined by {'a comma' if separator == ',' else 'a backslash'}",
        expects="both instances",
        run=run,
    )


def _need(subject: Subject, most: int) -> None:
    if len(subject.images) < most:
        raise Lacking("no series of several images")


def _unlimited(subject: Subject) -> None:
    if not subject.is_own:
        raise Lacking("only done with --store")
    asking(Ask(path="/studies/{study}/instances"), count(len(subject.study_instances)))(subject)


def _limited(subject: Subject) -> None:
    _need(subject, 2)
    asking(Ask(path="/studies/{study}/series/{series}/instances?limit=1"), count(1))(subject)


def _limited_warning(subject: Subject) -> None:
    _need(subject, 2)
    asking(Ask(path="/studies/{study}/series/{series}/instances?limit=1"), status(200), warns)(subject)


def _pages(subject: Subject) -> None:
    """One after the other they are the whole, each time in the same order."""
    _need(subject, 2)
    path = "/studies/{study}/series/{series}/instances"
    whole = [value(one, _INSTANCE) for one in subject.ask(Ask(path=path)).datasets()]
    again = [value(one, _INSTANCE) for one in subject.ask(Ask(path=path)).datasets()]
    require(whole == again, "another order the second time")
    pages = [subject.ask(Ask(path=f"{path}?limit=1&offset={n}")).datasets() for n in range(min(len(whole), 5))]
    require([value(page[0], _INSTANCE) if page else None for page in pages] == whole[:5], "pages in another order")


def _include(subject: Subject) -> None:
    """By name or tag, repeated or joined, the same comes; of those that the study has."""
    described = subject.ask(Ask(path="{image}/metadata")).datasets()
    there = [tag for tag in ("00081030", "00100040") if any(tag in dataset for dataset in described)]
    if not there:
        raise Lacking("no study with a description or the patient's sex")
    path = "/studies?StudyInstanceUID={study}&"
    spellings = ("includefield=StudyDescription,00100040", "includefield=00081030&includefield=PatientSex")
    for spelling in spellings:
        asking(Ask(path=path + spelling), has_attributes(*there))(subject)


def _wildcards(subject: Subject) -> None:
    patient = subject.word("patient")
    base = "/studies?StudyInstanceUID={study}&PatientID="
    for pattern in (patient[:-1] + "*", patient[:-1] + "?", "*" + patient[1:]):
        asking(Ask(path=base + quote(pattern, safe="*")), some)(subject)
    require(not subject.ask(Ask(path=base + patient + "?")).datasets(), "? that matches nothing")


def _dates(subject: Subject) -> None:
    date = subject.word("date")
    base = "/studies?StudyInstanceUID={study}&StudyDate="
    for held in (f"{date}-{date}", f"{date}-", f"-{date}", "19000101-29991231"):
        require(bool(subject.ask(Ask(path=base + held)).datasets()), "a range that leaves out its own ends")
    for other in ("19000101-19000102", "-19000102", "29990101-"):
        require(not subject.ask(Ask(path=base + other)).datasets(), "a range that holds dates outside")


def _spellings(subject: Subject) -> None:
    for name in ("StudyInstanceUID", "0020000D"):
        asking(Ask(path=f"/studies?{name}={{study}}"), count(1))(subject)


def _relational(subject: Subject) -> None:
    reply = subject.ask(Ask(path="/instances?SOPInstanceUID={instance}"))
    has_attributes(_STUDY, _SERIES, "00100020", "00080060")(reply)


def _retrieve_url(subject: Subject) -> None:
    """It is there, absolute, and leads somewhere."""
    (study, *_) = subject.ask(Ask(path="/studies?StudyInstanceUID={study}")).datasets() or [{}]
    address = value(study, "00081190")
    require(isinstance(address, str) and address.startswith(("http://", "https://")), "no absolute Retrieve URL")
    reply = subject.asker.ask(Ask(path=f"{address}/metadata"))
    require(reply.status == 200, f"{reply.status} at the Retrieve URL")


def _sequence(subject: Subject) -> None:
    if not subject.is_own:
        raise Lacking("only done with --store")
    path = "/studies/{study}/series?RequestAttributesSequence.ScheduledProcedureStepID="
    require(bool(subject.ask(Ask(path=path + "STEP-1")).datasets()), "nothing found by a value in a sequence")
    require(not subject.ask(Ask(path=path + "STEP-2")).datasets(), "results for another value")


def _fuzzy(reply: Reply) -> None:
    """Performed, or literally matched with a warning; either way what matches literally is found."""
    require(reply.status == 200, f"{reply.status}")
    some(reply)


PROBES: Final[tuple[Probe, ...]] = (
    *(_resource(*resource) for resource in _RESOURCES),
    *(_returned(path, tags) for path, tags in _RETURNED.items()),
    *(_keys(path, names) for path, names in _KEYS),
    Probe(
        item="QIDO-05",
        severity=MUST,
        asks="the same key twice",
        expects="400",
        run=asking(Ask(path="/studies?PatientID=a&PatientID=b"), status(400)),
    ),
    _two(","),
    _two("%5C"),
    Probe(
        item="QIDO-06",
        severity=MUST,
        asks="wildcards in Patient ID",
        expects="* for any letters, ? for one",
        run=_wildcards,
    ),
    Probe(item="QIDO-06", severity=MUST, asks="ranges of Study Date", expects="both ends belong to it", run=_dates),
    Probe(
        item="QIDO-06",
        severity=MUST,
        asks="a key without a value",
        expects="it matches everything",
        run=asking(Ask(path="/studies?StudyInstanceUID={study}&PatientName="), some),
    ),
    Probe(
        item="QIDO-06",
        severity=MUST,
        asks="a value inside Request Attributes Sequence",
        expects="it is matched",
        run=_sequence,
    ),
    Probe(
        item="QIDO-08",
        severity=MUST,
        asks="fuzzymatching=true",
        expects="what matches literally is found",
        run=asking(Ask(path="/studies?StudyInstanceUID={study}&fuzzymatching=true"), _fuzzy),
    ),
    Probe(
        item="QIDO-09",
        severity=MUST,
        asks="fuzzymatching=maybe",
        expects="400",
        run=asking(Ask(path="/studies?fuzzymatching=maybe"), status(400)),
    ),
    Probe(
        item="GEN-05",
        severity=MUST,
        asks="a key by keyword, and by tag",
        expects="the same study",
        run=_spellings,
    ),
    Probe(
        item="V8",
        severity=SHOULD,
        asks="a tag in lower case",
        expects="the same study",
        run=asking(Ask(path="/studies?0020000d={study}"), count(1)),
    ),
    Probe(
        item="QIDO-10",
        severity=MUST,
        asks="includefield, repeated or joined, names or tags",
        expects="the attributes",
        run=_include,
    ),
    Probe(
        item="QIDO-10",
        severity=MUST,
        asks="includefield of a lower level",
        expects="it is ignored",
        run=asking(
            Ask(path="/studies?StudyInstanceUID={study}&includefield=00080060&includefield=SOPInstanceUID"),
            some,
            lacks_attributes("00080060", _INSTANCE),
        ),
    ),
    Probe(
        item="QIDO-11",
        severity=MUST,
        asks="includefield=all",
        expects="a result",
        run=asking(Ask(path="/studies?StudyInstanceUID={study}&includefield=all"), some),
    ),
    Probe(
        item="QIDO-16",
        severity=MUST,
        asks="a search that matches nothing",
        expects="204 without content",
        run=asking(Ask(path="/studies?StudyInstanceUID={nowhere}"), status(204), empty),
    ),
    Probe(
        item="QIDO-16",
        severity=MUST,
        asks="an offset past the end",
        expects="204, or at least no results",
        run=asking(Ask(path="/studies/{study}/series?offset=1000"), count(0)),
    ),
    Probe(
        item="QIDO-16",
        severity=MUST,
        asks="limit=1 where there are more",
        expects="one result",
        run=_limited,
    ),
    Probe(
        item="QIDO-16",
        severity=MUST,
        asks="limit=1 where there are more",
        expects="a Warning that there are more",
        run=_limited_warning,
    ),
    Probe(
        item="QIDO-16",
        severity=MUST,
        asks="limit=-1, limit=x, offset=-1",
        expects="400",
        run=asking_each([Ask(path=f"/studies?{wrong}") for wrong in ("limit=-1", "limit=x", "offset=-1")], status(400)),
    ),
    Probe(
        item="QIDO-17",
        severity=MUST,
        asks="pages, and the same search again",
        expects="the same order",
        run=_pages,
    ),
    Probe(
        item="QIDO-19",
        severity=MUST,
        asks="a search as XML",
        expects="one document for each result",
        run=asking(Ask(path="/studies?StudyInstanceUID={study}", accept=XML), parts_are("application/dicom+xml")),
    ),
    Probe(
        item="QIDO-16",
        severity=MUST,
        asks="limit=0",
        expects="204, or at least no results",
        run=asking(Ask(path="/studies?StudyInstanceUID={study}&limit=0"), count(0)),
    ),
    Probe(
        item="V7",
        severity=SHOULD,
        asks="a search without a limit",
        expects="everything",
        run=_unlimited,
    ),
    Probe(
        item="V9",
        severity=SHOULD,
        asks="an instance found from the root",
        expects="its study, series, patient and modality come along",
        run=_relational,
    ),
    Probe(item="V10", severity=SHOULD, asks="the counts of a study", expects="true ones", run=_counts),
    Probe(item="V10", severity=SHOULD, asks="Modalities in Study", expects="those of its series", run=_modalities),
    Probe(
        item="V10",
        severity=SHOULD,
        asks="Available Transfer Syntax UID of instances",
        expects="it is there",
        run=asking(
            Ask(path="/studies/{study}/series/{series}/instances?includefield=00083002"), has_attributes("00083002")
        ),
    ),
    Probe(
        item="V12",
        severity=SHOULD,
        asks="the Retrieve URL of a result",
        expects="absolute, and it leads there",
        run=_retrieve_url,
    ),
    Probe(
        item="CLI-06",
        severity=SHOULD,
        asks="a search with Accept: application/dicom+json, application/json",
        expects="results",
        run=asking(Ask(path="/studies?StudyInstanceUID={study}", accept=f"{JSON}, application/json"), some),
    ),
    Probe(
        item="CLI-07",
        severity=SHOULD,
        asks="OHIF's study list",
        expects="the study",
        run=asking(
            Ask(
                path="/studies?limit=101&offset=0&fuzzymatching=false&includefield=00081030,00080060,00080090,"
                "00100030&StudyInstanceUID={study}"
            ),
            count(1),
        ),
    ),
    Probe(
        item="AMB-19",
        severity=MAY,
        asks="ModalitiesInStudy with two values",
        expects="studies with either",
        run=asking(Ask(path="/studies?StudyInstanceUID={study}&ModalitiesInStudy={modality},XC"), some),
    ),
)
