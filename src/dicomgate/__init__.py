"""dicomgate: DICOM web services (PS3.18) over files, an archive or another server."""

__version__ = "0.1.0"
