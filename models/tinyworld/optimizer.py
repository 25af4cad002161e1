# SPDX-License-Identifier: Apache-2.0
"""Muon for the matrices, AdamW for embedding and norms.

Muon (https://kellerjordan.github.io/posts/muon/) takes the momentum's nearest orthogonal matrix
as the update: rare directions move as much as common ones, which is what rare facts need. The
factor STRIDE * sqrt(longer side) makes its updates about twice as large as AdamW's at one rate.
"""
import torch

BETAS, DECAY, CLIP, MOMENTUM, STRIDE = (0.9, 0.98), 0.1, 1.0, 0.95, 0.4


def orthogonal(g):
    """Five Newton-Schulz steps."""
    tall = g.shape[0] > g.shape[1]
    x = (g.T if tall else g) / (g.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return x.T if tall else x


class Optimizer:
    """Steps the flat master vector; process `rank` of `world` steps its share of the matrices."""

    def __init__(self, model, rank, world, first, second):
        self.model, self.rank, self.world = model, rank, world
        self.first, self.second = first, second        # shared by the processes

    def _adam(self, g, n, rate):
        end, gains, master = self.model.matrices, self.model.gains, self.model.master
        m, g = self.first[:end], g[:end]
        m.lerp_(g, 1 - BETAS[0])
        self.second.mul_(BETAS[1]).addcmul_(g, g, value=1 - BETAS[1])
        root = (self.second / (1 - BETAS[1] ** n)).sqrt_().add_(1e-8)
        master[gains:end].mul_(1 - rate * DECAY)
        master[:end].addcdiv_(m, root, value=-rate / (1 - BETAS[0] ** n))

    def _muon(self, g, rate):
        for begin, end, shape in self.model.blocks[self.rank::self.world]:
            m, part = self.first[begin:end], g[begin:end]
            m.mul_(MOMENTUM).add_(part)
            update = orthogonal((part + MOMENTUM * m).view(shape))
            w = self.model.master[begin:end].view(shape)
            w.mul_(1 - rate * DECAY)
            w.add_(update, alpha=-rate * STRIDE * max(shape) ** 0.5)

    def step(self, g, n, rate):
        """Step n (from 1) with the whole gradient g."""
        g.mul_(min(1.0, CLIP / (g.norm().item() + 1e-6)))
        if self.rank == self.world - 1:
            self._adam(g, n, rate)
        self._muon(g, rate)
