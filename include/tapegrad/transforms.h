// Functions of one tensor for data::map_data, with torchvision's names:
//   auto train = data::map_data(digits, transforms::Compose(transforms::Normalize{{0.5}, {0.25}}, transforms::RandomCrop{8, 1}));
// The random ones draw from data::generator(), so a loader's samples do not depend on its number of workers.
#pragma once
#include "tapegrad/data.h"

namespace tapegrad::transforms {

/// One after another. Any callable is a transform, a lambda as well.
template <class... F> struct Compose {
  std::tuple<F...> steps;
  explicit Compose(F... f) : steps(std::move(f)...) {}
  template <class T> auto operator()(const T& x) const { return run<0>(x); }
 private:
  template <size_t i, class T> auto run(const T& x) const {
    if constexpr (i == sizeof...(F)) return x; else return run<i + 1>(std::get<i>(steps)(x));
  }
};

/// uint8 (H, W, C) or (H, W), 0 to 255, becomes float (C, H, W), 0 to 1. Other dtypes keep their values.
struct TG_API ToTensor {
  Tensor operator()(const Tensor& image) const;
};
struct TG_API ConvertDtype {
  Dtype dtype;
  Tensor operator()(const Tensor& x) const { return to(x, dtype); }
};
/// (x - mean) / std for each channel of (…, C, H, W); one number serves all channels.
struct TG_API Normalize {
  std::vector<double> mean, std;
  Tensor operator()(const Tensor& x) const;
};
/// The middle of (…, H, W).
struct TG_API CenterCrop {
  int64_t size;
  Tensor operator()(const Tensor& x) const;
};
/// A random square of (…, H, W), after zeros were put around it.
struct TG_API RandomCrop {
  int64_t size, padding = 0;
  Tensor operator()(const Tensor& x) const;
};
/// Left and right swapped with probability p.
struct TG_API RandomHorizontalFlip {
  double p = 0.5;
  Tensor operator()(const Tensor& x) const;
};

}  // namespace tapegrad::transforms
