// Training: optimisers (tapegrad::optim) and schedules of their rates, with PyTorch's names, defaults and numbers.
#pragma once
#include "tapegrad/nn.h"
#include "tapegrad/optim_optimizer.h"
#include "tapegrad/optim_schedules.h"
#include "tapegrad/optim_swa.h"
