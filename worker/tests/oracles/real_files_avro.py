"""Avro files: those of Avro's interop schema and arrow-testing, as far as fastavro, Polars and ClickHouse write them. Every
logical type and codec, wide, long and empty files are written by columnar.py."""

import io
import json

import fastavro
import polars as pl
import pyarrow as pa

from real_files_parquet import flat

NODE = {"type": "record", "name": "Node", "fields": [
    {"name": "label", "type": "string"},
    {"name": "children", "type": {"type": "array", "items": "Node"}},
]}
# The fields of the schema by which implementations of Avro test each other, and an id.
INTEROP = {"type": "record", "name": "Interop", "namespace": "org.apache.avro", "doc": "of all kinds", "fields": [
    {"name": "id", "type": "long", "order": "descending"},
    {"name": "intField", "type": "int", "default": 5},
    {"name": "longField", "type": "long", "aliases": ["long_field"]},
    {"name": "stringField", "type": {"type": "string", "avro.java.string": "String"}},
    {"name": "boolField", "type": "boolean"},
    {"name": "floatField", "type": "float"},
    {"name": "doubleField", "type": "double"},
    {"name": "bytesField", "type": "bytes"},
    {"name": "nullField", "type": "null"},
    {"name": "arrayField", "type": {"type": "array", "items": "double"}},
    {"name": "mapField", "type": {"type": "map", "values": {"type": "record", "name": "Foo", "fields": [
        {"name": "label", "type": "string"}]}}},
    {"name": "unionField", "type": ["boolean", "double", {"type": "array", "items": "bytes"}]},
    {"name": "enumField", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B", "C"], "default": "A"}},
    {"name": "fixedField", "type": {"type": "fixed", "name": "MD5", "size": 16}},
    {"name": "recordField", "type": NODE},
    # Names that were defined before, by their short and their full name.
    {"name": "again", "type": ["null", "Kind"]},
    {"name": "foo", "type": ["org.apache.avro.Foo", "null"]},
]}


def interop(cases):
    def record(number):
        return {
            "id": number, "intField": -number, "longField": number * 2**50, "stringField": f"sa\u3042 {number}",
            "boolField": number % 2 == 0, "floatField": number / 4, "doubleField": -1.5 * number,
            "bytesField": bytes([number % 256, 0, 255]), "nullField": None,
            "arrayField": [5.0] * (number % 3), "mapField": {"a": {"label": "a"}, "b": {"label": "cee"}},
            "unionField": [True, 12.0, [b"x"]][number % 3], "enumField": "ABC"[number % 3],
            "fixedField": bytes(range(16)),
            "recordField": {"label": "blah", "children": [{"label": "inner", "children": []}]},
            "again": [None, "C"][number % 2], "foo": [{"label": "f"}, None][number % 2],
        }

    records = [record(number) for number in range(1_000)]
    foo = pa.struct([("label", pa.string())])
    kinds = {"id": pa.int64(), "intField": pa.int32(), "longField": pa.int64(), "stringField": pa.string(),
             "boolField": pa.bool_(), "floatField": pa.float32(), "doubleField": pa.float64(), "bytesField": pa.binary(),
             "nullField": pa.int32(), "arrayField": pa.list_(pa.float64()), "mapField": pa.map_(pa.string(), foo),
             "enumField": pa.string(), "fixedField": pa.binary(), "again": pa.string(), "foo": foo}
    values = {name: [row[name] for row in records] for name in kinds}
    values["mapField"] = [list(value.items()) for value in values["mapField"]]
    rows = pa.table({name: pa.array(values[name], kind) for name, kind in kinds.items()})
    for codec in ("null", "deflate", "snappy", "zstandard", "bzip2", "xz"):
        with open(cases.path(f"interop.{codec}.avro"), "wb") as out:
            # Small blocks, and what a writer adds to the header.
            fastavro.writer(out, INTEROP, records, codec=codec, sync_interval=500, metadata={"made.by": "hand"})
        cases.loads(f"interop.{codec}.avro", rows)
    for name, words in [("unionField", ["unionField", "union"]), ("recordField", ["recordField", "contains itself"])]:
        cases.refused("interop.null.avro", [("id", "BIGINT"), (name, "JSON")], "interop.null.avro", *words)


def blocks(cases):
    """Files that were appended to, of one row a block, of none, and of blocks without rows."""
    schema = {"type": "record", "name": "R", "fields": [{"name": "id", "type": "long"}, {"name": "t", "type": "string"}]}
    records = [{"id": number, "t": f"t{number}"} for number in range(300)]
    rows = pa.Table.from_pylist(records, schema=pa.schema([("id", pa.int64()), ("t", pa.string())]))
    with open(cases.path("appended.avro"), "wb") as out:
        fastavro.writer(out, schema, records[:100], codec="deflate")
    for start in (100, 200):
        with open(cases.path("appended.avro"), "a+b") as out:
            fastavro.writer(out, schema, records[start : start + 100])
    cases.loads("appended.avro", rows)
    with open(cases.path("each.avro"), "wb") as out:
        fastavro.writer(out, schema, records, sync_interval=1)
    cases.loads("each.avro", rows)
    with open(cases.path("none.avro"), "wb") as out:
        fastavro.writer(out, schema, [])
    cases.loads("none.avro", rows.slice(0, 0), allowEmpty=True)
    # A block of no rows between two of some: count and size of its bytes are zero.
    marker, parts = bytes(range(16)), []
    for some in (records[:150], [], records[150:]):
        out = io.BytesIO()
        for record in some:
            fastavro.schemaless_writer(out, schema, record)
        parts.append(long(len(some)) + long(len(out.getvalue())) + out.getvalue() + marker)
    header = io.BytesIO()
    fastavro.writer(header, schema, [], sync_marker=marker)
    with open(cases.path("empty-block.avro"), "wb") as out:
        out.write(header.getvalue() + b"".join(parts))
    cases.loads("empty-block.avro", rows)


def long(value):
    """A number as Avro writes it: seven bits a byte, the lowest first, signs in the lowest bit."""
    value, out = value << 1, b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def shapes(cases):
    """Nested 20 deep; 2,000 columns; strings of 20 MB; a record without fields."""
    kind, value = "int", 5
    for level in range(20):
        kind = ({"type": "record", "name": f"L{level}", "fields": [{"name": "v", "type": ["null", kind]}]}
                if level % 2 else {"type": "array", "items": ["null", kind]})
        value = {"v": value} if level % 2 else [value, None]
    schema = {"type": "record", "name": "Deep", "fields": [{"name": "id", "type": "long"}, {"name": "v", "type": ["null", kind]}]}
    with open(cases.path("deep.avro"), "wb") as out:
        fastavro.writer(out, schema, [{"id": 1, "v": value}, {"id": 2, "v": None}], codec="snappy")
    text = json.dumps(value, separators=(",", ":"))
    cases.loads("deep.avro", pa.table({"id": [1, 2], "v": [text, None]}), {"v": "JSON"})
    wide = pa.table({"id": pa.array([1, 2, 3], pa.int64()),
                     **{f"c{number}": pa.array([number, None, -number], pa.int32()) for number in range(1_999)}})
    schema = {"type": "record", "name": "Wide", "fields": [
        {"name": "id", "type": "long"}, *({"name": name, "type": ["int", "null"]} for name in wide.schema.names[1:])]}
    with open(cases.path("wide.avro"), "wb") as out:
        fastavro.writer(out, schema, wide.to_pylist(), codec="deflate")
    # A table has 1,000 columns at most.
    cases.loads("wide.avro", wide.select(["id", *wide.schema.names[-999:]]))
    texts = ["x", "ü" * 10_000_000, None, "z" * 20_000_000]
    schema = {"type": "record", "name": "Long", "fields": [{"name": "id", "type": "long"}, {"name": "t", "type": ["null", "string"]}]}
    with open(cases.path("long.avro"), "wb") as out:
        fastavro.writer(out, schema, [{"id": number, "t": text} for number, text in enumerate(texts)], codec="zstandard")
    cases.loads("long.avro", pa.table({"id": pa.array(range(4), pa.int64()), "t": pa.array(texts)}))
    schema = {"type": "record", "name": "R", "fields": [
        {"name": "id", "type": "int"}, {"name": "none", "type": {"type": "record", "name": "None", "fields": []}}]}
    with open(cases.path("no-fields.avro"), "wb") as out:
        fastavro.writer(out, schema, [{"id": 1, "none": {}}, {"id": 2, "none": {}}])
    cases.loads("no-fields.avro", pa.table({"id": pa.array([1, 2], pa.int32())}))


def others(cases):
    """Polars and ClickHouse with what they write by default."""
    import chdb
    import pyarrow.parquet as pq

    rows = flat().select(["id", "n", "l", "f", "d", "b", "t", "u", "day", "list"])
    for codec in ("uncompressed", "snappy", "deflate"):
        pl.from_arrow(rows).write_avro(cases.path(f"polars.{codec}.avro"), compression=codec)
        cases.loads(f"polars.{codec}.avro", rows)
    rows = rows.select(["id", "n", "l", "f", "d", "t", "u", "day"])
    pq.write_table(rows, cases.path("for-clickhouse.parquet"))
    for codec in ("null", "deflate", "snappy", "zstd"):
        file = f"clickhouse.{codec}.avro"
        chdb.query(f"INSERT INTO FUNCTION file('{cases.path(file)}', Avro) "
                   f"SELECT * FROM file('{cases.path('for-clickhouse.parquet')}', Parquet) "
                   f"SETTINGS output_format_avro_codec = '{codec}', output_format_avro_string_column_pattern = '.*'")
        cases.loads(file, rows)


def write(cases):
    for part in (interop, blocks, shapes, others):
        part(cases)
