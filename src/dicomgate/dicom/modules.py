"""Which attributes describe a patient, a study or a series: keywords by the modules of PS3.3 Annex C."""

from __future__ import annotations

EVERY_LEVEL = "SpecificCharacterSet TimezoneOffsetFromUTC"
"""SOP Common (C.12.1): they tell how to read the others, so they are true of each level."""

PATIENT = """
PatientName PatientID IssuerOfPatientID TypeOfPatientID IssuerOfPatientIDQualifiersSequence
SourcePatientGroupIdentificationSequence GroupOfPatientsIdentificationSequence
PatientBirthDate PatientBirthTime PatientBirthDateInAlternativeCalendar PatientDeathDateInAlternativeCalendar
PatientAlternativeCalendar PatientSex QualityControlSubject ReferencedPatientPhotoSequence ReferencedPatientSequence
OtherPatientIDs OtherPatientNames OtherPatientIDsSequence EthnicGroup EthnicGroupCodeSequence
PatientComments PatientSpeciesDescription PatientSpeciesCodeSequence PatientBreedDescription PatientBreedCodeSequence
BreedRegistrationSequence StrainDescription StrainNomenclature StrainCodeSequence StrainAdditionalInformation
StrainStockSequence GeneticModificationsSequence ResponsiblePerson ResponsiblePersonRole ResponsibleOrganization
PatientIdentityRemoved DeidentificationMethod DeidentificationMethodCodeSequence
PatientBirthName PatientMotherBirthName PatientAddress CountryOfResidence RegionOfResidence PatientTelephoneNumbers
PatientTelecomInformation PatientReligiousPreference PatientPrimaryLanguageCodeSequence MilitaryRank BranchOfService
PatientInsurancePlanCodeSequence
NumberOfPatientRelatedStudies NumberOfPatientRelatedSeries NumberOfPatientRelatedInstances
"""
"""Patient (C.7.1.1), with what Patient Identification and Demographic (C.2.2, C.2.3) add."""

CLINICAL_TRIAL_SUBJECT = """
ClinicalTrialSponsorName ClinicalTrialProtocolID ClinicalTrialProtocolName ClinicalTrialSiteID ClinicalTrialSiteName
ClinicalTrialSubjectID ClinicalTrialSubjectReadingID ClinicalTrialProtocolEthicsCommitteeName
ClinicalTrialProtocolEthicsCommitteeApprovalNumber OtherClinicalTrialProtocolIDsSequence
IssuerOfClinicalTrialProtocolID IssuerOfClinicalTrialSiteID IssuerOfClinicalTrialSubjectID
IssuerOfClinicalTrialSubjectReadingID
"""
"""Clinical Trial Subject (C.7.1.3)."""

GENERAL_STUDY = """
StudyInstanceUID StudyDate StudyTime ReferringPhysicianName ReferringPhysicianIdentificationSequence
ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers ConsultingPhysicianName
ConsultingPhysicianIdentificationSequence StudyID AccessionNumber IssuerOfAccessionNumberSequence StudyDescription
PhysiciansOfRecord PhysiciansOfRecordIdentificationSequence NameOfPhysiciansReadingStudy
PhysiciansReadingStudyIdentificationSequence RequestingServiceCodeSequence ReferencedStudySequence
ProcedureCodeSequence ReasonForPerformedProcedureCodeSequence
ModalitiesInStudy AnatomicRegionsInStudyCodeSequence SOPClassesInStudy NumberOfStudyRelatedSeries
NumberOfStudyRelatedInstances StudyStatusID StudyPriorityID StudyComments ReasonForStudy
RequestingPhysician RequestingService RequestedProcedureDescription RequestedProcedureCodeSequence
"""
"""General Study (C.7.2.1), and what PS3.4 C.6.2.1 computes for a study."""

PATIENT_STUDY = """
AdmittingDiagnosesDescription AdmittingDiagnosesCodeSequence PatientAge PatientSize PatientWeight
PatientBodyMassIndex MeasuredAPDimension MeasuredLateralDimension PatientSizeCodeSequence MedicalAlerts Allergies
SmokingStatus PregnancyStatus LastMenstrualDate PatientState Occupation AdditionalPatientHistory AdmissionID
IssuerOfAdmissionIDSequence ReasonForVisit ReasonForVisitCodeSequence ServiceEpisodeID
IssuerOfServiceEpisodeIDSequence ServiceEpisodeDescription PatientSexNeutered SpecialNeeds VisitComments
CurrentPatientLocation PatientInstitutionResidence AdmittingDate AdmittingTime RouteOfAdmissions
"""
"""Patient Study (C.7.2.2), with the visit it belongs to."""

CLINICAL_TRIAL_STUDY = """
ClinicalTrialTimePointID ClinicalTrialTimePointDescription ClinicalTrialTimePointTypeCodeSequence
LongitudinalTemporalOffsetFromEvent LongitudinalTemporalEventType ConsentForClinicalTrialUseSequence
IssuerOfClinicalTrialTimePointID
"""
"""Clinical Trial Study (C.7.2.3)."""

GENERAL_SERIES = """
Modality SeriesInstanceUID SeriesNumber Laterality SeriesDate SeriesTime PerformingPhysicianName
PerformingPhysicianIdentificationSequence ProtocolName SeriesDescription SeriesDescriptionCodeSequence OperatorsName
OperatorIdentificationSequence ReferencedPerformedProcedureStepSequence RelatedSeriesSequence BodyPartExamined
PatientPosition SmallestPixelValueInSeries LargestPixelValueInSeries RequestAttributesSequence
PerformedProcedureStepID PerformedProcedureStepStartDate PerformedProcedureStepStartTime
PerformedProcedureStepEndDate PerformedProcedureStepEndTime PerformedProcedureStepDescription
PerformedProtocolCodeSequence CommentsOnThePerformedProcedureStep AnatomicalOrientationType TreatmentSessionUID
NumberOfSeriesRelatedInstances SeriesType SeriesInStudy
RequestedProcedureID ScheduledProcedureStepID ScheduledProcedureStepDescription PerformedLocation
PerformedStationAETitle PerformedStationName PerformedProcedureStepStatus
"""
"""General Series (C.7.3.1), CT, MR, PET and the other series modules, and what C.6.2.1 computes for a series."""

CLINICAL_TRIAL_SERIES = """
ClinicalTrialCoordinatingCenterName ClinicalTrialSeriesID ClinicalTrialSeriesDescription IssuerOfClinicalTrialSeriesID
"""
"""Clinical Trial Series (C.7.3.2)."""

FRAME_OF_REFERENCE = "FrameOfReferenceUID PositionReferenceIndicator SynchronizationFrameOfReferenceUID"
"""Frame of Reference (C.7.4.1) and the UID of Synchronization (C.7.4.2)."""

EQUIPMENT = """
Manufacturer InstitutionName InstitutionAddress StationName InstitutionalDepartmentName
InstitutionalDepartmentTypeCodeSequence ManufacturerModelName ManufacturerDeviceClassUID DeviceSerialNumber
SoftwareVersions GantryID UDISequence DeviceUID SpatialResolution DateOfManufacture DateOfInstallation
DateOfLastCalibration TimeOfLastCalibration InstitutionCodeSequence
"""
"""General Equipment (C.7.5.1) and Enhanced General Equipment (C.7.5.2), but for Pixel Padding Value, an image's."""

STUDY_MODULES = (PATIENT, CLINICAL_TRIAL_SUBJECT, GENERAL_STUDY, PATIENT_STUDY, CLINICAL_TRIAL_STUDY)
SERIES_MODULES = (GENERAL_SERIES, CLINICAL_TRIAL_SERIES, FRAME_OF_REFERENCE, EQUIPMENT)
