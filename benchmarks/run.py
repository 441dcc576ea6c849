"""Times tapegrad and PyTorch side by side and writes the tables of benchmarks/README.md.

    python benchmarks/run.py                # everything, about ten minutes
    python benchmarks/run.py overhead gemm  # some groups, printed only
    python benchmarks/run.py --dry          # each case once, to see that it runs

Both libraries run in one process, in turns: a round of one, a round of the other, so that both see the same weather. The
figure is the best round. A ratio above 1 means that tapegrad is faster.
"""
import argparse
import gc
import math
import os
import pathlib
import platform
import subprocess
import sys
import time

import numpy as np
import tapegrad
import torch

import cases
import startup

README = pathlib.Path(__file__).parent / "README.md"
UNITS = {"ns": 1e9, "us": 1e6, "ms": 1e3}


def prepare(lib, case):
    """A function that runs the case's statement n times and returns the seconds."""
    scope = {"torch": lib, "np": np, "r": np.random.default_rng(0)}
    lib.manual_seed(0)
    exec(case.setup, scope)
    body = case.code.replace("\n", "\n        ")
    exec(f"def loop(n, clock):\n    start = clock()\n    for _i in range(n):\n        {body}\n    return clock() - start", scope)
    names = [n for n in scope if n not in ("loop", "__builtins__", "torch", "np", "r")]
    # The statement reads its tensors from local names, as code inside a function does.
    arguments = ", ".join(f"{n}={n}" for n in names + ["torch"])
    exec(f"def loop(n, clock, {arguments}):\n    start = clock()\n    for _i in range(n):\n        {body}\n    return clock() - start", scope)
    return scope["loop"]


def measure(case, rounds, seconds):
    """(ours, PyTorch's) best seconds of one run of the statement."""
    n = case.threads or os.cpu_count()
    for lib in (tapegrad, torch):
        lib.set_num_threads(n)
    loops = [prepare(lib, case) for lib in (tapegrad, torch)]
    counts = []
    for loop in loops:
        count, took = 1, loop(1, time.perf_counter)
        while took < seconds / 4 and count < 10**7:
            count = max(2 * count, int(count * seconds / 2 / max(took, 1e-9)))
            took = loop(count, time.perf_counter)
        counts.append(max(1, int(count * seconds / max(took, 1e-9))))
    best = [math.inf, math.inf]
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for k, loop in enumerate(loops):
                best[k] = min(best[k], loop(counts[k], time.perf_counter) / counts[k])
    finally:
        gc.enable()
    return best


def figure(x):
    return f"{x:,.0f}" if x >= 100 else f"{x:.3g}"


def mean_ratio(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def table(group, rows):
    unit = group.rsplit(", ", 1)[1]
    lines = [f"### {group}", "", "| | tapegrad | PyTorch | ratio |", "| --- | ---: | ---: | ---: |"]
    for case, (ours, theirs) in rows:
        name = case.name.replace("|", "\\|") + (f" ({case.threads} thread)" if case.threads and "Matrix" in group else "")
        lines.append(f"| {name} | {figure(ours * UNITS[unit])} | {figure(theirs * UNITS[unit])} | {theirs / ours:.2f} |")
    lines.append(f"| *geometric mean* | | | *{mean_ratio([t / o for _, (o, t) in rows]):.2f}* |")
    return "\n".join(lines) + "\n"


def machine():
    model = "unknown CPU"
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        model = next((line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line), model)
    load = os.getloadavg()[0]
    return (f"{model}, {os.cpu_count()} cores visible, {platform.system()} {platform.machine()}, Python {platform.python_version()}, "
            f"tapegrad {tapegrad.__version__}, PyTorch {torch.__version__}; load average at the start {load:.1f}")


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("groups", nargs="*", help="overhead models gemm conv elementwise reductions startup cpp")
    options.add_argument("--dry", action="store_true")
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--seconds", type=float, default=0.04, help="length of a round of one library")
    o = options.parse_args()
    head = machine()
    print(head, flush=True)
    chosen = [c for g in (o.groups or ["overhead", "models", "gemm", "conv", "elementwise", "reductions"])
              if hasattr(cases, g) for c in getattr(cases, g)()]
    results = {}
    for case in chosen:
        try:
            times = measure(case, 1 if o.dry else o.rounds, 1e-4 if o.dry else o.seconds)
        except Exception as e:
            sys.exit(f"{case.group}: {case.name}: {type(e).__name__}: {e}")
        results.setdefault(case.group, []).append((case, times))
        unit = UNITS[case.group.rsplit(", ", 1)[1]]
        print(f"{case.name:55} {figure(times[0] * unit):>10} {figure(times[1] * unit):>10} {times[1] / times[0]:7.2f}", flush=True)
    text = [table(g, rows) for g, rows in results.items()]
    if not o.groups or "cpp" in o.groups:
        text.append(startup.cpp_table())
    if not o.groups or "startup" in o.groups:
        text.append(startup.table())
    print("\n" + "\n".join(text))
    if o.groups or o.dry:
        return
    start, end = "<!-- figures -->", "<!-- end of figures -->"
    before, rest = README.read_text().split(start)
    command = "`make bench` (" + " ".join(["python", "benchmarks/run.py", *sys.argv[1:]]) + ")"
    README.write_text(f"{before}{start}\n{head}.\nCommand: {command}.\n\n" + "\n".join(text) + end + rest.split(end)[1])
    subprocess.run(["git", "diff", "--stat", str(README)], check=False)


if __name__ == "__main__":
    main()
