"""What model code says to a compiler; there is none, so functions are returned as they are."""

__all__ = ["compile", "disable", "allow_in_graph", "assume_constant_result", "is_compiling", "is_dynamo_compiling", "is_exporting", "reset",
           "cudagraph_mark_step_begin", "list_backends", "set_stance", "substitute_in_graph"]

from .settings import compile


def disable(fn=None, recursive=True, *, reason=None):
    """The function itself; also a decorator with arguments."""
    return (lambda f: f) if fn is None else fn


def allow_in_graph(fn):
    """The function itself."""
    return fn


def assume_constant_result(fn):
    """The function itself."""
    return fn


def substitute_in_graph(original_fn, **options):
    """A decorator that returns the function itself."""
    return lambda f: f


def is_compiling():
    """False."""
    return False


def is_dynamo_compiling():
    """False."""
    return False


def is_exporting():
    """False."""
    return False


def reset():
    """Nothing to forget."""


def cudagraph_mark_step_begin():
    """Nothing to mark."""


def list_backends(exclude_tags=()):
    """None."""
    return []


class set_stance:
    """A context and decorator that does nothing."""

    def __init__(self, stance="default", **options):
        self.stance = stance

    def __call__(self, fn):
        return fn

    def __enter__(self):
        return None

    def __exit__(self, *exc):
        return None
