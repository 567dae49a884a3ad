"""Writes small files in any format with the libraries that people use: pyarrow, fastavro, json, csv.

Reads requests from standard input, one JSON object a line: {"format", "columns": [[name, "int" | "text"], ...],
"rows": [[value, ...], ...]}. Answers each with a line: the bytes of the file in hexadecimal digits.
"""

import csv
import io
import json
import sys

import fastavro
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet

TYPES = {"int": (pa.int64(), "long"), "text": (pa.string(), "string")}


def table(columns, rows):
    values = zip(*rows) if rows else [[] for _ in columns]
    arrays = [pa.array(list(column), TYPES[kind][0]) for column, (_, kind) in zip(values, columns)]
    return pa.table(arrays, names=[name for name, _ in columns])


def parquet(out, columns, rows):
    pa.parquet.write_table(table(columns, rows), out)


def orc(out, columns, rows):
    # The writer wants a batch even where it has no rows.
    pa.orc.write_table(table(columns, rows), out, dictionary_key_size_threshold=0.5)


def avro(out, columns, rows):
    fields = [{"name": name, "type": ["null", TYPES[kind][1]]} for name, kind in columns]
    names = [name for name, _ in columns]
    schema = fastavro.parse_schema({"type": "record", "name": "rows", "fields": fields})
    fastavro.writer(out, schema, [dict(zip(names, row)) for row in rows])


def text_csv(out, columns, rows):
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
    writer.writerow([name for name, _ in columns])
    writer.writerows([["\\N" if value is None else value for value in row] for row in rows])
    text.detach()


def text_json(out, columns, rows):
    names = [name for name, _ in columns]
    for row in rows:
        out.write(json.dumps(dict(zip(names, row)), ensure_ascii=False).encode() + b"\n")


WRITERS = {"parquet": parquet, "orc": orc, "avro": avro, "csv": text_csv, "json": text_json}

for line in sys.stdin:
    request = json.loads(line)
    out = io.BytesIO()
    WRITERS[request["format"]](out, request["columns"], request["rows"])
    print(out.getvalue().hex(), flush=True)
