# Each target does all of its own set-up (.ci/task says what it installs) and may be run first.
.PHONY: demo test cuda parity bench asan tsan fuzz amalgamation consumers lint docs conformance clean
demo:   ## build the wheel, train on handwritten digits from Python and from C++
test:   ## all C++ and Python tests
cuda:   ## the CUDA plugin: compiled by nvcc where there is one, tested on the simulator of tests/cuda
parity: ## values and gradients against PyTorch 2.13.0, live
bench:  ## times beside PyTorch's; writes benchmarks/RESULTS.md
asan:   ## C++ tests under AddressSanitizer and UBSan
tsan:   ## C++ tests under ThreadSanitizer
fuzz:   ## every reader of files against libFuzzer, 60 s each; FUZZ_SECONDS=600 for longer
amalgamation: ## the library as two files, build/amalgamation/tapegrad.{hpp,cpp}
consumers: ## four projects that use the library, each in its way
lint:   ## ruff, clang-format, include rule, file sizes
docs:   ## docs/ops.md from the op table, docs/compat.md from the names of PyTorch
conformance: ## the array API's public conformance suite, as kept in tests/array_api, or from ARRAY_API_TESTS=<folder>
demo test cuda parity bench asan tsan fuzz amalgamation consumers lint docs conformance:
	@bash .ci/task $@
clean:
	rm -rf build .venv .venv-parity dist digits.safetensors digits.png
