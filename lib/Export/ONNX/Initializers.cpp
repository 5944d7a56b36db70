//===- Initializers.cpp - Constants and weights of exported models --------===//

#include "Exporter.h"
#include "mpt/Support/Half.h"

using namespace mlir;

namespace mpt::exporter {

static size_t bytesPerElement(Type type) {
  return type.isInteger(1) ? 1 : type.getIntOrFloatBitWidth() / 8;
}

/// Row-major little-endian bytes; a bool takes one.
static std::string rawBytes(DenseElementsAttr elements) {
  Type type = elements.getElementType();
  std::string bytes;
  if (type.isInteger(1)) {
    for (bool element : elements.getValues<bool>())
      bytes.push_back(element ? 1 : 0);
    return bytes;
  }
  ArrayRef<char> raw = elements.getRawData();
  int64_t repeats = elements.isSplat() ? elements.getNumElements() : 1;
  bytes.reserve(raw.size() * repeats);
  for (int64_t i = 0; i < repeats; ++i)
    bytes.append(raw.data(), raw.size());
  return bytes;
}

void Exporter::addInitializer(const std::string &name, RankedTensorType type,
                              Bytes bytes) {
  auto *tensor = model.mutable_graph()->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(onnxElementType(type.getElementType()));
  for (int64_t extent : type.getShape())
    tensor->add_dims(extent);
  if (bytes.file.empty())
    bytes.length = bytes.owned.size();
  weights.push_back(std::move(bytes));
}

/// Larger constants of one number are written as that number.
static constexpr int64_t kMostSplatElements = 4096;

std::string Exporter::splat(DenseElementsAttr elements) {
  auto type = llvm::cast<RankedTensorType>(elements.getType());
  std::string bytes =
      std::string(elements.getRawData().data(), elements.getRawData().size());
  std::string key =
      "splat " + std::to_string(onnxElementType(type.getElementType()));
  for (int64_t extent : type.getShape())
    key += "," + std::to_string(extent);
  key += ":" + bytes;
  auto known = constants.find(key);
  if (known != constants.end())
    return known->second;
  onnx::AttributeProto value;
  value.set_name("value");
  value.set_type(onnx::AttributeProto::TENSOR);
  value.mutable_t()->set_data_type(onnxElementType(type.getElementType()));
  value.mutable_t()->add_dims(1);
  value.mutable_t()->set_raw_data(bytes);
  return constants[key] =
             emit("ConstantOfShape", {ints(type.getShape())}, {value});
}

std::string Exporter::constant(DenseElementsAttr elements) {
  auto type = llvm::cast<RankedTensorType>(elements.getType());
  // A node of a subgraph cannot be read outside, as an initializer can.
  if (elements.isSplat() && type.getNumElements() > kMostSplatElements &&
      !type.getElementType().isInteger(1) && graph == model.mutable_graph())
    return splat(elements);
  std::string bytes = rawBytes(elements);
  std::string key = std::to_string(onnxElementType(type.getElementType()));
  for (int64_t extent : type.getShape())
    key += "," + std::to_string(extent);
  key += ":" + bytes;
  auto [it, isNew] = constants.try_emplace(key);
  if (!isNew)
    return it->second;
  it->second = uniqueName("constant");
  addInitializer(it->second, type, {std::move(bytes), "", 0, 0});
  return it->second;
}

std::string Exporter::ints(ArrayRef<int64_t> values) {
  auto type = RankedTensorType::get({static_cast<int64_t>(values.size())},
                                    IntegerType::get(module.getContext(), 64));
  return constant(DenseElementsAttr::get(type, values));
}

std::string Exporter::scalar(Type element, double value) {
  Builder builder(module.getContext());
  Attribute attribute = isa<FloatType>(element)
                            ? Attribute(builder.getFloatAttr(element, value))
                            : Attribute(builder.getIntegerAttr(
                                  element, static_cast<int64_t>(value)));
  return constant(
      DenseElementsAttr::get(RankedTensorType::get({}, element), attribute));
}

std::string Exporter::boolean(bool value) {
  return scalar(IntegerType::get(module.getContext(), 1), value);
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

LogicalResult Exporter::map(const std::string &file, Operation *where,
                            const data::MappedFile *&mapped) {
  auto it = files.find(file);
  if (it == files.end()) {
    std::string error;
    auto opened = data::MappedFile::open(file, error);
    if (!opened)
      return where->emitOpError("has its value in a file: ") << error;
    it = files.emplace(file, std::move(*opened)).first;
  }
  mapped = &it->second;
  return success();
}

LogicalResult Exporter::readParameter(nn::ParameterOp parameter, Bytes &bytes) {
  if (auto elements = dyn_cast<DenseElementsAttr>(*parameter.getValue())) {
    bytes.owned = rawBytes(elements);
    return success();
  }
  auto external = dyn_cast<nn::ExternalAttr>(*parameter.getValue());
  if (!external)
    return parameter.emitOpError("has a value of an unknown kind");
  const data::MappedFile *mapped = nullptr;
  if (failed(map(external.getFile().str(), parameter, mapped)))
    return failure();
  if (external.getOffset() > mapped->size() ||
      external.getLength() > mapped->size() - external.getOffset())
    return parameter.emitOpError("has its value behind the end of '")
           << external.getFile() << "'";
  bytes.file = external.getFile().str();
  bytes.offset = external.getOffset();
  bytes.length = external.getLength();
  return success();
}

/// f32 bytes rounded to 16 bits.
static std::string roundBytes(const char *bytes, size_t count, Type element) {
  std::string rounded(count * 2, 0);
  for (size_t i = 0; i < count; ++i) {
    float value;
    std::memcpy(&value, bytes + i * sizeof(float), sizeof(float));
    uint16_t bits = element.isF16() ? encodeF16(value) : encodeBF16(value);
    std::memcpy(rounded.data() + i * 2, &bits, 2);
  }
  return rounded;
}

/// The type that an operand has in the ONNX node: behind a cast that only it
/// reads, or, for scale and shift of a normalization, that of the data.
static Type typeInNode(OpOperand &use) {
  Operation *user = use.getOwner();
  if (auto cast = dyn_cast<mp::CastOp>(user))
    return elementOf(cast.getResult());
  if (isa<nn::LayerNormOp, nn::RMSNormOp, nn::GroupNormOp>(user) &&
      use.getOperandNumber() > 0)
    return elementOf(user->getOperand(0));
  return {};
}

/// A parameter that all its users read in one other type has that type in the
/// file.
Type Exporter::storedType(BlockArgument argument) const {
  Type type;
  for (OpOperand &use : argument.getUses()) {
    if (dead.contains(use.getOwner()))
      continue;
    Type used = typeInNode(use);
    if (!used || (type && type != used))
      return {};
    type = used;
  }
  return type;
}

LogicalResult Exporter::addParameter(unsigned index, BlockArgument argument,
                                     nn::ParameterOp parameter) {
  auto type = dyn_cast<RankedTensorType>(argument.getType());
  if (!type || !type.hasStaticShape() ||
      !onnxElementType(type.getElementType()))
    return parameter.emitOpError("has a type that ONNX does not know");
  Bytes bytes;
  if (failed(readParameter(parameter, bytes)))
    return failure();
  if (bytes.file.empty())
    bytes.length = bytes.owned.size();
  if (bytes.length !=
      type.getNumElements() * bytesPerElement(type.getElementType()))
    return parameter.emitOpError("has a value of another size than its type");
  auto isLive = [&](Operation *user) { return !dead.contains(user); };
  if (!argument.use_empty() && llvm::none_of(argument.getUsers(), isLive))
    return success();
  std::string name = names[argument];
  const char *data = bytes.owned.data();
  if (!bytes.file.empty())
    data = reinterpret_cast<const char *>(files.at(bytes.file).data()) +
           bytes.offset;
  auto round = [&](Type stored) -> Bytes {
    return {roundBytes(data, type.getNumElements(), stored), "", 0, 0};
  };
  Type stored = storedType(argument);
  if (!stored && type.getElementType().isF32())
    // Read in both precisions: a copy costs less than a cast in every run.
    for (Operation *user : argument.getUsers()) {
      Type element =
          isa<mp::CastOp>(user) ? elementOf(user->getResult(0)) : Type();
      if (!element || !isLive(user) || !(element.isF16() || element.isBF16()))
        continue;
      std::string copy =
          uniqueName(name + (element.isF16() ? "_f16" : "_bf16"));
      addInitializer(copy, type.clone(element), round(element));
      names[user->getResult(0)] = copy;
    }
  if (stored && type.getElementType().isF32() &&
      (stored.isF16() || stored.isBF16())) {
    bytes = round(stored);
    type = RankedTensorType::get(type.getShape(), stored);
    storedTypes[argument] = stored;
    for (Operation *user : argument.getUsers())
      if (isa<mp::CastOp>(user))
        names[user->getResult(0)] = name;
  }
  addInitializer(name, type, std::move(bytes));
  return success();
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

/// Offsets of external data are multiples of a page.
static constexpr uint64_t kAlignment = 4096;

/// Writes the large initializers to `path`, which the model names.
LogicalResult Exporter::moveToFile(const std::string &path,
                                   const ExportOptions &options,
                                   data::AtomicFileWriter &writer) {
  std::string error;
  if (!writer.open(path, error))
    return emitError(module.getLoc(), error);
  uint64_t offset = 0;
  static const char zeros[kAlignment] = {};
  for (auto [tensor, bytes] :
       llvm::zip_equal(*graph->mutable_initializer(), weights)) {
    if (bytes.length < options.externalTensorBytes)
      continue;
    uint64_t padding = (kAlignment - offset % kAlignment) % kAlignment;
    const void *data = bytes.file.empty()
                           ? static_cast<const void *>(bytes.owned.data())
                           : files.at(bytes.file).data() + bytes.offset;
    if (!writer.write(zeros, padding, error) ||
        !writer.write(data, bytes.length, error))
      return emitError(module.getLoc(), error);
    offset += padding;
    auto add = [&tensor = tensor](const char *key, const std::string &value) {
      auto *entry = tensor.add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    };
    add("location", data::baseName(path));
    add("offset", std::to_string(offset));
    add("length", std::to_string(bytes.length));
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    offset += bytes.length;
  }
  return success();
}

LogicalResult Exporter::inlineBytes() {
  for (auto [tensor, bytes] :
       llvm::zip_equal(*graph->mutable_initializer(), weights)) {
    if (tensor.data_location() == onnx::TensorProto::EXTERNAL)
      continue;
    if (bytes.file.empty())
      tensor.set_raw_data(std::move(bytes.owned));
    else
      tensor.set_raw_data(files.at(bytes.file).data() + bytes.offset,
                          bytes.length);
  }
  return success();
}

LogicalResult Exporter::write(StringRef path, const ExportOptions &options) {
  uint64_t total = 0;
  for (const Bytes &bytes : weights)
    total += bytes.length;
  data::AtomicFileWriter dataWriter, modelWriter;
  bool isSplit = total > options.maxInlineBytes;
  if (isSplit && failed(moveToFile(path.str() + ".data", options, dataWriter)))
    return failure();
  if (failed(inlineBytes()))
    return failure();
  std::string bytes, error;
  if (model.ByteSizeLong() > INT32_MAX || !model.SerializeToString(&bytes))
    return emitError(module.getLoc())
           << path << ": the model is too large for one file";
  if (!modelWriter.open(path.str(), error) ||
      !modelWriter.write(bytes.data(), bytes.size(), error) ||
      (isSplit && !dataWriter.commit(error)) || !modelWriter.commit(error))
    return emitError(module.getLoc(), error);
  return success();
}

} // namespace mpt::exporter

namespace mpt {

LogicalResult exportONNX(ModuleOp module, StringRef functionName,
                         StringRef path, const ExportOptions &options) {
  func::FuncOp function;
  std::string wanted = functionName.empty() ? "forward" : functionName.str();
  int64_t count = 0;
  func::FuncOp only;
  for (auto candidate : module.getOps<func::FuncOp>()) {
    if (candidate.getName() == wanted)
      function = candidate;
    only = candidate;
    ++count;
  }
  if (!function && functionName.empty() && count == 1)
    function = only;
  if (!function || function.isExternal())
    return emitError(module.getLoc())
           << "the module has no function '" << wanted << "' to export";
  exporter::Exporter exporter(module, function);
  if (failed(exporter.run()))
    return failure();
  return exporter.write(path, options);
}

} // namespace mpt
