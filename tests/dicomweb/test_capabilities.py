"""The capabilities description agrees with the router and the tables (CAP-01 to CAP-06)."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom.uids import Level
from dicomgate.dicomweb import capabilities, media_types, query, rendering, resources, wadl
from dicomgate.dicomweb.resources import Kind, Resource
from dicomgate.dicomweb.wadl import Element

BASE = "http://archive.example/dicomweb"
SPACE = f"{{{wadl.NAMESPACE}}}"


def methods(resource: Resource) -> tuple[str, ...]:
    storing = ("POST", "PATCH") if resource.can_take_instances else ()
    return ("GET", "HEAD", *storing, *(("DELETE",) if resource.can_be_deleted else ()))


ALL = capabilities.transactions(methods)


def test_every_address_of_the_table_is_one_of_the_router_CAP_03() -> None:
    for path in capabilities.PATHS:
        resource = capabilities.resource_of(path)
        assert capabilities.template_of(resource) == path
    assert len(set(capabilities.PATHS)) == len(capabilities.PATHS)


UIDS = st.sampled_from(["1.2", "1.2.3"])
STEPS = st.one_of(
    UIDS,
    st.sampled_from(["studies", "series", "instances", "frames", "1", "1,2", "7FE00010", "versions", "nothing"]),
    st.sampled_from([kind.value for kind in Kind]),
)


@given(st.lists(STEPS, min_size=1, max_size=9))
def test_every_address_of_the_router_is_in_the_table_CAP_03(steps: list[str]) -> None:
    try:
        resource = resources.parse("/" + "/".join(steps))
    except errors.Fault:
        return
    template = capabilities.template_of(resource)
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
    assert re.fullmatch(pattern, resources.format_resource("", resource).removeprefix("/")), (steps, template)


def test_the_names_of_the_supplement_CAP_04() -> None:
    names = {each.name for each in ALL}
    assert len(names) == len(ALL)
    assert names >= {
        "RetrieveStudy", "RetrieveSeries", "RetrieveInstance", "RetrieveFrames", "RetrieveBulkData",
        "RetrieveStudyMetadata", "RetrieveSeriesMetadata", "RetrieveInstanceMetadata", "SearchForStudies",
        "SearchForStudySeries", "SearchForStudySeriesInstances", "SearchForStudyInstances", "SearchForSeries",
        "SearchForInstances", "StoreInstances", "StoreStudyInstances",
    }  # fmt: skip


@pytest.mark.slow
def test_one_tree_and_each_transaction_once_CAP_03() -> None:
    root = ET.fromstring(wadl.write_xml(capabilities.describe(BASE, ALL)))
    assert root.tag == f"{SPACE}application"
    (tree,) = root
    assert (tree.tag, tree.get("base")) == (f"{SPACE}resources", BASE)
    found: dict[str, set[str]] = {}

    def walk(node: ET.Element, above: str) -> None:
        steps = [step.get("path", "") for step in node.findall(f"{SPACE}resource")]
        assert len(set(steps)) == len(steps)
        for resource in node.findall(f"{SPACE}resource"):
            path = f"{above}/{resource.get('path')}".lstrip("/")
            for method in resource.findall(f"{SPACE}method"):
                found.setdefault(path, set()).add(method.get("name", ""))
            walk(resource, path)

    walk(tree, "")
    assert found == {
        path: {method for method in methods(capabilities.resource_of(path)) if method != "HEAD"}
        for path in capabilities.PATHS
    }


def test_json_and_xml_say_the_same_CAP_02() -> None:
    description = capabilities.describe(BASE, ALL)
    told = json.loads(wadl.write_json(description))

    def same(xml: ET.Element, said: dict[str, object]) -> None:
        attributes = {name.removeprefix("@"): value for name, value in said.items() if name.startswith("@")}
        lang = "{http://www.w3.org/XML/1998/namespace}lang"
        assert {("xml:lang" if name == lang else name): value for name, value in xml.attrib.items()} == attributes
        children: dict[str, list[ET.Element]] = {}
        for child in xml:
            children.setdefault(child.tag.removeprefix(SPACE), []).append(child)
        assert {name for name in said if not name.startswith("@")} - {"value"} == set(children)
        assert (xml.text or "").strip() == said.get("value", "")
        for name, ones in children.items():
            others = said[name]
            assert isinstance(others, list) == (name in wadl.REPEATED)
            for one, other in zip(ones, others if isinstance(others, list) else [others], strict=True):
                same(one, other)

    same(ET.fromstring(wadl.write_xml(description)), told["application"])


def test_a_part_is_a_part_of_the_whole_CAP_05() -> None:
    below = capabilities.describe(BASE, ALL, "studies/{study}/series/{series}")
    paths = re.findall(r'path="([^"]*)"', wadl.write_xml(below).decode())
    assert paths[:4] == ["studies", "{study}", "series", "{series}"]
    assert "rendered" in paths[4:]
    names = set(re.findall(r'id="([^"]*)"', wadl.write_xml(below).decode()))
    assert {"RetrieveSeries", "RetrieveInstance", "RetrieveFrames"} <= names
    assert not {"SearchForStudies", "RetrieveStudy", "SearchForSeries"} & names


def test_transfer_syntaxes_are_told_and_never_those_that_are_not_negotiated_GEN_09() -> None:
    (retrieve,) = (each for each in ALL if each.name == "RetrieveInstance")
    assert 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.90' in retrieve.gives
    for each in ALL:
        assert not [text for text in each.gives if re.search(r"transfer-syntax=1\.2\.840\.10008\.1\.2(\.2)?$", text)]


def test_every_media_type_that_is_told_can_be_read() -> None:
    for each in ALL:
        for text in (*each.gives, *each.takes):
            assert media_types.format_media_type(media_types.parse(text)).lower() == text.lower()


@pytest.mark.parametrize("name", [name for name in rendering.PARAMETERS if name != "charset"])
def test_parameters_of_pictures_are_those_that_are_read_CAP_06(name: str) -> None:
    with pytest.raises(errors.Malformed):
        rendering.parse(((name, ""),))


def test_parameters_of_a_search_are_those_that_are_read_CAP_06() -> None:
    studies = Resource(kind=Kind.SEARCH, level=Level.STUDY)
    (search,) = (each for each in ALL if each.name == "SearchForStudies")
    assert {"PatientName", "StudyDate", "ModalitiesInStudy"} <= set(search.parameters)
    for name in search.parameters:
        value = "true" if "matching" in name or name == "totalcount" else "1"
        if name not in {"cursor", "orderby", "includefield", "StudyDate", "StudyTime", "PatientBirthDate"}:
            assert query.parse(studies, ((name, value),)).warnings == (), name


@given(st.text(max_size=20), st.text(max_size=20))
def test_texts_are_escaped(name: str, text: str) -> None:
    told = json.loads(wadl.write_json(Element("application", (("base", name),), text=text)))
    assert told["application"]["@base"] == name
    if all(
        character >= " " and not 0xD800 <= ord(character) <= 0xDFFF and ord(character) < 0xFFFE
        for character in name + text
    ):
        written = wadl.write_xml(Element("application", (("base", name),), text=text))
        assert ET.fromstring(written).get("base") == name
