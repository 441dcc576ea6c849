"""oneDNN: not used; own kernels and Eigen compute, on own threads."""


def is_available():
    """False."""
    return False


enabled, deterministic, allow_tf32 = False, False, True
