"""Pruning: parameters times masks of zeros and ones.

Pruning module.weight makes weight_orig the parameter, weight_mask a buffer, and weight their product, computed before each forward;
`remove` makes it permanent. Pruning again keeps what is pruned and chooses among the rest.
"""
import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable

from ... import _C
from .convert_parameters import parameters_to_vector

__all__ = ["BasePruningMethod", "CustomFromMask", "Identity", "L1Unstructured", "LnStructured", "PruningContainer", "RandomStructured",
           "RandomUnstructured", "custom_from_mask", "global_unstructured", "identity", "is_pruned", "l1_unstructured", "ln_structured",
           "random_structured", "random_unstructured", "remove"]


def _methods(module):
    """[(key among the pre-hooks, pruning method)]."""
    return [(key, h.hook) for key, h in module._forward_pre_hooks.items() if isinstance(h.hook, BasePruningMethod)]


class BasePruningMethod(ABC):
    """How a mask is made. A subclass names its PRUNING_TYPE ("unstructured", "structured" or "global") and gives compute_mask."""

    def __call__(self, module, inputs):
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t, default_mask):
        """The new mask for the importance scores t, with zeros at least where default_mask has them."""

    def apply_mask(self, module):
        """The parameter times its mask."""
        return getattr(module, self._tensor_name + "_mask").to(dtype=getattr(module, self._tensor_name + "_orig").dtype) * getattr(
            module, self._tensor_name + "_orig")

    @classmethod
    def apply(cls, module, name, *args, importance_scores=None, **kwargs):
        """Prunes module.name by cls(*args, **kwargs), by its values or by importance_scores of their shape."""
        method = cls(*args, **kwargs)
        method._tensor_name = name
        earlier = [(key, m) for key, m in _methods(module) if m._tensor_name == name]
        if len(earlier) > 1:
            raise AssertionError(f"Avoid adding multiple pruning hooks to the same tensor {name} of module {module}. Use a "
                                 "PruningContainer.")
        orig = getattr(module, name + "_orig") if earlier else getattr(module, name)
        default = getattr(module, name + "_mask") if earlier else _C.ones_like(orig).detach()
        scores = getattr(module, name) if importance_scores is None else importance_scores
        if scores.shape != orig.shape:
            raise AssertionError(f"importance_scores should have the same shape as parameter {name} of {module}")
        for _, before in earlier:  # several methods on one tensor are one hook
            method = PruningContainer(*(before if isinstance(before, PruningContainer) else [before]), method)
        mask = method.compute_mask(scores.detach(), default.detach())  # what raises leaves the module as it was
        for key, _ in earlier:
            del module._forward_pre_hooks[key]
        if not earlier:
            del module._parameters[name]
            module.register_parameter(name + "_orig", orig)
            module.register_buffer(name + "_mask", mask)
        else:
            setattr(module, name + "_mask", mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t, default_mask=None, importance_scores=None):
        """t with the chosen elements zeroed; no module is changed."""
        scores = t if importance_scores is None else importance_scores
        if scores.shape != t.shape:
            raise AssertionError("importance_scores should have the same shape as tensor t")
        return t * self.compute_mask(scores, _C.ones_like(t) if default_mask is None else default_mask)

    def remove(self, module):
        """Makes the pruned values the parameter."""
        name = self._tensor_name
        orig = module._parameters.pop(name + "_orig")
        orig.data = orig.detach() * getattr(module, name + "_mask").to(orig.dtype)
        del module._buffers[name + "_mask"]
        if name in module.__dict__:
            delattr(module, name)
        setattr(module, name, orig)


class PruningContainer(BasePruningMethod):
    """Several methods, one after the other, on one tensor."""

    def __init__(self, *args):
        self._pruning_methods = ()
        self._tensor_name = args[0]._tensor_name if args and isinstance(args[0], BasePruningMethod) else None
        for method in args[0] if len(args) == 1 and isinstance(args[0], Iterable) else args:
            self.add_pruning_method(method)

    def add_pruning_method(self, method):
        """Adds one for the same tensor."""
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if self._tensor_name is not None and method._tensor_name != self._tensor_name:
            raise ValueError("Can only add pruning methods acting on the parameter named "
                             f"'{self._tensor_name}' to PruningContainer {self}. Found '{method._tensor_name}'")
        self._pruning_methods += (method,)

    def __len__(self):
        return len(self._pruning_methods)

    def __iter__(self):
        return iter(self._pruning_methods)

    def __getitem__(self, idx):
        return self._pruning_methods[idx]

    def compute_mask(self, t, default_mask):
        """The last method's mask for what is not pruned yet."""
        method, mask = self._pruning_methods[-1], default_mask.to(t.dtype)
        if method.PRUNING_TYPE == "structured":  # whole channels that still have something
            others = [d for d in range(t.dim()) if d != method.dim % t.dim()]
            kept = mask.sum(others) != 0 if others else mask != 0
            part = [slice(None)] * t.dim()
            part[method.dim] = kept
            part = tuple(part)
        elif method.PRUNING_TYPE in ("unstructured", "global"):
            part = mask == 1 if method.PRUNING_TYPE == "unstructured" else slice(None)
        else:
            raise ValueError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
        new = mask.clone()
        new[part] = method.compute_mask(t[part], default_mask=mask[part]).to(mask.dtype)
        return new


class Identity(BasePruningMethod):
    """Prunes nothing; makes the mask."""
    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t, default_mask):
        """As it was."""
        return default_mask


def _check(amount):
    if not isinstance(amount, numbers.Real):
        raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    if (isinstance(amount, numbers.Integral) and amount < 0) or (not isinstance(amount, numbers.Integral) and not 0 <= amount <= 1):
        raise ValueError(f"amount={amount} should either be a float in the range [0.0, 1.0] or a non-negative integer")


def _count(amount, size):
    """How many of size: amount itself, or that fraction."""
    if isinstance(amount, numbers.Integral):
        if amount > size:
            raise ValueError(f"amount={amount} should be smaller than the number of parameters to prune={size}")
        return int(amount)
    return round(amount * size)


class _ByAmount(BasePruningMethod):
    """Zeroes the elements that _scores ranks lowest: a number of them, or a fraction."""
    PRUNING_TYPE = "unstructured"

    def __init__(self, amount):
        _check(amount)
        self.amount = amount

    def compute_mask(self, t, default_mask):
        n = _count(self.amount, t.numel())
        mask = default_mask.clone(memory_format=_C.contiguous_format)
        if n:
            mask.view(-1)[self._scores(t).reshape(-1).topk(n, largest=False).indices] = 0
        return mask


class RandomUnstructured(_ByAmount):
    """Any elements."""

    def _scores(self, t):
        return _C.rand(t.shape)


class L1Unstructured(_ByAmount):
    """The smallest elements by absolute value."""

    def _scores(self, t):
        return t.abs()


class _Structured(BasePruningMethod):
    """Zeroes whole slices along dim that _scores ranks lowest."""
    PRUNING_TYPE = "structured"

    def __init__(self, amount, dim=-1):
        _check(amount)
        self.amount, self.dim = amount, dim

    def compute_mask(self, t, default_mask):
        if t.dim() < 2:
            raise ValueError(f"Structured pruning can only be applied to multidimensional tensors. Found tensor of shape {tuple(t.shape)} "
                             f"with {t.dim()} dims")
        if not -t.dim() <= self.dim < t.dim():
            raise IndexError(f"Invalid index {self.dim} for tensor of size {tuple(t.shape)}")
        n = _count(self.amount, t.shape[self.dim])
        if not n:
            return default_mask
        mask = _C.ones_like(t)
        mask.transpose(0, self.dim)[self._scores(t).topk(n, largest=False).indices] = 0
        return mask * default_mask.to(mask.dtype)


class RandomStructured(_Structured):
    """Any slices."""

    def _scores(self, t):
        return _C.rand(t.shape[self.dim])


class LnStructured(_Structured):
    """The slices of the smallest n-norm."""

    def __init__(self, amount, n, dim=-1):
        super().__init__(amount, dim)
        self.n = n

    def _scores(self, t):
        return t.norm(self.n, [d for d in range(t.dim()) if d != self.dim % t.dim()])


class CustomFromMask(BasePruningMethod):
    """Zeroes where a given mask does."""
    PRUNING_TYPE = "global"

    def __init__(self, mask):
        self.mask = mask

    def compute_mask(self, t, default_mask):
        """The given mask."""
        if default_mask.shape != self.mask.shape:
            raise AssertionError(f"mask must have shape {tuple(default_mask.shape)}, got {tuple(self.mask.shape)}")
        return default_mask * self.mask.to(default_mask.dtype)


def identity(module, name):
    """Makes name_orig, name_mask (ones) and the product. Returns the module, as all of these functions do."""
    Identity.apply(module, name)
    return module


def random_unstructured(module, name, amount):
    """Zeroes any elements: a number of them, or a fraction."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module, name, amount, importance_scores=None):
    """Zeroes the smallest elements: a number of them, or a fraction."""
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_structured(module, name, amount, dim):
    """Zeroes any slices along dim."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(module, name, amount, n, dim, importance_scores=None):
    """Zeroes the slices along dim of the smallest n-norm."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module, name, mask):
    """Zeroes where mask is zero."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(parameters, pruning_method, importance_scores=None, **kwargs):
    """Zeroes elements chosen among all of the (module, name) pairs together by a method such as L1Unstructured."""
    parameters = list(parameters)
    scores = importance_scores or {}
    if not isinstance(scores, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    t = parameters_to_vector([scores.get((m, n), getattr(m, n)).detach() for m, n in parameters])
    default = parameters_to_vector([getattr(m, n + "_mask", _C.ones_like(getattr(m, n))).detach() for m, n in parameters])
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(f'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method {pruning_method} of type '
                        f"{method.PRUNING_TYPE}")
    method._tensor_name = container_name = "temp"
    container = PruningContainer()
    container._tensor_name = container_name
    container.add_pruning_method(method)
    mask, start = container.compute_mask(t, default), 0
    for module, name in parameters:
        p = getattr(module, name)
        custom_from_mask(module, name, mask[start:start + p.numel()].view_as(p))
        start += p.numel()


def remove(module, name):
    """Makes the pruning of module.name permanent: name is a parameter again, with zeros."""
    for key, method in _methods(module):
        if method._tensor_name == name:
            method.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise ValueError(f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed")


def is_pruned(module):
    """Is anything in it pruned?"""
    return any(_methods(m) for m in module.modules())
