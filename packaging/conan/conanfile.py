"""conan create packaging/conan -s compiler.cppstd=20: builds the checkout that this file lies in and gives
tapegrad::tapegrad to CMake's find_package."""

import re
from pathlib import Path

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load


class Tapegrad(ConanFile):
    name = "tapegrad"
    description = "Tensors with a define-by-run tape: PyTorch's names in C++20"
    license = "BSD-3-Clause"
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False]}
    default_options = {"shared": False}

    @property
    def root(self):
        return Path(self.recipe_folder).parents[1]

    def set_version(self):
        self.version = re.search(r"tapegrad VERSION ([0-9.]+)", load(self, self.root / "CMakeLists.txt"))[1]

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "cmake/*", "include/*", "src/*", "python/tapegrad/share/*", "LICENSE", "NOTICE"):
            copy(self, pattern, self.root, self.export_sources_folder)

    def validate(self):
        check_min_cppstd(self, 20)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["TAPEGRAD_STATIC"] = not self.options.shared
        toolchain.cache_variables["TAPEGRAD_CUDA"] = "OFF"  # or the package would depend on whether the machine has nvcc
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()

    def package_info(self):  # the library's own CMake package is used as it is
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = ["lib/cmake/tapegrad"]
        self.cpp_info.libs = ["tapegrad"]
