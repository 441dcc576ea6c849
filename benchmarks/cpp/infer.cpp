// Reads a model and applies it: what a program that trains nothing holds of the library.
#include <tapegrad/io.h>

#include <cstdio>

using namespace tapegrad;

int main(int argc, char** argv) {
  if (argc < 2) return 1;
  const NoGrad no_grad;
  Tensor x = rand({1, 784});
  for (const auto& [name, weight] : load(argv[1])) x = matmul(x, weight.t()).relu();
  std::printf("%s\n", to_string(x.argmax(1)).c_str());
}
