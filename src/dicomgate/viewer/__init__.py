"""The built-in page: static files that use only the public DICOMweb services."""
