// Tensors, the tape and all ops: #include <tapegrad/tapegrad.h>, link tapegrad::tapegrad. Training adds nn.h, optim.h, data.h and
// io.h, each of which includes this much itself.
#pragma once
#include "tapegrad/autograd.h"
#include "tapegrad/error.h"
#include "tapegrad/fft.h"
#include "tapegrad/linalg.h"
#include "tapegrad/ops.h"
#include "tapegrad/ops_rnn.h"
#include "tapegrad/ops_more.h"
#include "tapegrad/random.h"
#include "tapegrad/special.h"
#include "tapegrad/tensor.h"
#include "tapegrad/types.h"
