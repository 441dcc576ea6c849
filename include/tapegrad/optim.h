// Optimisers. First the arithmetic of one step over all parameters, shared by the C++ classes and by Python's tapegrad.optim.
#pragma once
#include "tapegrad/ops.h"

namespace tapegrad {

// ## fused steps: src/optim/step.cpp
// Each updates `params` and the lists of states in place, never records, and gives PyTorch's numbers. params[k], grads[k] and
// state[k] have one shape and one floating dtype; a list of states that the variant does not use is empty. Throws ShapeError,
// DtypeError, ValueError.

/// Without momentum pass no buffers. `first`: the buffers are unset and start as the gradient.
TG_API void sgd_step(TensorList params, TensorList grads, TensorList momentum_buffers, double lr, double momentum = 0, double dampening = 0, double weight_decay = 0, bool nesterov = false, bool maximize = false, bool first = false);
/// Adam; `decoupled` weight decay makes it AdamW; with max_exp_avg_sqs it is AMSGrad. `step` counts from 1.
TG_API void adam_step(TensorList params, TensorList grads, TensorList exp_avgs, TensorList exp_avg_sqs, TensorList max_exp_avg_sqs, double lr, double beta1, double beta2, double eps, double weight_decay, bool decoupled, bool maximize, int64_t step);
/// grad_avgs: centered; momentum_buffers: momentum > 0.
TG_API void rmsprop_step(TensorList params, TensorList grads, TensorList square_avgs, TensorList grad_avgs, TensorList momentum_buffers, double lr, double alpha, double eps, double weight_decay, double momentum, bool maximize);
/// `lr` with its decay applied.
TG_API void adagrad_step(TensorList params, TensorList grads, TensorList sums, double lr, double eps, double weight_decay, bool maximize);
TG_API void adadelta_step(TensorList params, TensorList grads, TensorList square_avgs, TensorList acc_deltas, double lr, double rho, double eps, double weight_decay, bool maximize);
TG_API void adamax_step(TensorList params, TensorList grads, TensorList exp_avgs, TensorList exp_infs, double lr, double beta1, double beta2, double eps, double weight_decay, bool maximize, int64_t step);
/// mu, mu_next and mu_product: the momentum schedule at this step, at the next, and its product so far.
TG_API void nadam_step(TensorList params, TensorList grads, TensorList exp_avgs, TensorList exp_avg_sqs, double lr, double beta1, double beta2, double eps, double weight_decay, bool decoupled, bool maximize, double mu, double mu_next, double mu_product, int64_t step);
TG_API void radam_step(TensorList params, TensorList grads, TensorList exp_avgs, TensorList exp_avg_sqs, double lr, double beta1, double beta2, double eps, double weight_decay, bool decoupled, bool maximize, int64_t step);

}  // namespace tapegrad
