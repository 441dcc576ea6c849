// Cuts Winograd convolutions into pieces: some images, or some rows of tiles of one image, whose transforms stay in the cache.
#include <algorithm>

#include "src/ops/conv.h"
#include "src/ops/cpu/table.h"
#include "src/ops/cpu/winograd.h"
#include "src/ops/scratch.h"
#include "src/tensor/interrupt.h"

namespace tapegrad {

namespace {

bool applies(const ConvPlan& p) {
  const Window& w = p.window;
  if (p.groups != 1 || w.kernel[0] != 1 || w.in[0] != 1 || w.pad[0] != 0 || w.kernel[1] != 3 || w.kernel[2] != 3) return false;
  for (int d = 1; d < 3; d++) if (w.stride[d] != 1 || w.dilation[d] != 1 || w.pad[d] != w.pad[1] || w.pad[d] > 2) return false;
  return w.stride[0] == 1 && p.in_channels >= 16 && p.out_channels >= 16;
}
// Tiles of the result with `tile` numbers each way.
int64_t rows_of_tiles(const Winograd& g) { return (g.oh + g.tile - 1) / g.tile; }
void set_tile(Winograd& g, long tile) { g.tile = tile, g.tile_columns = (g.ow + tile - 1) / tile; }

}  // namespace

bool winograd(const ConvPlan& p, bool transposed, const Tensor& from, const Tensor& w, const Tensor& bias, const Tensor& to) {
  if (!applies(p)) return false;
  const Window& win = p.window;
  const WinogradTable& kernel = *winograd_tables[kernel_set];
  const int64_t taps = 9, row = p.in_channels * taps;
  Winograd g = transposed ? Winograd{p.out_channels, win.out[1], win.out[2], p.in_channels, win.in[1], win.in[2],
      2 - win.pad[1], taps, row, true, p.in_channels, 2, 0}
                          : Winograd{p.in_channels, win.in[1], win.in[2], p.out_channels, win.out[1], win.out[2], win.pad[1],
                              row, taps, false, p.out_channels, 2, 0};
  set_tile(g, 2);
  const int64_t tile_rows = rows_of_tiles(g), per_image = tile_rows * g.tile_columns;
  if (p.batch * per_image < 64) return false;  // the filters' transform would not pay

  std::atomic<bool> failed = false;
  Scratch filters(size_t(kernel.filter_floats(g)) * sizeof(float), failed);
  check_memory(failed);
  const auto* weights = w->host<const float>();
  float* u = filters.get<float>();
  interruptible_for(g.k, 4 * kernel.lanes * std::max<int64_t>(1, 2048 / (g.c * kernel.lanes)), [&](int64_t begin,
      int64_t end) { kernel.filters(g, weights, begin, end, u); });

  // So many tiles that their transforms fit a core's cache; more where the filters do not, so that more tiles share a pass.
  const int64_t channels = g.c + g.k, wanted = kernel.filter_floats(g) > 500000 ? 128 : std::clamp<int64_t>(10000 / channels, 48, 512);
  const int64_t images = std::clamp<int64_t>(wanted / per_image, 1, p.batch), rows = images > 1 ? tile_rows
      : std::clamp<int64_t>((wanted + g.tile_columns / 2) / g.tile_columns, 1, tile_rows);
  const int64_t strips = (tile_rows + rows - 1) / rows, places = (p.batch + images - 1) / images * strips;
  // Few of these: cut the work in each, by images and then by output channels.
  const bool many = places >= 4;
  const int64_t lanes = 4 * kernel.lanes, block = many ? g.k : std::max<int64_t>(1, (g.k + 4 * lanes - 1) / (4 * lanes)) * lanes;
  const int64_t blocks = (g.k + block - 1) / block;
  const auto* x = from->host<const float>();
  const auto* start = bias.defined() ? bias->host<const float>() : nullptr;
  auto* y = to->host<float>();
  const int64_t x_image = g.c * g.h * g.w, plane = g.oh * g.ow, y_image = g.k * plane;
  const double work = double(images) * double(rows * g.tile_columns) * double(g.c) * double(g.k) * 16;
  interruptible_for(places, many ? std::max<int64_t>(1, int64_t(4e5 / work)) : places, [&](int64_t begin, int64_t end) {
    Scratch memory(size_t(kernel.input_floats(g, images, rows)) * sizeof(float), failed);
    if (!memory) return;
    auto* d = memory.get<float>();
    for (int64_t place = begin; place < end; place++) {
      const int64_t n = place / strips * images, here = std::min(images, p.batch - n);
      const int64_t r0 = place % strips * rows, r1 = std::min(tile_rows, r0 + rows);
      interruptible_for(here, std::max<int64_t>(1, 32768 / x_image), [&](int64_t first, int64_t last) {
        Scratch pixels(size_t(kernel.input_workspace(g, rows)) * sizeof(float), failed);
        if (pixels) kernel.input(g, x + n * x_image, x_image, here, first, last, r0, r1, d, pixels.get<float>());
      });
      interruptible_for(blocks, std::max<int64_t>(1, int64_t(4e5 * double(blocks) / work)), [&](int64_t first, int64_t last) {
        Winograd part = g;
        part.k = block;
        Scratch products(size_t(kernel.output_workspace(part, here, rows)) * sizeof(float), failed);
        if (!products) return;
        for (int64_t k = first * block; k < last * block; k += block) {
          part.k = std::min(block, g.k - k);
          kernel.output(part, d, u + k * g.c, start ? start + k : nullptr, y + n * y_image + k * plane, y_image, here, r0, r1,
              products.get<float>());
        }
      });
    }
  });
  check_memory(failed);
  return true;
}

bool winograd_weight(const ConvPlan& p, const Tensor& x, const Tensor& y, const Tensor& w) {
  if (!applies(p)) return false;
  const Window& win = p.window;
  const WinogradTable& kernel = *winograd_tables[kernel_set];
  Winograd g{p.in_channels, win.in[1], win.in[2], p.out_channels, win.out[1], win.out[2], win.pad[1], 9 * p.in_channels, 9, false, p.out_channels, 2, 0};
  const auto cost = [&](long tile) {
    set_tile(g, tile);
    return (p.batch * rows_of_tiles(g) * g.tile_columns + 24) * (tile + 2) * (tile + 2);  // 24: what writing the sums is worth
  };
  const bool large = cost(4) < cost(2);
  set_tile(g, large ? 4 : 2);
  const int64_t tile_rows = rows_of_tiles(g), per_image = tile_rows * g.tile_columns, all = p.batch * per_image;
  if (all < 16) return false;

  // A unit is a strip of tile rows of an image; some units make a block, whose products are added to those before.
  const int64_t wanted = std::clamp<int64_t>((48 + g.tile_columns - 1) / g.tile_columns, 1, tile_rows);
  const int64_t strips = (tile_rows + wanted - 1) / wanted, rows = (tile_rows + strips - 1) / strips, units = p.batch * strips;
  const int64_t per_block = std::clamp<int64_t>(std::clamp<int64_t>(24576 / (g.c + g.k), 192, 768) / (rows * g.tile_columns), 1, units);
  const int64_t held = per_block * rows * g.tile_columns, points = (g.tile + 2) * (g.tile + 2);
  std::atomic<bool> failed = false;
  Scratch d_memory(size_t(kernel.tile_numbers(g, g.c, held)) * sizeof(float), failed), m_memory(size_t(kernel.tile_numbers(g, g.k, held)) * sizeof(float), failed),
      sums(size_t(kernel.weight_sums(g)) * sizeof(float), failed);
  check_memory(failed);
  float *d = d_memory.get<float>(), *m = m_memory.get<float>(), *u = sums.get<float>();
  const auto *from_x = x->host<const float>(), *from_y = y->host<const float>();
  const int64_t some = 32, of_x = (g.c + some - 1) / some, sides = of_x + (g.k + some - 1) / some;  // channels that become tiles at a time
  const int64_t k_block = g.k > 128 ? 64 : (g.k + 31) / 32 * 16, k_blocks = (g.k + k_block - 1) / k_block;
  for (int64_t first = 0; first < units; first += per_block) {
    const int64_t last = std::min(units, first + per_block);
    const auto tile_of = [&](int64_t unit) { return unit / strips * per_image + unit % strips * rows * g.tile_columns; };
    interruptible_for((last - first) * sides, std::max<int64_t>(1, 4000 / (rows * g.tile_columns * some)), [&](int64_t begin, int64_t end) {
      Scratch memory(size_t(kernel.weight_workspace(g, rows, some)) * sizeof(float), failed);
      if (!memory) return;
      for (int64_t i = begin; i < end; i++) {
        const int64_t unit = first + i / sides, n = unit / strips, r = unit % strips * rows, side = i % sides;
        const bool result = side >= of_x;
        const int64_t c = (result ? side - of_x : side) * some, channels = result ? g.k : g.c;
        const float* from = result ? from_y + n * g.k * g.oh * g.ow : from_x + n * g.c * g.h * g.w;
        kernel.weight_tiles(g, result, from, c, std::min(channels, c + some), r, std::min(tile_rows, r + rows),
            tile_of(unit) - tile_of(first), held, result ? m : d, memory.get<float>());
      }
    });
    const int64_t count = (last == units ? all : tile_of(last)) - tile_of(first);
    interruptible_for(points * k_blocks, std::max<int64_t>(1, int64_t(2e5 / (double(count) * double(g.c) * double(k_block)))), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++)
        kernel.weight_products(g, i / k_blocks, i % k_blocks * k_block, (i % k_blocks + 1) * k_block, d, m, held, count, u, first > 0);
    });
  }
  check_memory(failed);
  auto* taps = w->host<float>();
  interruptible_for(g.k, std::max<int64_t>(1, 1024 / g.c), [&](int64_t begin, int64_t end) { kernel.weight_taps(g, u, begin, end, taps); });
  return true;
}

}  // namespace tapegrad
