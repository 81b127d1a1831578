"""What de-identification does to each attribute: the Basic Profile's column of PS3.15 Table E.1-1 (edition 2024e).

The codes: X remove, Z empty, D give another value, U give another UID. Where the table leaves a choice, it depends on
what the object's definition requires; `ACTION` takes the one that is right for every object.
"""

from __future__ import annotations

import enum
from typing import Final

from dicomgate.dicom import attributes


class Action(enum.Enum):
    """What is done to an attribute, at whatever depth it stands."""

    REMOVE = "remove"
    EMPTY = "empty"
    REPLACE = "replace"  # by a value that says nothing
    RENAME = "rename"  # by a UID that only we can derive from the old one
    KEEP = "keep"  # but for what is inside, when it is a sequence


_PROFILE: Final[dict[str, str]] = {
    "X": (
        "AcquisitionComments AcquisitionProtocolDescription ActualHumanPerformersSequence AdditionalPatientHistory "
        "AddressTrial AdmissionID AdmittingDate AdmittingDiagnosesCodeSequence AdmittingDiagnosesDescription "
        "AdmittingTime AffectedSOPInstanceUID Allergies AnnotationGroupDescription ApprovalStatusDateTime Arbitrary "
        "AssertionExpirationDateTime AuthorObserverSequence BeamDescription BolusDescription BranchOfService "
        "CalibrationDate CalibrationTime CameraOwnerName CassetteID CertifiedTimestamp "
        "ClinicalTrialProtocolEthicsCommitteeApprovalNumber ClinicalTrialSeriesDescription ClinicalTrialSeriesID "
        "ClinicalTrialTimePointDescription CommentsOnRadiationDose CommentsOnThePerformedProcedureStep "
        "CompensatorDescription ConfidentialityConstraintOnPatientDataDescription "
        "ConsultingPhysicianIdentificationSequence ContainerComponentID ContainerDescription "
        "ContentCreatorIdentificationCodeSequence ContrastBolusStartTime ContrastBolusStopTime ContributionDateTime "
        "ContributionDescription CountryOfResidence CreationDate CreationTime CurrentObserverTrial "
        "CurrentPatientLocation CurveDate CurveTime CustodialOrganizationSequence DataSetTrailingPadding "
        "DateOfDocumentOrVerbalTransactionTrial DateOfInstallation DateOfLastCalibration DateOfManufacture "
        "DateOfSecondaryCapture DateTimeOfLastCalibration DecompositionDescription DerivationDescription "
        "DeviceDescription DeviceSettingDescription DigitalSignaturesSequence DischargeDate "
        "DischargeDiagnosisDescription DischargeTime DisplacementReferenceLabel DistributionAddress DistributionName "
        "DoseReferenceDescription EntityDescription EntityName EquipmentFrameOfReferenceDescription "
        "EthicsCommitteeApprovalEffectivenessEndDate EthicsCommitteeApprovalEffectivenessStartDate EthnicGroup "
        "ExpectedCompletionDateTime FilterLookupTableDescription FindingsGroupRecordingDateTrial "
        "FindingsGroupRecordingTimeTrial FixationDeviceDescription FractionGroupDescription FrameComments GPSAltitude "
        "GPSAltitudeRef GPSAreaInformation GPSDOP GPSDateStamp GPSDestBearing GPSDestBearingRef GPSDestDistance "
        "GPSDestDistanceRef GPSDestLatitude GPSDestLatitudeRef GPSDestLongitude GPSDestLongitudeRef GPSDifferential "
        "GPSImgDirection GPSImgDirectionRef GPSLatitude GPSLatitudeRef GPSLongitude GPSLongitudeRef GPSMapDatum "
        "GPSMeasureMode GPSProcessingMethod GPSSatellites GPSSpeed GPSSpeedRef GPSStatus GPSTimeStamp GPSTrack "
        "GPSTrackRef GPSVersionID GantryID GeneratorID HL7DocumentEffectiveTime HumanPerformerName "
        "HumanPerformerOrganization IconImageSequence IdentifyingComments ImageComments ImagePresentationComments "
        "ImagingServiceRequestComments Impressions InstanceCoercionDateTime InstanceOriginStatus InstitutionAddress "
        "InstitutionalDepartmentName InstitutionalDepartmentTypeCodeSequence InsurancePlanIdentification "
        "IntendedFractionStartTime IntendedRecipientsOfResultsIdentificationSequence InterpretationApprovalDate "
        "InterpretationApprovalTime InterpretationApproverSequence InterpretationAuthor "
        "InterpretationDiagnosisDescription InterpretationID InterpretationIDIssuer InterpretationRecordedDate "
        "InterpretationRecordedTime InterpretationRecorder InterpretationText InterpretationTranscriber "
        "InterpretationTranscriptionDate InterpretationTranscriptionTime InterventionDrugStartTime "
        "InterventionDrugStopTime IssueDateOfImagingServiceRequest IssueTimeOfImagingServiceRequest "
        "IssuerOfAdmissionID IssuerOfAdmissionIDSequence IssuerOfClinicalTrialProtocolID "
        "IssuerOfClinicalTrialSeriesID IssuerOfClinicalTrialSiteID IssuerOfClinicalTrialSubjectID "
        "IssuerOfClinicalTrialSubjectReadingID IssuerOfClinicalTrialTimePointID IssuerOfPatientID "
        "IssuerOfServiceEpisodeID IssuerOfServiceEpisodeIDSequence LastMenstrualDate LensMake LensModel "
        "LensSerialNumber LensSpecification LongDeviceDescription MAC MakerNote MedicalAlerts MedicalRecordLocator "
        "MilitaryRank ModifiedAttributesSequence ModifiedImageDate ModifiedImageDescription ModifiedImageTime "
        "ModifyingDeviceID MultienergyAcquisitionDescription NameOfPhysiciansReadingStudy "
        "NamesOfIntendedRecipientsOfResults NetworkID NonconformingDataElementValue "
        "NonconformingModifiedAttributesSequence ObservationDateTrial ObservationStartDateTime ObservationTimeTrial "
        "Occupation OrderCallbackPhoneNumber OrderCallbackTelecomInformation OrderEnteredBy OrderEntererLocation "
        "OriginalAttributesSequence Originator OtherClinicalTrialProtocolIDsSequence OtherPatientIDs "
        "OtherPatientIDsSequence OtherPatientNames OverlayDate OverlayTime ParticipantSequence PatientAddress "
        "PatientAge PatientBirthName PatientBirthTime PatientComments PatientInstitutionResidence "
        "PatientInsurancePlanCodeSequence PatientMotherBirthName PatientPrimaryLanguageCodeSequence "
        "PatientPrimaryLanguageModifierCodeSequence PatientReligiousPreference PatientSetupPhotoDescription "
        "PatientSize PatientState PatientTelecomInformation PatientTelephoneNumbers PatientTransportArrangements "
        "PatientTreatmentPreparationMethodDescription PatientTreatmentPreparationProcedureParameterDescription "
        "PatientWeight PerformedLocation PerformedProcedureStepDescription PerformedProcedureStepEndDate "
        "PerformedProcedureStepEndDateTime PerformedProcedureStepEndTime PerformedProcedureStepID "
        "PerformedProcedureStepStartDate PerformedProcedureStepStartDateTime PerformedProcedureStepStartTime "
        "PerformedStationAETitle PerformedStationGeographicLocationCodeSequence PerformedStationName "
        "PerformedStationNameCodeSequence PerformingPhysicianIdentificationSequence PerformingPhysicianName "
        "PersonAddress PersonTelecomInformation PersonTelephoneNumbers PhysicianApprovingInterpretation "
        "PhysiciansOfRecord PhysiciansOfRecordIdentificationSequence PhysiciansReadingStudyIdentificationSequence "
        "PlateID PositionAcquisitionTemplateDescription PositionAcquisitionTemplateName PreMedication PregnancyStatus "
        "PrescriptionDescription PresentationCreationDate PresentationCreationTime PriorTreatmentDoseDescription "
        "ProcedureStepCancellationDateTime ProductExpirationDateTime PyramidDescription PyramidLabel "
        "ROICreatorSequence ROIDateTime ROIDescription ROIGenerationDescription ROIInterpreterSequence "
        "ROIObservationDateTime ROIObservationDescription ROIObservationLabel RTPlanDescription RTPlanName "
        "RadiopharmaceuticalStartDateTime RadiopharmaceuticalStartTime RadiopharmaceuticalStopDateTime "
        "RadiopharmaceuticalStopTime ReasonForOmissionDescription ReasonForRequestedProcedureCodeSequence "
        "ReasonForStudy ReasonForTheImagingServiceRequest ReasonForTheRequestedProcedure ReasonForVisit "
        "ReasonForVisitCodeSequence ReceivingAE ReferencedDigitalSignatureSequence ReferencedPatientAliasSequence "
        "ReferencedPatientPhotoSequence ReferencedPatientSequence ReferencedSOPInstanceMACSequence "
        "ReferringPhysicianAddress ReferringPhysicianIdentificationSequence ReferringPhysicianTelephoneNumbers "
        "RegionOfResidence RequestAttributesSequence RequestedContrastAgent RequestedProcedureComments "
        "RequestedProcedureID RequestedProcedureLocation RequestedSeriesDescription RequestingAE RequestingPhysician "
        "RequestingService RespiratoryMotionCompensationTechniqueDescription ResponsibleOrganization "
        "ResponsiblePerson ResultsComments ResultsDistributionListSequence ResultsID ResultsIDIssuer RetrieveAETitle "
        "SOPAuthorizationDateTime ScheduledAdmissionDate ScheduledAdmissionTime ScheduledDischargeDate "
        "ScheduledDischargeTime ScheduledHumanPerformersSequence ScheduledPatientInstitutionResidence "
        "ScheduledPerformingPhysicianIdentificationSequence ScheduledPerformingPhysicianName "
        "ScheduledProcedureStepDescription ScheduledProcedureStepEndDate ScheduledProcedureStepEndTime "
        "ScheduledProcedureStepExpirationDateTime ScheduledProcedureStepID ScheduledProcedureStepLocation "
        "ScheduledProcedureStepModificationDateTime ScheduledProcedureStepStartDate "
        "ScheduledProcedureStepStartDateTime ScheduledProcedureStepStartTime ScheduledStationAETitle "
        "ScheduledStationGeographicLocationCodeSequence ScheduledStationName ScheduledStationNameCodeSequence "
        "ScheduledStudyLocation ScheduledStudyLocationAETitle ScheduledStudyStartDate ScheduledStudyStartTime "
        "ScheduledStudyStopDate ScheduledStudyStopTime SeriesDescription ServiceEpisodeDescription ServiceEpisodeID "
        "SetupTechniqueDescription ShieldingDeviceDescription SlideIdentifier SmokingStatus SourceManufacturer "
        "SpecialNeeds SpecimenAccessionNumber SpecimenDetailedDescription SpecimenShortDescription StationAETitle "
        "StructureSetDescription StructureSetName StudyArrivalDate StudyArrivalTime StudyComments StudyCompletionDate "
        "StudyCompletionTime StudyDescription StudyIDIssuer StudyReadDate StudyReadTime StudyVerifiedDate "
        "StudyVerifiedTime SubstanceAdministrationDateTime TelephoneNumberTrial TemplateLocalVersion TemplateVersion "
        "TextComments TextString TimeOfDocumentCreationOrVerbalTransactionTrial TimeOfLastCalibration "
        "TimeOfSecondaryCapture TimezoneOffsetFromUTC TopicAuthor TopicKeywords TopicSubject TopicTitle "
        "TransducerIdentificationSequence TreatmentSites UDISequence UniqueDeviceIdentifier "
        "VerbalSourceIdentifierCodeSequenceTrial VerbalSourceTrial VisitComments WaveformFilterDescription "
        "XRayDetectorLabel"
    ),
    "X/Z": (
        "AcquisitionContextSequence AcquisitionDate AcquisitionTime BarcodeValue LabelText PatientSexNeutered "
        "ReferencedStudySequence RequestedProcedureDescription ReviewerName SourceSerialNumber TreatmentMachineName"
    ),
    "X/D": (
        "AcquisitionDeviceProcessingDescription DateOfLastDetectorCalibration DetectorID EndAcquisitionDateTime "
        "FirstTreatmentDate InstanceCreationDate IntendedPhaseEndDate IntendedPhaseStartDate MostRecentTreatmentDate "
        "ObservationDateTime OperatorIdentificationSequence ProtocolName RTPlanDate RTPlanTime "
        "RTTreatmentApproachLabel SeriesDate SeriesTime StartAcquisitionDateTime TimeOfLastDetectorCalibration "
        "TreatmentDate TreatmentSite TreatmentTime"
    ),
    "X/Z/D": (
        "AcquisitionDateTime DeviceSerialNumber InstanceCreationTime InstitutionCodeSequence InstitutionName "
        "OperatorsName ReferencedPerformedProcedureStepSequence StationName"
    ),
    "X/Z/U*": ("ReferencedImageSequence SourceImageSequence"),
    "Z": (
        "AccessionNumber CalibrationDateTime ClinicalTrialCoordinatingCenterName ClinicalTrialProtocolName "
        "ClinicalTrialSiteID ClinicalTrialSiteName ClinicalTrialTimePointID ConceptualVolumeCombinationDescription "
        "ConceptualVolumeDescription ConsultingPhysicianName DeviceAlternateIdentifier "
        "FillerOrderNumberImagingServiceRequest FractionationNotes IssuerOfTheContainerIdentifierSequence "
        "IssuerOfTheSpecimenIdentifierSequence ManufacturerDeviceIdentifier ParticipationDateTime PatientBirthDate "
        "PatientName PatientSex PlacerOrderNumberImagingServiceRequest PrescriptionNotes PrescriptionNotesSequence "
        "ROIInterpreter ROIName RTAccessoryDeviceSlotID RTAccessoryHolderSlotID RTPhysicianIntentNarrative "
        "RadiationGenerationModeDescription ReasonForSuperseding ReferringPhysicianName ReviewDate ReviewTime "
        "SourceOfPreviousValues SpecimenPreparationSequence StructureSetDate StructureSetTime StudyDate StudyID "
        "StudyTime TreatmentTechniqueNotes VerifyingObserverIdentificationCodeSequence"
    ),
    "Z/D": ("ContentCreatorName ContentDate ContentTime ContrastBolusAgent InstructionPerformedDateTime PatientID"),
    "D": (
        "AcquisitionFieldOfViewLabel AnnotationGroupLabel AnnotationGroupUID AssertionDateTime "
        "AttributeModificationDateTime BeamHoldTransitionDateTime CertificateOfSigner "
        "ClinicalTrialProtocolEthicsCommitteeName ClinicalTrialProtocolID ClinicalTrialSponsorName "
        "ClinicalTrialSubjectID ClinicalTrialSubjectReadingID ContainerIdentifier ContentSequence "
        "ContextGroupLocalVersion ContextGroupVersion Date DateTime DecayCorrectionDateTime DestinationAE DeviceLabel "
        "DigitalSignatureDateTime EffectiveDateTime EncapsulatedDocument EntityLabel EntityLongLabel "
        "ExclusionStartDateTime FlowIdentifier FlowIdentifierSequence FrameAcquisitionDateTime FrameOriginTimestamp "
        "FrameReferenceDateTime FunctionalSyncPulse GraphicAnnotationSequence HangingProtocolCreationDateTime "
        "ImpedanceMeasurementDateTime InformationIssueDateTime InterlockDateTime InterlockDescription "
        "InterlockOriginDescription ModifyingSystem OverrideDateTime PersonIdentificationCodeSequence PersonName "
        "RTPlanLabel RTPrescriptionLabel RTToleranceSetLabel RadiationDoseIdentificationLabel "
        "RadiationDoseInVivoMeasurementLabel RadiationGenerationModeLabel ReasonForTheAttributeModification "
        "RecordedRTControlPointDateTime ReferencedDateTime SafePositionExitDate SafePositionExitTime "
        "SafePositionReturnDate SafePositionReturnTime SelectorAEValue SelectorASValue SelectorDAValue "
        "SelectorDTValue SelectorLOValue SelectorLTValue SelectorOBValue SelectorPNValue SelectorSHValue "
        "SelectorSTValue SelectorTMValue SelectorUNValue SelectorURValue SelectorUTValue SourceEndDateTime "
        "SourceIdentifier SourceStartDateTime SourceStrengthReferenceDate SourceStrengthReferenceTime "
        "SpecimenIdentifier StructureSetLabel Time TreatmentControlPointDate TreatmentControlPointTime "
        "TreatmentPositionGroupLabel TreatmentToleranceViolationDateTime TreatmentToleranceViolationDescription "
        "UserContentLabel UserContentLongLabel VerificationDateTime VerifyingObserverName VerifyingObserverSequence "
        "VerifyingOrganization XRayDetectorID XRaySourceID"
    ),
    "U": (
        "AcquisitionUID ConcatenationUID ConceptualVolumeUID ConstituentConceptualVolumeUID DeviceUID "
        "DigitalSignatureUID DimensionOrganizationUID DoseReferenceUID DosimetricObjectiveUID "
        "FailedSOPInstanceUIDList FiducialUID FrameOfReferenceUID InstanceCreatorUID IrradiationEventUID "
        "LargePaletteColorLookupTableUID ManufacturerDeviceClassUID MediaStorageSOPInstanceUID MultiplexGroupUID "
        "ObservationSubjectUIDTrial ObservationUID PaletteColorLookupTableUID PatientSetupUID "
        "PresentationDisplayCollectionUID PresentationSequenceCollectionUID PyramidUID RTTreatmentPhaseUID "
        "ReferencedConceptualVolumeUID ReferencedDoseReferenceUID ReferencedDosimetricObjectiveUID "
        "ReferencedFiducialsUID ReferencedFrameOfReferenceUID "
        "ReferencedGeneralPurposeScheduledProcedureStepTransactionUID ReferencedObservationUIDTrial "
        "ReferencedSOPInstanceUID ReferencedSOPInstanceUIDInFile ReferencedTreatmentPositionGroupUID "
        "RelatedFrameOfReferenceUID RequestedSOPInstanceUID SOPInstanceUID SeriesInstanceUID "
        "SourceConceptualVolumeUID SourceFrameOfReferenceUID SpecimenUID StorageMediaFileSetUID StudyInstanceUID "
        "SynchronizationFrameOfReferenceUID TargetUID TemplateExtensionCreatorUID TemplateExtensionOrganizationUID "
        "TrackingUID TransactionUID TreatmentPositionGroupUID TreatmentSessionUID UID"
    ),
}

_CHOSEN: Final[dict[str, Action]] = {
    "X": Action.REMOVE,
    "X/Z": Action.EMPTY,
    "X/D": Action.REPLACE,
    "X/Z/D": Action.REPLACE,
    "X/Z/U*": Action.KEEP,
    "Z": Action.EMPTY,
    "Z/D": Action.REPLACE,
    "D": Action.REPLACE,
    "U": Action.RENAME,
}
"""For every code what no object's definition forbids; of the sequences of references the UIDs inside are renamed."""

_OF_SEQUENCES: Final[dict[str, Action]] = {"X/D": Action.REMOVE, "X/Z/D": Action.REMOVE}
"""A sequence that may be removed need not be filled with items that say nothing."""

_GROUPS_OF_PICTURES: Final = ("50", "60")
"""Curves and overlays, in each of their groups."""


def _actions() -> dict[str, Action]:
    found = {}
    for code, keywords in _PROFILE.items():
        for keyword in keywords.split():
            tag = attributes.find_tag(keyword)
            assert tag is not None, "the table names attributes of PS3.6"
            chosen = _OF_SEQUENCES.get(code) if attributes.vr(tag) == "SQ" else None
            found[tag] = chosen or _CHOSEN[code]
    return found


_ACTIONS: Final = _actions()


def action(tag: str) -> Action:
    """What happens to an attribute. Private ones, and those that PS3.6 does not know, are removed.

    So are overlays and curves with all that describes them: without their data they would be no overlays (X in the
    table for the data; E.3.3 of those who keep them asks that they be cleaned, which nobody can do here).
    """
    known = _ACTIONS.get(tag)
    if known is not None:
        return known
    if attributes.is_private(tag) or (tag[:2] in _GROUPS_OF_PICTURES and int(tag[2:4], 16) % 2 == 0):
        return Action.REMOVE
    return Action.KEEP if attributes.find_keyword(tag) else Action.REMOVE
