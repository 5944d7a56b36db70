//===- StripWeights.cpp - A copy of a model without its weights -----------===//
//
// Walks the wire format (https://protobuf.dev/programming-guides/encoding) of a
// ModelProto down to its tensors, so that weights are neither parsed nor
// copied: a mapped file of gigabytes gives a model of kilobytes.
//
//===----------------------------------------------------------------------===//

#include "ModelFile.h"

using namespace llvm;

namespace mpt::importer {

namespace {

enum WireType { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };

struct Field {
  uint64_t number = 0;
  unsigned wireType = 0;
  uint64_t value = 0;             // of a varint
  const uint8_t *begin = nullptr; // of the whole field, its tag included
  const uint8_t *payload = nullptr;
  const uint8_t *end = nullptr;
};

class Reader {
public:
  Reader(const uint8_t *begin, const uint8_t *end) : next(begin), end(end) {}

  bool atEnd() const { return next == end; }

  bool read(Field &field) {
    uint64_t tag;
    field.begin = next;
    if (!readVarint(tag))
      return false;
    field.number = tag >> 3;
    field.wireType = tag & 7;
    field.payload = next;
    switch (field.wireType) {
    case Varint:
      if (!readVarint(field.value))
        return false;
      break;
    case Fixed64:
      if (!skip(8))
        return false;
      break;
    case Fixed32:
      if (!skip(4))
        return false;
      break;
    case Bytes: {
      uint64_t length;
      if (!readVarint(length))
        return false;
      field.payload = next;
      if (!skip(length))
        return false;
      break;
    }
    default: // groups occur in no ONNX message
      return false;
    }
    field.end = next;
    return field.number != 0;
  }

private:
  bool readVarint(uint64_t &value) {
    value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (next == end)
        return false;
      uint8_t byte = *next++;
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (!(byte & 0x80))
        return true;
    }
    return false;
  }
  bool skip(uint64_t count) {
    if (count > static_cast<uint64_t>(end - next))
      return false;
    next += count;
    return true;
  }

  const uint8_t *next, *end;
};

void appendVarint(std::string &out, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}
void appendBytes(std::string &out, uint64_t number, StringRef bytes) {
  appendVarint(out, number << 3 | Bytes);
  appendVarint(out, bytes.size());
  out.append(bytes.data(), bytes.size());
}

enum class Message { Model, Graph, Node, Attribute, Weight, ConstantTensor };

class Stripper {
public:
  explicit Stripper(const uint8_t *file) : file(file) {}

  bool copy(const uint8_t *begin, const uint8_t *end, Message message,
            std::string &out) {
    if (message == Message::Weight || message == Message::ConstantTensor)
      return copyTensor(begin, end, message, out);
    if (message == Message::Node && !isConstant(begin, end)) {
      out.append(reinterpret_cast<const char *>(begin), end - begin);
      return true;
    }
    Reader reader(begin, end);
    Field field;
    while (!reader.atEnd()) {
      if (!reader.read(field))
        return false;
      std::optional<Message> child = getChild(message, field);
      if (!child) {
        out.append(reinterpret_cast<const char *>(field.begin),
                   field.end - field.begin);
        continue;
      }
      std::string inner;
      if (!copy(field.payload, field.end, *child, inner))
        return false;
      appendBytes(out, field.number, inner);
    }
    return true;
  }

private:
  // The numbers of the fields are those of onnx.proto.
  static std::optional<Message> getChild(Message message, const Field &field) {
    if (field.wireType != Bytes)
      return std::nullopt;
    if (message == Message::Model && field.number == 7)
      return Message::Graph;
    if (message == Message::Graph && field.number == 1)
      return Message::Node;
    if (message == Message::Graph && field.number == 5)
      return Message::Weight;
    if (message == Message::Node && field.number == 5)
      return Message::Attribute;
    if (message == Message::Attribute && field.number == 5)
      return Message::ConstantTensor;
    return std::nullopt;
  }

  static bool isConstant(const uint8_t *begin, const uint8_t *end) {
    Reader reader(begin, end);
    Field field;
    while (!reader.atEnd() && reader.read(field))
      if (field.number == 4 && field.wireType == Bytes)
        return StringRef(reinterpret_cast<const char *>(field.payload),
                         field.end - field.payload) == "Constant";
    return false;
  }

  /// Does the tensor stay in the file? Small integers are needed for shapes.
  static bool staysInFile(uint64_t elementType, uint64_t length,
                          Message message) {
    bool isFloat = elementType == onnx::TensorProto::FLOAT ||
                   elementType == onnx::TensorProto::FLOAT16 ||
                   elementType == onnx::TensorProto::BFLOAT16 ||
                   elementType == onnx::TensorProto::DOUBLE;
    if (!isFloat)
      return elementType != onnx::TensorProto::STRING && length >= (1u << 20);
    return length >= (message == Message::Weight ? 64u : 2048u);
  }

  bool copyTensor(const uint8_t *begin, const uint8_t *end, Message message,
                  std::string &out) {
    uint64_t elementType = 0;
    Field field, raw;
    for (Reader reader(begin, end); !reader.atEnd();) {
      if (!reader.read(field))
        return false;
      if (field.number == 2 && field.wireType == Varint)
        elementType = field.value;
      if (field.number == 9 && field.wireType == Bytes)
        raw = field;
    }
    if (!raw.payload ||
        !staysInFile(elementType, raw.end - raw.payload, message)) {
      out.append(reinterpret_cast<const char *>(begin), end - begin);
      return true;
    }
    for (Reader reader(begin, end); !reader.atEnd();) {
      if (!reader.read(field))
        return false;
      bool dropped =
          field.number == 9 || field.number == 13 || field.number == 14;
      if (!dropped)
        out.append(reinterpret_cast<const char *>(field.begin),
                   field.end - field.begin);
    }
    appendEntry(out, "location", "");
    appendEntry(out, "offset", std::to_string(raw.payload - file));
    appendEntry(out, "length", std::to_string(raw.end - raw.payload));
    appendVarint(out, 14 << 3 | Varint);
    appendVarint(out, onnx::TensorProto::EXTERNAL);
    return true;
  }

  static void appendEntry(std::string &out, StringRef key, StringRef value) {
    std::string entry;
    appendBytes(entry, 1, key);
    appendBytes(entry, 2, value);
    appendBytes(out, 13, entry);
  }

  const uint8_t *file;
};

} // namespace

bool stripWeights(const uint8_t *data, size_t size, std::string &stripped) {
  return Stripper(data).copy(data, data + size, Message::Model, stripped);
}

} // namespace mpt::importer
