//===- Compare.h - Got against expected -------------------------*- C++ -*-===//

#ifndef MPT_TOOLS_MPTRUN_COMPARE_H
#define MPT_TOOLS_MPTRUN_COMPARE_H

#include "mpt/Data/HostTensor.h"

#include <string>

namespace mpt::run {

struct Tolerance {
  double relative = 1e-3, absolute = 1e-7; // ONNX's backend tests
};

/// Are all elements within |got - want| <= absolute + relative * |want|? Equal
/// infinities and two NaNs are. Otherwise `message` describes the difference of
/// shapes, or the worst element.
bool compare(const data::HostTensor &got, const data::HostTensor &want,
             Tolerance tolerance, std::string &message);

/// "2x3 float32, from -1 to 5, mean 0.5" and, for few elements, their values.
std::string summarize(const data::HostTensor &tensor);

} // namespace mpt::run

#endif // MPT_TOOLS_MPTRUN_COMPARE_H
