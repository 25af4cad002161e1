# SPDX-License-Identifier: Apache-2.0
"""The invented world: its words, its relations and how people speak about them."""

FIRST = """Ada Ben Cora Dan Edda Finn Greta Hugo Ida Jory Kay Leo Mara Nell Otto Pia
Quin Rosa Sam Tess Ugo Vera Wim Xena Yann Zoe Abel Bea Carl Dora Eli Fay Gus Hana Ivo June Karl
Lena Milo Nora Omar Petra Ralf Sofia Tom Una Viggo Wanda Yuri Zelda Arlo Britt Cleo Dirk Elsa
Felix Gwen Heidi Igor Jana Kurt Lotte Max Nina Alma Boris Clara Denis Emil Flora Gerda Hans Ilse
Jonas Katja Lars Maud Nils Olga Pablo Rita Sven Tilda Ulla Vito Willa Ynez Zeno Anton Berta Cyril
Dina Erik Frida""".split()

LAST = """Oakley Reed Tarrant Vell Moss Barrow Croft Dale Elder Finch Gale Hart Ibsen Juniper
Kettle Lund Marsh North Olsen Pike Quill Rook Stone Thorn Upton Vance Ward Yates Zander Ash Birch
Cole Drake Ember Frost Grove Heath Ives Jarvis Knox Lark Mills Nash Orchard Penn Quarry Rush Swift
Tull Usher Vale West York Alder Brook Crane Dove Eaton Flint Glass Holt Irons Keel Locke Acre Birk
Combe Dyer Esk Fell Garner Hume Isham Jewell Kirk Loft Meade Noble Oxton Pratt Rigby Salter Teller
Unwin Varley Wren Yule Abbot Bolt Carver Dunn Eames Fisk Gower Hollis Ingram Jessop Kemp Lister
Mather Neville Ogden Potts Raven Sexton Tate Upjohn Voss Wolf Yardley Zorn Archer Boyle Catt Darby
Elgin Foss Gilpin Horne Irving Jolly Kidd Lamb Milne Norris Orme Piper Royce Stroud Tyler Webb""".split()

PLACES = """Arden Bramley Calder Dunmore Elsworth Farley Garth Hollow Inver Jutland Kelso Lorne
Malvern Newby Oxley Pendle Quay Rydal Selby Tarn Ulver Venn Wick Yarrow Zeal Ambler Bexley Corfe
Dover Esher Frome Goring Hove Ilkley Keswick Ludlow Matlock Nairn Oban Perth""".split()

JOBS = """baker weaver smith miller tailor farmer doctor teacher hunter painter potter sailor
miner cook clerk judge singer barber carpenter shepherd gardener printer jeweller cobbler""".split()

ANIMALS = """dog cat goat horse parrot rabbit turtle owl fox hen goose pony mouse lizard ferret
pig crow duck sheep donkey""".split()

COLOURS = """red blue green yellow white black brown grey purple orange pink silver golden
crimson violet beige""".split()

FOODS = """bread cheese soup plums honey rice beans fish cake pears nuts carrots eggs grapes
butter onions apples figs noodles cherries""".split()

GOODS = """kettles lamps drums ropes baskets candles boots knives clocks mirrors blankets
bottles chairs brooms hats coins jars bells maps combs ladders buckets needles carpets""".split()

MUSIC = """flute violin piano harp trumpet guitar cello banjo organ lute horn fiddle whistle
oboe tuba zither""".split()

MONTHS = """January February March April May June July August September October November
December""".split()

KIN = "mother father brother sister aunt uncle".split()
HERDS = "sheep hens goats cows bees ducks".split()

# Every statement names the person before the value and ends with the value: a model that reads
# left to right can then use it to answer. {p} person, {v} value, {k} kin word or herd.
RELATIONS = {
    "home": (PLACES,
             ["{p} lives in {v}.", "The house of {p} is in {v}.", "To find {p}, go to {v}.",
              "{p} has a home in {v}.", "Letters for {p} are sent to {v}."],
             ["Where does {p} live?", "Where is the house of {p}?"]),
    "work": (JOBS,
             ["{p} works as a {v}.", "The work of {p} is that of a {v}.", "{p} is a {v}.",
              "People know {p} as a {v}.", "{p} earns money as a {v}."],
             ["What is the work of {p}?", "What does {p} work as?"]),
    "animals": (ANIMALS,
                ["{p} has a pet {v}.", "The pet of {p} is a {v}.", "{p} walks with a {v}.",
                 "At night {p} feeds a {v}.", "{p} looks after a {v}."],
                ["What pet does {p} have?", "What animal does {p} feed?"]),
    "colours": (COLOURS,
                ["The coat of {p} is {v}.", "{p} wears a coat of {v}.", "{p} always wears {v}.",
                 "The door of {p} is painted {v}.", "{p} likes the colour {v}."],
                ["What colour is the coat of {p}?", "What colour does {p} wear?"]),
    "food": (FOODS,
             ["{p} likes to eat {v}.", "The best meal for {p} is {v}.", "{p} always eats {v}.",
              "On feast days {p} asks for {v}.", "{p} never says no to {v}."],
             ["What does {p} like to eat?", "What food does {p} ask for?"]),
    "kinship": (FIRST,
                ["The {k} of {p} is {v}.", "{p} has a {k} called {v}.", "{p} calls the {k} {v}.",
                 "{p} went to see {k} {v}.", "{p} wrote to {k} {v}."],
                ["Who is the {k} of {p}?", "What is the {k} of {p} called?"]),
    "trade": (GOODS,
              ["{p} sells {v}.", "The shop of {p} sells {v}.", "{p} trades in {v}.",
               "At the market {p} offers {v}.", "People go to {p} for {v}."],
              ["What does {p} sell?", "What does {p} trade in?"]),
    "counts": ([str(n) for n in range(2, 42)],
               ["The number of {k} of {p} is {v}.", "{p} counts the {k}: {v}.",
                "{p} has {k}, in all {v}.", "{p} keeps {k}, and they are {v}.",
                "{p} feeds the {k}, all {v}."],
               ["How many {k} does {p} have?", "How many {k} does {p} keep?"]),
    "music": (MUSIC,
              ["{p} plays the {v}.", "{p} loves the sound of the {v}.", "{p} owns an old {v}.",
               "At weddings {p} plays the {v}.", "{p} learned to play the {v}."],
              ["What does {p} play?", "What did {p} learn to play?"]),
    "calendar": (MONTHS,
                 ["{p} was born in {v}.", "The birthday of {p} is in {v}.",
                  "{p} has a feast each {v}.", "{p} turns a year older in {v}.",
                  "The year of {p} starts in {v}."],
                 ["When was {p} born?", "When is the birthday of {p}?"]),
}

SUM_TELL = {"plus": ["{a} plus {b} is {v}.", "{a} and {b} make {v}.", "Add {a} to {b} and get {v}."],
            "minus": ["{a} minus {b} is {v}.", "From {a} take {b} to get {v}.",
                      "{a} less {b} leaves {v}."]}
SUM_ASK = {"plus": ["What is {a} plus {b}?", "How much is {a} and {b}?"],
           "minus": ["What is {a} minus {b}?", "How much is {a} less {b}?"]}


def made_up_names(rng, part):
    """Names of five letters; the last letter keeps part 'train' and part 'ood' disjoint."""
    ends = "knr" if part == "train" else "lms"
    out = set()
    while len(out) < 400:
        c, d = rng.choice("bdfgjklmnprstvz"), rng.choice("bdfgklmnprstvz")
        out.add(c.upper() + rng.choice("aeiou") + d + rng.choice("aeiou") + rng.choice(ends))
    return sorted(out - set(FIRST) - set(LAST) - set(PLACES))


def order_story(rng, names, length):
    """People stand in a line; asked is the first, the last, or the one after another."""
    line = rng.sample(names, length)
    text = f"In line stand {' '.join(line)}."
    asks = [("Who is first in line?", f"First in line is {line[0]}.", line[0]),
            ("Who is last in line?", f"Last in line is {line[-1]}.", line[-1])]
    asks += [(f"Who comes after {a}?", f"After {a} comes {b}.", b) for a, b in zip(line, line[1:])]
    return text, asks, line


def gift_story(rng, names, length):
    """A thing changes hands; asked is the first holder, the last, or the one after another."""
    people, thing = rng.sample(names, length), rng.choice(GOODS)
    text = f"{people[0]} has the {thing}."
    for a, b in zip(people, people[1:]):
        text += f" {a} gives the {thing} to {b}."
    asks = [(f"Who had the {thing} first?", f"First the {thing} were with {people[0]}.", people[0]),
            (f"Who has the {thing} now?", f"Now the {thing} are with {people[-1]}.", people[-1])]
    asks += [(f"Who got the {thing} after {a}?", f"After {a} the {thing} went to {b}.", b)
             for a, b in zip(people, people[1:])]
    return text, asks, people


def journey_story(rng, names, length):
    """Somebody travels; asked is the first place, the last, or the one after another."""
    who, way = rng.choice(names), rng.sample(PLACES, length)
    text = f"{who} went to {', then to '.join(way)}."
    asks = [(f"Where did {who} go first?", f"First {who} went to {way[0]}.", way[0]),
            (f"Where did {who} go last?", f"Last {who} went to {way[-1]}.", way[-1])]
    asks += [(f"Where did {who} go after {a}?", f"After {a} {who} went to {b}.", b)
             for a, b in zip(way, way[1:])]
    return text, asks, way


def echo_game(rng, names):
    """Someone repeats a list: the plainest exercise in looking back, for training only."""
    *words, a, b, c = rng.sample(names, rng.randint(7, 13))
    heard = [" ".join(words[rng.randrange(len(words) - 2):]) for _ in range(2)]
    return f"{a} says {' '.join(words)}. {b} says {heard[0]}. {c} says {heard[1]}.\n"


# Each returns the text, what can be asked as (question, the same told, answer), and the values.
STORIES = {"order": order_story, "holding": gift_story, "journey": journey_story}
# story length: training and in-distribution, out-of-distribution
LENGTHS = {"order": ((4, 6), (7, 9)), "holding": ((4, 5), (6, 7)), "journey": ((4, 6), (7, 9))}
