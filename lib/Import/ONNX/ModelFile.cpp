//===- ModelFile.cpp - Reading ONNX files without their weights -----------===//

#include "ModelFile.h"

#include "OnnxLibrary.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace mpt::importer {

bool ModelFile::read(const std::string &name, std::string &error) {
  path = name;
  if (data::isDirectory(path)) {
    error = path + ": is a directory: name the model file in it";
    return false;
  }
  const data::MappedFile *file = open(path, error);
  if (!file)
    return false;
  if (file->size() == 0) {
    error = path + ": is empty: export the model again";
    return false;
  }
  if (StringRef(path).ends_with(".onnxtxt")) {
    std::string text(reinterpret_cast<const char *>(file->data()),
                     file->size());
    if (parseModelText(text, model, error))
      return true;
    error = path + ": is not textual ONNX: " + data::printable(error);
    return false;
  }
  std::string stripped;
  if (!stripWeights(file->data(), file->size(), stripped) ||
      stripped.size() > INT32_MAX || !model.ParseFromString(stripped) ||
      !model.has_graph()) {
    error = path + ": is not an ONNX model, or is cut short: export it again";
    return false;
  }
  return true;
}

const data::MappedFile *ModelFile::open(const std::string &file,
                                        std::string &error) {
  auto it = files.find(file);
  if (it != files.end())
    return &it->second;
  std::optional<data::MappedFile> mapped = data::MappedFile::open(file, error);
  if (!mapped)
    return nullptr;
  return &files.emplace(file, std::move(*mapped)).first->second;
}

const uint8_t *ModelFile::map(const FileRange &range, std::string &error) {
  const data::MappedFile *file = open(range.file, error);
  if (!file)
    return nullptr;
  if (range.offset > file->size() ||
      range.length > file->size() - range.offset) {
    error = range.file + ": has only " + std::to_string(file->size()) +
            " bytes, but a tensor lies at bytes " +
            std::to_string(range.offset) + " to " +
            std::to_string(range.offset + range.length);
    return nullptr;
  }
  return file->data() + range.offset;
}

/// The path of an external data file, if it is inside the model's folder.
static std::optional<std::string>
resolveLocation(StringRef modelPath, StringRef location, std::string &error) {
  auto fail = [&](const Twine &why) {
    error = ("its external data '" + Twine(data::printable(location.str())) +
             "' " + why)
                .str();
    return std::nullopt;
  };
  if (location.empty())
    return modelPath.str();
  if (sys::path::is_absolute(location) || location.contains('\0'))
    return fail("must be named relative to the model");
  for (auto it = sys::path::begin(location), end = sys::path::end(location);
       it != end; ++it)
    if (*it == "..")
      return fail("is outside of the model's folder");
  SmallString<256> folder(sys::path::parent_path(modelPath)), path(folder);
  sys::path::append(path, location);
  SmallString<256> realFolder, realPath;
  if (sys::fs::real_path(path, realPath))
    return fail("is missing: put the file beside the model");
  if (folder.empty())
    folder = ".";
  if (sys::fs::real_path(folder, realFolder))
    return fail("is in a folder that cannot be read");
  realFolder += sys::path::get_separator();
  if (!StringRef(realPath).starts_with(realFolder))
    return fail("is a link that leaves the model's folder");
  return std::string(path);
}

std::optional<FileRange> ModelFile::locate(const onnx::TensorProto &tensor,
                                           std::string &error) {
  FileRange range;
  StringRef location;
  bool hasLocation = false, hasLength = false;
  for (const auto &entry : tensor.external_data()) {
    StringRef value = entry.value();
    bool malformed = false;
    if (entry.key() == "location") {
      location = value;
      hasLocation = true;
    } else if (entry.key() == "offset") {
      malformed = value.getAsInteger(10, range.offset);
    } else if (entry.key() == "length") {
      malformed = value.getAsInteger(10, range.length);
      hasLength = true;
    }
    if (malformed) {
      error = "its external data has a malformed " + entry.key();
      return std::nullopt;
    }
  }
  if (!hasLocation) {
    error = "its external data has no location";
    return std::nullopt;
  }
  std::optional<std::string> file = resolveLocation(path, location, error);
  if (!file)
    return std::nullopt;
  range.file = *file;
  if (!hasLength) {
    const data::MappedFile *mapped = open(range.file, error);
    if (!mapped)
      return std::nullopt;
    range.length =
        mapped->size() - std::min<uint64_t>(range.offset, mapped->size());
  }
  if (!map(range, error))
    return std::nullopt;
  return range;
}

} // namespace mpt::importer
