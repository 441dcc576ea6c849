"""What PyTorch keeps for old programs: deprecated functions and methods that still work, and removed ones that name their successor."""
import warnings

from . import _C
from .functional import hash_tensor

__all__ = ["eig", "frobenius_norm", "lstsq", "lu", "matrix_rank", "nuclear_norm", "solve", "symeig"]


# ---- removed from PyTorch: calling them says what to use

def _removed(name, instead):
    def f(*args, **kwargs):
        raise RuntimeError(f"{name}: removed, as from PyTorch after 1.9. Use {instead}")
    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"Removed: use {instead}."
    return f


eig = _removed("eig", "linalg.eig, or linalg.eigvals for the values alone; both are complex")
lstsq = _removed("lstsq", "linalg.lstsq(A, B), whose arguments are in the other order")
matrix_rank = _removed("matrix_rank", "linalg.matrix_rank, where `symmetric` is called `hermitian`")
solve = _removed("solve", "linalg.solve(A, B), whose arguments are in the other order and which does not return the LU factors")
symeig = _removed("symeig", "linalg.eigh, or linalg.eigvalsh for the values alone; both read the lower triangle unless UPLO='U'")
_reinforce = _removed("reinforce", "distributions: the loss is -log_prob(action) * reward")


# ---- deprecated, and working

def lu(A, pivot=True, get_infos=False, out=None):
    """(LU, pivots), and info with get_infos: linalg.lu_factor and linalg.lu_factor_ex under the old name."""
    factor = _C.functions["linalg.lu_factor_ex" if get_infos else "linalg.lu_factor"]
    result = tuple(factor(A, pivot=pivot))
    if out is None:
        return result
    if len(out) != len(result):
        raise TypeError(f"lu: out must be {len(result)} tensors, got {len(out)}")
    return tuple(o.resize_(r.shape).copy_(r) for o, r in zip(out, result))


def frobenius_norm(input, dim, keepdim=False):
    """linalg.vector_norm(input, 2, dim, keepdim)."""
    return _C.functions["linalg.vector_norm"](input, 2, dim, keepdim)


def nuclear_norm(input, dim=(-2, -1), keepdim=False):
    """linalg.matrix_norm(input, "nuc", dim, keepdim)."""
    return _C.functions["linalg.matrix_norm"](input, "nuc", dim, keepdim)


# ---- methods of Tensor

def _new(self, *args, device=None):
    """An uninitialised tensor of these sizes and self's dtype; or one with the elements of a sequence; or another view of a tensor."""
    first = args[0] if len(args) == 1 else None
    if isinstance(first, _C.Tensor):
        if first.dtype != self.dtype:
            raise TypeError(f"new: expected a tensor of {self.dtype}, got {first.dtype}")
        return first.detach()
    if isinstance(first, _C.Size) or all(isinstance(a, int) for a in args):
        return _C.empty(*args or (0,), dtype=self.dtype, device=device)
    if len(args) != 1 or not hasattr(first, "__len__"):
        raise TypeError(f"new: takes sizes, a sequence or a tensor, got {', '.join(type(a).__name__ for a in args)}")
    return self.new_tensor(first, device=device)


def _resize(self, *sizes):
    """Deprecated: reshape, to the same number of elements."""
    warnings.warn("non-inplace resize is deprecated", stacklevel=2)
    sizes = sizes[0] if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
    return self.reshape(tuple(sizes))


def _resize_as(self, tensor):
    """Deprecated: reshape to another tensor's shape."""
    warnings.warn("non-inplace resize_as is deprecated", stacklevel=2)
    return self.reshape(tensor.shape)


def _record_stream(self, stream):
    """Its memory is not reused before what the stream has now been given is done. NotImplementedError on the CPU, as PyTorch's."""
    if self.is_cuda:
        return _C._cuda.record_stream(self, stream.cuda_stream)
    raise NotImplementedError("record_stream: tensors on the cpu have no streams; leave the call out")


def _dim_order(self, *, ambiguity_check=False):
    """The dimensions from the one with the largest stride to the one with the smallest: (0, 2, 3, 1) for channels_last.

    ambiguity_check=True, or a list of memory formats, refuses tensors whose sizes of 1 (or strides) allow several orders.
    """
    sizes, strides = self.shape, self.stride()
    order = tuple(sorted(range(self.dim()), key=lambda d: -strides[d]))
    if ambiguity_check is False:
        return order
    unclear = 1 in sizes or len(set(strides)) < len(strides)
    formats = [] if ambiguity_check is True else ambiguity_check
    if unclear and sum(self.is_contiguous(memory_format=f) for f in formats) != 1:
        raise RuntimeError("The tensor does not have unique dim order" +
                           (", or cannot map to exact one of the given memory formats." if formats else "."))
    return order


def _as_subclass(self, cls):
    """An object of a subclass of Tensor over the same memory."""
    return _C.make_subclass(cls, self)


def _module_load(self, other, assign=False):
    """What load_state_dict puts in self's place: self with other's values, or other itself with assign."""
    return other.detach() if assign else self.copy_(other).detach()


def _lu(self, pivot=True, get_infos=False):
    """The method form of lu()."""
    return lu(self, pivot, get_infos)


_METHODS = {
    "new": _new, "resize": _resize, "resize_as": _resize_as, "record_stream": _record_stream, "dim_order": _dim_order,
    "as_subclass": _as_subclass, "module_load": _module_load, "lu": _lu, "eig": eig, "lstsq": lstsq, "solve": solve, "symeig": symeig,
    "reinforce": _reinforce, "hash_tensor": hash_tensor}


for _name, _f in _METHODS.items():
    _f.__name__ = _name
    setattr(_C.Tensor, _name, _f)
