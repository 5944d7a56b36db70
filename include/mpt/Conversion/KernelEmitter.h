//===- KernelEmitter.h - How an nn.kernel becomes loops ---------*- C++ -*-===//
//
// A kernel is lowered alone. Its function body is written by a KernelEmitter,
// directly in scf, vector, arith, math and memref; stock passes take it from
// there to LLVM or NVVM (docs/Rationale/Lowering.md). The same emitter serves
// CPU and GPU: EmitContext::parallel is a contiguous share of the work on a CPU
// and a grid-stride loop on a GPU.
//
// To add a template: derive from KernelEmitter in lib/Conversion/Kernels/, add
// a line to Kernels.h and to KernelRegistry.cpp.
//
// How tensors are seen. Every operand and result is a flat memref of its
// elements in row-major order: memref<NxT>, T the element type, i8 for i1.
// Indices are linear element numbers of type `index`. `load` and `store`
// convert between storage and the type computed in: f16 and bf16 become f32;
// i1 is i1; everything else is itself.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_CONVERSION_KERNELEMITTER_H
#define MPT_CONVERSION_KERNELEMITTER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mpt/Conversion/TargetDescription.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

#include <memory>
#include <vector>

namespace mpt::conversion {

/// What one phase of a kernel needs to be scheduled. The phases of a kernel run
/// one after the other, each in parallel chunks; what a phase wrote (outputs
/// and shared scratch) is visible to the next.
struct KernelPhase {
  /// Into how many chunks the phase divides at most; 1 for a serial phase. Also
  /// what `total` is in the phase's EmitContext::parallel, if it has one loop.
  int64_t workItems = 1;
  /// Outputs this phase writes, if not all of them (numbers of results).
  std::optional<llvm::SmallVector<unsigned>> outputs;
};

struct KernelShape {
  llvm::SmallVector<KernelPhase> phases;
  /// Bytes of temporary memory for the whole kernel, alive over all phases.
  int64_t sharedScratchBytes = 0;
  /// Bytes of temporary memory of each chunk of a phase (CPU only). Chunk
  /// scratch does not survive the phase.
  int64_t chunkScratchBytes = 0;
  /// Output element i depends, of an operand with as many elements of the same
  /// size, on element i alone, which is read before it is written: the memory
  /// planner may put the output in such an operand's place.
  bool inPlace = false;

  static KernelShape parallel(int64_t workItems) {
    KernelShape shape;
    shape.phases.push_back({workItems, std::nullopt});
    return shape;
  }
};

/// An operand or a result inside the kernel's function.
struct KernelTensor {
  mlir::RankedTensorType type;
  mlir::Value memref;                 // flat, see above
  llvm::SmallVector<int64_t> strides; // row-major, in elements
  int64_t numElements() const { return type.getNumElements(); }
  mlir::Type elementType() const { return type.getElementType(); }
};

/// The element type in memory (i8 for i1) and the one computed in.
mlir::Type getStorageType(mlir::Type elementType);
mlir::Type getComputeType(mlir::Type elementType);
/// Bytes of an element in memory, and of a whole tensor.
int64_t getElementBytes(mlir::Type elementType);
int64_t getTensorBytes(mlir::RankedTensorType type);
llvm::SmallVector<int64_t> getRowMajorStrides(llvm::ArrayRef<int64_t> shape);

/// What an emitter writes its function with. All index values have type
/// `index`. Every floating-point operation is to carry the flags of
/// `contract()` and no others.
class EmitContext {
public:
  EmitContext(mlir::OpBuilder builder, mlir::Location loc,
              const TargetDescription &target)
      : b(builder), loc(loc), target(target) {}

  mlir::OpBuilder b;
  mlir::Location loc;
  const TargetDescription &target;
  llvm::SmallVector<KernelTensor> inputs;  // operands of the nn.kernel
  llvm::SmallVector<KernelTensor> outputs; // results of the nn.kernel
  unsigned phase = 0;
  /// CPU: the number of this chunk and how many there are.
  mlir::Value chunk, chunks;
  /// memref<?xi8> of a static size, or null: scratch of the kernel, and the
  /// part of this chunk.
  mlir::Value sharedScratch, chunkScratch;

  /// Calls `body` with every i in [0, total): on a CPU this chunk's contiguous
  /// share of them in ascending order, on a GPU those of this thread.
  void parallel(int64_t total, llvm::function_ref<void(mlir::Value i)> body);
  /// CPU: this chunk's share [begin, end) of [0, total), for emitters that
  /// want to step or to accumulate over it. On a GPU [thread, total) with
  /// `step` = number of threads.
  struct Range {
    mlir::Value begin, end, step;
  };
  Range share(int64_t total);

  //===------------------------------------------------------------------===//
  // Control flow
  //===------------------------------------------------------------------===//

  /// for (i = lower; i < upper; i += step) body(i).
  void loop(mlir::Value lower, mlir::Value upper, mlir::Value step,
            llvm::function_ref<void(mlir::Value)> body);
  void loop(int64_t upper, llvm::function_ref<void(mlir::Value)> body);
  /// The same carrying values; returns their final values.
  using LoopBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      mlir::Value, mlir::ValueRange)>;
  llvm::SmallVector<mlir::Value> loop(mlir::Value lower, mlir::Value upper,
                                      mlir::Value step, mlir::ValueRange init,
                                      LoopBody body);
  llvm::SmallVector<mlir::Value> loop(int64_t upper, mlir::ValueRange init,
                                      LoopBody body);
  /// A nest over the box `extents` (outermost first), carrying values.
  using NestBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      mlir::ValueRange, mlir::ValueRange)>;
  llvm::SmallVector<mlir::Value> loopNest(llvm::ArrayRef<int64_t> extents,
                                          mlir::ValueRange init, NestBody body);
  void loopNest(llvm::ArrayRef<int64_t> extents,
                llvm::function_ref<void(mlir::ValueRange)> body);
  /// if (condition) then() else otherwise(), with results.
  using Branch = llvm::function_ref<llvm::SmallVector<mlir::Value>()>;
  llvm::SmallVector<mlir::Value> ifElse(mlir::Value condition,
                                        mlir::TypeRange types, Branch then,
                                        Branch otherwise);
  void ifThen(mlir::Value condition, llvm::function_ref<void()> then);

  //===------------------------------------------------------------------===//
  // Index arithmetic (folded where the operands are constants)
  //===------------------------------------------------------------------===//

  mlir::Value index(int64_t value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value add(mlir::Value a, int64_t c) { return add(a, index(c)); }
  mlir::Value mul(mlir::Value a, int64_t c) { return mul(a, index(c)); }
  /// Quotient and remainder of non-negative values.
  mlir::Value div(mlir::Value a, int64_t c);
  mlir::Value rem(mlir::Value a, int64_t c);
  mlir::Value min(mlir::Value a, mlir::Value b);
  mlir::Value max(mlir::Value a, mlir::Value b);
  mlir::Value cmp(mlir::arith::CmpIPredicate predicate, mlir::Value a,
                  mlir::Value b);
  /// 0 <= a < extent.
  mlir::Value isInside(mlir::Value a, int64_t extent);
  mlir::Value logicalAnd(mlir::Value a, mlir::Value b);
  /// sum(coordinates[i] * strides[i]).
  mlir::Value linearize(mlir::ValueRange coordinates,
                        llvm::ArrayRef<int64_t> strides);
  /// The coordinates of element `linear` of a row-major box.
  llvm::SmallVector<mlir::Value> delinearize(mlir::Value linear,
                                             llvm::ArrayRef<int64_t> shape);
  /// The linear index, in a tensor of `shape` that broadcasts (NumPy) to the
  /// box the coordinates belong to, of the element behind them.
  mlir::Value broadcastIndex(mlir::ValueRange coordinates,
                             llvm::ArrayRef<int64_t> shape);

  //===------------------------------------------------------------------===//
  // Memory
  //===------------------------------------------------------------------===//

  /// One element in the compute type, or `lanes` consecutive ones as a vector.
  /// `alignment` in bytes is what the address is known to be a multiple of (0:
  /// the element's size); 16 makes 16-byte accesses on a GPU.
  mlir::Value load(const KernelTensor &tensor, mlir::Value linear);
  mlir::Value loadVector(const KernelTensor &tensor, mlir::Value linear,
                         int64_t lanes, int64_t alignment = 0);
  /// Rounds to nearest even where the storage is narrower.
  void store(const KernelTensor &tensor, mlir::Value linear, mlir::Value value);
  void storeVector(const KernelTensor &tensor, mlir::Value linear,
                   mlir::Value value, int64_t alignment = 0);
  /// Between storage and compute types, scalars or vectors.
  mlir::Value widen(mlir::Value stored, mlir::Type elementType);
  mlir::Value narrow(mlir::Value computed, mlir::Type elementType);
  /// An f64 value as f16 or bf16 would hold it, in f32; rounded once.
  mlir::Value roundToNarrow(mlir::Value wide, mlir::Type elementType);
  /// A typed view of scratch from a byte offset on: memref<count x type>.
  mlir::Value scratchView(mlir::Value scratch, int64_t byteOffset,
                          int64_t count, mlir::Type type);

  //===------------------------------------------------------------------===//
  // Arithmetic in the compute type; scalars or vectors, operands of one type
  //===------------------------------------------------------------------===//

  mlir::arith::FastMathFlags contract() const {
    return mlir::arith::FastMathFlags::contract;
  }
  /// A constant of `type` (float, integer or index; a vector of them: a splat).
  mlir::Value constant(mlir::Type type, double value);
  mlir::Value addf(mlir::Value a, mlir::Value b);
  mlir::Value subf(mlir::Value a, mlir::Value b);
  mlir::Value mulf(mlir::Value a, mlir::Value b);
  mlir::Value divf(mlir::Value a, mlir::Value b);
  /// a * b + c, one rounding.
  mlir::Value fma(mlir::Value a, mlir::Value b, mlir::Value c);
  /// 1 / sqrt(a), as division and square root (correctly rounded each).
  mlir::Value rsqrt(mlir::Value a);
  /// Float or integer by the operands' type.
  mlir::Value addAny(mlir::Value a, mlir::Value b);
  mlir::Value mulAny(mlir::Value a, mlir::Value b);
  /// NaN wins.
  mlir::Value maxAny(mlir::Value a, mlir::Value b);
  mlir::Value minAny(mlir::Value a, mlir::Value b);
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  mlir::Value negf(mlir::Value a) {
    return mulf(a, constant(a.getType(), -1.0));
  }
  mlir::Value absf(mlir::Value a);
  mlir::Value sqrt(mlir::Value a);
  mlir::Value cmpf(mlir::arith::CmpFPredicate predicate, mlir::Value a,
                   mlir::Value b);
  /// Between compute types, scalars or vectors (the vector shape stays). Float
  /// to integer truncates (saturates, NaN gives 0), to i1 is `!= 0`.
  mlir::Value convert(mlir::Value a, mlir::Type elementType,
                      bool isUnsigned = false);

  /// lib/Conversion/EmitMath.cpp: in f32 polynomials of at most 2 ulp on
  /// scalars and vectors, in f64 the C library (CPU only). Infinities, NaN,
  /// signed zeros and subnormals as in C.
  mlir::Value exp(mlir::Value a);
  mlir::Value expm1(mlir::Value a);
  mlir::Value log(mlir::Value a);
  mlir::Value log1p(mlir::Value a);
  mlir::Value tanh(mlir::Value a);
  mlir::Value erf(mlir::Value a);
  mlir::Value sigmoid(mlir::Value a);
  /// Broadcasts a scalar to `lanes`, sums a vector.
  mlir::Value splat(mlir::Value scalar, int64_t lanes);
  mlir::Value sumLanes(mlir::Value vector);
};

/// A template: what shape the kernel's work has, and its loops.
class KernelEmitter {
public:
  virtual ~KernelEmitter();
  /// A name for diagnostics and profiles.
  virtual llvm::StringRef getName() const = 0;
  /// Whether this emitter can write this kernel for this target.
  virtual bool match(nn::KernelOp kernel,
                     const TargetDescription &target) const = 0;
  virtual KernelShape getShape(nn::KernelOp kernel,
                               const TargetDescription &target) const = 0;
  /// Writes the body of phase `context.phase`. On failure a diagnostic has been
  /// reported at the kernel.
  virtual mlir::LogicalResult emit(EmitContext &context,
                                   nn::KernelOp kernel) const = 0;

  /// The one operation of a kernel that has one, or null.
  static mlir::Operation *getSingleOp(nn::KernelOp kernel);
};

/// The emitters; of those that match, the one with the highest benefit is taken
/// (of equals the first).
class KernelRegistry {
public:
  /// All templates of lib/Conversion/Kernels.
  static const KernelRegistry &get();

  void add(std::unique_ptr<KernelEmitter> emitter, unsigned benefit);
  /// Null when nothing matches.
  const KernelEmitter *lookup(nn::KernelOp kernel,
                              const TargetDescription &target) const;

private:
  struct Entry {
    unsigned benefit;
    std::unique_ptr<KernelEmitter> emitter;
  };
  std::vector<Entry> entries;
};

} // namespace mpt::conversion

#endif // MPT_CONVERSION_KERNELEMITTER_H
