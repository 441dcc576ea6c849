"""Modules made of modules, and lists and dicts of parameters."""
import operator
import warnings
from collections import OrderedDict

from ... import _C
from ..module import Module
from ..parameter import Parameter

__all__ = ["Container", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"]


class _Numbered(Module):
    """Children named "0", "1", …; what Sequential and ModuleList share."""

    def _at(self, index):
        """The absolute index of an integer. IndexError when out of range."""
        n, i = len(self), operator.index(index)
        if not -n <= i < n:
            raise IndexError(f"index {i} is out of range")
        return i % n

    def _renumber(self, modules):
        self._modules.clear()
        for i, m in enumerate(modules):
            self.add_module(str(i), m)

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules.values())

    def __dir__(self):
        return [k for k in super().__dir__() if not k.isdigit()]

    def append(self, module):
        """Adds a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules):
        """Adds several modules at the end."""
        for m in list(modules):
            self.append(m)
        return self

    def insert(self, index, module):
        """Puts a module before the one at index."""
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        n = len(self)
        if not -n <= index <= n:
            raise IndexError(f"Index out of range: {index}")
        items = list(self)
        items.insert(index if index >= 0 else index + n, module)
        self._renumber(items)
        return self

    def pop(self, key):
        """Removes and returns the module at an index."""
        m = self[key]
        del self[key]
        return m


class Container(Module):
    """Deprecated: a module with these modules as attributes."""

    def __init__(self, **modules):
        super().__init__()
        warnings.warn("nn.Container is deprecated. All of it's functionality is now implemented in nn.Module. Subclass that instead.",
                      FutureWarning, stacklevel=2)
        for name, module in modules.items():
            self.add_module(name, module)


class Sequential(_Numbered):
    """Modules called one after another: `Sequential(a, b)` or `Sequential(OrderedDict(first=a, second=b))`."""

    def __init__(self, *args):
        super().__init__()
        named = args[0].items() if len(args) == 1 and isinstance(args[0], OrderedDict) else ((str(i), m) for i, m in enumerate(args))
        for name, m in named:
            self.add_module(name, m)

    def forward(self, input):
        for m in self._modules.values():
            input = m(input)
        return input

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(OrderedDict(list(self._modules.items())[index]))
        return list(self._modules.values())[self._at(index)]

    def __setitem__(self, index, module):
        setattr(self, list(self._modules)[self._at(index)], module)

    def __delitem__(self, index):
        names = list(self._modules)
        for name in names[index] if isinstance(index, slice) else [names[self._at(index)]]:
            delattr(self, name)
        self._renumber(list(self))

    def __add__(self, other):
        if not isinstance(other, Sequential):
            raise ValueError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")
        return Sequential(*self, *other)

    def __iadd__(self, other):
        return self.extend(other)

    def __mul__(self, times):
        if not isinstance(times, int) or times <= 0:
            raise ValueError(f"Non-positive or non-integer multiplication factor {times} for {type(self)}")
        return Sequential(*(m for _ in range(times) for m in self))

    __rmul__ = __mul__


class ModuleList(_Numbered):
    """A list of modules. It has no forward of its own."""

    def __init__(self, modules=None):
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return self._modules[str(self._at(index))]

    def __setitem__(self, index, module):
        setattr(self, str(self._at(index)), module)

    def __delitem__(self, index):
        items = list(self)
        del items[index if isinstance(index, slice) else self._at(index)]
        self._renumber(items)

    def __iadd__(self, modules):
        return self.extend(modules)

    def __add__(self, other):
        return ModuleList([*self, *other])

    def __repr__(self):
        if not len(self):
            return f"{self._get_name()}()"
        runs = []  # [first, last, text]: equal neighbours print as one line
        for i, text in enumerate(map(repr, self)):
            if runs and runs[-1][2] == text:
                runs[-1][1] = i
            else:
                runs.append([i, i, text])
        lines = []
        for first, last, text in runs:
            label = f"({first})" if first == last else f"({first}-{last})"
            times = "" if first == last else f"{last - first + 1} x "
            lines.append(f"{label}: {times}{text}".replace("\n", "\n  "))
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"


class ModuleDict(Module):
    """A dict of modules, in insertion order. It has no forward of its own."""

    def __init__(self, modules=None):
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key):
        return self._modules[key]

    def __setitem__(self, key, module):
        self.add_module(key, module)

    def __delitem__(self, key):
        del self._modules[key]

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules)

    def __contains__(self, key):
        return key in self._modules

    def clear(self):
        """Removes all."""
        self._modules.clear()

    def pop(self, key):
        """Removes and returns one."""
        return self._modules.pop(key)

    def keys(self):
        """The names."""
        return self._modules.keys()

    def items(self):
        """(name, module) pairs."""
        return self._modules.items()

    def values(self):
        """The modules."""
        return self._modules.values()

    def update(self, modules):
        """Adds the modules of a mapping or of (name, module) pairs."""
        pairs = modules.items() if hasattr(modules, "items") else modules
        if not hasattr(pairs, "__iter__"):
            raise TypeError(f"ModuleDict.update should be called with an iterable of key/value pairs, but got {type(modules).__name__}")
        for j, pair in enumerate(pairs):
            if not isinstance(pair, (tuple, list)):
                raise TypeError(f"ModuleDict update sequence element #{j} should be Iterable; is {type(pair).__name__}")
            if len(pair) != 2:
                raise ValueError(f"ModuleDict update sequence element #{j} has length {len(pair)}; 2 is required")
            self[pair[0]] = pair[1]


def _describe(label, value, kind_of=lambda t: t.dtype):
    if not isinstance(value, _C.Tensor):
        return f"  ({label}): Object of type: {type(value).__name__}"
    size = "x".join(map(str, value.shape))
    kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
    where = f" ({value.device})" if value.device.type != "cpu" else ""
    return f"  ({label}): {kind} containing: [{kind_of(value)} of size {size}{where}]"


def _as_member(value):
    return Parameter(value) if isinstance(value, _C.Tensor) and not isinstance(value, Parameter) and value.is_floating_point() else value


class ParameterList(Module):
    """A list of parameters; tensors put in become parameters, other objects are kept as they are."""

    def __init__(self, values=None):
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def _at(self, index):
        i = operator.index(index)
        if not -self._size <= i < self._size:
            raise IndexError(f"index {i} is out of range")
        return str(i % self._size)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return getattr(self, self._at(index))

    def __setitem__(self, index, value):
        setattr(self, self._at(index), _as_member(value))

    def __len__(self):
        return self._size

    def __iter__(self):
        return (getattr(self, str(i)) for i in range(self._size))

    def __iadd__(self, values):
        return self.extend(values)

    def append(self, value):
        """Adds one at the end."""
        self._size += 1
        self[self._size - 1] = value
        return self

    def extend(self, values):
        """Adds several at the end. TypeError for a single tensor."""
        if isinstance(values, _C.Tensor) or not hasattr(values, "__iter__"):
            raise TypeError(f"ParameterList.extend should be called with an iterable, but got {type(values).__name__}")
        for v in values:
            self.append(v)
        return self

    def extra_repr(self):
        return "\n".join(_describe(i, p) for i, p in enumerate(self))

    def __call__(self, *args, **kwargs):
        raise RuntimeError("ParameterList should not be called.")


class ParameterDict(Module):
    """A dict of parameters, in insertion order; tensors put in become parameters."""

    def __init__(self, parameters=None):
        super().__init__()
        self._keys = {}
        if parameters is not None:
            self.update(parameters)

    @staticmethod
    def _check(key):
        if not isinstance(key, str):
            raise TypeError(f"Index given to ParameterDict cannot be used as a key as it is not a string (type is '{type(key).__name__}').")
        return key

    def __getitem__(self, key):
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, self._check(key))

    def __setitem__(self, key, value):
        setattr(self, self._check(key), _as_member(value))
        self._keys[key] = None

    def __delitem__(self, key):
        del self._keys[key]
        delattr(self, key)

    def __len__(self):
        return len(self._keys)

    def __iter__(self):
        return iter(self._keys)

    def __contains__(self, key):
        return key in self._keys

    def __reversed__(self):
        return reversed(list(self._keys))

    def __or__(self, other):
        out = ParameterDict(self.items())
        out.update(other)
        return out

    def __ior__(self, other):
        self.update(other)
        return self

    def keys(self):
        """The names."""
        return self._keys.keys()

    def items(self):
        """(name, parameter) pairs."""
        return [(k, self[k]) for k in self._keys]

    def values(self):
        """The parameters."""
        return [self[k] for k in self._keys]

    def get(self, key, default=None):
        """The parameter of that name, or default."""
        return self[key] if key in self._keys else default

    def setdefault(self, key, default=None):
        """The parameter of that name, after adding default when there was none."""
        if key not in self._keys:
            self[key] = default
        return self[key]

    def pop(self, key):
        """Removes and returns one."""
        value = self[key]
        del self[key]
        return value

    def popitem(self):
        """Removes and returns the last (name, parameter)."""
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def clear(self):
        """Removes all."""
        for key in list(self._keys):
            del self[key]

    def copy(self):
        """Another ParameterDict of the same parameters."""
        return ParameterDict(self.items())

    def update(self, parameters):
        """Adds the parameters of a mapping or of (name, parameter) pairs."""
        for key, value in parameters.items() if hasattr(parameters, "items") else parameters:
            self[key] = value

    def extra_repr(self):
        return "\n".join(_describe(k, p, lambda t: t.type()) for k, p in self.items())

    def __call__(self, *args, **kwargs):
        raise RuntimeError("ParameterDict should not be called.")
