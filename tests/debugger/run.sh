#!/usr/bin/env bash
# Steps through a debug build with gdb, from C++ and from Python, and holds the frame counts to their limits. Skips, saying so,
# where there is no gdb or where it may not trace.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v gdb >/dev/null || { echo "debugger: skipped, no gdb"; exit 0; }
build=${1:-build/debugger}
python=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}
python=$("$python" -c 'import sys; print(sys.executable)')
# SKBUILD is the wheel's layout: the module stays in the build folder, and an optimised one in python/tapegrad stays what it is.
cmake --preset debug -B "$build" -DTAPEGRAD_TESTS=OFF -DTAPEGRAD_PYTHON=ON -DSKBUILD=ON -DPython_EXECUTABLE="$python" >/dev/null
cmake --build "$build"
${CXX:-g++} -g -O0 -std=c++20 -Iinclude tests/debugger/steps.cpp -o "$build/steps" -L"$build" -ltapegrad -Wl,-rpath,"$PWD/$build"
gdb -q -nx -batch -ex 'run' "$build/steps" >"$build/gdb.log" 2>&1 || true
if grep -q 'ptrace: Operation not permitted\|Could not trace' "$build/gdb.log"; then echo "debugger: skipped, gdb may not trace here"; exit 0; fi
step() {  # step PROGRAM ARGUMENTS…: gdb ends with 0 even where its script broke off, so its last word is looked for
  gdb -q -nx -batch -x tests/debugger/frames.py --args "$@" 2>&1 | tee "$build/gdb.log"
  grep -q '^debugger: ok' "$build/gdb.log"
}
step "$build/steps"
PYTHONPATH=$build/python TAPEGRAD_FROM_PYTHON=1 step "$python" -c 'import _C; a = _C.ones(3); a + a'
