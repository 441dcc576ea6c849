"""Function: the base class of operations with a gradient of their own."""
import functools

from .. import _C

__all__ = ["Function", "FunctionCtx", "once_differentiable"]

FunctionCtx = _C.FunctionCtx


class Function(_C.FunctionBase):
    """An operation defined by its forward and backward.

    Either `forward(ctx, *args)` or `forward(*args)` with `setup_context(ctx, inputs, output)`; and `backward(ctx, *grads)`, which
    returns one gradient (or None) for each argument of forward. All are static methods; call `apply(*args)`.

    >>> class Exp(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         y = x.exp()
    ...         ctx.save_for_backward(y)
    ...         return y
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         y, = ctx.saved_tensors
    ...         return g * y
    """

    def __init__(self, *args, **kwargs):
        raise RuntimeError(f"{type(self)} should not be instantiated. Methods on autograd functions are all static, so you should invoke "
                           f"them on the class itself: use `{type(self).__name__}.apply(...)`.")


def once_differentiable(backward):
    """Decorator of a backward that is not itself differentiable: it runs unrecorded, and differentiating its result raises."""
    @functools.wraps(backward)
    def wrapper(ctx, *grads):
        with _C.no_grad():
            return backward(ctx, *grads)
    wrapper._once_differentiable = True
    return wrapper
