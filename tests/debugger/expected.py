"""What the printers of gdb and lldb must say of the variables of steps.cpp."""

LINE = "all are looked at here"  # the line of steps.cpp where look() is stopped

LOOK = {
    "t": "float32[4, 3] cpu {0, 4, 8, 1, 5, 9, 2, 6, …}",
    "undefined": "undefined tensor",
    "empty": "float32[0, 3] cpu {}",
    "half": "float16[2] cpu {1.5, -2}",
    "brain": "bfloat16[2] cpu {1.5, -2}",
    "truth": "bool[2] cpu {true, false}",
    "small": "int8[2] cpu {-1, 127}",
    "large": "int64[2] cpu {1, -5}",
    "number": "float64[] cpu {3.5}",
    "turned": "complex64[2] cpu {1-1i, 2+0.5i}",
    "nan": "float64[4] cpu {nan, inf, inf, inf}",
    "shape": "[2, 3, 4]",
    "wild": "<cannot read memory at 0x7060504030205>",
    "false_friend": " <",  # no tensor, or no memory
    "made": "float32[] cpu {26650.9} requires_grad grad_fn=<SumBackward from steps.cpp:",
    "state": "norm.running_var",
}
MAIN = {
    "a": "float32[3] cpu {1, 2, 3} requires_grad",
    "b": "float32[3] cpu {4, 5, 6}",
    "c": "float32[3] cpu {5, 7, 9} requires_grad grad_fn=<AddBackward0 from steps.cpp:",
}
COMMANDS = {
    "tg graph made": """SumBackward from steps.cpp:34
  0: MulBackward0 from steps.cpp:34
    0: ExpBackward0 from steps.cpp:33
      0: AddBackward0 from steps.cpp:32
        0: leaf float32[3] cpu {1, 2, 3} requires_grad
        1: no gradient
    1: leaf float32[3] cpu {1, 2, 3} requires_grad
""",
    "tg tape made": """4 nodes, in the order of backward()
     3  SumBackward from steps.cpp:34
     2  MulBackward0 from steps.cpp:34
     1  ExpBackward0 from steps.cpp:33
     0  AddBackward0 from steps.cpp:32
""",
    "tg stats t": "min 0, max 11, mean 5.5, std 3.60555\n0 nan, 0 infinite, 1 zero of 12\n",
    "tg stats nan": "1 nan, 3 infinite, 0 zero of 4\n",
    "tg stats wild": "<cannot read memory at 0x7060504030205>\n",
    "tg print net": """Net()
  fc: Linear(in_features=2, out_features=1, bias=True)
    weight: float32[1, 2] cpu {""",
    "tg print undefined": "undefined tensor\n",
}
TAPE = "recording is on\n4 nodes made by this thread live; the next has number 4\n"  # of `tg tape`; gdb only


def check(where, expression, wanted, text, failures):
    if wanted not in text:
        failures.append(f"{where}: {expression}: wanted {wanted!r}, got {text!r}")


def line_number(source):
    with open(source) as f:
        return next(k for k, line in enumerate(f, 1) if LINE in line)
