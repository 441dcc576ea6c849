"""gradcheck and gradgradcheck: the tape's derivatives against central differences. A complex tensor counts as its two parts."""
from .. import _C

__all__ = ["gradcheck", "gradgradcheck", "GradcheckError"]


class GradcheckError(RuntimeError):
    """Derivatives that differ; the text says where and by how much."""


def _tensors(x):
    return tuple(t for t in (x if isinstance(x, (tuple, list)) else (x,)) if isinstance(t, _C.Tensor))


def _differentiable(outputs):
    return [o for o in _tensors(outputs) if o.is_floating_point() or o.is_complex()]


def _parts(t):
    """The real numbers that t consists of."""
    return (_C.view_as_real(t.detach()) if t.is_complex() else t.detach()).reshape(-1)


def _like(parts, t):
    """A tensor like t of such numbers."""
    return _C.view_as_complex(parts.reshape(*t.shape, 2)) if t.is_complex() else parts.reshape(t.shape)


def _numerical(f, inputs, k, eps):
    """d outputs / d inputs[k] by central differences: per output a list of columns, one for each element of the input."""
    x = inputs[k]
    flat = _parts(x)
    columns = None
    with _C.no_grad():
        for i in range(flat.numel()):
            sides = []
            for sign in (1, -1):
                moved = flat.clone()
                moved[i] += sign * eps
                args = list(inputs)
                args[k] = _like(moved, x).requires_grad_(True)
                sides.append([_parts(o.detach().clone()) for o in _tensors(f(*args))])
            column = [(p - m) / (2 * eps) for p, m in zip(*sides)]
            columns = columns or [[] for _ in column]
            for list_, c in zip(columns, column):
                list_.append(c.tolist())
    return columns


def gradcheck(func, inputs, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, nondet_tol=0.0, check_undefined_grad=True,
              check_grad_dtypes=False, check_batched_grad=False, check_batched_forward_grad=False, check_forward_ad=False,
              check_backward_ad=True, fast_mode=False, masked=None):
    """Does the tape give the derivatives that central differences give?

    Args:
        func: takes the inputs, returns a tensor or a tuple of them.
        inputs: a tensor or tuple; those that require grad are checked and should be float64 or complex128.
        eps, atol, rtol: step and tolerances.
        nondet_tol: how much the gradient may change when it is computed again.
        check_forward_ad, check_batched_grad, check_batched_forward_grad: NotImplementedError; there is the tape only.
        The others are accepted: the whole Jacobian is always compared, and gradients always have the dtype of their inputs.
    Returns True; on a difference raises GradcheckError, or returns False with raise_exception=False.
    """
    _refuse(check_forward_ad=check_forward_ad, check_batched_grad=check_batched_grad,
            check_batched_forward_grad=check_batched_forward_grad)
    if not check_backward_ad:
        raise NotImplementedError("gradcheck: check_backward_ad=False leaves nothing to check; there is no forward mode")
    inputs = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
    try:
        _check(func, tuple(inputs), eps, atol, rtol, nondet_tol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _refuse(**options):
    for name, value in options.items():
        if value:
            raise NotImplementedError(f"gradcheck: {name}=True is not implemented; derivatives come from the tape, one output element at a "
                                      "time. Leave it out")


def _differs(a, b, tolerance):
    return (a is None) != (b is None) or (a is not None and not a.allclose(b, 0.0, tolerance, True))


def _check(func, inputs, eps, atol, rtol, nondet_tol):
    checked = [k for k, x in enumerate(inputs) if isinstance(x, _C.Tensor) and x.requires_grad]
    if not checked:
        raise ValueError("gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True.")
    outputs = _differentiable(func(*inputs))
    wanted = [inputs[k] for k in checked]
    jacobians = [[] for _ in outputs]  # output -> list over its elements of the gradients of all checked inputs
    for o, rows in zip(outputs, jacobians):
        for i in range(_parts(o).numel() if o.requires_grad else 0):
            seed = _C.zeros_like(_parts(o))
            seed[i] = 1
            grads = _C.grad([o], wanted, [_like(seed, o)], retain_graph=True, allow_unused=True)
            for x, g in zip(wanted, grads):
                if g is not None and g.shape != x.shape:
                    raise GradcheckError(f"grad is incorrect size: {tuple(g.shape)} for an input of {tuple(x.shape)}")
            if i == 0:
                again = _C.grad([o], wanted, [_like(seed, o)], retain_graph=True, allow_unused=True)
                if any(_differs(a, g, nondet_tol) for a, g in zip(again, grads)):
                    raise GradcheckError("Backward is not reentrant: computed again, a gradient differs by more "
                                         f"than nondet_tol={nondet_tol}")
            rows.append([None if g is None else _parts(g).tolist() for g in grads])
    for at, k in enumerate(checked):
        numerical = _numerical(lambda *a: tuple(_differentiable(func(*a))), inputs, k, eps)
        for n, columns in enumerate(numerical or []):
            for j, column in enumerate(columns):
                for i, expected in enumerate(column):
                    got = jacobians[n][i][at] if jacobians[n] else None
                    got = 0.0 if got is None else got[j]
                    if not abs(got - expected) <= atol + rtol * abs(expected) and not got == expected:
                        raise GradcheckError(f"Jacobian mismatch for output {n} with respect to input {k}: d output[{i}] / d input[{j}] is "
                                             f"{got:.9g} by the tape, {expected:.9g} by central differences")


def gradgradcheck(func, inputs, grad_outputs=None, *, eps=1e-6, atol=1e-5, rtol=1e-3, gen_non_contig_grad_outputs=False,
                  raise_exception=True, nondet_tol=0.0, check_undefined_grad=True,
                  check_grad_dtypes=False, check_batched_grad=False, check_fwd_over_rev=False,
                  check_rev_over_rev=True, fast_mode=False, masked=False):
    """gradcheck of the gradient itself, as a function of the inputs and of grad_outputs (random when left out)."""
    _refuse(check_fwd_over_rev=check_fwd_over_rev, check_batched_grad=check_batched_grad)
    inputs = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    outputs = _differentiable(func(*inputs))
    if grad_outputs is None:
        grad_outputs = tuple(_C.randn_like(o).detach().requires_grad_(True) for o in outputs)
    else:
        grad_outputs = _tensors(grad_outputs)
    n = len(inputs)

    def gradient(*args):
        with _C.enable_grad():  # the numerical side calls it under no_grad
            outs = _differentiable(func(*args[:n]))
            wanted = [x for x in args[:n] if isinstance(x, _C.Tensor) and x.requires_grad]
            return _C.grad(outs, wanted, list(args[n:]), create_graph=True, allow_unused=True, materialize_grads=True)
    return gradcheck(gradient, inputs + grad_outputs, eps=eps, atol=atol, rtol=rtol, nondet_tol=nondet_tol, raise_exception=raise_exception)
