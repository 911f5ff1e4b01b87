# Helpers of the top CMakeLists.txt. A module is a folder of src/:
#   x.cc, x.h        the module's library  muster_<module>
#   x_test.cc        all of them together: muster_<module>_test, run by ctest
#   x_fuzz.cc        each its own program  <x>_fuzz: libFuzzer under the fuzz preset, else a main that
#                    runs the corpus in tests/corpus/<x>_fuzz/, also run by ctest
#   x_bench.cc       all of them together: muster_<module>_bench (Google Benchmark)
#   *_main.cc        left to whoever names it
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

option(MUSTER_FUZZ "Build fuzz targets with libFuzzer (clang only)" OFF)
option(MUSTER_PCH "Precompile the standard library's headers: quicker, but not shared between checkouts" OFF)
option(MUSTER_CHECKS "Check the core's invariants after every step, also when optimised" OFF)

# UBSan's check of virtual tables opens a pipe to see whether memory may be read, and takes it for
# damaged when the process has no descriptor left: a day that tests here bring about on purpose.
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=[a-z,]*undefined")
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize=vptr>)
endif()

# Usage: link to it; third-party headers come in as system headers, so warnings are about our code.
add_library(muster_options INTERFACE)
target_compile_options(muster_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual
  -Wconversion -Wno-sign-conversion -Werror
  $<$<CXX_COMPILER_ID:Clang>:-Wno-missing-field-initializers>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-missing-field-initializers>)
target_include_directories(muster_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(muster_options INTERFACE
  BOOST_ASIO_DISABLE_BOOST_ARRAY BOOST_ASIO_NO_DEPRECATED
  $<$<OR:$<CONFIG:Debug>,$<BOOL:${MUSTER_CHECKS}>>:MUSTER_CHECK_INVARIANTS=1>)

# What nearly every file includes; tests also Google Test.
function(muster_precompile target)
  if(MUSTER_PCH)
    target_precompile_headers(${target} PRIVATE <algorithm> <chrono> <cstdint> <deque> <functional> <map>
      <memory> <optional> <set> <span> <string> <unordered_map> <utility> <variant> <vector> ${ARGN})
  endif()
endfunction()

function(muster_proto target)
  add_library(${target} STATIC)
  foreach(proto IN LISTS ARGN)
    get_filename_component(name ${proto} NAME_WE)
    set(out ${PROJECT_BINARY_DIR}/generated/proto)
    add_custom_command(
      OUTPUT ${out}/${name}.pb.cc ${out}/${name}.pb.h
      COMMAND ${CMAKE_COMMAND} -E make_directory ${out}
      COMMAND protobuf::protoc --cpp_out=${out} -I ${PROJECT_SOURCE_DIR}/proto ${PROJECT_SOURCE_DIR}/${proto}
      DEPENDS ${PROJECT_SOURCE_DIR}/${proto} VERBATIM)
    target_sources(${target} PRIVATE ${out}/${name}.pb.cc)
  endforeach()
  # Included as "proto/player.pb.h"; system, since generated code is not ours to warn about.
  target_include_directories(${target} SYSTEM PUBLIC ${PROJECT_BINARY_DIR}/generated ${PROJECT_BINARY_DIR}/generated/proto)
  target_link_libraries(${target} PUBLIC protobuf::libprotobuf)
endfunction()

function(muster_module name)
  cmake_parse_arguments(arg "" "" "DEPS;LIBS" ${ARGN})
  set(dir ${PROJECT_SOURCE_DIR}/src/${name})
  if(NOT IS_DIRECTORY ${dir})
    return()
  endif()
  file(GLOB all CONFIGURE_DEPENDS ${dir}/*.cc ${dir}/*.h)
  set(sources ${all})
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz|bench|main)\\.cc$")
  set(tests ${all})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  set(fuzzers ${all})
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")
  set(benches ${all})
  list(FILTER benches INCLUDE REGEX "_bench\\.cc$")

  set(lib muster_${name})
  set(compiled ${sources})
  list(FILTER compiled INCLUDE REGEX "\\.cc$")
  if(compiled)
    add_library(${lib} STATIC ${sources})
    set(link PUBLIC)
    target_link_libraries(${lib} PRIVATE muster_options)
    muster_precompile(${lib})
  else()
    add_library(${lib} INTERFACE)
    set(link INTERFACE)
  endif()
  target_include_directories(${lib} ${link} ${PROJECT_SOURCE_DIR}/src)
  foreach(dep IN LISTS arg_DEPS)
    if(TARGET muster_${dep})
      target_link_libraries(${lib} ${link} muster_${dep})
    endif()
  endforeach()
  target_link_libraries(${lib} ${link} ${arg_LIBS})

  if(tests)
    add_executable(${lib}_test ${tests})
    target_link_libraries(${lib}_test PRIVATE ${lib} muster_options GTest::gtest GTest::gmock GTest::gtest_main)
    muster_precompile(${lib}_test <gtest/gtest.h> <gmock/gmock.h>)
    # Only those that ask, so that the others compile alike in every checkout (ccache). A file that newly
    # asks is seen when cmake runs next.
    foreach(test IN LISTS tests)
      file(STRINGS ${test} asks REGEX "MUSTER_(SOURCE|BINARY)_DIR")
      if(asks)
        set_property(SOURCE ${test} APPEND PROPERTY COMPILE_DEFINITIONS
          MUSTER_SOURCE_DIR="${PROJECT_SOURCE_DIR}" MUSTER_BINARY_DIR="${PROJECT_BINARY_DIR}")
      endif()
    endforeach()
    add_test(NAME ${name} COMMAND ${lib}_test --gtest_brief=1)
    set_tests_properties(${name} PROPERTIES TIMEOUT 300)
  endif()
  foreach(fuzzer IN LISTS fuzzers)
    get_filename_component(fuzz ${fuzzer} NAME_WE)
    add_executable(${fuzz} ${fuzzer})
    target_link_libraries(${fuzz} PRIVATE ${lib} muster_options)
    if(MUSTER_FUZZ)
      target_link_options(${fuzz} PRIVATE -fsanitize=fuzzer)
    else()
      target_sources(${fuzz} PRIVATE ${PROJECT_SOURCE_DIR}/tests/corpus_main.cc)
      add_test(NAME ${fuzz} COMMAND ${fuzz} ${PROJECT_SOURCE_DIR}/tests/corpus/${fuzz})
    endif()
  endforeach()
  if(benches)
    add_executable(${lib}_bench ${benches})
    target_link_libraries(${lib}_bench PRIVATE ${lib} muster_options benchmark::benchmark benchmark::benchmark_main)
  endif()
endfunction()

function(muster_program program)
  cmake_parse_arguments(arg "" "MODULE" "" ${ARGN})
  add_executable(${program} ${PROJECT_SOURCE_DIR}/src/${arg_MODULE}/muster_main.cc)
  target_link_libraries(${program} PRIVATE muster_${arg_MODULE} muster_options)
endfunction()
