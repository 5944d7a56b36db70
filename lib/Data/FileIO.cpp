//===- FileIO.cpp - Mapped reading and atomic writing ---------------------===//

#include "mpt/Data/FileIO.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <new>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mpt::data {

//===----------------------------------------------------------------------===//
// MappedFile
//===----------------------------------------------------------------------===//

std::optional<MappedFile> MappedFile::open(const std::string &path,
                                           std::string &error) {
  auto fail = [&](const std::string &what) {
    error = path + ": " + what;
    return std::nullopt;
  };
  // Without O_NONBLOCK a FIFO would wait for a writer.
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return fail(std::string("cannot open: ") + std::strerror(errno));
  struct stat status;
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    return fail("is not a regular file");
  }
  MappedFile file;
  file.length = static_cast<size_t>(status.st_size);
  if (file.length != 0) {
    void *address =
        ::mmap(nullptr, file.length, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (address == MAP_FAILED) {
      int code = errno;
      file.length = 0;
      ::close(descriptor);
      return fail(std::string("cannot map: ") + std::strerror(code));
    }
    file.address = static_cast<uint8_t *>(address);
  }
  ::close(descriptor);
  return file;
}

MappedFile::MappedFile(MappedFile &&other) noexcept
    : address(other.address), length(other.length) {
  other.address = nullptr;
  other.length = 0;
}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(address, other.address);
  std::swap(length, other.length);
  return *this;
}

MappedFile::~MappedFile() {
  if (address)
    ::munmap(address, length);
}

//===----------------------------------------------------------------------===//
// AtomicFileWriter
//===----------------------------------------------------------------------===//

bool AtomicFileWriter::fail(const char *action, int code, std::string &error) {
  error = path + ": cannot " + action + ": " + std::strerror(code);
  if (!temporary.empty() && fileExists(target))
    error += "; the previous file is unchanged";
  return false;
}

bool AtomicFileWriter::open(const std::string &outputPath, std::string &error) {
  path = target = outputPath;
  // Rename would replace a symbolic link instead of the file it points to.
  if (char *resolved = ::realpath(path.c_str(), nullptr)) {
    target = resolved;
    std::free(resolved);
  }
  struct stat status;
  const bool exists = ::stat(target.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode))
    return fail("write", EISDIR, error);
  if (exists && !S_ISREG(status.st_mode)) {
    descriptor = ::open(target.c_str(), O_WRONLY | O_CLOEXEC);
    return descriptor >= 0 || fail("open for writing", errno, error);
  }
  static std::atomic<unsigned> counter{0};
  temporary = target + ".tmp-" + std::to_string(::getpid()) + "-" +
              std::to_string(counter.fetch_add(1));
  descriptor = ::open(temporary.c_str(),
                      O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                      exists ? status.st_mode & 0777 : 0666);
  if (descriptor >= 0)
    return true;
  int code = errno;
  temporary.clear();
  return fail("create", code, error);
}

bool AtomicFileWriter::write(const void *data, size_t size,
                             std::string &error) {
  const auto *bytes = static_cast<const uint8_t *>(data);
  while (size != 0) {
    // The kernel takes at most 2 GiB at a time.
    ssize_t written =
        ::write(descriptor, bytes, std::min<size_t>(size, size_t(1) << 30));
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return fail("write", errno, error);
    bytes += written;
    size -= static_cast<size_t>(written);
  }
  return true;
}

bool AtomicFileWriter::commit(std::string &error) {
  if (temporary.empty()) {
    int code = ::close(descriptor) == 0 ? 0 : errno;
    descriptor = -1;
    return code == 0 || fail("write", code, error);
  }
  if (::fsync(descriptor) != 0)
    return fail("write", errno, error);
  int closed = ::close(descriptor);
  descriptor = -1;
  if (closed != 0)
    return fail("write", errno, error);
  if (::rename(temporary.c_str(), target.c_str()) != 0)
    return fail("replace", errno, error);
  temporary.clear();
  // The new name reaches the disk with the folder. Some file systems cannot
  // synchronize a folder; the file itself is complete by now.
  size_t slash = target.rfind('/');
  std::string folder = slash == std::string::npos ? "."
                       : slash == 0               ? "/"
                                                  : target.substr(0, slash);
  int folderDescriptor =
      ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folderDescriptor >= 0) {
    (void)::fsync(folderDescriptor);
    ::close(folderDescriptor);
  }
  return true;
}

AtomicFileWriter::~AtomicFileWriter() {
  if (descriptor >= 0)
    ::close(descriptor);
  if (!temporary.empty())
    ::unlink(temporary.c_str());
}

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

bool resizeBytes(std::vector<uint8_t> &bytes, uint64_t size) {
  if (size <= bytes.capacity()) {
    bytes.resize(size);
    return true;
  }
  // std::vector has no way to report failure without exceptions: try first. An
  // allocation of this size right after cannot fail (the address space is
  // free).
  if (size > static_cast<uint64_t>(PTRDIFF_MAX))
    return false;
  void *trial = ::operator new(size, std::nothrow);
  if (!trial)
    return false;
  ::operator delete(trial);
  bytes.resize(size);
  return true;
}

bool checkWritable(const std::string &path, std::string &error) {
  AtomicFileWriter trial;
  return trial.open(path, error);
}

bool isDirectory(const std::string &path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool fileExists(const std::string &path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0;
}

std::optional<std::vector<std::string>> listDirectory(const std::string &path,
                                                      std::string &error) {
  DIR *directory = ::opendir(path.c_str());
  if (!directory) {
    error = path + ": cannot read the directory: " + std::strerror(errno);
    return std::nullopt;
  }
  std::vector<std::string> names;
  while (struct dirent *entry = ::readdir(directory)) {
    std::string name = entry->d_name;
    if (name != "." && name != "..")
      names.push_back(std::move(name));
  }
  ::closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

std::string printable(std::string text) {
  for (char &c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      c = '?';
  return text;
}

std::string baseName(const std::string &path) {
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

bool endsWith(const std::string &text, const char *suffix) {
  const size_t length = std::strlen(suffix);
  return text.size() >= length &&
         text.compare(text.size() - length, length, suffix) == 0;
}

} // namespace mpt::data
