"""Trading time for memory: run a part of the model without keeping what it saves, and run it again in backward."""
import warnings

from .. import _C
from ..autograd.function import Function

__all__ = ["checkpoint", "checkpoint_sequential"]


def _detached(args):
    """The arguments cut from the graph, with their own need for gradients."""
    out = []
    for a in args:
        if isinstance(a, _C.Tensor):
            copy = a.detach()
            copy.requires_grad = a.requires_grad
            out.append(copy)
        else:
            out.append(a)
    return out


class _Rng:
    """The default generator's state, and running with it."""

    def __init__(self, preserve):
        self.state = _C.default_generator.get_state() if preserve else None

    def __enter__(self):
        if self.state is not None:
            self.now = _C.default_generator.get_state()
            _C.default_generator.set_state(self.state)

    def __exit__(self, *exc):
        if self.state is not None:
            _C.default_generator.set_state(self.now)


class _Reentrant(Function):
    """Forward unrecorded; backward runs the function again and differentiates it there and then."""

    @staticmethod
    def forward(ctx, function, preserve, *args):
        ctx.function, ctx.rng = function, _Rng(preserve)
        ctx.places = [i for i, a in enumerate(args) if isinstance(a, _C.Tensor)]
        ctx.others = [None if isinstance(a, _C.Tensor) else a for a in args]
        ctx.save_for_backward(*(args[i] for i in ctx.places))
        return function(*args)

    @staticmethod
    def backward(ctx, *grads):
        args = list(ctx.others)
        for i, t in zip(ctx.places, ctx.saved_tensors):
            args[i] = t
        args = _detached(args)
        with ctx.rng, _C.enable_grad():
            outputs = ctx.function(*args)
        outputs = (outputs,) if isinstance(outputs, _C.Tensor) else outputs
        pairs = [(o, g) for o, g in zip(outputs, grads) if isinstance(o, _C.Tensor) and o.requires_grad]
        if not pairs:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary")
        _C.backward([o for o, _ in pairs], [g for _, g in pairs])
        return (None, None, *(a.grad if isinstance(a, _C.Tensor) else None for a in args))


def checkpoint(function, *args, use_reentrant=None, context_fn=None, determinism_check="default", debug=False, preserve_rng_state=True,
               **kwargs):
    """function(*args, **kwargs) without keeping what its backward needs; backward runs it a second time.

    Args:
        use_reentrant: False keeps the graph and recomputes what it saved at the first use (gradients of gradients, keyword arguments and
            inputs without gradients all work); True runs a backward inside the backward.
        preserve_rng_state: the second run draws the same random numbers.
    RuntimeError when the second run saves something else than the first.
    """
    if use_reentrant is None:
        use_reentrant = False
        warnings.warn("checkpoint: the use_reentrant parameter should be passed explicitly; False is assumed.", stacklevel=2)
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        return _Reentrant.apply(function, preserve_rng_state, *args)
    if not _C.is_grad_enabled():
        return function(*args, **kwargs)
    frame = _Frame(function, args, kwargs, _Rng(preserve_rng_state))
    with _C.saved_tensors_hooks(frame.pack, frame.unpack):
        return function(*args, **kwargs)


class _Frame:
    """One checkpointed call: numbers what the forward saves, and recomputes all of it when the first is asked for."""

    def __init__(self, function, args, kwargs, rng):
        self.function, self.args, self.kwargs, self.rng = function, args, kwargs, rng
        self.shapes = []
        self.values = {}

    def pack(self, tensor):
        self.shapes.append((tuple(tensor.shape), tensor.dtype))
        return len(self.shapes) - 1

    def unpack(self, number):
        if number not in self.values:
            self.recompute()
        return self.values.pop(number)

    def recompute(self):
        found = []
        with self.rng, _C.enable_grad(), _C.saved_tensors_hooks(lambda t: found.append(t.detach()), lambda _: None):
            self.function(*self.args, **self.kwargs)
        shapes = [(tuple(t.shape), t.dtype) for t in found]
        if shapes != self.shapes:
            raise RuntimeError("checkpoint: the second run of the function saved other tensors than the first: "
                               f"{len(shapes)} of shapes {shapes[:5]}, expected {len(self.shapes)} of shapes {self.shapes[:5]}")
        self.values = dict(enumerate(found))


def checkpoint_sequential(functions, segments, input, use_reentrant=None, **kwargs):
    """A Sequential (or list of functions) in `segments` parts, all but the last checkpointed."""
    functions = list(functions.children() if hasattr(functions, "children") else functions)

    def run(part):
        def call(x):
            for f in part:
                x = f(x)
            return x
        return call
    size = len(functions) // segments
    for s in range(segments - 1):
        input = checkpoint(run(functions[s * size:(s + 1) * size]), input, use_reentrant=bool(use_reentrant), **kwargs)
    return run(functions[(segments - 1) * size:])(input)
