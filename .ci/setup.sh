# Sourced by .ci/task: gets the tools a target needs. pip for all that it can serve, apt for the rest, and nothing at all for
# what is there. Says what it installs. Without root it asks for what is missing and stops.
venv=.venv

say() { printf '\033[1m== %s\033[0m\n' "$*"; }

apt_install() {  # apt_install PACKAGE…
  local sudo=
  if [ "$(id -u)" != 0 ]; then
    if sudo -n true 2>/dev/null; then sudo=sudo; else
      echo "Missing: $*. Install them (sudo apt-get install $*) and run this again." >&2; exit 1
    fi
  fi
  say "apt-get install $*"
  $sudo apt-get install -y --no-install-recommends "$@" >/dev/null 2>&1 ||
    { $sudo apt-get update -q >/dev/null && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >/dev/null; }
}

need_compiler() {  # g++ 11 or newer
  local v; v=$( (${CXX:-g++} -dumpversion || echo 0) 2>/dev/null | cut -d. -f1)
  [ "$v" -ge 11 ] || { [ -n "${CXX:-}" ] && [ "$v" -gt 0 ]; } || apt_install g++
  command -v ld objcopy >/dev/null || apt_install binutils
}

need_gtest() { [ -e /usr/include/gtest/gtest.h ] || [ -n "${GTest_DIR:-}${GTest_ROOT:-}" ] || apt_install libgtest-dev; }
need_clang() {  # clang++ 14 or newer, with libFuzzer; its name in CLANG
  CLANG=${CLANG:-$(command -v clang++ clang++-{20..14} | head -1)} || true
  [ -n "$CLANG" ] || { apt_install clang; CLANG=clang++; }
  export CLANG
  echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, long) { return 0; }' | $CLANG -x c++ - -fsanitize=fuzzer -o /dev/null 2>/dev/null ||
    apt_install "libclang-rt-$($CLANG -dumpversion | cut -d. -f1)-dev"
}
need_gdb() { command -v gdb >/dev/null || apt_install gdb; }
need_valgrind() { command -v valgrind >/dev/null || apt_install valgrind; }

need_venv() {  # need_venv PACKAGE…: .venv with these from PyPI
  local python p missing=()
  for python in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.10}; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && break
  done
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { apt_install python3; python=python3; }
  if [ ! -x $venv/bin/pip ]; then
    "$python" -c 'import ensurepip' 2>/dev/null || apt_install python3-venv
    say "$venv from $("$python" --version)"
    "$python" -m venv $venv
  fi
  if [[ $($venv/bin/pip install --help) != *" -C, "* ]]; then  # Ubuntu 22.04's pip cannot pass settings to a build
    say "pip install --upgrade pip (its own is older than 23.1)"
    $venv/bin/python -m pip install -qq --disable-pip-version-check --upgrade 'pip>=23.1'
  fi
  export VIRTUAL_ENV=$PWD/$venv PATH=$PWD/$venv/bin:$PATH
  [ -e "$(python -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ] || apt_install python3-dev
  for p in "$@"; do python - "$p" <<'PY' || missing+=("$p")
import re, sys
from importlib import metadata
name, version = re.match(r"([\w-]+)(?:==([\w.]+))?", sys.argv[1]).groups()
try:
    found = metadata.version(name).split("+")[0]
except metadata.PackageNotFoundError:
    sys.exit(1)
sys.exit(version is not None and found != version)
PY
  done
  if [ ${#missing[@]} -gt 0 ]; then say "pip install ${missing[*]}"; pip install -qq --disable-pip-version-check "${missing[@]}"; fi
}

use_ccache() { if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER-ccache} CMAKE_CUDA_COMPILER_LAUNCHER=ccache; fi; }
