"""cuDNN's switches; it is not here, so they only remember what they are set to."""
import contextlib

enabled, benchmark, benchmark_limit, deterministic, allow_tf32, fp32_precision = False, False, 10, False, True, "none"


def is_available():
    """Is cuDNN there?"""
    return False


def is_acceptable(tensor):
    """Could cuDNN work on the tensor?"""
    return False


def version():
    """None: there is no cuDNN."""
    return None


@contextlib.contextmanager
def flags(enabled=False, benchmark=False, benchmark_limit=10, deterministic=False, allow_tf32=True, fp32_precision="none"):
    """Within it the switches are as given."""
    given, here = dict(locals()), globals()
    before = {name: here[name] for name in given}
    here.update(given)
    try:
        yield
    finally:
        here.update(before)
