#!/usr/bin/env bash
# run.sh BUILD: four ways to use the library, each built and run. BUILD is a finished build of the library, the wheel's in CI; its
# package is installed, and moved, and the Python that is active has the wheel. As a part of another project the library is compiled
# again, for the debugger: tests/debugger uses that one too.
set -euo pipefail
build=$(realpath "$1")
cd "$(dirname "$0")"
root=$PWD/../..
out=$root/build/consumers
rm -rf "$out"
mkdir -p "$out"

say() { printf '== %s\n' "$*"; }
use() {  # use FOLDER OUT OPTION…: configures, builds and runs every with_… program
  cmake -S "$1" -B "$2" -G Ninja "${@:3}" >/dev/null
  cmake --build "$2" >"$2.log" || { cat "$2.log"; return 1; }
  for program in "$2"/with_*; do [ -x "$program" ] && "$program"; done
}

say "find_package from an installed tree that was moved"
cmake --install "$build" --prefix "$out/made" >/dev/null
mv "$out/made" "$out/installed"
use find_package "$out/find_package" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$out/installed"

say "find_package from the wheel"
prefix=$(python -m tapegrad --cmake-prefix)
use wheel "$out/wheel" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$prefix"
bash "$root/.ci/check_symbols.sh" "$prefix/lib/libtapegrad.so" "$build"

say "add_subdirectory"
bash embed.sh python >"$out/embed.log" || { cat "$out/embed.log"; exit 1; }
"$root/build/embedded/with_tapegrad"

say "g++ and pkg-config"
bash pkg_config/build.sh "$out/installed" "$out"
