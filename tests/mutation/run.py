"""Mutation check: do the tests notice small mistakes in the library? `python tests/mutation/run.py [NAME…]`

Each record of mutations.py is applied in a scratch worktree of HEAD (build/mutation, or --tree), which is rebuilt and tested: first the
tests that the record names, then, if those pass, all C++ tests and most Python ones. Prints a line for each and, at the end, a table for
docs/reliability.md; exits with 1 when a mutation survived. Needs what `make test` needs; a record takes about a minute of one core."""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

from mutations import MUTATIONS

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLOW = ("test_programs", "test_debugger", "test_docs", "test_examples", "test_package", "test_typing", "test_mutations", "test_array_api")  # of other things than these


def run(command, tree, seconds, ops=""):
    """None when it ended well, else the reason. What hangs counts as noticed."""
    env = {**os.environ, "PYTHONPATH": f"{tree / 'python'}:{ROOT / 'tests/mutation'}", "PYTHONDONTWRITEBYTECODE": "1", "ONLY_OPS": ops}
    try:
        done = subprocess.run(command, cwd=tree, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"ran for {seconds} s"
    if done.returncode in (0, 5):  # 5: pytest has chosen no tests
        return None
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR", "[  FAILED  ]"))]
    return lines[0].split(" - ")[0].removeprefix("FAILED ").removeprefix("[  FAILED  ] ").split(" (")[0] if lines else f"exit status {done.returncode}"


def cpp(tree, wanted):
    return [str(tree / "build/tests/tapegrad_tests"), "--gtest_brief=1", f"--gtest_filter={wanted}"]


def pytest(*arguments):
    return [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *arguments]


def command(tree, spec):
    kind, _, what = spec.partition(":")
    if kind == "cpp":
        return cpp(tree, what)
    if kind == "ops":
        return pytest("-p", "only_ops", "tests/python/test_ops_golden.py", "tests/python/test_ops_gradcheck.py")
    files, _, names = what.partition(" -k ")
    return pytest(*(f"tests/python/{f}" for f in files.split()), *(("-k", names) if names else ()))


def everything(tree):
    return [cpp(tree, "*"), pytest("tests/python", *(f"--ignore=tests/python/{name}.py" for name in SLOW))]


def build(tree):
    done = subprocess.run(["cmake", "--build", "build", "--target", "_C", "tapegrad_tests", "every_module", "every_optimizer"], cwd=tree, capture_output=True, text=True)
    return None if done.returncode == 0 else done.stdout[-2000:] + done.stderr[-2000:]


def prepare(tree):
    if not (tree / "CMakeLists.txt").exists():
        subprocess.run(["git", "worktree", "add", "--detach", str(tree)], cwd=ROOT, check=True)
    if not (tree / "build/CMakeCache.txt").exists():
        isa = "avx512" if "avx512bw" in pathlib.Path("/proc/cpuinfo").read_text() else "avx2"
        subprocess.run(["cmake", "-S", ".", "-B", "build", "-G", "Ninja", f"-DTAPEGRAD_ISAS={isa}", "-DTAPEGRAD_CUDA=OFF", "-DTAPEGRAD_PYTHON=ON", "-DTAPEGRAD_TESTS=ON",
                        "-DTAPEGRAD_STATIC=OFF"], cwd=tree, check=True)
    if problem := build(tree):
        sys.exit(f"the tree does not build without a mutation:\n{problem}")


def check(tree, mutation, more):
    """What noticed the mutation, or None."""
    path = tree / mutation.file
    before = path.read_text()
    if before.count(mutation.old) != 1:
        sys.exit(f"{mutation.file}: the old text is there {before.count(mutation.old)} times")
    try:
        path.write_text(before.replace(mutation.old, mutation.new))
        if problem := build(tree):
            sys.exit(f"{mutation.file}: the mutation does not compile\n{problem}")
        for spec in mutation.first:
            if reason := run(command(tree, spec), tree, 600, spec.removeprefix("ops:")):
                return reason
        for tests in everything(tree) if more else ():
            if reason := run(tests, tree, 3600):
                return reason
    finally:
        path.write_text(before)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    parser.add_argument("--tree", type=pathlib.Path, default=ROOT / "build/mutation", help="the scratch worktree; made when it is not there, and kept")
    parser.add_argument("--quick", action="store_true", help="only the tests that the records name")
    parser.add_argument("--results", type=pathlib.Path, help="a JSON file that gets the results and whose names are not run again")
    args = parser.parse_args()
    if shutil.which("ninja") is None:
        sys.exit("ninja is needed")
    prepare(args.tree.resolve())
    results = json.loads(args.results.read_text()) if args.results and args.results.exists() else {}
    for name in args.names or MUTATIONS:
        if name in results and not args.names:
            continue
        start = time.monotonic()
        results[name] = check(args.tree.resolve(), MUTATIONS[name], not args.quick)
        print(f"{name}: {'killed by ' + results[name] if results[name] else 'SURVIVED'}, {time.monotonic() - start:.0f} s", flush=True)
        if args.results:
            args.results.write_text(json.dumps(results, indent=1))
    print("\n| mutation | what goes wrong | noticed by |\n|---|---|---|")
    for name, reason in results.items():
        print(f"| {name} | {MUTATIONS[name].wrong} | {f'`{reason}`' if reason else '**nothing**'} |")
    survivors = [name for name, reason in results.items() if not reason]
    print(f"\n{len(results) - len(survivors)} of {len(results)} were noticed." + (f" Survivors: {', '.join(survivors)}" if survivors else ""))
    return bool(survivors)


if __name__ == "__main__":
    sys.exit(main())
