"""Values as they are compared, and texts as they are kept."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomgate.dicom import attributes
from dicomgate.dicom.uids import Target
from dicomgate.index import answers, columns, metadata, values
from dicomgate.testing.entries import dataset

TIMES = st.from_regex(r"([01][0-9]|2[0-3])([0-5][0-9]([0-5][0-9](\.[0-9]{1,6})?)?)?", fullmatch=True)


@settings(deadline=None)  # a busy machine is no fault
@given(st.text(max_size=30))
def test_folding_is_stable(name):
    folded = values.fold(name)
    assert folded.endswith("^")
    assert not folded.endswith("^^")
    assert values.fold(folded) == folded


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("Doe^John", "doe^john^"), ("DOE ^ JOHN ^^", "doe^john^"), ("", "^"), ("^^^", "^"), (" ^ ", "^"), ("Müller", "muller^"),
        ("Mu\u0308ller", "muller^"), ("Straße", "strasse^"), ("Ångström", "angstrom^"), ("がく", "がく^"), ("홍^길동", "홍^길동^"),
        ("^^Dr.", "^^dr.^"),
    ],
)  # fmt: skip
def test_folded_names(name, folded):
    assert values.fold(name) == folded


@settings(deadline=None)  # a busy machine is no fault
@given(TIMES)
def test_a_time_lies_between_its_ends(time):
    low, high = values.earliest(time), values.latest(time)
    assert len(low) == len(high) == 12
    assert low <= high
    digits = time.replace(".", "")
    assert low.startswith(digits)
    assert high.startswith(digits)


@settings(deadline=None)  # a busy machine is no fault
@given(st.dates(), TIMES, st.dates(), TIMES)
@pytest.mark.slow
def test_moments_grow_with_time(first_day, first_time, second_day, second_time):
    first = (first_day.strftime("%Y%m%d").zfill(8), values.earliest(first_time))
    second = (second_day.strftime("%Y%m%d").zfill(8), values.earliest(second_time))
    assert (first < second) == (values.moment(*first) < values.moment(*second))
    assert values.moment(first[0], "") <= values.moment(*first) < 1 << 62


def test_a_leap_second_stays_in_its_day():
    assert values.moment("20161231", values.earliest("235960")) < values.moment("20170101", "")


@pytest.mark.parametrize("text", ["", "2020", "20201301", "20200132", "2020-1-1", "x0200101", "٢٠٢٠٠١٠١"])
def test_no_date(text):
    assert values.date(text) == ""


@pytest.mark.parametrize("text", ["", "1", "24", "1060", "101061", "10.5", "101530.1234567", "noon"])
def test_no_time(text):
    assert values.earliest(text) == values.latest(text) == ""


@pytest.mark.parametrize(("text", "number"), [("7", 7), ("007", 7), ("-3", -3), ("+3", 3), ("", None), ("x", None), ("1.5", None),
                                              ("9" * 13, None), ("٣", None), ("1_0", 10)])  # fmt: skip
def test_numbers(text, number):
    assert values.parse_number(text) in (number, None if text == "1_0" else number)


def test_texts_are_bounded_and_without_nul():
    assert values.texts({"vr": "LO", "Value": ["a\0b", "x" * 1000, None, "", 5]}) == ["a", "x" * 256, "5"]
    assert values.texts({"vr": "PN", "Value": [{"Alphabetic": "A", "Phonetic": "P"}, None, {}]}) == ["A", "P"]
    assert values.texts(None) == values.texts({"vr": "LO"}) == []


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.fixed_dictionaries(
        {},
        optional={
            tag: st.one_of(
                st.none(),
                st.integers(0, 9),
                st.text(max_size=4),
                st.lists(st.integers(-(1 << 31), 1 << 32), max_size=3),
            )
            for tag in columns.INSTANCE_ANSWER
        },
    )
)
def test_an_instances_values_come_back_from_its_row(held):
    made = {tag: ({"vr": attributes.vr(tag)} if value is None else {"vr": attributes.vr(tag), "Value": value if isinstance(value, list) else [value]})
            for tag, value in held.items()}  # fmt: skip
    answer = answers.instance(answers.pack_instance(made), "1.2", "1.2.840.10008.1.2.1", "1", "2", "3")
    for tag in columns.INSTANCE_ANSWER:
        if tag != columns.INSTANCE_NUMBER or tag in made:
            assert answer.get(tag) == made.get(tag)


def test_a_syntax_that_is_never_sent_is_never_offered_GEN_09():
    for stored, offered in (("1.2.840.10008.1.2", "1.2.840.10008.1.2.1"), ("1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1"),
                            ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.90")):  # fmt: skip
        answer = answers.instance("[]", "1.2", stored, "1", "2", "3")
        assert answer["00083002"]["Value"] == [offered]


def test_a_study_does_not_carry_what_is_huge():
    texts = answers.level_texts(Target("1.2"), dataset(PatientComments="x" * 100_000, PatientAge="030Y"))
    assert "00101010" in texts.more
    assert "00104000" not in texts.more


@settings(deadline=None)  # a busy machine is no fault
@given(st.binary(max_size=300), st.lists(st.binary(max_size=300), max_size=3))
def test_metadata_is_unpacked_as_it_was_packed(first, others):
    dictionary = metadata.make_dictionary(first)
    packed = [metadata.Packer(dictionary).pack(text) for text in (first, *others)]
    packer = metadata.Packer(dictionary)
    assert [packer.unpack(one) for one in packed] == [first, *others]


def test_a_packer_is_kept_for_its_dictionary_and_its_thread():
    first, other = metadata.make_dictionary(b"first" * 100), metadata.make_dictionary(b"other" * 100)
    packers = metadata.Packers()
    kept = packers.get(first)
    assert packers.get(first) is kept
    assert packers.get(other) is not kept
    assert packers.get(other).unpack(metadata.Packer(other).pack(b"text")) == b"text"
    elsewhere = []
    thread = threading.Thread(target=lambda: elsewhere.append(packers.get(first)))
    thread.start()
    thread.join()
    assert elsewhere[0] is not kept
    for number in range(packers.MOST):
        packers.get(metadata.make_dictionary(b"%d" % number))
    assert packers.get(first) is not kept
