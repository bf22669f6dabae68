# The git revision that `tetrad --version` prints; "unknown" outside a checkout.
find_package(Git QUIET)
set(TETRAD_REVISION "unknown")
if(GIT_FOUND)
  execute_process(COMMAND ${GIT_EXECUTABLE} describe --always --dirty --abbrev=12
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE TETRAD_REVISION OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT TETRAD_REVISION)
    set(TETRAD_REVISION "unknown")
  endif()
endif()
