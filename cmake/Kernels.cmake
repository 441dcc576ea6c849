# CPU kernels: every file of src/ops/cpu is compiled once per instruction set and exports one table, tg_<file>_<isa>.
# Release: three sets in one library, chosen at load. Each set's objects become one, with nothing but its tables global, so
# that no inline function compiled for AVX-512 can stand in for the baseline's (tests/check_isa.sh looks).
# Debug and sanitizer builds: one set, "debug": plain loops, no packets.
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(TAPEGRAD_ISAS debug CACHE STRING "Instruction sets to build kernels for")
else()
  set(TAPEGRAD_ISAS "sse42;avx2;avx512" CACHE STRING "Instruction sets to build kernels for")
endif()
set(kernel_objects)
# sse42 at -O2: -O3 makes twice the code of it, which every static program carries for processors of before 2013.
set(isa_flags_sse42 -march=x86-64-v2 -DTG_VECTOR_BYTES=16 $<$<CONFIG:Release>:-O2>)
set(isa_flags_avx2 -march=x86-64-v3 -DTG_VECTOR_BYTES=32 $<$<CONFIG:Release>:-O3>)
set(isa_flags_avx512 -march=x86-64-v4 -mprefer-vector-width=512 -DTG_VECTOR_BYTES=64 $<$<CONFIG:Release>:-O3>)
set(isa_flags_debug "")
file(GLOB kernel_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/ops/cpu/*.cpp)
# Normals and the optimisers' steps have the same bits everywhere, so no fused multiply-add there.
set_source_files_properties(${PROJECT_SOURCE_DIR}/src/ops/cpu/random.cpp ${PROJECT_SOURCE_DIR}/src/ops/cpu/optim.cpp PROPERTIES COMPILE_OPTIONS -ffp-contract=off)

foreach(isa ${TAPEGRAD_ISAS})
  add_library(kernels_${isa} OBJECT ${kernel_sources})
  target_include_directories(kernels_${isa} PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR})
  target_compile_definitions(kernels_${isa} PRIVATE TG_NS=${isa})
  target_compile_options(kernels_${isa} PRIVATE ${isa_flags_${isa}} -Wall -Wextra -Wno-psabi -Wno-ignored-attributes
    -fvisibility=hidden -fvisibility-inlines-hidden -fno-math-errno -fno-trapping-math -ffp-contract=fast -fwrapv -fno-exceptions -fno-rtti -ffunction-sections -fdata-sections
    $<$<CXX_COMPILER_ID:Clang>:-Wno-bitwise-instead-of-logical> $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized;-fno-gnu-unique>)  # unique symbols could not be made local below
  if(isa STREQUAL "debug")
    list(APPEND kernel_objects $<TARGET_OBJECTS:kernels_debug>)
  else()
    set(merged ${PROJECT_BINARY_DIR}/kernels_${isa}.o)
    add_custom_command(OUTPUT ${merged} DEPENDS kernels_${isa} $<TARGET_OBJECTS:kernels_${isa}>
      COMMAND ${CMAKE_LINKER} -r --force-group-allocation -o ${merged} $<TARGET_OBJECTS:kernels_${isa}>
      COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=tg_*_${isa} ${merged}
      COMMAND_EXPAND_LISTS VERBATIM)
    set_source_files_properties(${merged} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
    list(APPEND kernel_objects ${merged})
  endif()
  target_compile_definitions(tapegrad_objects PRIVATE TG_HAVE_${isa})
endforeach()
add_custom_target(tapegrad_kernels DEPENDS ${kernel_objects})  # one maker for both libraries
foreach(library tapegrad tapegrad_static)
  target_sources(${library} PRIVATE ${kernel_objects})
  add_dependencies(${library} tapegrad_kernels)
endforeach()
