"""What can be stored is told from what belongs to other services (PS3.4 B.5, PS3.6 A)."""

import pytest
from pydicom import uid

from dicomgate.dicom import sop_classes


@pytest.mark.parametrize(
    "keyword",
    [
        "CTImageStorage", "EnhancedMRImageStorage", "SegmentationStorage", "RawDataStorage", "HangingProtocolStorage", "GrayscaleSoftcopyPresentationStateStorage",
        "ComprehensiveSRStorage", "EncapsulatedPDFStorage", "RTPlanStorage", "TwelveLeadECGWaveformStorage", "StoredPrintStorage", "VLWholeSlideMicroscopyImageStorage",
    ],
)  # fmt: skip
def test_classes_of_storage(keyword):
    assert sop_classes.is_storable(getattr(uid, keyword, None) or uid_of(keyword))


@pytest.mark.parametrize(
    "keyword",
    ["Verification", "StorageCommitmentPushModel", "MediaStorageDirectoryStorage", "ModalityWorklistInformationModelFind", "UnifiedProcedureStepPush", "ExplicitVRLittleEndian", "BasicFilmSession"],
)  # fmt: skip
def test_classes_of_other_services(keyword):
    assert not sop_classes.is_storable(getattr(uid, keyword, None) or uid_of(keyword))


@pytest.mark.parametrize("unknown", ["1.2.3.4", "1.2.840.10008.5.1.4.1.1.9999", "1.3.12.2.1107.5.9.1"])
def test_what_the_table_does_not_know_is_storable(unknown):
    assert sop_classes.is_storable(unknown)


def uid_of(keyword):
    return next(each for each, facts in uid.UID_dictionary.items() if facts[4] == keyword)
