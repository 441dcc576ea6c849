"""Imported by lldb on steps.cpp; its command `check` compares what the formatters and the commands say."""

import os
import sys

import lldb

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
import expected  # noqa: E402


def said(debugger, command):
    result = lldb.SBCommandReturnObject()
    debugger.GetCommandInterpreter().HandleCommand(command, result)
    return (result.GetOutput() or "") + (result.GetError() or "")


failures = []


def check(debugger, where, *_):  # check look; up; check main: a command sees the frame that was chosen before it
    for name, wanted in (expected.LOOK if where == "look" else expected.MAIN).items():
        expected.check("lldb", name, wanted, said(debugger, "frame variable " + name), failures)
    if where == "look":
        for command, wanted in expected.COMMANDS.items():
            expected.check("lldb", command, wanted, said(debugger, command), failures)
    else:
        print("\n".join(failures) or "debugger: ok, values in lldb")


def __lldb_init_module(debugger, _):
    said(debugger, "command script import " + os.environ["TAPEGRAD_LLDB"])
    said(debugger, f"breakpoint set -f steps.cpp -l {expected.line_number(os.path.join(here, 'steps.cpp'))}")
    said(debugger, f"command script add -f {__name__}.check check")
