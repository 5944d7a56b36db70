//===- PrecisionTest.h - Assignments that are carried out -------*- C++ -*-===//

#ifndef MPT_TEST_UNIT_ANALYSIS_PRECISIONTEST_H
#define MPT_TEST_UNIT_ANALYSIS_PRECISIONTEST_H

#include "mpt/Analysis/PrecisionAssignment.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "mpt/Interfaces/WorkOpInterface.h"
#include "mpt/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

namespace mpt {

/// Functions as text, and a policy under which the bytes moved decide alone.
class PrecisionTest : public testing::Test {
protected:
  PrecisionTest() {
    context.loadDialect<nn::NNDialect, mp::MPDialect, mlir::func::FuncDialect,
                        mlir::arith::ArithDialect, mlir::scf::SCFDialect>();
    policy.low = mlir::Float16Type::get(&context);
    policy.target.flopsF32 = policy.target.flopsF16 = 1e30;
    policy.target.alwaysLow = false;
  }

  mlir::OwningOpRef<mlir::ModuleOp> parse(const std::string &text) {
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(module) << text;
    return module;
  }
  static mlir::func::FuncOp functionOf(mlir::ModuleOp module) {
    return *module.getOps<mlir::func::FuncOp>().begin();
  }

  void insertCasts(mlir::ModuleOp module) {
    mlir::PassManager manager(&context);
    InsertCastsPassOptions options;
    options.widenResults = policy.widenResults;
    manager.addNestedPass<mlir::func::FuncOp>(createInsertCastsPass(options));
    EXPECT_TRUE(succeeded(manager.run(module)));
  }

  mlir::MLIRContext context;
  PrecisionPolicy policy;
};

/// Bytes that operations read and write, as often as the attribute `trips` on
/// the operations with regions around them says.
inline double countTraffic(mlir::func::FuncOp function) {
  double bytes = 0;
  function.walk([&](mlir::Operation *op) {
    if (op == function || op->getNumRegions() != 0 ||
        op->hasTrait<mlir::OpTrait::ConstantLike>() ||
        op->hasTrait<mlir::OpTrait::IsTerminator>())
      return;
    double times = 1;
    for (mlir::Operation *parent = op->getParentOp(); parent != function;
         parent = parent->getParentOp())
      times *=
          parent->getAttrOfType<mlir::FloatAttr>("trips").getValueAsDouble();
    auto add = [&](mlir::Type type) {
      bytes +=
          times * countElements(type) *
          ((mlir::getElementTypeOrSelf(type).getIntOrFloatBitWidth() + 7) / 8);
    };
    llvm::for_each(op->getOperandTypes(), add);
    llvm::for_each(op->getResultTypes(), add);
  });
  return bytes;
}

/// The modelled costs are what `moveBytes` counts when decisions are carried
/// out, and no choice for the `free` ones moves fewer bytes than what was
/// `chosen`. Decisions are numbered in the order of the assignment.
template <typename MoveBytes>
void expectFewestBytes(const PrecisionAssignment &assignment,
                       const std::vector<bool> &chosen,
                       const std::vector<unsigned> &free,
                       MoveBytes &&moveBytes) {
  const double ours =
      moveBytes([&](unsigned number) { return chosen[number]; });
  EXPECT_EQ(assignment.getTotals().cost, ours * PrecisionCosts::kUnitsPerByte);
  EXPECT_EQ(assignment.getTotals().allFP32, moveBytes([](unsigned) {
                                              return false;
                                            }) * PrecisionCosts::kUnitsPerByte);
  for (unsigned choice = 0; choice < 1u << free.size(); ++choice) {
    const double theirs = moveBytes([&](unsigned number) {
      auto it = llvm::find(free, number);
      return it != free.end() && (choice >> (it - free.begin()) & 1);
    });
    EXPECT_GE(theirs, ours) << "assignment " << choice;
  }
}

} // namespace mpt

#endif // MPT_TEST_UNIT_ANALYSIS_PRECISIONTEST_H
