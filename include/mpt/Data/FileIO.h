//===- FileIO.h - Mapped reading and atomic writing -------------*- C++ -*-===//
//
// Every function that can fail returns false or nullopt and sets `error` to one
// line that begins with the file's name.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_DATA_FILEIO_H
#define MPT_DATA_FILEIO_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mpt::data {

/// A regular file, mapped read-only. Movable; unmapped on destruction.
class MappedFile {
public:
  static std::optional<MappedFile> open(const std::string &path,
                                        std::string &error);
  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;
  ~MappedFile();

  const uint8_t *data() const { return address; }
  size_t size() const { return length; }

private:
  MappedFile() = default;
  uint8_t *address = nullptr;
  size_t length = 0;
};

/// Writes a file so that at every moment, power failure included, its name
/// stands for either the old or the complete new contents: a temporary file in
/// the same folder is written, synchronized and renamed. Without commit() the
/// temporary file is removed. Something that is not a regular file (a pipe,
/// /dev/null) is written directly.
class AtomicFileWriter {
public:
  AtomicFileWriter() = default;
  AtomicFileWriter(const AtomicFileWriter &) = delete;
  AtomicFileWriter &operator=(const AtomicFileWriter &) = delete;
  ~AtomicFileWriter();

  bool open(const std::string &path, std::string &error);
  bool write(const void *data, size_t size, std::string &error);
  bool commit(std::string &error);

private:
  bool fail(const char *action, int code, std::string &error);

  int descriptor = -1;
  std::string path;      // as given, for messages
  std::string target;    // symbolic links resolved
  std::string temporary; // empty: written directly
};

/// Gives `bytes` the size `size`; false, instead of the end of the process, if
/// the memory cannot be had.
bool resizeBytes(std::vector<uint8_t> &bytes, uint64_t size);

/// Whether a file of that name could be written now: to learn it before hours
/// of work rather than after them. Leaves everything as it was.
bool checkWritable(const std::string &path, std::string &error);

bool isDirectory(const std::string &path);
bool fileExists(const std::string &path);
/// The names in a directory, sorted, without . and ..
std::optional<std::vector<std::string>> listDirectory(const std::string &path,
                                                      std::string &error);
/// The text without control characters: names that come from a file must not
/// break a message into lines.
std::string printable(std::string text);
/// The part after the last '/'.
std::string baseName(const std::string &path);
bool endsWith(const std::string &text, const char *suffix);

} // namespace mpt::data

#endif // MPT_DATA_FILEIO_H
