//===- LoadParameters.cpp - Trained values for the parameters -------------===//

#include "mpt/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"
#include "mpt/Data/Safetensors.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "llvm/ADT/DenseSet.h"

namespace mpt {
#define GEN_PASS_DEF_LOADPARAMETERSPASS
#include "mpt/Transforms/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;

static std::string describe(RankedTensorType type) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << data::shapeString({type.getShape().begin(), type.getShape().end()})
     << ' ' << type.getElementType();
  return text;
}

/// Whether elements of the file's type are those of the parameter's, bit for
/// bit.
static bool isSameType(data::DType dtype, Type type) {
  switch (dtype) {
  case data::DType::F64:
    return type.isF64();
  case data::DType::F32:
    return type.isF32();
  case data::DType::F16:
    return type.isF16();
  case data::DType::BF16:
    return type.isBF16();
  case data::DType::I64:
    return type.isInteger(64);
  case data::DType::I32:
    return type.isInteger(32);
  case data::DType::I16:
    return type.isInteger(16);
  case data::DType::I8:
  case data::DType::U8:
    return type.isInteger(8);
  case data::DType::Bool:
    return type.isInteger(1);
  }
  return false;
}

namespace {

struct LoadParametersPass
    : mpt::impl::LoadParametersPassBase<LoadParametersPass> {
  using Base::Base;

  void runOnOperation() override {
    if (file.empty()) {
      emitError(UnknownLoc::get(&getContext()))
          << "mpt-load-parameters: name a file: file=trained.safetensors";
      return signalPassFailure();
    }
    std::string error;
    std::optional<data::SafetensorsFile> values =
        data::SafetensorsFile::open(file, error);
    if (!values) {
      emitError(UnknownLoc::get(&getContext())) << error;
      return signalPassFailure();
    }
    SymbolTable symbols(getOperation());
    llvm::DenseSet<Operation *> seen;
    int64_t found = 0;
    SmallVector<std::pair<nn::ParameterOp, std::string>> missing;
    for (auto function : getOperation().getOps<func::FuncOp>())
      for (unsigned i = 0, e = function.getNumArguments(); i < e; ++i) {
        auto symbol = function.getArgAttrOfType<FlatSymbolRefAttr>(
            i, nn::NNDialect::kParameterAttrName);
        auto op = symbol ? symbols.lookup<nn::ParameterOp>(symbol.getValue())
                         : nn::ParameterOp();
        if (!op || !seen.insert(op).second)
          continue;
        StringRef name = mp::getArgName(function, i);
        if (name.empty())
          name = op.getSymName();
        const data::TensorView *view = nullptr;
        if (average)
          view = values->find((name + ".ema").str());
        if (!view)
          view = values->find(name.str());
        if (!view) {
          missing.emplace_back(op, name.str());
          continue;
        }
        ++found;
        if (failed(load(op, name, *values, *view)))
          return signalPassFailure();
      }
    if (found == 0 && !missing.empty()) {
      emitError(UnknownLoc::get(&getContext()))
          << file << ": has none of the model's parameters; it belongs to "
          << "another model";
      return signalPassFailure();
    }
    for (auto &[op, name] : missing)
      emitWarning(op.getLoc())
          << "parameter '" << name << "' is not in " << file
          << " and keeps its value; is mpt-prepare-parameters in front, with "
             "the options of the training?";
  }

private:
  LogicalResult load(nn::ParameterOp op, StringRef name,
                     const data::SafetensorsFile &values,
                     const data::TensorView &view) {
    auto type = cast<RankedTensorType>(op.getType());
    if (!isSameType(view.dtype, type.getElementType()) ||
        ArrayRef<int64_t>(view.shape) != type.getShape())
      return emitError(op.getLoc())
             << "parameter '" << name << "' is " << describe(type) << ", in "
             << file << " it is " << data::shapeString(view.shape) << ' '
             << std::string(data::dtypeName(view.dtype))
             << "; run mpt-prepare-parameters first, with the options of the "
                "training";
    op.setValueAttr(nn::ExternalAttr::get(&getContext(), file,
                                          values.offsetOf(view), view.size));
    return success();
  }
};

} // namespace
