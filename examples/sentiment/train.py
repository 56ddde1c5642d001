#!/usr/bin/env python3
"""Trains the sentiment model from data/reviews.tsv and writes models/ and expected.tsv.

A bag of words and a logistic regression, by the Python 3 standard library alone. The result is a function of the
data and of this file: nothing is drawn at random and no date is written, so training again changes no byte.

usage: python3 train.py
"""

import hashlib
import json
import math
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = HERE / "data" / "reviews.tsv"
SAMPLE = HERE / "sample.txt"
EXPECTED = HERE / "expected.tsv"
MODELS = HERE / "models"

POSITIVE = "positive"
NEGATIVE = "negative"
HELD_OUT_ONE_IN = 5
STEPS = 400
RATE = 4.0
L2 = 0.002
DECIMALS = 4

NEGATIONS = ["not", "no", "never", "nothing", "nobody", "dont", "doesnt", "didnt", "isnt", "wasnt", "wont", "cant"]
REACH = 2


def features(text):
    """The distinct words of `text` in order; a word within REACH of a negation is another word: `not_good`.

    runtime/predict does the same; expected.tsv and check.sh tell when the two part.
    """
    words = re.findall(rb"[a-z0-9]+", text.encode().lower().replace(b"'", b""))
    found, reach = {}, 0
    for word in map(bytes.decode, words):
        found["not_" + word if reach > 0 else word] = True
        reach = REACH if word in NEGATIONS else reach - 1
    return list(found)


def probability(weights, bias, names):
    """How likely a text with the features `names` is positive."""
    return 1 / (1 + math.exp(-(bias + math.fsum(weights.get(name, 0.0) for name in names))))


def is_held_out(text):
    """Chosen by the text alone, so that a new row moves no other row between the two sets."""
    return hashlib.sha256(text.encode()).digest()[0] % HELD_OUT_ONE_IN == 0


def read_rows():
    rows = []
    for number, line in enumerate(DATA.read_text(encoding="utf-8").splitlines(), 1):
        label, _, text = line.partition("\t")
        if label not in (POSITIVE, NEGATIVE) or not text:
            raise SystemExit(f"{DATA}:{number}: want `{POSITIVE}` or `{NEGATIVE}`, a tab and a review")
        rows.append((text, 1.0 if label == POSITIVE else 0.0))
    return rows


def train(rows):
    """Full-batch gradient descent from zero."""
    examples = [(features(text), label) for text, label in rows]
    weights = dict.fromkeys(sorted({name for names, _ in examples for name in names}), 0.0)
    bias = 0.0
    rate = RATE / len(examples)
    for _ in range(STEPS):
        gradient, gradient_bias = dict.fromkeys(weights, 0.0), 0.0
        for names, label in examples:
            error = probability(weights, bias, names) - label
            gradient_bias += error
            for name in names:
                gradient[name] += error
        bias -= rate * gradient_bias
        for name in weights:
            weights[name] -= rate * (gradient[name] + L2 * len(examples) * weights[name])
    rounded = {name: round(weight, DECIMALS) for name, weight in weights.items()}
    return {name: weight for name, weight in rounded.items() if weight != 0}, round(bias, DECIMALS)


def measure(weights, bias, rows):
    counts = {"rows": len(rows), "true_positive": 0, "true_negative": 0, "false_positive": 0, "false_negative": 0}
    for text, label in rows:
        says = probability(weights, bias, features(text)) >= 0.5
        counts[f"{'true' if says == (label == 1) else 'false'}_{POSITIVE if says else NEGATIVE}"] += 1
    right = counts["true_positive"] + counts["true_negative"]
    return {"accuracy": round(right / len(rows), DECIMALS), **counts}


def write_expected(weights, bias):
    """What runtime/predict must answer to sample.txt, said by this file's code and not by the runtime's."""
    lines = []
    for text in SAMPLE.read_text(encoding="utf-8").splitlines():
        positive = probability(weights, bias, features(text))
        lines.append(f"{POSITIVE if positive >= 0.5 else NEGATIVE}\t{positive:.{DECIMALS}f}\t{text}\n")
    EXPECTED.write_text("".join(lines), encoding="utf-8")


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def main():
    rows = read_rows()
    training = [row for row in rows if not is_held_out(row[0])]
    held_out = [row for row in rows if is_held_out(row[0])]
    weights, bias = train(training)
    metrics = {"training": measure(weights, bias, training), "held_out": measure(weights, bias, held_out)}

    MODELS.mkdir(exist_ok=True)
    lines = [f"(negation)\t{' '.join(NEGATIONS)}", f"(reach)\t{REACH}", f"(bias)\t{bias:.{DECIMALS}f}"]
    lines += [f"{name}\t{weights[name]:.{DECIMALS}f}" for name in sorted(weights)]
    (MODELS / "weights.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_json(MODELS / "metrics.json", metrics)
    write_json(
        MODELS / "model.json",
        {
            "name": "sentiment",
            "kind": "logistic regression over a bag of words",
            "weights": "weights.tsv",
            "features": len(weights),
            "negation": {"words": NEGATIONS, "reach": REACH},
            "training": {
                "data_sha256": hashlib.sha256(DATA.read_bytes()).hexdigest(),
                "rows": len(training),
                "held_out_rows": len(held_out),
                "steps": STEPS,
                "rate": RATE,
                "l2": L2,
            },
        },
    )
    write_expected(weights, bias)
    for name, row in metrics.items():
        print(f"{name}: accuracy {row['accuracy']:.3f} on {row['rows']} rows")


if __name__ == "__main__":
    main()
