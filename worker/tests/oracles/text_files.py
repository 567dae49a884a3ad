"""Writes the same rows with Python's own csv, json, gzip and bz2 modules: what others write, we must read.

Arguments: a folder. Writes rows.csv, rows.csv.gz, rows.csv.bz2, rows.jsonl, array.json and expected.json.
"""

import bz2
import csv
import gzip
import io
import json
import random
import sys

folder = sys.argv[1]
random.seed(7)
PIECES = ["a", "Ω", '"', ",", "\n", "\r\n", "'", "\\", " ", "日本", "😀", "\t", "x" * 40, "{", "]", ":", "\u2028"]


def text():
    return "".join(random.choice(PIECES) for _ in range(random.randrange(6)))


rows = [
    {
        "id": number,
        "big": random.randrange(-(10**37), 10**37),
        "real": random.choice([random.random() * 10 ** random.randrange(-20, 20), float(number)]),
        "v": text(),
    }
    for number in range(5000)
]

out = io.StringIO(newline="")
writer = csv.writer(out, lineterminator="\r\n")
writer.writerow(["id", "big", "real", "v"])
for row in rows:
    writer.writerow([row["id"], row["big"], repr(row["real"]), row["v"]])
data = out.getvalue().encode()
with open(f"{folder}/rows.csv", "wb") as file:
    file.write(data)
with gzip.open(f"{folder}/rows.csv.gz", "wb") as file:
    file.write(data)
with bz2.open(f"{folder}/rows.csv.bz2", "wb") as file:
    file.write(data)
with open(f"{folder}/rows.jsonl", "w") as file:
    for row in rows:
        file.write(json.dumps(row, ensure_ascii=random.random() < 0.5) + "\n")
with open(f"{folder}/array.json", "w") as file:
    json.dump(rows, file, indent=1)
with open(f"{folder}/expected.json", "w") as file:
    json.dump({"id": [str(r["id"]) for r in rows], "big": [str(r["big"]) for r in rows], "v": [r["v"] for r in rows]}, file)
