"""The accelerator of this machine, if any."""
from . import cuda


def is_available():
    """Is there one?"""
    return cuda.is_available()


def current_accelerator(check_available=False):
    """Its device, or None."""
    return None


def device_count():
    """How many there are."""
    return cuda.device_count()
