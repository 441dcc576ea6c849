#!/usr/bin/env bash
# Steps through a debug build with gdb and holds the frame counts to their limits. Skips, saying so, where there is no gdb or
# where it may not trace.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v gdb >/dev/null || { echo "debugger: skipped, no gdb"; exit 0; }
build=${1:-build/debug}
[ -e "$build/build.ninja" ] || cmake --preset debug -DTAPEGRAD_TESTS=OFF >/dev/null
cmake --build "$build" --target tapegrad
${CXX:-g++} -g -O0 -std=c++20 -Iinclude tests/debugger/steps.cpp -o "$build/steps" -L"$build" -ltapegrad -Wl,-rpath,"$PWD/$build"
gdb -q -nx -batch -ex 'run' "$build/steps" >"$build/gdb.log" 2>&1 || true
if grep -q 'ptrace: Operation not permitted\|Could not trace' "$build/gdb.log"; then echo "debugger: skipped, gdb may not trace here"; exit 0; fi
gdb -q -nx -batch -x tests/debugger/frames.py "$build/steps"
