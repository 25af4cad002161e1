# SPDX-License-Identifier: Apache-2.0
"""The decoder in torch, float32, for training only."""
import torch
import torch.nn.functional as F

from folder import (CONTEXT, EPSILON, FFN, HEAD_DIM, HEADS, HIDDEN, KV_HEADS, LAYERS, THETA, VOCAB)

_KV = KV_HEADS * HEAD_DIM
_PARTS = {"qkv": (HEADS * HEAD_DIM, _KV, _KV), "o": (HIDDEN,), "gate_up": (FFN, FFN),
          "down": (HIDDEN,)}


class _Norm(torch.autograd.Function):
    """RMSNorm by hand: torch 1.13 has no fused one and the graph of small ops is slow."""

    @staticmethod
    def forward(ctx, x, gain):
        r = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPSILON)
        n = x * r
        ctx.save_for_backward(n, r, gain)
        return n * gain

    @staticmethod
    def backward(ctx, dy):
        n, r, gain = ctx.saved_tensors
        dn = dy * gain
        dgain = (dy * n).sum(0)
        dn.sub_(n * (dn * n).mean(-1, keepdim=True))
        return dn.mul_(r), dgain


class _SwiGlu(torch.autograd.Function):
    """silu(gate) * up on the joined (gate, up) product."""

    @staticmethod
    def forward(ctx, both):
        gate, up = both[:, :FFN], both[:, FFN:]
        s = torch.sigmoid(gate)
        ctx.save_for_backward(both, s)
        return s * gate * up

    @staticmethod
    def backward(ctx, dy):
        both, s = ctx.saved_tensors
        gate, up = both[:, :FFN], both[:, FFN:]
        out, silu = torch.empty_like(both), s * gate
        out[:, FFN:] = dy * silu
        out[:, :FFN] = dy * up * (s + silu * (1 - s))
        return out


def _rope(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Decoder:
    """One flat vector of parameters, shared by the processes."""

    def __init__(self, seed):
        torch.manual_seed(seed)
        joined = (HEADS + 2 * KV_HEADS) * HEAD_DIM
        shapes = {"norm": (HIDDEN,)}
        for i in range(LAYERS):
            shapes[f"{i}.norm1"] = shapes[f"{i}.norm2"] = (HIDDEN,)
        self.gains = HIDDEN * len(shapes)      # the norms come first: no weight decay
        shapes["embed"] = (VOCAB, HIDDEN)
        for i in range(LAYERS):
            shapes[f"{i}.qkv"] = (joined, HIDDEN)
            shapes[f"{i}.o"] = (HIDDEN, HEADS * HEAD_DIM)
            shapes[f"{i}.gate_up"] = (2 * FFN, HIDDEN)
            shapes[f"{i}.down"] = (HIDDEN, FFN)
        self.shapes = shapes
        sizes = [torch.Size(s).numel() for s in shapes.values()]
        self.master = torch.empty(sum(sizes)).share_memory_()
        self.p, self.leaves, self.blocks, at = {}, [], [], 0
        for (name, shape), size in zip(shapes.items(), sizes):
            part = self.master[at:at + size].view(shape)
            if "norm" in name:
                part.fill_(1.0)
            else:
                scale = (2 * LAYERS) ** -0.5 if name.endswith((".o", "down")) else 1.0
                part.normal_(0, 0.02 * scale)
            self.p[name] = part.detach().requires_grad_()
            self.leaves.append(self.p[name])
            if name.split(".")[-1] in _PARTS:
                self._add_blocks(name, at)
            at += size
        self.matrices = self.blocks[0][0]      # where the part that Muon steps begins
        freq = THETA ** (-torch.arange(0, HEAD_DIM, 2) / HEAD_DIM)
        angle = torch.arange(CONTEXT)[:, None] * freq
        self.cos, self.sin = angle.cos(), angle.sin()
        self.mask = torch.full((CONTEXT, CONTEXT), -1e4).triu(1)

    def _add_blocks(self, name, at):
        """Ranges of the real matrices inside a joined one: (begin, end, shape)."""
        columns = self.shapes[name][1]
        for rows in _PARTS[name.split(".")[-1]]:
            self.blocks.append((at, at + rows * columns, (rows, columns)))
            at += rows * columns

    def gradient(self):
        """All gradients as one vector; clears them."""
        out = torch.cat([p.grad.flatten() for p in self.leaves])
        for p in self.leaves:
            p.grad = None
        return out

    def _attention(self, x, i, b, t):
        qkv = F.linear(_Norm.apply(x, self.p[f"{i}.norm1"]), self.p[f"{i}.qkv"])
        qkv = qkv.view(b, t, HEADS + 2 * KV_HEADS, HEAD_DIM).transpose(1, 2)
        qk = _rope(qkv[:, :HEADS + KV_HEADS], self.cos[:t], self.sin[:t])
        shared = HEADS // KV_HEADS             # query heads that read one key head
        q = qk[:, :HEADS].reshape(b * KV_HEADS, shared * t, HEAD_DIM)
        k = qk[:, HEADS:].reshape(b * KV_HEADS, t, HEAD_DIM)
        v = qkv[:, HEADS + KV_HEADS:].reshape(b * KV_HEADS, t, HEAD_DIM)
        a = torch.bmm(q, k.transpose(1, 2)).view(b * KV_HEADS, shared, t, t)
        a = torch.softmax(a * HEAD_DIM ** -0.5 + self.mask[:t, :t], -1)
        o = torch.bmm(a.view(b * KV_HEADS, shared * t, t), v)
        o = o.view(b, HEADS, t, HEAD_DIM).transpose(1, 2).reshape(b * t, HEADS * HEAD_DIM)
        return F.linear(o, self.p[f"{i}.o"])

    def hidden(self, ids):
        """ids (b, t) -> normalised hidden states (b * t, hidden)."""
        b, t = ids.shape
        x = F.embedding(ids, self.p["embed"]).view(b * t, HIDDEN)
        for i in range(LAYERS):
            x = x + self._attention(x, i, b, t)
            both = F.linear(_Norm.apply(x, self.p[f"{i}.norm2"]), self.p[f"{i}.gate_up"])
            x = x + F.linear(_SwiGlu.apply(both), self.p[f"{i}.down"])
        return _Norm.apply(x, self.p["norm"])

    def logits(self, hidden):
        """Hidden states -> logits."""
        return F.linear(hidden, self.p["embed"])

    def tensors(self):
        """The masters under their Hugging Face names, as numpy arrays."""
        m, at = {}, 0
        for name, shape in self.shapes.items():
            size = torch.Size(shape).numel()
            m[name] = self.master[at:at + size].view(shape).numpy()
            at += size
        out = {"model.embed_tokens.weight": m["embed"]}
        q, kv = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM
        for i in range(LAYERS):
            base = f"model.layers.{i}."
            out[base + "input_layernorm.weight"] = m[f"{i}.norm1"]
            qkv, both = m[f"{i}.qkv"], m[f"{i}.gate_up"]
            out[base + "self_attn.q_proj.weight"] = qkv[:q]
            out[base + "self_attn.k_proj.weight"] = qkv[q:q + kv]
            out[base + "self_attn.v_proj.weight"] = qkv[q + kv:]
            out[base + "self_attn.o_proj.weight"] = m[f"{i}.o"]
            out[base + "post_attention_layernorm.weight"] = m[f"{i}.norm2"]
            out[base + "mlp.gate_proj.weight"] = both[:FFN]
            out[base + "mlp.up_proj.weight"] = both[FFN:]
            out[base + "mlp.down_proj.weight"] = m[f"{i}.down"]
        out["model.norm.weight"] = m["norm"]
        return out
