"""What the Warning header says, in the standard's own words (PS3.18 §8.3.4, §8.10)."""

from __future__ import annotations

FUZZY_MATCHING = "The fuzzymatching parameter is not supported. Only literal matching has been performed."
EMPTY_VALUE_MATCHING = "The emptyvaluematching parameter is not supported. Empty Value Matching has not been performed."
MULTIPLE_VALUE_MATCHING = (
    "The multiplevaluematching parameter is not supported. Multiple Value Matching has not been performed."
)

LONGEST = 1000


def remaining_results(count: int) -> str:
    """The text of a page that is not the last (§8.3.4.4)."""
    return f"There are {count} additional results that can be requested"


def format_warning(service: str, text: str) -> str:
    """The header's value in DICOM's form (GEN-15, AMB-05); only printable ASCII leaves, whatever the text (T15)."""
    plain = "".join(character if " " <= character <= "~" else "?" for character in text)
    if len(plain) > LONGEST:
        plain = plain[: LONGEST - 3] + "..."
    return f"299 {service}: {plain}"
