"""Evaluates SQL expressions over rows with DuckDB: a JSON file in, the values as text out."""
import json
import sys

import duckdb

with open(sys.argv[1], encoding="utf-8") as file:
    document = json.load(file)
connection = duckdb.connect()
connection.execute("CREATE TABLE rows (n BIGINT, a BIGINT, b BIGINT, s VARCHAR, t VARCHAR)")
columns = [document[name] for name in "abst"]
for number, values in enumerate(zip(*columns)):
    connection.execute("INSERT INTO rows VALUES (?, ?, ?, ?, ?)", [number, *values])
answers = []
for expression in document["expressions"]:
    found = connection.execute(f"SELECT {expression} FROM rows ORDER BY n").fetchall()
    texts = []
    for (value,) in found:
        texts.append("NULL" if value is None else str(value).lower() if isinstance(value, bool) else str(value))
    answers.append(texts)
print(json.dumps(answers))
