"""Protocols: the only words the core has for the world. Each docstring is the contract."""
