"""Jacobians, Hessians and products with them, by the tape."""
from .. import _C

__all__ = ["jacobian", "hessian", "vjp", "jvp", "vhp", "hvp"]


def _as_tuple(x):
    return (x,) if isinstance(x, _C.Tensor) else tuple(x)


def _prepare(inputs, create_graph):
    """The inputs, cut from their history unless the result shall be differentiable."""
    return tuple(x.view_as(x) if create_graph and x.requires_grad else x.detach().requires_grad_(True) for x in inputs)


def _finish(out, create_graph):
    return out if create_graph else out.detach()


def _grads(outputs, inputs, seeds, create_graph, strict):
    pairs = [(o, s) for o, s in zip(outputs, seeds) if o.requires_grad]
    if not pairs:
        if strict:
            raise RuntimeError("the output does not depend on the inputs in a differentiable way, which strict=True forbids")
        return tuple(_C.zeros_like(x) for x in inputs)
    grads = _C.grad([o for o, _ in pairs], inputs, [s for _, s in pairs], retain_graph=True, create_graph=create_graph, allow_unused=True)
    if strict and any(g is None for g in grads):
        raise RuntimeError("the output is independent of an input, which strict=True forbids")
    return tuple(_C.zeros_like(x) if g is None else g for x, g in zip(inputs, grads))


def jacobian(func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"):
    """d func(inputs) / d inputs: a tensor (out shape + in shape), nested in tuples where func returns or takes tuples. By reverse
    passes, one for each element of the output, whatever vectorize and strategy say."""
    if strategy not in ("reverse-mode", "forward-mode"):
        raise AssertionError(f"jacobian: strategy must be 'forward-mode' or 'reverse-mode', got {strategy!r}")
    single_in = isinstance(inputs, _C.Tensor)
    with _C.enable_grad():
        xs = _prepare(_as_tuple(inputs), create_graph)
        out = func(*xs)
        single_out = isinstance(out, _C.Tensor)
        rows = []
        for o in _as_tuple(out):
            per_input = [[] for _ in xs]
            for i in range(o.numel()):
                seed = _C.zeros_like(o).reshape(-1)
                seed[i] = 1
                for list_, g in zip(per_input, _grads((o,), xs, (seed.reshape(o.shape),), create_graph, strict)):
                    list_.append(_finish(g, create_graph))
            rows.append(tuple(_C.stack(gs).reshape(tuple(o.shape) + tuple(x.shape)) if gs else
                              x.new_zeros(tuple(o.shape) + tuple(x.shape)) for gs, x in zip(per_input, xs)))
    if single_in:
        rows = [r[0] for r in rows]
    return rows[0] if single_out else tuple(rows)


def hessian(func, inputs, create_graph=False, strict=False, vectorize=False, outer_jacobian_strategy="reverse-mode"):
    """The second derivatives of a scalar function: a tensor (shape + shape), or a tuple of tuples of them."""
    single = isinstance(inputs, _C.Tensor)

    def gradient(*xs):
        out = func(*xs)
        if not isinstance(out, _C.Tensor) or out.numel() != 1:
            raise RuntimeError("hessian: the function must return a tensor with a single element")
        grads = _grads((out.reshape(()),), xs, (_C.ones_like(out).reshape(()),), True, strict)
        return grads[0] if single else grads
    return jacobian(gradient, inputs, create_graph, strict)


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), v Jᵀ…): the product of a vector with the Jacobian. v has the outputs' shapes; may be left out for one number."""
    single_in = isinstance(inputs, _C.Tensor)
    with _C.enable_grad():
        xs = _prepare(_as_tuple(inputs), create_graph)
        out = func(*xs)
        outs = _as_tuple(out)
        if v is None and (len(outs) != 1 or outs[0].numel() != 1):
            raise RuntimeError("The vector v can only be None if the user-provided function returns a single Tensor with a single element.")
        seeds = tuple(_C.ones_like(o) for o in outs) if v is None else _as_tuple(v)
        _check_shapes(seeds, outs)
        grads = tuple(_finish(g, create_graph) for g in _grads(outs, xs, seeds, create_graph, strict))
    outs = tuple(_finish(o, create_graph) for o in outs)
    return (outs[0] if isinstance(out, _C.Tensor) else outs), (grads[0] if single_in else grads)


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), J v): the derivative along v, by differentiating the vector-Jacobian product. v has the inputs' shapes."""
    with _C.enable_grad():
        xs = _prepare(_as_tuple(inputs), create_graph)
        out = func(*xs)
        outs = _as_tuple(out)
        if v is None and (len(xs) != 1 or xs[0].numel() != 1):
            raise RuntimeError("The vector v can only be None if the input to the user-provided function is a single Tensor with a "
                               "single element.")
        vs = tuple(_C.ones_like(x) for x in xs) if v is None else _as_tuple(v)
        _check_shapes(vs, xs)
        dummies = tuple(_C.zeros_like(o).requires_grad_(True) for o in outs)
        pulled = _grads(outs, xs, dummies, True, strict)  # linear in the dummies
        products = _grads(pulled, dummies, vs, create_graph, strict)
    products = tuple(_finish(p, create_graph) for p in products)
    outs = tuple(_finish(o, create_graph) for o in outs)
    return (outs[0], products[0]) if isinstance(out, _C.Tensor) else (outs, products)


def _check_shapes(vs, likes):
    if len(vs) != len(likes) or any(v.shape != t.shape for v, t in zip(vs, likes)):
        raise RuntimeError(f"v has sizes {[tuple(v.shape) for v in vs]}, expected {[tuple(t.shape) for t in likes]}")


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), H v) for a function returning one number."""
    single = isinstance(inputs, _C.Tensor)
    with _C.enable_grad():
        xs = _prepare(_as_tuple(inputs), create_graph)
        out = func(*xs)
        if not isinstance(out, _C.Tensor) or out.numel() != 1:
            raise RuntimeError("hvp: the function must return a tensor with a single element")
        vs = tuple(_C.ones_like(x) for x in xs) if v is None else _as_tuple(v)
        _check_shapes(vs, xs)
        first = _grads((out,), xs, (_C.ones_like(out),), True, strict)
        second = tuple(_finish(g, create_graph) for g in _grads(first, xs, vs, create_graph, strict))
    return _finish(out, create_graph), (second[0] if single else second)


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), v H): as hvp, the Hessian being symmetric."""
    return hvp(func, inputs, v, create_graph, strict)
