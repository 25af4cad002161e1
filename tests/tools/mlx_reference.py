# SPDX-License-Identifier: Apache-2.0
"""What the numbers of an MLX folder are, read plainly from its config.json and safetensors: w = scale * q + bias.

Nothing is shared with the C++ code: the packing is that of MLX's own definition (a row is one stream of bits, the lowest
first, in little-endian 32-bit words), and config.json alone says how many bits and columns per group each module has. It made
tests/golden/mlx_reference.json, which tests/mlx_reference_test.cc compares with what halftone computes from the same folders:

    for bits in 2 3 4 5 6 8; do halftone export tiny-qwen2 --to mlx --bits $bits --group 32 -o mlx-$bits; done
    python3 tests/tools/mlx_reference.py mlx-2 mlx-3 ... mlx-mixed > tests/golden/mlx_reference.json

where tiny-qwen2 is `halftone synth tiny-qwen2 --type f16` and mlx-mixed the export of that model quantized with the recipe of the
test. Needs nothing but Python 3.
"""
import hashlib
import json
import struct
import sys
import tempfile
from pathlib import Path

from decoder_reference import LENGTHS, Decoder


def read_tensors(folder):
    """Name to (dtype, shape, bytes), of every safetensors file."""
    tensors = {}
    for path in sorted(Path(folder).glob("*.safetensors")):
        data = path.read_bytes()
        (size,) = struct.unpack("<Q", data[:8])
        for name, entry in json.loads(data[8 : 8 + size]).items():
            if name != "__metadata__":
                begin, end = (8 + size + offset for offset in entry["data_offsets"])
                tensors[name] = (entry["dtype"], entry["shape"], data[begin:end])
    return tensors


def floats(dtype, data):
    if dtype == "BF16":
        return [struct.unpack("<f", b"\0\0" + data[i : i + 2])[0] for i in range(0, len(data), 2)]
    code, width = {"F16": ("e", 2), "F32": ("f", 4)}[dtype]
    return list(struct.unpack(f"<{len(data) // width}{code}", data))


def codes(row, bits, count):
    stream = int.from_bytes(row, "little")
    return [stream >> (bits * i) & (1 << bits) - 1 for i in range(count)]


def dequantized(module, tensors, quantization):
    own = quantization.get(module)
    rules = own if isinstance(own, dict) else quantization
    bits, group = rules["bits"], rules["group_size"]
    assert rules.get("mode", "affine") == "affine", module
    dtype, (rows, words), data = tensors[module + ".weight"]
    assert dtype == "U32", module
    columns = words * 32 // bits
    scales = floats(tensors[module + ".scales"][0], tensors[module + ".scales"][2])
    biases = floats(tensors[module + ".biases"][0], tensors[module + ".biases"][2])
    groups = columns // group
    assert columns % group == 0 and len(scales) == len(biases) == rows * groups, module
    values = []
    for row in range(rows):
        integers = codes(data[4 * words * row : 4 * words * (row + 1)], bits, columns)
        for column, q in enumerate(integers):
            place = row * groups + column // group
            values.append(scales[place] * q + biases[place])  # exact in float64, or nearly
    return [rows, columns], values


def float_model(folder, out):
    """The folder as one of float32 numbers, and the digest of them all by name."""
    config = json.loads((Path(folder) / "config.json").read_text())
    tensors = read_tensors(folder)
    quantization = config.pop("quantization", {})
    config.pop("quantization_config", None)
    header, payload = {}, b""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        module, _, part = name.rpartition(".")
        if part in ("scales", "biases") and module + ".scales" in tensors:
            continue
        if part == "weight" and module + ".scales" in tensors:
            shape, values = dequantized(module, tensors, quantization)
        else:
            dtype, shape, data = tensors[name]
            values = floats(dtype, data)
        packed = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(payload), len(payload) + len(packed)]}
        payload += packed
        digest.update(packed)
    text = json.dumps(header).encode()
    (Path(out) / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + payload)
    (Path(out) / "config.json").write_text(json.dumps(config))
    return digest.hexdigest()


def main():
    models = []
    for folder in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as out:
            digest = float_model(folder, out)
            decoder = Decoder(out)
        vocabulary = decoder.config["vocab_size"]
        ids = [(37 * i * i + 11 * i + 5) % vocabulary for i in range(max(LENGTHS))]
        logits = ", ".join("%.7g" % value for value in decoder.logits(ids))
        models.append('  {"name": "%s", "sha256": "%s",\n   "logits": [%s]}' % (Path(folder).name, digest, logits))
    print('{"tokens": %s, "models": [\n%s\n]}' % (json.dumps(ids), ",\n".join(models)))


if __name__ == "__main__":
    main()
