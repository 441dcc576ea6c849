"""Writes the library as two files, tapegrad.hpp and tapegrad.cpp: `make amalgamation`, or `python packaging/amalgamate.py FOLDER`.

    g++ -O2 -std=c++20 app.cpp tapegrad.cpp            # runs on any x86-64; -march=native is several times as fast

The sources follow one another in one translation unit, each of their own headers where it is first included. Names that are local to
a file (static, or in a namespace without a name) and that another file has too get the file's name appended. The kernels are those of
the one instruction set that the compiler's flags allow.
"""

import re
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PUBLIC = [p for p in sorted(ROOT.glob("include/tapegrad/*.h")) if p.name != "eigen.h"]
KERNELS = sorted(ROOT.glob("src/ops/cpu/*.cpp"))
CORE = [p for d in ("tensor", "autograd", "ops", "ops/cuda", "nn", "optim", "c", "io") for p in sorted(ROOT.glob(f"src/{d}/*.cpp"))]

SETS = """\
#pragma GCC diagnostic ignored "-Wpsabi"  // packets wider than the registers: all such functions are inlined
// The kernels' instruction set: what the compiler may use, and SSE 4.2 at least.
#if defined(__x86_64__) && !defined(__SSE4_2__) && !defined(__clang__)
#pragma GCC target("sse4.2")
#define __SSE3__ 1  // g++ has read the whole file before it obeys the pragma
#define __SSSE3__ 1
#define __SSE4_1__ 1
#define __SSE4_2__ 1
#endif
#if defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__) && defined(__FMA__)
#define TG_HAVE_avx512
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#define TG_HAVE_avx2
#elif defined(__SSE4_2__)
#define TG_HAVE_sse42
#else
#error "tapegrad.cpp needs SSE 4.2: compile it with -march=x86-64-v2, or -march=native"
#endif
"""
KERNEL_SETS = """\

// ---- the kernels, in a namespace of their instruction set
#undef TG_NS
#if defined(TG_HAVE_avx512)
#define TG_NS avx512
#define TG_VECTOR_BYTES 64
#elif defined(TG_HAVE_avx2)
#define TG_NS avx2
#define TG_VECTOR_BYTES 32
#else
#define TG_NS sse42
#define TG_VECTOR_BYTES 16
#endif
"""
OPEN_SET = "namespace tapegrad {\nnamespace TG_NS {}\nusing namespace TG_NS;\n}\n"
INCLUDE = re.compile(r'(?m)^[ \t]*#[ \t]*include[ \t]*([<"])([^">]+)[">].*\n')
TEMPLATE = re.compile(r"^template <(?:[^<>]|<(?:[^<>]|<[^<>]*>)*>)*>\s*(requires .*?\))?|\[\[.*?\]\] ?|\balignas\(\w+\) ?")
NOT_LOCAL = r"extern |template <>|using (namespace )?[\w:]+;|struct \w+::|(inline )?namespace"
DECLARATION = r"[\w:&<> ]+\(.*\);( *//.*)?$"
NAME = re.compile(r"(?:struct|class|enum class|enum|union|concept|using) (\w+)\b(?! ?::|;)"
                  r"|[^=({[;]*?(?<![:.\w])([A-Za-z_]\w*)(?= ?[({\[]| =|;)")


def local_names(path: Path) -> dict[str, bool]:
    """What a file defines for itself, by the looks of lines that start in column 0 (in headers and kernels' files, all of them), and
    whether it is a function."""
    names, nameless = {}, False
    all_of_it = path in KERNELS or path.suffix == ".h"
    for line in path.read_text().splitlines():
        nameless = (nameless or line.startswith("namespace {")) and line != "}  // namespace"
        if re.match(NOT_LOCAL, line) or (path.suffix == ".cpp" and re.match(DECLARATION, line)) or (path in KERNELS and "TG_TABLE" in line):
            continue
        line = TEMPLATE.sub("", line)
        if re.match(r"[A-Za-z]", line) and (nameless or all_of_it or re.match(r"(static|constexpr|inline|using|struct|enum) ", line)):
            for n in re.findall(r", (\w+) =", line) if line.startswith("constexpr") else []:
                names[n] = False
            if m := NAME.match(line.split(" =")[0] + ";"):
                names[m[1] or m[2]] = m[2] is not None and line[m.end():].startswith("(")
    return {n: f for n, f in names.items() if n not in ("return", "operator", "decltype", "box")}  # box has overloads on purpose


class Writer:
    def __init__(self):
        self.local = {p: local_names(p) for p in [*CORE, *KERNELS]}
        times = Counter(n for p in [*CORE, *ROOT.glob("src/**/*.h"), *PUBLIC] for n in local_names(p))
        declared = set(re.findall(r"(?m)^(?:struct|class) (\w+);", "".join(p.read_text() for p in PUBLIC)))
        self.shared = {n for n in times if times[n] > 1} - declared
        self.seen: set[Path] = set()

    def text(self, path: Path) -> str:
        """A file with what it includes; nothing when it was there before."""
        if path in self.seen:
            return ""
        self.seen.add(path)
        body = path.read_text().replace("#pragma once\n", "")
        body = body.replace("inline namespace TG_NS", "namespace TG_NS")  # or arguments would find a set's names from without
        if path in KERNELS:
            names = dict.fromkeys(self.local[path], False)
            body = re.sub(r"\bTG_NS::(\w+)", lambda m: m[1] if m[1] in names else m[0], body)
        else:
            names = {n: f for n, f in self.local.get(path, {}).items() if n in self.shared}
        if names:
            members = {n for n in names if re.search(rf"(?m)^ +[\w:<>*& ]+ {n}\(.*\) (const )?\{{", body)}  # of its own structs too
            words = "|".join(n for n in sorted(names) if not names[n] and n not in members)
            calls = "|".join(n for n in sorted(names) if names[n] and n not in members)
            local = (rf"(?<![\w.>:\"])(?:(?:{words or '(?!)'})\b|(?:{calls or '(?!)'})(?=\(|<\w)|(?<=&)(?:{calls or '(?!)'})\b)(?!\")"
                     rf"|(?<![\w:\"])(?:{'|'.join(sorted(members)) or '(?!)'})\b(?!\")")
            body = re.sub(rf"(?m)^ *//.*|#.*|({local})", lambda m: m[0] + (f"_{path.stem}" if m[1] else ""), body)
        return f"\n// ---- {path.relative_to(ROOT)}\n" + INCLUDE.sub(self.include, body)

    def kernels(self) -> str:
        """What is in a namespace of an instruction set comes a second time: the core has it for plain numbers."""
        self.seen = {p for p in self.seen if "inline namespace TG_NS" not in p.read_text()}
        return KERNEL_SETS + OPEN_SET + "".join(self.text(p) for p in KERNELS)

    def include(self, m: re.Match) -> str:
        quoted, name = m[1] == '"', m[2]
        if quoted:
            return self.text(ROOT / name if name.startswith("src/") else ROOT / "include" / name)
        return m[0]


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    about = "".join(f"// {line}".rstrip() + "\n" for line in __doc__.split("\n\n    ", 1)[1].splitlines())
    w = Writer()
    body = "".join(w.text(p) for p in PUBLIC)
    header = f"// tapegrad, all public headers. Made by packaging/amalgamate.py; LICENSE applies.\n#pragma once\n{body}"
    core = "".join(w.text(p) for p in CORE)
    source = (f"// tapegrad, all sources. Made by packaging/amalgamate.py; LICENSE applies.\n//\n{about}{SETS}#include \"tapegrad.hpp\"\n\n"
              f"#define TG_NS base\n{OPEN_SET}{core}{w.kernels()}")
    for name, text in (("tapegrad.hpp", header), ("tapegrad.cpp", source)):
        (folder / name).write_text(text)
        print(f"{folder / name}: {text.count(chr(10))} lines")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
