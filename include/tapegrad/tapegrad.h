// Everything: #include <tapegrad/tapegrad.h>, link tapegrad::tapegrad.
#pragma once
#include "tapegrad/autograd.h"
#include "tapegrad/error.h"
#include "tapegrad/ops.h"
#include "tapegrad/optim.h"
#include "tapegrad/random.h"
#include "tapegrad/tensor.h"
#include "tapegrad/types.h"
