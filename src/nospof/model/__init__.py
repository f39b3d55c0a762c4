"""The nouns: frozen dataclasses, no I/O, no clock, no randomness."""
