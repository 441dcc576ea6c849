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

struct OptimKernels {  // states in this order
  void (*sgd)(const OptimPart&, const SgdStep&);            // momentum buffer or null
  void (*adam)(const OptimPart&, const AdamStep&);          // mean, mean square, its maximum or null
  void (*rmsprop)(const OptimPart&, const RmspropStep&);    // mean square, mean or null, momentum buffer or null
  void (*adagrad)(const OptimPart&, const AdagradStep&);    // sum of squares
  void (*adadelta)(const OptimPart&, const AdadeltaStep&);  // mean square, mean squared step
  void (*adamax)(const OptimPart&, const AdamaxStep&);      // mean, decayed maximum
  void (*nadam)(const OptimPart&, const NadamStep&);        // mean, mean square
  void (*radam)(const OptimPart&, const RadamStep&);        // mean, mean square
};
struct OptimTable {
  OptimKernels f32, f64, f16, bf16;
};

}  // namespace tapegrad
