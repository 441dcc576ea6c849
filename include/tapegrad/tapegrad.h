// Tensors, the tape and all ops: #include <tapegrad/tapegrad.h>, link tapegrad::tapegrad. linalg.h, fft.h and special.h add their
// families; nn.h, optim.h, data.h and io.h, which are for training, include this much themselves.
#pragma once
#include "tapegrad/autograd.h"
#include "tapegrad/error.h"
#include "tapegrad/explain.h"
#include "tapegrad/ops.h"
#include "tapegrad/ops_more.h"
#include "tapegrad/ops_rnn.h"
#include "tapegrad/random.h"
#include "tapegrad/tensor.h"
#include "tapegrad/types.h"
