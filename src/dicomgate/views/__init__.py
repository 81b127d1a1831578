"""Views (PS3.4 C.3.4, C.3.5): what an origin has, as if all of it had been converted, or split; made on demand."""
