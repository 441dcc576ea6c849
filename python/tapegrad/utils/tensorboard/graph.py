"""A model as TensorBoard's graph: one run, whose tape gives operations and edges, and whose modules give the names' levels."""
from ... import _C
from . import wire

__all__ = ["graph"]


def _flatten(x):
    if isinstance(x, _C.Tensor):
        return [x]
    if isinstance(x, dict):
        x = x.values()
    return [t for y in x for t in _flatten(y)] if hasattr(x, "__iter__") and not isinstance(x, str) else []


class _Names:
    """Unique names below the module in which something first appeared."""

    def __init__(self):
        self.used = {}

    def new(self, scope, name):
        full = f"{scope}/{name}" if scope else name
        n = self.used[full] = self.used.get(full, -1) + 1
        return f"{full}_{n}" if n else full


def _recorded(*outputs):
    """The nodes of the tape behind tensors, each after those it was computed from."""
    order, seen, stack = [], set(), [(t.grad_fn, False) for t in outputs if t.grad_fn is not None]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(f, False) for f, _ in node.next_functions if f is not None and f not in seen]
    return order


def graph(model, inputs):
    """The bytes of a GraphDef. The model runs once, in its mode, on copies of the inputs."""
    inputs = list(inputs) if isinstance(inputs, (tuple, list)) else [inputs]
    inputs = [x.detach().clone().requires_grad_(x.is_floating_point()) if isinstance(x, _C.Tensor) else x for x in inputs]
    top = type(model).__name__
    paths = {m: "/".join([top, *filter(None, name.split("."))]) for name, m in model.named_modules()}
    scopes = {}  # node of the tape -> path of the innermost module that made it

    def leave(module, args, output):
        for node in _recorded(*_flatten(output)):
            scopes.setdefault(node, paths[module])
    handles = [m.register_forward_hook(leave) for m in paths]
    try:
        with _C.enable_grad():
            outputs = _flatten(model(*inputs))
    finally:
        for h in handles:
            h.remove()

    names, nodes = _Names(), []

    def add(scope, name, op, sources=(), shape=None):
        name = names.new(scope, name)
        nodes.append(_node(name, op, sources, shape))
        return name
    known = {}  # id of a leaf -> its name in the graph
    for i, x in enumerate(t for t in _flatten(inputs)):
        known[id(x)] = add("input", str(i), "Input", shape=x.shape)
    for module in paths:
        for name, p in module.named_parameters(recurse=False):
            if id(p) not in known:
                known[id(p)] = add(paths[module], name, "Parameter", shape=p.shape)
    made = {}

    def source(node):
        if node in made:
            return made[node]
        leaf = getattr(node, "variable", None)
        if leaf is None:
            return None
        if id(leaf) not in known:
            known[id(leaf)] = add("", "constant", "Constant", shape=leaf.shape)
        return known[id(leaf)]
    for node in _recorded(*outputs):
        if getattr(node, "variable", None) is not None:
            continue
        op = node.name().removesuffix("0").removesuffix("Backward")
        sources = [source(f) for f, _ in node.next_functions if f is not None]
        made[node] = add(scopes.get(node, top), op, op, [s for s in sources if s])
    for i, t in enumerate(outputs):
        s = source(t.grad_fn) if t.grad_fn is not None else known.get(id(t))
        add("output", str(i), "Output", [s] if s else [], t.shape)
    return b"".join(nodes) + wire.message(4, wire.integer(1, 22))


def _node(name, op, sources, shape):
    """A NodeDef; shapes go where TensorBoard looks for those of outputs."""
    attribute = b""
    if shape is not None:
        dims = b"".join(wire.message(2, wire.integer(1, n)) for n in shape)
        attribute = wire.message(5, wire.text(1, "_output_shapes"), wire.message(2, wire.message(1, wire.message(7, dims))))
    return wire.message(1, wire.text(1, name), wire.text(2, op), *(wire.text(3, s) for s in sources), attribute)
