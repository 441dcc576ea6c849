"""Parameters as one vector and back."""
import math

from ... import _C

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters):
    """All parameters flattened and joined."""
    return _C.cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec, parameters):
    """Makes each parameter's data a view of its piece of the vector. TypeError unless vec is a tensor."""
    if not isinstance(vec, _C.Tensor):
        raise TypeError(f"expected tapegrad.Tensor, but got: {type(vec).__name__}")
    at = 0
    for p in parameters:
        n = math.prod(p.shape)
        p.data = vec[at:at + n].view_as(p).data
        at += n
