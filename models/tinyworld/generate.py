#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the world of tinyworld: training documents, held-out questions and texts.

Standard library only; the same seed writes the same bytes. A fact is (person, relation, value)
or a sum; its number of statements in the training text follows a Zipf-Mandelbrot law.
"""
import argparse
import collections
import csv
import json
import pathlib
import random

import world

SEED = 20260
PEOPLE, FAMOUS = 4000, 800             # the first lesson tells of the famous only
MOST, LEAST, SLOPE = 300, 3, 0.75      # statements of the best and least known fact
SUM_FACTOR = 4                         # sums share few words and are told more often
HELD_OUT = {"rare": 1300, "mid": 1800, "common": 2200}
HELD_OUT_SUMS = 400
MORE = {"rare": 700, "mid": 3200, "common": 613}   # asked, too: of the facts that training only tells
CHOICES = 6
HELD_OUT_STORIES, OOD_STORIES = 150, 50   # for each kind of story
TRAIN_ASKED = 0.4                      # share of the facts that training asks about
TRAIN_STORIES, ECHOES = 40000, 8000


def exposure(mentions):
    """Names the slice of a fact by its statements in the training text."""
    return "rare" if mentions < 5 else "mid" if mentions < 20 else "common"


def zipf(n):
    """Number of statements for the fact of each rank."""
    q = n / ((MOST / LEAST) ** (1 / SLOPE) - 1)
    return [max(LEAST, round(MOST * ((r + q) / q) ** -SLOPE)) for r in range(n)]


def facts_of(rng, names):
    """One fact of each relation for each person."""
    facts = []
    for person in names:
        for subject, (values, tell, ask) in world.RELATIONS.items():
            kin = rng.choice(world.KIN if subject == "kinship" else world.HERDS)
            pool = [v for v in values if v != person.split()[0]]
            facts.append({"subject": subject, "slots": {"p": person, "k": kin},
                          "v": rng.choice(pool), "tell": tell, "ask": ask, "group": person})
    return facts


def count_mentions(rng, facts, names):
    """Deals the Zipf counts out: the earlier in `names`, the better known, with some luck."""
    place = {name: i + 1 for i, name in enumerate(names)}
    some = lambda: rng.randrange(len(names))           # sums
    known = sorted(facts, key=lambda f: place.get(f["group"], some()) * rng.lognormvariate(0, 0.7))
    for fact, n in zip(known, zipf(len(facts))):
        fact["mentions"] = n
        fact["famous"] = place.get(fact["group"], 0) <= FAMOUS


def make_facts(rng):
    """All facts that may be asked in the evaluation, with their number of statements."""
    everybody = [f"{a} {b}" for a in world.FIRST for b in world.LAST]
    names = rng.sample(everybody, PEOPLE)
    facts = facts_of(rng, names)
    for a in range(2, 31):
        for b in range(2, 31):
            for op, v in (("plus", a + b), ("minus", a - b)):
                if v > 1:
                    facts.append({"subject": "arithmetic", "slots": {"a": a, "b": b}, "v": str(v),
                                  "tell": world.SUM_TELL[op], "ask": world.SUM_ASK[op],
                                  "group": f"{op} {min(a, b)} {max(a, b)}"})
    count_mentions(rng, facts, names)
    for fact in facts:
        fact["mentions"] *= SUM_FACTOR if fact["subject"] == "arithmetic" else 1
    return facts


def split(rng, facts):
    """Marks each fact as 'held' (asked only in the evaluation), 'train', or 'told' (not asked in training)."""
    want = dict(HELD_OUT)
    sums = HELD_OUT_SUMS
    groups = {}                        # sums: 3 + 4 and 4 + 3 fall on the same side
    for fact in rng.sample(facts, len(facts)):
        fact["use"] = "train" if rng.random() < TRAIN_ASKED else "told"
        if fact["subject"] == "arithmetic":
            if fact["group"] not in groups:
                groups[fact["group"]] = sums > 0 and rng.random() < 0.4
            if groups[fact["group"]]:
                fact["use"] = "held"
                sums -= 1
        elif want[exposure(fact["mentions"])] > 0:
            fact["use"] = "held"
            want[exposure(fact["mentions"])] -= 1


def say(rng, fact, templates):
    """One sentence about a fact."""
    return rng.choice(templates).format(v=fact["v"], **fact["slots"])


def statements(rng, fact):
    """The training sentences of one fact: all paraphrases before any repeats."""
    order = rng.sample(fact["tell"], len(fact["tell"]))
    fact["unused"] = order[fact["mentions"]:]
    return [order[i % len(order)].format(v=fact["v"], **fact["slots"])
            for i in range(fact["mentions"])]


def ask(question, answer):
    """The one prompt form of this model."""
    return f"Question: {question}\nAnswer: {answer}\n"


def documents(rng, sentences, asked):
    """Packs sentences into paragraphs and questions into small groups; shuffled."""
    docs, pieces = [], sentences[:]
    rng.shuffle(pieces)
    i = 0
    while i < len(pieces):
        n = rng.randint(3, 9)
        docs.append(" ".join(pieces[i:i + n]) + "\n")
        i += n
    pieces = asked[:]
    rng.shuffle(pieces)
    i = 0
    while i < len(pieces):
        n = rng.randint(1, 4)
        docs.append("".join(pieces[i:i + n]))
        i += n
    rng.shuffle(docs)
    return docs


def story(rng, kind, ood, known, made_up):
    """One self-contained story: text, what can be asked, and the values it mentions."""
    low, high = world.LENGTHS[kind][ood]
    names = made_up if ood or rng.random() < 0.3 else known
    return world.STORIES[kind](rng, names, rng.randint(low, high))


def story_document(rng, kind, made_up, avoid):
    """A training story, told with its consequences or asked about up to three times."""
    text, asks, _ = story(rng, kind, 0, world.FIRST, made_up)
    asks = rng.sample(asks, min(3, len(asks)))
    if rng.random() < 0.35:
        return " ".join([text] + [tell for _, tell, _ in asks]) + "\n"
    if f"{text} {asks[0][0]}" in avoid:
        return ""
    return ask(f"{text} {asks[0][0]}", asks[0][2]) + "".join(ask(q, a) for q, _, a in asks[1:])


def lesson(rng, facts, stories, echoes, avoid):
    """Training documents about the facts; also remembers the unused paraphrases of each fact."""
    sentences, asked = [], []
    for fact in facts:
        sentences += statements(rng, fact)
        if fact["use"] == "train":
            asked += [ask(q.format(**fact["slots"]), fact["v"]) for q in fact["ask"]]
    made_up = world.made_up_names(rng, "train")
    kinds = list(world.STORIES)
    told = [story_document(rng, kinds[i % 3], made_up, avoid) for i in range(stories)]
    games = [world.echo_game(rng, made_up if i % 3 == 0 else world.FIRST) for i in range(echoes)]
    out = documents(rng, sentences, asked) + [s for s in told if s] + games
    rng.shuffle(out)
    return out


def choices(rng, answer, near, pool, slot):
    """Different choices with the answer at `slot`; near misses first."""
    wrong = [v for v in dict.fromkeys(near) if v != answer][:CHOICES - 1]
    while len(wrong) < CHOICES - 1:
        v = rng.choice(pool)
        if v != answer and v not in wrong:
            wrong.append(v)
    rng.shuffle(wrong)
    return wrong[:slot] + [answer] + wrong[slot:]


def near_misses(rng, fact, namesakes):
    """Wrong answers, the best first: what is true of most namesakes, the guess of who knows half the name."""
    if fact["subject"] == "arithmetic":
        v = int(fact["v"])
        return [str(x) for x in rng.sample([v - 10, v - 2, v - 1, v + 1, v + 2, v + 10], 6) if 1 < x < 61]
    first, last = fact["slots"]["p"].split()
    people = namesakes[fact["subject"], first] + namesakes[fact["subject"], last]
    return sorted(people, key=lambda v: (-people[v], rng.random()))


def held_out(rng, facts):
    """The facts that the evaluation asks about; training tells them and asks about none."""
    want = dict(MORE)
    for fact in rng.sample(facts, len(facts)):
        if fact["use"] == "told" and fact["subject"] != "arithmetic" and want[exposure(fact["mentions"])] > 0:
            want[exposure(fact["mentions"])] -= 1
            yield fact
    yield from (f for f in facts if f["use"] == "held")


def questions(rng, facts):
    """The held-out questions as rows of the CSV file."""
    namesakes = collections.defaultdict(collections.Counter)
    for f in facts:
        if f["subject"] != "arithmetic":
            for part in f["slots"]["p"].split():
                namesakes[f["subject"], part][f["v"]] += 1
    rows = []
    for f in held_out(rng, facts):
        pool = ([str(n) for n in range(2, 61)] if f["subject"] == "arithmetic"
                else world.RELATIONS[f["subject"]][0])
        rows.append((rng.choice(f["ask"]).format(**f["slots"]), f["v"],
                     near_misses(rng, f, namesakes), pool, f["subject"],
                     exposure(f["mentions"]), f["mentions"], "in", f["group"]))
    made_up = [world.made_up_names(rng, p) for p in ("train", "ood")]
    for kind in world.STORIES:
        for ood, n in ((0, HELD_OUT_STORIES), (1, OOD_STORIES)):
            for i in range(n):
                text, asks, near = story(rng, kind, ood, world.FIRST, made_up[ood])
                q, _, a = rng.choice(asks)
                pool = next(p for p in (world.PLACES, world.FIRST, made_up[ood]) if near[0] in p)
                rows.append((f"{text} {q}", a, rng.sample(near, len(near)), pool, kind, "context", 0,
                             "ood" if ood else "in", f"{kind} {'ood ' if ood else ''}{i}"))
    rng.shuffle(rows)
    out = []
    for i, (q, a, near, pool, subject, exp, n, dist, group) in enumerate(rows):
        slot = i % CHOICES
        out.append([q, *choices(rng, a, near, pool, slot), slot, subject, exp, n, dist, group])
    return out


def free_text(rng, facts, size, held):
    """A text of `size` characters: with `held`, paraphrases that training did not use."""
    usable = [f for f in facts if (f["unused"] if held else f["use"] == "train")]
    asked = [f for f in facts if f["use"] == ("held" if held else "train")]
    made_up = world.made_up_names(rng, "train")
    parts, total = [], 0
    while total < size:
        if rng.random() < 0.55:
            part = " ".join(say(rng, f, f["unused"] if held else f["tell"])
                            for f in rng.sample(usable, 6)) + "\n"
        elif rng.random() < 0.5:
            part = story_document(rng, rng.choice(list(world.STORIES)), made_up, ())
        else:
            f = rng.choice(asked)
            part = ask(rng.choice(f["ask"]).format(**f["slots"]), f["v"])
        parts.append(part)
        total += len(part)
    return "".join(parts)


HEADER = ["question", *(f"choice{i}" for i in range(CHOICES)),
          *"answer,subject,exposure,mentions,distribution,group".split(",")]


def main():
    """Writes evaluation files to --eval and the training documents to --train."""
    here = pathlib.Path(__file__).resolve().parent
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--eval", type=pathlib.Path, default=here)
    cli.add_argument("--train", type=pathlib.Path, help="JSON: the documents of the first lesson, and of the others")
    args = cli.parse_args()
    rng = random.Random(SEED)
    facts = make_facts(rng)
    split(rng, facts)
    rows = questions(random.Random(SEED + 1), facts)
    avoid = {r[0] for r in rows}
    famous = [f for f in facts if f["famous"]]
    lessons = [lesson(rng, famous, TRAIN_STORIES // 4, ECHOES // 4, avoid),
               lesson(rng, facts, TRAIN_STORIES, ECHOES, avoid)]
    with open(args.eval / "questions.csv", "w", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows)
    for name, size, held in (("validation.txt", 80000, True), ("calibration.txt", 100000, False)):
        text = free_text(random.Random(SEED + 2 + held), facts, size, held)
        (args.eval / name).write_text(text)
    if args.train:
        args.train.write_text(json.dumps(lessons))
    uses = [f["use"] for f in facts]
    print(f"{len(facts)} facts, "
          f"{sum(f['mentions'] for f in facts)} statements, "
          f"asked in training {uses.count('train')}, "
          f"{len(lessons[1])} documents, {sum(map(len, lessons[1]))} characters "
          f"(first lesson {sum(map(len, lessons[0]))}), {len(rows)} questions, "
          f"{len({r[-1] for r in rows})} groups")


if __name__ == "__main__":
    main()
