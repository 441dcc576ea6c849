// What a machine must have before CUDA is called: a driver that is new enough, and a device that the plugin has code for.
#pragma once
#include <string>

namespace tapegrad::cuda {

/// Empty when libcuda.so.1 is there and supports CUDA 13.0, else the reason ("no NVIDIA driver is installed (…)"). Does not call
/// the CUDA runtime, whose own error is one vague sentence for both.
std::string driver_problem();
/// Whether code for `archs` ("75-real,90-real,120": -real for that chip and later ones of its generation, else for any later chip
/// too; "90a-real" for that very chip) runs on a device of this compute capability.
bool runs_on(const std::string& archs, int major, int minor);
/// "the device <name> (compute capability 6.1) is not supported: this build has code for 7.5, 9.0 and 12.0 or later".
std::string unsupported(const std::string& archs, const char* name, int major, int minor);

}  // namespace tapegrad::cuda
