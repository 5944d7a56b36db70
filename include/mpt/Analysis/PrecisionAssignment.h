//===- PrecisionAssignment.h - Which operations run in 16 bits --*- C++ -*-===//
//
// Decides, from PrecisionOpInterface alone, the precision of every operation
// of a function, with the reason. See docs/Rationale/MixedPrecision.md for the
// rules.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_ANALYSIS_PRECISIONASSIGNMENT_H
#define MPT_ANALYSIS_PRECISIONASSIGNMENT_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mpt/Analysis/CarriedValues.h"
#include "mpt/Analysis/FloatConstants.h"
#include "mpt/Analysis/PrecisionProblem.h"
#include "mpt/Analysis/PrecisionTarget.h"
#include "mpt/Interfaces/PrecisionOpInterface.h"
#include "llvm/ADT/DenseMap.h"

#include <functional>
#include <string>
#include <vector>

namespace mpt {

//===----------------------------------------------------------------------===//
// What a user and other analyses may demand
//===----------------------------------------------------------------------===//

/// What a user demands of an operation.
enum class PrecisionDemand {
  None,
  FP32,
  Low,
  Follow, // allowed to be low, whatever its class says
};

/// What an analysis of values knows of an operation in a 16-bit type.
struct PrecisionFact {
  enum Kind {
    Unknown,
    Safe,      // proved: rounding operands and results makes no infinity or NaN
    Overflows, // a finite result is known to become an infinity
  };
  Kind kind = Unknown;
  std::string text; // e.g. "its results lie in [0, 1]"
};

enum class PrecisionStrategy {
  Cut,   // least modelled cost, exactly
  Paint, // TensorFlow's painting, for comparison
};

struct PrecisionPolicy {
  /// The low type, f16 or bf16; of backward operations too if `lowBackward` is
  /// null.
  mlir::FloatType low, lowBackward;
  PrecisionStrategy strategy = PrecisionStrategy::Cut;
  PrecisionTarget target;
  /// Inputs and outputs keep their types.
  bool keepIO = true;
  /// Widenable results may be FP32 (as mpt-insert-casts will have it).
  bool widenResults = true;
  /// May small constants become zero, as far as they are not alone?
  bool constantsMayVanish = false;
  /// Magnitude above which a constant is kept out of the low type; its largest
  /// number if not given.
  std::optional<double> maxAbs;
  /// What the user demands, and the text that says so; null means nothing.
  std::function<PrecisionDemand(mlir::Operation *, std::string &)> demand;
  /// The value must stay FP32: the text that says so, or "". Null: none must.
  std::function<std::string(mlir::Value)> pinned;
  /// Facts about operations in a 16-bit type; null: nothing is known. An
  /// operation that is FP32 for its range alone (isRangeTheDanger) is released
  /// where it is safe; one that overflows stays FP32.
  std::function<PrecisionFact(mlir::Operation *, mlir::FloatType)> fact;
  /// Are the results of an operation of any class proved to fit? Null: nothing
  /// is known. Asked only of powers that are summed.
  std::function<PrecisionFact(mlir::Operation *, mlir::FloatType)> prove;
};

//===----------------------------------------------------------------------===//
// Queries
//===----------------------------------------------------------------------===//

/// The name of the node an operation came from (NameLoc), or "".
llvm::StringRef getNodeName(mlir::Location location);
/// "nn.conv 'conv1'".
std::string describeOperation(mlir::Operation *op);

/// An f32 tensor: what the precision passes may narrow.
bool isF32Tensor(mlir::Type type);
/// A tensor of any floating element type.
bool isFloatTensor(mlir::Type type);

/// Does the operation get a decision? It computes on floating tensors, is no
/// constant, no terminator and no cast of the compiler. (What it only carries
/// through its regions is decided by chain, see CarriedChain.)
bool takesPrecision(mlir::Operation *op);

/// Is an operation of class FP32 so because of overflow or underflow, and not
/// for its accuracy? Its reason speaks of one of them.
bool isRangeTheDanger(PrecisionOpInterface op);

/// The operands / results of a low operation that are in the low type:
/// floating, not pinned. (An operation without the interface has none.)
bool isFlexibleOperand(mlir::OpOperand &operand);
bool isFlexibleResult(mlir::OpResult result);

//===----------------------------------------------------------------------===//

/// One decision per operation that takes one, and per chain of values that an
/// operation carries through its regions.
class PrecisionAssignment {
public:
  PrecisionAssignment(mlir::FunctionOpInterface function,
                      const PrecisionPolicy &policy)
      : function(function), policy(policy), costs(policy.target) {}

  struct Decision {
    mlir::Operation *op;
    bool low;
    mlir::FloatType type; // the low type the operation has or would have
    llvm::StringRef reason;
    /// Which of the operation's carried chains, or none: the operation itself.
    uint32_t chain = PrecisionProblem::kNone;
  };

  /// Decides; linear in the size of the function but for the minimum cut, which
  /// is so in practice.
  void run();
  /// Calls `visit` with every decision, in the order of the program: an
  /// operation, its chains, what is in its regions.
  void forEachDecision(llvm::function_ref<void(const Decision &)> visit);

  struct Totals {
    PrecisionProblem::Cost cost = 0, allFP32 = 0; // in PrecisionCosts' units
    uint32_t cutNodes = 0;
    size_t cutArcs = 0;
  };
  const Totals &getTotals() const { return totals; }

private:
  enum class State : uint8_t { Open, Low, FP32 };
  /// Why a node is what it is.
  enum class Rule : uint8_t {
    Text,        // as `texts` says
    Nature,      // what its interface says
    Unsafe,      // what its interface says, with the kind of reason
    Contraction, // class low
    NoInterface,
    OtherType,
    ConstantOverflows,
    ConstantVanishes,
    ConstantUnknown,
    ReadsMask,
    Epsilon,    // around an epsilon that vanishes
    SumsPowers, // makes or sums powers
    ReadsSum,   // would break on a sum that overflows
    BehindGradient,
    ReadsScale,
    ComputesLoss,
    NoLowNeighbour,
    Follows, // low, beside `because`
    Costs,   // FP32, because low would cost more
    Painted, // FP32, because the painting did not reach it
  };
  struct Node {
    mlir::Operation *op = nullptr;
    State state = State::Open;
    Rule rule = Rule::Nature;
    bool fixed = false;
    bool masks = false;     // has a constant beyond every range, like -3.4e38
    bool vanishes = false;  // has a constant that vanishes in the low type
    bool backward = false;  // computed from the loss's seed
    uint32_t because = ~0u; // the neighbour that decided
    /// Carried values: the number in `chains`, and among those of `op`.
    uint32_t chain = ~0u, chainOfOp = ~0u;
  };

  Node *find(mlir::Operation *op);
  uint32_t numberOf(const Node &node) const { return &node - nodes.data(); }
  mlir::FloatType lowTypeOf(const Node &node) const;
  void fix(Node &node, State state, Rule rule);
  void fix(Node &node, State state, std::string text);

  // PrecisionRegions.cpp
  void collectOperation(mlir::Operation *op);
  void weighRegions(mlir::Operation *op);
  void fixChain(Node &node);
  /// The node that reads the use / writes the value in its own precision, or
  /// kNone.
  uint32_t readerOf(mlir::OpOperand &use) const;
  uint32_t writerOf(mlir::Value value) const;
  /// The node of the use, even if the use is pinned; or null.
  Node *findReader(mlir::OpOperand &use);
  /// The node of what gives the value, even if it is pinned; or null.
  Node *findWriter(mlir::Value value);
  /// What depends on a use: the chain's values, or its owner's results.
  mlir::ValueRange valuesBehind(mlir::OpOperand &use) const;
  PrecisionClass classOf(const Node &node) const;
  llvm::StringRef natureOf(const Node &node) const;
  double weightOf(mlir::Region *region) const {
    return weights.empty() ? 1 : weightOfNested(region);
  }
  double weightOfNested(mlir::Region *region) const;

  // PrecisionPins.cpp
  void collect();
  void fixByOwnNature(Node &node);
  bool fixByDemand(Node &node, bool mayBeLow);
  bool fixByFacts(Node &node, PrecisionOpInterface op, mlir::FloatType low);
  bool fixByConstants(Node &node, mlir::FloatType low);
  void markBackward();
  bool boundsResults(const Node &node);
  void fixReadersOfMasks();
  void fixBehindGradients();
  void fixReadersOfTheSeed();
  void fixLoss();

  // PrecisionHazards.cpp
  void fixHazards();
  void fixAroundEpsilon(Node &node);
  void fixAroundSum(Node &node);
  bool fixUpToDelicate(mlir::Value start, double epsilon, mlir::FloatType low,
                       Rule rule);
  void keepFP32(mlir::Operation *op, Rule rule);

  // PrecisionNetwork.cpp
  void fixWithoutLowNeighbours();
  void cut();
  uint32_t addArgument(PrecisionProblem &problem, mlir::Value argument);
  void addValue(PrecisionProblem &problem, mlir::Value value,
                std::vector<uint32_t> &lastValue);

  // PrecisionPainting.cpp
  void paint();

  /// A node that shares a value with another that neither of them pins, and
  /// whether it reads the value or writes it.
  struct Neighbour {
    uint32_t number;
    bool behind;
  };
  void findNeighbours();
  llvm::ArrayRef<Neighbour> neighboursOf(uint32_t number) const;
  /// The low operation that `because` names for low operations that follow.
  void explainLowNodes();

  mlir::FunctionOpInterface function;
  const PrecisionPolicy &policy;
  PrecisionCosts costs;
  std::vector<Node> nodes;
  llvm::DenseMap<mlir::Operation *, uint32_t> index;
  std::vector<uint32_t> firstNeighbour; // per node, and the end
  std::vector<Neighbour> neighbours;
  /// Carried values of operations with regions, and their nodes by use and by
  /// value.
  std::vector<CarriedChain> chains;
  llvm::DenseMap<mlir::OpOperand *, uint32_t> chainOfUse;
  llvm::DenseMap<mlir::Value, uint32_t> chainOfValue;
  /// How often regions run per run of the function; 1 if not here.
  llvm::DenseMap<mlir::Region *, double> weights;
  /// Reasons that are not made of a rule alone, by node.
  llvm::DenseMap<uint32_t, std::string> texts;
  /// What FP32 operations would cost more in the low type, alone.
  std::vector<PrecisionProblem::Cost> flips;
  /// Constants that have been looked into: each is read once per low type.
  llvm::DenseMap<std::pair<mlir::Operation *, mlir::Type>, ConstantFit>
      constants;
  Totals totals;
};

} // namespace mpt

#endif // MPT_ANALYSIS_PRECISIONASSIGNMENT_H
