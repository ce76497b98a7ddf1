# SPDX-License-Identifier: Apache-2.0
# Fails if an object defines something that the linker could take for everybody's version of it, though it is compiled for one ISA:
#   cmake -DNM=nm -DOBJECTS=a.o,b.o -P weak_symbols.cmake
string(REPLACE "," ";" objects "${OBJECTS}")
if(NOT objects)
  message(FATAL_ERROR "weak_symbols: found no objects, expected those of the ISAs")
endif()
foreach(object IN LISTS objects)
  execute_process(COMMAND ${NM} -C ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[0-9a-f]+ [WVu] [^\n]*" weak "${symbols}")
  if(weak)
    message(SEND_ERROR "${object}: found ${weak}, expected no weak symbol: no inline functions of a library, no templates outside an "
      "anonymous namespace")
  endif()
endforeach()
