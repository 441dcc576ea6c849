"""Run inside gdb on a release build: counts the frames between the user's line and the arithmetic. There are no lines to stop at, so
a watchpoint stops where the kernel reads the input. Same limits as frames.py.
"""

import os
import sys

import gdb

FROM_PYTHON = bool(os.environ.get("TAPEGRAD_FROM_PYTHON"))
failures = []


def read_of(address, what, limit):
    """Continues until the float there is read; counts the frames of the library and its extension module."""
    watch = gdb.Breakpoint(f"*(float*){address:#x}", gdb.BP_WATCHPOINT, gdb.WP_READ)
    try:
        gdb.execute("continue")
    except gdb.error as e:  # no debug registers, as in some virtual machines
        print(f"debugger: ok, frames of the release build not counted: {e}")
        gdb.execute("quit 0")
    watch.delete()
    names, frame = [], gdb.newest_frame()
    while frame and os.path.basename(gdb.solib_name(frame.pc()) or "").startswith(("libtapegrad.", "_C.")):
        names.append(frame.name() or "?")
        frame = frame.older()
    print(f"{what}: {len(names)} frames, at most {limit}")
    for name in names:
        print(f"    {name}")
    if not 0 < len(names) <= limit:
        failures.append(what)


for setting in ("pagination off", "debuginfod enabled off", "breakpoint pending on", "confirm off"):
    gdb.execute("set " + setting)
if FROM_PYTHON:
    gdb.execute("run")  # to the signal that steps.py sends itself
    with open(os.environ["TAPEGRAD_ADDRESS"]) as f:
        address = int(f.read())
    read_of(address, "a + a from Python", 8)
else:
    gdb.execute("break main")
    gdb.execute("run")
    reader = sys.modules["tapegrad_printers"].reader  # which came with the library
    while "a + b" not in gdb.execute("frame", to_string=True):
        gdb.execute("next")
    read_of(reader.geometry(reader.pointer(int(gdb.parse_and_eval("&a"))))[3], "a + b", 6)
    while "d.backward" not in gdb.execute("frame", to_string=True):
        gdb.execute("next" if gdb.newest_frame().name() == "main" else "finish")
    read_of(reader.geometry(reader.pointer(int(gdb.parse_and_eval("&d"))))[3], "backward()", 6)
gdb.execute("kill")
print("failed: " + ", ".join(failures) if failures else "debugger: ok, frames of the release build")
gdb.execute(f"quit {1 if failures else 0}")
