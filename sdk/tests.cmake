# The SDKs' tests: against peers that speak with the real protobuf library.
enable_testing()
find_package(GTest REQUIRED)

add_executable(muster_sdk_test common/pb_test.cc gameserver/gs_test.cc gameserver/gs_wire_test.cc
  gameserver/fork_point_test.cc gameserver/fork_wire_test.cc
  client/client_test.cc client/client_wire_test.cc)
add_test(NAME sdk COMMAND muster_sdk_test --gtest_brief=1)
set_tests_properties(sdk PROPERTIES TIMEOUT 300)

# The decoders, held against the protobuf library. Corpora as for src/: see cmake/muster.cmake.
foreach(fuzz gs_wire_fuzz fork_wire_fuzz client_wire_fuzz)
  set(dir gameserver)
  if(fuzz STREQUAL "client_wire_fuzz")
    set(dir client)
  endif()
  add_executable(${fuzz} ${dir}/${fuzz}.cc)
  if(MUSTER_FUZZ)
    target_link_options(${fuzz} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(${fuzz} PRIVATE ${PROJECT_SOURCE_DIR}/tests/corpus_main.cc)
    add_test(NAME ${fuzz} COMMAND ${fuzz} ${PROJECT_SOURCE_DIR}/tests/corpus/${fuzz})
  endif()
endforeach()

foreach(target muster_sdk_test gs_wire_fuzz fork_wire_fuzz client_wire_fuzz)
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/common)
  target_link_libraries(${target} PRIVATE muster_gs muster_client muster_options muster_proto)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})  # With the others.
endforeach()
target_link_libraries(muster_sdk_test PRIVATE GTest::gtest GTest::gmock GTest::gtest_main)

# Used as others use it: installed and found, and built along by add_subdirectory.
foreach(way installed subdirectory)
  add_test(NAME sdk_consumer_${way} COMMAND ${CMAKE_COMMAND} -DWAY=${way} -DSOURCE=${PROJECT_SOURCE_DIR}
    -DWORK=${PROJECT_BINARY_DIR}/consumer-${way} -DC_COMPILER=${CMAKE_C_COMPILER} -DCXX_COMPILER=${CMAKE_CXX_COMPILER}
    -P ${PROJECT_SOURCE_DIR}/tests/consumer/run.cmake)
  set_tests_properties(sdk_consumer_${way} PROPERTIES TIMEOUT 300)
endforeach()

# The headers by themselves, as C11 and as C++17.
foreach(header gs client)
  foreach(language c cc)
    set(source ${CMAKE_CURRENT_BINARY_DIR}/header_${header}.${language})
    file(CONFIGURE OUTPUT ${source} CONTENT "#include \"muster/${header}.h\"\n#include \"muster/${header}.h\"\n")
    list(APPEND header_sources ${source})
  endforeach()
  set(source ${CMAKE_CURRENT_BINARY_DIR}/header_${header}_hpp.cc)
  file(CONFIGURE OUTPUT ${source} CONTENT "#include \"muster/${header}.hpp\"\n#include \"muster/${header}.hpp\"\n")
  list(APPEND header_sources ${source})
endforeach()
add_library(muster_sdk_headers OBJECT ${header_sources})
set_target_properties(muster_sdk_headers PROPERTIES C_STANDARD 11 CXX_STANDARD 17)
target_compile_options(muster_sdk_headers PRIVATE ${sdk_warnings})
target_link_libraries(muster_sdk_headers PRIVATE muster_gs muster_client)
