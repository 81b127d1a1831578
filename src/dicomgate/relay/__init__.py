"""What comes in is held until every destination that wants it has it: C-STORE and STOW-RS in, STOW-RS out."""
