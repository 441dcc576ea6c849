"""What computes. Only truthful answers: Eigen and own kernels on the CPU, nothing else."""
from types import SimpleNamespace as _Space

mps = _Space(is_available=lambda: False, is_built=lambda: False)
cuda = _Space(is_built=lambda: False, matmul=_Space(allow_tf32=False))
cudnn = _Space(is_available=lambda: False, enabled=False, benchmark=False, deterministic=True, allow_tf32=False, version=lambda: None)
mkl = _Space(is_available=lambda: False)
openmp = _Space(is_available=lambda: False)
