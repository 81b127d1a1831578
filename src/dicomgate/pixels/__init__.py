"""Frames as pictures. Codecs run here and nowhere else, always in processes of their own that can be killed (T5)."""
