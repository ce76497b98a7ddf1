// SPDX-License-Identifier: Apache-2.0
// The smallest complete pass: Relu(Relu(x)) becomes Relu(x). Copy it to src/model/passes/<name>.cc, and put your pass's name for
// "skeleton": the build makes the table of passes from the names of the files, and there is no list to edit. Write its tests as text:
// skeleton.test goes to tests/golden/passes.
#include "model/passes/pass.h"

namespace moru::model {
namespace {  // all but the spec itself is private to this file

// The runner has verified the graph and inferred its types; it does both again afterwards, measures the time and reports. So a
// pass only looks and changes. Ops of other domains may have the same name: ask for both.
bool is_relu(const Node& node) { return node.op == "Relu" && node.domain.empty(); }

// Returns the number of places that changed. What does not fit stays as it is; that is no error.
Result<std::int64_t> run(Graph& graph) {
  const auto producers = graph.producers();  // index of the node that makes each value; -1 for inputs and initializers
  std::int64_t changes = 0;
  for (Node& node : graph.nodes()) {
    if (!is_relu(node)) continue;
    const std::int32_t before = producers[static_cast<std::size_t>(node.inputs[0])];
    if (before < 0 || !is_relu(graph.nodes()[static_cast<std::size_t>(before)])) continue;
    // The second one takes the first one's input. The first stays for now: others may use its result.
    node.inputs[0] = graph.nodes()[static_cast<std::size_t>(before)].inputs[0];
    ++changes;
  }
  // Takes away what nobody uses any more, and renumbers values: no ValueId from before may be used after it.
  if (changes > 0) graph.remove_unused();
  return changes;
}

}  // namespace

// `const` alone would make the spec private to this file; the declaration with `extern` before it makes it public, and a
// misspelt name is an error of the linker.
extern const PassSpec kPass_skeleton;
const PassSpec kPass_skeleton{
    .name = "skeleton",
    // What it does, what it gains, and what it leaves as it is. `moru passes NAME` prints it.
    .doc = "Removes a Relu after a Relu, which changes nothing: one op less to run. The first stays where its own result is used.",
    // A graph that the pass changes; `moru passes NAME` shows it before and after, and passes_test.cc runs it.
    .example = R"(graph "twice" {
  input x: float32[N, 2]
  a = Relu(x)
  y = Relu(a)
  output y
})",
    .run = run};

}  // namespace moru::model
