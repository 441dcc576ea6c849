"""A pickle reader that runs nothing but what it is given, and a writer of the same opcodes.

The reader is a small machine of its own, because Python's allocates whatever a file asks for. It takes the binary opcodes of protocols
2 to 5; names become objects through a function of the caller, and only what that function returns as a Builder is ever called.
"""
import struct
from collections import Counter, OrderedDict
from pickle import UnpicklingError

__all__ = ["Builder", "Reader", "Writer", "UnpicklingError", "hashable"]


class Builder:
    """A name of a pickle that may be called: call(*args) checks its arguments; set_state(object, state) takes what BUILD brings;
    new(*args) makes an object without __init__. `value` is what the name itself stands for, where it is no call."""

    def __init__(self, name, call, set_state=None, new=None, value=None):
        self.name, self.call, self.set_state, self.new, self.value = name, call, set_state, new or call, value

    def __repr__(self):
        return self.name


_SCALARS = (str, bytes, int, float, complex, type(None))


def hashable(x):
    """x when it may be a key of a dict or a member of a set: nested tuples can take for ever to hash."""
    if isinstance(x, tuple) and (len(x) > 100 or not all(isinstance(y, _SCALARS) for y in x)):
        raise UnpicklingError("a key is a tuple of other things than numbers and texts, or a long one")
    if isinstance(x, (list, dict, set, bytearray)):
        raise UnpicklingError(f"a key is a {type(x).__name__}")
    return x


class Reader:
    """read() gives the object of one pickle in `data` from position `at` on, which afterwards is where the pickle ended.

    find(module, name) gives the object for a name or raises; persistent(id) the object for a persistent id.
    """

    def __init__(self, data, find, persistent=None, at=0):
        self.data, self.at, self.find, self.persistent = memoryview(data), at, find, persistent

    def read(self):
        self.stack, self.marks, self.memo, self.makers = [], [], {}, {}
        self.looks = 4 * len(self.data) + 4096  # items that calls may still look at: a pickle can name one list many times
        try:
            while True:
                code = self.take(1)[0]
                if code == 0x2E:  # STOP
                    break
                op = _OPS.get(code)
                if op is None:
                    raise UnpicklingError(f"opcode {bytes([code])!r} is not allowed")
                op(self)
            if len(self.stack) != 1:
                raise UnpicklingError(f"{len(self.stack)} objects are left at the end, expected 1")
            return self.stack[0]
        except (IndexError, KeyError) as e:
            raise UnpicklingError(f"invalid at byte {self.at}: {type(e).__name__}: {e}") from None
        except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as e:
            if isinstance(e, UnpicklingError):
                raise
            raise UnpicklingError(f"invalid at byte {self.at}: {e}") from None

    # ---- the machine

    def take(self, n):
        if n < 0 or self.at + n > len(self.data):
            raise UnpicklingError(f"truncated: {n} bytes wanted at byte {self.at} of {len(self.data)}")
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, format):
        return struct.unpack(format, self.take(struct.calcsize(format)))[0]

    def line(self):
        for end in range(self.at, min(len(self.data), self.at + 1000)):
            if self.data[end] == 10:
                text = str(self.data[self.at:end], "utf-8")
                self.at = end + 1
                return text
        raise UnpicklingError(f"truncated: no end of line behind byte {self.at}")

    def pop_mark(self):
        at = self.marks.pop()
        items = self.stack[at:]
        del self.stack[at:]
        return items

    def pop(self):
        if self.marks and self.marks[-1] >= len(self.stack):
            raise UnpicklingError("nothing on the stack")
        return self.stack.pop()

    def pop_many(self, n):
        return [self.pop() for _ in range(n)][::-1]

    def top(self, kinds):
        x = self.stack[-1]
        if not isinstance(x, kinds):
            raise UnpicklingError(f"items for a {type(x).__name__}")
        return x

    def look(self, items):
        self.looks -= items
        if self.looks < 0:
            raise UnpicklingError("calls with more items than the pickle has, or too many large integers as keys")

    def key(self, x):
        if isinstance(x, int) and x.bit_length() > 64:  # as many as one likes of those have the same hash
            self.look(128)
        return hashable(x)

    # ---- opcodes with work in them

    def nothing(self):
        pass

    def proto(self):
        if self.number("<B") > 5:
            raise UnpicklingError("unknown pickle protocol")

    def text(self, format):
        self.stack.append(str(self.take(self.number(format)), "utf-8", "surrogatepass"))

    def long_integer(self):
        n = self.number("<i")
        if n > 255:
            raise UnpicklingError(f"an integer of {n} bytes")
        self.stack.append(int.from_bytes(self.take(n), "little", signed=True))

    def old_text(self, format):  # Python 2's strings
        self.stack.append(str(self.take(self.number(format)), "utf-8", "replace"))

    def set_items(self, items):
        target = self.top(dict)
        if len(items) % 2:
            raise UnpicklingError("a key without a value")
        for k, v in zip(items[::2], items[1::2]):
            target[self.key(k)] = v

    def add_items(self, items):
        self.top(set).update(map(self.key, items))

    def dictionary(self):
        items = self.pop_mark()
        self.stack.append({})
        self.set_items(items)

    def name(self, module, name):
        if not isinstance(module, str) or not isinstance(name, str):
            raise UnpicklingError("a name that is no text")
        self.stack.append(self.find(module, name))

    def reduce(self, new=False):
        f, args = self.pop_many(2)
        if not isinstance(f, Builder):
            raise UnpicklingError(f"{f!r} is called, which is not allowed")
        if not isinstance(args, tuple):
            raise UnpicklingError("arguments that are no tuple")
        self.look(sum(len(x) for x in args if isinstance(x, (str, bytes, bytearray, tuple, list, dict, set))))
        made = (f.new if new else f.call)(*args)
        if f.set_state:
            self.makers[id(made)] = (made, f)
        self.stack.append(made)

    def build(self):
        state = self.pop()
        made, maker = self.makers.get(id(self.stack[-1]), (None, None))
        if maker is None:
            raise UnpicklingError(f"state for a {type(self.stack[-1]).__name__}, which takes none")
        maker.set_state(made, state)

    def persistent_id(self):
        if self.persistent is None:
            raise UnpicklingError("a persistent id")
        self.stack.append(self.persistent(self.pop()))


def _push(f):
    return lambda m: m.stack.append(f(m))


_OPS = {code[0]: op for code, op in {
    b"\x80": Reader.proto, b"\x95": lambda m: m.take(8), b"(": lambda m: m.marks.append(len(m.stack)),
    b"0": lambda m: m.pop() if not m.marks or m.marks[-1] < len(m.stack) else m.marks.pop(), b"1": Reader.pop_mark,
    b"2": _push(lambda m: m.stack[-1]), b"N": _push(lambda m: None), b"\x88": _push(lambda m: True), b"\x89": _push(lambda m: False),
    b"J": _push(lambda m: m.number("<i")), b"K": _push(lambda m: m.number("<B")), b"M": _push(lambda m: m.number("<H")),
    b"G": _push(lambda m: m.number(">d")), b"\x8a": _push(lambda m: int.from_bytes(m.take(m.number("<B")), "little", signed=True)),
    b"\x8b": Reader.long_integer,
    b"X": lambda m: m.text("<I"), b"\x8c": lambda m: m.text("<B"), b"\x8d": lambda m: m.text("<Q"),
    b"T": lambda m: m.old_text("<i"), b"U": lambda m: m.old_text("<B"),
    b"B": _push(lambda m: bytes(m.take(m.number("<I")))), b"C": _push(lambda m: bytes(m.take(m.number("<B")))),
    b"\x8e": _push(lambda m: bytes(m.take(m.number("<Q")))), b"\x96": _push(lambda m: bytearray(m.take(m.number("<Q")))),
    b")": _push(lambda m: ()), b"\x85": _push(lambda m: tuple(m.pop_many(1))), b"\x86": _push(lambda m: tuple(m.pop_many(2))),
    b"\x87": _push(lambda m: tuple(m.pop_many(3))), b"t": _push(lambda m: tuple(m.pop_mark())),
    b"]": _push(lambda m: []), b"l": _push(lambda m: m.pop_mark()), b"a": lambda m: _append(m, [m.pop()]),
    b"e": lambda m: _append(m, m.pop_mark()),
    b"}": _push(lambda m: {}), b"d": Reader.dictionary,
    b"s": lambda m: m.set_items(m.pop_many(2)), b"u": lambda m: m.set_items(m.pop_mark()),
    b"\x8f": _push(lambda m: set()), b"\x90": lambda m: m.add_items(m.pop_mark()),
    b"q": lambda m: m.memo.__setitem__(m.number("<B"), m.stack[-1]), b"r": lambda m: m.memo.__setitem__(m.number("<I"), m.stack[-1]),
    b"\x94": lambda m: m.memo.__setitem__(len(m.memo), m.stack[-1]),
    b"h": _push(lambda m: m.memo[m.number("<B")]), b"j": _push(lambda m: m.memo[m.number("<I")]),
    b"c": lambda m: m.name(m.line(), m.line()), b"\x93": lambda m: m.name(*m.pop_many(2)),
    b"R": Reader.reduce, b"\x81": lambda m: m.reduce(new=True), b"b": Reader.build, b"Q": Reader.persistent_id}.items()}


def _append(machine, items):
    machine.top(list).extend(items)


class Writer:
    """Protocol 2, which every reader of PyTorch's files knows. pickle(x) gives the bytes of x.

    other(writer, x, path) writes what is no plain value and returns True, or returns False; TypeError then names the path in x.
    """

    def __init__(self, other):
        self.out, self.memo, self.alive, self.other = [], {}, [], other

    def pickle(self, x):
        self.out.append(b"\x80\x02")
        self.write(x, "")
        return b"".join(self.out) + b"."

    def put(self, *parts):
        self.out.extend(parts)

    def remember(self, x):
        self.memo[id(x)] = len(self.memo)
        self.alive.append(x)
        self.put(b"r", struct.pack("<I", self.memo[id(x)]))

    def name(self, module, name):
        self.put(b"c", f"{module}\n{name}\n".encode())

    def call(self, module, name, *args, path=""):
        self.name(module, name)
        self.write(args, path)
        self.put(b"R")

    def write(self, x, path):
        kind = type(x)
        if x is None or kind is bool:
            self.put(b"N" if x is None else b"\x88" if x else b"\x89")
        elif id(x) in self.memo:
            self.put(b"j", struct.pack("<I", self.memo[id(x)]))
        elif kind is int:
            self.integer(x)
        elif kind is float:
            self.put(b"G", struct.pack(">d", x))
        elif kind is str:
            data = x.encode("utf-8", "surrogatepass")
            self.put(b"X", struct.pack("<I", len(data)), data)
            self.remember(x)
        elif kind in (bytes, bytearray):
            if kind is bytearray:
                self.call("__builtin__", "bytearray", bytes(x))
            else:
                self.call("_codecs", "encode", x.decode("latin1"), "latin1")
            self.remember(x)
        elif kind is tuple:
            self.put(b"(")
            for i, y in enumerate(x):
                self.write(y, f"{path}.{i}" if path else str(i))
            self.put(b"t")
        elif kind is list:
            self.put(b"]")
            self.remember(x)
            self.put(b"(")
            for i, y in enumerate(x):
                self.write(y, f"{path}.{i}" if path else str(i))
            self.put(b"e")
        elif kind is dict or kind is OrderedDict:
            self.mapping(x, path)
        elif kind is Counter:
            self.call("collections", "Counter", dict(x), path=path)
            self.remember(x)
        elif kind is set:
            self.call("__builtin__", "set", list(x), path=path)
            self.remember(x)
        elif kind is complex:
            self.call("__builtin__", "complex", x.real, x.imag)
        elif not self.other(self, x, path):
            raise TypeError(f"save: {path or 'the object'} is a {kind.__name__}; only tensors, numbers, texts, None, dicts, lists, "
                            f"tuples and sets can be saved")

    def integer(self, x):
        if 0 <= x < 256:
            self.put(b"K", bytes([x]))
        elif -2 ** 31 <= x < 2 ** 31:
            self.put(b"J", struct.pack("<i", x))
        else:
            data = x.to_bytes(x.bit_length() // 8 + 1, "little", signed=True)
            if len(data) > 255:
                raise OverflowError(f"save: an integer of {x.bit_length()} bits")
            self.put(b"\x8a", bytes([len(data)]), data)

    def mapping(self, x, path):
        if type(x) is OrderedDict:
            self.call("collections", "OrderedDict")
        else:
            self.put(b"}")
        self.remember(x)
        self.put(b"(")
        for k, v in x.items():
            self.write(k, path)
            self.write(v, f"{path}.{k}" if path else str(k))
        self.put(b"u")
        if getattr(x, "__dict__", None):  # a state_dict's _metadata
            self.write(x.__dict__, path)
            self.put(b"b")
