"""Trading time for memory: run a part of the model without keeping what it saves, and run it again in backward."""
import contextlib
import sys
import warnings

from .. import _C
from ..autograd.function import Function

__all__ = ["checkpoint", "checkpoint_sequential", "set_checkpoint_early_stop", "noop_context_fn"]

_early_stop = None  # what set_checkpoint_early_stop() says within it


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


class _Conditions:
    """What the second run finds as the first did: autocast, and the default generator's state when it is to be preserved."""

    def __init__(self, preserve_rng_state):
        self.state = _C.default_generator.get_state() if preserve_rng_state else None
        self.autocast = [(on_cuda, *_C.autocast_state(on_cuda)) for on_cuda in (False, True)]

    def __enter__(self):
        self.autocast_now = [(state[0], *_C.set_autocast(*state)) for state in self.autocast]
        if self.state is not None:
            self.now = _C.default_generator.get_state()
            _C.default_generator.set_state(self.state)

    def __exit__(self, *exc):
        for state in self.autocast_now:
            _C.set_autocast(*state)
        if self.state is not None:
            _C.default_generator.set_state(self.now)


class _Reentrant(Function):
    """Forward unrecorded; backward runs the function again and differentiates it there and then."""

    @staticmethod
    def forward(ctx, function, preserve, *args):
        ctx.function, ctx.conditions = function, _Conditions(preserve)
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
        with ctx.conditions, _C.enable_grad():
            outputs = ctx.function(*args)
        outputs = (outputs,) if isinstance(outputs, _C.Tensor) else outputs
        pairs = [(o, g) for o, g in zip(outputs, grads) if isinstance(o, _C.Tensor) and o.requires_grad]
        if not pairs:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary")
        _C.backward([o for o, _ in pairs], [g for _, g in pairs])
        return (None, None, *(a.grad if isinstance(a, _C.Tensor) else None for a in args))


def noop_context_fn():
    """Two contexts that do nothing: the default of context_fn."""
    return contextlib.nullcontext(), contextlib.nullcontext()


@contextlib.contextmanager
def set_checkpoint_early_stop(enable):
    """Within it, checkpoints stop their second run when all is recomputed that is needed (True), or run it to the end (False)."""
    global _early_stop
    before, _early_stop = _early_stop, enable
    try:
        yield
    finally:
        _early_stop = before


def checkpoint(function, *args, use_reentrant=None, context_fn=noop_context_fn, determinism_check="default", debug=False, early_stop=True,
               preserve_rng_state=True, **kwargs):
    """function(*args, **kwargs) without keeping what its backward needs; backward runs it a second time.

    Args:
        use_reentrant: False keeps the graph and recomputes what it saved at the first use (gradients of gradients, keyword arguments and
            inputs without gradients all work); True runs a backward inside the backward.
        context_fn: gives two contexts, for the first and the second run; use_reentrant=False only.
        determinism_check: "default" compares shapes and dtypes of what both runs save; "none" does not.
        debug: the error of that comparison says where the tensors were saved.
        early_stop: the second run ends when all that is needed has been recomputed.
        preserve_rng_state: the second run draws the same random numbers.
    RuntimeError when the second run saves something else than the first. Both runs see the same autocast.
    """
    if use_reentrant is None:
        use_reentrant = False
        warnings.warn("checkpoint: the use_reentrant parameter should be passed explicitly; False is assumed.", stacklevel=2)
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if context_fn is not noop_context_fn or debug:
            raise ValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
        if _C.is_grad_enabled() and not any(isinstance(a, _C.Tensor) and a.requires_grad for a in args):
            warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2)
        return _Reentrant.apply(function, preserve_rng_state, *args)
    if determinism_check not in ("default", "none"):
        raise ValueError(f"determinism_check should be 'default' or 'none', got {determinism_check!r}")
    if not _C.is_grad_enabled():
        return function(*args, **kwargs)
    first, second = context_fn()
    frame = _Frame(function, args, kwargs, _Conditions(preserve_rng_state), second)
    frame.check, frame.debug, frame.early_stop = determinism_check == "default", debug, early_stop if _early_stop is None else _early_stop
    with _C.saved_tensors_hooks(frame.pack, frame.unpack), first:
        return function(*args, **kwargs)


class _Frame:
    """One checkpointed call: numbers what the forward saves, and recomputes all of it when the first is asked for."""

    def __init__(self, function, args, kwargs, conditions, context):
        self.function, self.args, self.kwargs, self.conditions, self.context = function, args, kwargs, conditions, context
        self.shapes, self.values, self.places = [], {}, []

    def pack(self, tensor):
        self.shapes.append((tuple(tensor.shape), tensor.dtype))
        if self.debug:
            self.places.append(_place())
        return len(self.shapes) - 1

    def unpack(self, number):
        if number not in self.values:
            self.recompute()
        return self.values.pop(number)

    def recompute(self):
        found, places = [], []

        def keep(tensor):
            found.append(tensor.detach())
            if self.debug:
                places.append(_place())
            if self.early_stop and len(found) == len(self.shapes):
                raise _Enough
        with self.conditions, self.context, _C.enable_grad(), _C.saved_tensors_hooks(keep, lambda _: None):
            try:
                self.function(*self.args, **self.kwargs)
            except _Enough:
                pass
        shapes = [(tuple(t.shape), t.dtype) for t in found]
        if len(shapes) != len(self.shapes) or (self.check and shapes != self.shapes):
            raise RuntimeError("checkpoint: the second run of the function saved other tensors than the first: "
                               f"{len(shapes)} of shapes {shapes[:5]}, expected {len(self.shapes)} of shapes {self.shapes[:5]}"
                               + self.difference(shapes, places))
        self.values = dict(enumerate(found))

    def difference(self, shapes, places):
        """With debug=True: the first tensor that differs, and the lines that saved it."""
        if not self.debug:
            return "; debug=True says where"
        for i, (one, two) in enumerate(zip(self.shapes + [None], shapes + [None])):
            if one != two:
                was, now = (p[i] if i < len(p) else "nowhere" for p in (self.places, places))
                return f"; the first that differs is number {i}, saved at {was}, then at {now}"
        return ""


class _Enough(Exception):
    """All that backward needs has been recomputed."""


def _place():
    """The line of the caller's code that is running."""
    frame, library = sys._getframe(2), __file__.rsplit("/", 2)[0]
    while frame.f_back is not None and frame.f_code.co_filename.startswith(library):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"


def checkpoint_sequential(functions, segments, input, use_reentrant=None, **kwargs):
    """A Sequential (or list of functions) in `segments` parts, all but the last checkpointed. Keywords: preserve_rng_state."""
    if use_reentrant is None:
        use_reentrant = False
        warnings.warn("checkpoint_sequential: the use_reentrant parameter should be passed explicitly; False is assumed.", stacklevel=2)
    if set(kwargs) - {"preserve_rng_state"}:
        raise ValueError("Unexpected keyword arguments: " + ",".join(set(kwargs) - {"preserve_rng_state"}))
    functions = list(functions.children() if hasattr(functions, "children") else functions)

    def run(part):
        def call(x):
            for f in part:
                x = f(x)
            return x
        return call
    size = len(functions) // segments
    for s in range(segments - 1):
        input = checkpoint(run(functions[s * size:(s + 1) * size]), input, use_reentrant=use_reentrant, **kwargs)
    return run(functions[(segments - 1) * size:])(input)
