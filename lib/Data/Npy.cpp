//===- Npy.cpp - numpy's .npy files ---------------------------------------===//

#include "NpyFormat.h"
#include "mpt/Data/FileIO.h"

#include <algorithm>
#include <cctype>
#include <cstring>

namespace mpt::data {
namespace {

constexpr char magic[] = "\x93NUMPY";
constexpr size_t magicSize = 6;

/// What the dictionary in front of the data says.
struct NpyHeader {
  std::string descr;
  bool hasDescr = false, hasOrder = false, hasShape = false;
  bool fortranOrder = false;
  std::vector<int64_t> shape;
};

/// The Python literal `{'descr': '<f4', 'fortran_order': False, 'shape':
/// (3,)}`.
class HeaderParser {
public:
  HeaderParser(const char *begin, const char *end) : cursor(begin), end(end) {}

  /// Returns an empty string or what is wrong.
  std::string parse(NpyHeader &header) {
    if (!consume('{'))
      return "header is not a dictionary";
    while (!consume('}')) {
      std::string key;
      if (!parseString(key) || !consume(':'))
        return "header is malformed";
      if (key == "descr") {
        if (peek() == '[')
          return "structured arrays are not supported; save one array per "
                 "field";
        if (!parseString(header.descr))
          return "header has no valid 'descr'";
        header.hasDescr = true;
      } else if (key == "fortran_order") {
        if (consumeWord("True"))
          header.fortranOrder = true;
        else if (!consumeWord("False"))
          return "header has no valid 'fortran_order'";
        header.hasOrder = true;
      } else if (key == "shape") {
        if (!parseShape(header.shape))
          return "header has no valid 'shape'";
        header.hasShape = true;
      } else {
        return "header has an unknown key '" + printable(key) + "'";
      }
      if (!consume(',') && peek() != '}')
        return "header is malformed";
    }
    if (!header.hasDescr || !header.hasOrder || !header.hasShape)
      return "header lacks 'descr', 'fortran_order' or 'shape'";
    return {};
  }

  static std::string printable(std::string text) {
    for (char &c : text)
      if (!std::isprint(static_cast<unsigned char>(c)))
        c = '?';
    return text.substr(0, 40);
  }

private:
  char peek() {
    while (cursor != end && std::isspace(static_cast<unsigned char>(*cursor)))
      ++cursor;
    return cursor == end ? '\0' : *cursor;
  }
  bool consume(char c) {
    if (peek() != c || cursor == end)
      return false;
    ++cursor;
    return true;
  }
  bool consumeWord(std::string_view word) {
    peek();
    if (static_cast<size_t>(end - cursor) < word.size() ||
        std::string_view(cursor, word.size()) != word)
      return false;
    cursor += word.size();
    return true;
  }
  bool parseString(std::string &text) {
    char quote = peek();
    if (quote != '\'' && quote != '"')
      return false;
    const char *close = std::find(cursor + 1, end, quote);
    if (close == end)
      return false;
    text.assign(cursor + 1, close);
    cursor = close + 1;
    return true;
  }
  bool parseShape(std::vector<int64_t> &shape) {
    if (!consume('('))
      return false;
    while (!consume(')')) {
      if (!std::isdigit(static_cast<unsigned char>(peek())))
        return false;
      int64_t dim = 0;
      while (cursor != end && std::isdigit(static_cast<unsigned char>(*cursor)))
        if (__builtin_mul_overflow(dim, int64_t(10), &dim) ||
            __builtin_add_overflow(dim, int64_t(*cursor++ - '0'), &dim))
          return false;
      consume('L'); // a long of Python 2
      shape.push_back(dim);
      if (!consume(',') && peek() != ')')
        return false;
    }
    return true;
  }

  const char *cursor;
  const char *end;
};

/// The element type of a descr without its byte order.
std::optional<DType> parseTypeCode(std::string_view code) {
  static constexpr struct {
    std::string_view code;
    DType dtype;
  } table[] = {{"f8", DType::F64}, {"f4", DType::F32}, {"f2", DType::F16},
               {"i8", DType::I64}, {"i4", DType::I32}, {"i2", DType::I16},
               {"i1", DType::I8},  {"u1", DType::U8},  {"b1", DType::Bool}};
  for (const auto &entry : table)
    if (entry.code == code)
      return entry.dtype;
  return std::nullopt;
}

std::string_view typeCode(DType dtype) {
  switch (dtype) {
  case DType::F64:
    return "<f8";
  case DType::F32:
    return "<f4";
  case DType::F16:
    return "<f2";
  case DType::I64:
    return "<i8";
  case DType::I32:
    return "<i4";
  case DType::I16:
    return "<i2";
  case DType::I8:
    return "|i1";
  case DType::U8:
    return "|u1";
  case DType::Bool:
    return "|b1";
  case DType::BF16:
    break;
  }
  return {};
}

} // namespace

void swapBytes(std::vector<uint8_t> &bytes, size_t elementSize) {
  for (size_t i = 0; i + elementSize <= bytes.size(); i += elementSize)
    std::reverse(bytes.data() + i, bytes.data() + i + elementSize);
}

std::optional<HostTensor> parseNpy(const uint8_t *data, size_t size,
                                   const std::string &name,
                                   std::string &error) {
  auto fail = [&](const std::string &what) {
    error = name + ": " + what;
    return std::nullopt;
  };
  if (size < magicSize + 4)
    return fail("truncated: a .npy file has at least 10 bytes, this one " +
                std::to_string(size));
  if (std::memcmp(data, magic, magicSize) != 0)
    return fail("not a .npy file (wrong magic); write it with numpy.save");
  const unsigned version = data[6];
  if (version < 1 || version > 3)
    return fail(".npy version " + std::to_string(version) +
                " is not known (1 to 3 are)");
  const size_t lengthSize = version == 1 ? 2 : 4;
  const size_t headerStart = magicSize + 2 + lengthSize;
  if (size < headerStart)
    return fail("truncated in the header");
  uint64_t headerSize = 0;
  for (size_t i = 0; i < lengthSize; ++i)
    headerSize |= uint64_t(data[magicSize + 2 + i]) << (8 * i);
  if (headerSize > size - headerStart)
    return fail("truncated: the header has " + std::to_string(headerSize) +
                " bytes, the file " + std::to_string(size - headerStart) +
                " after its length; copy the file again");
  const char *headerBegin = reinterpret_cast<const char *>(data + headerStart);
  NpyHeader header;
  std::string problem =
      HeaderParser(headerBegin, headerBegin + headerSize).parse(header);
  if (!problem.empty())
    return fail(problem);

  std::string_view descr = header.descr;
  char order = '|';
  if (!descr.empty() && std::strchr("<>=|", descr[0])) {
    order = descr[0];
    descr.remove_prefix(1);
  }
  std::optional<DType> dtype = parseTypeCode(descr);
  if (!dtype)
    return fail("element type '" + HeaderParser::printable(header.descr) +
                "' is not supported; convert it with astype to bool, int8 to "
                "int64, uint8 or float16 to float64");
  // A vector is the same in either order.
  if (header.fortranOrder && header.shape.size() > 1)
    return fail(
        "array is in Fortran order; save numpy.ascontiguousarray of it");
  std::optional<uint64_t> byteSize = checkedByteSize(*dtype, header.shape);
  if (!byteSize)
    return fail("shape " + shapeString(header.shape) + " is too large");
  const uint64_t available = size - headerStart - headerSize;
  if (*byteSize != available)
    return fail("shape " + shapeString(header.shape) + " of " +
                std::string(dtypeName(*dtype)) + " needs " +
                std::to_string(*byteSize) + " bytes of data, the file has " +
                std::to_string(available) + "; write it again");
  HostTensor tensor;
  if (!resizeBytes(tensor.bytes, *byteSize))
    return fail("not enough memory for " + std::to_string(*byteSize) +
                " bytes");
  tensor.dtype = *dtype;
  tensor.shape = std::move(header.shape);
  if (*byteSize != 0)
    std::memcpy(tensor.bytes.data(), data + headerStart + headerSize,
                *byteSize);
  if (order == '>')
    swapBytes(tensor.bytes, elementSize(*dtype));
  return tensor;
}

std::optional<HostTensor> readNpy(const std::string &path, std::string &error) {
  std::optional<MappedFile> file = MappedFile::open(path, error);
  if (!file)
    return std::nullopt;
  return parseNpy(file->data(), file->size(), path, error);
}

std::optional<std::string> npyHeader(const HostTensor &tensor,
                                     const std::string &name,
                                     std::string &error) {
  std::string_view code = typeCode(tensor.dtype);
  if (code.empty()) {
    error = name + ": numpy has no " + std::string(dtypeName(tensor.dtype)) +
            "; convert to float32 first";
    return std::nullopt;
  }
  std::string shape = "(";
  for (int64_t dim : tensor.shape)
    shape += std::to_string(dim) + ",";
  shape += ")";
  std::string dictionary = "{'descr': '" + std::string(code) +
                           "', 'fortran_order': False, 'shape': " + shape +
                           ", }";
  // Version 2 has four bytes for the length; the data starts at a multiple of
  // 64, and a newline ends the padding.
  const size_t prefix = magicSize + (dictionary.size() > 60000 ? 6 : 4);
  const size_t total = (prefix + dictionary.size() + 1 + 63) / 64 * 64;
  dictionary.append(total - prefix - dictionary.size() - 1, ' ');
  dictionary += '\n';
  std::string header(magic, magicSize);
  header += static_cast<char>(prefix == magicSize + 4 ? 1 : 2);
  header += '\0';
  for (size_t i = 0; i < prefix - magicSize - 2; ++i)
    header += static_cast<char>((dictionary.size() >> (8 * i)) & 0xFF);
  return header + dictionary;
}

bool writeNpy(const std::string &path, const HostTensor &tensor,
              std::string &error) {
  std::optional<std::string> header = npyHeader(tensor, path, error);
  AtomicFileWriter writer;
  return header && writer.open(path, error) &&
         writer.write(header->data(), header->size(), error) &&
         writer.write(tensor.bytes.data(), tensor.bytes.size(), error) &&
         writer.commit(error);
}

} // namespace mpt::data
