"""The HTTP caller: the only room with an HTTP client library."""
