"""Wildcards: what they match, against a plain model, and that no pattern makes them slow (QIDO-06, T17)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate.dicom import wildcards


def plainly(pattern: str, text: str) -> bool:
    """The meaning, written as a table of which part of the pattern fits which part of the text."""
    fits = [[False] * (len(text) + 1) for _ in range(len(pattern) + 1)]
    fits[0][0] = True
    for row, sign in enumerate(pattern, 1):
        for column in range(len(text) + 1):
            if sign == "*":
                fits[row][column] = fits[row - 1][column] or (column > 0 and fits[row][column - 1])
            elif column:
                fits[row][column] = fits[row - 1][column - 1] and sign in ("?", text[column - 1])
    return fits[-1][-1]


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=14))
def test_every_pattern_means_what_the_model_says(pattern: str, text: str) -> None:
    assert wildcards.prepare(pattern)(text) == plainly(pattern, text)


@pytest.mark.parametrize("text", ["a", "ab", "a[b]", "a%b", "a_b", "a.b", "a\\b", ".*", "(a+)+$"])
def test_other_signs_mean_themselves(text: str) -> None:
    assert wildcards.prepare(text)(text)
    assert wildcards.prepare(f"*{text}?")(f"x{text}y")
    assert not wildcards.prepare("a.b")("axb")


@pytest.mark.parametrize(
    "pattern", ["*" * 1024, "*a" * 512, "*a?" * 341, "*" + "a?" * 500 + "b*", "?" * 1023 + "*", "*?*?" * 256]
)
def test_no_pattern_is_slow_T17(pattern: str) -> None:
    wildcards.prepare(pattern)("a" * 200_000)
