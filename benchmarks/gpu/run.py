"""Times tapegrad on a GPU, and PyTorch beside it where a build with CUDA is installed: run.sh's Python half. Both libraries' runs of a row
are interleaved; each is timed by events of its own stream. Writes a Markdown table."""

import argparse
import gc
import importlib
import importlib.util
import platform
import statistics
import sys
import time
from pathlib import Path

from cases import CASES

HERE = Path(__file__).resolve().parent
L2_BYTES = 256 << 20  # inputs are made often enough that none is in a cache when its turn comes


def libraries():
    import tapegrad
    if not tapegrad.cuda.is_available():
        sys.exit(f"run.py: {tapegrad.cuda.why_not()}")
    found = {"tapegrad": tapegrad}
    if importlib.util.find_spec("torch"):
        torch = importlib.import_module("torch")
        if torch.cuda.is_available():
            found["PyTorch"] = torch
    return found


def timed(t, run, unit):
    """Milliseconds of one run: of the device between two events, of the host for rows about the host."""
    if unit == "op":
        t.cuda.synchronize()
        begin = time.perf_counter()
        run()
        return (time.perf_counter() - begin) * 1e3
    begin, end = t.cuda.Event(enable_timing=True), t.cuda.Event(enable_timing=True)
    begin.record()
    run()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end)


def measure(libs, case, unit, smoke, rounds):
    """Name of library: median milliseconds, and the work of one run."""
    runs, work = {}, 0
    for name, t in libs.items():
        t.manual_seed(0)
        run, work = case(t, smoke)
        runs[name] = [run]
        copies = 1 if smoke or unit != "B" else min(8, L2_BYTES // max(work, 1) + 1)
        runs[name] += [case(t, smoke)[0] for _ in range(copies - 1)]
    times = {name: [] for name in libs}
    for i in range(rounds + 3):
        for name, t in libs.items():
            ms = timed(t, runs[name][i % len(runs[name])], unit)
            if i >= 3:
                times[name].append(ms)
    return {name: statistics.median(ms) for name, ms in times.items()}, work


def speed(work, ms, unit):
    if unit == "B":
        return f"{work / ms / 1e6:.0f} GB/s"
    if unit == "F":
        return f"{work / ms / 1e9:.1f} TFLOP/s"
    return f"{ms / work * 1e3:.2f} us an op" if unit == "op" else f"{work / ms * 1e3:.0f} tokens/s"


def verdict(work, ours, theirs, unit, goal, ceiling):
    """What is reached of the goal's measure, the goal, and whether it is."""
    if goal is None:
        return "", "", ""
    if unit == "op":
        return "", f"<= {goal:.1f} us", "yes" if ours / work * 1e3 <= goal else "no"
    if unit == "B":
        value, text, aim = work / ours / ceiling, f"{work / ours / ceiling:.0%} of copy", f">= {goal:.0%}"
    elif theirs is None:
        return "", f">= {goal:.2f} x PyTorch", ""
    else:
        value, text, aim = theirs / ours, f"{theirs / ours:.2f} x PyTorch", f">= {goal:.2f} x PyTorch"
    return text, aim, "yes" if value >= goal else "no"


def head(libs, smoke):
    t = libs["tapegrad"]
    properties = t.cuda.get_device_properties(0)
    versions = ", ".join(f"{name} {lib.__version__}" for name, lib in libs.items())
    lines = [f"# {'Smoke test, not a result' if smoke else 'Results'}: {properties.name}", "",
             f"{time.strftime('%Y-%m-%d')}, {versions}, Python {platform.python_version()}, {properties.total_memory / 1e9:.0f} GB of device memory. "
             "Medians; the two libraries by turns. Made by `benchmarks/gpu/run.sh`.", "", "```", t.cuda.summary(), "```", ""]
    if smoke:
        lines += ["Sizes are tiny: this shows that the script works, and nothing about speed.", ""]
    return [*lines, "| row | tapegrad | | PyTorch | of the mark | goal | reached |", "|---|---|---|---|---|---|---|"]


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--smoke", action="store_true", help="tiny sizes and one round: does it run?")
    p.add_argument("--only", default="", help="rows whose name has this in it")
    p.add_argument("--rounds", type=int, default=20)
    p.add_argument("--out", type=Path, help="the table's file (RESULTS.md beside this file; nothing with --smoke)")
    a = p.parse_args()
    libs = libraries()
    lines, ceiling = head(libs, a.smoke), None
    for name, case, unit, goal in CASES:
        if a.only not in name and name != CASES[0][0]:
            continue
        rounds = 1 if a.smoke else max(5, a.rounds // 4) if unit in ("tok", "op") else a.rounds
        try:
            ms, work = measure(libs, case, unit, a.smoke, rounds)
        except libs["tapegrad"].cuda.OutOfMemoryError as e:
            lines.append(f"| {name} | out of memory: {str(e).splitlines()[0]} | | | | | |")
            continue
        ours, theirs = ms["tapegrad"], ms.get("PyTorch")
        ceiling = ceiling or work / ours
        reached = ("", "", "") if a.smoke else verdict(work, ours, theirs, unit, goal, ceiling)
        cells = [name, f"{ours:.3f} ms", speed(work, ours, unit), speed(work, theirs, unit) if theirs else "", *reached]
        lines.append("| " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
        gc.collect()
        for t in libs.values():
            t.cuda.empty_cache()
    out = a.out or (None if a.smoke else HERE / "RESULTS.md")
    if out:
        out.write_text("\n".join(lines) + "\n")
        print(f"written: {out}")


if __name__ == "__main__":
    main()
