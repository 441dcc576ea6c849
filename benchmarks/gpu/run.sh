#!/usr/bin/env bash
# What there is to do on a machine with a GPU, in one call of about ten minutes: is it the device that was built for, do the tests pass
# there, how fast is it. Arguments go to run.py. With --smoke all sizes are tiny, and the simulator of tests/cuda will do:
#   TAPEGRAD_CUDA_LIB=build/libtapegrad_cuda_simulated.so PYTHONPATH=python benchmarks/gpu/run.sh --smoke
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python}
step() { echo "== $1"; shift; timeout "$@"; }

if command -v nvidia-smi >/dev/null; then nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv || true; fi
step "the device" 60 "$python" -c 'import sys, tapegrad.cuda as c
print(c.summary())
sys.exit(0 if c.is_available() else c.why_not())'
if [[ " $* " != *" --smoke "* ]]; then
  step "tests/cuda on the device" 300 "$python" -m pytest -q -x tests/cuda
fi
step "timings" 600 "$python" benchmarks/gpu/run.py "$@"
