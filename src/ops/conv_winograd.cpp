// Cuts Winograd convolutions into pieces: some images, or some rows of tiles of one image, whose transforms stay in the cache.
#include <algorithm>

#include "src/ops/conv.h"
#include "src/ops/cpu/table.h"
#include "src/ops/cpu/winograd.h"
#include "src/ops/scratch.h"
#include "src/tensor/parallel.h"

namespace tapegrad {

bool winograd(const ConvPlan& p, bool transposed, const Tensor& from, const Tensor& w, const Tensor& bias, const Tensor& to) {
  const Window& win = p.window;
  if (p.groups != 1 || win.kernel[0] != 1 || win.in[0] != win.out[0] || win.kernel[1] != 3 || win.kernel[2] != 3 ||
      win.pad[0] != 0) return false;
  for (int d = 1; d < 3; d++) if (win.stride[d] != 1 || win.dilation[d] != 1 || win.pad[d] != win.pad[1] || win.pad[d] > 2) return false;
  if (win.stride[0] != 1 || win.in[0] != 1 || p.in_channels < 16 || p.out_channels < 16) return false;

  const WinogradTable& kernel = *kernels().winograd;
  const int64_t taps = 9, row = p.in_channels * taps;
  Winograd g = transposed ? Winograd{p.out_channels, win.out[1], win.out[2], p.in_channels, win.in[1], win.in[2],
      2 - win.pad[1], taps, row, true, 0}
                          : Winograd{p.in_channels, win.in[1], win.in[2], p.out_channels, win.out[1], win.out[2], win.pad[1],
                              row, taps, false, 0};
  g.tile_columns = (g.ow + 1) / 2;
  const int64_t tile_rows = (g.oh + 1) / 2, per_image = tile_rows * g.tile_columns;
  if (p.batch * per_image < 64) return false;  // the filters' transform would not pay

  std::atomic<bool> failed = false;
  Scratch filters(size_t(kernel.filter_floats(g)) * sizeof(float), failed);
  check_memory(failed);
  const auto* weights = reinterpret_cast<const float*>(w->data);
  float* u = filters.get<float>();
  parallel_for(g.k, 4 * kernel.lanes * std::max<int64_t>(1, 2048 / (g.c * kernel.lanes)), [&](int64_t begin,
      int64_t end) { kernel.filters(g, weights, begin, end, u); });

  // So many tiles that their transforms fit a core's cache; more where the filters do not, so that more tiles share a pass.
  const int64_t channels = g.c + g.k, wanted = kernel.filter_floats(g) > 500000 ? 128 : std::clamp<int64_t>(10000 / channels, 48, 512);
  const int64_t images = std::clamp<int64_t>(wanted / per_image, 1, p.batch), rows = images > 1 ? tile_rows
      : std::clamp<int64_t>((wanted + g.tile_columns / 2) / g.tile_columns, 1, tile_rows);
  const int64_t strips = (tile_rows + rows - 1) / rows, pieces = (p.batch + images - 1) / images * strips;
  const auto* x = reinterpret_cast<const float*>(from->data);
  const auto* start = bias.defined() ? reinterpret_cast<const float*>(bias->data) : nullptr;
  auto* y = reinterpret_cast<float*>(to->data);
  const int64_t x_image = g.c * g.h * g.w, y_image = g.k * g.oh * g.ow;
  const double work = double(images) * double(rows * g.tile_columns) * double(g.c) * double(g.k) * 16;
  parallel_for(pieces, std::max<int64_t>(1, int64_t(4e5 / work)), [&](int64_t begin, int64_t end) {
    Scratch memory(size_t(kernel.workspace(g, images, rows)) * sizeof(float), failed);
    if (!memory) return;
    for (int64_t i = begin; i < end; i++) {
      const int64_t n = i / strips * images, r = i % strips * rows;
      kernel.run(g, x + n * x_image, x_image, u, start, y + n * y_image, y_image, std::min(images, p.batch - n), r,
          std::min(tile_rows, r + rows), memory.get<float>());
    }
  });
  check_memory(failed);
  return true;
}

}  // namespace tapegrad
