"""Writes the same rows as Parquet, ORC and Avro, with the writers that people use.

columnar.py types FOLDER      every type, rows.parquet and, for each codec, rows.<codec>.orc / .avro
columnar.py zones FOLDER      ORC timestamps
columnar.py times FOLDER      one row of times and instants, times.parquet, .orc and .avro
columnar.py shapes FOLDER     wide, deep, long, empty, many stripes
columnar.py drift FOLDER      files with more columns one after the other
columnar.py odd FOLDER        types that are refused, and a file of each
columnar.py fuzz FOLDER       few rows of every type in small files, to be damaged
"""

import datetime as dt
import decimal
import json
import random
import sys
import uuid
from pathlib import Path

import fastavro
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq

ROWS = 5_000
ORC_CODECS = ["uncompressed", "zlib", "snappy", "lz4", "zstd"]
AVRO_CODECS = ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"]
UTC = dt.timezone.utc


def rows(count, seed):
    """Rows of every type; NULL in runs, now and then, and never."""
    r = random.Random(seed)
    words = ["", "a", "word", "äöü", "日本語", "tab\tand\nline", "x" * 300]

    def some(value, number):
        return None if number % 11 == 5 or 1000 <= number < 1400 else value

    for number in range(count):
        instant = dt.datetime(1900, 1, 1) + dt.timedelta(microseconds=r.randrange(6 * 10**15))
        row = {
            "flag": r.random() < 0.3,
            "int": r.choice([r.randrange(-(2**31), 2**31), 7, 7, -1]),
            "long": r.choice([r.randrange(-(2**63), 2**63), number, -number, 5]),
            "run": number // 700,
            "real": float(r.randrange(-(2**20), 2**20)) / 64,
            "double": r.uniform(-1e300, 1e300),
            "text": r.choice(words) + str(number % 50),
            "unique": f"{number}:" + "y" * r.randrange(40),
            "bytes": bytes(r.randrange(256) for _ in range(r.randrange(12))),
            "day": dt.date(1, 1, 1) + dt.timedelta(days=r.randrange(3_652_058)),
            "at": instant,
            "instant": instant.replace(tzinfo=UTC),
            "money": decimal.Decimal(r.randrange(-(10**9) + 1, 10**9)) / 100,
            "wide": decimal.Decimal(r.randrange(-(10**37), 10**37)).scaleb(-10, decimal.Context(prec=60)),
            "list": [None if r.random() < 0.1 else r.randrange(1000) for _ in range(r.randrange(5))],
            "lists": [[f"e{r.randrange(9)}"] * r.randrange(3) for _ in range(r.randrange(3))],
            "map": [(f"k{i}", None if r.random() < 0.1 else r.randrange(-9, 9)) for i in range(r.randrange(4))],
            "part": {
                "a": None if r.random() < 0.1 else r.randrange(100),
                "b": r.choice(["p", "q", None]),
                "c": {"d": [r.randrange(5)] * r.randrange(3), "e": None if r.random() < 0.5 else 1.5},
            },
        }
        row = {name: some(value, number + place) for place, (name, value) in enumerate(row.items())}
        yield {"id": number, **row}


ARROW = pa.schema([
    ("id", pa.int64()),
    ("flag", pa.bool_()),
    ("int", pa.int32()),
    ("long", pa.int64()),
    ("run", pa.int32()),
    ("real", pa.float32()),
    ("double", pa.float64()),
    ("text", pa.string()),
    ("unique", pa.string()),
    ("bytes", pa.binary()),
    ("day", pa.date32()),
    ("at", pa.timestamp("us")),
    ("instant", pa.timestamp("us", tz="UTC")),
    ("money", pa.decimal128(9, 2)),
    ("wide", pa.decimal128(38, 10)),
    ("list", pa.list_(pa.int32())),
    ("lists", pa.list_(pa.list_(pa.string()))),
    ("map", pa.map_(pa.string(), pa.int32())),
    ("part", pa.struct([
        ("a", pa.int32()),
        ("b", pa.string()),
        ("c", pa.struct([("d", pa.list_(pa.int32())), ("e", pa.float64())])),
    ])),
])


def optional(kind):
    return ["null", kind]


def logical(kind, name, **more):
    return optional({"type": kind, "logicalType": name, **more})


AVRO = {"type": "record", "name": "Row", "namespace": "of.tests", "fields": [
    {"name": "id", "type": "long"},
    {"name": "flag", "type": optional("boolean")},
    {"name": "int", "type": optional("int")},
    {"name": "long", "type": ["long", "null"]},
    {"name": "run", "type": optional("int")},
    {"name": "real", "type": optional("float")},
    {"name": "double", "type": optional("double")},
    {"name": "text", "type": optional("string")},
    {"name": "unique", "type": optional("string")},
    {"name": "bytes", "type": optional("bytes")},
    {"name": "day", "type": logical("int", "date")},
    {"name": "at", "type": logical("long", "local-timestamp-micros")},
    {"name": "instant", "type": logical("long", "timestamp-micros")},
    {"name": "money", "type": logical("bytes", "decimal", precision=9, scale=2)},
    {"name": "wide", "type": optional({"type": "fixed", "name": "Wide", "size": 16, "logicalType": "decimal",
                                       "precision": 38, "scale": 10})},
    {"name": "list", "type": optional({"type": "array", "items": optional("int")})},
    {"name": "lists", "type": optional({"type": "array", "items": {"type": "array", "items": "string"}})},
    {"name": "map", "type": optional({"type": "map", "values": optional("int")})},
    {"name": "part", "type": optional({"type": "record", "name": "Part", "fields": [
        {"name": "a", "type": optional("int")},
        {"name": "b", "type": optional("string")},
        {"name": "c", "type": {"type": "record", "name": "Inner", "fields": [
            {"name": "d", "type": {"type": "array", "items": "int"}},
            {"name": "e", "type": optional("double")},
        ]}},
    ]})},
]}


def write_avro(path, schema, records, codec="null", **options):
    with open(path, "wb") as out:
        fastavro.writer(out, schema, records, codec=codec, **options)


def plain_maps(made):
    """Maps as Avro's writer wants them."""
    return [row | {"map": None if row["map"] is None else dict(row["map"])} for row in made]


def types(folder):
    made = list(rows(ROWS, 1))
    table = pa.Table.from_pylist(made, schema=ARROW)
    pq.write_table(table, folder / "rows.parquet")
    for codec in ORC_CODECS:
        # A low threshold keeps text out of dictionaries, a high one puts it there.
        for threshold in [0.0, 1.0]:
            path = folder / f"rows.{codec}.{threshold}.orc"
            orc.write_table(table, path, compression=codec, dictionary_key_size_threshold=threshold,
                            stripe_size=200_000, batch_size=512, compression_block_size=65_536)
    orc.write_table(table, folder / "rows.old.orc", file_version="0.11", compression="zlib",
                    dictionary_key_size_threshold=1.0)
    records = plain_maps(made)
    for codec in AVRO_CODECS:
        write_avro(folder / f"rows.{codec}.avro", AVRO, records, codec)


def fuzz(folder):
    made = list(rows(60, 2))
    table = pa.Table.from_pylist(made, schema=ARROW)
    for codec in ["none", "snappy", "gzip", "zstd", "lz4", "brotli"]:
        for version in ["1.0", "2.0"]:
            pq.write_table(table, folder / f"{codec}.{version}.parquet", compression=codec, row_group_size=25,
                           data_page_version=version, use_dictionary=version == "1.0")
    for codec in ORC_CODECS:
        orc.write_table(table, folder / f"{codec}.orc", compression=codec, dictionary_key_size_threshold=1.0)
        orc.write_table(table, folder / f"{codec}.direct.orc", compression=codec)
    records = plain_maps(made)
    for codec in AVRO_CODECS:
        write_avro(folder / f"{codec}.avro", AVRO, records, codec, sync_interval=2_000)


def zones(folder):
    # The second before 1970 cannot be written with a fraction (ORC-763).
    at = [dt.datetime(1969, 12, 31, 23, 59, 58, 500_000), dt.datetime(1970, 1, 1), dt.datetime(2015, 1, 1),
          dt.datetime(2024, 3, 31, 2, 30), dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999_999), None]
    table = pa.table({
        "id": list(range(len(at))),
        "at": pa.array(at, pa.timestamp("us")),
        "instant": pa.array(at, pa.timestamp("us", tz="UTC")),
    })
    orc.write_table(table, folder / "zones.orc")
    pq.write_table(table, folder / "zones.parquet")


def times(folder):
    at = dt.datetime(2024, 3, 10, 7, 30)
    row = {"day": dt.date(2024, 3, 10), "local": at.replace(microsecond=1), "instant": at.replace(tzinfo=UTC),
           "nanos": at, "written": "2024-03-10T07:30:00+05:45", "plain": "2024-03-10 02:30:00"}
    table = pa.Table.from_pylist([row], schema=pa.schema([
        ("day", pa.date32()), ("local", pa.timestamp("us")), ("instant", pa.timestamp("ms", tz="America/St_Johns")),
        ("nanos", pa.timestamp("ns")), ("written", pa.string()), ("plain", pa.string())]))
    pq.write_table(table, folder / "times.parquet")
    orc.write_table(table, folder / "times.orc")
    nanos = int(at.replace(tzinfo=UTC).timestamp()) * 10**9
    write_avro(folder / "times.avro", {"type": "record", "name": "Times", "fields": [
        {"name": "day", "type": logical("int", "date")},
        {"name": "local", "type": logical("long", "local-timestamp-micros")},
        {"name": "instant", "type": logical("long", "timestamp-millis")},
        {"name": "nanos", "type": logical("long", "local-timestamp-nanos")},
        {"name": "written", "type": "string"},
        {"name": "plain", "type": "string"},
    ]}, [row | {"nanos": nanos}])


def shapes(folder):
    wide = pa.table({f"c{i}": pa.array([i, None, i + 1], pa.int32()) for i in range(2000)})
    for name, table in [("wide", wide), ("empty", wide.slice(0, 0).select(["c0", "c1"])),
                        ("none", pa.table({"c0": pa.array([None] * 5, pa.int32()), "c1": pa.nulls(5, pa.string())}))]:
        pq.write_table(table, folder / f"{name}.parquet")
        orc.write_table(table, folder / f"{name}.orc")
        fields = [{"name": n, "type": optional("int" if t == pa.int32() else "string")}
                  for n, t in zip(table.schema.names, table.schema.types)]
        write_avro(folder / f"{name}.avro", {"type": "record", "name": "R", "fields": fields}, table.to_pylist(),
                   "deflate")
    deep_type, deep_value, avro = pa.int32(), 5, "int"
    for level in range(20):
        deep_type = pa.struct([("v", deep_type)]) if level % 2 else pa.list_(deep_type)
        deep_value = {"v": deep_value} if level % 2 else [deep_value, deep_value][: 2 if level < 4 else 1]
        avro = ({"type": "record", "name": f"L{level}", "fields": [{"name": "v", "type": optional(avro)}]}
                if level % 2 else {"type": "array", "items": optional(avro)})
    deep = [{"id": i, "deep": None if i % 3 == 1 else deep_value} for i in range(50)]
    table = pa.Table.from_pylist(deep, schema=pa.schema([("id", pa.int32()), ("deep", deep_type)]))
    pq.write_table(table, folder / "deep.parquet")
    orc.write_table(table, folder / "deep.orc")
    write_avro(folder / "deep.avro", {"type": "record", "name": "D", "fields": [
        {"name": "id", "type": "int"}, {"name": "deep", "type": optional(avro)}]}, deep)
    long = [{"id": i, "text": {3: "z" * 20_000_000, 6: "ü" * 10_000_000}.get(i, f"{i}")} for i in range(10)]
    table = pa.Table.from_pylist(long, schema=pa.schema([("id", pa.int32()), ("text", pa.string())]))
    pq.write_table(table, folder / "long.parquet", compression="zstd")
    orc.write_table(table, folder / "long.orc", compression="zstd")
    write_avro(folder / "long.avro", {"type": "record", "name": "T", "fields": [
        {"name": "id", "type": "int"}, {"name": "text", "type": "string"}]}, long, "deflate")


def drift(folder):
    at = dt.datetime(2024, 1, 31, 10, 0, 0, 500_000)
    tables = [
        pa.table({"id": pa.array([1], pa.int64())}),
        pa.table({"id": pa.array([2], pa.int64()), "extra": pa.array([20], pa.int32()), "at": pa.array([at], pa.timestamp("us"))}),
        pa.table({"id": pa.array([3], pa.int64()), "extra": pa.array([2**40], pa.int64()), "note": pa.array(["n"]),
                  "list": pa.array([[1, 2]], pa.list_(pa.int32())), "part": pa.array([{"x": 1}], pa.struct([("x", pa.int64())]))}),
    ]
    avro = {"id": "long", "extra": "int", "note": "string", "at": {"type": "long", "logicalType": "local-timestamp-micros"},
            "list": {"type": "array", "items": "int"},
            "part": {"type": "record", "name": "Part", "fields": [{"name": "x", "type": "long"}]}}
    for number, table in enumerate(tables, 1):
        orc.write_table(table, folder / f"{number}.orc")
        types = {name: "long" if number == 3 and name == "extra" else avro[name] for name in table.schema.names}
        fields = [{"name": name, "type": optional(type)} for name, type in types.items()]
        write_avro(folder / f"{number}.avro", {"type": "record", "name": "R", "fields": fields}, table.to_pylist())


def odd(folder):
    union = pa.UnionArray.from_sparse(pa.array([0, 1, 0], pa.int8()), [pa.array([1, 2, 3]), pa.array(["a", "b", "c"])])
    orc.write_table(pa.table({"id": [1, 2, 3], "u": union, "t": ["x", "y", "z"]}), folder / "union.orc")
    schema = {"type": "record", "name": "Odd", "fields": [
        {"name": "id", "type": "int"},
        {"name": "u", "type": ["null", "int", "string"]},
        {"name": "r", "type": ["null", {"type": "record", "name": "Node", "fields": [
            {"name": "v", "type": "int"}, {"name": "next", "type": ["null", "Node"]}]}]},
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["RED", "GREEN"]}},
        {"name": "uuid", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "f", "type": {"type": "fixed", "name": "F", "size": 3}},
        {"name": "d", "type": {"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"}},
        {"name": "tm", "type": {"type": "int", "logicalType": "time-millis"}},
        {"name": "tu", "type": {"type": "long", "logicalType": "time-micros"}},
        {"name": "ms", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "lms", "type": {"type": "long", "logicalType": "local-timestamp-millis"}},
        {"name": "n", "type": "null"},
        {"name": "one", "type": ["string"]},
        {"name": "t", "type": "string"},
    ]}
    at = dt.datetime(2024, 5, 6, 7, 8, 9, 123_000)
    records = [{
        "id": i, "u": [None, 5, "five"][i % 3],
        "r": None if i % 2 else {"v": 1, "next": {"v": 2, "next": None}},
        "e": ["RED", "GREEN"][i % 2], "uuid": str(uuid.UUID(int=i)), "f": bytes([i, 1, 2]),
        "d": bytes([i] * 12), "tm": dt.time(1, 2, 3, 4000), "tu": dt.time(1, 2, 3, 4),
        "ms": at.replace(tzinfo=UTC), "lms": at, "n": None, "one": "o", "t": f"t{i}",
    } for i in range(9)]
    write_avro(folder / "odd.avro", schema, records, "snappy")


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps("written"))
