#!/usr/bin/env bash
# embed.sh PYTHON: builds the library as a part of another project, add_subdirectory, in build/embedded: for the debugger and with the
# Python module, so that one build serves tests/debugger too.
set -euo pipefail
cd "$(dirname "$0")/../.."
# SKBUILD is the wheel's layout: the module stays in the build folder, and an optimised one in python/tapegrad stays what it is.
cmake -S tests/consumers/add_subdirectory -B build/embedded -G Ninja -DCMAKE_BUILD_TYPE=Debug -DTAPEGRAD_PYTHON=ON -DSKBUILD=ON \
  -DPython_EXECUTABLE="$("$1" -c 'import sys; print(sys.executable)')" >/dev/null
cmake --build build/embedded
