"""Run inside gdb: counts the frames between the user's line and the arithmetic, and checks the tensor printer.

The limits are the promise of docs/architecture.md: 6 from a C++ `a + b` to Add::forward, 8 from Python's, 6 from backward() to
Exp::backward.
"""
import os

import gdb

FROM_PYTHON = bool(os.environ.get("TAPEGRAD_FROM_PYTHON"))


def frames(until):
    """Names from the innermost frame out to the first that `until` accepts (not counted)."""
    names, frame = [], gdb.newest_frame()
    while frame is not None and not until(frame):
        names.append(frame.name() or "?")
        frame = frame.older()
    if frame is None:
        raise gdb.GdbError(f"never came to the caller: {names}")
    return names


def in_main(frame):
    return frame.name() == "main"


def in_python(frame):
    """In the interpreter: neither in the library nor in the extension module."""
    library = os.path.basename(gdb.solib_name(frame.pc()) or "")
    return not library.startswith(("libtapegrad.", "_C."))


def check(what, names, limit):
    print(f"{what}: {len(names)} frames, at most {limit}")
    for name in names:
        print(f"    {name}")
    if len(names) > limit:
        failures.append(what)


failures = []
gdb.execute("set pagination off")
gdb.execute("set breakpoint pending on")
gdb.execute("set debuginfod enabled off")
here = os.path.dirname(os.path.abspath(__file__))
gdb.execute(f"source {os.path.join(here, '..', '..', 'python', 'gdb', 'tapegrad_gdb.py')}")

if FROM_PYTHON:
    gdb.execute("break tapegrad::debug::Add::forward<float>")
    gdb.execute("run")
    check("a + b from Python", frames(in_python), 8)
else:
    gdb.execute("break tapegrad::debug::Add::forward<float>")
    gdb.execute("run")
    check("a + b", frames(in_main), 6)
    gdb.execute("frame function main")
    text = gdb.execute("print a", to_string=True)
    print(text.strip())
    if "float32[3]" not in text or "1, 2, 3" not in text:
        failures.append("printer")
    gdb.execute("delete")
    gdb.execute("break tapegrad::debug::Exp::backward<float>")
    gdb.execute("continue")
    check("backward()", frames(in_main), 6)
gdb.execute("kill")
print("failed: " + ", ".join(failures) if failures else "debugger: ok")
gdb.execute(f"quit {1 if failures else 0}")
