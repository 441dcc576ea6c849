"""Run inside gdb on steps.cpp or its core file: checks what the printers and the commands say. Of a core file only memory can be read.

The printers come with the library (auto-load) or from TAPEGRAD_GDB, the script's path.
"""

import os
import sys

import gdb

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
import expected  # noqa: E402

for setting in ("pagination off", "debuginfod enabled off", "breakpoint pending on", "print frame-arguments all", "confirm off"):
    gdb.execute("set " + setting)
if "TAPEGRAD_GDB" in os.environ:
    gdb.execute("source " + os.environ["TAPEGRAD_GDB"])
core = os.environ.get("TAPEGRAD_CORE")
written = os.environ.get("TAPEGRAD_WRITE_CORE")
failures = []
if not core:
    gdb.execute("break look")
    gdb.execute("run")
    gdb.execute("info locals")  # none has a value yet: whatever lies there, the printers must live
    gdb.execute(f"break {expected.line_number(os.path.join(here, 'steps.cpp'))}")
    gdb.execute("continue")
what = "core" if core else "process"
for name, wanted in expected.LOOK.items():
    expected.check(what, name, wanted, gdb.execute("print " + name, to_string=True), failures)
for command, wanted in {**expected.COMMANDS, "tg tape": expected.TAPE}.items():
    expected.check(what, command, wanted, gdb.execute(command, to_string=True), failures)
gdb.execute("up")
for name, wanted in expected.MAIN.items():
    expected.check(what, name, wanted, gdb.execute("print " + name, to_string=True), failures)
if written:
    gdb.execute("generate-core-file " + written)
print("\n".join(failures) or f"debugger: ok, values of the {what}")
gdb.execute(f"quit {1 if failures else 0}")
