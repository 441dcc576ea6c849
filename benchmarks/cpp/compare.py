"""What it takes to use the library from C++, beside LibTorch as in PyTorch's wheel: `python benchmarks/cpp/compare.py PREFIX`.

PREFIX is an installed tree with the static library (cmake --install); both libraries run the same program, mlp.cpp. Prints the table of
docs/cpp.md, or writes it there with --write. --build also times a clean build of the library, which takes minutes. Compile times are
seconds of the compiler's CPU, the best of three (one where it takes long); the others are the
best of many rounds.
"""

import argparse
import inspect
import re
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
MLP = ROOT / "benchmarks" / "cpp" / "mlp.cpp"
TORCH = Path(torch.__file__).parent
WHAT = ("`#include` of tapegrad.h or torch.h, CPU s", "mlp.cpp compiled with -O2, CPU s", "memory of that compiler, MB")


def children_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compiled(arguments):
    """Least CPU seconds of three compilations, or of one that takes long, and megabytes of the largest process."""
    times, megabytes = [], 0
    while len(times) < 3 and sum(times) < 5:
        process = subprocess.Popen(["/usr/bin/time", "-f", "%U %S %M", "g++", "-std=c++20", *arguments], stderr=subprocess.PIPE, text=True)
        said = process.communicate()[1]
        assert process.returncode == 0, said
        user, system, kilobytes = map(float, said.split()[-3:])
        times.append(user + system)
        megabytes = max(megabytes, kilobytes / 1024)
    return min(times), megabytes


def started(command):
    """Least milliseconds from the start of a process to its end."""
    best = 1e9
    for _ in range(15):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        best = min(best, time.perf_counter() - start)
    return best * 1000


def loaded_megabytes(program, folder):
    """The program and the libraries of `folder` that it loads."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    files = {Path(p).resolve() for p in re.findall(r"=> (/\S+)", listed)}
    return sum(f.stat().st_size for f in [program, *(f for f in files if folder.resolve() in f.parents)]) / 1e6


def in_gdb(program, flags, libraries):
    """What gdb prints for a tensor, with what the library ships for it."""
    subprocess.run(["g++", "-std=c++20", "-g", *flags, MLP, "-o", program, *libraries], check=True)
    commands = [x for c in ("break look", "run", "echo TENSOR\\n", "print tensor") for x in ("-ex", c)]
    out = subprocess.run(["gdb", "-q", "-batch", "-iex", "add-auto-load-safe-path /", *commands, "--args", program, "start"],
                         capture_output=True, text=True).stdout
    lines = out.partition("TENSOR\n")[2].strip().replace("(const tapegrad::Tensor &) ", "").splitlines()
    return f"`{lines[0][:90]}{'…' if len(lines) > 1 or len(lines[0]) > 90 else ''}`" if lines else "—"


def declared(headers):
    """Names of classes that headers declare, by any of the words that do."""
    text = "\n".join(h.read_text() for h in headers)
    return set(re.findall(r"\b(?:struct|class|using)\s+(?:T\w+_API\s+)?(\w+)", text)) | set(re.findall(r"TORCH_MODULE(?:_IMPL)?\((\w+)", text))


def names_of(module, base):
    return {n for n, c in vars(module).items() if inspect.isclass(c) and issubclass(c, base) and not n.startswith("_") and c is not base}


def counts(nn_headers, optim_headers):
    nn, optim = declared(nn_headers), declared(optim_headers)
    optim |= {n.removesuffix("Scheduler") for n in optim}  # LibTorch's ReduceLROnPlateauScheduler
    modules = names_of(torch.nn, torch.nn.Module) - {"Container"}
    optimizers = names_of(torch.optim, torch.optim.Optimizer)
    schedules = names_of(torch.optim.lr_scheduler, torch.optim.lr_scheduler.LRScheduler) | {"ReduceLROnPlateau"}
    schedules -= {"LRScheduler"}
    return [f"{len(modules & nn)} of {len(modules)}", f"{len(optimizers & optim)} of {len(optimizers)}", f"{len(schedules & optim)} of {len(schedules)}"]


def module_lines():
    """Lines of mlp.cpp's module, LibTorch's and ours."""
    return [str(part.strip().count("\n") + 1) for part in re.findall(r"// user module \{\n(.*?)// \} user module", MLP.read_text(), re.S)]


def column(name, flags, libraries, folder, headers, work):
    """The figures of one library."""
    (work / "all.cpp").write_text("".join(f"#include <{h}>\n" for h in headers))
    program = work / name
    header, _ = compiled(["-fsyntax-only", *flags, work / "all.cpp"])
    seconds, megabytes = compiled(["-O2", "-c", *flags, MLP, "-o", f"{program}.o"])
    subprocess.run(["g++", f"{program}.o", "-o", program, *libraries], check=True)
    run = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    op, step = (float(re.search(rf"{word} ([\d.]+)", run)[1]) for word in ("op", "step"))
    return [f"{header:.2f}", f"{seconds:.2f}", f"{megabytes:.0f}", f"{loaded_megabytes(program, folder):.1f}", f"{started([program, 'start']):.1f}",
            f"{op:.0f}", f"{step:.0f}"], in_gdb(program, flags, libraries)


def static_megabytes(source, prefix, work):
    """A program with the library inside, stripped."""
    library = next(prefix.glob("lib*/libtapegrad.a"))
    subprocess.run(["g++", "-std=c++20", "-O2", f"-I{prefix}/include", source, library, "-Wl,--gc-sections", "-s", "-pthread", "-o", work / "static"], check=True)
    return (work / "static").stat().st_size / 1e6


def clean_build(work):
    """Minutes of a configuration and a build of the library alone, on two cores."""
    start, used = time.perf_counter(), children_seconds()
    subprocess.run(["cmake", "-S", ROOT, "-B", work / "build", "-G", "Ninja", "-DCMAKE_CXX_COMPILER_LAUNCHER="], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", work / "build", "-j2"], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) / 60, (children_seconds() - used) / 60


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prefix", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--build", action="store_true")
    args = parser.parse_args()
    prefix = args.prefix.resolve()
    work = Path(tempfile.mkdtemp())
    lib = next(prefix.glob("lib*/libtapegrad.so")).parent
    include = ROOT / "include" / "tapegrad"
    api = TORCH / "include" / "torch" / "csrc" / "api" / "include"
    ours, our_gdb = column("mlp", [f"-I{prefix}/include"], [f"-L{lib}", f"-Wl,-rpath,{lib}", "-ltapegrad"], prefix, ["tapegrad/tapegrad.h"], work)
    theirs, their_gdb = column("mlp_torch", ["-DWITH_TORCH", f"-isystem{TORCH}/include", f"-isystem{api}"],
                               [f"-L{TORCH}/lib", f"-Wl,-rpath,{TORCH}/lib", "-ltorch", "-ltorch_cpu", "-lc10"], TORCH, ["torch/torch.h"], work)
    ours += counts(include.glob("nn*.h"), include.glob("optim*.h"))
    theirs += counts((api / "torch/nn/modules").rglob("*.h"), (api / "torch/optim").rglob("*.h"))
    their_lines, our_lines = module_lines()
    rows = [*zip((*WHAT, "program and its libraries, MB", "process start to end, ms", "`a + b` of 4 floats, ns", "training step of the MLP, batch 32, µs",
                  "layers of Python's `nn`", "optimisers", "schedulers"), ours, theirs),
            ("lines of a module of the user's", our_lines, their_lines), ("gdb: `print tensor`", our_gdb, their_gdb)]
    train, infer = (static_megabytes(ROOT / f, prefix, work) for f in ("examples/cpp/digits.cpp", "benchmarks/cpp/infer.cpp"))
    digits, _ = compiled(["-O2", "-c", f"-I{prefix}/include", ROOT / "examples/cpp/digits.cpp", "-o", work / "digits.o"])
    rows += [("examples/cpp/digits.cpp compiled with -O2, CPU s", f"{digits:.2f}", "—"),
             ("the same, library inside (static, stripped), MB", f"{train:.1f}", "—"),
             ("a program that only infers, library inside, MB", f"{infer:.1f}", "—")]
    if args.build:
        wall, cpu = clean_build(work)
        rows += [("clean build of the library, 2 cores, min", f"{wall:.1f} (CPU {cpu:.1f})", "—")]
    table = "| | tapegrad | LibTorch " + torch.__version__.split("+")[0] + " |\n|---|---|---|\n" + "".join(f"| {a} | {b} | {c} |\n" for a, b, c in rows)
    print(table, end="")
    if args.write:
        page = ROOT / "docs" / "cpp.md"
        page.write_text(re.sub(r"(<!-- compare -->\n).*?(<!-- end -->)", lambda m: m[1] + table + m[2], page.read_text(), flags=re.S))
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
