"""Immutable bytes under a key; knows nothing of DICOM."""
