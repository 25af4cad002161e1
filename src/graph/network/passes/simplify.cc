// SPDX-License-Identifier: Apache-2.0
#include "graph/network/passes/simplify.h"

#include <algorithm>

#include "base/error.h"
#include "graph/network/passes/rewriter.h"

namespace halftone::network {

// What an identity gives is what it reads; an output keeps its name where a node can write it instead.
int drop_identities(Rewriter& rewriter) {
  int dropped = 0;
  Network& network = rewriter.network;
  for (size_t i = 0; i < network.nodes.size(); ++i) {
    if (!std::holds_alternative<Identity>(network.nodes[i].op)) continue;
    const ValueId from = network.nodes[i].inputs[0], to = network.nodes[i].outputs[0];
    if (to == kNoValue || from == kNoValue) continue;
    if (!rewriter.is_output(to)) {
      rewriter.redirect(to, from);
    } else {
      const Node* writer = rewriter.writer(from);
      if (writer == nullptr || rewriter.is_output(from)) continue;
      std::ranges::replace(const_cast<Node*>(writer)->outputs, from, to);
      network.nodes[i].outputs[0] = from;  // nobody reads it any more
      network.nodes[i].inputs[0] = to;
      for (size_t k = 0; k < network.nodes.size(); ++k)
        if (k != i) std::ranges::replace(network.nodes[k].inputs, from, to);
    }
    rewriter.index();
    ++dropped;
  }
  return dropped;
}

Result<Simplified> simplify(Network& network) {
  Simplified made;
  Rewriter rewriter(network);
  made.identities = drop_identities(rewriter);
  made.dead = rewriter.remove_dead();
  struct Pass {
    int (*run)(Rewriter&);
    int& count;
  };
  for (const Pass& pass : {Pass{fuse_activations, made.activations}, Pass{fuse_norms, made.norms},
                           Pass{fuse_attention, made.attentions}, Pass{fold_batch_norms, made.folded}}) {
    pass.count = pass.run(rewriter);
    made.dead += rewriter.remove_dead();
    HALFTONE_TRY(finish(network));  // nodes that were added stand at the end
    rewriter.index();
  }
  return made;
}

}  // namespace halftone::network
