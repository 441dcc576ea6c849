// The list of op families. A family that is not here is not in the library; a test counts.
#include "src/ops/op_info.h"

namespace tapegrad {

void activation_ops(OpTable&);
void adaptive_pool_ops(OpTable&);
void attention_ops(OpTable&);
void comparison_ops(OpTable&);
void complex_ops(OpTable&);
void conv_ops(OpTable&);
void copy_ops(OpTable&);
void ctc_loss_ops(OpTable&);
void dropout_ops(OpTable&);
void einsum_ops(OpTable&);
void embedding_bag_ops(OpTable&);
void elementwise_binary_ops(OpTable&);
void elementwise_more_ops(OpTable&);
void elementwise_ternary_ops(OpTable&);
void elementwise_unary_ops(OpTable&);
void factories_ops(OpTable&);
void gather_ops(OpTable&);
void grid_sample_ops(OpTable&);
void index_ops(OpTable&);
void index_select_ops(OpTable&);
void interpolate_ops(OpTable&);
void loss_elementwise_ops(OpTable&);
void loss_ops(OpTable&);
void masked_ops(OpTable&);
void matmul_ops(OpTable&);
void norm_batch_ops(OpTable&);
void norm_ops(OpTable&);
void optim_step_ops(OpTable&);
void pad_ops(OpTable&);
void patches_ops(OpTable&);
void pool_ops(OpTable&);
void random_draw_ops(OpTable&);
void random_more_ops(OpTable&);
void random_ops(OpTable&);
void reduce_minmax_ops(OpTable&);
void reduce_ops(OpTable&);
void reduce_prod_ops(OpTable&);
void reduce_stats_ops(OpTable&);
void reduce_truth_ops(OpTable&);
void rnn_ops(OpTable&);
void scan_ops(OpTable&);
void selection_ops(OpTable&);
void shape_ops(OpTable&);
void slice_ops(OpTable&);
void softmax_ops(OpTable&);
void sort_ops(OpTable&);
void special_ops(OpTable&);
void statistics_ops(OpTable&);
void tensordot_ops(OpTable&);
void triangle_ops(OpTable&);
void unique_ops(OpTable&);
void view_ops(OpTable&);

std::span<const OpInfo> all_ops() {
  static const OpTable& table = [] () -> OpTable& {
    auto& t = *new OpTable;
    activation_ops(t);
    adaptive_pool_ops(t);
    attention_ops(t);
    comparison_ops(t);
    complex_ops(t);
    conv_ops(t);
    copy_ops(t);
    ctc_loss_ops(t);
    dropout_ops(t);
    einsum_ops(t);
    embedding_bag_ops(t);
    elementwise_binary_ops(t);
    elementwise_more_ops(t);
    elementwise_ternary_ops(t);
    elementwise_unary_ops(t);
    factories_ops(t);
    gather_ops(t);
    grid_sample_ops(t);
    index_ops(t);
    index_select_ops(t);
    interpolate_ops(t);
    loss_elementwise_ops(t);
    loss_ops(t);
    masked_ops(t);
    matmul_ops(t);
    norm_batch_ops(t);
    norm_ops(t);
    optim_step_ops(t);
    pad_ops(t);
    patches_ops(t);
    pool_ops(t);
    random_draw_ops(t);
    random_more_ops(t);
    random_ops(t);
    reduce_minmax_ops(t);
    reduce_ops(t);
    reduce_prod_ops(t);
    reduce_stats_ops(t);
    reduce_truth_ops(t);
    rnn_ops(t);
    scan_ops(t);
    selection_ops(t);
    shape_ops(t);
    slice_ops(t);
    softmax_ops(t);
    sort_ops(t);
    special_ops(t);
    statistics_ops(t);
    tensordot_ops(t);
    triangle_ops(t);
    unique_ops(t);
    view_ops(t);
    return t;
  }();
  return table.rows();
}

}  // namespace tapegrad
