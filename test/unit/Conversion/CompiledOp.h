//===- CompiledOp.h - One operation, compiled alone -------------*- C++ -*-===//
//
// For tests and benchmarks of kernel templates: the operation of a function
// becomes a kernel, goes through the template of the registry and the lowering
// pipeline, and is compiled for this machine.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_TEST_UNIT_CONVERSION_COMPILEDOP_H
#define MPT_TEST_UNIT_CONVERSION_COMPILEDOP_H

#include "mpt/Conversion/KernelLowering.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"

#include <memory>
#include <random>
#include <string>
#include <vector>

namespace mpt::test {

/// A tensor in memory, aligned as the arena aligns.
struct Buffer {
  mlir::RankedTensorType type;
  std::vector<uint64_t> storage;

  explicit Buffer(mlir::RankedTensorType type);
  int64_t size() const { return type.getNumElements(); }
  void *data() const;
  /// Element i as a double; `set` rounds to nearest even.
  double get(int64_t i) const;
  void set(int64_t i, double value);
  /// Uniform in [-1, 1), rounded to the element type (integers: [0, 10)).
  void fillRandom(std::mt19937 &generator, double low = -1, double high = 1);
  void fillBytes(uint8_t byte);
  std::vector<double> values() const;
};

class CompiledOp {
public:
  /// `text`: a function of one operation. Null, with the reason in `error`, if
  /// it does not parse or no template takes it. For a GPU target, chunks are
  /// the threads of a grid, one after the other.
  static std::unique_ptr<CompiledOp>
  compile(mlir::MLIRContext &context, const std::string &text,
          const conversion::TargetDescription &target, std::string &error,
          bool dump = false);

  const conversion::KernelEmitter &getEmitter() const { return *emitter; }
  mlir::Operation *getOp() const { return op; }
  std::vector<mlir::RankedTensorType> getInputTypes() const {
    return inputTypes;
  }
  std::vector<mlir::RankedTensorType> getOutputTypes() const {
    return outputTypes;
  }

  /// Runs all phases, each in at most `chunks` chunks one after the other.
  /// `tensors` are the operands, then the results. The scratch is filled with
  /// NaNs first, if asked.
  void run(llvm::ArrayRef<void *> tensors, int64_t chunks,
           bool poisonScratch = false);

private:
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::Operation *op = nullptr;
  const conversion::KernelEmitter *emitter = nullptr;
  conversion::KernelShape shape;
  conversion::TargetDescription target;
  std::vector<mlir::RankedTensorType> inputTypes, outputTypes;
  std::unique_ptr<llvm::orc::LLJIT> jit;
  std::vector<void (*)(void **, int64_t, int64_t)> phases;
  std::vector<uint64_t> scratch;
};

/// Dialects for the context.
void registerTestDialects(mlir::DialectRegistry &registry);

} // namespace mpt::test

#endif // MPT_TEST_UNIT_CONVERSION_COMPILEDOP_H
