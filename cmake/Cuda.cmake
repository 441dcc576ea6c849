# libtapegrad_cuda.so: the kernels and the way to CUDA, opened by libtapegrad.so when a CUDA device is first asked for. It links neither
# libtapegrad.so nor any library of NVIDIA's: the CUDA runtime is inside, the others are opened when needed (src/cuda/lib).
if(PROJECT_IS_TOP_LEVEL)
  set(cuda_default AUTO)
else()
  set(cuda_default OFF)  # within another project only when that asks for it
endif()
set(TAPEGRAD_CUDA ${cuda_default} CACHE STRING "Build the CUDA plugin: ON, OFF, or AUTO for where nvcc is found")
set_property(CACHE TAPEGRAD_CUDA PROPERTY STRINGS AUTO ON OFF)
set(TAPEGRAD_CUDA_ARCHS "75-real;80-real;86-real;89-real;90-real;100;120-real" CACHE STRING
  "What the CUDA plugin is compiled for, as CMAKE_CUDA_ARCHITECTURES has it; without -real: for all later devices too")

file(GLOB_RECURSE cuda_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cuda/*.cu ${PROJECT_SOURCE_DIR}/src/cuda/*.cpp)
# No fused multiply-add where numbers must have the CPU's bits (src/ops/cpu/random.cpp, optim.cpp).
set(cuda_exact_sources ${PROJECT_SOURCE_DIR}/src/cuda/ops/random.cu ${PROJECT_SOURCE_DIR}/src/cuda/ops/optim.cu)
string(REPLACE ";" "," archs "${TAPEGRAD_CUDA_ARCHS}")

set(cuda_plugin "left out (TAPEGRAD_CUDA is OFF)")
if(TAPEGRAD_CUDA)
  find_package(NvidiaWheels QUIET)
  if(NVCC)
    set(cuda_plugin "for ${archs}, by ${NVCC}")
  elseif(TAPEGRAD_CUDA STREQUAL "AUTO")
    set(cuda_plugin "left out (nvcc was not found; -DTAPEGRAD_CUDA=ON says where it was looked for)")
  else()
    string(REPLACE ";" ", " looked "${nvidia_folders}")
    message(FATAL_ERROR "TAPEGRAD_CUDA: nvcc was not found on PATH, nor in CUDACXX, nor under ${looked}")
  endif()
endif()
message(STATUS "CUDA plugin: ${cuda_plugin}")
if(NOT TAPEGRAD_CUDA OR NOT NVCC)
  return()
endif()

set(CMAKE_CUDA_COMPILER ${NVCC} CACHE FILEPATH "CUDA's compiler")
set(CMAKE_CUDA_ARCHITECTURES ${TAPEGRAD_CUDA_ARCHS})
enable_language(CUDA)
set(CMAKE_CUDA_STANDARD 20)  # afterwards: CMake 3.25 does not know the new nvcc's flags before it has met it
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 13.0)
  message(FATAL_ERROR "TAPEGRAD_CUDA: ${NVCC} is of CUDA ${CMAKE_CUDA_COMPILER_VERSION}; 13.0 or later is needed (-DTAPEGRAD_CUDA=OFF leaves the plugin out)")
endif()
find_package(CUDAToolkit REQUIRED)

set_source_files_properties(${cuda_exact_sources} PROPERTIES COMPILE_OPTIONS -fmad=false)
add_library(tapegrad_cuda MODULE ${cuda_sources})
set_target_properties(tapegrad_cuda PROPERTIES CUDA_RUNTIME_LIBRARY Static CXX_VISIBILITY_PRESET hidden CUDA_VISIBILITY_PRESET hidden
  VISIBILITY_INLINES_HIDDEN ON)
target_include_directories(tapegrad_cuda PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR})
if(CUBLASLT_INCLUDE_DIR)  # for lib/cublaslt_check.cpp
  target_include_directories(tapegrad_cuda SYSTEM PRIVATE ${CUBLASLT_INCLUDE_DIR})
endif()
target_compile_definitions(tapegrad_cuda PRIVATE TAPEGRAD_VERSION="${PROJECT_VERSION}" TG_CUDA_ARCHS="${archs}")
target_compile_options(tapegrad_cuda PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra>
  $<$<COMPILE_LANGUAGE:CUDA>:--compress-mode=size;--expt-relaxed-constexpr;--diag-suppress=1835;-Xcompiler=-Wall,-Wextra,-fno-math-errno>)
target_link_libraries(tapegrad_cuda PRIVATE CUDA::cudart_static Threads::Threads ${CMAKE_DL_LIBS})
target_link_options(tapegrad_cuda PRIVATE -Wl,--no-undefined -Wl,--gc-sections -Wl,--exclude-libs,ALL
  -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/cuda_exports.map)
