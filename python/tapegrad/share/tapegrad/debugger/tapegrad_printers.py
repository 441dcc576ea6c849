"""The printers, commands and step rules of gdb; tapegrad_gdb.py loads them."""

import os

import gdb
import gdb.printing
from tapegrad_reader import STEP_OVER, Garbage, Reader


class Memory:
    def read(self, address, n):
        try:
            return gdb.selected_inferior().read_memory(address, n)
        except gdb.error as e:  # gdb.MemoryError too
            raise OSError from e

    def symbol(self, name):
        try:
            return int(gdb.parse_and_eval(f"(unsigned long)&'{name}'"))
        except gdb.error:
            return None

    def line(self, pc):
        """Of the call that returns to pc; where there are no lines, the function and the offset."""
        where = gdb.find_pc_line(pc - 1) if pc else None
        if where and where.symtab:
            return f"{os.path.basename(where.symtab.filename)}:{where.line}"
        try:
            text = gdb.execute(f"info symbol {pc - 1:#x}", to_string=True) if pc else ""
        except gdb.error:
            return None
        return text.split(" in section")[0].replace(" ", "") if " in section" in text else None


reader = Reader(Memory())
gdb.events.new_objfile.connect(lambda _: reader.layout.clear())  # another build of the library, perhaps


def words(read, *arguments):
    """What `read` says, or why it cannot."""
    try:
        return read(*arguments)
    except (Garbage, gdb.error) as e:
        return f"<{e}>"


# ---- printers ------------------------------------------------------------------------------------------------------


def tensor_of(value):
    """The TensorImpl that a Tensor, a TensorImpl, a pointer to either or an integer stands for."""
    t = value.type.strip_typedefs()
    if t.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        return tensor_of(value.referenced_value())
    if t.code == gdb.TYPE_CODE_PTR and t.target().strip_typedefs().name == "tapegrad::Tensor":
        return tensor_of(value.dereference())
    if t.code in (gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_INT):
        return int(value) & 0xFFFFFFFFFFFFFFFF
    if t.name == "tapegrad::TensorImpl":
        return int(value.address)
    if t.name != "tapegrad::Tensor":
        raise gdb.GdbError(f"{t} is no tapegrad::Tensor")
    if value.is_optimized_out:
        raise Garbage("optimized out")
    return int(value["p_"]) if value.address is None else reader.pointer(int(value.address))


class Printer:
    def __init__(self, value, read):
        self.value, self.read = value, read

    def to_string(self):
        return words(self.read, self.value)


def at(read):
    """read(address of the object)"""
    return lambda value: read(int(value.address)) if value.address is not None else "<in a register>"


READ = {
    "tapegrad::Tensor": lambda value: reader.tensor(tensor_of(value)),
    "tapegrad::TensorImpl": at(reader.tensor),
    "tapegrad::Shape": at(reader.shape),
    "tapegrad::IntList": at(reader.int_list),
    "tapegrad::nn::Dims": at(reader.shape),
}
PAIRS = ("std::vector<std::pair<std::", ", tapegrad::Tensor>")


def module_offset(kind, depth=0):
    """Where the nn::Module lies in an object of this class, or None."""
    if kind.name == "tapegrad::nn::Module":
        return 0
    if kind.code != gdb.TYPE_CODE_STRUCT or depth > 8:
        return None
    for f in kind.fields():
        if f.is_base_class and (inner := module_offset(f.type.strip_typedefs(), depth + 1)) is not None:
            return f.bitpos // 8 + inner
    return None


def printer_of(value):
    kind = value.type.strip_typedefs().unqualified()
    if kind.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        kind = kind.target().strip_typedefs().unqualified()
        value = value.referenced_value()
    name = kind.name or ""
    if name in READ:
        return Printer(value, READ[name])
    if name.startswith(PAIRS[0]) and PAIRS[1] in name and kind.fields():
        return Printer(value, at(reader.state_dict))
    if kind.code == gdb.TYPE_CODE_STRUCT and not name.startswith("std::"):
        offset = module_offset(kind)
        if offset is not None:
            return Printer(value, at(lambda address: reader.module(address + offset)))
    return None


printer_of.name, printer_of.enabled = "tapegrad", True
gdb.printing.register_pretty_printer(None, printer_of, replace=True)

# ---- commands ------------------------------------------------------------------------------------------------------


class Command(gdb.Command):
    """Looks at tensors of tapegrad: tg print, tg stats, tg graph, tg tape."""

    def __init__(self, name, doc, read):
        self.__doc__, self.read = doc, read
        super().__init__("tg " + name, gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        print(words(self.read, gdb.parse_and_eval(argument or "0")))


def of_tensor(read, otherwise=lambda: "undefined tensor"):
    def run(value):
        impl = tensor_of(value)
        return read(impl) if impl else otherwise()

    return run


def print_any(value):
    printer = printer_of(value)
    return printer.read(printer.value) if printer else reader.tensor(tensor_of(value))


class Prefix(gdb.Command):
    """Looks at tensors of tapegrad: tg print t, tg stats t, tg graph t, tg tape [t]."""

    def __init__(self):
        super().__init__("tg", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)


Prefix()
Command("print", "A tensor, shape, state dict or module, or the TensorImpl at an address.", print_any)
Command("stats", "Smallest, largest and mean value of a tensor; how many are nan, infinite, zero; its memory.", of_tensor(reader.stats))
Command("graph", "The recorded ops behind a tensor, down to the leaves.", of_tensor(reader.graph))
TAPE = "What this thread records; of a tensor, the nodes behind it in the order of backward()."
Command("tape", TAPE, of_tensor(reader.tape, reader.thread))

# ---- stepping: `step` on `f(x.dtype())` lands in f -------------------------------------------------------------------

known = gdb.execute("info skip", to_string=True)
for rule in STEP_OVER:
    if rule not in known:
        gdb.execute(f"skip -rfunction {rule}", to_string=True)
