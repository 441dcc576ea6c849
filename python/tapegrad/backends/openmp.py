"""OpenMP: not used; own kernels and Eigen compute, on own threads."""


def is_available():
    """False."""
    return False
