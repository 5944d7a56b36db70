//===- MPDialect.cpp - The mixed-precision dialect ------------------------===//

#include "mpt/Dialect/MP/IR/MPDialect.h"

#include "Ranges.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::mp;

#include "mpt/Dialect/MP/IR/MPDialect.cpp.inc"
#include "mpt/Dialect/MP/IR/MPEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "mpt/Dialect/MP/IR/MPAttributes.cpp.inc"

void MPDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "mpt/Dialect/MP/IR/MPAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "mpt/Dialect/MP/IR/MPOps.cpp.inc"
      >();
  attachRanges(getContext());
}

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

std::optional<Role> mp::getArgRole(FunctionOpInterface function,
                                   unsigned index) {
  if (auto role =
          function.getArgAttrOfType<RoleAttr>(index, MPDialect::kRoleAttrName))
    return role.getValue();
  return std::nullopt;
}

std::optional<Role> mp::getResultRole(FunctionOpInterface function,
                                      unsigned index) {
  if (auto role = function.getResultAttrOfType<RoleAttr>(
          index, MPDialect::kRoleAttrName))
    return role.getValue();
  return std::nullopt;
}

StringRef mp::getArgName(FunctionOpInterface function, unsigned index) {
  auto name =
      function.getArgAttrOfType<StringAttr>(index, MPDialect::kNameAttrName);
  return name ? name.getValue() : StringRef();
}

StringRef mp::getResultName(FunctionOpInterface function, unsigned index) {
  auto name =
      function.getResultAttrOfType<StringAttr>(index, MPDialect::kNameAttrName);
  return name ? name.getValue() : StringRef();
}

DictionaryAttr mp::getRoleAttrs(MLIRContext *context, Role role,
                                StringRef name) {
  return DictionaryAttr::get(
      context,
      {NamedAttribute(StringAttr::get(context, MPDialect::kRoleAttrName),
                      RoleAttr::get(context, role)),
       NamedAttribute(StringAttr::get(context, MPDialect::kNameAttrName),
                      StringAttr::get(context, name))});
}

bool mp::isStateRole(Role role) {
  switch (role) {
  case Role::Parameter:
  case Role::Statistic:
  case Role::OptimizerState:
  case Role::LossScale:
  case Role::Step:
    return true;
  default:
    return false;
  }
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

OpFoldResult CastOp::fold(FoldAdaptor adaptor) {
  if (getInput().getType() == getType())
    return getInput();
  // A widening that is narrowed again: exact, so the pair is the identity.
  if (auto producer = getInput().getDefiningOp<CastOp>()) {
    auto inner = cast<FloatType>(getElementTypeOrSelf(producer.getType()));
    auto source =
        cast<FloatType>(getElementTypeOrSelf(producer.getInput().getType()));
    bool exact = APFloat::isRepresentableBy(source.getFloatSemantics(),
                                            inner.getFloatSemantics());
    if (exact && producer.getInput().getType() == getType())
      return producer.getInput();
  }
  return {};
}

void UpdateScaleOp::build(OpBuilder &builder, OperationState &state,
                          Value scale, Value counter, Value budget,
                          Value finite, double growth, double backoff,
                          int64_t growthInterval, double minimum,
                          double maximum, int64_t hysteresis) {
  build(builder, state, scale.getType(), counter.getType(), budget.getType(),
        scale, counter, budget, finite, builder.getF64FloatAttr(growth),
        builder.getF64FloatAttr(backoff),
        builder.getI64IntegerAttr(growthInterval),
        builder.getF64FloatAttr(minimum), builder.getF64FloatAttr(maximum),
        builder.getI64IntegerAttr(hysteresis));
}

LogicalResult UpdateScaleOp::verify() {
  if (getGrowth().convertToDouble() < 1.0)
    return emitOpError("growth must be at least 1");
  double backoff = getBackoff().convertToDouble();
  if (!(backoff > 0.0 && backoff < 1.0))
    return emitOpError("backoff must lie between 0 and 1");
  if (getGrowthInterval() < 1 || getHysteresis() < 1)
    return emitOpError("growthInterval and hysteresis must be positive");
  double minimum = getMinimum().convertToDouble(),
         maximum = getMaximum().convertToDouble();
  if (!(minimum > 0.0 && minimum <= maximum))
    return emitOpError("needs 0 < minimum <= maximum");
  return success();
}

#define GET_OP_CLASSES
#include "mpt/Dialect/MP/IR/MPOps.cpp.inc"
