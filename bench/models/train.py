#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains a small language model on a text file and writes it as a Hugging Face folder: plain trained models of other families to
judge methods on (tools/update_quality). Needs torch (1.13 or later) and numpy. Ten minutes to an hour on one core.

    python3 train.py --family qwen3 --text tinyshakespeare.txt --out DIR

The text's first 84 % train; DIR/calibration.txt is the next 8 %, DIR/evaluation.txt the rest. Everything random is seeded."""
import argparse
import json
import math
import pathlib
import sys
import time

import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "models" / "tinyworld"))
import folder  # noqa: E402
import tokenizer  # noqa: E402

CONTEXT, EPSILON, THETA, ROWS, WARMUP = 256, 1e-5, 10000.0, 16, 100


class Linear(torch.nn.Linear):
    def __init__(self, inputs, outputs, bias=False):
        super().__init__(inputs, outputs, bias)
        torch.nn.init.normal_(self.weight, 0, 0.02)
        if bias:
            torch.nn.init.zeros_(self.bias)


class RmsNorm(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(size))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPSILON) * self.weight


class Attention(torch.nn.Module):
    """`shape`: heads, key/value heads, size of a head, dims of it that rotate."""

    def __init__(self, width, shape, bias, out_name, normed):
        super().__init__()
        self.shape = heads, kv_heads, size, _ = shape
        self.q_proj, self.k_proj = Linear(width, heads * size, bias), Linear(width, kv_heads * size, bias)
        self.v_proj = Linear(width, kv_heads * size, bias)
        setattr(self, out_name, Linear(heads * size, width, bias))
        self.out_name = out_name
        if normed:
            self.q_norm, self.k_norm = RmsNorm(size), RmsNorm(size)

    def rotated(self, x):
        turning = self.shape[3]
        angle = torch.arange(x.shape[2])[:, None] * THETA ** (-torch.arange(0, turning, 2) / turning)
        a, b = x[..., :turning].chunk(2, -1)
        cos, sin = angle.cos(), angle.sin()
        return torch.cat((a * cos - b * sin, b * cos + a * sin, x[..., turning:]), -1)

    def forward(self, x):
        (b, t, _), (heads, kv_heads, size, _) = x.shape, self.shape
        q, k, v = (p(x).view(b, t, n, size).transpose(1, 2)
                   for p, n in ((self.q_proj, heads), (self.k_proj, kv_heads), (self.v_proj, kv_heads)))
        if hasattr(self, "q_norm"):
            q, k = self.q_norm(q), self.k_norm(k)
        k, v = (one.repeat_interleave(heads // kv_heads, 1) for one in (self.rotated(k), v))
        scores = self.rotated(q) @ k.transpose(2, 3) / math.sqrt(size) + torch.full((t, t), -1e4).triu(1)
        return getattr(self, self.out_name)((torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(b, t, heads * size))


class GatedMlp(torch.nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.gate_proj, self.up_proj, self.down_proj = Linear(width, inner), Linear(width, inner), Linear(inner, width)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class PlainMlp(torch.nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.fc1, self.fc2 = Linear(width, inner, True), Linear(inner, width, True)

    def forward(self, x):
        x = self.fc1(x)
        return self.fc2(0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3))))


class Qwen3Layer(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = RmsNorm(width), RmsNorm(width)
        self.self_attn = Attention(width, (6, 2, 32, 32), False, "o_proj", True)
        self.mlp = GatedMlp(width, 576)

    def forward(self, x):
        x = x + self.self_attn(self.input_layernorm(x))
        return x + self.mlp(self.post_attention_layernorm(x))


class PhiLayer(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.input_layernorm = torch.nn.LayerNorm(width, EPSILON)
        self.self_attn, self.mlp = Attention(width, (6, 6, 32, 16), True, "dense", False), PlainMlp(width, 4 * width)

    def forward(self, x):
        x_normed = self.input_layernorm(x)
        return x + self.self_attn(x_normed) + self.mlp(x_normed)


class Model(torch.nn.Module):
    def __init__(self, family, vocabulary, layers, width=192):
        super().__init__()
        body = torch.nn.Module()
        body.embed_tokens = torch.nn.Embedding(vocabulary, width)
        torch.nn.init.normal_(body.embed_tokens.weight, 0, 0.02)
        body.layers = torch.nn.ModuleList((Qwen3Layer if family == "qwen3" else PhiLayer)(width) for _ in range(layers))
        if family == "phi":
            body.final_layernorm, self.lm_head = torch.nn.LayerNorm(width, EPSILON), Linear(width, vocabulary, True)
        else:
            body.norm = RmsNorm(width)
        self.model, self.family = body, family

    def forward(self, ids):
        x = self.model.embed_tokens(ids)
        for layer in self.model.layers:
            x = layer(x)
        if self.family == "phi":
            return self.lm_head(self.model.final_layernorm(x))
        return F.linear(self.model.norm(x), self.model.embed_tokens.weight)


def config(family, tok, layers):
    common = {"hidden_size": 192, "num_hidden_layers": layers, "num_attention_heads": 6, "vocab_size": tok.size, "rope_theta": THETA,
              "max_position_embeddings": CONTEXT, "bos_token_id": tok.bos, "eos_token_id": tok.eos, "torch_dtype": "float16"}
    if family == "phi":
        return {"architectures": ["PhiForCausalLM"], "model_type": "phi", "intermediate_size": 768, "num_key_value_heads": 6,
                "partial_rotary_factor": 0.5, "layer_norm_eps": EPSILON, "hidden_act": "gelu_new", "tie_word_embeddings": False, **common}
    return {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "intermediate_size": 576, "num_key_value_heads": 2, "head_dim": 32,
            "rms_norm_eps": EPSILON, "hidden_act": "silu", "tie_word_embeddings": True, "attention_bias": False, **common}


def batch(ids, rows, generator):
    starts = torch.randint(0, len(ids) - CONTEXT - 1, (rows,), generator=generator)
    part = torch.stack([ids[s:s + CONTEXT + 1] for s in starts.tolist()])
    return part[:, :-1], part[:, 1:]


def loss_of(model, inputs, targets):
    return F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


def train(model, ids, held, steps, seed):
    decayed = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}], 2e-3, (0.9, 0.98))
    generator, begin = torch.Generator().manual_seed(seed), time.time()
    for step in range(1, steps + 1):
        rate = 2e-3 * min(step / WARMUP, 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = loss_of(model, *batch(ids, ROWS, generator))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0 or step == steps:
            with torch.no_grad():
                seen = loss_of(model, *batch(held, 32, torch.Generator().manual_seed(1)))
            print(f"step {step} loss {loss.item():.4f} held out {seen.item():.4f} {time.time() - begin:.0f} s", flush=True)


def main():
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--family", choices=("qwen3", "phi"), required=True)
    cli.add_argument("--text", type=pathlib.Path, required=True)
    cli.add_argument("--out", type=pathlib.Path, required=True)
    cli.add_argument("--steps", type=int, default=800)
    cli.add_argument("--layers", type=int, default=4)
    cli.add_argument("--vocabulary", type=int, default=1024)
    cli.add_argument("--seed", type=int, default=1)
    args = cli.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    text = args.text.read_text()
    cuts = [0, int(0.84 * len(text)), int(0.92 * len(text)), len(text)]
    parts = [text[a:b] for a, b in zip(cuts, cuts[1:])]
    args.out.mkdir(parents=True, exist_ok=True)
    table = args.out / "tokenizer.json"
    if not table.exists():
        table.write_text(json.dumps(tokenizer.to_json(*tokenizer.train([parts[0]], args.vocabulary)), ensure_ascii=False, indent=0) + "\n")
    tok = tokenizer.Tokenizer(table)
    for name, part in zip(("calibration.txt", "evaluation.txt"), parts[1:]):
        (args.out / name).write_text(part)
    model = Model(args.family, tok.size, args.layers)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    train(model, torch.tensor(tok.encode(parts[0])), torch.tensor(tok.encode(parts[2])), args.steps, args.seed)
    (args.out / "config.json").write_text(json.dumps(config(args.family, tok, args.layers), indent=1) + "\n")
    folder.save_tensors(args.out / "model.safetensors", {name: p.detach().numpy() for name, p in model.named_parameters()})


if __name__ == "__main__":
    main()
