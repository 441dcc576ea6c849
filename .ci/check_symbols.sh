#!/usr/bin/env bash
# check_symbols.sh LIBRARY BUILD: the library exports tapegrad's names only, and no two instruction sets share a symbol.
set -euo pipefail
library=$1 build=${2:-}
bad=0

# Exported: our functions and data, and what the C++ ABI adds for our classes (typeinfo, vtables, thread wrappers);
# of the C interface tg_*, which tests/c_abi compares with its header.
others=$(nm -D --defined-only -C "$library" | cut -c20- |
  grep -vE '^(typeinfo( name)? for |vtable for |guard variable for |TLS (init|wrapper) function for |non-virtual thunk to )?tapegrad::|^tapegrad::|^tg_[a-z_]+$' || true)
if [ -n "$others" ]; then
  echo "$library exports names that are not tapegrad's:"; echo "$others" | head -20; bad=1
fi
echo "exported symbols: $(nm -D --defined-only "$library" | wc -l), all tapegrad's"

# Each set's merged object may define one kind of global: its tables, tg_<file>_<isa>.
for o in "$build"/kernels_*.o; do
  [ -e "$o" ] || continue
  isa=$(basename "$o" .o); isa=${isa#kernels_}
  globals=$(nm -g --defined-only "$o" | awk '{print $NF}' | grep -vE "^tg_[a-z0-9_]+_$isa$" || true)
  if [ -n "$globals" ]; then echo "$o has globals that another set may share:"; echo "$globals" | head; bad=1; fi
  echo "kernels_$isa: $(nm -g --defined-only "$o" | wc -l) tables, nothing else global"
done
exit $bad
