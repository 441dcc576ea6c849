"""Functions of functions: gradients, Jacobians, per-sample maps, and modules called with other parameters.

The tape does the work: `grad` and its like differentiate with create_graph and cut the result from the tape when nothing outside asks
for its history, so they nest. `vmap` calls the function once for each sample and stacks the results: the semantics of PyTorch's,
not its speed. `jacfwd` gives what `jacrev` gives, by the same reverse passes.
"""
import functools

from . import _C
from .nn.utils.stateless import functional_call
from .utils._pytree import tree_flatten, tree_map, tree_unflatten

__all__ = ["functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize",
           "replace_all_batch_norm_modules_", "stack_module_state", "vjp", "vmap"]


# ---- fresh inputs, and results cut loose

def _fresh(tree):
    """(the tree with own tensors that require gradients, those tensors): connected to the originals where these require one."""
    def own(x):
        if not isinstance(x, _C.Tensor):
            raise TypeError(f"expected tensors to differentiate with respect to, got {type(x).__name__}")
        if not x.is_floating_point() and not getattr(x, "is_complex", bool)():
            raise RuntimeError(f"only floating-point tensors can be differentiated, got {x.dtype}")
        return x.view_as(x) if x.requires_grad else x.detach().requires_grad_(True)
    leaves, spec = tree_flatten(tree)
    leaves = [own(x) for x in leaves]
    return tree_unflatten(leaves, spec), leaves


def _reaches_others(tensors, own):
    """Does the history of the tensors end at a leaf that is not among `own`?"""
    ids, seen, todo = {id(x) for x in own if x.grad_fn is None}, set(), [t.grad_fn for t in tensors if t.grad_fn is not None]
    if any(t.grad_fn is None and t.requires_grad and id(t) not in ids for t in tensors):
        return True
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if leaf is not None and id(leaf) not in ids:
            return True
        todo += [n for n, _ in node.next_functions]
    return False


def _cut(tree, own):
    """The tree's tensors without history, unless that reaches further than our own inputs."""
    tensors = [x for x in tree_flatten(tree)[0] if isinstance(x, _C.Tensor) and x.requires_grad]
    if not tensors or (_C.is_grad_enabled() and _reaches_others(tensors, own)):
        return tree
    return tree_map(lambda x: x.detach() if isinstance(x, _C.Tensor) and x.requires_grad else x, tree)


def _gradients(outputs, inputs, seeds):
    pairs = [(o, s) for o, s in zip(outputs, seeds) if isinstance(o, _C.Tensor) and o.requires_grad]
    if not pairs:
        return [_C.zeros_like(x) for x in inputs]
    found = _C.grad([o for o, _ in pairs], inputs, [s for _, s in pairs], retain_graph=True, create_graph=True, allow_unused=True)
    return [_C.zeros_like(x) if g is None else g for x, g in zip(inputs, found)]


def _chosen(args, argnums, name):
    """The arguments at argnums: one of them, or a tuple."""
    if not isinstance(argnums, int) and len(set(argnums)) != len(argnums):
        raise RuntimeError(f"{name}: argnums elements must be unique, got {argnums}")
    for i in (argnums,) if isinstance(argnums, int) else argnums:
        if not isinstance(i, int) or not -len(args) <= i < len(args):
            raise RuntimeError(f"{name}: got argnum={i}, but only {len(args)} positional inputs")
    return args[argnums] if isinstance(argnums, int) else tuple(args[i] for i in argnums)


def _replaced(args, argnums, values):
    args = list(args)
    for i, v in ((argnums, values),) if isinstance(argnums, int) else zip(argnums, values):
        args[i] = v
    return args


# ---- derivatives

def grad_and_value(func, argnums=0, has_aux=False):
    """A function returning (the gradient of func's scalar output with respect to the arguments at argnums, the output).

    has_aux: func returns (output, auxiliary data); the result is then (gradient, (output, data)).
    """
    @functools.wraps(func)
    def wrapped(*args, **kwargs):
        with _C.enable_grad():
            inputs, leaves = _fresh(_chosen(args, argnums, "grad"))
            out = func(*_replaced(args, argnums, inputs), **kwargs)
            aux = None
            if has_aux:
                if not isinstance(out, tuple) or len(out) != 2:
                    raise RuntimeError("grad_and_value(f)(*args): output of function f should be a tuple: (output, aux) if has_aux is "
                                       "True")
                out, aux = out
            if not isinstance(out, _C.Tensor):
                raise RuntimeError(f"grad_and_value(f)(*args): Expected f(*args) to return one tensor, got {type(out).__name__}")
            if out.ndim:
                raise RuntimeError("grad_and_value(f)(*args): Expected f(*args) to return a scalar tensor, got tensor with "
                                   f"{out.ndim} dims.")
            grads = _gradients([out], leaves, [_C.ones_like(out)])
        grads = tree_unflatten(_cut(grads, leaves), tree_flatten(inputs)[1])
        return (grads, (_cut(out, leaves), _cut(aux, leaves))) if has_aux else (grads, _cut(out, leaves))
    return wrapped


def grad(func, argnums=0, has_aux=False):
    """A function returning the gradient of func's scalar output with respect to the arguments, and the data if has_aux."""
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapped(*args, **kwargs):
        grads, value = both(*args, **kwargs)
        return (grads, value[1]) if has_aux else grads
    return wrapped


def vjp(func, *primals, has_aux=False):
    """(func(*primals), vjp_fn): vjp_fn(v) gives vᵀJ as a tuple, one entry for each primal; v has the output's structure."""
    with _C.enable_grad():
        inputs, leaves = _fresh(primals)
        out = func(*inputs)
        aux = None
        if has_aux:
            out, aux = out
    outs, out_spec = tree_flatten(out)

    def vjp_fn(cotangents, retain_graph=True, create_graph=None):
        seeds, spec = tree_flatten(cotangents)
        if spec != out_spec:
            raise RuntimeError(f"Expected pytree structure of cotangents to be the same as pytree structure of outputs to the function. "
                               f"cotangents: {spec}, primal output: {out_spec}")
        with _C.enable_grad():
            grads = _cut(_gradients(outs, leaves, seeds), [*leaves, *(s for s in seeds if not s.requires_grad)])
        return tree_unflatten(grads, tree_flatten(inputs)[1])
    result = _cut(out, leaves)
    return (result, vjp_fn, _cut(aux, leaves)) if has_aux else (result, vjp_fn)


def jvp(func, primals, tangents, *, strict=False, has_aux=False):
    """(func(*primals), J t): the derivative along the tangents, as the derivative of vᵀJ, which is linear in v."""
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise RuntimeError("jvp(f, primals, tangents): Expected primals and tangents to be tuples")
    with _C.enable_grad():
        inputs, leaves = _fresh(primals)
        directions, spec = tree_flatten(tangents)
        if spec != tree_flatten(primals)[1] or any(d.shape != x.shape for d, x in zip(directions, leaves)):
            raise RuntimeError("jvp(f, primals, tangents): Expected primals and tangents to have the same python structure and shapes")
        out = func(*inputs)
        aux = None
        if has_aux:
            out, aux = out
        outs, out_spec = tree_flatten(out)
        seeds = [_C.zeros_like(o).requires_grad_(True) for o in outs]
        pulled = _gradients(outs, leaves, seeds)
        products = _gradients(pulled, seeds, directions)
    own = [*leaves, *seeds]
    results = _cut(out, leaves), tree_unflatten(_cut(products, own), out_spec)
    return (*results, _cut(aux, leaves)) if has_aux else results


def linearize(func, *primals):
    """(func(*primals), a function of tangents that gives the derivative along them there)."""
    return func(*primals), lambda *tangents: jvp(func, primals, tangents)[1]


def jacrev(func, argnums=0, *, has_aux=False, chunk_size=None):
    """A function returning the Jacobian (output shape + input shape) with respect to the arguments at argnums, row by row."""
    @functools.wraps(func)
    def wrapped(*args, **kwargs):
        with _C.enable_grad():
            inputs, leaves = _fresh(_chosen(args, argnums, "jacrev"))
            in_spec = tree_flatten(inputs)[1]
            out = func(*_replaced(args, argnums, inputs), **kwargs)
            aux = None
            if has_aux:
                out, aux = out
            outs, out_spec = tree_flatten(out)
            blocks = []
            for o in outs:
                rows = []
                for i in range(o.numel()):
                    seed = _C.zeros_like(o).reshape(-1)
                    seed[i] = 1
                    rows.append(_gradients([o], leaves, [seed.reshape(o.shape)]))
                shape = tuple(o.shape)
                blocks.append([_C.stack([r[k] for r in rows]).reshape(shape + tuple(x.shape)) if rows else
                               x.new_zeros(shape + tuple(x.shape)) for k, x in enumerate(leaves)])
        blocks = [tree_unflatten(_cut(b, leaves), in_spec) for b in blocks]
        result = tree_unflatten(blocks, out_spec)
        return (result, _cut(aux, leaves)) if has_aux else result
    return wrapped


def jacfwd(func, argnums=0, has_aux=False, *, randomness="error"):
    """The Jacobian, as jacrev's."""
    return jacrev(func, argnums, has_aux=has_aux)


def hessian(func, argnums=0):
    """A function returning the second derivatives of func: jacfwd(jacrev(func))."""
    return jacfwd(jacrev(func, argnums), argnums)


# ---- maps over samples

def _dims_for(dims, tree, what):
    """One dim (or None) for each leaf of the tree, from an int or a tree of ints that is a prefix of it."""
    if dims is None or isinstance(dims, int):
        return [dims] * len(tree_flatten(tree)[0])
    items = list(tree.values()) if isinstance(tree, dict) else tree
    parts = list(dims.values()) if isinstance(dims, dict) else dims
    if not isinstance(items, (list, tuple)) or len(parts) != len(items):
        raise ValueError(f"vmap: {what} is not compatible with the structure of the {'inputs' if what == 'in_dims' else 'outputs'}, "
                         f"got {dims}")
    return [d for part, item in zip(parts, items) for d in _dims_for(part, item, what)]


def vmap(func, in_dims=0, out_dims=0, randomness="error", *, chunk_size=None):
    """A function that maps func over dimension in_dims of its inputs and stacks the results at out_dims.

    in_dims: an int, or ints and None (not mapped) in the structure of the positional arguments; keyword arguments are mapped over 0.
    The function is called once for each sample: as slow as a loop, and it may branch on values. randomness="same" draws the same
    numbers for each sample, "different" and (here) "error" go on drawing.
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")

    name = getattr(func, "__name__", func)
    where = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>)"

    @functools.wraps(func)
    def mapped(*args, **kwargs):
        leaves, spec = tree_flatten((args, kwargs))
        dims = _dims_for(in_dims, args, "in_dims") + _dims_for(0, kwargs, "in_dims")
        sizes = set()
        for x, d in zip(leaves, dims):
            if d is None:
                continue
            if not isinstance(x, _C.Tensor):
                raise ValueError(f"{where}: Got in_dim={d} for an input but the input is of type {type(x)}. We cannot vmap over "
                                 "non-Tensor arguments, please use None as the respective in_dim")
            if not -x.ndim <= d < x.ndim:
                raise ValueError(f"{where}: Got in_dim={d} for some input, but that input is a Tensor of dimensionality {x.ndim} so "
                                 f"expected in_dim to satisfy -{x.ndim} <= in_dim < {x.ndim}.")
            sizes.add(x.shape[d])
        if len(sizes) != 1:
            raise ValueError("vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
                             f"{sorted(sizes)} for the mapped dimension" if sizes else
                             "vmap: got no inputs to map over; at least one in_dim must not be None")
        columns = [x if d is None else x.unbind(d) for x, d in zip(leaves, dims)]
        state, results, out_spec = _C.default_generator.get_state() if randomness == "same" else None, [], None
        for i in range(sizes.pop()):
            if state is not None:
                _C.default_generator.set_state(state)
            a, k = tree_unflatten([c if d is None else c[i] for c, d in zip(columns, dims)], spec)
            out, out_spec = tree_flatten(func(*a, **k))
            if not all(isinstance(o, _C.Tensor) for o in out):
                bad = next(type(o) for o in out if not isinstance(o, _C.Tensor))
                raise ValueError(f"vmap({name}, ...): `{name}` must only return Tensors, got type {bad} as a return.")
            results.append(out)
        if not results:
            raise NotImplementedError("vmap: a mapped dimension of size 0 gives no result to take the shape from")
        at = _dims_for(out_dims, tree_unflatten(results[0], out_spec), "out_dims")
        stacked = [column[0] if d is None else _C.stack(column, d) for column, d in zip(map(list, zip(*results)), at)]
        return tree_unflatten(stacked, out_spec)
    return mapped


# ---- modules as functions

def replace_all_batch_norm_modules_(root):
    """Makes batch norms within root use the statistics of each batch alone, in place: they keep no buffers that a map over samples would
    have to write to. Returns root."""
    from .nn.modules.batchnorm import _BatchNorm
    for module in root.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root


def stack_module_state(models):
    """(parameters, buffers): dicts of the models' tensors of one name stacked along a new first dimension, for vmap over an ensemble."""
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if not (all(m.training for m in models) or all(not m.training for m in models)):
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if not all(type(m) is type(models[0]) for m in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")

    def stacked(named):
        columns = [dict(named(m)) for m in models]
        with _C.no_grad():
            out = {k: _C.stack([c[k] for c in columns]) for k in columns[0]}
        return {k: v.requires_grad_(columns[0][k].requires_grad) for k, v in out.items()}
    return stacked(lambda m: m.named_parameters()), stacked(lambda m: m.named_buffers())
