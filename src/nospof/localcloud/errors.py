"""The one error the local cloud raises towards its owner (the command line, a test)."""

from __future__ import annotations


class LocalCloudError(Exception):
    """The local cloud cannot be started, found or stopped; the message says what to do next."""
