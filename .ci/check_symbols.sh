#!/usr/bin/env bash
# check_symbols.sh LIBRARY BUILD: the library exports tapegrad's names only, no two instruction sets share a symbol, and the static
# library of the build defines no name that a program's own code may define too: strong ones are tapegrad's. (What remains are the
# standard library's templates, the same everywhere.)
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

archive=$build/libtapegrad.a
if [ -e "$archive" ]; then
  names=$(nm -g --defined-only "$archive" 2>/dev/null | awk 'NF == 3 {print $2, $3}' | sort -u)
  foreign=$(grep -E '^[TDRBSC] ' <<<"$names" | grep -vE '^. (_ZT[IHSVW]N|_ZGVN|_ZThn?[0-9]+_N|_ZNK?)8tapegrad|^. tg_[a-z0-9_]+$' || true)
  if [ -n "$foreign" ]; then echo "$archive defines names that are not tapegrad's:"; head <<<"$foreign"; bad=1; fi
  echo "static library: $(grep -cE '^[TDRBSC] ' <<<"$names") strong names, all tapegrad's"
fi
exit $bad
