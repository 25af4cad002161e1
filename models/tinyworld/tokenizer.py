# SPDX-License-Identifier: Apache-2.0
"""Byte-level BPE in plain Python: training, encoding, and the Hugging Face tokenizer.json form."""
import collections
import json
import re

# GPT-2's pattern keeps the space before a number, so that " 42" can be one token.
PATTERN = (r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
# Python's re has no \p{..}; for the ASCII text of this world these classes are the same.
_SPLIT = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")
BOS, EOS = "<|begin|>", "<|end|>"


def byte_letters():
    """GPT-2's printable stand-in for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, extra = {b: chr(b) for b in plain}, 256
    for b in range(256):
        if b not in table:
            table[b] = chr(extra)
            extra += 1
    return table


_LETTER = byte_letters()


def _letters(piece):
    return tuple(_LETTER[b] for b in piece.encode())


def _join(parts, pair):
    out, i = [], 0
    while i < len(parts):
        if parts[i:i + 2] == pair:
            out.append(pair[0] + pair[1])
            i += 2
        else:
            out.append(parts[i])
            i += 1
    return tuple(out)


def train(texts, size):
    """Returns (vocabulary, merges) with `size` tokens, the two special ones included."""
    words = collections.Counter()
    for text in texts:
        words.update(_SPLIT.findall(text))
    # The square root keeps rare words of the world ahead of fragments of frequent ones.
    words = {_letters(w): n ** 0.5 for w, n in words.items()}
    vocab = {c: i for i, c in enumerate(sorted(_LETTER.values()))}
    merges = []
    while len(vocab) < size - 2:
        pairs = collections.defaultdict(float)
        for word, n in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += n
        if not pairs:
            break
        best = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(best)
        vocab.setdefault(best[0] + best[1], len(vocab))
        words = {_join(w, best): n for w, n in words.items()}
    for token in (BOS, EOS):
        vocab[token] = len(vocab)
    return vocab, merges


def to_json(vocab, merges):
    """The tokenizer.json document."""
    special = [{"id": vocab[t], "content": t, "single_word": False, "lstrip": False,
                "rstrip": False, "normalized": False, "special": True} for t in (BOS, EOS)]
    first = {"SpecialToken": {"id": BOS, "type_id": 0}}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
             "use_regex": False}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated",
             "invert": False}, level]},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [first, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [first, {"Sequence": {"id": "A", "type_id": 0}},
                     {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {BOS: {"id": BOS, "ids": [vocab[BOS]], "tokens": [BOS]}}},
        "decoder": dict(level),
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {t: i for t, i in vocab.items() if t not in (BOS, EOS)},
                  "merges": [" ".join(m) for m in merges]}}


class Tokenizer:
    """Encodes text with a tokenizer.json file of this form."""

    def __init__(self, path):
        with open(path) as f:
            data = json.load(f)
        self.vocab = data["model"]["vocab"]
        self.rank = {tuple(m.split(" ")): i for i, m in enumerate(data["model"]["merges"])}
        ids = {t["content"]: t["id"] for t in data["added_tokens"]}
        self.bos, self.eos = ids[BOS], ids[EOS]
        self.size = len(self.vocab) + len(ids)
        self._cache = {}

    def _encode_piece(self, piece):
        parts = _letters(piece)
        while len(parts) > 1:
            best = min(zip(parts, parts[1:]), key=lambda p: self.rank.get(p, 1 << 30))
            if best not in self.rank:
                break
            parts = _join(parts, best)
        return [self.vocab[p] for p in parts]

    def encode(self, text):
        """Token ids of plain text, without the begin token."""
        out = []
        for piece in _SPLIT.findall(text):
            if piece not in self._cache:
                self._cache[piece] = self._encode_piece(piece)
            out += self._cache[piece]
        return out
