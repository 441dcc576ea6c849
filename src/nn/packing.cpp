// Sequences of different lengths: padded, or packed step by step.
#include <algorithm>

#include "tapegrad/nn_recurrent.h"

namespace tapegrad::nn::utils {

// Where the rows of packed data are among the steps * batch rows of a padded tensor, time first.
static Tensor places(const Tensor& batch_sizes, int64_t batch) {
  return squeeze(nonzero(reshape(arange(batch) < unsqueeze(batch_sizes, 1), {-1})), 1);
}

PackedSequence pack_padded_sequence(const Tensor& input, IntList given, bool batch_first, bool enforce_sorted) {
  OpScope op("pack_padded_sequence");
  TG_CHECK(input.dim() >= 2, ShapeError, "input must have at least 2 dimensions", Named{"input", input});
  Tensor x = batch_first ? transpose(input, 0, 1) : input;
  const int64_t steps = x.size(0), batch = x.size(1);
  TG_CHECK(batch > 0 && int64_t(given.size()) == batch, ValueError, "there must be a length for each of the ", batch,
           " sequences, got ", given.size());
  for (const int64_t n : given)
    TG_CHECK(n > 0 && n <= steps, ValueError, "lengths must lie between 1 and ", steps, ", got ", n);
  TG_CHECK(!enforce_sorted || std::is_sorted(given.begin(), given.end(), std::greater<>()), ValueError,
           "lengths must fall; enforce_sorted = false sorts them");
  Tensor lengths = empty({batch}, Dtype::Int64);
  std::copy(given.begin(), given.end(), lengths->host<int64_t>());
  PackedSequence out;
  if (!enforce_sorted) {
    const ValuesIndices sorted = sort(lengths, -1, true);
    lengths = sorted.values, out.sorted_indices = sorted.indices;
    out.unsorted_indices = scatter(zeros_like(sorted.indices), 0, sorted.indices, arange(batch));
    x = index_select(x, 1, sorted.indices);
  }
  const int64_t longest = *std::max_element(given.begin(), given.end());
  out.batch_sizes = sum(lengths > unsqueeze(arange(longest), 1), 1);
  out.data = index_select(flatten(narrow(x, 0, 0, longest), 0, 1), 0, places(out.batch_sizes, batch));
  return out;
}

std::tuple<Tensor, Tensor> pad_packed_sequence(const PackedSequence& x, bool batch_first, double padding_value,
                                               std::optional<int64_t> total_length) {
  OpScope op("pad_packed_sequence");
  const int64_t longest = x.batch_sizes.numel(), batch = select(x.batch_sizes, 0, 0).item<int64_t>();
  const int64_t steps = total_length.value_or(longest);
  TG_CHECK(steps >= longest, ValueError, "total_length must be at least the longest sequence's, ", longest, ", got ", steps);
  Shape size(x.data.sizes());
  size[0] = steps * batch;
  const Tensor flat = index_copy(full(size, padding_value, x.data.dtype(), x.data.device()), 0, places(x.batch_sizes, batch), x.data);
  Tensor padded = unflatten(flat, 0, {steps, batch}), lengths = sum(unsqueeze(x.batch_sizes, 1) > arange(batch), 0);
  if (batch_first) padded = transpose(padded, 0, 1);
  if (!x.unsorted_indices.defined()) return {padded, lengths};
  return {index_select(padded, batch_first ? 0 : 1, x.unsorted_indices), index_select(lengths, 0, x.unsorted_indices)};
}

Tensor pad_sequence(TensorList sequences, bool batch_first, double padding_value) {
  OpScope op("pad_sequence");
  TG_CHECK(!sequences.empty(), ValueError, "there must be at least one sequence");
  int64_t longest = 0;
  for (const Tensor& s : sequences) longest = std::max(longest, s.size(0));
  std::vector<Tensor> out;
  for (const Tensor& s : sequences) {
    std::vector<int64_t> sides(size_t(2 * s.dim()), 0);
    sides.back() = longest - s.size(0);
    out.push_back(sides.back() ? pad(s, sides, "constant", padding_value) : s);
  }
  return stack(out, batch_first ? 0 : 1);
}
PackedSequence pack_sequence(TensorList sequences, bool enforce_sorted) {
  std::vector<int64_t> lengths;
  for (const Tensor& s : sequences) lengths.push_back(s.size(0));
  return pack_padded_sequence(pad_sequence(sequences), lengths, false, enforce_sorted);
}
std::vector<Tensor> unpack_sequence(const PackedSequence& x) {
  const auto [padded, lengths] = pad_packed_sequence(x, true);
  std::vector<Tensor> out;
  for (int64_t k = 0; k < lengths.numel(); k++)
    out.push_back(narrow(select(padded, 0, k), 0, 0, select(lengths, 0, k).item<int64_t>()));
  return out;
}

}  // namespace tapegrad::nn::utils
