#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the classifier of shapes and writes model.onnx, float16 weights folded with their batch norms, stored as float32.

Needs torch and numpy (Debian: python3-torch libopenblas0-pthread) and a halftone binary, which draws the pictures. With --resume a run
that was stopped goes on from its last epoch."""
import argparse
import pathlib
import subprocess
import time

import numpy
import torch
from torch import nn

import onnx_writer

HERE = pathlib.Path(__file__).resolve().parent
MEAN, DEVIATION = 127.5, 63.75  # of bytes, before the network
TRAIN_SEED, HELD_OUT_SEED = 1, 2


def separable(inputs, outputs, stride):
    return nn.Sequential(nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False), nn.BatchNorm2d(inputs), nn.ReLU(),
                         nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


def network():
    return nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), separable(32, 64, 1),
                         separable(64, 128, 2), separable(128, 128, 1), separable(128, 264, 2), separable(264, 264, 1),
                         separable(264, 264, 1), separable(264, 264, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(264, 64))


def pictures(folder):
    labels = [int(line.split(",")[1]) for line in (folder / "labels.csv").read_text().splitlines()[1:]]
    return numpy.load(folder / "pictures.npy", mmap_mode="r"), torch.tensor(labels)


def batch(images, rows, flip):
    x = torch.from_numpy(numpy.ascontiguousarray(images[rows])).permute(0, 3, 1, 2).float().sub(MEAN).div(DEVIATION)
    # Mirrored and turned figures are of the same class.
    for axis, wanted in ((2, flip & 1), (3, flip & 2)):
        if wanted:
            x = x.flip(axis)
    return (x.transpose(2, 3) if flip & 4 else x).contiguous(memory_format=torch.channels_last)


def accuracy(model, images, labels):
    model.eval()
    with torch.no_grad():
        right = sum((model(batch(images, slice(i, i + 500), 0)).argmax(1) == labels[i:i + 500]).sum().item()
                    for i in range(0, len(labels), 500))
    return right / len(labels)


def train(options):
    torch.manual_seed(1)
    generator = numpy.random.default_rng(1)
    model = network().to(memory_format=torch.channels_last)  # a third faster on CPUs
    print(sum(p.numel() for p in model.parameters()), "parameters")
    images, labels = pictures(options.work / "train")
    held, answers = pictures(options.work / "held_out")
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.rate, weight_decay=0.02)
    steps = len(labels) // options.batch * options.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.rate, total_steps=steps, pct_start=0.15)
    checkpoint, first = options.work / "checkpoint.pt", 0
    if options.resume and checkpoint.exists():
        state = torch.load(checkpoint)
        model.load_state_dict(state["model"]), optimizer.load_state_dict(state["optimizer"]), schedule.load_state_dict(state["schedule"])
        first = state["epoch"]
    for epoch in range(options.epochs):
        order = generator.permutation(len(labels))  # drawn of skipped epochs too
        if epoch < first:
            continue
        model.train()
        begin, total = time.time(), 0.0
        for step in range(len(labels) // options.batch):
            rows = numpy.sort(order[step * options.batch:(step + 1) * options.batch])
            loss = nn.functional.cross_entropy(model(batch(images, rows, (epoch * 3 + step) % 8)), labels[rows], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: loss {total / (step + 1):.3f}, held out {100 * accuracy(model, held[:4000], answers[:4000]):.2f} %, "
              f"{time.time() - begin:.0f} s", flush=True)
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict(),
                    "epoch": epoch + 1}, checkpoint)
    return model


def folded(convolution, norm):
    """Weight and bias of a convolution that does its norm's work."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return convolution.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale


def layers(model):
    """(convolution, norm) in order, from nested sequences."""
    flat = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.BatchNorm2d))]
    return list(zip(flat[::2], flat[1::2]))


def export(model, path):
    model.eval()
    graph = onnx_writer.Graph("shapes", [("picture", ["n", 40, 40, 3])], [("scores", ["n", 64])])
    # What a byte means is part of the model, so that nobody has to guess it.
    graph.constant("mean", numpy.array([MEAN], "f"))
    graph.constant("deviation", numpy.array([DEVIATION], "f"))
    value = graph.node("Sub", ["picture", "mean"], "centred")
    value = graph.node("Div", [value, "deviation"], "scaled")
    value = graph.node("Transpose", [value], "channels_first", perm=[0, 3, 1, 2])
    half = lambda tensor: tensor.detach().half().float().numpy()
    for i, (convolution, norm) in enumerate(layers(model)):
        weight, bias = folded(convolution, norm)
        name = f"conv{i}" if convolution.groups == 1 else f"depthwise{i}"
        graph.constant(name + ".weight", half(weight))
        graph.constant(name + ".bias", half(bias))
        size, pad, stride = convolution.kernel_size[0], convolution.padding[0], convolution.stride[0]
        value = graph.node("Conv", [value, name + ".weight", name + ".bias"], name, kernel_shape=[size, size],
                           pads=[pad] * 4, strides=[stride] * 2, group=convolution.groups)
        value = graph.node("Relu", [value], name + ".relu")
    value = graph.node("GlobalAveragePool", [value], "pool")
    value = graph.node("Flatten", [value], "flat", axis=1)
    graph.constant("classifier.weight", half(model[-1].weight))
    graph.constant("classifier.bias", half(model[-1].bias))
    graph.node("Gemm", [value, "classifier.weight", "classifier.bias"], "classifier", output="scores", transB=1)
    path.write_bytes(graph.bytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for pictures and checkpoints")
    parser.add_argument("--halftone", default=str(HERE.parent.parent / "build/release/halftone"))
    parser.add_argument("--samples", type=int, default=60000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("-o", "--output", type=pathlib.Path, default=HERE / "model.onnx")
    options = parser.parse_args()
    for name, seed, samples in (("train", TRAIN_SEED, options.samples), ("held_out", HELD_OUT_SEED, 20000)):
        if not (options.work / name).exists():
            subprocess.run([options.halftone, "synth", "shapes", "--samples", str(samples), "--seed", str(seed), "-o",
                            str(options.work / name)], check=True)
    model = train(options)
    export(model, options.output)
    images, labels = pictures(options.work / "held_out")
    print(f"held out, {len(labels)} pictures: {100 * accuracy(model, images, labels):.2f} %")


if __name__ == "__main__":
    main()
