"""Frames of a tunnel: what is written is read again, and nothing that a stranger sends is taken for more than it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.tunnel import frames
from dicomgate.tunnel.frames import Answered, Asked, Frame, Kind

FIELDS = st.lists(
    st.tuples(st.from_regex(rb"\A[a-z-]{1,64}\Z"), st.from_regex(rb"\A[\t\x20-\x7e\x80-\xff]{0,200}\Z")), max_size=128
).map(tuple)


@given(st.builds(Answered, st.integers(200, 599), FIELDS))
def test_the_head_of_an_answer_is_read_as_it_was_written(answered):
    assert frames.parse_answered(frames.format_answered(answered)) == answered


@given(
    st.builds(
        Asked,
        st.sampled_from([b"GET", b"POST", b"HEAD"]),
        st.from_regex(rb"\A/[\x21-\x7e]{0,300}\Z"),
        st.just(b"https://hub.example.org:8443/sites/north"),
        FIELDS,
    )
)
def test_the_head_of_a_request_is_read_as_it_was_written(asked):
    assert frames.parse_asked(frames.format_asked(asked)) == asked


@given(st.sampled_from(Kind), st.integers(1, frames.LAST_NUMBER), st.binary(max_size=64))
def test_a_frame_is_read_as_it_was_written_or_refused(kind, number, content):
    message = frames.write_frame(Frame(kind, number, content))
    longest = {Kind.END: 0, Kind.RESET: 0, Kind.CREDIT: 4}.get(kind, 64)
    if len(content) <= longest:
        assert frames.read_frame(message) == Frame(kind, number, content)
    else:
        with pytest.raises(errors.TooLarge):
            frames.read_frame(message)


@given(st.binary(max_size=300))
def test_whatever_comes_is_a_frame_or_a_fault(message):
    for read in (frames.read_frame, frames.parse_asked, frames.parse_answered, frames.parse_credit):
        try:
            read(message)
        except (errors.Malformed, errors.TooLarge):
            continue


@pytest.mark.parametrize(
    "content",
    [
        b"200\nx:a\rset-cookie: b",
        b"200\nX:a",
        b"200\n:a",
        b"200\nnothing",
        b"99",
        b"101",
        b"600",
        b"200 ",
        b"",
        b"200\n" + b"\n".join([b"a:b"] * 129),
        b"200\nx:a\0",
    ],
)
def test_no_answer_smuggles_a_line_or_a_status(content):
    with pytest.raises(errors.Malformed):
        frames.parse_answered(content)


@pytest.mark.parametrize(
    "content",
    [
        b"GET\nhttp://elsewhere/\nhttps://hub/sites/a",
        b"GET\n/a b\nhttps://hub/sites/a",
        b"get\n/\nhttps://hub/sites/a",
        b"GET\n/\njavascript:x",
        b"GET\n/\nhttps://hub/a b",
        b"GET\n/",
    ],
)
def test_no_request_names_what_it_must_not(content):
    with pytest.raises(errors.Malformed):
        frames.parse_asked(content)
