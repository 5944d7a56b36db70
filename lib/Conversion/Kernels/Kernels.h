//===- Kernels.h - The templates of the compiled path -----------*- C++ -*-===//
//
// One function per file of this folder, called by KernelRegistry::get. Plain
// templates have benefit 1, specialized ones more.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_LIB_CONVERSION_KERNELS_KERNELS_H
#define MPT_LIB_CONVERSION_KERNELS_KERNELS_H

#include "mpt/Conversion/KernelEmitter.h"

namespace mpt::conversion {

void addPointwiseKernels(KernelRegistry &registry);
void addShapeKernels(KernelRegistry &registry);
void addGatherKernels(KernelRegistry &registry);
void addFiniteKernels(KernelRegistry &registry);
void addGenericPoolingKernels(KernelRegistry &registry);
void addGenericReductionKernels(KernelRegistry &registry);
void addGenericNormKernels(KernelRegistry &registry);
void addGenericLossKernels(KernelRegistry &registry);
void addCTCKernels(KernelRegistry &registry);
void addTopKKernels(KernelRegistry &registry);
void addMatMulKernels(KernelRegistry &registry);
void addConvolutionKernels(KernelRegistry &registry);
void addConvolutionFilterGradKernels(KernelRegistry &registry);
void addPlainContractionKernels(KernelRegistry &registry);
void addBatchNormKernels(KernelRegistry &registry);
void addRowNormKernels(KernelRegistry &registry);
void addSoftmaxKernels(KernelRegistry &registry);
void addReductionKernels(KernelRegistry &registry);
void addPoolingKernels(KernelRegistry &registry);
void addGPUReductionKernels(KernelRegistry &registry);
void addGPUBatchNormKernels(KernelRegistry &registry);

} // namespace mpt::conversion

#endif // MPT_LIB_CONVERSION_KERNELS_KERNELS_H
