# An overlay port that builds the checkout it lies in: vcpkg install tapegrad --overlay-ports=packaging/vcpkg
# The package has both libraries, whatever the triplet: the program chooses tapegrad::tapegrad or tapegrad::tapegrad_static. No CUDA
# plugin: what a port gives may not depend on whether the machine has nvcc.
set(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../..")
vcpkg_cmake_configure(SOURCE_PATH "${SOURCE_PATH}" OPTIONS -DTAPEGRAD_STATIC=ON -DTAPEGRAD_CUDA=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/tapegrad)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE" "${SOURCE_PATH}/NOTICE")
