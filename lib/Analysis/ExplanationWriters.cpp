//===- ExplanationWriters.cpp - Explanations as text and JSON -------------===//

#include "mpt/Analysis/PrecisionExplanation.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace mpt;

/// "nn.conv 'conv1'".
static std::string describe(const PrecisionExplanation::Op &op) {
  return op.name.empty() ? op.type : op.type + " '" + op.name + "'";
}

void mpt::writeText(ArrayRef<PrecisionExplanation> functions, raw_ostream &os) {
  for (const PrecisionExplanation &function : functions) {
    os << "@" << function.function << ": " << function.lowOps << " ops low, "
       << function.fp32Ops << " ops FP32, " << function.casts
       << " casts that move " << function.castBytes
       << " bytes; floating results: " << function.fp32Bytes
       << " bytes in FP32, " << function.bytes
       << " bytes as decided; expected error of the results: "
       << llvm::format("%.1e", function.expectedError) << ", at most "
       << llvm::format("%.1e", function.errorTolerance) << '\n';
    for (const PrecisionExplanation::Op &op : function.ops) {
      if (op.reason.empty())
        continue;
      os << "  " << stringifyPrecision(op.precision) << "  " << describe(op)
         << ": " << op.reason << " (" << op.fp32Bytes << " -> " << op.bytes
         << " bytes)\n";
      for (uint32_t number : op.chain)
        os << "        <- " << describe(function.ops[number]) << ": "
           << function.ops[number].reason << '\n';
      if (!op.change.empty())
        os << "        would change with: " << op.change << '\n';
    }
  }
}

void mpt::writeJSON(ArrayRef<PrecisionExplanation> functions, raw_ostream &os) {
  llvm::json::OStream json(os);
  // Names come from files and may be no UTF-8.
  auto text = [](StringRef value) { return llvm::json::fixUTF8(value); };
  json.array([&] {
    for (const PrecisionExplanation &function : functions)
      json.object([&] {
        json.attribute("function", text(function.function));
        json.attributeObject("totals", [&] {
          json.attribute("low_ops", function.lowOps);
          json.attribute("fp32_ops", function.fp32Ops);
          json.attribute("casts", function.casts);
          json.attribute("cast_bytes", function.castBytes);
          json.attribute("fp32_bytes", function.fp32Bytes);
          json.attribute("bytes", function.bytes);
          json.attribute("expected_error", function.expectedError);
          json.attribute("error_tolerance", function.errorTolerance);
        });
        json.attributeArray("ops", [&] {
          for (const PrecisionExplanation::Op &op : function.ops)
            json.object([&] {
              json.attribute("type", text(op.type));
              if (!op.name.empty())
                json.attribute("name", text(op.name));
              json.attribute("precision", stringifyPrecision(op.precision));
              if (!op.reason.empty())
                json.attribute("reason", text(op.reason));
              if (!op.change.empty())
                json.attribute("change", op.change);
              auto numbers = [&](StringRef key,
                                 const std::vector<uint32_t> &values) {
                if (!values.empty())
                  json.attributeArray(key, [&] {
                    for (uint32_t value : values)
                      json.value(value);
                  });
              };
              numbers("chain", op.chain);
              numbers("inputs", op.inputs);
              json.attribute("fp32_bytes", op.fp32Bytes);
              json.attribute("bytes", op.bytes);
              if (op.error > 0)
                json.attribute("error", op.error);
              json.attribute("layer", op.layer);
              json.attribute("place", op.place);
            });
        });
      });
  });
  os << '\n';
}
