"""Single-frame series to enhanced multi-frame objects and back (Supplement 157). Copies frames, decodes none."""
