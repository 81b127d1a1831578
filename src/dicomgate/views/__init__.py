"""Views (PS3.4 C.3.4, C.3.5): what is kept as if all of it had been converted, or split. Over any origin, made on demand."""
