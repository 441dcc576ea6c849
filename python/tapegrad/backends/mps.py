"""Apple's GPUs: not supported."""


def is_available():
    """False."""
    return False


def is_built():
    """False."""
    return False


def is_macos_or_newer(major, minor):
    """False: asked for GPU features."""
    return False
