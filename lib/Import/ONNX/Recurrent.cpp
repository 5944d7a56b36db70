//===- Recurrent.cpp - RNN, GRU and LSTM ----------------------------------===//
//
// A recurrent layer is unrolled over its steps (docs/Rationale/Recurrence.md):
// the products with the inputs of all steps are one nn.matmul, every step is
// one more with the state and elementwise operations. The equations are those
// of the ONNX operators.
//
//===----------------------------------------------------------------------===//

#include "Node.h"

using namespace mlir;

namespace mpt::importer {

namespace {

/// An activation with its parameters.
struct Activation {
  std::string name; // lower case
  double alpha = 0, beta = 0;
};

/// The tensors of one direction.
struct Direction {
  bool isReverse = false;
  Value recurrent;                 // [gates * H, H]
  SmallVector<Value> inputs;       // per step, [B, gates * H], biases included
  Value recurrentBias;             // [gates * H], where it stays apart
  SmallVector<Value, 3> peepholes; // [H] each
  SmallVector<Activation, 3> activations;
  Value hidden, cell; // [B, H]
};

/// A layer being unrolled.
class Layer {
public:
  Layer(Node &node, int64_t gates, unsigned activations)
      : node(node), gates(gates), numActivations(activations) {}

  Outcome import();

protected:
  virtual ~Layer() = default;
  virtual ArrayRef<StringRef> defaultActivations() const = 0;
  /// Whether the second half of the biases may be added to the first.
  virtual bool mergesBiases() const { return true; }
  virtual bool hasCell() const { return false; }
  /// One step: `gate` is what the inputs give; updates hidden (and cell).
  virtual void step(const Direction &direction, Value gate, Value &hidden,
                    Value &cell) = 0;

  Value add(Value a, Value b) { return node.create<nn::AddOp>({a, b}); }
  Value multiply(Value a, Value b) { return node.create<nn::MulOp>({a, b}); }
  Value activate(const Activation &activation, Value x);
  /// `count` equal parts of the last axis.
  SmallVector<Value> splitGates(Value value, int64_t count);
  /// state [B, H] times rows `first` to `first + count` gates of `matrix`.
  Value timesGates(Value state, Value matrix, int64_t first, int64_t count);

  Node &node;
  int64_t hiddenSize = 0;

private:
  bool readActivations(SmallVectorImpl<Activation> &all);
  Value part(size_t input, int64_t direction);
  Value initialState(size_t input, int64_t direction);
  bool readDirection(int64_t number, Direction &direction);
  void run(Direction &direction);

  const int64_t gates;
  const unsigned numActivations;
  int64_t steps = 0, batch = 0;
  bool batchFirst = false;
  std::optional<double> clip;
  SmallVector<Value> isRunning;            // per step, [B, 1]; or empty
  SmallVector<SmallVector<Value>> outputs; // per direction and step
};

} // namespace

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

namespace {
/// What ONNX says about an activation: the defaults, and which it has.
struct KnownActivation {
  StringRef name;
  unsigned numParameters;
  double alpha, beta;
};
} // namespace

static const KnownActivation *findActivation(StringRef name) {
  static const KnownActivation known[] = {
      {"relu", 0, 0, 0},          {"tanh", 0, 0, 0},
      {"sigmoid", 0, 0, 0},       {"softsign", 0, 0, 0},
      {"softplus", 0, 0, 0},      {"affine", 2, 1, 0},
      {"leakyrelu", 1, 0.01f, 0}, {"thresholdedrelu", 1, 1, 0},
      {"scaledtanh", 2, 1, 1},    {"hardsigmoid", 2, 0.2f, 0.5},
      {"elu", 1, 1, 0},
  };
  for (const KnownActivation &entry : known)
    if (entry.name == name)
      return &entry;
  return nullptr;
}

Value Layer::activate(const Activation &activation, Value x) {
  if (clip)
    x = node.create<nn::ClipOp>(
        x, {node.f64("min", -*clip), node.f64("max", *clip)},
        x ? x.getType() : Type());
  if (!x)
    return {};
  StringRef name = activation.name;
  auto unary = [&](StringRef op, ArrayRef<NamedAttribute> attributes = {}) {
    return node.createOne(op, x, attributes, x.getType());
  };
  NamedAttribute alpha = node.f64("alpha", activation.alpha),
                 beta = node.f64("beta", activation.beta);
  Value a = node.scalar(x, activation.alpha);
  if (name == "affine")
    return add(multiply(x, a), node.scalar(x, activation.beta));
  if (name == "leakyrelu")
    return unary("nn.leaky_relu", alpha);
  if (name == "elu")
    return unary("nn.elu", alpha);
  if (name == "hardsigmoid")
    return unary("nn.hard_sigmoid", {alpha, beta});
  if (name == "scaledtanh") {
    x = multiply(x, node.scalar(x, activation.beta));
    return multiply(unary("nn.tanh"), a);
  }
  if (name == "thresholdedrelu")
    return node.where(node.compare(nn::ComparePredicate::GT, x, a), x,
                      node.scalar(x, 0));
  return unary(("nn." + name).str());
}

/// The names of all directions, and the lists of parameters in their order.
bool Layer::readActivations(SmallVectorImpl<Activation> &all) {
  SmallVector<std::string> names;
  if (const auto *given = node.attribute("activations"))
    for (const std::string &name : given->strings())
      names.push_back(StringRef(name).lower());
  std::string direction = node.stringOf("direction", "forward");
  size_t count = numActivations * (direction == "bidirectional" ? 2 : 1);
  for (size_t i = names.size(); i < count; ++i)
    names.push_back(defaultActivations()[i % numActivations].lower());
  auto floats = [&](StringRef name) {
    SmallVector<double> values;
    if (const auto *given = node.attribute(name))
      values.assign(given->floats().begin(), given->floats().end());
    return values;
  };
  SmallVector<double> alphas = floats("activation_alpha"),
                      betas = floats("activation_beta");
  // Each list goes on where an activation has the parameter.
  size_t nextAlpha = 0, nextBeta = 0;
  for (size_t i = 0; i < count; ++i) {
    const KnownActivation *known = findActivation(names[i]);
    if (!known)
      return false;
    Activation activation{names[i], known->alpha, known->beta};
    if (known->numParameters >= 1 && nextAlpha < alphas.size())
      activation.alpha = alphas[nextAlpha++];
    if (known->numParameters >= 2 && nextBeta < betas.size())
      activation.beta = betas[nextBeta++];
    all.push_back(activation);
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

SmallVector<Value> Layer::splitGates(Value value, int64_t count) {
  if (count == 1)
    return {value};
  if (!value)
    return SmallVector<Value>(count);
  Shape shape = shapeOf(value);
  shape.back() = hiddenSize;
  SmallVector<Type> types(count,
                          RankedTensorType::get(shape, elementOf(value)));
  return node.createMany<nn::SplitOp>(
      count, value, {node.i64("axis", shape.size() - 1)}, types);
}

Value Layer::timesGates(Value state, Value matrix, int64_t first,
                        int64_t count) {
  if (first != 0 || count != gates)
    matrix = node.slice(matrix, {first * hiddenSize, 0},
                        {count * hiddenSize, hiddenSize}, {1, 1});
  return node.matmul(state, matrix, false, true);
}

/// A direction's part of an input whose first axis is the direction.
Value Layer::part(size_t input, int64_t direction) {
  if (!node.has(input))
    return {};
  Shape shape(node.shape(input)), starts(shape.size(), 0),
      steps(shape.size(), 1);
  starts[0] = direction;
  shape[0] = 1;
  Value value = node.slice(node.in(input), starts, shape, steps);
  return node.reshape(value, ArrayRef<int64_t>(shape).drop_front());
}

/// [B, H]: the initial state, or zeros.
Value Layer::initialState(size_t input, int64_t direction) {
  if (!node.has(input)) {
    Type type = node.type(0).getElementType();
    return node.constant(
        DenseElementsAttr::get(RankedTensorType::get({batch, hiddenSize}, type),
                               FloatAttr::get(type, 0)));
  }
  if (!batchFirst)
    return part(input, direction);
  Value value = node.slice(node.in(input), {0, direction, 0},
                           {batch, 1, hiddenSize}, {1, 1, 1});
  return node.reshape(value, {batch, hiddenSize});
}

/// Reads what belongs to a direction and multiplies the inputs of all steps.
bool Layer::readDirection(int64_t number, Direction &direction) {
  Value weights = part(1, number), input = node.in(0);
  direction.recurrent = part(2, number);
  Value bias = part(3, number);
  const int64_t width = gates * hiddenSize;
  if (batchFirst)
    input = node.transpose(input, {1, 0, 2});
  Value product = node.matmul(input, weights, false, true);
  if (bias) {
    Value first = node.slice(bias, {0}, {width}, {1});
    Value second = node.slice(bias, {width}, {width}, {1});
    if (mergesBiases())
      first = add(first, second);
    else
      direction.recurrentBias = second;
    product = add(product, first);
  }
  if (!product)
    return false;
  // One operation for all steps: its derivative is one, too.
  SmallVector<Type> types(
      steps, RankedTensorType::get({1, batch, width}, elementOf(product)));
  SmallVector<Value> rows{product};
  if (steps > 1)
    rows = node.createMany<nn::SplitOp>(steps, product, {node.i64("axis", 0)},
                                        types);
  for (Value row : rows)
    direction.inputs.push_back(node.reshape(row, {batch, width}));
  direction.hidden = initialState(5, number);
  if (hasCell())
    direction.cell = initialState(6, number);
  if (hasCell() && node.has(7))
    direction.peepholes = splitGates(part(7, number), 3);
  return !node.hasFailed();
}

void Layer::run(Direction &direction) {
  SmallVector<Value> &rows = outputs.emplace_back(steps);
  for (int64_t i = 0; i < steps && !node.hasFailed(); ++i) {
    const int64_t t = direction.isReverse ? steps - 1 - i : i;
    Value hidden = direction.hidden, cell = direction.cell;
    step(direction, direction.inputs[t], hidden, cell);
    rows[t] = hidden;
    if (!isRunning.empty()) {
      // A sequence that has ended (or, backwards, not begun) keeps its state
      // and gives zero.
      Value on = isRunning[t];
      rows[t] = node.where(on, hidden, node.scalar(hidden, 0));
      hidden = node.where(on, hidden, direction.hidden);
      if (cell)
        cell = node.where(on, cell, direction.cell);
    }
    direction.hidden = hidden;
    direction.cell = cell;
  }
}

//===----------------------------------------------------------------------===//
// The layer
//===----------------------------------------------------------------------===//

Outcome Layer::import() {
  batchFirst = node.intOf("layout", 0) != 0;
  if (node.rank(0) != 3 || node.rank(1) != 3 || node.rank(2) != 3)
    return node.fail("needs input, weights and recurrent weights of rank 3");
  steps = node.shape(0)[batchFirst ? 1 : 0];
  batch = node.shape(0)[batchFirst ? 0 : 1];
  hiddenSize = node.shape(2)[2];
  std::string name = node.stringOf("direction", "forward");
  const int64_t directions = name == "bidirectional" ? 2 : 1;
  if (node.shape(1)[0] != directions || node.shape(2)[0] != directions ||
      node.shape(1)[1] != gates * hiddenSize ||
      node.shape(2)[1] != gates * hiddenSize ||
      node.shape(1)[2] != node.shape(0)[2])
    return node.fail("its weights do not fit its input, direction and size");
  SmallVector<Activation> activations;
  if (steps == 0 || batch == 0 || hiddenSize == 0 ||
      !readActivations(activations))
    return Outcome::Keep;
  if (node.hasAttribute("clip"))
    clip = node.floatOf("clip", 0);
  if (node.has(4)) {
    auto lengths = node.knownInts(4);
    bool isFull = lengths && llvm::all_of(*lengths, [&](int64_t length) {
                    return length == steps;
                  });
    Value column = isFull ? Value() : node.reshape(node.in(4), {batch, 1});
    for (int64_t t = 0; t < steps && column; ++t)
      isRunning.push_back(node.compare(nn::ComparePredicate::GT, column,
                                       node.scalar(column, t)));
  }
  SmallVector<Value> lastHidden, lastCell;
  for (int64_t number = 0; number < directions; ++number) {
    Direction direction;
    direction.isReverse = name == "reverse" || number == 1;
    direction.activations.assign(activations.begin() + number * numActivations,
                                 activations.begin() +
                                     (number + 1) * numActivations);
    if (!readDirection(number, direction))
      return Outcome::Failed;
    run(direction);
    lastHidden.push_back(direction.hidden);
    lastCell.push_back(direction.cell);
  }
  if (node.hasFailed())
    return Outcome::Failed;

  auto concat = [&](ArrayRef<Value> values, int64_t axis) -> Value {
    return values.size() == 1
               ? values.front()
               : node.create<nn::ConcatOp>(values, {node.i64("axis", axis)});
  };
  auto joinLast = [&](ArrayRef<Value> values) {
    Shape shape =
        batchFirst ? Shape{batch, 1, hiddenSize} : Shape{1, batch, hiddenSize};
    SmallVector<Value> shaped;
    for (Value value : values)
      shaped.push_back(node.reshape(value, shape));
    return concat(shaped, batchFirst ? 1 : 0);
  };
  if (node.isUsed(0)) {
    SmallVector<Value> perDirection;
    for (ArrayRef<Value> rows : outputs) {
      SmallVector<Value> shaped;
      for (Value row : rows)
        shaped.push_back(node.reshape(row, {1, 1, batch, hiddenSize}));
      perDirection.push_back(concat(shaped, 0));
    }
    Value all = concat(perDirection, 1); // [T, D, B, H]
    node.set(0, batchFirst ? node.transpose(all, {2, 0, 1, 3}) : all);
  }
  if (node.isUsed(1))
    node.set(1, joinLast(lastHidden));
  if (hasCell() && node.isUsed(2))
    node.set(2, joinLast(lastCell));
  return node.hasFailed() ? Outcome::Failed : Outcome::Done;
}

//===----------------------------------------------------------------------===//
// The cells
//===----------------------------------------------------------------------===//

namespace {

/// H' = f(X W^T + H R^T + b)
class RNNLayer : public Layer {
public:
  explicit RNNLayer(Node &node) : Layer(node, 1, 1) {}

private:
  ArrayRef<StringRef> defaultActivations() const override {
    static const StringRef names[] = {"Tanh"};
    return names;
  }
  void step(const Direction &direction, Value gate, Value &hidden,
            Value &) override {
    Value sum = add(gate, timesGates(hidden, direction.recurrent, 0, 1));
    hidden = activate(direction.activations[0], sum);
  }
};

/// z, r = f(X W^T + H R^T + b), h = g(X Wh^T + (r * H) Rh^T + bh),
/// H' = (1 - z) * h + z * H; or, linear_before_reset (cuDNN, PyTorch),
/// h = g(X Wh^T + wbh + r * (H Rh^T + rbh)).
class GRULayer : public Layer {
public:
  explicit GRULayer(Node &node)
      : Layer(node, 3, 2),
        isLinearFirst(node.intOf("linear_before_reset", 0) != 0) {}

private:
  ArrayRef<StringRef> defaultActivations() const override {
    static const StringRef names[] = {"Sigmoid", "Tanh"};
    return names;
  }
  bool mergesBiases() const override { return !isLinearFirst; }
  void step(const Direction &direction, Value gate, Value &hidden,
            Value &) override {
    SmallVector<Value> x = splitGates(gate, 3);
    const Activation &f = direction.activations[0],
                     &g = direction.activations[1];
    Value update, reset, candidate;
    if (isLinearFirst) {
      Value products = timesGates(hidden, direction.recurrent, 0, 3);
      if (direction.recurrentBias)
        products = add(products, direction.recurrentBias);
      SmallVector<Value> h = splitGates(products, 3);
      update = activate(f, add(x[0], h[0]));
      reset = activate(f, add(x[1], h[1]));
      candidate = multiply(reset, h[2]);
    } else {
      SmallVector<Value> h =
          splitGates(timesGates(hidden, direction.recurrent, 0, 2), 2);
      update = activate(f, add(x[0], h[0]));
      reset = activate(f, add(x[1], h[1]));
      candidate =
          timesGates(multiply(reset, hidden), direction.recurrent, 2, 1);
    }
    candidate = activate(g, add(x[2], candidate));
    // (1 - z) h + z H = h + z (H - h)
    Value difference = node.create<nn::SubOp>({hidden, candidate});
    hidden = add(candidate, multiply(update, difference));
  }

  const bool isLinearFirst;
};

/// i, o, f = f(X W^T + H R^T + P * C + b), c = g(...), C' = f * C + i * c,
/// H' = o * h(C'); the gates' order is i, o, f, c; o sees C'.
class LSTMLayer : public Layer {
public:
  explicit LSTMLayer(Node &node)
      : Layer(node, 4, 3), isCoupled(node.intOf("input_forget", 0) != 0) {}

private:
  ArrayRef<StringRef> defaultActivations() const override {
    static const StringRef names[] = {"Sigmoid", "Tanh", "Tanh"};
    return names;
  }
  bool hasCell() const override { return true; }
  void step(const Direction &direction, Value gate, Value &hidden,
            Value &cell) override {
    SmallVector<Value> x =
        splitGates(add(gate, timesGates(hidden, direction.recurrent, 0, 4)), 4);
    auto peep = [&](Value sum, unsigned number, Value state) {
      return direction.peepholes.empty()
                 ? sum
                 : add(sum, multiply(state, direction.peepholes[number]));
    };
    const Activation &f = direction.activations[0];
    Value input = activate(f, peep(x[0], 0, cell));
    Value candidate = activate(direction.activations[1], x[3]);
    Value forget = isCoupled
                       ? node.create<nn::SubOp>({node.scalar(input, 1), input})
                       : activate(f, peep(x[2], 2, cell));
    cell = add(multiply(forget, cell), multiply(input, candidate));
    Value output = activate(f, peep(x[1], 1, cell));
    hidden = multiply(output, activate(direction.activations[2], cell));
  }

  const bool isCoupled;
};

} // namespace

template <typename LayerT> static Outcome importRecurrent(Node &node) {
  return LayerT(node).import();
}

void registerRecurrent(Registry &registry) {
  registry.add("RNN", 1, "nn.matmul, nn.add, nn.tanh ... of every step",
               importRecurrent<RNNLayer>);
  registry.add("GRU", 1, "nn.matmul, nn.sigmoid, nn.tanh ... of every step",
               importRecurrent<GRULayer>);
  registry.add("LSTM", 1, "nn.matmul, nn.sigmoid, nn.tanh ... of every step",
               importRecurrent<LSTMLayer>);
}

} // namespace mpt::importer
