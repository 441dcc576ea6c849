#!/usr/bin/env bash
# run.sh [PREFIX]: scripted sessions of gdb, and of lldb where there is one. In a debug build: frames, steps and values, from
# C++ and from Python. In a release build as installed at PREFIX (default: the package in the virtual environment): frames, and values
# through gdb's auto-load, of a process and of its core file. Skips, saying so, where there is no gdb or where it may not trace.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v gdb >/dev/null || { echo "debugger: skipped, no gdb"; exit 0; }
build=build/embedded/tapegrad
python=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}
prefix=${1:-$("$python" -m tapegrad --cmake-prefix)}
python=$("$python" -c 'import sys; print(sys.executable)')
bash tests/consumers/embed.sh "$python"
program() {  # program OUT SOURCE INCLUDE LIBDIR: compiled for the debugger, against that library
  ${CXX:-g++} -g -O0 -std=c++20 -I"$3" "$2" -o "$1" -L"$4" -ltapegrad -Wl,-rpath,"$4"
}
program "$build/steps" tests/debugger/steps.cpp include "$PWD/$build"
gdb -q -nx -batch -ex 'run' "$build/steps" >"$build/gdb.log" 2>&1 || true
if grep -q 'ptrace: Operation not permitted\|Could not trace' "$build/gdb.log"; then echo "debugger: skipped, gdb may not trace here"; exit 0; fi
session() {  # session SCRIPT GDB'S ARGUMENTS…: gdb ends with 0 even where its script broke off, so its last word is looked for
  gdb -q -nx -batch -iex "add-auto-load-safe-path $prefix" -x "$@" >"$build/gdb.log" 2>&1 || true
  grep -q '^debugger: ok' "$build/gdb.log" || { cat "$build/gdb.log"; exit 1; }
  grep -E '^(debugger: ok|step: |.*at most )' "$build/gdb.log"
}
export TAPEGRAD_GDB=$PWD/python/tapegrad/share/tapegrad/debugger/tapegrad_gdb.py TAPEGRAD_LLDB=$PWD/python/tapegrad/share/tapegrad/debugger/tapegrad_lldb.py
echo "-- debug build"
session tests/debugger/frames.py --args "$build/steps"
session tests/debugger/values.py "$build/steps"
PYTHONPATH=$build/python TAPEGRAD_FROM_PYTHON=1 session tests/debugger/frames.py --args "$python" tests/debugger/steps.py
"$python" tests/debugger/tour.py "$build" "$python"

echo "-- release build at $prefix"
program "$build/steps_release" tests/debugger/steps.cpp "$prefix/include" "$prefix/lib"
unset TAPEGRAD_GDB
TAPEGRAD_WRITE_CORE=$build/core session tests/debugger/values.py "$build/steps_release"
session tests/debugger/frames_release.py "$build/steps_release"
TAPEGRAD_FROM_PYTHON=1 TAPEGRAD_ADDRESS=$build/address session tests/debugger/frames_release.py --args "$python" tests/debugger/steps.py
TAPEGRAD_CORE=$build/core session tests/debugger/values.py "$build/steps_release" "$build/core"
rm -f "$build/core"

command -v lldb >/dev/null || { echo "debugger: no lldb, its session is skipped"; exit 0; }
# Debian's lldb 14 looks for its own Python module in a folder that is not there, and for the system's modules where `python3` is.
for folder in /usr/lib/llvm-*/lib/python3*/dist-packages; do export PYTHONPATH=${PYTHONPATH:+$PYTHONPATH:}$folder; done
PATH=/usr/bin:$PATH lldb --batch -o "command script import tests/debugger/values_lldb.py" -o run -o "check look" -o up -o "check main" \
  "$build/steps_release" >"$build/lldb.log" 2>&1 || true
if grep -q "No module named" "$build/lldb.log"; then echo "debugger: this lldb has no Python, its session is skipped"; exit 0; fi
grep '^debugger: ok' "$build/lldb.log" || { cat "$build/lldb.log"; exit 1; }
