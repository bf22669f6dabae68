# tetrad_library(NAME [DEPS lib...] [LINK external...]): one folder of src/ as one static library.
# Every *.cpp of the folder belongs to it; *_test.cpp become the program NAME_test, *_bench.cpp NAME_bench.
# DEPS are other folders of src/; tools/check_layers.py compares them with the includes.
# tetrad has no global flags: all that a target needs comes from the interface library tetrad_options.

add_library(tetrad_options INTERFACE)
target_include_directories(tetrad_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(tetrad_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wcast-align -Wnon-virtual-dtor -Wvla
  -fno-math-errno -ffp-contract=off -fvisibility=hidden
  # GCC 12 sees overlaps in inlined std::string concatenation that are not there (GCC bug 105651, fixed in 13).
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
  $<$<BOOL:${TETRAD_WERROR}>:-Werror>)
if(TETRAD_SANITIZE)
  # GCC takes its own instrumentation for uses of uninitialized values.
  target_compile_options(tetrad_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_compile_options(tetrad_options INTERFACE -fsanitize=${TETRAD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(tetrad_options INTERFACE -fsanitize=${TETRAD_SANITIZE})
endif()
if(TETRAD_FUZZ)
  target_compile_options(tetrad_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

function(tetrad_library name)
  cmake_parse_arguments(arg "" "" "DEPS;LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cpp)
  set(tests ${sources})
  set(benches ${sources})
  list(FILTER sources EXCLUDE REGEX "_(test|bench)\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cpp$")
  list(TRANSFORM arg_DEPS PREPEND tetrad_)
  if(sources)
    add_library(tetrad_${name} STATIC ${sources})
    target_link_libraries(tetrad_${name} PUBLIC tetrad_options ${arg_DEPS} PRIVATE ${arg_LINK})
  else()
    add_library(tetrad_${name} INTERFACE)
    target_link_libraries(tetrad_${name} INTERFACE tetrad_options ${arg_DEPS})
  endif()
  if(TETRAD_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE tetrad_${name} GTest::gmock GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE TETRAD_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    set_target_properties(${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_test(NAME ${name}_test COMMAND ${name}_test WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(${name}_test PROPERTIES LABELS unit)
  endif()
  if(TETRAD_BENCH AND benches)
    add_executable(${name}_bench ${benches})
    target_link_libraries(${name}_bench PRIVATE tetrad_${name} benchmark::benchmark)
    set_target_properties(${name}_bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
  endif()
endfunction()

# tetrad_fuzz_target(NAME DEPS lib...): fuzz/NAME_fuzz.cpp with libFuzzer.
function(tetrad_fuzz_target name)
  cmake_parse_arguments(arg "" "" "DEPS;LINK" ${ARGN})
  list(TRANSFORM arg_DEPS PREPEND tetrad_)
  add_executable(${name}_fuzz ${name}_fuzz.cpp)
  target_link_libraries(${name}_fuzz PRIVATE tetrad_options ${arg_DEPS} ${arg_LINK})
  target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
endfunction()
