// Data sets and batches:
//   data::DataLoader loader(data::TensorDataset{images, labels}, {.batch_size = 64, .shuffle = true});
//   for (auto [x, y] : loader) { … }
#pragma once
#include <utility>

#include "tapegrad/ops.h"

namespace tapegrad {
namespace data {

struct Batch {
  Tensor data, target;
};

/// Rows of two tensors of equal length. A data set of your own has these two functions.
struct TensorDataset {
  Tensor data, target;
  int64_t size() const { return data.size(0); }
  Batch get(const Tensor& rows) const { return {index_select(data, 0, rows), index_select(target, 0, rows)}; }
};

struct LoaderOptions {
  int64_t batch_size = 1;
  bool shuffle = false, drop_last = false;
  Generator generator = default_generator();  ///< what shuffles
};

/// The data set in batches, in a new order for each loop when shuffled.
template <class Dataset> class DataLoader {
  Dataset dataset_;
  LoaderOptions options_;
 public:
  explicit DataLoader(Dataset dataset, LoaderOptions options = {}) : dataset_(std::move(dataset)), options_(std::move(options)) {
    TG_CHECK(options_.batch_size > 0, ValueError, "DataLoader: batch_size must be positive, got ", options_.batch_size);
  }
  const Dataset& dataset() const { return dataset_; }
  /// Batches in one loop.
  int64_t size() const {
    const int64_t n = dataset_.size(), b = options_.batch_size;
    return options_.drop_last ? n / b : (n + b - 1) / b;
  }
  class Iterator {
    const DataLoader* loader_;
    Tensor order_;
    int64_t batch_;
   public:
    Iterator(const DataLoader* loader, Tensor order, int64_t batch) : loader_(loader), order_(std::move(order)), batch_(batch) {}
    auto operator*() const {
      const int64_t b = loader_->options_.batch_size, begin = batch_ * b, left = loader_->dataset_.size() - begin;
      return loader_->dataset_.get(narrow(order_, 0, begin, left < b ? left : b));
    }
    Iterator& operator++() { batch_++; return *this; }
    bool operator!=(const Iterator& o) const { return batch_ != o.batch_; }
  };
  Iterator begin() const {
    const int64_t n = dataset_.size();
    return {this, options_.shuffle ? randperm(n, {}, {}, &options_.generator) : arange(n), 0};
  }
  Iterator end() const { return {this, {}, size()}; }
};

}  // namespace data

namespace datasets {
/// UCI handwritten digits: images float32 [n, 1, 8, 8] in [0, 1] and labels int64 [n]. `split` is "train" (1,437), "test" (360,
/// every fifth image) or "all". The file lies beside the library; TAPEGRAD_DATA names another folder.
TG_API data::TensorDataset digits(std::string_view split = "all");
}  // namespace datasets
}  // namespace tapegrad
