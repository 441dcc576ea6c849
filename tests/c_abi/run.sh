#!/usr/bin/env bash
# run.sh [PREFIX]: the C interface of an installed tapegrad (default: the package in the virtual environment): the header as strict
# C89, C99 and C++, the ABI against its baseline, and the examples in C and, where there is a compiler, in Fortran.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}
prefix=${1:-$("$python" -m tapegrad --cmake-prefix)}
header=$prefix/include/tapegrad/c.h
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for standard in c89 c99 c11 c++20; do
  echo '#include <tapegrad/c.h>' | ${CC:-cc} -std=$standard -pedantic-errors -Wall -Wextra -Werror -I"$prefix/include" -fsyntax-only -x "$(echo $standard | tr -d 0-9)" -
done
"$python" tests/c_abi/check_abi.py "$prefix/lib/libtapegrad.so" "$header"

link=(-L"$prefix/lib" -ltapegrad -Wl,-rpath,"$prefix/lib")
${CC:-cc} -std=c99 -pedantic -Wall -Wextra -Werror -O2 -I"$prefix/include" examples/c/regression.c -o "$out/regression" "${link[@]}"
(cd "$out" && ./regression)
if command -v "${FC:-gfortran}" >/dev/null; then
  ${FC:-gfortran} -std=f2018 -Wall -O2 -J"$out" examples/fortran/tapegrad.f90 examples/fortran/least_squares.f90 -o "$out/least_squares" "${link[@]}"
  "$out/least_squares"
else
  echo "no Fortran compiler: examples/fortran is skipped"
fi
