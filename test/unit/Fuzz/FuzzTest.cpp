//===- FuzzTest.cpp - Damaged input never crashes and gives one line ------===//
//
// Mutates valid files and expressions with a fixed seed: the same inputs every
// time, in a few seconds. Meant to be run under the asan preset as well. Each
// reader must either succeed with consistent sizes or return one line that
// names the file.
//
//===----------------------------------------------------------------------===//

#include "../Data/TestFiles.h"
#include "mpt/Data/Dataset.h"
#include "mpt/Data/Idx.h"
#include "mpt/Data/Npy.h"
#include "mpt/Data/Safetensors.h"
#include "mpt/Support/CallExpression.h"

#include <map>
#include <random>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

using namespace mpt;
using namespace mpt::data;
using namespace mpt::test;

namespace {

class Mutator {
public:
  explicit Mutator(unsigned seed) : generator(seed) {}

  size_t below(size_t limit) { return limit == 0 ? 0 : generator() % limit; }

  /// A few random edits of one of the corpus's inputs.
  std::string mutate(const std::vector<std::string> &corpus,
                     const std::vector<std::string> &dictionary) {
    std::string text = corpus[below(corpus.size())];
    for (size_t edits = 1 + below(4); edits != 0; --edits) {
      const size_t at = below(text.size() + 1);
      switch (below(8)) {
      case 0: // a bit
        if (at < text.size())
          text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
      case 1: // a byte
        if (at < text.size())
          text[at] = static_cast<char>(generator());
        break;
      case 2: // the end
        text.resize(at);
        break;
      case 3: // some bytes less
        text.erase(at, below(16));
        break;
      case 4: // some bytes twice
        text.insert(at, text.substr(at, below(32)));
        break;
      case 5: // an integer at a limit
      {
        static constexpr uint64_t limits[] = {
            0,         1,          0x7F,       0xFF,
            0xFFFF,    0x7FFFFFFF, 0xFFFFFFFF, 0x100000000,
            INT64_MAX, UINT64_MAX, 100000000,  0x0100000001000000};
        const uint64_t value = limits[below(std::size(limits))];
        for (size_t i = 0, size = size_t(1) << below(4);
             i < size && at + i < text.size(); ++i)
          text[at + i] = static_cast<char>(value >> (8 * i));
        break;
      }
      case 6: // a word of the format
        if (!dictionary.empty())
          text.insert(at, dictionary[below(dictionary.size())]);
        break;
      case 7: // a word of the format over what is there
        if (!dictionary.empty()) {
          const std::string &word = dictionary[below(dictionary.size())];
          text.replace(at, word.size(), word);
        }
        break;
      }
    }
    return text;
  }

private:
  std::mt19937 generator;
};

/// A file in memory with a name: a disk would take minutes for what takes
/// seconds here.
class MemoryFile {
public:
  MemoryFile() : descriptor(::memfd_create("mpt-fuzz", MFD_CLOEXEC)) {
    path = "/proc/self/fd/" + std::to_string(descriptor);
  }
  ~MemoryFile() { ::close(descriptor); }
  void assign(const std::string &bytes) {
    ASSERT_EQ(::ftruncate(descriptor, 0), 0);
    ASSERT_EQ(::pwrite(descriptor, bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
  }
  std::string path;

private:
  int descriptor;
};

void expectConsistent(DType dtype, const std::vector<int64_t> &shape,
                      size_t bytes) {
  std::optional<uint64_t> want = checkedByteSize(dtype, shape);
  ASSERT_TRUE(want);
  ASSERT_EQ(*want, bytes);
}

/// Runs `read(error)`, which returns whether it succeeded, and looks at the
/// error if it did not. Counts, so that a test notices when mutations never
/// reach the deeper checks.
struct Tally {
  int succeeded = 0, failed = 0;
  std::map<std::string, int> messages; // without digits: kinds of messages

  template <typename Read> void run(const std::string &file, Read read) {
    std::string error;
    if (read(error)) {
      ++succeeded;
      return;
    }
    ++failed;
    ASSERT_EQ(error.rfind(file, 0), 0u) << error;
    ASSERT_GT(error.size(), file.size() + 2) << error;
    ASSERT_EQ(error.find('\n'), std::string::npos) << error;
    std::string kind;
    for (char c : error.substr(file.size()))
      if (!std::isdigit(static_cast<unsigned char>(c)))
        kind += c;
    if (messages.size() < 1000)
      ++messages[kind];
  }
};

std::string gzip(const std::string &bytes, const std::string &path) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  return readFile(path);
}

TEST(Fuzz, Npy) {
  TemporaryDirectory directory;
  std::vector<std::string> corpus;
  std::string error;
  for (DType dtype : {DType::F32, DType::F64, DType::I64, DType::Bool}) {
    HostTensor tensor(dtype, {2, 3});
    ASSERT_TRUE(writeNpy(directory / "a.npy", tensor, error)) << error;
    corpus.push_back(readFile(directory / "a.npy"));
  }
  const std::vector<std::string> words = {"'descr'",
                                          "'shape'",
                                          "'fortran_order'",
                                          "(2, 3)",
                                          "True",
                                          "99999999999999999999",
                                          "'>f8'",
                                          "4294967296, ",
                                          "{",
                                          "}",
                                          "'",
                                          "(",
                                          "|O",
                                          ",",
                                          "[('a', '<f4')]"};
  Mutator mutator(1);
  Tally tally;
  for (int i = 0; i < 100000 && !HasFatalFailure(); ++i) {
    const std::string bytes = mutator.mutate(corpus, words);
    tally.run("a.npy: ", [&](std::string &error) {
      std::optional<HostTensor> tensor =
          parseNpy(reinterpret_cast<const uint8_t *>(bytes.data()),
                   bytes.size(), "a.npy", error);
      if (tensor)
        expectConsistent(tensor->dtype, tensor->shape, tensor->bytes.size());
      return tensor.has_value();
    });
  }
  EXPECT_GT(tally.succeeded, 1000);
  EXPECT_GT(tally.messages.size(), 10u);
}

TEST(Fuzz, Npz) {
  TemporaryDirectory directory;
  const std::string path = directory / "a.npz";
  std::string error;
  NamedTensors tensors;
  tensors.emplace_back("x", HostTensor(DType::F32, {4}));
  tensors.emplace_back("labels", HostTensor(DType::I64, {2, 2}));
  ASSERT_TRUE(writeNpz(path, tensors, error)) << error;
  const std::vector<std::string> corpus = {readFile(path)};
  const std::vector<std::string> words = {std::string("PK\x03\x04"),
                                          std::string("PK\x01\x02"),
                                          std::string("PK\x05\x06"),
                                          std::string("\x08\x00", 2),
                                          "x.npy",
                                          "NUMPY"};
  Mutator mutator(2);
  MemoryFile file;
  Tally tally;
  for (int i = 0; i < 10000 && !HasFatalFailure(); ++i) {
    file.assign(mutator.mutate(corpus, words));
    tally.run(file.path, [&](std::string &error) {
      std::optional<NamedTensors> read = readNpz(file.path, error);
      if (read)
        for (const auto &[name, tensor] : *read)
          expectConsistent(tensor.dtype, tensor.shape, tensor.bytes.size());
      return read.has_value();
    });
  }
  EXPECT_GT(tally.succeeded, 100);
  EXPECT_GT(tally.messages.size(), 5u);
}

TEST(Fuzz, Idx) {
  TemporaryDirectory directory;
  const std::string path = directory / "i";
  std::vector<std::string> corpus = {
      idxFile(0x08, {2, 3}, "abcdef"),
      idxFile(0x0D, {2, 2}, std::string(16, 'x')),
      idxFile(0x0B, {3}, "abcdef")};
  corpus.push_back(gzip(corpus[0], path));
  corpus.push_back(
      gzip(idxFile(0x08, {300, 10}, std::string(3000, 'q')), path));
  Mutator mutator(3);
  MemoryFile file;
  Tally tally;
  for (int i = 0; i < 20000 && !HasFatalFailure(); ++i) {
    file.assign(mutator.mutate(corpus, {}));
    tally.run(file.path, [&](std::string &error) {
      std::optional<HostTensor> tensor = readIdx(file.path, error);
      if (tensor)
        expectConsistent(tensor->dtype, tensor->shape, tensor->bytes.size());
      return tensor.has_value();
    });
  }
  EXPECT_GT(tally.succeeded, 100);
  EXPECT_GT(tally.messages.size(), 5u);
}

TEST(Fuzz, Safetensors) {
  TemporaryDirectory directory;
  const std::string path = directory / "s";
  HostTensor weight(DType::F32, {2, 3}), bias(DType::F16, {3});
  std::string error;
  ASSERT_TRUE(writeSafetensors(path, {view("w", weight), view("b", bias)},
                               {{"step", "3"}}, error))
      << error;
  const std::vector<std::string> corpus = {readFile(path)};
  const std::vector<std::string> words = {"\"dtype\"",
                                          "\"shape\":[",
                                          "\"data_offsets\":[0,24]",
                                          "__metadata__",
                                          "\"w\":",
                                          "-1",
                                          "1e999",
                                          "[[[[",
                                          "18446744073709551615",
                                          "\\u0000",
                                          "\"BF16\"",
                                          "{}",
                                          "9223372036854775807",
                                          "null",
                                          "\xff"};
  Mutator mutator(4);
  MemoryFile memory;
  Tally tally;
  for (int i = 0; i < 30000 && !HasFatalFailure(); ++i) {
    std::string bytes = mutator.mutate(corpus, words);
    // Half of the time the length is right, so that the JSON is reached.
    const size_t close = bytes.rfind("}}");
    if (i % 2 && close != std::string::npos && close > 8) {
      const uint64_t header = close + 2 - 8;
      for (int k = 0; k < 8; ++k)
        bytes[k] = static_cast<char>(header >> (8 * k));
    }
    memory.assign(bytes);
    tally.run(memory.path, [&](std::string &error) {
      std::optional<SafetensorsFile> file =
          SafetensorsFile::open(memory.path, error);
      if (!file)
        return false;
      // Touches every byte: one outside of the mapping would end the process.
      unsigned sum = 0;
      for (const TensorView &view : file->tensors()) {
        expectConsistent(view.dtype, view.shape, view.size);
        for (size_t k = 0; k < view.size; ++k)
          sum += static_cast<const uint8_t *>(view.data)[k];
      }
      volatile unsigned sink = sum;
      (void)sink;
      return true;
    });
  }
  EXPECT_GT(tally.succeeded, 100);
  EXPECT_GT(tally.messages.size(), 10u);
}

TEST(Fuzz, CallExpression) {
  const std::vector<std::string> corpus = {
      "cross_entropy(logits, labels, axis=-1, ignore_index=-100)",
      "cross_entropy(logits, labels) + 0.4*cross_entropy(aux, labels)",
      "adamw(lr=1e-3, betas=(0.9,0.999), eps=1e-8, weight_decay=0.01)",
      "sgd(lr=0.1, momentum=0.9, nesterov=true)",
      "/loss/out",
      "'a b'(x)"};
  const std::vector<std::string> words = {
      "(",  ")",    "((",     ",",     "=",   "+",
      "-",  "*",    "1e",     "1e999", ".",   "'",
      "\"", "true", "betas=", "0x1",   "nan", std::string(1, '\0')};
  Mutator mutator(5);
  int parsed = 0, bound = 0;
  std::map<std::string, int> kinds;
  for (int i = 0; i < 200000; ++i) {
    const std::string text = mutator.mutate(corpus, words);
    std::string error;
    std::optional<CallExpression> expression =
        CallExpression::parse(text, error);
    if (!expression) {
      ASSERT_NE(error.find(" (column "), std::string::npos) << error;
      ASSERT_EQ(error.find('\n'), std::string::npos) << error;
      ++kinds[error.substr(0, error.find(" (column "))];
      continue;
    }
    ++parsed;
    ASSERT_FALSE(expression->terms.empty());
    for (const CallTerm &term : expression->terms) {
      ASSERT_FALSE(term.name.empty());
      CallArguments args(*expression, term);
      args.requireName("logits");
      args.getName("labels", "");
      args.getInteger("axis", -1);
      args.getNumber("lr", 1);
      args.getTuple("betas", {0.9, 0.999});
      args.getBoolean("nesterov", false);
      args.getChoice("reduction", "mean", {"mean", "sum"});
      if (args.finish(error))
        ++bound;
      else
        ASSERT_EQ(error.find('\n'), std::string::npos) << error;
    }
  }
  EXPECT_GT(parsed, 10000);
  EXPECT_GT(bound, 1000);
  EXPECT_GT(kinds.size(), 10u);
}

} // namespace
