// RUN: not mpt-opt %s --mpt-attach-loss="loss='cross_entropy(scores, labels)'" 2>&1 | FileCheck %s --check-prefix=OUTPUT
// OUTPUT: error: loss 'cross_entropy(scores, labels)': there is no output 'scores'; outputs are: 'logits', 'mask'
// RUN: not mpt-opt %s --mpt-attach-loss="loss='cosine(logits, labels)'" 2>&1 | FileCheck %s --check-prefix=NAME
// NAME: error: there is no loss 'cosine'; use cross_entropy, ctc, mse, l1, bce_with_logits or the name of an output that is a loss
// RUN: not mpt-opt %s --mpt-attach-loss="loss='mse(logits'" 2>&1 | FileCheck %s --check-prefix=SYNTAX
// SYNTAX: error: {{.*}}column {{[0-9]+}} of 'mse(logits'
// RUN: not mpt-opt %s --mpt-attach-loss="loss='cross_entropy(logits, labels, axis=2)'" 2>&1 | FileCheck %s --check-prefix=AXIS
// AXIS: error: {{.*}}axis 2 does not fit output 'logits' of type 'tensor<2x3xf32>'
// RUN: not mpt-opt %s --mpt-attach-loss="loss='cross_entropy(logits, x)'" 2>&1 | FileCheck %s --check-prefix=LABEL
// LABEL: error: {{.*}}'x' has type 'tensor<2x3xf32>' where the loss needs 'tensor<2xi64>'
// RUN: not mpt-opt %s --mpt-attach-loss="loss='mse(logits, y) + cross_entropy(logits, y)'" 2>&1 | FileCheck %s --check-prefix=TWICE
// TWICE: error: {{.*}}'y' has type 'tensor<2x3xf32>' where the loss needs 'tensor<2xi64>'
// RUN: not mpt-opt %s --mpt-attach-loss="loss='mse(mask, y)'" 2>&1 | FileCheck %s --check-prefix=INTEGER
// INTEGER: error: {{.*}}output 'mask' has type 'tensor<2xi1>', a loss needs a float tensor of static shape
// RUN: not mpt-opt %s --mpt-attach-loss="loss=logits" 2>&1 | FileCheck %s --check-prefix=SCALAR
// SCALAR: error: {{.*}}output 'logits' of type 'tensor<2x3xf32>' is no loss: it has more than one element
// RUN: not mpt-opt %s --mpt-attach-loss="loss='ctc(logits, y, t, s)'" 2>&1 | FileCheck %s --check-prefix=CTC
// CTC: error: {{.*}}ctc needs logits [batch, frames, classes], output 'logits' has type 'tensor<2x3xf32>'
// RUN: not mpt-opt %s --mpt-attach-loss="loss='mse(logits, y)' label-lengths=y=many" 2>&1 | FileCheck %s --check-prefix=LENGTHS
// LENGTHS: error: label-lengths takes name=count, not 'y=many'
// RUN: not mpt-opt %s --mpt-attach-loss="loss='mse(logits, y, beta=1)'" 2>&1 | FileCheck %s --check-prefix=ARGUMENT
// ARGUMENT: error: {{.*}}beta
// RUN: not mpt-opt %s --mpt-attach-loss="loss='mse(logits, y)' function=nowhere" 2>&1 | FileCheck %s --check-prefix=FUNCTION
// FUNCTION: error: there is no function 'nowhere' with outputs
// RUN: not mpt-opt %s --mpt-attach-loss="loss='mse(logits, y)'" --mpt-attach-loss="loss='mse(logits, y)'" 2>&1 | FileCheck %s --check-prefix=AGAIN
// AGAIN: error: no function has outputs and no loss yet

func.func @forward(%x: tensor<2x3xf32> {mp.name = "x", mp.role = #mp.role<input>},
                   %m: tensor<2xi1> {mp.name = "m", mp.role = #mp.role<input>})
    -> (tensor<2x3xf32> {mp.name = "logits", mp.role = #mp.role<output>},
        tensor<2xi1> {mp.name = "mask", mp.role = #mp.role<output>}) {
  return %x, %m : tensor<2x3xf32>, tensor<2xi1>
}
