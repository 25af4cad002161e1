#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second implementation of the model in plain numpy: accuracy by slice and rounding losses.

    python3 evaluate.py                       # float and three roundings on all questions
    python3 evaluate.py --recipes float --limit 500
    python3 evaluate.py --golden golden.json  # values for the C++ tests

It reads the model folder only. Weights are f16, all arithmetic is float32.
"""
import argparse
import csv
import json
import pathlib

import numpy as np

import folder
import tokenizer

HERE = pathlib.Path(__file__).resolve().parent


def round_int8_channel(w):
    """Nearest, 255 levels, one f16 scale for each output row."""
    s = (np.abs(w).max(-1, keepdims=True) / 127).astype(np.float16).astype(np.float32)
    return np.clip(np.rint(w / np.maximum(s, 1e-12)), -127, 127) * s


def _int4(w, scale):
    s = scale.astype(np.float16).astype(np.float32)
    return np.clip(np.rint(w / np.where(s == 0, 1, s)), -8, 7) * s


def round_int4_channel(w):
    """Nearest, 16 levels, one f16 scale for each output row."""
    return _int4(w, np.abs(w).max(-1, keepdims=True) / 7)


def round_int4_block32(w):
    """Nearest, 16 levels, one f16 scale for 32 weights: the better of max / 7 and extreme / -8."""
    b = w.reshape(-1, 32)
    top = np.abs(b).argmax(-1)[:, None]
    tries = [_int4(b, np.abs(b).max(-1, keepdims=True) / 7),
             _int4(b, np.take_along_axis(b, top, -1) / -8)]
    error = [((t - b) ** 2).sum(-1, keepdims=True) for t in tries]
    return np.where(error[0] <= error[1], *tries).reshape(w.shape)


RECIPES = {"float": lambda w: w, "int8_channel": round_int8_channel,
           "int4_block32": round_int4_block32, "int4_channel": round_int4_channel}


class Model:
    """The decoder; every matrix, the tied embedding too, goes through `rounding`."""

    def __init__(self, path, rounding):
        tensors = folder.load_tensors(path / "model.safetensors")
        self.w = {n: rounding(t) if t.ndim == 2 else t for n, t in tensors.items()}
        self.c = json.loads((path / "config.json").read_text())
        d = self.c["head_dim"]
        freq = self.c["rope_theta"] ** (-np.arange(0, d, 2) / d)
        angle = np.arange(self.c["max_position_embeddings"])[:, None] * freq
        self.cos, self.sin = np.cos(angle, dtype=np.float32), np.sin(angle, dtype=np.float32)

    def _norm(self, x, name):
        r = np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(self.c["rms_norm_eps"]))
        return x / r * self.w[name]

    def _heads(self, x, name, count):
        b, t, _ = x.shape
        return (x @ self.w[name].T).reshape(b, t, count, -1).transpose(0, 2, 1, 3)

    def _rope(self, x):
        t, half = x.shape[2], x.shape[3] // 2
        a, b, c, s = x[..., :half], x[..., half:], self.cos[:t], self.sin[:t]
        return np.concatenate((a * c - b * s, b * c + a * s), -1)

    def _attention(self, x, base):
        b, t, _ = x.shape
        heads, kv = self.c["num_attention_heads"], self.c["num_key_value_heads"]
        q = self._rope(self._heads(x, base + "q_proj.weight", heads))
        k = self._rope(self._heads(x, base + "k_proj.weight", kv)).repeat(heads // kv, 1)
        v = self._heads(x, base + "v_proj.weight", kv).repeat(heads // kv, 1)
        a = q @ k.transpose(0, 1, 3, 2) * np.float32(q.shape[-1] ** -0.5)
        a += np.triu(np.full((t, t), -1e30, np.float32), 1)
        a = np.exp(a - a.max(-1, keepdims=True))
        a /= a.sum(-1, keepdims=True)
        o = (a @ v).transpose(0, 2, 1, 3).reshape(b, t, -1)
        return o @ self.w[base + "o_proj.weight"].T

    def logits(self, ids, last):
        """ids (batch, tokens) -> logits of the last `last` positions."""
        x = self.w["model.embed_tokens.weight"][ids]
        for i in range(self.c["num_hidden_layers"]):
            base = f"model.layers.{i}."
            x = x + self._attention(self._norm(x, base + "input_layernorm.weight"),
                                    base + "self_attn.")
            n = self._norm(x, base + "post_attention_layernorm.weight")
            gate = n @ self.w[base + "mlp.gate_proj.weight"].T
            up = n @ self.w[base + "mlp.up_proj.weight"].T
            x = x + (gate / (1 + np.exp(-gate)) * up) @ self.w[base + "mlp.down_proj.weight"].T
        x = self._norm(x[:, -last:], "model.norm.weight")
        return x @ self.w["model.embed_tokens.weight"].T


def read_questions(path):
    """Rows of the question file as dicts."""
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


def choices(row):
    """The answers that a question offers."""
    return [text for column, text in row.items() if column.startswith("choice")]


def choice_scores(model, tok, rows):
    """Log-likelihood of each answer, (questions, answers)."""
    jobs, scores = {}, np.zeros((len(rows), len(choices(rows[0]))))
    for q, r in enumerate(rows):
        prompt = [tok.bos] + tok.encode(f"Question: {r['question']}\nAnswer:")
        for i, text in enumerate(choices(r)):
            answer = tok.encode(" " + text)
            # One-token answers of a question share a single pass over the prompt.
            key = (len(prompt) + len(answer) - 1, len(answer))
            jobs.setdefault(key, {}).setdefault(tuple(prompt + answer[:-1]), []).append(
                (q, i, answer))
    for (_, length), group in sorted(jobs.items()):
        entries = list(group.items())
        for at in range(0, len(entries), 128):
            part = entries[at:at + 128]
            z = model.logits(np.array([ids for ids, _ in part]), length)
            z -= z.max(-1, keepdims=True)
            z -= np.log(np.exp(z).sum(-1, keepdims=True))
            for row, (_, users) in zip(z, part):
                for q, i, answer in users:
                    scores[q, i] = sum(float(row[j, a]) for j, a in enumerate(answer))
    return scores


def slices(rows):
    """(name, indices) of every slice, the whole file first."""
    yield "all", np.arange(len(rows))
    for column in ("exposure", "distribution", "subject"):
        for value in sorted({r[column] for r in rows}):
            yield f"{column}={value}", np.array([i for i, r in enumerate(rows)
                                                 if r[column] == value])


def report(rows, scores):
    """Prints a Markdown table: accuracy of the first recipe, then points against it."""
    truth = np.array([int(r["answer"]) for r in rows])
    right = {k: s.argmax(-1) == truth for k, s in scores.items()}
    names = list(scores)
    print("| slice | n |", " | ".join(names), "|")
    print("|---|---:|" + "---:|" * len(names))
    for name, at in slices(rows):
        cells = [f"{100 * right[names[0]][at].mean():.1f} %"]
        cells += [f"{100 * (right[k][at].mean() - right[names[0]][at].mean()):+.2f}"
                  for k in names[1:]]
        print(f"| {name} | {len(at)} |", " | ".join(cells), "|")
    changed = [f"{100 * (scores[k].argmax(-1) != scores[names[0]].argmax(-1)).mean():.2f} %"
               for k in names[1:]]
    print("| answers changed | |", " | ".join([""] + changed), "|")


def golden(path, model, tok, rows):
    """Writes token ids, top logits and choice scores of a few prompts."""
    prompts = ["Mara Oakley lives in", "Question: What is 17 plus 25?\nAnswer:",
               "Question: Ida went to Tarn, then to Venn, then to Wick. Where did Ida go first?"
               "\nAnswer:"]
    out = {"arithmetic": "f16 weights, float32", "prompts": [], "questions": []}
    for text in prompts:
        ids = [tok.bos] + tok.encode(text)
        z = model.logits(np.array([ids]), 1)[0, 0]
        best = np.argsort(-z)[:10]
        out["prompts"].append({"text": text, "ids": ids, "top_ids": best.tolist(),
                               "top_logits": [round(float(z[i]), 5) for i in best],
                               "logits_sum": round(float(z.sum(dtype=np.float64)), 3)})
    rows = rows[:40] + [r for r in rows if r["subject"] == "holding"][:10]
    for r, s in zip(rows, choice_scores(model, tok, rows)):
        out["questions"].append({
            "question": r["question"], "choices": choices(r),
            "answer": int(r["answer"]), "scores": [round(float(x), 5) for x in s]})
    path.write_text(json.dumps(out, indent=1) + "\n")


def main():
    """Parses the command line and prints the table or writes the golden file."""
    cli = argparse.ArgumentParser(description=__doc__,
                                  formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--model", type=pathlib.Path, default=HERE, help="folder with the weights")
    cli.add_argument("--questions", type=pathlib.Path, default=HERE / "questions.csv")
    cli.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    cli.add_argument("--limit", type=int, help="only the first N questions")
    cli.add_argument("--golden", type=pathlib.Path)
    args = cli.parse_args()
    tok = tokenizer.Tokenizer(HERE / "tokenizer.json")
    rows = read_questions(args.questions)[:args.limit]
    if args.golden:
        golden(args.golden, Model(args.model, RECIPES["float"]), tok, rows)
        return
    report(rows, {k: choice_scores(Model(args.model, RECIPES[k]), tok, rows)
                  for k in args.recipes})


if __name__ == "__main__":
    main()
