//===- Diagnostics.cpp - Diagnostics as one line each ---------------------===//

#include "mpt/Support/Diagnostics.h"

#include "mlir/IR/Location.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mpt;

std::string mpt::describeLocation(Location location) {
  return llvm::TypeSwitch<LocationAttr, std::string>(location)
      .Case([](FileLineColLoc file) {
        std::string text = file.getFilename().str();
        // A model file has no lines: the importer leaves them 0.
        if (file.getLine() != 0)
          text += ":" + std::to_string(file.getLine()) + ":" +
                  std::to_string(file.getColumn());
        return text;
      })
      .Case([](NameLoc name) {
        std::string outer = describeLocation(name.getChildLoc());
        return outer + (outer.empty() ? "" : ": ") + "node '" +
               name.getName().str() + "'";
      })
      .Case([](CallSiteLoc call) { return describeLocation(call.getCallee()); })
      .Case([](FusedLoc fused) {
        for (Location part : fused.getLocations())
          if (std::string text = describeLocation(part); !text.empty())
            return text;
        return std::string();
      })
      .Default([](LocationAttr) { return std::string(); });
}

/// The message on one line.
static std::string flatten(Diagnostic &diagnostic) {
  std::string text = diagnostic.str();
  for (char &c : text)
    if (c == '\n')
      c = ' ';
  return text;
}

static void print(llvm::raw_ostream &os, Diagnostic &diagnostic,
                  StringRef indent, StringRef file) {
  std::string where = describeLocation(diagnostic.getLocation());
  if (!file.empty() && StringRef(where).starts_with("node '"))
    where = file.str() + ": " + where;
  os << indent << where << (where.empty() ? "" : ": ");
  if (diagnostic.getSeverity() == DiagnosticSeverity::Warning)
    os << "warning: ";
  if (diagnostic.getSeverity() == DiagnosticSeverity::Remark)
    os << "remark: ";
  os << flatten(diagnostic) << '\n';
}

OneLineDiagnostics::OneLineDiagnostics(MLIRContext &context, bool printRemarks,
                                       std::string file)
    : handler(&context, [this, printRemarks, file](Diagnostic &diagnostic) {
        DiagnosticSeverity severity = diagnostic.getSeverity();
        error |= severity == DiagnosticSeverity::Error;
        if (severity == DiagnosticSeverity::Remark && !printRemarks)
          return success();
        print(llvm::errs(), diagnostic, "", file);
        for (Diagnostic &note : diagnostic.getNotes())
          print(llvm::errs(), note, "  ", file);
        return success();
      }) {
  context.printOpOnDiagnostic(false);
}
