"""The one error of this folder."""

from __future__ import annotations


class ServiceError(Exception):
    """A real server cannot be had or does not start; the message names what was tried and the mend."""
