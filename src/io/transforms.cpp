#include "tapegrad/transforms.h"

namespace tapegrad::transforms {

Tensor ToTensor::operator()(const Tensor& image) const {
  TG_CHECK(image.dim() == 2 || image.dim() == 3, ShapeError, "ToTensor: expected (H, W, C) or (H, W)", Named{"image", image});
  const Tensor x = image.dim() == 2 ? unsqueeze(image, 0) : permute(image, {2, 0, 1});
  return image.dtype() == uint8 ? to(x, default_dtype()).contiguous() / 255 : x.contiguous();
}

Tensor Normalize::operator()(const Tensor& x) const {
  TG_CHECK(x.dim() >= 3 && x.is_floating_point(), ValueError, "Normalize: expected floats (…, C, H, W)", Named{"x", x});
  const int64_t channels = x.size(-3);
  const auto column = [&](const char* what, const std::vector<double>& v) {
    TG_CHECK(v.size() == 1 || int64_t(v.size()) == channels, ValueError, "Normalize: ", what, " has ", v.size(), " numbers for ", channels, " channels", Named{"x", x});
    for (const double s : v) TG_CHECK(s != 0 || what[0] != 's', ValueError, "Normalize: std must not be 0");
    return to(tensor(v), x.dtype()).view({-1, 1, 1});
  };
  return (x - column("mean", mean)) / column("std", std);
}

static Tensor crop(const char* op, const Tensor& x, int64_t top, int64_t left, int64_t size) {
  TG_CHECK(x.dim() >= 2 && size > 0 && size <= x.size(-2) && size <= x.size(-1), ShapeError, op, ": cannot cut ", size, " x ", size, " out of it", Named{"x", x});
  return narrow(narrow(x, -2, top, size), -1, left, size);
}
static int64_t random_below(int64_t n) { return randint(0, n, {}, int64, {}, &data::generator()).item<int64_t>(); }

Tensor CenterCrop::operator()(const Tensor& x) const {
  const bool fits = x.dim() >= 2 && size <= x.size(-2) && size <= x.size(-1);
  return crop("CenterCrop", x, fits ? (x.size(-2) - size) / 2 : 0, fits ? (x.size(-1) - size) / 2 : 0, size);
}
Tensor RandomCrop::operator()(const Tensor& x) const {
  const Tensor wide = padding > 0 ? pad(x, {padding, padding, padding, padding}) : x;
  const bool fits = wide.dim() >= 2 && size <= wide.size(-2) && size <= wide.size(-1);
  const int64_t top = fits ? random_below(wide.size(-2) - size + 1) : 0, left = fits ? random_below(wide.size(-1) - size + 1) : 0;
  return crop("RandomCrop", wide, top, left, size);
}

Tensor RandomHorizontalFlip::operator()(const Tensor& x) const {
  return rand({}, float64, {}, false, &data::generator()).item<double>() < p ? flip(x, {-1}) : x;
}

}  // namespace tapegrad::transforms
