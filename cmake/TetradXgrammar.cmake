# xgrammar (grammar-constrained decoding) as a static library from its source distribution, which tools/setup.py puts into
# third_party/. Its own CMake sets global flags (-Werror, -flto), so its sources are compiled by this target instead.
set(TETRAD_XGRAMMAR_DIR ${CMAKE_SOURCE_DIR}/third_party/xgrammar-0.2.8)
if(NOT EXISTS ${TETRAD_XGRAMMAR_DIR}/cpp/grammar_compiler.cc)
  message(FATAL_ERROR "third_party/xgrammar-0.2.8 is missing. Next step: python3 tools/setup.py build")
endif()
file(GLOB_RECURSE xgrammar_sources ${TETRAD_XGRAMMAR_DIR}/cpp/*.cc)
list(FILTER xgrammar_sources EXCLUDE REGEX "/cpp/(tvm_ffi|nanobind)")
add_library(xgrammar STATIC EXCLUDE_FROM_ALL ${xgrammar_sources})
set_target_properties(xgrammar PROPERTIES UNITY_BUILD OFF)  # its files repeat names
target_include_directories(xgrammar SYSTEM PUBLIC ${TETRAD_XGRAMMAR_DIR}/include ${TETRAD_XGRAMMAR_DIR}/3rdparty/picojson ${TETRAD_XGRAMMAR_DIR}/3rdparty/dlpack/include)
target_compile_definitions(xgrammar PRIVATE XGRAMMAR_ENABLE_CPPTRACE=0)
target_compile_options(xgrammar PRIVATE -w $<$<CONFIG:Release>:-O2>)  # else the preset's -O1: instrumented, -O2 takes twice as long to compile
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # Clang 19 rejects its incomplete types in libstdc++'s variants, GCC takes them: without sanitizers, since theirs differ.
  set_target_properties(xgrammar PROPERTIES CXX_COMPILER_LAUNCHER "sh;${CMAKE_SOURCE_DIR}/tools/compile_with.sh;g++")
elseif(TETRAD_SANITIZE)
  target_compile_options(xgrammar PRIVATE -fsanitize=${TETRAD_SANITIZE} -fno-sanitize-recover=all)
endif()
target_link_libraries(xgrammar PUBLIC Threads::Threads)
