#!/usr/bin/env bash
# Compiler CPU seconds of `#include <tapegrad/tapegrad.h>`, best of 40: at most 0.30 (TAPEGRAD_HEADER_BUDGET). The standard headers
# that it includes are timed in turns with it, to tell a slow machine from a fat header: beyond the budget, up to 1.57 times their
# time passes, which is what the budget is of theirs where they take 0.191 s. Each public header compiles alone.
set -euo pipefail
cd "$(dirname "$0")/.."
budget=${TAPEGRAD_HEADER_BUDGET:-0.30}
cxx=${CXX:-g++}
for h in include/tapegrad/*.h; do
  [ "$(basename "$h")" = eigen.h ] && continue
  echo "#include \"${h#include/}\"" | "$cxx" -std=c++20 -Iinclude -Wall -Wextra -fsyntax-only -x c++ -
done
seconds() {  # of the compiler for this text
  ( TIMEFORMAT='%U %S'; time printf '%s\n' "$@" | "$cxx" -std=c++20 -Iinclude -fsyntax-only -x c++ - ) 2>&1 | awk '{print $1 + $2}'
}
standard=('#include <initializer_list>' '#include <optional>' '#include <span>' '#include <string_view>' '#include <tuple>' '#include <vector>')
times=$(for _ in {1..40}; do echo "$(seconds "${standard[@]}") $(seconds '#include <tapegrad/tapegrad.h>')"; done)
awk -v budget="$budget" '
  NR == 1 || $1 < std { std = $1 }
  NR == 1 || $2 < all { all = $2 }
  END {
    printf "#include <tapegrad/tapegrad.h>: %.3f s of compiler CPU, the standard headers alone %.3f s; budget %.2f s\n", all, std, budget
    exit all > budget && all > 1.57 * std
  }' <<<"$times"
