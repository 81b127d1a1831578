"""What is on its way: who may still join it, and when it is given up (T21)."""

from __future__ import annotations

import pytest

from dicomgate import errors
from dicomgate.dicom.uids import Target
from dicomgate.dimse.pacs_coming import Coming


def test_what_nobody_wants_is_given_up_and_joined_by_nobody():
    """Whoever came in the last moment would take what had come for all there is."""
    coming = Coming(Target("1.2", "1.2.3"))
    assert coming.join()
    coming.add("1.2.3.4")
    assert not coming.abandon(), "somebody waits"
    coming.leave()
    assert coming.abandon()
    assert not coming.join()
    coming.finish(lacking=7)
    assert (coming.is_done, coming.lacking) == (True, 0), "the first word counts"
    assert coming.wait_for(0) == "1.2.3.4"
    with pytest.raises(errors.Unavailable, match="nobody waited"):
        coming.wait_for(1)


def test_without_waiting_it_is_told_whether_the_next_has_come():
    coming = Coming(Target("1.2", "1.2.3"))
    assert not coming.has_come(0, 0)
    coming.add("1.2.3.4")
    assert coming.has_come(0, 0)
    assert not coming.has_come(1, 0)
    coming.finish()
    assert coming.has_come(1, 0)
    assert coming.wait_for(1) is None
