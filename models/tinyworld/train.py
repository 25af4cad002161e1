#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains tinyworld with torch (1.13 or later) on a CPU and writes the model folder.

    python3 generate.py --train WORK/train.json
    OMP_NUM_THREADS=1 python3 train.py --work WORK

Checkpoints stay in WORK; the same command continues from the last one. Everything random is
seeded; results of another CPU or process count may still differ in their last bits.
"""
import argparse
import csv
import json
import multiprocessing
import os
import pathlib
import random
import time

import torch
import torch.nn.functional as F

import folder
import tokenizer
from decoder import Decoder
from optimizer import Optimizer

HERE = pathlib.Path(__file__).resolve().parent
SEED = 7
ROWS = 16                  # rows of CONTEXT tokens in a step
PEAK, FLOOR, WARMUP = 2e-3, 2e-5, 200
OTHER = 0.3                # share of tokens in the loss that neither answer nor end a sentence


def pack(docs, seed):
    """Documents (lists of ids) -> (rows, CONTEXT + 1) ids, first fit over a short waiting list."""
    rng, size = random.Random(seed), folder.CONTEXT + 1
    queue, rows, waiting = rng.sample(docs, len(docs)), [], []
    while queue or waiting:
        row = []
        while True:
            while queue and len(waiting) < 40:
                waiting.append(queue.pop())
            at = next((i for i, d in enumerate(waiting) if len(row) + len(d) <= size), None)
            if at is None:
                break
            row += waiting.pop(at)
        rows.append(row + [-1] * (size - len(row)))
    rng.shuffle(rows)
    return torch.tensor(rows)


def chosen(rows, marks, seed):
    """Targets that count: answers, last words of sentences, and a share of the others."""
    stop, colon, newline = marks
    target = rows[:, 1:]
    after = torch.cat((target[:, 1:], torch.full_like(target[:, :1], newline)), 1)
    value = (after == stop) | (after == newline) | (rows[:, :-1] == colon)
    for back in range(4, 16):          # what was said shortly before: echoes and stories
        value[:, back:] |= target[:, back:] == target[:, :-back]
    other = torch.rand(target.shape, generator=torch.Generator().manual_seed(seed)) < OTHER
    return (value | other) & (target >= 0)


def rate(step, steps, cooldown):
    """Warm-up, constant, then a straight line down over the last `cooldown` part."""
    left = (steps - step) / (cooldown * steps)
    return max(FLOOR, PEAK * min(1.0, step / WARMUP, left))


def probe_set(tok, rng, count):
    """Held-out questions whose choices differ in their first token, for progress lines."""
    with open(HERE / "questions.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    out = []
    for r in rng.sample(rows, count):
        prompt = [tok.bos] + tok.encode(f"Question: {r['question']}\nAnswer:")
        firsts = [tok.encode(" " + r[c])[0] for c in r if c.startswith("choice")]
        out.append((prompt, firsts, int(r["answer"]),
                    r["exposure"] if r["distribution"] == "in" else "ood"))
    return out


def probe(model, items):
    """Accuracy by slice from the first token of each choice."""
    right, total = {}, {}
    with torch.no_grad():
        for at in range(0, len(items), 64):
            part = items[at:at + 64]
            width = max(len(p) for p, *_ in part)
            ids = torch.tensor([p + [0] * (width - len(p)) for p, *_ in part])
            h = model.hidden(ids).view(len(part), width, -1)
            last = torch.stack([h[i, len(p) - 1] for i, (p, *_) in enumerate(part)])
            logits = model.logits(last)
            for row, (_, firsts, answer, name) in zip(logits, part):
                hit = int(row[firsts].argmax()) == answer
                for key in (name, "all"):
                    right[key] = right.get(key, 0) + hit
                    total[key] = total.get(key, 0) + 1
    return {k: round(right[k] / total[k], 3) for k in sorted(total)}


def write_folder(model, tok, out):
    """Writes config.json and the f16 weights."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(folder.config(tok.bos, tok.eos), indent=1) + "\n")
    folder.save_tensors(out / "model.safetensors", model.tensors())


def load_documents(work):
    """Trains the tokenizer at the first call; returns it and the lessons' documents as ids."""
    lessons = json.loads((work / "train.json").read_text())
    path = HERE / "tokenizer.json"
    if not path.exists():
        table = tokenizer.to_json(*tokenizer.train(lessons[1], folder.VOCAB))
        path.write_text(json.dumps(table, ensure_ascii=False, indent=0) + "\n")
    tok = tokenizer.Tokenizer(path)
    ids = lambda text: ([tok.bos] + tok.encode(text) + [tok.eos])[:folder.CONTEXT + 1]
    return tok, [[ids(text) for text in texts] for texts in lessons]


class Run:
    """The training run; every process executes it on its share of each batch."""

    def __init__(self, args):
        self.args = args
        self.tok, self.lessons = load_documents(args.work)
        self.model = Decoder(SEED)
        zeros = lambda *shape: torch.zeros(*shape).share_memory_()
        size = len(self.model.master)
        self.first, self.second = zeros(size), zeros(self.model.matrices)
        self.gradients, self.losses = zeros(args.processes, size), zeros(args.processes)
        self.step = self.epoch = self.row = 0
        self.file = args.work / "checkpoint.pt"
        if self.file.exists():
            c = torch.load(self.file)
            for name in ("first", "second"):
                getattr(self, name).copy_(c[name])
            self.model.master.copy_(c["master"])
            self.step, self.epoch, self.row = c["step"], c["epoch"], c["row"]
        self.rows = pack(self.lessons[min(self.epoch, 1)], SEED + self.epoch)
        self.probes = probe_set(self.tok, random.Random(SEED), 768)
        self.marks = [self.tok.encode(s)[0] for s in (".", ":", "\n")]

    def save(self):
        state = {"master": self.model.master, "first": self.first, "second": self.second,
                 "step": self.step, "epoch": self.epoch, "row": self.row}
        torch.save(state, self.file.with_suffix(".new"))
        os.replace(self.file.with_suffix(".new"), self.file)
        write_folder(self.model, self.tok, self.args.work / "latest")

    def batch(self):
        if self.row + ROWS > len(self.rows):
            self.epoch, self.row = self.epoch + 1, 0
            self.rows = pack(self.lessons[min(self.epoch, 1)], SEED + self.epoch)
        part = self.rows[self.row:self.row + ROWS]
        self.row += ROWS
        return part, chosen(part, self.marks, SEED + self.step)

    def gradient(self, rank):
        """Leaves this process's part of the gradient and loss in the shared buffers."""
        part, use = self.batch()
        total = use.sum()
        part, use = part[rank::self.args.processes], use[rank::self.args.processes].flatten()
        h = self.model.hidden(part[:, :-1].clamp(min=0))[use]
        loss = F.cross_entropy(self.model.logits(h), part[:, 1:].flatten()[use],
                               reduction="sum") / total
        loss.backward()
        self.gradients[rank] = self.model.gradient()
        self.losses[rank] = loss.item()

    def train(self, rank, barrier):
        """Trains to the last step; process 0 also reports and saves."""
        torch.set_num_threads(1)
        optimizer = Optimizer(self.model, rank, self.args.processes, self.first, self.second)
        start = shown = time.time()
        loss = 0.0
        while self.step < self.args.steps:
            self.step += 1
            self.gradient(rank)
            barrier.wait()
            loss += self.losses.sum().item() / 100
            now = rate(self.step, self.args.steps, self.args.cooldown)
            optimizer.step(self.gradients.sum(0), self.step, now)
            barrier.wait()
            if rank == 0 and self.step % 100 == 0:
                t = time.time()
                speed = 100 * ROWS * folder.CONTEXT / (t - shown)
                print(f"step {self.step} epoch {self.epoch} loss {loss:.4f} rate {now:.2e} "
                      f"{speed:.0f} tok/s {t - start:.0f} s", flush=True)
                loss, shown = 0.0, t
            if rank == 0 and (self.step % 250 == 0 or self.step == self.args.steps):
                print("  ", probe(self.model, self.probes), flush=True)
                self.save()


def main():
    """Parses the command line and trains."""
    cli = argparse.ArgumentParser(description=__doc__,
                                  formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--work", type=pathlib.Path, required=True)
    cli.add_argument("--steps", type=int, default=4000)
    cli.add_argument("--cooldown", type=float, default=0.3)
    cli.add_argument("--processes", type=int, default=2)
    args = cli.parse_args()
    torch.set_num_threads(1)
    # Fork after the tensors exist: one single-threaded process per core waits once per step,
    # where threads wait at every operation, which is slow on a machine that does other work too.
    context = multiprocessing.get_context("fork")
    run, barrier = Run(args), context.Barrier(args.processes)
    others = [context.Process(target=run.train, args=(rank, barrier), daemon=True)
              for rank in range(1, args.processes)]
    for p in others:
        p.start()
    run.train(0, barrier)
    write_folder(run.model, run.tok, HERE)


if __name__ == "__main__":
    main()
