#pragma once

namespace tapegrad::cuda {

void range_push(const char* name);
void range_pop();
void mark(const char* name);

}  // namespace tapegrad::cuda
