//===- PrecisionPainting.cpp - TensorFlow's assignment, to compare with ---===//
//
// The algorithm of TensorFlow's auto_mixed_precision.cc, on our classes: the
// allow list is class low, the infer list class follow, the clear list class
// transparent, and everything fixed to FP32 is denied.
//
//===----------------------------------------------------------------------===//

#include "mpt/Analysis/PrecisionAssignment.h"

using namespace mlir;
using namespace mpt;

void PrecisionAssignment::paint() {
  enum Direction { Forward = 1, Backward = 2 };
  enum Color : uint8_t { None, Allow, Deny };
  std::vector<uint8_t> color(nodes.size(), None);
  std::vector<bool> clear(nodes.size(), false);
  for (uint32_t number = 0; number < nodes.size(); ++number) {
    const Node &node = nodes[number];
    color[number] = node.state == State::Low    ? Allow
                    : node.state == State::FP32 ? Deny
                                                : None;
    if (node.state == State::Open)
      clear[number] = classOf(node) == PrecisionClass::Transparent;
  }
  /// The nodes reached from `starts` through nodes that `enters` admits.
  auto reach = [&](auto isStart, int directions, auto enters) {
    std::vector<bool> reached(nodes.size(), false);
    std::vector<uint32_t> pending;
    for (uint32_t number = 0; number < nodes.size(); ++number)
      if (isStart(number)) {
        reached[number] = true;
        pending.push_back(number);
      }
    while (!pending.empty()) {
      uint32_t number = pending.back();
      pending.pop_back();
      for (auto [neighbour, behind] : neighboursOf(number)) {
        if (!(directions & (behind ? Forward : Backward)) ||
            reached[neighbour] || !enters(neighbour))
          continue;
        reached[neighbour] = true;
        pending.push_back(neighbour);
      }
    }
    return reached;
  };
  auto isAllowed = [&](uint32_t n) { return color[n] == Allow; };
  auto isDenied = [&](uint32_t n) { return color[n] == Deny; };
  auto isOpen = [&](uint32_t n) { return color[n] == None; };

  // Denial spreads forwards over open nodes from which clear ones lead to a
  // denied or an infer node.
  std::vector<bool> upstream =
      reach([&](uint32_t n) { return isDenied(n) || (isOpen(n) && !clear[n]); },
            Backward, [&](uint32_t n) { return clear[n]; });
  std::vector<bool> denied = reach(
      isDenied, Forward, [&](uint32_t n) { return isOpen(n) && upstream[n]; });
  for (uint32_t n = 0; n < nodes.size(); ++n)
    if (denied[n])
      color[n] = Deny;
  // What lies between two allowed nodes is allowed.
  std::vector<bool> downstream = reach(isAllowed, Forward, isOpen);
  std::vector<bool> between = reach(isAllowed, Backward, [&](uint32_t n) {
    return isOpen(n) && downstream[n];
  });
  for (uint32_t n = 0; n < nodes.size(); ++n)
    if (between[n])
      color[n] = Allow;
  // So is what clear nodes connect to an allowed one.
  std::vector<bool> connected =
      reach(isAllowed, Forward | Backward,
            [&](uint32_t n) { return isOpen(n) && clear[n]; });
  for (uint32_t n = 0; n < nodes.size(); ++n) {
    Node &node = nodes[n];
    if (node.state != State::Open)
      continue;
    node.state = connected[n] ? State::Low : State::FP32;
    node.rule = connected[n] ? Rule::Follows : Rule::Painted;
  }
}
