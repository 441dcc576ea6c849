"""Contraction orders of einsum: chosen by tapegrad itself, from left to right."""

enabled, strategy = False, None


def is_available():
    """False."""
    return False


def get_opt_einsum():
    """None: it is not used."""
    return None
