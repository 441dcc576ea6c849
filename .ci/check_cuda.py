"""check_cuda.py BUILD: what nvcc made of src/cuda. No kernel may spill registers, the plugin exports one name and needs no library of
NVIDIA's, and it stays small. Prints sizes and the files that took longest."""

import re
import subprocess
import sys
from pathlib import Path

LIMIT_MB = 12  # for one architecture; the wheel's plugin with all of them, compressed, may have 25


def spills(log: str) -> list[str]:
    entry = re.compile(r"Function properties for (\S+)\n\s+\d+ bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
    return sorted({f"{name}: {s} bytes stored, {r} loaded" for name, s, r in entry.findall(log) if int(s) or int(r)})


def slowest(build: Path) -> list[tuple[float, str]]:
    lines = [line.split("\t") for line in (build / ".ninja_log").read_text().splitlines()[1:]]
    seconds = {target: (int(end) - int(start)) / 1000 for start, end, _, target, _ in lines if (build / target).exists()}
    return sorted(((t, Path(target).name) for target, t in seconds.items() if target.endswith(".o")), reverse=True)


def main(build: Path) -> int:
    log, plugin = (build / "build.log").read_text(), build / "libtapegrad_cuda.so"
    wrong = [f"spills registers: {s}" for s in spills(log)]
    names = subprocess.run(["nm", "-D", "--defined-only", plugin], capture_output=True, text=True, check=True).stdout.split()[2::3]
    if names != ["tapegrad_cuda_init"]:
        wrong.append(f"exports {', '.join(names)}; only tapegrad_cuda_init may be seen")
    needed = re.findall(r"NEEDED.*\[(.*)\]", subprocess.run(["readelf", "-d", plugin], capture_output=True, text=True, check=True).stdout)
    wrong += [f"needs {n}" for n in needed if re.match(r"lib(cu|nv|nccl|tapegrad)", n)]
    size = plugin.stat().st_size / 1e6
    if size > LIMIT_MB:
        wrong.append(f"has {size:.1f} MB, more than {LIMIT_MB}")
    kernels = len(set(re.findall(r"Compiling entry function '(\S+)'", log)))
    print(f"libtapegrad_cuda.so: {size:.1f} MB, {kernels} kernels, needs {', '.join(needed)}")
    print("slowest: " + ", ".join(f"{name} {t:.0f} s" for t, name in slowest(build)[:6]))
    print("\n".join(f"{plugin.name} {w}" for w in wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
