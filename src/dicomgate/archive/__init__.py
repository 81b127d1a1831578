"""Deeds: the origin that keeps what it is given. Speaks no protocol and holds no SQL."""
