#!/usr/bin/env bash
# Compiler CPU seconds of `#include <tapegrad/tapegrad.h>`, best of 15: at most 0.30 (TAPEGRAD_HEADER_BUDGET). Each public
# header compiles alone.
set -euo pipefail
cd "$(dirname "$0")/.."
budget=${TAPEGRAD_HEADER_BUDGET:-0.30}
cxx=${CXX:-g++}
for h in include/tapegrad/*.h; do
  [ "$(basename "$h")" = eigen.h ] && continue
  echo "#include \"${h#include/}\"" | "$cxx" -std=c++20 -Iinclude -Wall -Wextra -fsyntax-only -x c++ -
done
best=$(for _ in {1..15}; do
  ( TIMEFORMAT='%U %S'; time echo '#include <tapegrad/tapegrad.h>' | "$cxx" -std=c++20 -Iinclude -fsyntax-only -x c++ - ) 2>&1 | awk '{print $1 + $2}'
done | sort -n | head -1)
echo "#include <tapegrad/tapegrad.h>: $best s of compiler CPU, budget $budget"
awk -v b="$best" -v m="$budget" 'BEGIN { exit b > m }'
