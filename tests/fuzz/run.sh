#!/usr/bin/env bash
# run.sh LIBTAPEGRAD_A: fuzzes every reader for FUZZ_SECONDS (60), two at a time, from the seeds of seeds.py and the corpus found so far.
# What handles bytes is compiled here, with clang++ and the sanitizers; the ops come from the library that is given. Writes what each
# target did and the sum; what it finds lies in build/fuzz/found. FUZZ_KEEP=1 packs the minimised corpus into corpus.tar.xz.
# FUZZ_SEED (1) chooses the walk: the same tree is judged by the same inputs, as far as the seconds go, whoever else uses the machine.
set -euo pipefail
library=$(realpath "$1")
cd "$(dirname "$0")/../.."
out=$PWD/build/fuzz
seconds=${FUZZ_SECONDS:-60}
targets=(safetensors npy zip pickle old_pt inflate)
clang=${CLANG:-clang++}
flags=(-std=c++20 -O1 -g1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -DTG_NO_POOL -Iinclude -I.)
say() { printf '== %s\n' "$*"; }

rm -rf "$out/objects"
mkdir -p "$out/objects" "$out/found"
say "compiling with $clang"
start=$SECONDS
for source in tests/fuzz/fuzz.cpp src/io/{checkpoint,file,inflate,json,npy,pickle,safetensors,torch_file,zip}.cpp src/tensor/{allocator,tensor}.cpp; do
  printf '%s\0' "$source"
done | xargs -0 -P "$(nproc)" -I{} sh -c 'o=$1/objects/$(basename "$2" .cpp).o; shift 2; exec "$@" -o "$o"' _ "$out" {} \
  ${CMAKE_CXX_COMPILER_LAUNCHER:-} "$clang" "${flags[@]}" -c {}
"$clang" -fsanitize=fuzzer,address,undefined "$out"/objects/*.o "$library" -Wl,--gc-sections -pthread -ldl -o "$out/fuzz"
for t in "${targets[@]}"; do ln -sf fuzz "$out/$t"; done
say "compiled in $((SECONDS - start)) s"

rm -rf "$out/seeds"
python3 tests/fuzz/seeds.py "$out/seeds"
[ ! -e tests/fuzz/corpus.tar.xz ] || tar -xJf tests/fuzz/corpus.tar.xz -C "$out/seeds"

export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=0 UBSAN_OPTIONS=print_stacktrace=1
fuzz() {  # fuzz TARGET
  local t=$1
  mkdir -p "$out/corpus/$t"
  "$out/$t" -seed="${FUZZ_SEED:-1}" -max_total_time="$seconds" -timeout=30 -rss_limit_mb=1024 -print_final_stats=1 -close_fd_mask=1 \
    -dict=tests/fuzz/words.dict -artifact_prefix="$out/found/$t-" "$out/corpus/$t" "$out/seeds/$t" >"$out/$t.log" 2>&1 ||
    { tail -40 "$out/$t.log"; echo "FOUND by $t: $(ls -t "$out"/found/"$t"-* | head -1)"; return 1; }
}
export -f fuzz
export out seconds
say "fuzzing: ${targets[*]}, $seconds s each"
status=0
printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} bash -c 'fuzz {}' || status=1

for t in "${targets[@]}"; do
  echo "$t $(sed -n 's/^stat::number_of_executed_units: *//p' "$out/$t.log") executions, $(ls "$out/corpus/$t" | wc -l) inputs kept"
done
say "$(cat "$out"/*.log | awk '/number_of_executed_units/ { n += $2 } END { print n }') executions in all"

if [ -n "${FUZZ_KEEP:-}" ]; then
  for t in "${targets[@]}"; do
    rm -rf "$out/small/$t"
    mkdir -p "$out/small/$t"
    "$out/$t" -merge=1 -max_len=4096 "$out/small/$t" "$out/corpus/$t" "$out/seeds/$t" >/dev/null 2>&1
  done
  tar -cJf tests/fuzz/corpus.tar.xz --sort=name --owner=0 --group=0 --mtime=@0 -C "$out/small" .
fi
exit $status
