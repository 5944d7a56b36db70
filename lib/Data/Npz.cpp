//===- Npz.cpp - numpy's .npz archives, by way of libzip ------------------===//

#include "NpyFormat.h"
#include "mpt/Data/FileIO.h"

#include <algorithm>
#include <memory>
#include <unordered_set>
#include <zip.h>

namespace mpt::data {
namespace {

struct CloseEntry {
  void operator()(zip_file_t *file) const { zip_fclose(file); }
};
/// An archive that was only read, or whose changes are given up.
struct DiscardArchive {
  void operator()(zip_t *archive) const { zip_discard(archive); }
};
using Archive = std::unique_ptr<zip_t, DiscardArchive>;

std::string zipMessage(zip_error_t *zipError) {
  std::string message = zip_error_strerror(zipError);
  zip_error_fini(zipError);
  return message;
}

/// Reads an entry to its end (where libzip compares the checksum). The declared
/// size is not trusted for allocation: a few bytes could claim any size.
bool readEntry(zip_t *archive, zip_uint64_t index, uint64_t declaredSize,
               std::vector<uint8_t> &bytes, std::string &problem) {
  std::unique_ptr<zip_file_t, CloseEntry> file(
      zip_fopen_index(archive, index, 0));
  if (!file) {
    problem = zip_strerror(archive);
    return false;
  }
  constexpr uint64_t step = uint64_t(1) << 20;
  uint64_t filled = 0;
  while (true) {
    uint64_t wanted =
        std::min(declaredSize, std::max(step, filled * 2)) + 1 /* end */;
    if (wanted > bytes.size() && !resizeBytes(bytes, wanted)) {
      problem =
          "not enough memory for " + std::to_string(declaredSize) + " bytes";
      return false;
    }
    zip_int64_t got =
        zip_fread(file.get(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0) {
      problem = zip_file_strerror(file.get());
      return false;
    }
    if (got == 0)
      break;
    filled += static_cast<uint64_t>(got);
    if (filled > declaredSize)
      break;
  }
  if (filled != declaredSize) {
    problem = "the archive declares " + std::to_string(declaredSize) +
              " bytes and holds another number";
    return false;
  }
  bytes.resize(filled);
  return true;
}

} // namespace

std::optional<NamedTensors> readNpz(const std::string &path,
                                    std::string &error) {
  auto fail = [&](const std::string &what) {
    error = path + ": " + printable(what);
    return std::nullopt;
  };
  // For a plain message about a missing file or a directory.
  if (!MappedFile::open(path, error))
    return std::nullopt;
  int code = 0;
  Archive archive(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (!archive) {
    zip_error_t zipError;
    zip_error_init_with_code(&zipError, code);
    return fail("not a readable .npz archive: " + zipMessage(&zipError) +
                "; write it with numpy.savez");
  }
  NamedTensors tensors;
  std::unordered_set<std::string> names;
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    zip_stat_t status;
    if (zip_stat_index(archive.get(), i, 0, &status) != 0 ||
        (status.valid & (ZIP_STAT_NAME | ZIP_STAT_SIZE)) !=
            (ZIP_STAT_NAME | ZIP_STAT_SIZE))
      return fail("entry " + std::to_string(i) + " is malformed");
    std::string name = status.name;
    const std::string label = path + "[" + printable(name) + "]";
    if (!endsWith(name, ".npy"))
      return fail("entry '" + name + "' is not a .npy file");
    name.resize(name.size() - 4);
    if (!names.insert(name).second)
      return fail("two arrays are called '" + name + "'");
    std::vector<uint8_t> bytes;
    std::string problem;
    if (!readEntry(archive.get(), i, status.size, bytes, problem))
      return fail("entry '" + name + ".npy': " + problem +
                  "; copy the file again");
    std::optional<HostTensor> tensor =
        parseNpy(bytes.data(), bytes.size(), label, error);
    if (!tensor)
      return std::nullopt;
    tensors.emplace_back(std::move(name), std::move(*tensor));
  }
  return tensors;
}

bool writeNpz(const std::string &path, const NamedTensors &tensors,
              std::string &error) {
  AtomicFileWriter writer;
  if (tensors.empty()) {
    // libzip writes no archive without entries; it is the end record alone.
    const uint8_t endRecord[22] = {'P', 'K', 5, 6};
    return writer.open(path, error) && writer.write(endRecord, 22, error) &&
           writer.commit(error);
  }
  // libzip builds the archive in memory, AtomicFileWriter puts it in place.
  zip_error_t zipError;
  zip_error_init(&zipError);
  zip_source_t *target = zip_source_buffer_create(nullptr, 0, 0, &zipError);
  auto fail = [&](const std::string &what) {
    error = path + ": cannot build the archive: " + printable(what);
    if (target)
      zip_source_free(target);
    return false;
  };
  if (!target)
    return fail(zipMessage(&zipError));
  Archive archive(
      zip_open_from_source(target, ZIP_CREATE | ZIP_TRUNCATE, &zipError));
  if (!archive)
    return fail(zipMessage(&zipError));
  zip_source_keep(target); // zip_close and zip_discard give up one reference
  std::vector<std::vector<uint8_t>> files;
  files.reserve(tensors.size());
  for (const auto &[name, tensor] : tensors) {
    std::optional<std::string> header =
        npyHeader(tensor, path + "[" + printable(name) + "]", error);
    if (!header) {
      archive.reset();
      zip_source_free(target);
      return false;
    }
    std::vector<uint8_t> &bytes =
        files.emplace_back(header->begin(), header->end());
    bytes.insert(bytes.end(), tensor.bytes.begin(), tensor.bytes.end());
    zip_source_t *source =
        zip_source_buffer(archive.get(), bytes.data(), bytes.size(), 0);
    zip_int64_t index =
        source ? zip_file_add(archive.get(), (name + ".npy").c_str(), source,
                              ZIP_FL_ENC_UTF_8)
               : -1;
    if (index < 0 ||
        zip_set_file_compression(archive.get(), index, ZIP_CM_STORE, 0) != 0) {
      std::string message = zip_strerror(archive.get());
      if (source && index < 0)
        zip_source_free(source);
      archive.reset();
      return fail("array '" + name + "': " + message);
    }
  }
  if (zip_close(archive.get()) != 0) {
    std::string message = zip_strerror(archive.get());
    archive.reset();
    return fail(message);
  }
  (void)archive.release();

  std::vector<uint8_t> contents;
  zip_stat_t status;
  if (zip_source_open(target) != 0 || zip_source_stat(target, &status) != 0 ||
      !resizeBytes(contents, status.size) ||
      zip_source_read(target, contents.data(), contents.size()) !=
          static_cast<zip_int64_t>(contents.size()))
    return fail("cannot read it back");
  zip_source_close(target);
  zip_source_free(target);
  return writer.open(path, error) &&
         writer.write(contents.data(), contents.size(), error) &&
         writer.commit(error);
}

} // namespace mpt::data
