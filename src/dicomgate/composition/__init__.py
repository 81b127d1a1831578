"""Metadata and bulk data that came apart become PS3.10 files (PS3.18 §10.5)."""
