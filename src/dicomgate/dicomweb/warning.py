"""What the Warning header says (PS3.18 §8.3.4.4, §8.10)."""

from __future__ import annotations

LONGEST = 1000
NOT_COUNTED = "The matches were not counted, it would take too long."


def remaining_results(count: int) -> str:
    """The text of a page that is not the last (§8.3.4.4)."""
    return f"There are {count} additional results that can be requested"


def format_warning(service: str, text: str) -> str:
    """The header's value in DICOM's form (GEN-15, AMB-05); only printable ASCII leaves, whatever the text (T15)."""
    plain = "".join(character if " " <= character <= "~" else "?" for character in text)
    if len(plain) > LONGEST:
        plain = plain[: LONGEST - 3] + "..."
    return f"299 {service}: {plain}"
