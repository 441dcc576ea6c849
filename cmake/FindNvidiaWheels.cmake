# nvcc and NVIDIA's headers: in the toolkit, in the system, or in NVIDIA's Python packages (site-packages/nvidia/*), of which no default
# search path knows. Looks where NVIDIA_WHEELS_ROOT (a list) says and at the packages of the Python that is found first.
#   out: NVCC (a program), CUBLASLT_INCLUDE_DIR; both may be NOTFOUND
if(NOT DEFINED NVIDIA_WHEELS_ROOT)
  find_program(NVIDIA_WHEELS_PYTHON NAMES python3)
  execute_process(COMMAND ${NVIDIA_WHEELS_PYTHON} -c "import sysconfig; print(sysconfig.get_path('purelib'), end='/nvidia')" OUTPUT_VARIABLE NVIDIA_WHEELS_ROOT
    ERROR_QUIET)
endif()
set(nvidia_folders $ENV{CUDA_HOME} $ENV{CUDA_PATH} /usr/local/cuda)
foreach(root ${NVIDIA_WHEELS_ROOT})
  list(APPEND nvidia_folders ${root}/cu13)
endforeach()
find_program(NVCC nvcc HINTS ${CMAKE_CUDA_COMPILER} $ENV{CUDACXX} PATHS ${nvidia_folders} PATH_SUFFIXES bin DOC "CUDA's compiler")
find_path(CUBLASLT_INCLUDE_DIR cublasLt.h PATHS ${nvidia_folders} PATH_SUFFIXES include DOC "Folder of cublasLt.h, for a test")
mark_as_advanced(NVIDIA_WHEELS_PYTHON NVCC CUBLASLT_INCLUDE_DIR)
