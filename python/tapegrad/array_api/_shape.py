"""Shapes, indices and joins."""
import tapegrad as tg

from ._dtypes import result_type


def broadcast_arrays(*arrays):
    """The arrays, each with the shape that all broadcast to."""
    return tuple(tg.broadcast_tensors(*arrays)) if arrays else ()


def broadcast_shapes(*shapes):
    """The shape that arrays of these shapes broadcast to."""
    return tuple(tg.broadcast_shapes(*shapes))


def broadcast_to(x, /, shape):
    """x with another shape, sizes of 1 repeated."""
    return tg.broadcast_to(x, tuple(shape))


def concat(arrays, /, *, axis=0):
    """The arrays behind each other along axis; flattened first when it is None."""
    dtype = result_type(*arrays)
    arrays = [x.to(dtype) for x in arrays]
    return tg.cat([x.reshape(-1) for x in arrays]) if axis is None else tg.cat(arrays, axis)


def stack(arrays, /, *, axis=0):
    """The arrays along a new dimension."""
    dtype = result_type(*arrays)
    return tg.stack([x.to(dtype) for x in arrays], axis)


def unstack(x, /, *, axis=0):
    """The slices of x along axis."""
    return tuple(tg.unbind(x, axis))


def expand_dims(x, /, axis):
    """x with new dimensions of size 1, which are at axis (one, or several) of the result."""
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    ndim = x.ndim + len(axes)
    if any(not -ndim <= d < ndim for d in axes):
        raise IndexError(f"expand_dims: axis {axis} is out of range for {ndim} dimensions")
    axes = sorted(d % ndim for d in axes)
    if len(set(axes)) < len(axes):
        raise ValueError(f"expand_dims: axis {axis} names a dimension twice")
    for d in axes:
        x = x.unsqueeze(d)
    return x


def squeeze(x, /, axis):
    """x without the dimensions of axis, whose sizes must be 1."""
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    if any(x.shape[d] != 1 for d in axes):
        raise ValueError(f"squeeze: the sizes of axis {axis} must be 1, got shape {tuple(x.shape)}")
    return x.squeeze(axes)


def flip(x, /, *, axis=None):
    """x in reverse order along axis: one, several or all dimensions."""
    return tg.flip(x, tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis))


def moveaxis(x, source, destination, /):
    """x with dimensions moved to other places."""
    return tg.moveaxis(x, source, destination)


def permute_dims(x, /, axes):
    """x with its dimensions in another order."""
    return tg.permute(x, tuple(axes))


def repeat(x, repeats, /, *, axis=None):
    """Each element repeats times along axis; of the flattened array when it is None."""
    x, axis = (x.reshape(-1), 0) if axis is None else (x, axis)
    if isinstance(repeats, tg.Tensor):
        repeats = repeats.to(tg.int64)
        repeats = int(repeats) if repeats.numel() == 1 else repeats
    return tg.repeat_interleave(x, repeats, axis)


def reshape(x, /, shape, *, copy=None):
    """x with another shape; copy=False raises ValueError where its memory cannot be kept."""
    shape = tuple(shape)
    if copy is False:
        try:
            return x.view(shape)
        except RuntimeError as error:
            raise ValueError(f"reshape: shape {shape} needs a copy (copy=False)") from error
    return tg.reshape(x.clone() if copy else x, shape)


def roll(x, /, shift, *, axis=None):
    """Elements moved by shift along axis, those that leave come in at the other end."""
    return tg.roll(x, shift) if axis is None else tg.roll(x, shift, axis)


def tile(x, repetitions, /):
    """x, repeated along each dimension."""
    return tg.tile(x, tuple(repetitions))


def take(x, indices, /, *, axis=None):
    """The elements of these indices along axis."""
    if axis is None and x.ndim != 1:
        raise ValueError(f"take: axis must be given for an array of {x.ndim} dimensions")
    axis = 0 if axis is None else axis % x.ndim
    return x[(slice(None),) * axis + (indices.to(tg.int64),)]


def take_along_axis(x, indices, /, *, axis=-1):
    """out[i, j, …] is x with the index along axis replaced by indices[i, j, …]."""
    indices = indices.to(tg.int64)
    return tg.take_along_dim(x, tg.where(indices < 0, indices + x.shape[axis], indices), axis)


__all__ = ["broadcast_arrays", "broadcast_shapes", "broadcast_to", "concat", "expand_dims", "flip", "moveaxis", "permute_dims", "repeat",
           "reshape", "roll", "squeeze", "stack", "take", "take_along_axis", "tile", "unstack"]
