"""Run inside gdb on a debug build: counts the frames between the user's line and the arithmetic, and the steps to get there.

The limits are the promise of docs/architecture.md: 6 frames from a C++ `a + b` to Add::forward, 8 from Python's, 6 from backward()
to Exp::backward; and `step` passes over accessors.
"""

import os

import gdb

FROM_PYTHON = bool(os.environ.get("TAPEGRAD_FROM_PYTHON"))
STEPS = 45  # at most, from the user's line to the arithmetic


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


def wanted(what, text, part):
    print(text.strip())
    if part not in text:
        failures.append(f"{what}: no {part!r}")


def step_to(function):
    """The functions that `step` shows on its way there."""
    trail = []
    for _ in range(STEPS):
        gdb.execute("step", to_string=True)
        name = gdb.newest_frame().name() or "?"
        if not trail or trail[-1] != name:
            trail.append(name)
        if function in name:
            return trail
    failures.append(f"{STEPS} steps do not come to {function}")
    return trail


failures = []
gdb.execute("set pagination off")
gdb.execute("set breakpoint pending on")
gdb.execute("set debuginfod enabled off")
gdb.execute("source " + os.environ["TAPEGRAD_GDB"])

if FROM_PYTHON:
    gdb.execute("break tapegrad::debug::Add::forward<float>")
    gdb.execute("run")
    check("a + b from Python", frames(in_python), 8)
    gdb.execute("delete")
    gdb.execute("break tapegrad::debug::Exp::backward<float>")
    gdb.execute("continue")
    wanted("the line of Python", gdb.execute("tg tape", to_string=True), "backward() runs ExpBackward0 from steps.py:15")
else:
    gdb.execute("break main")
    gdb.execute("run")
    while "a + b" not in gdb.execute("frame", to_string=True):
        gdb.execute("next")
    trail = step_to("Add::forward")
    print("step: " + ", ".join(trail))
    for name in trail:
        if any(word in name for word in ("std::", "Tensor::", "IntList", "Shape", "OpScope", "Ref<")):
            failures.append(f"step stops in {name}")
    check("a + b", frames(in_main), 6)
    gdb.execute("frame function main")
    wanted("printer", gdb.execute("print a", to_string=True), "float32[3] cpu {1, 2, 3} requires_grad")
    gdb.execute("delete")
    gdb.execute("break tapegrad::debug::Exp::backward<float>")
    gdb.execute("continue")
    check("backward()", frames(in_main), 6)
    wanted("the running node", gdb.execute("tg tape", to_string=True), "backward() runs ExpBackward0 from steps.cpp:")
gdb.execute("kill")
print("failed: " + ", ".join(failures) if failures else "debugger: ok, frames")
gdb.execute(f"quit {1 if failures else 0}")
