//===- NNOps.td - All operations of the network dialect ----*- tablegen -*-===//

#ifndef MPT_DIALECT_NN_IR_NNOPS
#define MPT_DIALECT_NN_IR_NNOPS

include "mpt/Dialect/NN/IR/NNBase.td"
include "mpt/Dialect/NN/IR/NNElementwiseOps.td"
include "mpt/Dialect/NN/IR/NNContractionOps.td"
include "mpt/Dialect/NN/IR/NNPoolingOps.td"
include "mpt/Dialect/NN/IR/NNNormalizationOps.td"
include "mpt/Dialect/NN/IR/NNReductionOps.td"
include "mpt/Dialect/NN/IR/NNShapeOps.td"
include "mpt/Dialect/NN/IR/NNTrainingOps.td"
include "mpt/Dialect/NN/IR/NNControlFlowOps.td"
include "mpt/Dialect/NN/IR/NNStructureOps.td"

#endif // MPT_DIALECT_NN_IR_NNOPS
