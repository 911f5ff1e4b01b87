# The SDKs' tests: against peers that speak with the real protobuf library.
enable_testing()
find_package(GTest REQUIRED)

function(muster_sdk_test name lib)
  add_executable(${name} ${ARGN})
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/common)
  target_link_libraries(${name} PRIVATE ${lib} muster_options muster_proto GTest::gtest GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})  # With the others.
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  set_tests_properties(${name} PROPERTIES TIMEOUT 300)
endfunction()

muster_sdk_test(muster_gs_test muster_gs gameserver/gs_test.cc gameserver/gs_wire_test.cc common/pb_test.cc)
muster_sdk_test(muster_client_test muster_client client/client_test.cc client/client_wire_test.cc)
