# SPDX-License-Identifier: Apache-2.0
# Installs libmoru, builds the examples against what was installed, by its CMake package and by pkg-config, and runs them.
file(REMOVE_RECURSE ${WORK})
set(prefix ${WORK}/prefix)
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --config ${CONFIG} --component moru --prefix ${prefix} OUTPUT_QUIET
  COMMAND_ERROR_IS_FATAL ANY)

set(flags "-Wall -Wextra -pedantic -Werror")
foreach(way IN ITEMS package pkg-config)
  set(build ${WORK}/${way})
  execute_process(COMMAND ${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${prefix}/${LIBDIR}/pkgconfig ${CMAKE_COMMAND} -S ${EXAMPLES} -B ${build}
      -G ${GENERATOR} -DCMAKE_PREFIX_PATH=${prefix} -DEMBED_BY=${way} -DCMAKE_BUILD_TYPE=${CONFIG}
      -DCMAKE_C_COMPILER=${CC} -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_C_FLAGS=${flags} -DCMAKE_CXX_FLAGS=${flags}
    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${CMAKE_COMMAND} --build ${build} COMMAND_ERROR_IS_FATAL ANY)
  foreach(program IN ITEMS run_c run_cxx)
    execute_process(COMMAND ${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${prefix}/${LIBDIR} ${build}/${program} ${MODEL} OUTPUT_VARIABLE printed
      COMMAND_ERROR_IS_FATAL ANY)
    if(NOT printed STREQUAL "10.5\n0\n")
      message(FATAL_ERROR "${program} (${way}): found '${printed}', expected '10.5' and '0'")
    endif()
    execute_process(COMMAND ${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${prefix}/${LIBDIR} ${build}/${program} ${WORK}/none.onnx
      RESULT_VARIABLE code ERROR_VARIABLE printed)
    if(NOT code EQUAL 1 OR NOT printed MATCHES "none.onnx")
      message(FATAL_ERROR "${program} (${way}), with no model: found ${code} and '${printed}', expected 1 and the file's name")
    endif()
  endforeach()
endforeach()
