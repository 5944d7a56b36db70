//===- Plugin.cpp - MPT's dialects and passes for the stock mlir-opt ------===//
//
//   mlir-opt --load-dialect-plugin=libMPTPlugin.so \
//     --load-pass-plugin=libMPTPlugin.so \
//     --pass-pipeline='builtin.module(mpt-mixed-precision)' in.mlir
//
// The two options are separate entry points of one library: dialects (with the
// interfaces of upstream operations), and passes with their pipelines.
//
//===----------------------------------------------------------------------===//

#include "mpt/InitAllDialects.h"
#include "mpt/InitAllPasses.h"
#include "mpt/Support/Version.h"

#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

extern "C" ::mlir::DialectPluginLibraryInfo LLVM_ATTRIBUTE_WEAK
mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "MPT", MPT_VERSION_STRING,
          [](mlir::DialectRegistry *registry) {
            mpt::registerDialects(*registry);
          }};
}

extern "C" ::mlir::PassPluginLibraryInfo LLVM_ATTRIBUTE_WEAK
mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "MPT", MPT_VERSION_STRING,
          []() { mpt::registerPasses(); }};
}
