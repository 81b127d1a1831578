"""Numbers as texts that sort as the numbers do, however they were written (PS3.5 §6.2: DS, IS and the binary VRs)."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,4}))?")
_MOST = 5000
"""Beyond ten to this power, either way, nothing is compared; what a double can hold lies within."""
_COMPLEMENT = str.maketrans("0123456789", "9876543210")
_ZERO = "5"
_END = "~"


def sortable(text: str) -> str:
    """The same text for the same number, and texts in the order of their numbers; empty if it is no number.

    A sign, the power of ten of the first digit, the digits: 12.50 and 1.25e1 are both "6" "5002" "125". Of a negative
    number all but the sign is turned around, and its end sorts behind every digit.
    """
    found = _NUMBER.fullmatch(text.strip())
    if found is None or not (found[2] or found[3]):
        return ""
    sign, whole, fraction, power = found[1], found[2], found[3] or "", int(found[4] or 0)
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return _ZERO
    power += len(digits) - len(fraction)
    if abs(power) >= _MOST:
        return ""
    magnitude = f"{power + _MOST:04d}{digits.rstrip('0')}"
    return f"4{magnitude.translate(_COMPLEMENT)}{_END}" if sign == "-" else f"6{magnitude}"
