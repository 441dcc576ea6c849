# What `cmake --install` and the wheel ship: lib/libtapegrad.so, include/tapegrad, share/tapegrad (data, debugger), and the
# CMake and pkg-config packages. Everything is found relative to where it lies, so the tree may be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
if(SKBUILD)
  set(TAPEGRAD_LIBDIR lib)
else()
  set(TAPEGRAD_LIBDIR ${CMAKE_INSTALL_LIBDIR})
endif()
set(TAPEGRAD_DATA_DIR share/tapegrad)
set(package_dir ${TAPEGRAD_LIBDIR}/cmake/tapegrad)

install(TARGETS tapegrad EXPORT tapegradTargets LIBRARY DESTINATION ${TAPEGRAD_LIBDIR} INCLUDES DESTINATION include)
install(DIRECTORY include/tapegrad DESTINATION include FILES_MATCHING PATTERN "*.h")
install(EXPORT tapegradTargets NAMESPACE tapegrad:: DESTINATION ${package_dir})
configure_package_config_file(cmake/tapegradConfig.cmake.in ${PROJECT_BINARY_DIR}/tapegradConfig.cmake
  INSTALL_DESTINATION ${package_dir} PATH_VARS TAPEGRAD_DATA_DIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/tapegradConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/tapegradConfig.cmake ${PROJECT_BINARY_DIR}/tapegradConfigVersion.cmake DESTINATION ${package_dir})
configure_file(cmake/tapegrad.pc.in ${PROJECT_BINARY_DIR}/tapegrad.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/tapegrad.pc DESTINATION ${TAPEGRAD_LIBDIR}/pkgconfig)
install(DIRECTORY python/tapegrad/share/tapegrad/ DESTINATION ${TAPEGRAD_DATA_DIR})
# gdb's script lies beside the library under the name that gdb looks for.
file(RELATIVE_PATH TAPEGRAD_DATA_FROM_LIB /prefix/${TAPEGRAD_LIBDIR} /prefix/${TAPEGRAD_DATA_DIR})
configure_file(cmake/gdb_auto_load.py.in ${PROJECT_BINARY_DIR}/gdb_auto_load.py @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/gdb_auto_load.py DESTINATION ${TAPEGRAD_LIBDIR} RENAME libtapegrad.so-gdb.py)
install(FILES LICENSE NOTICE DESTINATION share/tapegrad)
