"""Import time, installed size, memory of a training run, and C++ call overhead: what needs a process of its own."""
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time

import models as programs

here = pathlib.Path(__file__).parent


def seconds(code, rounds=7):
    best = 1e9
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        best = min(best, time.perf_counter() - start)
    return best


def folder_of(name):
    module = __import__(name)
    return pathlib.Path(module.__file__).parent


def megabytes(folder):
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts) / 1e6


PEAK = """
import NAME as torch
def most():  # kB resident at most; ru_maxrss would include the parent's
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
base = most()
import numpy as np
r = np.random.default_rng(0)
torch.set_num_threads(2)
exec(PROGRAM)
for _ in range(5):
    step()
print(base / 1024, most() / 1024)
"""


def memory(name, program):
    """(MB after import, MB at the peak of five steps)"""
    code = PEAK.replace("NAME", name).replace("PROGRAM", repr(program))
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return [float(x) for x in out.split()]


def table():
    empty = seconds("pass")
    rows = [("import, ms (at most 60)", *(1e3 * (seconds(f"import {name}") - empty) for name in ("tapegrad", "torch")))]
    peaks = []
    for what, model in (("MLP", programs.MLP), ("MNIST CNN", programs.MNIST_CNN), ("ResNet-18", programs.RESNET18)):
        used = [memory(name, programs.with_step(model, "SGD", "", "cross_entropy")) for name in ("tapegrad", "torch")]
        peaks.append((f"peak of {what} training steps, MB (at most half)", used[0][1], used[1][1]))
    rows.append(("resident after import, MB (at most 30)", used[0][0], used[1][0]))
    rows += peaks
    rows.append(("installed package, MB (at most 15)", megabytes(folder_of("tapegrad")), megabytes(folder_of("torch"))))
    lines = ["### Start and memory", "", "| | tapegrad | PyTorch | ratio |", "| --- | ---: | ---: | ---: |"]
    lines += [f"| {name} | {a:.3g} | {b:,.0f} | {b / a:.1f} |" for name, a, b in rows]
    return "\n".join(lines) + "\n"


def build(name, flags):
    """benchmarks/cpp/overhead.cpp against one of the libraries."""
    target = pathlib.Path(tempfile.gettempdir()) / f"tapegrad-bench-{name}"
    subprocess.run(["g++", "-std=c++20", "-O2", str(here / "cpp" / "overhead.cpp"), "-o", str(target), *flags], check=True)
    return target


def figures(program):
    """{name: (mark, ns)}"""
    out = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    return {name: (float(mark), float(ns)) for name, mark, ns in (line.split(";") for line in out.splitlines())}


def cpp_table():
    if not shutil.which("g++"):
        return "### C++ overhead\n\nNo g++ here.\n"
    import torch
    ours, theirs = folder_of("tapegrad"), pathlib.Path(torch.__file__).parent
    prefix = ours if (ours / "include").exists() else here.parent
    lib = ours / "lib" if (ours / "lib").exists() else next((here.parent / "build").rglob("libtapegrad.so")).parent
    programs_built = [build("ours", [f"-I{prefix / 'include'}", f"-L{lib}", f"-Wl,-rpath,{lib}", "-ltapegrad"])]
    if (theirs / "include" / "torch" / "csrc" / "api").exists():
        include = theirs / "include"
        programs_built.append(build("torch", ["-DWITH_TORCH", f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}",
                                        f"-I{include}", f"-I{include / 'torch' / 'csrc' / 'api' / 'include'}",
                                        f"-I{sysconfig.get_paths()['include']}", f"-L{theirs / 'lib'}",
                                        f"-Wl,-rpath,{theirs / 'lib'}", "-ltorch", "-ltorch_cpu", "-lc10"]))
    best = [{} for _ in programs_built]
    marks = {}
    for _ in range(3):
        for k, program in enumerate(programs_built):
            for name, (mark, ns) in figures(program).items():
                best[k][name], marks[name] = min(ns, best[k].get(name, 1e9)), mark
    lines = ["### C++ overhead, ns", "", "| | tapegrad | PyTorch | ratio | mark |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, ns in best[0].items():
        other = best[1][name] if len(best) > 1 else None
        ratio = f"{other / ns:.2f}" if other else ""
        if other and other / ns < marks[name]:
            ratio = f"*{ratio}*"
        lines.append(f"| {name} | {ns:,.1f} | {f'{other:,.0f}' if other else 'not measured'} | {ratio} | {marks[name]:g} |")
    return "\n".join(lines) + "\n"
