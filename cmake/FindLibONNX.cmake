# Where scripts/setup.sh built libonnx. Included by what includes its headers.
find_package(Protobuf REQUIRED)
# Debian's libonnx-dev is too old (opset 17); its headers and ours must not be mixed.
find_package(ONNX CONFIG PATHS ${MPT_DEPS_DIR} NO_DEFAULT_PATH)
if(NOT ONNX_FOUND)
  message(FATAL_ERROR "libonnx is not in ${MPT_DEPS_DIR}: run scripts/setup.sh, or name the folder with -DMPT_DEPS_DIR=...")
endif()
