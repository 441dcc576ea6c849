# For gdb: prints tensors as their shape and first values, and lets `step` pass over accessors. Load it with
#   (gdb) source tapegrad_gdb.py        or       gdb -x $(python -m tapegrad --gdb)
# Reads memory only, so it works on core files too.
import gdb
import gdb.printing

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
C_TYPES = {"bool": "bool", "uint8": "unsigned char", "int8": "signed char", "int16": "short", "int32": "int", "int64": "long",
           "float32": "float", "float64": "double"}
SHOWN = 8


def items(pointer, n):
    return [int(pointer[i]) for i in range(n)]


class TensorPrinter:
    """float32[2, 3] {1, 2, 3, …} requires_grad"""

    def __init__(self, value):
        self.impl = value["p_"]

    def to_string(self):
        if int(self.impl) == 0:
            return "undefined tensor"
        impl = self.impl.dereference()
        dtype, n = DTYPES[int(impl["dtype"])], int(impl["ndim"])
        sizes, strides = items(impl["sizes"], n), items(impl["strides"], n)
        text = f"{dtype}[{', '.join(map(str, sizes))}]"
        if dtype in C_TYPES:
            text += " {" + ", ".join(self.values(impl, dtype, sizes, strides)) + "}"
        if int(impl["grad_fn"]):
            node = impl["grad_fn"].dereference()
            text += f" grad_fn=<{str(node.dynamic_type).split('::')[-1]}>"
        elif bool(impl["requires_grad"]):
            text += " requires_grad"
        return text

    def values(self, impl, dtype, sizes, strides):
        total = 1
        for s in sizes:
            total *= s
        pointer = impl["data"].cast(gdb.lookup_type(C_TYPES[dtype]).pointer())
        for k in range(min(total, SHOWN)):
            at, rest = 0, k
            for size, stride in zip(reversed(sizes), reversed(strides)):
                at += rest % size * stride
                rest //= size
            v = pointer[at]
            yield f"{float(v):g}" if dtype.startswith("float") else str(int(v))
        if total > SHOWN:
            yield "…"


class ListPrinter:
    """IntList, Shape: [2, 3]"""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        owned = gdb.types.has_field(self.value.type, "v_")
        return str(items(self.value["v_" if owned else "data_"], int(self.value["size_"])))


import gdb.types  # noqa: E402

printers = gdb.printing.RegexpCollectionPrettyPrinter("tapegrad")
printers.add_printer("Tensor", "^tapegrad::Tensor$", TensorPrinter)
printers.add_printer("IntList", "^tapegrad::(IntList|Shape)$", ListPrinter)
gdb.printing.register_pretty_printer(gdb.current_objfile(), printers, replace=True)

# `step` on `f(x.dtype())` should land in f.
for function in (r"^tapegrad::Tensor::(Tensor|~Tensor|operator=|operator->|get|defined|dim|ndim|numel|sizes|shape|strides|dtype|device|"
                 r"is_cuda|requires_grad|data_ptr)\b", r"^tapegrad::(Scalar|IntList|Shape|OpScope|Ref<.*>)::", r"^std::"):
    gdb.execute(f"skip -rfu {function}", to_string=True)
