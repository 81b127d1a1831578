"""HTTP/2 for the same application, where it is switched on (RFC 9113)."""
