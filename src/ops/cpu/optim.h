// The arithmetic of the optimisers: one pass over a stretch of a parameter, its gradient and its states.
#pragma once
#include <stdint.h>

namespace tapegrad {

/// n elements of a parameter, of its gradient and of up to three states (null: not there), all of one type.
struct OptimPart {
  void* param;
  const void* grad;
  void* state[3];
  int64_t n;
};
// The numbers of a step, with what depends on its count worked out.
struct SgdStep { double lr, momentum, dampening, weight_decay; bool nesterov, maximize, first; };
struct AdamStep { double lr, beta1, beta2, eps, weight_decay; bool decoupled, maximize; double correction1, correction2; };
struct RmspropStep { double lr, alpha, eps, weight_decay, momentum; bool maximize; };
struct AdagradStep { double lr, eps, weight_decay; bool maximize; };
struct AdadeltaStep { double lr, rho, eps, weight_decay; bool maximize; };
struct AdamaxStep { double size, beta1, beta2, eps, weight_decay; bool maximize; };
struct NadamStep { double lr, beta1, beta2, eps, weight_decay; bool decoupled, maximize; double correction2, from_grad, from_mean; };
struct RadamStep { double lr, beta1, beta2, eps, weight_decay; bool decoupled, maximize, adapt; double move; };

// A method's kernels by type. Their states, in this order (null: not there):
//   sgd: momentum buffer or null            adagrad: sum of squares                      nadam, radam: mean, mean square
//   adam: mean, mean square, its maximum or null   adadelta: mean square, mean squared step
//   rmsprop: mean square, mean or null, momentum buffer or null   adamax: mean, decayed maximum
template <class Step> struct OptimTable {
  void (*f32)(const OptimPart&, const Step&);
  void (*f64)(const OptimPart&, const Step&);
  void (*f16)(const OptimPart&, const Step&);
  void (*bf16)(const OptimPart&, const Step&);
};

}  // namespace tapegrad
