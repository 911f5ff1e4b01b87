# cmake -DWAY=installed|subdirectory -DSOURCE=… -DWORK=… -DC_COMPILER=… -DCXX_COMPILER=… -P run.cmake
#
# Builds this folder's project as a user would, and runs what comes out. Nothing of the build that
# runs the test is used but its compilers.
cmake_minimum_required(VERSION 3.16)

set(compilers -G Ninja -DCMAKE_C_COMPILER=${C_COMPILER} -DCMAKE_CXX_COMPILER=${CXX_COMPILER}
  -DCMAKE_BUILD_TYPE=Release)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    string(REPLACE ";" " " command "${ARGN}")
    message(FATAL_ERROR "${command}\nfailed with ${result}:\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
set(consumer ${SOURCE}/tests/consumer)

if(WAY STREQUAL "installed")
  foreach(shared OFF ON)
    set(sdk ${WORK}/sdk-${shared})
    set(prefix ${WORK}/prefix-${shared})
    run(${CMAKE_COMMAND} -S ${SOURCE} -B ${sdk} ${compilers} -DMUSTER_SDK_ONLY=ON
      -DBUILD_SHARED_LIBS=${shared} -DCMAKE_INSTALL_PREFIX=${prefix})
    run(${CMAKE_COMMAND} --build ${sdk})
    run(${CMAKE_COMMAND} --install ${sdk})
    foreach(header gs.h gs.hpp client.h client.hpp)
      if(NOT EXISTS ${prefix}/include/muster/${header})
        message(FATAL_ERROR "${header} was not installed")
      endif()
    endforeach()
    run(${CMAKE_COMMAND} -S ${consumer} -B ${WORK}/build-${shared} ${compilers} -DCMAKE_PREFIX_PATH=${prefix})
    run(${CMAKE_COMMAND} --build ${WORK}/build-${shared})
  endforeach()
  set(builds ${WORK}/build-OFF ${WORK}/build-ON)
else()
  run(${CMAKE_COMMAND} -S ${consumer} -B ${WORK}/build ${compilers} -DMUSTER_SOURCE=${SOURCE})
  run(${CMAKE_COMMAND} --build ${WORK}/build)
  set(builds ${WORK}/build)
endif()

foreach(build IN LISTS builds)
  foreach(program gs_c gs_cc client_c client_cc both)
    run(${CMAKE_COMMAND} -E env --unset=MUSTER_SDK --unset=MUSTER_TOKEN --unset=MUSTER_PORT
      ${build}/${program})
  endforeach()
endforeach()
