"""What is made of a stored instance, not stored: other transfer syntaxes, pictures, texts (PS3.18 §8.7)."""
