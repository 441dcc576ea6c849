"""What computes: Eigen and own kernels on the CPU. Switches of other libraries are kept and have no effect."""
from . import cuda, cudnn, mkl, mkldnn, mps, openmp, opt_einsum
