"""Which class becomes which, and where an enhanced object keeps what (PS3.4 C.3.5, PS3.3 A.70 to A.72)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from dicomgate.dicom import attributes

SHARED, PER_FRAME = "52009229", "52009230"
UNASSIGNED_SHARED, UNASSIGNED_PER_FRAME, CONVERSION_SOURCE = "00209170", "00209171", "00209172"
FRAME_CONTENT, PIXEL_MEASURES = "00209111", "00289110"
PLANE_POSITION, PLANE_ORIENTATION = "00209113", "00209116"
FRAME_VOI, PIXEL_VALUES = "00289132", "00289145"
FRAME_ANATOMY, REFERENCED_IMAGE, DERIVATION_IMAGE = "00209071", "00081140", "00089124"
IRRADIATION_EVENT, REAL_WORLD_VALUES = "00189477", "00409096"
CARDIAC, TEMPORAL_POSITION = "00189118", "00209310"
VIEW = "00080053"
"""Query/Retrieve View: what was made for one says so (C.12.1, LC-33)."""


def tag(keyword: str) -> str:
    """The tag of a standard attribute that this code names."""
    found = attributes.find_tag(keyword)
    assert found is not None, f"{keyword} is a keyword of PS3.6"
    return found


def tags(keywords: str) -> frozenset[str]:
    """The tags of several."""
    return frozenset(map(tag, keywords.split()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A modality: its three classes, and what is its own in an enhanced object."""

    name: str
    modality: str
    classic: str
    legacy: str
    enhanced: str
    frame_type: str
    """The sequence of the frame type's functional group."""
    needs_values: bool
    """Whether Frame VOI LUT and Pixel Value Transformation must be there (A.70.4 to A.72.4)."""
    allocated: frozenset[int]
    stored: frozenset[int]
    """The bits that the class allows (PS3.3 C.8.13.1, C.8.15.2, C.8.22.1)."""

    @property
    def targets(self) -> frozenset[str]:
        """The classes with many frames."""
        return frozenset({self.legacy, self.enhanced})


_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
CT: Final = Kind(
    name="CT",
    modality="CT",
    classic=_STORAGE + "2",
    legacy=_STORAGE + "2.2",
    enhanced=_STORAGE + "2.1",
    frame_type="00189329",
    needs_values=True,
    allocated=frozenset({16}),
    stored=frozenset({12, 16}),
)
MR: Final = Kind(
    name="MR",
    modality="MR",
    classic=_STORAGE + "4",
    legacy=_STORAGE + "4.4",
    enhanced=_STORAGE + "4.1",
    frame_type="00189226",
    needs_values=False,
    allocated=frozenset({8, 16}),
    stored=frozenset({8, 12, 16}),
)
PET: Final = Kind(
    name="PET",
    modality="PT",
    classic=_STORAGE + "128",
    legacy=_STORAGE + "128.1",
    enhanced=_STORAGE + "130",
    frame_type="00189751",
    needs_values=True,
    allocated=frozenset({16}),
    stored=frozenset({16}),
)
KINDS: Final = (CT, MR, PET)


def find_classic(sop_class: str) -> Kind | None:
    """The modality whose images with one frame have this class."""
    return next((kind for kind in KINDS if kind.classic == sop_class), None)


def find_enhanced(sop_class: str) -> Kind | None:
    """The modality whose images with many frames have this class, made by conversion or by a scanner."""
    return next((kind for kind in KINDS if sop_class in kind.targets), None)


# What stands at the top of an enhanced object, when it is the same in all sources (the modules of A.70.3 to A.72.3).

_PATIENT: Final = (
    "ReferencedPatientSequence PatientName PatientID IssuerOfPatientID TypeOfPatientID "
    "IssuerOfPatientIDQualifiersSequence SourcePatientGroupIdentificationSequence "
    "GroupOfPatientsIdentificationSequence PatientBirthDate PatientBirthTime PatientBirthDateInAlternativeCalendar "
    "PatientDeathDateInAlternativeCalendar PatientAlternativeCalendar PatientSex QualityControlSubject "
    "StrainDescription StrainNomenclature StrainStockSequence StrainAdditionalInformation StrainCodeSequence "
    "GeneticModificationsSequence OtherPatientNames OtherPatientIDs OtherPatientIDsSequence "
    "ReferencedPatientPhotoSequence EthnicGroup PatientSpeciesDescription PatientSpeciesCodeSequence "
    "PatientBreedDescription PatientBreedCodeSequence BreedRegistrationSequence ResponsiblePerson "
    "ResponsiblePersonRole ResponsibleOrganization PatientComments PatientIdentityRemoved DeidentificationMethod "
    "DeidentificationMethodCodeSequence ClinicalTrialSponsorName ClinicalTrialProtocolID ClinicalTrialProtocolName "
    "ClinicalTrialSiteID ClinicalTrialSiteName ClinicalTrialSubjectID ClinicalTrialSubjectReadingID "
    "ClinicalTrialProtocolEthicsCommitteeName ClinicalTrialProtocolEthicsCommitteeApprovalNumber"
)
_STUDY: Final = (
    "StudyDate StudyTime AccessionNumber IssuerOfAccessionNumberSequence ReferringPhysicianName "
    "ReferringPhysicianIdentificationSequence ConsultingPhysicianName ConsultingPhysicianIdentificationSequence "
    "StudyDescription ProcedureCodeSequence PhysiciansOfRecord PhysiciansOfRecordIdentificationSequence "
    "NameOfPhysiciansReadingStudy PhysiciansReadingStudyIdentificationSequence ReferencedStudySequence "
    "StudyInstanceUID StudyID RequestingService RequestingServiceCodeSequence "
    "ReasonForPerformedProcedureCodeSequence AdmittingDiagnosesDescription AdmittingDiagnosesCodeSequence PatientAge "
    "PatientSize PatientSizeCodeSequence PatientBodyMassIndex MeasuredAPDimension MeasuredLateralDimension "
    "PatientWeight MedicalAlerts Allergies Occupation SmokingStatus AdditionalPatientHistory PregnancyStatus "
    "LastMenstrualDate PatientSexNeutered ReasonForVisit ReasonForVisitCodeSequence AdmissionID "
    "IssuerOfAdmissionIDSequence ServiceEpisodeID ServiceEpisodeDescription IssuerOfServiceEpisodeIDSequence "
    "PatientState ClinicalTrialTimePointID ClinicalTrialTimePointDescription LongitudinalTemporalOffsetFromEvent "
    "LongitudinalTemporalEventType ConsentForClinicalTrialUseSequence"
)
_SERIES: Final = (
    "Modality SeriesDescription SeriesDescriptionCodeSequence PerformingPhysicianName "
    "PerformingPhysicianIdentificationSequence OperatorsName OperatorIdentificationSequence "
    "ReferencedPerformedProcedureStepSequence RelatedSeriesSequence AnatomicalOrientationType BodyPartExamined "
    "ProtocolName PatientPosition SeriesNumber Laterality PerformedProcedureStepStartDate "
    "PerformedProcedureStepStartTime PerformedProcedureStepEndDate PerformedProcedureStepEndTime "
    "PerformedProcedureStepID PerformedProcedureStepDescription PerformedProtocolCodeSequence "
    "CommentsOnThePerformedProcedureStep TreatmentSessionUID ClinicalTrialCoordinatingCenterName "
    "ClinicalTrialSeriesID ClinicalTrialSeriesDescription"
)
_EQUIPMENT: Final = (
    "FrameOfReferenceUID PositionReferenceIndicator TriggerSourceOrType SynchronizationTrigger "
    "SynchronizationChannel AcquisitionTimeSynchronized TimeSource TimeDistributionProtocol NTPSourceAddress "
    "SynchronizationFrameOfReferenceUID Manufacturer InstitutionName InstitutionAddress StationName "
    "InstitutionalDepartmentName InstitutionalDepartmentTypeCodeSequence ManufacturerModelName DeviceSerialNumber "
    "DeviceUID GantryID UDISequence ManufacturerDeviceClassUID SoftwareVersions SpatialResolution "
    "DateOfLastCalibration TimeOfLastCalibration DateOfManufacture DateOfInstallation PixelPaddingValue "
    "PixelPaddingRangeLimit AcquisitionContextSequence AcquisitionContextDescription DeviceSequence "
    "ContainerIdentifier IssuerOfTheContainerIdentifierSequence AlternateContainerIdentifierSequence "
    "ContainerTypeCodeSequence ContainerDescription ContainerComponentSequence SpecimenDescriptionSequence"
)
_IMAGE: Final = (
    "AcquisitionNumber AcquisitionDuration "
    "ImageComments RecognizableVisualFeatures QualityControlImage ContentQualification "
    "IsocenterPosition TimezoneOffsetFromUTC RelatedGeneralSOPClassUID OriginalSpecializedSOPClassUID "
    "CodingSchemeIdentificationSequence PrivateDataElementCharacteristicsSequence InstanceOriginStatus "
    "LongitudinalTemporalInformationModified"
)
_CONTRAST: Final = (
    "ContrastBolusAgent ContrastBolusAgentSequence ContrastBolusAdministrationRouteSequence ContrastBolusRoute "
    "ContrastBolusVolume ContrastBolusStartTime ContrastBolusStopTime ContrastBolusTotalDose ContrastFlowRate "
    "ContrastFlowDuration ContrastBolusIngredient ContrastBolusIngredientConcentration"
)
_CARDIAC: Final = (
    "CardiacSynchronizationTechnique CardiacSignalSource CardiacRRIntervalSpecified CardiacBeatRejectionTechnique "
    "SkipBeats CardiacFramingType RespiratoryMotionCompensationTechnique RespiratorySignalSource "
    "RespiratoryTriggerDelayThreshold RespiratoryTriggerType"
)
_OWN: Final = {
    "CT": _CONTRAST,
    "MR": f"{_CONTRAST} MagneticFieldStrength ResonantNucleus KSpaceFiltering ApplicableSafetyStandardAgency "
    "ApplicableSafetyStandardDescription B1rms BulkMotionCompensationTechnique BulkMotionSignalSource",
    "PET": "InterventionSequence",
}
PATIENT_AND_STUDY: Final = tags(f"{_PATIENT} {_STUDY}")
_TOP: Final = {name: tags(f"{_SERIES} {_EQUIPMENT} {_IMAGE} {_CARDIAC} {own}") for name, own in _OWN.items()}


def top(kind: Kind) -> frozenset[str]:
    """The attributes that stand at the top of an enhanced object of this modality, when all sources agree on them."""
    return PATIENT_AND_STUDY | _TOP[kind.name]


EMPTY_AT_TOP: Final = tags(
    "PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime AccessionNumber ReferringPhysicianName "
    "StudyID SeriesNumber Manufacturer PositionReferenceIndicator AcquisitionContextSequence PatientPosition"
)
"""What must be there and may be empty (type 2)."""

FORBIDDEN_AT_TOP: Final = tags(
    "SOPInstanceUIDOfConcatenationSource ConcatenationUID InConcatenationNumber InConcatenationTotalNumber "
    "ConcatenationFrameOffsetNumber VOILUTSequence WindowCenter WindowWidth GraphicAnnotationSequence "
    "PatientOrientation ImagesInAcquisition DerivationDescription SourceImageSequence ReferencedImageSequence "
    "ReferencedInstanceSequence RedPaletteColorLookupTableDescriptor "
    "GreenPaletteColorLookupTableDescriptor BluePaletteColorLookupTableDescriptor"
)
"""Of a concatenation (LC-08), and of the modules that a converted object may not have, even extended (A.70.3.1)."""


def in_view(view: str) -> dict[str, Any]:
    """The attribute by which an object says for which view it was made, CLASSIC or ENHANCED; nothing for none."""
    return {VIEW: {"vr": "CS", "Value": [view]}} if view else {}


def is_overlay(name: str) -> bool:
    """True for an attribute of an overlay plane (PS3.3 C.9.2)."""
    return name[:2] == "60" and int(name[2:4], 16) % 2 == 0


def is_curve(name: str) -> bool:
    """True for an attribute of a curve, which were retired long ago."""
    return name.startswith("50") and int(name[2:4], 16) % 2 == 0


def is_of_pixels(name: str) -> bool:
    """True for pixel data and its offset tables."""
    return name.startswith("7FE0")
