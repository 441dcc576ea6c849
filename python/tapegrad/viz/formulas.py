"""Each op's gradient as NumPy source.

ELEMENTWISE has, for each node, the expressions that may hold for each of its inputs, in g (the output's gradient), a, b, c (the inputs'
values), y (the output's), N (how many elements) and p, a number that the tape does not show and chain.py solves for. RULES has functions
for the other ops: rule(case) yields, for one input, expressions or lists of statements that may hold. chain.py takes the first that gives
what the node gives.
"""
import itertools
import math

from . import formulas_layers, formulas_linalg

# A line is: node, expressions for a; for b; for c. Expressions that may hold are separated by "|", tried from the left.
TABLE = """
Neg          -g
Abs          g * np.sign(a)
Sign         0 * g
Floor        0 * g
Ceil         0 * g
Trunc        0 * g
Round        0 * g
Frac         g
Add          g; g | p * g
Sub          g | g * np.tanh(a)**2; -g | -p * g
RsubBackward1  -g | -p * g; g
Mul          g * b; g * a
Div          g / b | g / (1 + np.abs(a))**2; -g * a / b**2
Pow          g * 2 * a | g * 3 * a**2 | g * p * a**(p - 1)
PowBackward1 g * b * a**(b - 1); g * y * np.log(a) | g * y * np.log(np.where(a > 0, a, 1))
Sqrt         g / (2 * y)
Rsqrt        -g / 2 * y**3
Reciprocal   -g * y**2
Exp          g * y
Exp2         g * y * np.log(2)
Expm1        g * (y + 1)
Log          g / a
Log2         g / (a * np.log(2))
Log10        g / (a * np.log(10))
Log1P        g / (1 + a)
Sin          g * np.cos(a)
Cos          -g * np.sin(a)
Tan          g * (1 + y**2)
Asin         g / np.sqrt(1 - a**2)
Acos         -g / np.sqrt(1 - a**2)
Atan         g / (1 + a**2)
Sinh         g * np.cosh(a)
Cosh         g * np.sinh(a)
Tanh         g * (1 - y**2)
Asinh        g / np.sqrt(a**2 + 1)
Acosh        g / np.sqrt(a**2 - 1)
Atanh        g / (1 - a**2)
Atan2        g * b / (a**2 + b**2); -g * a / (a**2 + b**2)
Hypot        g * a / y; g * b / y
Logaddexp    g / (1 + np.exp(b - a)); g / (1 + np.exp(a - b))
Erf          g * 2 / np.sqrt(np.pi) * np.exp(-a**2)
Erfc         -g * 2 / np.sqrt(np.pi) * np.exp(-a**2)
Maximum      g * ((a > b) + 0.5 * (a == b)); g * ((b > a) + 0.5 * (a == b))
Minimum      g * ((a < b) + 0.5 * (a == b)); g * ((b < a) + 0.5 * (a == b))
Where        ; np.where(a, g, 0); np.where(a, 0, g)
LerpBackward1  g * (1 - c); g * c; g * (b - a)
Addcmul      g; g * c | p * g * c; g * b | p * g * b
Addcdiv      g; g / c | p * g / c; -g * b / c**2 | -p * g * b / c**2
MaskedFill   np.where(a, 0, g)
Fmax         g * (a >= b); g * (b > a)
Fmin         g * (a <= b); g * (b < a)
Copysign     g * y / a; 0 * g
Xlogy        g * np.log(b); g * a / b
Logaddexp2   g / (1 + np.exp2(b - a)); g / (1 + np.exp2(a - b))
LerpBackward0  p * g; p * g
Logit        g / (a * (1 - a))
Deg2Rad      g * np.pi / 180
Rad2Deg      g * 180 / np.pi
Clone        g
Alias        g
ToCopy       g
Zero         0 * g
Relu         g * (y > 0)
LeakyRelu    np.where(a > 0, g, p * g)
PreluKernel  np.where(a > 0, g, b * g); np.where(a > 0, 0, a * g)
Sigmoid      g * y * (1 - y)
LogSigmoid   g * sigmoid(-a)
Softplus     g * sigmoid(a)
Silu         g * sigmoid(a) * (1 + a * (1 - sigmoid(a)))
Mish         g * (np.tanh(np.log1p(np.exp(a))) + a * (1 - np.tanh(np.log1p(np.exp(a)))**2) * sigmoid(a))
Gelu         g * (normal_cdf(a) + a * np.exp(-a**2 / 2) / np.sqrt(2 * np.pi)) | g * tanh_gelu_slope(a)
Elu          g * np.where(a > 0, 1, np.exp(np.minimum(a, 0))) | np.where(a > 0, g, p * g * np.exp(np.minimum(a, 0))) | g * selu_slope(a)
Hardsigmoid  g / 6 * (np.abs(a) < 3)
Hardswish    g * np.where(a <= -3, 0, np.where(a < 3, a / 3 + 0.5, 1))
NativeDropout  g * a | p * g * a
MseLoss      g * 2 * (a - b) / N | g * 2 * (a - b); g * 2 * (b - a) / N | g * 2 * (b - a)
BinaryCrossEntropy  g * (a - b) / (a * (1 - a)) / N | g * (a - b) / (a * (1 - a)); g * np.log(1 / a - 1) / N | g * np.log(1 / a - 1)
BinaryCrossEntropyWithLogits  g * (sigmoid(a) - b) / N | g * (sigmoid(a) - b); -g * a / N | -g * a
Erfinv       g * np.sqrt(np.pi) / 2 * np.exp(y**2)
Sinc         g * (np.cos(np.pi * a) - np.sinc(a)) / a
Fmod         g; -g * np.trunc(a / b)
Remainder    g; -g * np.floor(a / b)
SpecialXlog1Py  g * np.log1p(b); g * a / (1 + b)
SpecialEntr  -g * (np.log(a) + 1)
SpecialErfcx   g * (2 * a * y - 2 / np.sqrt(np.pi))
SpecialNdtr  g * np.exp(-a**2 / 2) / np.sqrt(2 * np.pi)
SpecialNdtri   g * np.exp(y**2 / 2) * np.sqrt(2 * np.pi)
SpecialLogNdtr  g * np.exp(-a**2 / 2 - y) / np.sqrt(2 * np.pi)
"""


def _node(name):
    return name if "Backward" in name else name + "Backward0"


ELEMENTWISE = {_node(line.split()[0]): [[text.strip() for text in found.split("|") if text.strip()]
                                        for found in line.partition(" ")[2].split(";")] for line in TABLE.strip().split("\n")}
# Which elements pass depends on a limit that only the node knows.
MASKED = {_node(name) for name in "ClampBackward1 Clamp ClampMin ClampMax Hardtanh Hardshrink Softshrink Threshold NanToNum".split()}

HELPERS = {
    "unbroadcast": '''def unbroadcast(g, shape):
    """The sum over all that broadcasting repeated."""
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    return g.sum(axis=tuple(d for d, n in enumerate(shape) if n == 1 and g.shape[d] > 1), keepdims=True)
''',
    "along": '''def along(index, axis):
    """The places that take_along_axis(…, index, axis) reads."""
    places = list(np.indices(index.shape, sparse=True))
    places[axis] = index
    return tuple(places)
''',
    "sigmoid": '''def sigmoid(x):
    return 1 / (1 + np.exp(-x))
''',
    "normal_cdf": '''normal_cdf = np.vectorize(lambda x: math.erfc(-x / math.sqrt(2)) / 2, otypes=[float])
''',
    "tanh_gelu_slope": '''def tanh_gelu_slope(x):
    """Of x * (1 + t) / 2 with t = tanh(sqrt(2 / pi) * (x + 0.044715 x^3))."""
    t = np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
    return (1 + t) / 2 + x * (1 - t**2) / 2 * np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * x**2)
''',
    "selu_slope": '''def selu_slope(x):
    return 1.0507009873554805 * np.where(x > 0, 1, 1.6732632423543773 * np.exp(np.minimum(x, 0)))
''',
    "softmax": '''def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)
''',
    **formulas_layers.HELPERS,
    **formulas_linalg.HELPERS,
}


def axes_of(n):
    """The sets of axes of n dimensions, small ones first."""
    for size in range(n + 1):
        yield from itertools.combinations(range(n), size)


def show(axes):
    return str(axes[0]) if len(axes) == 1 else str(tuple(axes))


def reshapes(c):
    """The same elements in the input's shape."""
    yield f"g.reshape({c.shape})"


def permutes(c):
    """The axes in their old order."""
    if c.g.ndim == 2:
        yield "g.T"
    for a, b in itertools.combinations(range(c.g.ndim), 2):
        yield f"np.swapaxes(g, {a}, {b})"
    for order in itertools.permutations(range(c.g.ndim)):
        yield f"np.transpose(g, {order})"


def expands(c):
    """The sum over what was repeated."""
    yield f"unbroadcast(g, {c.shape})"
    for axes in axes_of(c.g.ndim):
        yield f"g.sum({show(axes)})"
        yield f"g.sum({show(axes)}).reshape({c.shape})"


def sums(c):
    """g, spread over what was summed; divided by the count for means."""
    for over in ("", *([] if "Sum" in c.op else [f" / {c.count}", "p"])):
        if c.g.ndim == 0:
            yield scaled(f"np.full({c.shape}, g)", over)
            continue
        for axes in axes_of(len(c.shape)):
            if c.g.ndim == len(c.shape) or c.g.ndim == len(c.shape) - len(axes):
                inner = f"np.expand_dims(g, {show(axes)})" if axes and c.g.ndim < len(c.shape) else "g"
                yield scaled(f"np.broadcast_to({inner}, {c.shape})", over)
        yield scaled(f"np.broadcast_to(g, {c.shape})", over)


def scaled(text, over):
    return f"p * {text}" if over == "p" else text + over


def products(c):
    """c = a @ b:  da = g @ b.T,  db = a.T @ g"""
    for other in c.saved_names():
        n = c.arrays[other].ndim
        t = f"{other}.T" if n == 2 else f"np.swapaxes({other}, -1, -2)"
        gt = "g.T" if c.g.ndim == 2 else "np.swapaxes(g, -1, -2)"
        if c.g.ndim == 0:
            yield f"g * {other}"
        if n == 1:
            yield f"np.outer(g, {other})"
            yield f"np.outer({other}, g)"
            yield f"unbroadcast(g[..., None] * {other}, {c.shape})"
        for text in (f"g @ {t}", f"{t} @ g", f"g @ {other}", f"{gt} @ {other}", f"{other} @ g", f"({other} @ {gt}).T"):
            yield text
            yield f"unbroadcast({text}, {c.shape})"
            yield f"p * ({text})"
        rows = f"g.reshape(-1, {c.g.shape[-1]})" if c.g.ndim else "g"
        flat = f"{other}.reshape(-1, {c.arrays[other].shape[-1] if n else 1})"
        yield f"{rows}.T @ {flat}"
        yield f"{flat}.T @ {rows}"
    yield "g"
    yield f"unbroadcast(g, {c.shape})"
    yield f"p * unbroadcast(g, {c.shape})"


def softmaxes(c):
    """softmax: da = (g - sum(g * y)) * y;  log_softmax: da = g - exp(y) * sum(g)"""
    for y in c.saved_names():
        for axis in range(max(1, len(c.shape))):
            if "Log" in c.op:
                yield f"g - np.exp({y}) * g.sum({axis}, keepdims=True)"
            else:
                yield f"(g - (g * {y}).sum({axis}, keepdims=True)) * {y}"


def logsumexps(c):
    """da = g * exp(a - y), which is g * softmax(a)"""
    for a, y in itertools.permutations(c.saved_names(), 2):
        yield f"g * np.exp({a} - {y})"
        for axes in axes_of(len(c.shape)):
            if axes:
                yield f"np.expand_dims(g, {show(axes)}) * np.exp({a} - np.expand_dims({y}, {show(axes)}))"


def class_losses(c):
    """cross entropy: da = (softmax(a) - onehot) * g / rows"""
    for a, t, *rest in itertools.permutations(c.saved_names()):
        if c.arrays[a].ndim != 2 or c.arrays[a].shape != c.shape or c.arrays[t].ndim != 1 or c.arrays[t].dtype.kind not in "iu":
            continue
        for ignored in (None, *sorted({int(v) for v in c.arrays[t]})[:20]):
            at, kept, count = t, "", c.shape[0]
            if ignored is not None:
                at, kept, count = f"{t} * ({t} != {ignored})", f" * ({t} != {ignored})[:, None]", f"({t} != {ignored}).sum()"
            hot = f"np.eye({c.shape[1]})[{at}]"
            for base in (f"(softmax({a}, 1) - {hot}){kept}", f"-{hot}{kept}"):
                for w in (None, *rest):
                    each = base if w is None else f"{base} * {w}[{t}][:, None]"
                    yield f"g * {each} / {count}"
                    yield f"g * {each}"
                    yield f"g[:, None] * {each}"
                    if w is not None:
                        yield f"g * {each} / {w}[{t}].sum()"
                    yield f"p * g * {each}"


def normalizes(c):
    """n = (x - mean) / std, gx = g * weight:  dx = (gx - mean(gx) - n * mean(gx * n)) / std"""
    kind = {"NativeLayerNormBackward0": "layer", "RmsNormBackward0": "rms", "NativeGroupNormBackward0": "group"}.get(c.op, "batch")
    names = c.saved_names()
    x = next((n for n in names if c.arrays[n].ndim == c.g.ndim and c.arrays[n].shape == c.g.shape), None)
    if x is None:
        return
    others = [n for n in names if n != x]
    shape = c.g.shape
    for weight in [*[n for n in others if c.arrays[n].ndim <= len(shape) and c.arrays[n].size <= c.g.size], None]:
        for stats in [n for n in others if n != weight and c.arrays[n].size % 2 == 0]:
            for layout in ("rows", "halves"):
                rows = c.arrays[stats].size // 2
                pair = f"{stats}.reshape(-1, 2).T" if layout == "rows" else f"{stats}.reshape(2, -1)"
                if kind in ("layer", "rms", "group"):
                    inner, view, mean = f"({rows}, -1)", "{0}.reshape({1})", "(1, keepdims=True)"
                    lift = "[:, None]"
                else:
                    inner, view, mean = None, "{0}", f"({tuple(d for d in range(len(shape)) if d != 1)}, keepdims=True)"
                    lift = f".reshape({tuple(-1 if d == 1 else 1 for d in range(len(shape)))})"
                channel = f".reshape({tuple(-1 if d == 1 else 1 for d in range(len(shape)))})" if kind in ("group", "batch") else ""
                gw = "g" if weight is None else f"(g * {weight}{channel})"
                lines = [f"mean, scale = {pair}", f"n = ({view.format(x, inner)} - mean{lift}) * scale{lift}"]
                if c.number == 0:
                    centre = "" if kind == "rms" else f" - gx.mean{mean}"
                    yield [*lines, f"gx = {view.format(gw, inner)}",
                           f"{{d}} = (scale{lift} * (gx{centre} - n * (gx * n).mean{mean})).reshape({c.shape})"]
                    yield [*lines, f"{{d}} = ({view.format(gw, inner)} * scale{lift}).reshape({c.shape})"]
                else:
                    axes = tuple(d for d in range(len(shape)) if d != 1) if channel else tuple(range(len(shape) - len(c.shape)))
                    yield f"g.sum({axes})"
                    yield [*lines, f"{{d}} = (g * n.reshape(g.shape)).sum({axes})"]


def picks(c):
    """g goes to the elements that were chosen"""
    for name in c.saved_names():
        array = c.arrays[name]
        if array.dtype.kind in "iu" and array.ndim == len(c.shape):
            for axis in range(array.ndim):
                yield [f"{{d}} = np.zeros({c.shape}, g.dtype)", f"np.add.at({{d}}, along({name}, {axis}), g)"]
        if array.dtype.kind in "iu" and array.ndim == len(c.shape) - 1:
            for axis in range(len(c.shape)):
                at = f"np.expand_dims({name}, {axis})"
                yield [f"{{d}} = np.zeros({c.shape}, g.dtype)", f"np.add.at({{d}}, along({at}, {axis}), np.expand_dims(g, {axis}))"]
    for a, y in itertools.permutations(c.saved_names(), 2):
        for axes in axes_of(len(c.shape)):
            spread = [f"np.expand_dims({v}, {show(axes)})" if axes and c.g.ndim < len(c.shape) else v for v in (y, "g")]
            over = show(axes) + ", keepdims=True" if axes else ""
            yield f"{spread[1]} * ({a} == {spread[0]}) / ({a} == {spread[0]}).sum({over})"
        yield f"g * ({a} == {y}) / ({a} == {y}).sum()"


def spreads(c):
    """var: da = g * 2 * (a - mean) / (n - 1);  std: da = g * (a - mean) / ((n - 1) * y)"""
    for a in c.saved_names():
        if c.arrays[a].shape != c.shape:
            continue
        for axes in (*axes_of(len(c.shape)), None):
            every = axes is None
            mean = f"{a}.mean()" if every else f"{a}.mean({show(axes)}, keepdims=True)"
            n = math.prod(c.shape if every else [c.shape[d] for d in axes])
            out = "g" if every or c.g.ndim == len(c.shape) else f"np.expand_dims(g, {show(axes)})"
            for divide in (n - 1, n):
                if divide > 0:
                    yield f"{out} * 2 * ({a} - {mean}) / {divide}"
                    for y in c.saved_names():
                        by = y if every or c.arrays[y].ndim == len(c.shape) else f"np.expand_dims({y}, {show(axes)})"
                        yield f"{out} * ({a} - {mean}) / ({divide} * {by})"


def prods(c):
    """da = g * y / a"""
    for a in c.saved_names():
        yield f"g * np.prod({a}) / {a}"
        for y in c.saved_names():
            yield f"g * {y} / {a}"
        for axis in range(len(c.shape)):
            yield f"np.prod({a}, {axis}, keepdims=True) / {a} * np.expand_dims(g, {axis})"
            yield f"np.prod({a}, {axis}, keepdims=True) / {a} * g"


def norms(c):
    """da = g * a / y"""
    for a in c.saved_names():
        for y in c.saved_names():
            for axes in axes_of(len(c.shape)):
                by = [f"np.expand_dims({v}, {show(axes)})" if axes and c.g.ndim < len(c.shape) else v for v in ("g", y)]
                yield f"{by[0]} * {a} / {by[1]}"
                yield f"{by[0]} * np.sign({a})"


def cumsums(c):
    """The sums from the other end."""
    for axis in range(len(c.shape)):
        yield f"np.flip(np.cumsum(np.flip(g, {axis}), {axis}), {axis})"


def cumprods(c):
    """The sums of g * y from the other end, over a; logcumsumexp: the sums of g * exp(-y), times exp(a)"""
    for a in c.saved_names():
        for y in c.saved_names():
            for axis in range(len(c.shape)):
                sums = f"np.flip(np.cumsum(np.flip({{}}, {axis}), {axis}), {axis})"
                yield (sums.format(f"g * np.exp(-{y})") + f" * np.exp({a})" if "Log" in c.op else sums.format(f"g * {y}") + f" / {a}")


def scatters(c):
    """The part of g that was written over is 0; what was written gets that part."""
    yield "g"
    indices = [n for n in c.saved_names() if c.arrays[n].dtype.kind in "iub"]
    ways = [", ".join(indices)] + [way for i in indices for axis in range(c.g.ndim) for way in (":, " * axis + i, f"along({i}, {axis})")]
    for at in ways if indices else []:
        if c.number:
            yield f"g[{at}]"
            yield f"p * g[{at}]"
            yield f"g[{at}].sum()"
        else:
            yield ["{d} = g.copy()", f"{{d}}[{at}] = 0"]


def diagonals(c):
    """g's diagonal"""
    for a, b in itertools.permutations(range(c.g.ndim), 2):
        for k in range(-c.largest, c.largest + 1):
            yield f"np.diagonal(g, {k}, {a}, {b})"


def moves(c):
    """Back to where it came from."""
    for axes in axes_of(c.g.ndim):
        yield f"np.flip(g, {show(axes)})"
    for k in range(-c.largest, c.largest + 1):
        yield f"np.tril(g, {k})"
        yield f"np.triu(g, {k})"
    for axis in range(c.g.ndim):
        for k in range(c.g.shape[axis]):
            yield f"np.roll(g, {-k}, {axis})"
    lead = c.g.ndim - len(c.shape)
    if lead >= 0 and all(n and m % n == 0 for n, m in zip(c.shape, c.g.shape[lead:])):
        split = [v for d, m in enumerate(c.g.shape) for v in ((m,) if d < lead else (m // c.shape[d - lead], c.shape[d - lead]))]
        axes = [*range(lead), *range(lead, len(split), 2)]
        yield f"g.reshape({tuple(split)}).sum({tuple(axes)})"


def joins(c):
    """This input's part of g."""
    for axis in range(c.g.ndim):
        before = ":, " * axis
        if c.g.ndim == len(c.shape):
            start = sum(s[axis] for s in c.input_shapes[:c.number] if s is not None and len(s) > axis)
            yield f"g[{before}{start}:{start + c.shape[axis]}]"
        else:
            yield f"g[{before}{c.number}]"


def splits(c):
    """The parts' gradients side by side; a part that nothing reads counts 0."""
    for axis in range(len(c.shape)):
        parts = ", ".join(c.parts(axis))
        yield f"np.concatenate([{parts}], {axis})"
        yield f"np.stack([{parts}], {axis})"


def places(c):
    """g goes back to where it was read; the rest is 0."""
    at = c.found_places()
    if at is not None:
        yield [f"{{d}} = np.zeros({c.shape}, g.dtype)", f"{{d}}[{at}] = g"]


def reads(c):
    """The part of g that came from the input."""
    at = c.found_reads()
    if at is not None:
        yield f"g[{at}]"


def indexes(c):
    """g is added to where it was read from."""
    names = [n for n in c.saved_names() if c.arrays[n].dtype.kind in "iub"]
    for used in range(len(names), 0, -1):
        at = ", ".join(names[:used])
        for lead in range(len(c.shape)):
            colons = ":, " * lead
            yield [f"{{d}} = np.zeros({c.shape}, g.dtype)", f"np.add.at({{d}}, np.s_[{colons}{at}], g)"]
    for name in names:
        for axis in range(len(c.shape)):
            yield [f"{{d}} = np.zeros({c.shape}, g.dtype)", f"np.add.at({{d}}, along({name}, {axis}), g)"]
            yield f"np.take_along_axis(g, {name}, {axis})"


RULES = {_node(name): rule for rule, names in {
    reshapes: "View UnsafeView Squeeze Unsqueeze",
    permutes: "T Transpose Permute",
    expands: "Expand",
    sums: "Sum SumBackward1 Mean MeanBackward1",
    products: "Mm Bmm Matmul Linear Addmm Mv Dot",
    softmaxes: "Softmax LogSoftmax",
    logsumexps: "Logsumexp",
    class_losses: "NllLoss",
    normalizes: "NativeLayerNorm RmsNorm NativeGroupNorm NativeBatchNorm",
    picks: "Max MaxBackward1 Min MinBackward1 Amax Amin Sort Topk Median MedianBackward1 Nanmedian Kthvalue Mode Cummax Cummin",
    spreads: "Var Std",
    prods: "Prod ProdBackward1",
    norms: "LinalgVectorNorm",
    cumsums: "Cumsum",
    cumprods: "Cumprod Logcumsumexp",
    scatters: "Scatter ScatterAdd IndexAdd IndexCopy IndexFill IndexPut",
    diagonals: "DiagEmbed",
    joins: "Cat Stack",
    splits: "Split Unbind",
    places: "Slice Select Diagonal AsStrided",
    moves: "Flip Roll Tril Triu Repeat",
    reads: "ConstantPadNd SliceBackwardBackward0 SelectBackwardBackward0",
    indexes: "Index IndexSelect Embedding Gather MaskedSelect",
    **formulas_layers.RULES,
    **formulas_linalg.RULES,
}.items() for name in names.split()}
