"""viz.explain_backward(): the chain rule of one tape as NumPy source.

For each step, last first, the candidates of formulas.py are run beside the node itself on random gradients; the first that gives the
same becomes a line of source. What an op was called with (an axis, an exponent) need not be known for that: it is found.
"""
import functools
import html
import inspect
import itertools
import keyword
import math
import re
import sys

from .. import _C
from .formulas import ELEMENTWISE, HELPERS, MASKED, RULES, places, splits
from .steps import Tape, find_names

RESERVED = {*keyword.kwlist, "np", "math", "values", "gradients", "n", "gx", "mean", "scale", "part", "half", "gaps", "weights", "gw", "ds",
            "sums", "hidden_sums", "dh", "dc", "dw_hr", *HELPERS}
# statements of rules that are the same for every input
PARTS = ("mean, scale = ", "n = ", "gx = ", "half = ", "gaps = ", "weights = ", "gw = ", "ds = ", "sums, ")
WORD = re.compile(r"[A-Za-z_]\w*")


@functools.cache
def formula_of(op):
    """The gradient in a line for people; "" where there is none."""
    if op in ELEMENTWISE:
        return "\n".join(f"d{letter} = {found[0]}" for letter, found in zip("abc", ELEMENTWISE[op]) if found)
    return inspect.cleandoc(RULES[op].__doc__) if op in RULES else ""


class Chain:
    """The chain rule as source. str() is the source; `values` are the arrays that it reads, which are what the tape saved; run()
    executes it and returns the leaves' gradients by name."""

    def __init__(self, source, values):
        self.source, self.values = source, values

    def __str__(self):
        return self.source

    def _repr_html_(self):
        return f"<pre>{html.escape(self.source)}</pre>"

    def run(self):
        scope = {"values": self.values}
        exec(compile(self.source, "<chain rule>", "exec"), scope)
        return scope["gradients"]


def explain_backward(tensor, model=None, gradient=None):
    """The chain rule from `tensor` to its leaves as NumPy source with a comment for each step: print it, or run() it.

        chain = tapegrad.viz.explain_backward(loss)
        print(chain)
        chain.run()["W1"]          # equals W1.grad after loss.backward()

    It uses what the tape saved, so call it before backward(), or after backward(retain_graph=True). An op whose gradient has no formula
    here is a NotImplementedError that names it. `model` names the leaves, as for tapegrad.tape(); `gradient` is that of `tensor`,
    1 for each element if it is left out.
    """
    return _chain(tensor, find_names(model, sys._getframe(1)), gradient)


def print_backward(tensor, gradient):
    """For tensor.backward(gradient, explain=True)."""
    if gradient is not None or tensor.numel() == 1:  # else backward() says what is missing
        print(_chain(tensor, find_names(None, sys._getframe(1)), gradient))


def _chain(tensor, names, gradient):
    writer = _Writer(Tape(tensor, names), gradient)
    after = _C._read_tape(tensor, (), writer)
    if after[3]:
        raise RuntimeError("explain_backward: " + after[3])
    return Chain(*writer.finish())


def array_of(t):
    t = t.detach()
    if str(t.dtype).endswith(("bfloat16", "float16")):
        t = t.float()
    return t.cpu().numpy()


class _Writer:
    """Sees the backward on the side, last step first, and writes a paragraph for each."""

    def __init__(self, tape, gradient):
        import numpy
        self.np, self.tape, self.random = numpy, tape, numpy.random.default_rng(0)
        self.values, self.helpers, self.written, self.body = {}, set(), set(), []
        self.names, self.constants, self.taken = {}, {}, set(RESERVED)
        self.scope = {"np": numpy, "math": math}
        exec("\n".join(HELPERS.values()), self.scope)
        for k, leaf in enumerate(tape.leaves):
            self.names["leaf", k, 0] = self.fresh(leaf.name)
        for s in tape:
            for k, o in enumerate(s.outputs):
                self.names["step", s.number, k] = self.fresh(o.name or (f"v{s.number}" if len(s.outputs) == 1 else f"v{s.number}_{k}"))
        if tape.steps:
            root = next(k for k, o in enumerate(tape[-1].outputs) if o.shape is not None)
            self.start(gradient, "step", len(tape) - 1, root)
        else:
            self.start(gradient, "leaf", 0, 0)

    def fresh(self, name):
        """The name as an identifier that nothing else has."""
        name = re.sub(r"\W+", "_", name).strip("_") or "v"
        name = "v" + name if name[0].isdigit() else name
        while name in self.taken or "d_" + name in self.taken:
            name += "_"
        self.taken.update((name, "d_" + name))
        return name

    def start(self, gradient, *where):
        name, shape = self.names[where], tuple(self.tape.tensor.shape)
        ones = "1.0" if not shape else f"np.ones({shape})"
        self.body.append(f"d_{name} = {ones if gradient is None else self.use(self.fresh('gradient'), array_of(gradient))}\n")
        self.written.add(name)

    # ---- the visitor

    def leaf(self, index, gradient):
        pass

    def step(self, index, outputs, inputs):
        s = self.tape[index]
        outs = [None if t is None else self.random.standard_normal(tuple(t.shape)) for t in outputs]
        given = [None if t is None else _C.tensor(a, dtype=t.dtype, device=t.device) for a, t in zip(outs, outputs)]
        outs = [None if t is None else array_of(t) for t in given]
        truth = s.node(*given)
        truth = truth if isinstance(truth, tuple) else (truth,)
        arrays = {f"s{k}_": array_of(v.tensor) for k, v in enumerate(s.saved) if v.state == "kept" and v.tensor is not None}
        lines, formulas = [], []
        for k, dx in enumerate(truth):
            if dx is None:
                continue
            case = _Case(self, s, k, outs, array_of(dx), arrays, [None if t is None else tuple(t.shape) for t in truth])
            found, formula = case.solve()
            i = s.inputs[k]
            name = self.names[i.kind, i.index, i.output_nr]
            lines += [line for line in self.assign(name, found, case) if not (line in lines and line.startswith(PARTS))]
            if formula and formula not in formulas:
                formulas.append(formula)
        head = [f"# step {index}, {s.op}, from {s.where}" + (f": {s.source}" if s.source else "")]
        head += ["#     " + line for f in formulas for line in f.split("\n")]
        self.body.append("\n".join(head + lines) + "\n")

    def assign(self, name, found, case):
        """The statements that add what was found to d_name."""
        target, add = "d_" + name, name in self.written
        self.written.add(name)
        into = "part" if add and len(found) > 1 else target
        lines = [case.spell(line, into) for line in found]
        if add and into == target:
            lines[-1] = lines[-1].replace(f"{target} = ", f"{target} = {target} + ", 1)
        elif add:
            lines.append(f"{target} = {target} + part")
        return lines

    def name_of_saved(self, s, k):
        """The name of what step s saved k-th, whose value the source may then read."""
        role = s.saved[k].role.split(" ")
        if role[0] == "output":
            return self.names["step", s.number, int(role[1])]
        if role[0] == "input":
            i = s.inputs[int(role[1])]
            return self.names[i.kind, i.index, i.output_nr]
        t = s.saved[k].tensor  # of no input that needs a gradient
        if id(t) not in self.constants:
            self.constants[id(t)] = self.fresh(self.tape.names.get(id(t), f"saved{s.number}_{k}"))
        return self.constants[id(t)]

    def use(self, name, array):
        self.values[name] = array
        return name

    def finish(self):
        ends = [f"    {self.tape.leaves[k].name!r}: d_{self.names['leaf', k, 0]}," for k in range(len(self.tape.leaves))
                if self.names["leaf", k, 0] in self.written]
        top = ["# The chain rule, last step first. d_x is the gradient of the result with respect to x.", "import numpy as np", ""]
        if "normal_cdf" in self.helpers:
            top.insert(1, "import math")
        top += [HELPERS[name] for name in HELPERS if name in self.helpers]
        if self.values:
            top.append("# what the tape saved: values[…]")
        top += [f"{n} = values[{n!r}]  # {a.dtype}{list(a.shape)}" for n, a in self.values.items()] + [""]
        return "\n".join(top + self.body + ["gradients = {", *ends, "}", ""]), self.values


class _Case:
    """One input of one step: its true gradient for random gradients of the outputs, and what the rules ask about it."""

    def __init__(self, writer, step, number, outs, truth, arrays, input_shapes):
        self.writer, self.s, self.number, self.outs, self.truth, self.arrays = writer, step, number, outs, truth, arrays
        self.np, self.op, self.shape, self.input_shapes = writer.np, step.op, tuple(truth.shape), input_shapes
        self.first = next(k for k, g in enumerate(outs) if g is not None)
        self.g = outs[self.first]
        self.count = truth.size // max(1, self.g.size)
        self.largest = min(64, max([*self.g.shape, 0]))
        self.constants = {}
        self.scope = {**writer.scope, **arrays, **{f"g{k}_": g for k, g in enumerate(outs) if g is not None}, "g": self.g}
        half = str(step.outputs[self.first].dtype).endswith(("bfloat16", "float16"))
        self.tolerance = 3e-2 if half else 1e-9 if truth.dtype.itemsize == 8 else 1e-2 if "Linalg" in step.op else 2e-4

    # ---- what rules ask

    def saved_names(self):
        return list(self.arrays)

    def saved_at(self, k):
        return f"s{k}_"

    def saved_as(self, role):
        """The name of what was saved in this role: "input 0", "output 1"; None when it was not."""
        return next((f"s{k}_" for k, v in enumerate(self.s.saved) if v.role == role and f"s{k}_" in self.arrays), None)

    def parts(self, axis):
        return [f"g{k}_" for k in range(len(self.outs))] if all(g is not None for g in self.outs) else []

    def probe(self, k):
        """This input's gradient when output k's gradient is 1, 2, 3 …: shows what goes where."""
        g = self.outs[k]
        given = [None] * len(self.outs)
        given[k] = _C.tensor(self.np.arange(1.0, g.size + 1).reshape(g.shape), dtype=self.s.outputs[k].dtype)
        dx = self.s.node(*given)
        return array_of(dx[self.number] if isinstance(dx, tuple) else dx)

    def attention_weights(self, queries, keys):
        """w of y = w @ v: the gradient of v where the output's is 1 for one query in each column."""
        width, found = self.g.shape[-1], []
        for first in range(0, queries, width):
            g = self.np.zeros(self.g.shape)
            here = range(first, min(first + width, queries))
            g[..., here, range(len(here))] = 1
            dv = self.s.node(_C.tensor(g, dtype=self.s.outputs[0].dtype))[2]
            found.append(array_of(dv)[..., :len(here)])
        return self.np.swapaxes(self.np.concatenate(found, -1), -1, -2)

    def found_places(self, k=None):
        k = self.first if k is None else k
        dx = self.probe(k)
        at = self.np.nonzero(dx)
        if len(at[0]) != self.outs[k].size or not self.outs[k].size:
            return None
        return self._ranges(at, self.shape, self.outs[k].shape)

    def found_reads(self):
        dx = self.probe(self.first).astype(int)
        if (dx < 1).any() or not dx.size:
            return None
        return self._ranges(self.np.unravel_index(dx.ravel() - 1, self.g.shape), self.g.shape, self.shape)

    def _ranges(self, at, shape, wanted):
        """Indices that are a product of ranges, as "1, :, 2:5"; None when they are not, or not of the shape that is wanted."""
        parts, sizes = [], []
        for d, along in enumerate(at):
            u = self.np.unique(along)
            step = int(u[1] - u[0]) if len(u) > 1 else 1
            if len(u) > 1 and (self.np.diff(u) != step).any():
                return None
            first, last = int(u[0]), int(u[-1]) + 1
            parts.append(":" if len(u) == shape[d] else f"{first}:{last}" + (f":{step}" if step > 1 else ""))
            sizes.append(len(u))
        if math.prod(sizes) != len(at[0]):
            return None
        drop = len(shape) - len(wanted)
        for gone in itertools.combinations([d for d, n in enumerate(sizes) if n == 1], max(0, drop)):
            if tuple(n for d, n in enumerate(sizes) if d not in gone) == tuple(wanted):
                return ", ".join(str(int(at[d][0])) if d in gone else p for d, p in enumerate(parts)) or "()"
        return None

    # ---- trying

    def solve(self):
        """(statements, the formula in words) of the first candidate that gives the truth."""
        with self.np.errstate(all="ignore"):
            for lines, formula in self.candidates():
                for solved in self.with_number(lines):
                    if self.same(self.run(solved)):
                        return solved, formula
        known = self.op in ELEMENTWISE or self.op in RULES or self.op in MASKED
        raise NotImplementedError(f"explain_backward: {self.op} (step {self.s.number}, {self.s.place}) has no NumPy formula"
                                  + (" for what it was called with" if known else "") + "; tapegrad.tape() and viz.graph() show it")

    def candidates(self):
        if any(self.np.iscomplexobj(a) for a in (self.truth, self.g)):  # none of the formulas conjugates
            return
        found = ELEMENTWISE.get(self.op, ())
        for text in found[self.number] if self.number < len(found) else ():
            formula = f"d{'abc'[self.number]} = {text}"
            for expression in self.assignments(re.sub(r"\bN\b", str(self.truth.size), text)):
                yield [f"{{d}} = {expression}"], formula
                yield [f"{{d}} = unbroadcast({expression}, {self.shape})"], formula + ", summed over what was broadcast"
        rule = RULES.get(self.op)
        if rule:
            for c in rule(self):
                yield ([f"{{d}} = {c}"] if isinstance(c, str) else c), inspect.cleandoc(rule.__doc__)
        if rule is splits:
            lines = [f"{{d}} = np.zeros({self.shape}, g{self.first}_.dtype)"]
            yield lines + [f"{{d}}[{self.found_places(k)}] = g{k}_" for k, g in enumerate(self.outs) if g is not None], places.__doc__
        if rule is places:
            dx = self.probe(self.first)
            self.constants["at_"] = self.np.argsort(dx, axis=None, kind="stable")[dx.size - self.g.size:]
            yield [f"{{d}} = np.zeros({self.shape}, g.dtype)", "{d}.flat[at_] = g.ravel()"], places.__doc__
        if self.op in MASKED and self.shape == self.g.shape:
            self.constants["inside_"] = self.truth != 0
            yield ["{d} = g * inside_"], "da = g inside the limits, 0 outside"

    def assignments(self, text):
        """The text with every choice of saved values for its letters; those that the tape knows to be right first."""
        letters = sorted({w for w in WORD.findall(text) if w in ("a", "b", "c", "y")})
        roles = {f"s{k}_": v.role for k, v in enumerate(self.s.saved)}

        def wrong(choice):
            want = [f"input {'abc'.index(letter)}" if letter != "y" else f"output {self.first}" for letter in letters]
            return sum(roles[name] != w for name, w in zip(choice, want))
        for choice in sorted(itertools.product(self.arrays, repeat=len(letters)), key=wrong):
            given = text
            for letter, name in zip(letters, choice):
                given = re.sub(rf"\b{letter}\b", name, given)
            yield given

    def with_number(self, lines):
        """The lines with p, a number that only the node knows, solved for."""
        if not re.search(r"\bp\b", lines[-1]):
            yield lines
            return
        values = [2.0, 3.0, 4.0, 0.5, -1.0, -2.0, 1.5, -0.5] if "**(p" in lines[-1] else []
        if values:
            base = self.arrays.get("s0_")
            if base is not None and base.shape == self.truth.shape == self.g.shape and (base > 0).sum() > 1:
                x, r = self.np.log(base[base > 0]), (self.truth / self.g)[base > 0]
                values.append(float(self.np.polyfit(x, self.np.log(self.np.abs(r)), 1)[0]) + 1)
        else:
            zero, one = (self.run([self.set_number(line, v) for line in lines]) for v in (0.0, 1.0))
            if zero is None or one is None or self.np.shape(one) != self.shape:
                return
            slope = one - zero
            below = float((slope * slope).sum())
            values = [float(((self.truth - zero) * slope).sum()) / below if below else 0.0]
        for v in values:
            if math.isfinite(v):
                yield [self.set_number(line, float(f"{v:.7g}")) for line in lines]
                yield [self.set_number(line, float(f"{v:.4g}")) for line in lines]

    @staticmethod
    def set_number(line, v):
        return re.sub(r"\bp\b", repr(v) if v >= 0 else f"({v!r})", line)

    def run(self, lines):
        scope = {**self.scope, **self.constants}
        try:
            exec("\n".join(line.replace("{d}", "d_") for line in lines), scope)
        except (ValueError, IndexError, TypeError, AttributeError, ZeroDivisionError, OverflowError):
            return None  # not even of the right shapes
        return scope["d_"]

    def same(self, got):
        if got is None or self.np.shape(got) != self.shape or self.np.iscomplexobj(got):
            return False
        got, want = self.np.asarray(got, float), self.truth.astype(float)
        size = self.np.abs(want[self.np.isfinite(want)]).max(initial=1e-30)
        return self.np.allclose(got, want, rtol=self.tolerance, atol=self.tolerance * size, equal_nan=True)

    # ---- writing down

    def spell(self, line, target):
        """The line with the names of the whole source."""
        w, s = self.writer, self.s

        def real(m):
            word = m[0]
            if word in HELPERS:
                w.helpers.update((word, *(other for other in WORD.findall(HELPERS[word]) if other in HELPERS)))
            if word == "g":
                return "d_" + w.names["step", s.number, self.first]
            if re.fullmatch(r"g\d+_", word):
                return "d_" + w.names["step", s.number, int(word[1:-1])]
            if word in self.arrays:
                array = self.arrays[word]
                if array.ndim == 0 and s.saved[int(word[1:-1])].role.startswith("saved"):
                    return repr(array.item()) if array.item() >= 0 else f"({array.item()!r})"
                return w.use(w.name_of_saved(s, int(word[1:-1])), array)
            if word in self.constants:
                return w.use(f"{word}{s.number}", self.constants[word])
            return word
        return WORD.sub(real, line.replace("{d}", "d__")).replace("d__", target)
