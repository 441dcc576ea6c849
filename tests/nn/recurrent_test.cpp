#include <gtest/gtest.h>

#include "tapegrad/nn.h"

using namespace tapegrad;

// Packed sequences of different lengths give what each gives by itself, in the order in which they came.
TEST(Recurrent, TakesPackedSequences) {
  const std::vector<Tensor> sequences = {randn({2, 3}), randn({5, 3}), randn({3, 3})};
  const nn::LSTM lstm(3, 4, {.num_layers = 2, .bidirectional = true});
  const nn::GRU gru(3, 4);
  const nn::PackedSequence packed = nn::utils::pack_sequence(sequences, false);
  EXPECT_EQ(packed.data.sizes(), IntList({10, 3}));
  const auto [out, state] = lstm(packed);
  const std::vector<Tensor> parts = nn::utils::unpack_sequence(out);
  const auto [gru_out, last] = gru(packed, zeros({1, 3, 4}));
  const std::vector<Tensor> gru_parts = nn::utils::unpack_sequence(gru_out);
  for (size_t k = 0; k < sequences.size(); k++) {
    const auto [alone, alone_state] = lstm(sequences[k]);
    EXPECT_TRUE(allclose(parts[k], alone, 1e-4, 1e-5)) << k;
    EXPECT_TRUE(allclose(select(std::get<1>(state), 1, int64_t(k)), std::get<1>(alone_state), 1e-4, 1e-5)) << k;
    const auto [gru_alone, gru_last] = gru(sequences[k]);
    EXPECT_TRUE(allclose(gru_parts[k], gru_alone, 1e-4, 1e-5)) << k;
    EXPECT_TRUE(allclose(select(last, 1, int64_t(k)), gru_last, 1e-4, 1e-5)) << k;
  }
  EXPECT_THROW(nn::utils::pack_sequence(sequences), ValueError);
  const auto [padded, lengths] = nn::utils::pad_packed_sequence(packed, true, -1, 6);
  EXPECT_EQ(padded.sizes(), IntList({3, 6, 3}));
  EXPECT_TRUE(equal(lengths, tensor({2, 5, 3}, int64)));
  EXPECT_TRUE(equal(narrow(select(padded, 0, 0), 0, 0, 2), sequences[0]));
}
