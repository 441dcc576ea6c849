"""Sample inputs of every op, from the texts in the op table.

A sample is an argument list as a Python expression: "T(2, 3), [0], keepdim=True". Evaluating it gives leaves (NumPy arrays
with a kind), not tensors, so the same inputs go to tapegrad and to PyTorch, in any dtype and memory layout.
Values depend only on (op name, sample text, position), never on the order of the table. Floats are distinct and keep 0.02
away from multiples of 0.5, so that relu, max, sort, round ... are smooth where they are differentiated.
"""
import functools
import hashlib
import math

import numpy as np

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
FLOATS = ["float16", "bfloat16", "float32", "float64"]
COMPLEX = ["complex64", "complex128"]
LAYOUTS = ["transposed", "sliced", "broadcast"]

# Results that depend on the random stream: compared by shape and dtype, and statistically in test_random.py.
RANDOM = {"rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "bernoulli", "multinomial",
          "normal", "poisson", "uniform_", "normal_", "bernoulli_", "random_", "exponential_", "dropout",
          "feature_dropout", "alpha_dropout", "dropout1d", "dropout2d", "dropout3d", "log_normal_", "geometric_",
          "cauchy_", "binomial", "rrelu", "rrelu_", "gumbel_softmax", "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided",
          "empty_permuted"}


class Leaf:
    """One array argument. kind: "float", "complex", "int", "bool"; dtype: its own dtype name, or None to follow the sample's."""

    def __init__(self, array, kind, dtype=None, grad=False):
        self.array, self.kind, self.dtype, self.grad = array, kind, dtype, grad

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: Derived(self, name, args, kwargs)

    def __getitem__(self, index):
        return Derived(self, "__getitem__", (index,), {})

    def __neg__(self):
        return Derived(self, "neg", (), {})


class Derived:
    """A view or function of a leaf inside a sample: T(2, 3).transpose(0, 1), T(4)[::2]. `name` is a method's, or a function."""

    def __init__(self, of, name, args, kwargs):
        self.of, self.name, self.args, self.kwargs = of, name, args, kwargs

    __getattr__, __getitem__ = Leaf.__getattr__, Leaf.__getitem__


class Word:
    """A name that each library spells as its own attribute: float32, channels_last, ..."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return self.name


class Words:
    """`torch.float32` or `tapegrad.float32` inside a sample."""

    def __getattr__(self, name):
        return Word(name)


class Seeded:
    """G(3): a generator with that seed."""

    def __init__(self, seed):
        self.seed = seed


class Stream:
    """SplitMix64 seeded by a text: the same numbers with every version of NumPy, so golden values need no stored inputs."""

    def __init__(self, *key):
        digest = hashlib.sha256("|".join(map(str, key)).encode()).digest()
        self.state = np.uint64(int.from_bytes(digest[:8], "little"))

    def words(self, n):
        with np.errstate(over="ignore"):
            z = self.state + np.uint64(0x9E3779B97F4A7C15) * np.arange(1, n + 1, dtype=np.uint64)
            self.state = self.state + np.uint64(0x9E3779B97F4A7C15) * np.uint64(n)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            return z ^ (z >> np.uint64(31))

    def random(self, shape=()):
        n = math.prod(shape)
        return ((self.words(n) >> np.uint64(11)) * 2.0**-53).reshape(shape)

    def uniform(self, lo, hi, shape):
        return lo + (hi - lo) * self.random(shape)

    def integers(self, lo, hi, shape):
        return lo + np.floor(self.random(shape) * (hi - lo)).astype(np.int64)

    def permutation(self, n):
        return np.argsort(self.random((n,)), kind="stable")


def distinct(rng, shape, lo, hi):
    """Distinct floats spread over (lo, hi), away from multiples of 0.5."""
    n = math.prod(shape)
    steps = (rng.permutation(n) + 0.5 + rng.uniform(-0.3, 0.3, (n,))) / max(n, 1)
    x = lo + (hi - lo) * steps
    near = np.round(2 * x) / 2
    gap = min(0.02, 0.02 * (hi - lo))
    off = x - near
    x = np.where(np.abs(off) < gap, near + np.where(off < 0, -1, 1) * (gap + np.abs(off)), x)
    return x.reshape(shape)


def _dtype_name(dtype):
    if dtype is None or dtype is float:
        return None
    if isinstance(dtype, type):
        return {int: "int64", bool: "bool"}[dtype]
    return getattr(dtype, "name", None) or str(dtype).split(".")[-1]


def _kind(dtype_name):
    return "bool" if dtype_name == "bool" else "complex" if "complex" in dtype_name else "float" if "float" in dtype_name else "int"


def makers(key):
    """The names a sample may use. `key` seeds the values."""
    count = iter(range(1000))

    def rng():
        return Stream(*key, next(count))

    def tensor(*shape, lo=-2, hi=2, dtype=float, grad=True):
        name = _dtype_name(dtype)
        if name is not None and _kind(name) != "float":
            return integers(*shape, lo=int(lo), hi=int(hi) + 1, dtype=name) if _kind(name) == "int" else booleans(*shape)
        return Leaf(distinct(rng(), shape, lo, hi), "float", name, grad)

    def positive(*shape, lo=0.25, hi=2.5, **kw):
        return tensor(*shape, lo=lo, hi=hi, **kw)

    def integers(*shape, lo=0, hi=5, dtype="int64"):
        return Leaf(rng().integers(lo, hi, shape), "int", _dtype_name(dtype) or "int64")

    def complex_numbers(*shape, dtype=None, grad=True):
        return Leaf(distinct(rng(), shape, -2, 2) + 1j * distinct(rng(), shape, -2, 2), "complex", _dtype_name(dtype), grad)

    def booleans(*shape):
        r = rng().random(shape) < 0.5
        if r.size > 1 and (r.all() or not r.any()):
            r.flat[0] = not r.flat[0]
        return Leaf(r, "bool", "bool")

    def constant(*values, dtype=None):
        array = np.array(values[0] if len(values) == 1 and isinstance(values[0], (list, tuple)) else values)
        name = _dtype_name(dtype)
        kind = {"b": "bool", "i": "int", "f": "float", "c": "complex"}[array.dtype.kind]
        if name is not None:
            kind = _kind(name)
        return Leaf(array.astype({"bool": bool, "int": np.int64, "float": np.float64, "complex": np.complex128}[kind]), kind,
                    name if name else {"bool": "bool", "int": "int64", "float": None, "complex": None}[kind])

    def symmetric(*shape):
        """(…, n, n) for (…, n), of a leaf without symmetry: what reads one triangle has the same gradient as what reads both."""
        return Derived(tensor(*shape, shape[-1]), lambda x: x + x.transpose(-1, -2).conj(), (), {})

    def regular(function):
        """A maker of function(leaf) for a leaf far from singular."""
        def made(*shape):
            leaf = tensor(*shape, shape[-1])
            leaf.array = leaf.array / 4 + np.diag(np.arange(1.0, shape[-1] + 1))
            return Derived(leaf, function, (), {})
        return made

    positive_definite = regular(lambda x: x @ x.transpose(-1, -2).conj())
    lower, upper = regular(lambda x: x.tril()), regular(lambda x: x.triu())

    def permutation(n):
        return Leaf(rng().permutation(n), "int", "int64")

    names = {n: Word(n) for n in DTYPES + COMPLEX + ["channels_last", "channels_last_3d", "contiguous_format", "preserve_format"]}
    names["bool_"] = Word("bool")
    names.pop("bool")
    words = Words()
    return {**names, "T": tensor, "P": positive, "Z": complex_numbers, "I": integers, "B": booleans, "C": constant, "Sym": symmetric, "Spd": positive_definite,
            "Lower": lower, "Upper": upper, "Perm": permutation,
            "G": Seeded, "inf": math.inf, "nan": math.nan, "pi": math.pi, "torch": words, "tapegrad": words, "tg": words,
            "slice": slice, "float": float, "int": int, "bool": bool}


def evaluate(name, text):
    """The sample's (args, kwargs), with Leaf, Word and Seeded in place of what belongs to a library."""
    return eval(f"(lambda *a, **k: (list(a), k))({text})", makers((name, text)))  # texts come from our own table


class Sample:
    def __init__(self, row, index):
        self.row, self.index, self.text = row, index, row["samples"][index]
        self.name = row["name"]
        self.id = f"{self.name}-{row['overload']}.{index}" if row["overload"] else f"{self.name}-{index}"
        self.repro = f"{self.name}({self.text})"

    def tree(self):
        return evaluate(self.name, self.text)


def map_tree(f, x):
    if isinstance(x, (list, tuple)):
        return type(x)(map_tree(f, v) for v in x)
    if isinstance(x, dict):
        return {k: map_tree(f, v) for k, v in x.items()}
    if isinstance(x, Derived):
        of = map_tree(f, x.of)
        if of is None or isinstance(of, (Leaf, Derived)):
            return of and Derived(of, x.name, x.args, x.kwargs)
        return Derived(of, x.name, x.args, x.kwargs) if callable(x.name) else getattr(of, x.name)(*x.args, **x.kwargs)
    return f(x)


def leaves(tree):
    found = []
    map_tree(lambda v: found.append(v) if isinstance(v, Leaf) else None, tree)
    return found


def cast_values(leaf, dtype):
    """The leaf's values for a tensor of `dtype`: floats become small integers other than 0 (no division by zero)."""
    a = leaf.array
    if leaf.kind == "float" and dtype in COMPLEX:  # an imaginary part from the real ones: positive stays in the right half plane
        z = a.astype(np.complex128)
        z.imag = 0.6 * a.reshape(-1)[::-1].reshape(a.shape) - 0.11
        return z
    if leaf.kind == "complex" and dtype not in COMPLEX:
        a = a.real
    if leaf.kind not in ("float", "complex") or dtype in FLOATS + COMPLEX:
        return a
    if dtype == "bool":
        return a > 0
    i = np.trunc(np.nan_to_num(a * 3, posinf=100, neginf=-100)).astype(np.int64)
    i = np.where(i == 0, 1, i)
    return np.abs(i) if dtype[0] == "u" else i


def lay_out(a, layout):
    """A NumPy view with the same values (broadcast: the first slice repeated) in another memory layout."""
    if layout == "contiguous" or (a.ndim == 0 and layout != "shifted"):
        return np.array(a, order="C", copy=True)
    if layout == "transposed":
        return np.ascontiguousarray(a.T).T
    if layout == "sliced":
        big = np.zeros(tuple(2 * n for n in a.shape), a.dtype)
        view = big[tuple(slice(None, None, 2) for _ in a.shape)]
        view[...] = a
        return view
    if layout == "shifted":  # dense, but not where an allocator would put it, and with nothing behind it
        memory = np.empty(a.size + 3, a.dtype)
        memory[3:].reshape(a.shape)[...] = a
        return memory[3:].reshape(a.shape)
    if layout == "broadcast":
        return np.broadcast_to(np.ascontiguousarray(a[:1]), a.shape) if a.shape[0] else a
    raise ValueError(layout)


class Call:
    """A sample made into tensors of one library."""

    def __init__(self, lib, tree, dtype="float64", layout="contiguous", requires_grad=True, dense=False, device=None):
        """dense: the layout's values, but contiguous (what the layout's result is compared with). device: where tensors are moved to."""
        self.lib, self.inputs = lib, []

        def make(v):
            if isinstance(v, Word):
                return getattr(lib, v.name)
            if isinstance(v, Seeded):
                return lib.Generator().manual_seed(v.seed)
            if not isinstance(v, Leaf):
                return v
            name = v.dtype or dtype
            if v.kind == "complex" and name in FLOATS:
                name = "complex128" if name == "float64" else "complex64"
            a = cast_values(v, name)
            np_name = "float32" if name == "bfloat16" else name
            a = lay_out(a.astype(np_name), layout)
            if dense:
                a = np.array(a, order="C", copy=True)
            t = lib.from_numpy(a if a.flags.writeable else as_writeable(a))
            if name == "bfloat16":
                t = t.to(lib.bfloat16)
            if device is not None:
                t = moved(lib, t, device)
            if v.grad and requires_grad and name in FLOATS + COMPLEX:
                t.requires_grad_()
                self.inputs.append(t)
            return t

        self.made = map_tree(make, tree)

    @property
    def args(self):
        return computed(self.made[0])

    @property
    def kwargs(self):
        return computed(self.made[1])


def computed(x):
    """The tree with the functions of its tensors (Sym, Spd) computed from what the tensors hold now."""
    if isinstance(x, dict):
        return {k: computed(v) for k, v in x.items()}
    if isinstance(x, list):
        return [computed(v) for v in x]
    return x.name(x.of) if isinstance(x, Derived) else x


def moved(lib, t, device):
    """t on another device, with its strides."""
    if t.is_contiguous() or 0 in t.stride():
        return t.to(device)
    if not t.numel():
        return t.to(device)
    big = lib.zeros(1 + sum((n - 1) * s for n, s in zip(t.shape, t.stride())), dtype=t.dtype, device=device)
    return big.as_strided(t.shape, t.stride()).copy_(t)


def as_writeable(a):
    """A broadcast view that may be written through, as from_numpy wants it (tests never write through it)."""
    return np.lib.stride_tricks.as_strided(a.base if a.base is not None and a.base.flags.writeable else a.copy(),
                                           a.shape, a.strides, writeable=True) if a.size else a.copy()


def flat(result):
    """A result as a list of tensors and plain values."""
    if isinstance(result, (list, tuple)) and type(result).__name__ not in ("Size",):
        return [x for r in result for x in flat(r)]
    return [result]


def to_numpy(t):
    """Any tensor of either library as an array NumPy can compare (16-bit floats widened)."""
    t = t.detach()
    if str(t.dtype).split(".")[-1] in ("bfloat16", "float16"):
        t = t.float()
    return np.array(t.numpy(force=True))


def dtype_name(t):
    return str(t.dtype).split(".")[-1]


def direction(sample, k, shape, is_complex=False):
    """A fixed direction for derivatives: entries of magnitude 0.5 to 1."""
    r = Stream(sample.name, sample.text, "direction", k)
    d = np.array(r.uniform(0.5, 1, shape) * np.where(r.random(shape) < 0.5, -1, 1))
    return np.asarray(d + 1j * direction(sample, f"{k}i", shape)) if is_complex else d


def load_rows(table):
    """The op table's rows with their overload numbers (0 for the first row of a name)."""
    seen = {}
    rows = []
    for row in table:
        n = seen.get(row["name"], 0)
        seen[row["name"]] = n + 1
        rows.append({**row, "overload": n})
    return rows


def all_samples(rows):
    return [Sample(row, i) for row in rows for i in range(len(row["samples"]))]


def named(lib, name):
    """lib.linalg.inv for "linalg.inv"."""
    return functools.reduce(getattr, name.split("."), lib)


def function_of(lib, row):
    """Where users of tapegrad find the op: the function, the functional or the method."""
    if row["functional"] and not row["function"]:
        return getattr(lib.nn.functional, row["name"])
    if row["function"]:
        return named(lib, row["name"])
    return getattr(lib.Tensor, row["name"])


def run_raw(f, sample, call):
    """f on the call's arguments. In-place rows work on a copy, since their first argument is a leaf."""
    args = list(call.args)
    if sample.name.endswith("_") and args and hasattr(args[0], "clone"):
        args[0] = args[0].clone()
    return f(*args, **call.kwargs)


def reconstructed(u, s, vh):
    """u diag(s) vh, of the first columns and rows."""
    return (u[..., :s.shape[-1]] * s.unsqueeze(-2)) @ vh[..., :s.shape[-1], :]


def in_order(values):
    """Eigenvalues come in no order: by a generic combination of their parts."""
    return values.gather(-1, (values.real + 0.618 * values.imag).detach().argsort(-1))


# Factors that are unique only up to sign, phase or order, as quantities that are unique.
UNIQUE = {
    "linalg.eigh": lambda values, v: (values, v.abs(), reconstructed(v, values, v.transpose(-1, -2).conj())),
    "linalg.eig": lambda values, v: (in_order(values), v.abs().sum(-1), reconstructed(v, values, v.pinverse())),
    "linalg.eigvals": in_order,
    "linalg.svd": lambda u, s, vh: (u.abs(), s, vh.abs(), reconstructed(u, s, vh)),
    "svd": lambda u, s, v: (u.abs(), s, v.abs(), reconstructed(u, s, v.transpose(-1, -2).conj())),
}


def comparable(sample, result):
    return UNIQUE[sample.name](*flat(result)) if sample.name in UNIQUE else result


def run(f, sample, call):
    """The op's result, comparable with another library's and other memory layouts'."""
    return comparable(sample, run_raw(f, sample, call))


def tensors_of(lib, result):
    return [t for t in flat(result) if isinstance(t, lib.Tensor)]


def gradients(lib, sample, outputs, inputs, create_graph=False, salt=0):
    """Gradient of sum(direction * output) over all differentiable outputs, for each input; None where there is none."""
    outputs = [o for o in outputs if o.requires_grad]
    if not outputs or not inputs:
        return [None] * len(inputs)
    seeds = [lib.from_numpy(direction(sample, f"{salt}.{k}", tuple(o.shape), o.is_complex())).to(o.device, o.dtype)
             for k, o in enumerate(outputs)]
    return list(lib.autograd.grad(outputs, inputs, grad_outputs=seeds, allow_unused=True, create_graph=create_graph))
