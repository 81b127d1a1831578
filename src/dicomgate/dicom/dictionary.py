"""The dictionaries of PS3.6: pydicom's, and what the standard gained since the oldest pydicom that we run with.

3D Slicer's Python has pydicom 2.4; what is installed beside it must not ask for another one.
"""

from __future__ import annotations

from pydicom.datadict import DicomDictionary, RepeatersDictionary  # type: ignore[attr-defined]
from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]

Entry = tuple[str, str, str, str, str]
"""Of an attribute: value representation, multiplicity, name, "Retired" or nothing, keyword."""

_NEWER_ATTRIBUTES: dict[int, Entry] = {
    0x0008001C: ("CS", "1", "Synthetic Data", "", "SyntheticData"),
    0x00081112: ("SQ", "1", "Referenced Instances by SOP Class Sequence", "", "ReferencedInstancesBySOPClassSequence"),
    0x0008119B: ("SQ", "1", "Failed Study Sequence", "", "FailedStudySequence"),
    0x00102161: ("SQ", "1", "Ethnic Group Code Sequence", "", "EthnicGroupCodeSequence"),
    0x00120022: ("LO", "1", "Issuer of Clinical Trial Protocol ID", "", "IssuerOfClinicalTrialProtocolID"),
    0x00120023: ("SQ", "1", "Other Clinical Trial Protocol IDs Sequence", "", "OtherClinicalTrialProtocolIDsSequence"),
    0x00120032: ("LO", "1", "Issuer of Clinical Trial Site ID", "", "IssuerOfClinicalTrialSiteID"),
    0x00120041: ("LO", "1", "Issuer of Clinical Trial Subject ID", "", "IssuerOfClinicalTrialSubjectID"),
    0x00120043: ("LO", "1", "Issuer of Clinical Trial Subject Reading ID", "", "IssuerOfClinicalTrialSubjectReadingID"),
    0x00120055: ("LO", "1", "Issuer of Clinical Trial Time Point ID", "", "IssuerOfClinicalTrialTimePointID"),
    0x00120073: ("LO", "1", "Issuer of Clinical Trial Series ID", "", "IssuerOfClinicalTrialSeriesID"),
    0x00181204: ("DA", "1", "Date of Manufacture", "", "DateOfManufacture"),
    0x00181205: ("DA", "1", "Date of Installation", "", "DateOfInstallation"),
    0x00189821: (
        "SQ",
        "1",
        "Photoacoustic Excitation Characteristics Sequence",
        "",
        "PhotoacousticExcitationCharacteristicsSequence",
    ),
    0x00189822: ("FD", "1", "Excitation Spectral Width", "", "ExcitationSpectralWidth"),
    0x00189823: ("FD", "1", "Excitation Energy", "", "ExcitationEnergy"),
    0x00189824: ("FD", "1", "Excitation Pulse Duration", "", "ExcitationPulseDuration"),
    0x00189825: ("SQ", "1", "Excitation Wavelength Sequence", "", "ExcitationWavelengthSequence"),
    0x00189826: ("FD", "1", "Excitation Wavelength", "", "ExcitationWavelength"),
    0x00189828: ("CS", "1", "Illumination Translation Flag", "", "IlluminationTranslationFlag"),
    0x00189829: ("CS", "1", "Acoustic Coupling Medium Flag", "", "AcousticCouplingMediumFlag"),
    0x0018982A: ("SQ", "1", "Acoustic Coupling Medium Code Sequence", "", "AcousticCouplingMediumCodeSequence"),
    0x0018982B: ("FD", "1", "Acoustic Coupling Medium Temperature", "", "AcousticCouplingMediumTemperature"),
    0x0018982C: ("SQ", "1", "Transducer Response Sequence", "", "TransducerResponseSequence"),
    0x0018982D: ("FD", "1", "Center Frequency", "", "CenterFrequency"),
    0x0018982E: ("FD", "1", "Fractional Bandwidth", "", "FractionalBandwidth"),
    0x0018982F: ("FD", "1", "Lower Cutoff Frequency", "", "LowerCutoffFrequency"),
    0x00189830: ("FD", "1", "Upper Cutoff Frequency", "", "UpperCutoffFrequency"),
    0x00189831: ("SQ", "1", "Transducer Technology Sequence", "", "TransducerTechnologySequence"),
    0x00189832: (
        "SQ",
        "1",
        "Sound Speed Correction Mechanism Code Sequence",
        "",
        "SoundSpeedCorrectionMechanismCodeSequence",
    ),
    0x00189833: ("FD", "1", "Object Sound Speed", "", "ObjectSoundSpeed"),
    0x00189834: ("FD", "1", "Acoustic Coupling Medium Sound Speed", "", "AcousticCouplingMediumSoundSpeed"),
    0x00189835: ("SQ", "1", "Photoacoustic Image Frame Type Sequence", "", "PhotoacousticImageFrameTypeSequence"),
    0x00189836: ("SQ", "1", "Image Data Type Code Sequence", "", "ImageDataTypeCodeSequence"),
    0x0022000F: ("FD", "1", "Vertex Distance", "", "VertexDistance"),
    0x00480114: ("CS", "1", "Confocal Mode", "", "ConfocalMode"),
    0x00480115: ("CS", "1", "Tissue Location", "", "TissueLocation"),
    0x00480116: (
        "SQ",
        "1",
        "Confocal Microscopy Image Frame Type Sequence",
        "",
        "ConfocalMicroscopyImageFrameTypeSequence",
    ),
    0x00480117: ("FD", "1", "Image Acquisition Depth", "", "ImageAcquisitionDepth"),
    0x3006002D: ("DT", "1", "ROI DateTime", "", "ROIDateTime"),
    0x3006002E: ("DT", "1", "ROI Observation DateTime", "", "ROIObservationDateTime"),
    0x3006004B: ("SQ", "1", "Source Series Sequence", "", "SourceSeriesSequence"),
    0x3006004C: ("SQ", "1", "Source Series Information Sequence", "", "SourceSeriesInformationSequence"),
    0x3006004D: ("SQ", "1", "ROI Creator Sequence", "", "ROICreatorSequence"),
    0x3006004E: ("SQ", "1", "ROI Interpreter Sequence", "", "ROIInterpreterSequence"),
    0x3006004F: ("SQ", "1", "ROI Observation Context Code Sequence", "", "ROIObservationContextCodeSequence"),
    0x300A0054: ("UI", "1", "Table Top Position Alignment UID", "", "TableTopPositionAlignmentUID"),
    0x300A068B: ("CS", "1", "Dose Value Interpretation", "", "DoseValueInterpretation"),
    0x300A079F: ("SQ", "1", "Patient Treatment Preparation Sequence", "", "PatientTreatmentPreparationSequence"),
    0x300A07A0: ("SQ", "1", "Patient to Equipment Relationship Sequence", "", "PatientToEquipmentRelationshipSequence"),
    0x300A07A1: (
        "SQ",
        "1",
        "Imaging Equipment to Treatment Delivery Device Relationship Sequence",
        "",
        "ImagingEquipmentToTreatmentDeliveryDeviceRelationshipSequence",
    ),
    0x300C0129: ("CS", "1", "Beam Hold Transition Trigger Source", "", "BeamHoldTransitionTriggerSource"),
}
_NEWER_UIDS: dict[str, Entry] = {
    "1.2.840.10008.1.2.4.201": (
        "High-Throughput JPEG 2000 Image Compression (Lossless Only)",
        "Transfer Syntax",
        "",
        "",
        "HTJ2KLossless",
    ),
    "1.2.840.10008.1.2.4.202": (
        "High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)",
        "Transfer Syntax",
        "",
        "",
        "HTJ2KLosslessRPCL",
    ),
    "1.2.840.10008.1.2.4.203": ("High-Throughput JPEG 2000 Image Compression", "Transfer Syntax", "", "", "HTJ2K"),
    "1.2.840.10008.1.2.4.204": ("JPIP HTJ2K Referenced", "Transfer Syntax", "", "", "JPIPHTJ2KReferenced"),
    "1.2.840.10008.1.2.4.205": (
        "JPIP HTJ2K Referenced Deflate",
        "Transfer Syntax",
        "",
        "",
        "JPIPHTJ2KReferencedDeflate",
    ),
    "1.2.840.10008.5.1.4.1.1.6.3": ("Photoacoustic Image Storage", "SOP Class", "", "", "PhotoacousticImageStorage"),
    "1.2.840.10008.5.1.4.1.1.9.1.4": (
        "General 32-bit ECG Waveform Storage",
        "SOP Class",
        "",
        "",
        "General32bitECGWaveformStorage",
    ),
    "1.2.840.10008.5.1.4.1.1.77.1.8": (
        "Confocal Microscopy Image Storage",
        "SOP Class",
        "",
        "",
        "ConfocalMicroscopyImageStorage",
    ),
    "1.2.840.10008.5.1.4.1.1.77.1.9": (
        "Confocal Microscopy Tiled Pyramidal Image Storage",
        "SOP Class",
        "",
        "",
        "ConfocalMicroscopyTiledPyramidalImageStorage",
    ),
    "1.2.840.10008.5.1.4.1.1.88.77": (
        "Waveform Annotation SR Storage",
        "SOP Class",
        "",
        "",
        "WaveformAnnotationSRStorage",
    ),
}

ATTRIBUTES: dict[int, Entry] = {**_NEWER_ATTRIBUTES, **DicomDictionary}
"""Every attribute of PS3.6 by its tag as a number."""
REPEATING: dict[str, Entry] = RepeatersDictionary
"""Those of repeating groups, by tags with x for the digits that may be any."""
UIDS: dict[str, Entry] = {**_NEWER_UIDS, **UID_dictionary}
"""Every registered UID."""
