//===- Finite.cpp - Are all elements of all tensors finite? ---------------===//

#include "Generic.h"
#include "Kernels.h"

#include "mpt/Dialect/MP/IR/MPDialect.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

/// Parts a tensor is checked in; independent of the number of threads.
static constexpr int64_t kParts = 64;

static KernelShape getFiniteShape(Operation *op) {
  KernelShape shape = KernelShape::parallel(kParts);
  shape.phases[0].outputs = SmallVector<unsigned>();
  shape.phases.push_back({1, std::nullopt});
  shape.sharedScratchBytes = atLeastOne(op->getNumOperands()) * kParts * 4;
  return shape;
}

static void emitFinite(OpWriter &w) {
  EmitContext &c = w.c;
  Type i32 = c.b.getI32Type();
  const int64_t numOperands = w.op->getNumOperands();
  KernelTensor flags;
  flags.type = RankedTensorType::get({atLeastOne(numOperands) * kParts}, i32);
  flags.memref = c.scratchView(c.sharedScratch, 0, flags.numElements(), i32);
  if (c.phase == 0) {
    const int64_t lanes = c.target.isGPU ? 4 : 2 * c.target.lanes();
    for (int64_t n = 0; n < numOperands; ++n) {
      const KernelTensor &x = w.in(n);
      Type type = getComputeType(x.elementType());
      // x * 0 is NaN for an infinity or a NaN, and a NaN stays in a sum.
      auto accumulate = [&](Value sum, Value value) {
        return c.addf(c.mulf(value, c.constant(value.getType(), 0)), sum);
      };
      const int64_t vectors = x.numElements() / lanes;
      const int64_t part = llvm::divideCeil(vectors, kParts);
      c.parallel(kParts, [&](Value number) {
        Value begin = c.min(c.mul(number, part), c.index(vectors));
        Value end = c.min(c.add(begin, part), c.index(vectors));
        Value zero = c.constant(VectorType::get({lanes}, type), 0);
        Value sums = c.loop(
            begin, end, c.index(1), zero, [&](Value i, ValueRange carried) {
              Value v = c.loadVector(x, c.mul(i, lanes), lanes);
              return SmallVector<Value>{accumulate(carried[0], v)};
            })[0];
        Value sum = c.sumLanes(sums);
        // The rest behind the last vector goes with the last part.
        Value isLast =
            c.cmp(arith::CmpIPredicate::eq, number, c.index(kParts - 1));
        Value rest = c.select(isLast, c.index(vectors * lanes),
                              c.index(x.numElements()));
        sum = c.loop(rest, c.index(x.numElements()), c.index(1), sum,
                     [&](Value i, ValueRange carried) {
                       return SmallVector<Value>{
                           accumulate(carried[0], c.load(x, i))};
                     })[0];
        Value bad = c.cmpf(arith::CmpFPredicate::UNO, sum, sum);
        c.store(flags, c.add(c.index(n * kParts), number), c.convert(bad, i32));
      });
    }
    return;
  }
  c.parallel(1, [&](Value) {
    Type i64 = c.b.getI64Type();
    Value none = c.constant(i64, -1);
    Value first =
        c.loop(numOperands * kParts, none, [&](Value i, ValueRange carried) {
          Value bad = c.cmp(arith::CmpIPredicate::ne, c.load(flags, i),
                            c.constant(i32, 0));
          Value unset =
              c.cmp(arith::CmpIPredicate::slt, carried[0], c.constant(i64, 0));
          Value number =
              arith::IndexCastOp::create(c.b, c.loc, i64, c.div(i, kParts));
          return SmallVector<Value>{
              c.select(c.logicalAnd(bad, unset), number, carried[0])};
        })[0];
    Value finite = c.cmp(arith::CmpIPredicate::slt, first, c.constant(i64, 0));
    c.store(w.out(0), c.index(0), finite);
    c.store(w.out(1), c.index(0), first);
  });
}

void conversion::addFiniteKernels(KernelRegistry &registry) {
  addGeneric<mp::AllFiniteOp>(registry, getFiniteShape, emitFinite, 1);
}
