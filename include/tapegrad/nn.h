// Neural networks: modules with PyTorch's names, state_dict keys, defaults and printing, and its initial values of tapegrad in
// Python: the same seed gives the same weights. A model of your own:
//
//   struct Net : nn::ModuleOf<Net> {
//     nn::Conv2d conv = register_module("conv", nn::Conv2d(1, 16, 3, {.padding = 1}));
//     nn::Linear fc = register_module("fc", nn::Linear(16 * 4 * 4, 10));
//     Tensor forward(const Tensor& x) const { return fc(max_pool2d(conv(x).relu(), 2).flatten(1)); }
//   };
//
// A module is a handle: copies share parameters, buffers, hooks and the training flag, as copies of a Tensor share memory.
#pragma once
#include "tapegrad/nn_activation.h"
#include "tapegrad/nn_container.h"
#include "tapegrad/nn_conv.h"
#include "tapegrad/nn_init.h"
#include "tapegrad/nn_lazy.h"
#include "tapegrad/nn_linear.h"
#include "tapegrad/nn_loss.h"
#include "tapegrad/nn_module.h"
#include "tapegrad/nn_norm.h"
#include "tapegrad/nn_recurrent.h"
#include "tapegrad/nn_transformer.h"
