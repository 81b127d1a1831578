"""PDUs, P-DATA and command sets, read and written under any cutting, and what is none of them (PS3.8 §9.3, PS3.7 §6.3)."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from dicomgate import errors
from dicomgate.dimse import command_sets, dataflow, upper_layer
from dicomgate.dimse.command_sets import Command, Field, Kind
from dicomgate.dimse.contexts import Answer, Context
from dicomgate.dimse.dataflow import Reader, Value, Whole
from dicomgate.dimse.upper_layer import Acceptance, Request, Role, Said

UIDS = st.sampled_from(["1.2.840.10008.1.1", "1.2.840.10008.1.2", "1.2.3", "2.25.1"])
TITLES = st.text("ABC xyz_1", min_size=1, max_size=16).filter(lambda text: text.strip(" ") == text)
SAID = st.builds(
    Said,
    longest=st.integers(1024, 2**31),
    roles=st.dictionaries(UIDS, st.builds(Role, st.booleans(), st.booleans()), max_size=3),
    wishes=st.dictionaries(UIDS, st.binary(max_size=8), max_size=3),
)
OFFERED = st.dictionaries(
    st.integers(0, 127).map(lambda number: 2 * number + 1), st.tuples(UIDS, st.lists(UIDS, max_size=4)), max_size=128
).map(lambda found: tuple(Context(number, uid, tuple(several)) for number, (uid, several) in found.items()))


@given(TITLES, TITLES, OFFERED, SAID)
def test_a_request_comes_back(called: str, calling: str, offered: tuple[Context, ...], said: Said) -> None:
    request = Request(called=called, calling=calling, contexts=offered, said=said)
    assert upper_layer.read_request(upper_layer.write_request(request)[6:]) == request


@given(
    st.dictionaries(
        st.sampled_from(range(1, 256, 2)),
        UIDS | st.sampled_from([each for each in Answer if each is not Answer.ACCEPTED]),
        max_size=20,
    ),
    SAID,
)
def test_an_acceptance_comes_back(answers: dict[int, str | Answer], said: Said) -> None:
    acceptance = Acceptance(answers=answers, said=said)
    written = upper_layer.write_acceptance(acceptance, called="A", calling="B")
    assert upper_layer.read_acceptance(written[6:]) == acceptance


@given(st.binary(max_size=400))
def test_garbage_is_no_request(body: bytes) -> None:
    for read in (upper_layer.read_request, upper_layer.read_acceptance):
        try:
            read(body)
        except (errors.Malformed, errors.TooLarge):
            continue


@given(
    st.sampled_from(Kind),
    st.booleans(),
    st.booleans(),
    st.fixed_dictionaries(
        {},
        optional={
            Field.MESSAGE_ID: st.integers(0, 65535),
            Field.STATUS: st.integers(0, 65535),
            Field.AFFECTED_CLASS: UIDS,
            Field.DESTINATION: TITLES,
        },
    ),
)
def test_a_command_comes_back(kind: Kind, is_response: bool, has_dataset: bool, fields: dict[Field, object]) -> None:
    command = Command(kind, fields, is_response=is_response, has_dataset=has_dataset)
    assert command_sets.read_command(command_sets.write_command(command)) == command


@given(st.binary(max_size=200))
def test_garbage_is_no_command(raw: bytes) -> None:
    try:
        command_sets.read_command(raw)
    except errors.Malformed:
        return


@given(
    st.lists(st.binary(max_size=3000), max_size=6),
    st.integers(1024, 4096),
    st.integers(1, 5000),
    st.booleans(),
)
def test_a_message_comes_whole_however_it_is_cut(parts: list[bytes], longest: int, step: int, is_command: bool) -> None:
    written = b"".join(dataflow.write_message(5, parts, longest, is_command=is_command, batch=2000))
    stream = written + upper_layer.write_release(answer=False)
    reader = Reader(longest)
    events: list[Value | Whole] = []
    for at in range(0, len(stream), step):
        events += reader.feed(stream[at : at + step])
    *values, end = events
    assert isinstance(end, Whole)
    assert end.kind == upper_layer.RELEASE
    assert reader.is_between
    assert all(isinstance(each, Value) and each.context == 5 and each.is_command is is_command for each in values)
    assert b"".join(bytes(each.content) for each in values if isinstance(each, Value)) == b"".join(parts)
    assert [each.is_last for each in values if isinstance(each, Value)] == [False] * (len(values) - 1) + [True]


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=5))
def test_garbage_ends_in_a_fault_or_in_waiting(chunks: list[bytes]) -> None:
    reader = Reader(16 << 10)
    try:
        for chunk in chunks:
            for _ in reader.feed(chunk):
                pass
    except (errors.Malformed, errors.TooLarge):
        return


@pytest.mark.parametrize("head", ["0400FFFFFFFF", "0100FFFFFFFF", "0500FFFFFFFF", "0700000FFFFF"])
def test_a_length_that_nobody_agreed_on_is_refused_at_once_T20(head: str) -> None:
    with pytest.raises(errors.TooLarge):
        list(Reader(16 << 10).feed(bytes.fromhex(head)))
