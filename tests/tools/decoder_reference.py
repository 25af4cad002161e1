# SPDX-License-Identifier: Apache-2.0
"""Logits of a decoder, computed plainly in float64 from a Hugging Face folder: config.json and model.safetensors.

An independent reading of the families' published definitions, one token after the other and nothing shared with the C++
code. It made tests/golden/logits_*.json:

    halftone synth tiny-gemma2 /tmp/tiny-gemma2 --type f32
    python3 tests/tools/decoder_reference.py /tmp/tiny-gemma2 > tests/golden/logits_tiny-gemma2.json

Needs nothing but Python 3.
"""
import json
import math
import struct
import sys
from operator import mul
from pathlib import Path

LENGTHS = (20, 48)  # tokens of each run; below and above the windows and the longrope switch of the tiny models


def read_safetensors(path):
    data = Path(path).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        assert entry["dtype"] == "F32", name
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        flat = struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])
        shape = entry["shape"]
        tensors[name] = flat if len(shape) == 1 else [flat[r * shape[1] : (r + 1) * shape[1]] for r in range(shape[0])]
    return tensors


def dot(a, b):
    return sum(map(mul, a, b))


def plus(a, b):
    return [x + y for x, y in zip(a, b)]


def silu(x):
    return x / (1 + math.exp(-x))


def gelu_tanh(x):
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def capped(x, cap):
    return cap * math.tanh(x / cap) if cap else x


class Decoder:
    def __init__(self, folder):
        self.config = json.loads((Path(folder) / "config.json").read_text())
        self.weights = read_safetensors(Path(folder) / "model.safetensors")
        c = self.config
        self.type = c["model_type"]
        self.gemma = self.type.startswith("gemma")
        self.layers = c["num_hidden_layers"]
        self.heads = c["num_attention_heads"]
        self.kv_heads = c.get("num_key_value_heads") or self.heads
        self.head_dim = c.get("head_dim") or c["hidden_size"] // self.heads
        self.scale = (c.get("query_pre_attn_scalar") or self.head_dim) ** -0.5
        self.activation = gelu_tanh if self.gemma or self.type == "phi" else silu

    def linear(self, name, x):
        y = [dot(row, x) for row in self.weights[name + ".weight"]]
        bias = self.weights.get(name + ".bias")
        return plus(y, bias) if bias else y

    def norm(self, name, x):
        weight = self.weights[name + ".weight"]
        if self.type == "phi":
            mean = sum(x) / len(x)
            variance = sum((v - mean) ** 2 for v in x) / len(x)
            factor = 1 / math.sqrt(variance + self.config["layer_norm_eps"])
            return [(v - mean) * factor * w + b for v, w, b in zip(x, weight, self.weights[name + ".bias"])]
        factor = 1 / math.sqrt(dot(x, x) / len(x) + self.config["rms_norm_eps"])
        return [v * factor * (1 + w if self.gemma else w) for v, w in zip(x, weight)]

    def windowed(self, layer):
        if self.type == "gemma2":
            return layer % 2 == 0
        if self.type == "gemma3_text":
            return (layer + 1) % self.config["sliding_window_pattern"] != 0
        return self.type in ("mistral", "phi3") and self.config.get("sliding_window") is not None

    def frequencies(self, layer, total):
        """Angle per position of each pair, and what multiplies sine and cosine, in a text of `total` tokens."""
        c = self.config
        rotary = int(self.head_dim * c.get("partial_rotary_factor", 1.0))
        scaling = c.get("rope_scaling") or {}
        theta = c["rope_theta"]
        if self.type == "gemma3_text" and self.windowed(layer):
            theta, scaling = c["rope_local_base_freq"], {}
        base = [theta ** (-2 * i / rotary) for i in range(rotary // 2)]
        kind = scaling.get("rope_type", scaling.get("type", "default"))
        if kind == "default":
            return base, 1
        if kind == "linear":
            return [f / scaling["factor"] for f in base], 1
        assert kind == "longrope"
        original = c["original_max_position_embeddings"]
        divisors = scaling["long_factor"] if total > original else scaling["short_factor"]
        stretch = c["max_position_embeddings"] / original
        magnitude = math.sqrt(1 + math.log(stretch) / math.log(original)) if stretch > 1 else 1
        return [f / d for f, d in zip(base, divisors)], magnitude

    def rotate(self, head, position, frequencies, magnitude):
        half = len(frequencies)
        out = list(head)
        for i, frequency in enumerate(frequencies):
            c = math.cos(position * frequency) * magnitude
            s = math.sin(position * frequency) * magnitude
            a, b = head[i], head[i + half]
            out[i], out[i + half] = a * c - b * s, b * c + a * s
        return out

    def project(self, prefix, x):
        """Query, key and value heads of one token, before rotation."""
        q_width, kv_width = self.heads * self.head_dim, self.kv_heads * self.head_dim
        if self.type == "phi3":
            qkv = self.linear(prefix + "qkv_proj", x)
            q, k, v = qkv[:q_width], qkv[q_width : q_width + kv_width], qkv[q_width + kv_width :]
        else:
            q, k, v = (self.linear(prefix + name, x) for name in ("q_proj", "k_proj", "v_proj"))
        split = lambda row: [row[i : i + self.head_dim] for i in range(0, len(row), self.head_dim)]
        q, k, v = split(q), split(k), split(v)
        if self.type in ("qwen3", "gemma3_text"):
            q = [self.norm(prefix + "q_norm", head) for head in q]
            k = [self.norm(prefix + "k_norm", head) for head in k]
        return q, k, v

    def attention(self, layer, inputs):
        prefix = f"model.layers.{layer}.self_attn."
        frequencies, magnitude = self.frequencies(layer, len(inputs))
        window = self.config["sliding_window"] if self.windowed(layer) else len(inputs)
        cap = self.config.get("attn_logit_softcapping")
        keys, values, outputs = [], [], []
        for position, x in enumerate(inputs):
            q, k, v = self.project(prefix, x)
            q = [self.rotate(head, position, frequencies, magnitude) for head in q]
            keys.append([self.rotate(head, position, frequencies, magnitude) for head in k])
            values.append(v)
            first = max(0, position - window + 1)
            mixed = []
            for h, query in enumerate(q):
                kv = h // (self.heads // self.kv_heads)
                scores = [capped(dot(query, keys[j][kv]) * self.scale, cap) for j in range(first, position + 1)]
                most = max(scores)
                weights = [math.exp(s - most) for s in scores]
                total = sum(weights)
                for d in range(self.head_dim):
                    mixed.append(sum(w * values[first + j][kv][d] for j, w in enumerate(weights)) / total)
            outputs.append(self.linear(prefix + ("dense" if self.type == "phi" else "o_proj"), mixed))
        return outputs

    def mlp(self, layer, x):
        prefix = f"model.layers.{layer}.mlp."
        if self.type == "phi":
            return self.linear(prefix + "fc2", [gelu_tanh(v) for v in self.linear(prefix + "fc1", x)])
        if self.type == "phi3":
            both = self.linear(prefix + "gate_up_proj", x)
            gate, up = both[: len(both) // 2], both[len(both) // 2 :]
        else:
            gate, up = self.linear(prefix + "gate_proj", x), self.linear(prefix + "up_proj", x)
        return self.linear(prefix + "down_proj", [self.activation(g) * u for g, u in zip(gate, up)])

    def block(self, layer, xs):
        prefix = f"model.layers.{layer}."
        normed = [self.norm(prefix + "input_layernorm", x) for x in xs]
        attended = self.attention(layer, normed)
        if self.type == "phi":
            return [plus(plus(a, self.mlp(layer, n)), x) for a, n, x in zip(attended, normed, xs)]
        four = self.type in ("gemma2", "gemma3_text")
        if four:
            attended = [self.norm(prefix + "post_attention_layernorm", a) for a in attended]
        xs = [plus(x, a) for x, a in zip(xs, attended)]
        before = "pre_feedforward_layernorm" if four else "post_attention_layernorm"
        fed = [self.mlp(layer, self.norm(prefix + before, x)) for x in xs]
        if four:
            fed = [self.norm(prefix + "post_feedforward_layernorm", f) for f in fed]
        return [plus(x, f) for x, f in zip(xs, fed)]

    def logits(self, ids):
        """Of the last of these tokens."""
        embedding = self.weights["model.embed_tokens.weight"]
        # Rounded to float32, the type of these weights, as a float32 checkpoint does.
        scale = struct.unpack("<f", struct.pack("<f", math.sqrt(self.config["hidden_size"])))[0] if self.gemma else 1
        xs = [[v * scale for v in embedding[i]] for i in ids]
        for layer in range(self.layers):
            xs = self.block(layer, xs)
        x = self.norm("model.final_layernorm" if self.type == "phi" else "model.norm", xs[-1])
        tied = "lm_head.weight" not in self.weights
        logits = [dot(row, x) for row in embedding] if tied else self.linear("lm_head", x)
        return [capped(v, self.config.get("final_logit_softcapping")) for v in logits]


def main():
    decoder = Decoder(sys.argv[1])
    vocabulary = decoder.config["vocab_size"]
    ids = [(37 * i * i + 11 * i + 5) % vocabulary for i in range(max(LENGTHS))]
    runs = []
    for length in LENGTHS:
        logits = decoder.logits(ids[:length])
        runs.append('  {"length": %d, "logits": [%s]}' % (length, ", ".join("%.7g" % v for v in logits)))
    print('{"tokens": %s, "runs": [\n%s\n]}' % (json.dumps(ids), ",\n".join(runs)))


if __name__ == "__main__":
    main()
