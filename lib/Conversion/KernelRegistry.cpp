//===- KernelRegistry.cpp - Which template writes a kernel ----------------===//

#include "Kernels/Kernels.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

KernelEmitter::~KernelEmitter() = default;

Operation *KernelEmitter::getSingleOp(nn::KernelOp kernel) {
  Operation *single = nullptr;
  for (Operation &op : kernel.getBody().front().without_terminator()) {
    if (single)
      return nullptr;
    single = &op;
  }
  return single;
}

void KernelRegistry::add(std::unique_ptr<KernelEmitter> emitter,
                         unsigned benefit) {
  entries.push_back({benefit, std::move(emitter)});
}

const KernelEmitter *
KernelRegistry::lookup(nn::KernelOp kernel,
                       const TargetDescription &target) const {
  const Entry *best = nullptr;
  for (const Entry &entry : entries)
    if ((!best || entry.benefit > best->benefit) &&
        entry.emitter->match(kernel, target))
      best = &entry;
  return best ? best->emitter.get() : nullptr;
}

const KernelRegistry &KernelRegistry::get() {
  static const KernelRegistry registry = [] {
    KernelRegistry result;
    addPointwiseKernels(result);
    addShapeKernels(result);
    addGatherKernels(result);
    addFiniteKernels(result);
    addGenericPoolingKernels(result);
    addGenericReductionKernels(result);
    addGenericNormKernels(result);
    addGenericLossKernels(result);
    addCTCKernels(result);
    addTopKKernels(result);
    addMatMulKernels(result);
    addConvolutionKernels(result);
    addConvolutionFilterGradKernels(result);
    addPlainContractionKernels(result);
    addBatchNormKernels(result);
    addRowNormKernels(result);
    addSoftmaxKernels(result);
    addReductionKernels(result);
    addPoolingKernels(result);
    addGPUReductionKernels(result);
    addGPUBatchNormKernels(result);
    return result;
  }();
  return registry;
}
