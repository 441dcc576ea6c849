"""The include rule of docs/architecture.md: folders know only what is left of them, and foreign headers stay where they belong."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ORDER = ["include/tapegrad", "src/tensor", "src/autograd", "src/ops"]
LEAVES = ["src/cuda", "src/nn", "src/optim", "src/io", "src/c"]
PUBLIC_STD = set(
    "cstddef cstdint stdint.h initializer_list span string string_view vector optional tuple utility type_traits exception new "
    "iosfwd".split()
)


FOR_BINDINGS = ["include/tapegrad", "src/tensor/cuda.h", "src/ops/cuda/kernels.h", "src/ops/gemm.h", "src/ops/op_info.h",
                "src/ops/signature.h", "src/autograd/debug_layout.h", "src/io/checksum.h",
                "src/tensor/fork.h", "src/tensor/places.h", "src/tensor/ledger.h", "src/autograd/watch.h", "src/autograd/nonfinite.h"]
EIGEN_H = "include/tapegrad/eigen.h"
# Code on the CPU reads x->host(), which refuses device memory. x->data, a mere address, is for these.
HOST_CODE = ("src/ops/", "src/nn/", "src/optim/", "src/io/")
ADDRESSES = ("src/ops/cuda/", "src/ops/cpu/", "src/ops/elementwise.cpp", "src/ops/matmul.cpp", "src/ops/reduce.cpp",
             "src/ops/run_kernel.cpp", "src/ops/slice.cpp", "src/ops/view.cpp", "src/optim/step.cpp")


def allowed(folder: str) -> list[str]:
    if folder in ORDER:
        return ORDER[: ORDER.index(folder) + 1]
    if folder in LEAVES:
        return [*ORDER, folder]
    return FOR_BINDINGS  # python/src, examples, benchmarks


def folder_of(path: str) -> str:
    folders = [*ORDER, *LEAVES, "python/src", "examples", "benchmarks"]
    return next((f for f in folders if path.startswith(f + "/")), "")


def complaints(path: Path) -> list[str]:
    name = path.relative_to(ROOT).as_posix()
    folder = folder_of(name)
    out = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        device_free = name.startswith(HOST_CODE) and not name.startswith(ADDRESSES) and "new_alias(" not in line
        if device_free and re.search(r"->data\b(?!\()", line):
            out.append(f"{name}:{number}: x->host() instead of x->data: it may be the address of device memory")
        m = re.match(r'\s*#\s*include\s*([<"])([^">]+)[">]', line)
        if not m:
            continue
        quoted, header = m[1] == '"', m[2]
        where = f"{name}:{number}: {header}: "
        target = header if header.startswith("src/") else "include/" + header if header.startswith("tapegrad/") else ""
        if target and not any(target == a or target.startswith(a + "/") for a in allowed(folder)):
            out.append(where + f"{folder} may not include it")
        if quoted and not target and not (folder == "python/src" and (path.parent / header).exists()):
            out.append(where + 'use the full path, "tapegrad/…" or "src/…"')
        if target and not (ROOT / target).exists():
            out.append(where + "no such file")
        if header.startswith(("Eigen", "unsupported/Eigen")) and folder != "examples" and name != EIGEN_H:
            out.append(where + "Eigen only in eigen.h and examples")
        if header in ("Python.h", "structmember.h") or header.startswith("pybind11"):
            if folder != "python/src":
                out.append(where + "Python only in python/src")
        if re.match(r"cuda|cublas|cudnn|nccl", header) and folder != "src/cuda" and name != "src/ops/complex_number.h":
            out.append(where + "CUDA only in src/cuda")
        if folder == "include/tapegrad" and not quoted and header not in PUBLIC_STD and name != EIGEN_H:
            out.append(where + "too dear for a public header")
    return out


def main() -> int:
    files = [f for d in ("include", "src", "python/src", "examples", "benchmarks") for f in (ROOT / d).rglob("*")]
    files = [f for f in files if f.suffix in {".h", ".cpp", ".cu", ".cuh"}]
    found = [c for f in sorted(files) for c in complaints(f)]
    print("\n".join(found) or f"include rule: {len(files)} files keep it")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
