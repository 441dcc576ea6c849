#!/usr/bin/env bash
# build.sh PREFIX OUT: no build system at all.
set -euo pipefail
cd "$(dirname "$0")"
PKG_CONFIG_PATH=$(dirname "$(find "$1" -name tapegrad.pc)")
export PKG_CONFIG_PATH
for package in tapegrad tapegrad_static; do
  ${CXX:-g++} -std=c++20 -O1 -Wno-unknown-pragmas ../app.cpp $(pkg-config --cflags --libs $package) -o "$2/pkg_$package"
  "$2/pkg_$package"
done
