"""lldb on tapegrad: prints tensors, shapes, state dicts and modules, and `tg print t`, `tg stats t`, `tg graph t`, `tg tape t`.

    (lldb) command script import /path/that/python/-m/tapegrad.gdb/--lldb/prints

Only memory is read, so it works on release builds and core files too.
"""

import os
import shlex
import sys

import lldb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tapegrad_reader import STEP_OVER, Garbage, Reader  # noqa: E402

sys.path.pop(0)


class Memory:
    """Of the process that was asked about last."""

    target = None

    def read(self, address, n):
        error = lldb.SBError()
        data = self.target.process.ReadMemory(address, n, error)
        if error.Success() and data is not None:
            return data
        place = self.target.ResolveLoadAddress(address)  # constants of the program's files are in no core file
        data = self.target.ReadMemory(place, n, error) if place.IsValid() else None
        if not data or len(data) < n:
            raise OSError(str(error))
        return data

    def symbol(self, name):
        for found in self.target.FindSymbols(name):
            address = found.symbol.addr.GetLoadAddress(self.target)
            if address != lldb.LLDB_INVALID_ADDRESS:
                return address
        return None

    def line(self, pc):
        where = self.target.ResolveLoadAddress(pc - 1) if pc else None
        if not where or not where.IsValid():
            return None
        entry = where.GetLineEntry()
        if entry.IsValid():
            return f"{entry.file.basename}:{entry.line}"
        name = where.symbol.name
        return f"{name.split('(')[0]}+{where.GetLoadAddress(self.target) - where.symbol.addr.GetLoadAddress(self.target)}" if name else None


memory = Memory()
reader = Reader(memory)


def words(target, read, *arguments):
    if target != memory.target:
        memory.target = target
        reader.layout.clear()
    try:
        return read(*arguments)
    except Garbage as e:
        return f"<{e}>"


def address_of(value):
    value = value.GetNonSyntheticValue()
    if value.type.IsReferenceType() or value.type.IsPointerType():
        return value.GetValueAsUnsigned()
    return value.GetLoadAddress()


def summary(read):
    def text(value, _):
        address = address_of(value)
        return "<in a register>" if address == lldb.LLDB_INVALID_ADDRESS else words(value.target, read, address)

    return text


tensor = summary(lambda address: reader.tensor(reader.pointer(address)))
impl = summary(lambda address: reader.tensor(address))
shape = summary(lambda address: reader.shape(address))
int_list = summary(lambda address: reader.int_list(address))
state_dict = summary(lambda address: reader.state_dict(address))


def is_module(kind, depth=0):
    if kind.GetCanonicalType().name in ("tapegrad::nn::Module", "const tapegrad::nn::Module"):
        return True
    bases = range(kind.GetNumberOfDirectBaseClasses()) if depth < 8 else ()
    return any(is_module(kind.GetDirectBaseClassAtIndex(k).type, depth + 1) for k in bases)


def module(value, _):
    kind = value.type.GetDereferencedType() if value.type.IsReferenceType() else value.type
    return words(value.target, reader.module, address_of(value)) if is_module(kind) else ""


SUMMARIES = {
    "tensor": "^tapegrad::Tensor( &)?$",
    "impl": r"^tapegrad::TensorImpl( \*)?$",
    "shape": r"^tapegrad::(Shape|nn::Dims)( &)?$",
    "int_list": "^tapegrad::IntList( &)?$",
    "state_dict": r"^(tapegrad::StateDict|std::vector<std::pair<std::.*, tapegrad::Tensor>.*>)( &)?$",
    "module": "^tapegrad::nn::[A-Z][A-Za-z0-9]*(<.*>)?( &)?$",
}


def variable(frame, expression):
    value = frame.GetValueForVariablePath(expression)
    if not value.IsValid():
        raise Garbage(f"there is no variable {expression} here")
    return value


def tensor_of(frame, expression):
    """The TensorImpl that a variable or an address in this frame stands for."""
    if expression[:1].isdigit():
        return int(expression, 0)
    value = variable(frame, expression)
    if not value.type.GetCanonicalType().name.startswith(("tapegrad::Tensor", "const tapegrad::Tensor")):
        raise Garbage(f"{expression} is no tapegrad::Tensor")
    address = address_of(value)
    return address if "TensorImpl" in value.type.name else reader.pointer(address)


def tg(debugger, command, context, result, _):
    """tg print t, tg stats t, tg graph t, tg tape t"""
    what, *rest = shlex.split(command) or ["help"]
    read = {"print": reader.tensor, "stats": reader.stats, "graph": reader.graph, "tape": reader.tape}.get(what)
    if not read or len(rest) != 1:
        result.SetError("tg print t, tg stats t, tg graph t, tg tape t: t is a tensor or the address of a TensorImpl")
        return

    def run():
        if what == "print" and not rest[0][:1].isdigit() and is_module(variable(context.frame, rest[0]).type):
            return reader.module(address_of(variable(context.frame, rest[0])))
        of = tensor_of(context.frame, rest[0])
        return read(of) if of else "undefined tensor"

    print(words(context.target, run), file=result)


def __lldb_init_module(debugger, _):
    for name, pattern in SUMMARIES.items():
        debugger.HandleCommand(f"type summary add -x '{pattern}'{' -p' * (name != 'impl')} -F {__name__}.{name} -w tapegrad")
    debugger.HandleCommand("type category enable tapegrad")
    debugger.HandleCommand(f"command script add -f {__name__}.tg tg")
    debugger.HandleCommand("settings set target.process.thread.step-avoid-regexp " + "|".join(STEP_OVER))
