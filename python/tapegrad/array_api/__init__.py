"""The array API standard, version 2025.12, over tapegrad: what `x.__array_namespace__()` gives.

Names, signatures and semantics are the standard's (https://data-apis.org/array-api): `axis` and `keepdims`, promotion that treats arrays
of no dimensions as all others, sums of integers in 64 bits. All functions take part in autograd. Arrays are tapegrad tensors, whose own
operators and methods stay PyTorch's where the two differ.
"""
from . import fft, linalg  # noqa: F401
from . import _creation, _dtypes, _elementwise, _reductions, _shape, _sorting
from ._info import __array_namespace_info__  # noqa: F401
from .linalg import matmul, matrix_transpose, tensordot, vecdot  # noqa: F401

__array_api_version__ = "2025.12"
_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")

__all__ = ["__array_api_version__", "__array_namespace_info__", "fft", "linalg", "matmul", "matrix_transpose", "tensordot", "vecdot",
           *_dtypes.DTYPES]
globals().update(_dtypes.DTYPES)
for _part in (_creation, _dtypes, _elementwise, _reductions, _shape, _sorting):
    globals().update({name: getattr(_part, name) for name in _part.__all__})
    __all__ += _part.__all__


def _of_version(api_version):
    """This module, if it has that version of the standard."""
    import sys
    if api_version is not None and api_version not in _VERSIONS:
        raise ValueError(f"__array_namespace__: unknown version {api_version!r}; {__array_api_version__} is the newest")
    return sys.modules[__name__]


def __dir__():
    return __all__
