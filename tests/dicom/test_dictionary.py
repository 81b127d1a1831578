"""The dictionaries of PS3.6 are the same whichever pydicom is installed."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydicom.datadict import DicomDictionary
from pydicom.uid import UID_dictionary

from dicomgate.dicom import attributes, dictionary


def test_what_is_added_is_what_a_newer_pydicom_says():
    added = set(dictionary.ATTRIBUTES) - set(DicomDictionary)
    assert not added, "this pydicom has all of them"
    assert all(DicomDictionary[tag] == entry for tag, entry in dictionary._NEWER_ATTRIBUTES.items())
    assert all(UID_dictionary[uid] == entry for uid, entry in dictionary._NEWER_UIDS.items())
    assert attributes.find_tag("IssuerOfClinicalTrialSeriesID") == "00120073"


@pytest.mark.slow
def test_an_older_pydicom_gives_the_same():
    script = """
from pydicom.datadict import DicomDictionary, RepeatersDictionary
from pydicom.uid import UID_dictionary
newer = dict(DicomDictionary), dict(UID_dictionary)
for table, keys in ((DicomDictionary, ATTRIBUTES), (UID_dictionary, UIDS)):
    for key in keys:
        del table[key]
from dicomgate.dicom import deidentification, dictionary, modules, sop_classes
assert (dictionary.ATTRIBUTES, dictionary.UIDS) == newer
"""
    keys = f"ATTRIBUTES = {list(dictionary._NEWER_ATTRIBUTES)}\nUIDS = {list(dictionary._NEWER_UIDS)}\n"
    done = subprocess.run([sys.executable, "-c", keys + script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
