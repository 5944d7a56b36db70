# Thin wrappers over add_mlir_*. MLIR itself is always linked as libMLIR.so: LINK_LIBS
# names MPT libraries only.

# One precompiled header, shared by every target that includes MLIR. It is compiled as the
# "object" of an object library and named by a path relative to the build directory (where
# Ninja runs the compiler): CMake's own target_precompile_headers puts absolute paths behind
# -Xclang, and a clone in another folder would then miss every entry of the compiler cache.
# The file itself remembers its folder, so every clone compiles its own (a few seconds), and
# the cache is told to look at a checksum of what went into it instead of at its bytes.
set(MPT_PCH_FILE CMakeFiles/mpt_pch.dir/cmake/pch.h.o)
if(NOT CMAKE_GENERATOR STREQUAL "Ninja" OR NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  set(MPT_ENABLE_PCH OFF)
endif()
if(MPT_ENABLE_PCH)
  add_library(mpt_pch OBJECT cmake/pch.h)
  set_source_files_properties(cmake/pch.h PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "-x;c++-header;-Xclang;-fno-pch-timestamp")
  set_target_properties(mpt_pch PROPERTIES CXX_COMPILER_LAUNCHER "")
  llvm_update_compile_flags(mpt_pch)
  file(SHA256 ${CMAKE_SOURCE_DIR}/cmake/pch.h pch_hash)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/${MPT_PCH_FILE}.sum CONTENT
    "${pch_hash} ${CMAKE_CXX_COMPILER_VERSION} ${LLVM_PACKAGE_VERSION} ${CMAKE_BUILD_TYPE} ${CMAKE_CXX_FLAGS}\n")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/cmake/pch.h)
endif()

function(mpt_reuse_pch target)
  if(MPT_ENABLE_PCH)
    add_dependencies(${target} mpt_pch)
    target_compile_options(${target} PRIVATE "SHELL:-include-pch ${MPT_PCH_FILE} -Xclang -fno-pch-timestamp")
    get_target_property(sources ${target} SOURCES)
    set_property(SOURCE ${sources} APPEND PROPERTY OBJECT_DEPENDS ${CMAKE_BINARY_DIR}/${MPT_PCH_FILE})
  endif()
endfunction()

# mpt_add_library(name sources... [DEPENDS tablegen...] [LINK_LIBS mpt-libs...] [EXCEPTIONS] [NO_MLIR] [NO_INSTALL])
# EXCEPTIONS: for the translation units that call libonnx (which throws).
# NO_MLIR: for the runtime and for support code that must not know LLVM.
# NO_INSTALL: for what needs libonnx, which is not installed with us.
function(mpt_add_library name)
  cmake_parse_arguments(ARG "EXCEPTIONS;NO_MLIR;NO_INSTALL" "" "DEPENDS;LINK_LIBS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  if(ARG_EXCEPTIONS)
    set(LLVM_ENABLE_EH ON)
    set(LLVM_ENABLE_RTTI ON)
  endif()
  llvm_update_compile_flags(${name})
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  if(NOT ARG_NO_MLIR)
    target_link_libraries(${name} PUBLIC MLIR LLVM)
    if(NOT ARG_EXCEPTIONS)
      mpt_reuse_pch(${name})
    endif()
  endif()
  target_link_libraries(${name} PUBLIC ${ARG_LINK_LIBS})
  set_property(GLOBAL APPEND PROPERTY MPT_LIBS ${name})
  if(NOT ARG_NO_INSTALL)
    target_include_directories(${name} INTERFACE $<INSTALL_INTERFACE:include>)
    install(TARGETS ${name} EXPORT MPTTargets ARCHIVE DESTINATION lib COMPONENT MPTDevelopment)
  endif()
endfunction()

# mpt_add_tool(name sources... [LINK_LIBS mpt-libs...])
function(mpt_add_tool name)
  cmake_parse_arguments(ARG "" "" "LINK_LIBS" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  llvm_update_compile_flags(${name})
  # -fPIC instead of CMake's -fPIE: the precompiled header is shared with the libraries.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  mpt_reuse_pch(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  target_link_libraries(${name} PRIVATE ${ARG_LINK_LIBS} MLIR LLVM)
  set_property(GLOBAL APPEND PROPERTY MPT_TOOLS ${name})
endfunction()

# mpt_tablegen_interface(Name target): <Name>.td -> <Name>.h.inc, <Name>.cpp.inc
function(mpt_tablegen_op_interface name)
  set(LLVM_TARGET_DEFINITIONS ${name}.td)
  mlir_tablegen(${name}.h.inc -gen-op-interface-decls)
  mlir_tablegen(${name}.cpp.inc -gen-op-interface-defs)
  add_public_tablegen_target(MPT${name}IncGen)
endfunction()
