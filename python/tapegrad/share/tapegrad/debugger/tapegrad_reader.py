"""Reads tensors, tape and modules out of another process's memory or a core file. Knows neither gdb nor lldb: it is given a

memory with read(address, n) -> bytes (raises OSError), symbol(name) -> address or None, line(pc) -> "file:line" or None. Where
the fields lie stands in the library itself (src/autograd/debug_layout.cpp), so neither debug information nor a call into the
process is needed. What is no tensor raises Garbage.
"""

import itertools
import math
import struct

SHOWN = 8  # values of a tensor
LINES = 200  # of a graph or a module
COUNTED = 1_000_000  # values that stats looks at

# name, bytes of one element, struct's letter: in the order of the enum Dtype
DTYPES = [("bool", 1, "?"), ("uint8", 1, "B"), ("int8", 1, "b"), ("int16", 2, "h"), ("int32", 4, "i"), ("int64", 8, "q"),
          ("float16", 2, "e"), ("bfloat16", 2, "H"), ("float32", 4, "f"), ("float64", 8, "d"), ("complex64", 8, "ff"),
          ("complex128", 16, "dd"), ("uint16", 2, "H"), ("uint32", 4, "I"), ("uint64", 8, "Q")]  # fmt: skip
TABLES = ["tapegrad::debug_layout", "tapegrad::debug_layout_elementwise", "tapegrad::py::debug_layout_python"]

# Functions that `step` passes over, so that `f(x.dtype())` leads into f: accessors, checks, allocation. In a class or namespace: names.
SMALL = {
    "Tensor::": "Tensor ~Tensor operator= operator-> adopt share release get defined is_same dim ndim numel sizes shape strides size "
    "stride dtype element_size nbytes device is_.* version requires_grad data_ptr checked_dim",
    "": "needs_grad recording grad_enabled place_now pool_alloc pool_free item_size is_floating is_complex is_differentiable kernels "
    "same_sizes new_dense new_impl new_storage debug::get debug::put",
    ".anonymous.namespace.::": "SmallCall::fits SmallCall::takes SmallCall::result in_packets",  # no spaces: gdb splits at them
}  # fmt: skip
CLASSES = "Scalar IntList Shape Device TensorList Edge OpScope LongKernel Ref<.*> Counted SavedTensor"


def any_of(names):
    return "(" + "|".join(names.split()) + ")"


STEP_OVER = [f"^tapegrad::{where}{any_of(names)}([(<]|$)" for where, names in SMALL.items()]
STEP_OVER += [f"^tapegrad::{any_of(CLASSES)}::", "^std::", "^__gnu_cxx::", "^operator.new"]


class Garbage(Exception):
    """The memory does not hold what was looked for."""


def number_text(v):
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, complex):
        return f"{v.real:g}{v.imag:+g}i"
    return f"{v:g}" if isinstance(v, float) else str(v)


def list_text(ints):
    return "[" + ", ".join(map(str, ints)) + "]"


def decode(dtype, data):
    """The numbers in these bytes."""
    name, _, letter = DTYPES[dtype]
    if name == "bool":
        return [b != 0 for b in data]
    if name == "bfloat16":
        return [struct.unpack("<f", b"\0\0" + data[k : k + 2])[0] for k in range(0, len(data), 2)]
    numbers = [v[0] if len(letter) == 1 else complex(*v) for v in struct.iter_unpack("<" + letter, data)]
    return numbers


def offsets(sizes, strides):
    """Of the elements from the first one, in row-major order."""
    if not sizes:
        yield 0
        return
    for index in itertools.product(*map(range, sizes)):
        yield sum(i * s for i, s in zip(index, strides))


def class_name(mangled):
    """ "N8tapegrad12_GLOBAL__N_111SumBackwardE" -> "SumBackward" """
    last, at = "", mangled.find("N") + 1 if mangled[:2] in ("N8", "*N") else 0
    while at < len(mangled) and mangled[at].isdigit():
        digits = at
        while at < len(mangled) and mangled[at].isdigit():
            at += 1
        n = int(mangled[digits:at])
        last, at = mangled[at : at + n], at + n
    return last or mangled


def python_line(table, line, offset, modern):
    """The line of a byte offset in a code object: its line table as of 3.10, or the location table of 3.11 and later."""
    at = done = 0
    if not modern:
        while at + 1 < len(table):
            delta = table[at + 1] - 256 if table[at + 1] > 127 else table[at + 1]
            line += delta if delta != -128 else 0
            done += table[at]
            if done > offset:
                break
            at += 2
        return line
    while at < len(table):
        kind, done = table[at] >> 3 & 15, done + 2 * ((table[at] & 7) + 1)
        at += 1
        if kind in (13, 14):  # a signed number of six bits a byte, lowest first
            value = shift = 0
            for byte in table[at:]:
                value |= (byte & 63) << shift
                shift += 6
                if not byte & 64:
                    break
            line += -(value >> 1) if value & 1 else value >> 1
        elif 10 <= kind <= 12:
            line += kind - 10
        if done > offset:
            break
        while at < len(table) and not table[at] & 128:
            at += 1
    return line


class Reader:
    def __init__(self, memory):
        self.memory, self.layout = memory, {}

    # ---- memory

    def at(self, name):
        """Offset of a field. The tables are read when asked first, and again where a library may have come since."""
        if name not in self.layout:
            for where in filter(None, map(self.memory.symbol, TABLES)):
                self.layout.update(self.rows(where))
        if name not in self.layout:
            raise Garbage("no libtapegrad with a layout table in this program")
        return self.layout[name]

    def rows(self, where):
        for k in range(200):
            row = self.read(where + 32 * k, 32)
            name = row[:28].rstrip(b"\0").decode("ascii", "replace")
            if not name:
                return
            yield name, struct.unpack("<i", row[28:])[0]

    def read(self, address, n):
        try:
            return bytes(self.memory.read(address, n)) if n else b""
        except (OSError, OverflowError, ValueError):
            raise Garbage(f"cannot read memory at {address:#x}") from None

    def number(self, address, letter):
        return struct.unpack("<" + letter, self.read(address, struct.calcsize(letter)))[0]

    def pointer(self, address):
        return self.number(address, "Q")

    def field(self, address, name, letter="Q"):
        return self.number(address + self.at(name), letter)

    def ints(self, address, n):
        return list(struct.unpack(f"<{n}q", self.read(address, 8 * n)))

    def c_string(self, address):
        text = b""
        while b"\0" not in text and len(text) < 256:
            text += self.read(address + len(text), 16 - (address + len(text)) % 16)  # never over the end of a page
        return text.split(b"\0")[0].decode("utf-8", "replace")

    def string(self, address):
        """A std::string."""
        n = self.pointer(address + 8)
        if n > 1 << 16:
            raise Garbage("no std::string")
        return self.read(self.pointer(address), n).decode("utf-8", "replace")

    def items(self, address, size):
        """Addresses of a std::vector's elements."""
        begin, end = self.pointer(address), self.pointer(address + 8)
        if end < begin or end - begin > 1 << 30 or (end - begin) % size:
            raise Garbage("no std::vector")
        return range(begin, end, size)

    # ---- tensors

    def geometry(self, impl):
        """dtype, sizes, strides, address of the first element."""
        dtype, ndim = self.field(impl, "TensorImpl.dtype", "B"), self.field(impl, "TensorImpl.ndim", "B")
        if dtype >= min(len(DTYPES), self.at("dtypes")) or ndim > self.at("max_dims"):
            raise Garbage(f"no tensor at {impl:#x}")
        sizes = self.ints(self.field(impl, "TensorImpl.sizes"), ndim)
        strides = self.ints(self.field(impl, "TensorImpl.strides"), ndim)
        if min(sizes, default=0) < 0 or math.prod(sizes) != self.field(impl, "TensorImpl.numel"):
            raise Garbage(f"no tensor at {impl:#x}")
        return dtype, sizes, strides, self.field(impl, "TensorImpl.data")

    def device(self, impl):
        kind, index = self.field(impl, "TensorImpl.device_type", "B"), self.field(impl, "TensorImpl.device_index", "b")
        return ["cpu", "cuda"][kind & 1] + (f":{index}" if index >= 0 else "")

    def values(self, impl, most):
        dtype, sizes, strides, data = self.geometry(impl)
        size = DTYPES[dtype][1]
        n = min(most, math.prod(sizes))
        row_major = [math.prod(sizes[k + 1 :]) for k in range(len(sizes))]
        if all(a == b or s == 1 for a, b, s in zip(strides, row_major, sizes)):
            return decode(dtype, self.read(data, n * size))
        at = itertools.islice(offsets(sizes, strides), n)
        return decode(dtype, b"".join(self.read(data + k * size, size) for k in at))

    def tensor(self, impl):
        """float32[2, 3] cpu {1, 2, 3, …} requires_grad"""
        if not impl:
            return "undefined tensor"
        dtype, sizes, _, _ = self.geometry(impl)
        device = self.device(impl)
        text = f"{DTYPES[dtype][0]}{list_text(sizes)} {device}"
        if device == "cpu":
            shown = [number_text(v) for v in self.values(impl, SHOWN)]
            text += " {" + ", ".join(shown + ["…"] * (math.prod(sizes) > SHOWN)) + "}"
        node = self.field(impl, "TensorImpl.grad_fn")
        if node:
            return text + f" requires_grad grad_fn=<{self.node(node)}>"
        return text + " requires_grad" * bool(self.field(impl, "TensorImpl.requires_grad", "B"))

    def stats(self, impl):
        dtype, sizes, strides, data = self.geometry(impl)
        total = math.prod(sizes)
        lines = [self.tensor(impl), f"strides {list_text(strides)}, data {data:#x}"]
        storage = self.field(impl, "TensorImpl.storage")
        if storage:
            bytes_, version = self.field(storage, "Storage.bytes"), self.field(storage, "Storage.version", "I")
            lines.append(f"storage of {bytes_} bytes, written in place {version} times")
        if self.device(impl) != "cpu" or not total:
            return "\n".join(lines)
        numbers = self.values(impl, COUNTED)
        if DTYPES[dtype][0].startswith("complex"):
            numbers = [abs(v) for v in numbers]
        finite = [v for v in numbers if math.isfinite(v)]
        of = "" if total <= COUNTED else f"of the first {COUNTED} values: "
        of += "of absolute values: " if DTYPES[dtype][0].startswith("complex") else ""
        if finite:
            mean = math.fsum(finite) / len(finite)
            spread = math.sqrt(math.fsum((v - mean) ** 2 for v in finite) / max(1, len(finite) - 1))
            lines.append(f"{of}min {number_text(min(finite))}, max {number_text(max(finite))}, mean {mean:g}, std {spread:g}")
        nan = sum(v != v for v in numbers)
        infinite = len(numbers) - len(finite) - nan
        lines.append(f"{of}{nan} nan, {infinite} infinite, {sum(v == 0 for v in numbers)} zero of {len(numbers)}")
        gradient = self.gradient(impl)
        return "\n".join(lines + [f"grad {self.tensor(gradient)}"] * bool(gradient))

    def gradient(self, impl):
        extra = self.field(impl, "TensorImpl.extra")
        return extra and self.pointer(extra + self.at("Extra.grad"))

    # ---- the tape

    def node_name(self, node):
        """The class of the node; of elementwise ones the name that Python shows."""
        info = self.pointer(self.pointer(node) - 8)  # behind the vtable's head lies the typeinfo
        name = class_name(self.c_string(self.pointer(info + 8))) if info else "Node"
        if name.startswith("ElementwiseNode"):
            return self.c_string(self.field(self.field(node, "ElementwiseNode.op"), "Op.node"))
        return name

    def place(self, node):
        """The user's line that recorded the node; "" where it is not known."""
        where, offset = self.field(node, "Node.place"), self.field(node, "Node.place_offset", "i")
        try:
            return (self.python_place(where, offset) if offset >= 0 else self.memory.line(where)) or "" if where else ""
        except Garbage:
            return ""

    def python_place(self, entry, offset):
        code, file = self.field(entry, "CodeEntry.code"), self.field(entry, "CodeEntry.path")
        start, what = (code, "Code") if code else (entry, "CodeEntry")
        table, line = self.field(start, what + ".lines"), self.field(start, what + ".first_line", "i")
        lines = self.read(table + self.at("Bytes.data"), min(1 << 20, self.field(table, "Bytes.length")))
        line = python_line(lines, line, offset, self.at("python_minor") >= 11)
        return f"{self.c_string(file).rsplit('/', 1)[-1]}:{line}" if file else ""

    def node(self, node):
        name, place = self.node_name(node), self.place(node)
        return f"{name} from {place}" if place else name

    def edges(self, node):
        """(is a leaf, address or 0, output number) for each input."""
        start, size = self.field(node, "Node.edges"), self.at("edge_size")
        for k in range(self.field(node, "Node.edge_count", "H")):
            bits = self.pointer(start + k * size)
            yield bits & 1, bits & ~1, self.field(start + k * size, "Edge.output_nr", "I")

    def graph(self, impl):
        """The nodes behind a tensor, each under those that it gives its gradient to; the second time only by name."""
        root = self.field(impl, "TensorImpl.grad_fn")
        if not root:
            return "no graph: " + self.tensor(impl)
        lines, seen, todo = [], set(), [(root, 0, "", False)]
        while todo:
            address, depth, label, leaf = todo.pop()
            if len(lines) == LINES:
                lines.append("…")
                break
            indent = "  " * min(depth, 40) + label
            if leaf:
                lines.append(f"{indent}leaf {self.tensor(address)}")
            elif not address:
                lines.append(f"{indent}no gradient")
            elif address in seen:
                lines.append(f"{indent}{self.node_name(address)}, as above")
            else:
                seen.add(address)
                lines.append(indent + self.node(address))
                inner = [(to, depth + 1, f"{k}: ", leaf) for k, (leaf, to, _) in enumerate(self.edges(address))]
                todo += reversed(inner)
        return "\n".join(lines)

    def tape(self, impl):
        """The nodes behind a tensor in the order in which backward() runs them."""
        root = self.field(impl, "TensorImpl.grad_fn")
        found, todo = {}, [root] if root else []
        while todo and len(found) < 100_000:
            node = todo.pop()
            if node in found:
                continue
            found[node] = self.field(node, "Node.sequence")
            todo += [to for leaf, to, _ in self.edges(node) if to and not leaf]
        order = sorted(found, key=found.get, reverse=True)
        lines = [f"{found[n]:6d}  {self.node(n)}" for n in order[:LINES]] + ["…"] * (len(order) > LINES)
        return "\n".join([f"{len(order)} nodes, in the order of backward()"] + lines) if lines else "no graph: " + self.tensor(impl)

    def thread(self):
        """What this thread records and runs."""
        tls = self.memory.symbol("tapegrad::tls")
        if not tls:
            raise Garbage("the debugger cannot read this thread's variables")
        flag = {name: self.field(tls, "ThreadState." + name, "B") for name in ("no_grad", "inference", "anomaly")}
        lines = ["recording is " + ("off" if flag["no_grad"] else "on")]
        lines += [f"{name} mode" for name in ("inference", "anomaly") if flag[name]]
        made = self.field(tls, "ThreadState.nodes", "q")
        lines.append(f"{made} nodes made by this thread live; the next has number {self.field(tls, 'ThreadState.sequence')}")
        running, scope = self.field(tls, "ThreadState.running"), self.field(tls, "ThreadState.scope")
        if running:
            lines.append("backward() runs " + self.node(running))
        while scope and len(lines) < 40:
            caller = self.memory.line(self.field(scope, "OpScope.caller"))
            lines.append(f"in {self.c_string(self.field(scope, 'OpScope.name'))}" + (f" from {caller}" if caller else ""))
            scope = self.field(scope, "OpScope.outer")
        return "\n".join(lines)

    # ---- shapes, state dicts, modules

    def shape(self, address):
        n = self.number(address, "B")
        if n > self.at("max_dims"):
            raise Garbage("no Shape")
        return list_text(self.ints(address + self.at("Shape.values"), n))

    def int_list(self, address):
        n = self.field(address, "IntList.size")
        if n > 1 << 20:
            raise Garbage("no IntList")
        return list_text(self.ints(self.pointer(address), min(n, 64)))

    def named(self, vector):
        """(name, address of what is named) of a std::vector of pairs."""
        for at in self.items(vector, self.at("named_size")):
            yield self.string(at), self.pointer(at + self.at("Named.second"))

    def state_dict(self, vector):
        lines = [f"  {name}: {self.tensor(impl)}" for name, impl in itertools.islice(self.named(vector), LINES)]
        return "\n".join([f"{len(self.items(vector, self.at('named_size')))} tensors", *lines])

    def module(self, address):
        """The tree of a module: names, settings, parameters and buffers."""
        lines = []
        self.module_lines(self.field(address, "Module.state"), "", "", lines)
        return "\n".join(lines[:LINES])

    def module_lines(self, state, indent, label, lines):
        if not state or len(indent) > 80:
            raise Garbage("no module")
        if len(lines) >= LINES:
            return
        details = self.string(state + self.at("ModuleState.details"))
        mode = "" if self.field(state, "ModuleState.training", "B") else " eval"
        lines.append(f"{indent}{label}{self.string(state + self.at('ModuleState.name'))}({details}){mode}")
        for name, impl in self.named(state + self.at("ModuleState.parameters")):
            lines.append(f"{indent}  {name}: {self.tensor(impl)}")
        for at in self.items(state + self.at("ModuleState.buffers"), self.at("buffer_size")):
            lines.append(f"{indent}  {self.string(at)}: buffer {self.tensor(self.pointer(at + self.at('Buffer.tensor')))}")
        for name, child in self.named(state + self.at("ModuleState.children")):
            self.module_lines(child, indent + "  ", name + ": ", lines)
