# SPDX-License-Identifier: Apache-2.0
"""The model folder: sizes of the network, config.json, and safetensors written by hand."""
import json
import struct

import numpy as np

HIDDEN, LAYERS, HEADS, KV_HEADS, HEAD_DIM, FFN = 256, 4, 4, 2, 64, 704
VOCAB, CONTEXT, EPSILON, THETA = 1792, 256, 1e-5, 10000.0


def config(bos, eos):
    """config.json in the Hugging Face Llama form."""
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN,
        "intermediate_size": FFN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS, "head_dim": HEAD_DIM, "vocab_size": VOCAB,
        "rms_norm_eps": EPSILON, "rope_theta": THETA, "max_position_embeddings": CONTEXT,
        "tie_word_embeddings": True, "hidden_act": "silu", "attention_bias": False,
        "mlp_bias": False, "bos_token_id": bos, "eos_token_id": eos, "torch_dtype": "float16"}


def save_tensors(path, tensors):
    """Writes a dict of numpy arrays as f16 safetensors."""
    header, offset, parts = {"__metadata__": {"format": "pt"}}, 0, []
    for name, value in tensors.items():
        data = np.ascontiguousarray(value, dtype="<f2").tobytes()
        header[name] = {"dtype": "F16", "shape": list(value.shape),
                        "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
        parts.append(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(parts))


def load_tensors(path):
    """Reads f16 safetensors as float32 arrays."""
    with open(path, "rb") as f:
        data = f.read()
    size = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    out = {}
    for name, t in header.items():
        begin, end = (8 + size + x for x in t["data_offsets"])
        out[name] = np.frombuffer(data[begin:end], "<f2").reshape(t["shape"]).astype(np.float32)
    return out
