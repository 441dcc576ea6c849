"""Nested containers of values: flattened to a list of leaves and a TreeSpec that puts them back."""
from collections import OrderedDict, defaultdict, deque, namedtuple

__all__ = ["TreeSpec", "register_pytree_node", "tree_flatten", "tree_unflatten", "tree_map", "tree_map_", "tree_map_only", "tree_leaves",
           "tree_structure", "tree_all", "tree_any", "tree_iter"]

_Node = namedtuple("_Node", "flatten unflatten")
_NODES = {
    list: _Node(lambda x: (list(x), None), lambda values, _: list(values)),
    tuple: _Node(lambda x: (list(x), None), lambda values, _: tuple(values)),
    dict: _Node(lambda x: (list(x.values()), list(x)), lambda values, keys: dict(zip(keys, values))),
    OrderedDict: _Node(lambda x: (list(x.values()), list(x)), lambda values, keys: OrderedDict(zip(keys, values))),
    defaultdict: _Node(lambda x: (list(x.values()), [x.default_factory, list(x)]),
                       lambda values, context: defaultdict(context[0], zip(context[1], values))),
    deque: _Node(lambda x: (list(x), x.maxlen), lambda values, maxlen: deque(values, maxlen=maxlen)),
}
_NAMEDTUPLE = _Node(lambda x: (list(x), type(x)), lambda values, cls: cls(*values))


def register_pytree_node(cls, flatten_fn, unflatten_fn, **names):
    """Makes a class a container: flatten_fn(x) gives (children, context), unflatten_fn(children, context) the container."""
    if cls in _NODES:
        raise ValueError(f"{cls} is already registered as pytree node.")
    _NODES[cls] = _Node(flatten_fn, unflatten_fn)


def _node_of(tree):
    node = _NODES.get(type(tree))
    return _NAMEDTUPLE if node is None and isinstance(tree, tuple) and hasattr(tree, "_fields") else node


class TreeSpec:
    """The shape of a nested container; a leaf's has type None."""

    def __init__(self, type, context, children_specs):
        self.type, self.context, self.children_specs = type, context, children_specs
        self.num_leaves = sum(c.num_leaves for c in children_specs) if type is not None else 1
        self.num_children = len(children_specs)

    def is_leaf(self):
        """Is it a single value?"""
        return self.type is None

    def unflatten(self, leaves):
        """tree_unflatten(leaves, self)."""
        return tree_unflatten(leaves, self)

    def __eq__(self, other):
        return isinstance(other, TreeSpec) and (self.type, self.context, self.children_specs) == \
            (other.type, other.context, other.children_specs)

    def __hash__(self):
        return hash((self.type, self.num_leaves))

    def __repr__(self):
        return "*" if self.type is None else f"TreeSpec({self.type.__name__}, {self.context}, {self.children_specs})"


def tree_flatten(tree, is_leaf=None):
    """(its leaves from left to right, its TreeSpec); is_leaf(x) may stop at a container."""
    node = None if is_leaf is not None and is_leaf(tree) else _node_of(tree)
    if node is None:
        return [tree], TreeSpec(None, None, [])
    children, context = node.flatten(tree)
    leaves, specs = [], []
    for child in children:
        some, spec = tree_flatten(child, is_leaf)
        leaves += some
        specs.append(spec)
    return leaves, TreeSpec(type(tree), context, specs)


def tree_unflatten(leaves, treespec):
    """The container of that shape with these leaves."""
    leaves = list(leaves)
    if len(leaves) != treespec.num_leaves:
        raise ValueError(f"tree_unflatten(leaves, treespec): `leaves` has length {len(leaves)} but the spec refers to a pytree that holds "
                         f"{treespec.num_leaves} items ({treespec}).")
    if treespec.type is None:
        return leaves[0]
    children, start = [], 0
    for spec in treespec.children_specs:
        children.append(tree_unflatten(leaves[start:start + spec.num_leaves], spec))
        start += spec.num_leaves
    node = _NODES.get(treespec.type, _NAMEDTUPLE)
    return node.unflatten(children, treespec.context)


def tree_leaves(tree, is_leaf=None):
    """Its leaves from left to right."""
    return tree_flatten(tree, is_leaf)[0]


def tree_iter(tree, is_leaf=None):
    """An iterator over its leaves."""
    return iter(tree_leaves(tree, is_leaf))


def tree_structure(tree, is_leaf=None):
    """Its TreeSpec."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func, tree, *rests, is_leaf=None):
    """func of the leaves of one tree, or of several of the same shape, in a tree of that shape."""
    leaves, spec = tree_flatten(tree, is_leaf)
    others = [_leaves_up_to(spec, r) for r in rests]
    return tree_unflatten([func(*xs) for xs in zip(leaves, *others)], spec)


def _leaves_up_to(spec, tree):
    if spec.type is None:
        return [tree]
    node = _node_of(tree)
    children = node.flatten(tree)[0] if node else []
    if type(tree) is not spec.type or len(children) != spec.num_children:
        raise ValueError(f"Node type mismatch; expected {spec.type}, but got {type(tree)}.")
    return [leaf for s, c in zip(spec.children_specs, children) for leaf in _leaves_up_to(s, c)]


def tree_map_(func, tree, *rests, is_leaf=None):
    """tree_map for what func does; returns the tree itself."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def tree_map_only(type_or_types, func, tree, is_leaf=None):
    """tree_map that leaves values of other types as they are."""
    return tree_map(lambda x: func(x) if isinstance(x, type_or_types) else x, tree, is_leaf=is_leaf)


def tree_all(pred, tree, is_leaf=None):
    """Does pred hold for all leaves?"""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred, tree, is_leaf=None):
    """Does pred hold for a leaf?"""
    return any(map(pred, tree_leaves(tree, is_leaf)))
