#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tokenizers the slow and obvious way, written apart from the C++ ones. Writes the goldens that their tests compare with.

    python3 tests/tools/bpe_reference.py            rewrites tests/golden/{byte_level,sentencepiece}.json

Byte-level: tests/golden/tiny_tokenizer.json on ASCII texts (Python's re has no Unicode letter classes).
SentencePiece: a hand-made list of pieces; texts in any script.
"""
import json
import pathlib
import re

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"

# Llama 3's pattern for ASCII text.
SPLIT = re.compile(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\nA-Za-z0-9]?[A-Za-z]+|[0-9]{1,3}| ?[^\sA-Za-z0-9]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def merge_lowest(symbols, priority):
    """Joins the neighbours of lowest priority (the leftmost of equals) until none may be joined."""
    while True:
        best = None
        for i in range(len(symbols) - 1):
            rank = priority(symbols[i], symbols[i + 1])
            if rank is not None and (best is None or rank < best[0]):
                best = (rank, i)
        if best is None:
            return symbols
        i = best[1]
        symbols = symbols[:i] + [symbols[i] + symbols[i + 1]] + symbols[i + 2:]


def byte_alphabet():
    visible = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    hidden = [b for b in range(256) if b not in visible]
    return {b: chr(b) for b in visible} | {b: chr(256 + i) for i, b in enumerate(hidden)}


def byte_level_ids(tokenizer, text):
    alphabet = byte_alphabet()
    vocabulary = tokenizer["model"]["vocab"]
    ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(tokenizer["model"]["merges"])}
    specials = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    ids = list(tokenizer["post_processor"]["special_tokens"].values())[0]["ids"][:]
    for part in re.split("(" + "|".join(re.escape(s) for s in specials) + ")", text):
        if part in specials:
            ids.append(specials[part])
            continue
        for word in SPLIT.findall(part):
            symbols = [alphabet[b] for b in word.encode()]
            ids += [vocabulary[s] for s in merge_lowest(symbols, lambda a, b: ranks.get((a, b)))]
    return ids


def sentencepiece_ids(pieces, text):
    ids = {piece: i for i, (piece, _, _) in enumerate(pieces)}
    scores = {piece: score for piece, score, kind in pieces if kind == 1}
    if not text:
        return [1]
    escaped = "\u2581" + text.replace(" ", "\u2581")
    out = [1]
    for symbol in merge_lowest(list(escaped), lambda a, b: -scores[a + b] if a + b in scores else None):
        if symbol in scores:
            out.append(ids[symbol])
        else:
            out += [ids[f"<0x{byte:02X}>"] for byte in symbol.encode()]
    return out


BYTE_LEVEL_TEXTS = [
    "", " ", "  ", "   ", "a", "the", "The", " the", "  the", "the the  the   the", "Hello, world!", "it's IT'S we'll they've",
    "1", "12", "123", "1234", "12345678", "in the 21st century", "\n", "\n\n\n", " \n \n", "tabs\tand\r\nlines\n",
    "and andand land", "thethethe tttt eeee", "<|begin_of_text|>x<|end_of_text|> y", "< |begin_of_text|>", "a" * 100,
    "ther" * 30, "  leading and trailing  ", "!?.,;:-()[]{}", "x=3;y=(x+1)*2", "CamelCase snake_case kebab-case",
]

SENTENCEPIECE_TEXTS = [
    "", " ", "  ", "the", " the", "the  the", "then there", "hello hello", "thethe", "na\u00efve", "\u65e5\u672c", "\U0001F600",
    "tab\tnew\nline", "aaaa", "aaaaaaa", "he he   he", "\u2581", "the\u2581the", "a" * 64,
]


def sentencepiece_pieces(joins_words):
    pieces = [["<unk>", 0, 2], ["<s>", 0, 3], ["</s>", 0, 3]] + [[f"<0x{b:02X}>", 0, 6] for b in range(256)]
    merged = ["\u2581t", "he", "\u2581the", "\u2581h", "aa", "ll", "re", "lo", "\u2581\u2581", "aaaa", "\u2581he", "hello", "hell", "n\u00ef"]
    merged += ["o\u2581"] if joins_words else []  # a piece across words: the text may not be cut at spaces
    pieces += [[piece, -float(i), 1] for i, piece in enumerate(merged)]
    pieces[-2][1] = pieces[-1][1]  # two equal scores: the leftmost merges first
    letters = sorted(set("".join(merged)) | set("nsablo"))
    return pieces + [[letter, -1000.0 - i, 1] for i, letter in enumerate(letters)]


def write(name, lines):
    """A JSON list, one line per entry."""
    text = "[\n" + ",\n".join(json.dumps(line) for line in lines) + "\n]\n"
    (GOLDEN / name).write_text(text)


def main():
    tokenizer = json.loads((GOLDEN / "tiny_tokenizer.json").read_text())
    write("byte_level.json", [{"text": text, "ids": byte_level_ids(tokenizer, text)} for text in BYTE_LEVEL_TEXTS])
    models = []
    for joins_words in (False, True):
        pieces = sentencepiece_pieces(joins_words)
        cases = [{"text": text, "ids": sentencepiece_ids(pieces, text)} for text in SENTENCEPIECE_TEXTS]
        models.append({"pieces": pieces, "cases": cases})
    write("sentencepiece.json", models)


if __name__ == "__main__":
    main()
