// Philox4x32-10 in bulk. Block i of a stream is the four words of counter i under the key `seed`. Same bits on every machine.
#pragma once
#include <stdint.h>

namespace tapegrad {

struct RandomTable {
  void (*words)(uint64_t seed, uint64_t counter, int64_t blocks, uint32_t* out);  // 4 * blocks words
  void (*uniform)(const uint32_t* words, int64_t n, float* out);                  // [0, 1), 24 bits
  void (*normal)(const uint32_t* words, int64_t n, float* out);                   // Box-Muller on pairs; n is even
  void (*chance)(const uint32_t* words, uint32_t threshold, int64_t n, float* out);  // 1 where a word's 24 bits are less, else 0
  // y = x * scale where its word is at least `threshold`, else 0; keep[i] tells which
  void (*dropout)(const uint32_t* words, uint32_t threshold, float scale, const float* x, int64_t n, float* y, uint8_t* keep);
};

}  // namespace tapegrad
