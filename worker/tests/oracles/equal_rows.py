"""The same rows in every format and codec, and what readers that are not ours say of them.

equal_rows.py write FOLDER ROWS FEWER     each format with ROWS rows as <format>/rows.<suffix>, each codec with the
                                          first FEWER rows as <format>/<codec>.<suffix>; what is meant as meant.arrow
                                          (nested types) and flat.arrow (nested values as JSON text)
equal_rows.py check FOLDER FILE KIND TABLE_DIR …  a reader of FILE that is not ours gives what is meant, and so do
                                          readers of the table that FILE was loaded into (KIND: meant or flat)

How a format without a type carries its values: TINYINT and SMALLINT are `int` in Avro; in CSV and JSON everything is
text or a number (NaN and infinities are strings in JSON), times are ISO 8601, instants have an offset; in CSV arrays,
maps and structs are JSON text. Bytes that are no UTF-8 stand in CSV and JSON in Base64, instants in any order of
zones. The JSON value null, as against NULL, is no value of the rows: JSON has but one of them.
"""

import bz2
import csv
import datetime as dt
import decimal
import gzip
import io
import json
import sys
import zlib
from base64 import b64encode
from pathlib import Path

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.orc as orc
import pyarrow.parquet as pq

EPOCH = dt.datetime(1970, 1, 1)
UTC = dt.timezone.utc
# The zone of the load: far from whole hours, and without a clock change that a test would have to know.
LOAD_OFFSET = dt.timedelta(hours=5, minutes=45)
DAY = 86_400_000_000
NULL_RUN = slice(500, 900)
WIDE = decimal.Context(prec=60)
TEXTS = ["", " ", "NULL", "null", "\\N", "a", "Ω", '"', '""', ",", "\t", "\n", "\r\n", "\r", "'", "\\", "日本語", "😀",
         "e\u0301", "\u2028", "\x01", "\x7f", "{", "]", ":", "true", "0012", "NaN", "word ", "x" * 60]

MAP_TYPE = pa.map_(pa.string(), pa.int32())
PART_TYPE = pa.struct([("a", pa.int32()), ("b", pa.string()), ("day", pa.date32()), ("c", pa.list_(pa.int64()))])
SCHEMA = pa.schema([
    ("id", pa.int64()),
    ("flag", pa.bool_()),
    ("tiny", pa.int8()),
    ("small", pa.int16()),
    ("int", pa.int32()),
    ("big", pa.int64()),
    ("large", pa.decimal128(38, 0)),
    ("real", pa.float32()),
    ("double", pa.float64()),
    ("money", pa.decimal128(9, 2)),
    ("price", pa.decimal128(18, 4)),
    ("wide", pa.decimal128(38, 10)),
    ("kind", pa.string()),
    ("code", pa.string()),
    ("name", pa.string()),
    ("text", pa.string()),
    ("bytes", pa.binary()),
    ("day", pa.date32()),
    ("at", pa.timestamp("us")),
    ("instant", pa.timestamp("us", tz="UTC")),
    ("json", pa.string()),
    ("list", pa.list_(pa.int32())),
    ("words", pa.list_(pa.string())),
    ("map", MAP_TYPE),
    ("part", PART_TYPE),
])
NESTED = ["list", "words", "map", "part"]
JSON = ["json", *NESTED]
VARCHAR = "VARCHAR"
DECIMALS = ["large", "money", "price", "wide"]


def optional(kind):
    return ["null", kind]


def logical(kind, name, **more):
    return optional({"type": kind, "logicalType": name, **more})


def fixed_decimal(name, precision, scale):
    return optional({"type": "fixed", "name": name, "size": 16, "logicalType": "decimal", "precision": precision,
                     "scale": scale})


AVRO = {"type": "record", "name": "Row", "fields": [
    {"name": "id", "type": "long"},
    {"name": "flag", "type": optional("boolean")},
    *({"name": name, "type": optional("int")} for name in ("tiny", "small", "int")),
    {"name": "big", "type": optional("long")},
    {"name": "large", "type": fixed_decimal("Large", 38, 0)},
    {"name": "real", "type": optional("float")},
    {"name": "double", "type": optional("double")},
    {"name": "money", "type": logical("bytes", "decimal", precision=9, scale=2)},
    {"name": "price", "type": logical("bytes", "decimal", precision=18, scale=4)},
    {"name": "wide", "type": fixed_decimal("Wide", 38, 10)},
    {"name": "kind", "type": optional({"type": "enum", "name": "Kind", "symbols": ["BUY", "VIEW", "CART", "FAV"]})},
    *({"name": name, "type": optional("string")} for name in ("code", "name", "text")),
    {"name": "bytes", "type": optional("bytes")},
    {"name": "day", "type": logical("int", "date")},
    {"name": "at", "type": logical("long", "local-timestamp-micros")},
    {"name": "instant", "type": logical("long", "timestamp-micros")},
    {"name": "json", "type": optional("string")},
    {"name": "list", "type": optional({"type": "array", "items": optional("int")})},
    {"name": "words", "type": optional({"type": "array", "items": optional("string")})},
    {"name": "map", "type": optional({"type": "map", "values": optional("int")})},
    {"name": "part", "type": optional({"type": "record", "name": "Part", "fields": [
        {"name": "a", "type": optional("int")},
        {"name": "b", "type": optional("string")},
        {"name": "day", "type": logical("int", "date")},
        {"name": "c", "type": optional({"type": "array", "items": optional("long")})},
    ]})},
]}


# ---- the rows


def columns(count):
    """Every column as a list of Python values."""
    random = np.random.default_rng(20240310)

    def integers(low, high, pick=()):
        """Any of the range, or one of `pick` (its ends among them)."""
        values = random.integers(low, high, count, endpoint=True).tolist()
        choice = random.integers(0, 4, count).tolist()
        pick = [low, high, 0, *pick]
        return [pick[value % len(pick)] if many == 0 else value for value, many in zip(values, choice)]

    def digits(width):
        """Integers of up to so many decimal digits, which 64 bits may not hold."""
        high, low = integers(-(10**18) + 1, 10**18 - 1), integers(0, 10**18 - 1)
        much, most = integers(0, 99), 10**width
        whole = ((a * 10**18 + b) * 100 + c for a, b, c in zip(high, low, much))
        return [most - 1 if number % 97 == 0 else value % most * (1 if value % 2 else -1)
                for number, value in enumerate(whole)]

    def scaled(width, scale):
        return [decimal.Decimal(value).scaleb(-scale, WIDE) for value in digits(width)]

    def text(pieces):
        lengths = random.integers(0, pieces, count).tolist()
        picks = iter(random.integers(0, len(TEXTS), sum(lengths)).tolist())
        return ["".join(TEXTS[next(picks)] for _ in range(length)) for length in lengths]

    def lists(items, most):
        lengths, items = random.integers(0, most, count).tolist(), iter(items)
        return [[next(items) for _ in range(length)] for length in lengths]

    def endless(values):
        while True:
            yield from values

    def holes(values, part=0.1):
        gone = (random.random(len(values)) < part).tolist()
        return [None if hole else value for value, hole in zip(values, gone)]

    def days():
        spread = random.integers(-719_162, 2_932_896, count, endpoint=True).tolist()
        near = random.integers(-4_000, 30_000, count).tolist()
        ends = [-719_162, 2_932_896, -1, 0]
        values = (ends[n // 7 % 4] if n % 7 == 0 else s if n % 7 == 1 else v
                  for n, (s, v) in enumerate(zip(spread, near)))
        return [dt.date(1970, 1, 1) + dt.timedelta(days=value) for value in values]

    def moments(first, last):
        spread = random.integers(first, last, count, endpoint=True).tolist()
        near = random.integers(-(10**15), 4 * 10**15, count).tolist()
        ends = [first, last, 0, 10**6 - 1]
        values = (ends[n // 7 % 4] if n % 7 == 0 else s if n % 7 == 1 else v // 10**6 * 10**6 if n % 7 == 2 else v
                  for n, (s, v) in enumerate(zip(spread, near)))
        # The second before 1970 cannot be written to ORC with a fraction (ORC-763).
        return [EPOCH + dt.timedelta(microseconds=0 if -(10**6) < value < 0 else value) for value in values]

    singles = random.uniform(-1e30, 1e30, count).astype(np.float32)
    singles[::3] = random.integers(-(2**20), 2**20, len(singles[::3])) / 64
    doubles = random.uniform(-1e300, 1e300, count)
    doubles[::3] = random.random(len(doubles[::3]))
    for values, least, most in [(singles, 1.4e-45, 3.4028235e38), (doubles, 5e-324, 1.7976931348623157e308)]:
        special = [float("nan"), float("inf"), float("-inf"), -0.0, 0.0, least, -most]
        for place, value in enumerate(special):
            values[place * 13 :: 401] = value
    words = endless(holes(text(2)))
    kinds = ["BUY", "VIEW", "CART", "FAV"]
    members = zip(endless(holes(integers(-9, 9))), endless(words), endless(holes(days())))
    inner = iter(lists(endless(holes(integers(-(2**63), 2**63 - 1))), 3))
    numbers = endless(holes(integers(-(2**31), 2**31 - 1)))
    json_texts = ['{"n": %d, "t": [1, 2.50, 1e3]}', '[%d, {"a": null, "ü": "ß\\n"}]', '"text %d"', "%d", "true",
                  '{"deep": {"er": [[%d]]}}', '{"a":  1,"a": %d}']
    made = {
        "flag": (random.random(count) < 0.5).tolist(),
        "tiny": integers(-(2**7), 2**7 - 1),
        "small": integers(-(2**15), 2**15 - 1),
        "int": integers(-(2**31), 2**31 - 1, [7, 7, -1]),
        "big": integers(-(2**63), 2**63 - 1),
        "large": [decimal.Decimal(value) for value in digits(38)],
        "real": singles.tolist(),
        "double": doubles.tolist(),
        "money": scaled(9, 2),
        "price": scaled(18, 4),
        "wide": scaled(38, 10),
        "kind": [kinds[pick] for pick in random.integers(0, 4, count).tolist()],
        "code": [f"{pick:08x}" for pick in random.integers(0, 2**32, count).tolist()],
        "name": text(5),
        "text": text(9),
        "bytes": [random.bytes(length) for length in random.integers(0, 12, count).tolist()],
        "day": days(),
        "at": moments(-719_162 * DAY, 2_932_897 * DAY - 1),
        # A day from the ends, which the zone of the load would leave.
        "instant": [value.replace(tzinfo=UTC) for value in moments(-719_161 * DAY, 2_932_896 * DAY - 1)],
        "json": [json_texts[number % 7].replace("%d", str(number)) for number in range(count)],
        "list": lists(numbers, 5),
        "words": lists(words, 4),
        "map": [[(f"k{place}ä{number % 5}", next(numbers)) for place in range(number % 4)] for number in range(count)],
        "part": [{"a": a, "b": b, "day": day, "c": None if number % 9 == 4 else next(inner)}
                 for number, (a, b, day) in zip(range(count), members)],
    }
    for name, values in made.items():
        made[name] = holes(values)
        made[name][NULL_RUN] = [None] * len(made[name][NULL_RUN])
    return {"id": random.permutation(count).tolist(), **made}


# ---- binary formats


def write_binary(folder, table, records, codecs):
    """Parquet, ORC and Avro, plain or in each codec."""
    for codec in ["snappy", "gzip", "zstd", "lz4", "brotli"] if codecs else ["none"]:
        name = "parquet/" + (codec if codecs else "rows")
        pq.write_table(table, folder / f"{name}.parquet", compression=codec, row_group_size=60_000)
    for codec in ["zlib", "snappy", "lz4", "zstd"] if codecs else ["uncompressed"]:
        name = "orc/" + (codec if codecs else "rows")
        orc.write_table(table, folder / f"{name}.orc", compression=codec, stripe_size=4 << 20,
                        dictionary_key_size_threshold=0.8 if codecs else 0.0)
    for codec in ["deflate", "snappy", "zstandard", "bzip2", "xz"] if codecs else ["null"]:
        name = "avro/" + (codec if codecs else "rows")
        with open(folder / f"{name}.avro", "wb") as out:
            fastavro.writer(out, AVRO, records, codec=codec)


def write_by_others(folder, rows):
    """The same Parquet rows by another writer."""
    import duckdb

    duckdb.sql("SET timezone = 'UTC'")
    duckdb.sql(f"COPY (SELECT * FROM rows) TO '{folder}/parquet/duckdb.parquet' (FORMAT parquet)")


# ---- text formats


class Null:
    """Stands for NULL: csv takes it for a number, and encloses no numbers."""

    def __float__(self):
        return 0.0

    def __str__(self):
        return "\\N"


NULL = Null()


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def as_json(table_columns, name):
    """The nested values of a column as JSON text."""
    values = table_columns[name]
    if name == "map":
        values = [None if value is None else dict(value) for value in values]
    return [None if value is None else compact(value) for value in values]


def in_zones(instants):
    """ISO text of instants, each in the next of some zones."""
    zones = [dt.timezone(dt.timedelta(minutes=minutes)) for minutes in (0, 345, -210, 840)]
    for number, instant in enumerate(instants):
        if instant is None:
            yield None
        elif not 2 < instant.year < 9998 or number % 5 == 4:
            yield instant.replace(tzinfo=None).isoformat() + "Z"
        else:
            yield instant.astimezone(zones[number % 4]).isoformat(sep=" " if number % 2 else "T")


def texts(table_columns):
    """Columns for text formats: times as ISO text, bytes in Base64 as `bytes64`, nested values as JSON text."""
    texts = dict(table_columns)
    for name in ("day", "at"):
        texts[name] = [None if value is None else str(value) for value in texts[name]]
    texts["instant"] = list(in_zones(texts["instant"]))
    texts["bytes"] = [None if value is None else b64encode(value).decode() for value in texts["bytes"]]
    texts |= {name: as_json(table_columns, name) for name in NESTED}
    return {"bytes64" if name == "bytes" else name: values for name, values in texts.items()}


def csv_text(text_columns, **dialect):
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n", **dialect)
    writer.writerow(text_columns)
    cells = [[NULL if value is None else value for value in values] for values in text_columns.values()]
    writer.writerows(zip(*cells))
    return out.getvalue().encode()


def escaped_text(text_columns):
    """The default dialect: TAB, LF, \\N, with a backslash before what would end a field."""
    escapes = str.maketrans({"\\": "\\\\", "\t": "\\\t", "\n": "\\\n"})
    cells = [["\\N" if value is None else str(value).translate(escapes) for value in values]
             for values in text_columns.values()]
    return "".join("\t".join(row) + "\n" for row in zip(*cells)).encode()


def json_cells(name, values):
    if name in DECIMALS:
        # The digits as they are: a DECIMAL is a number in JSON.
        return ["null" if value is None else format(value, "f") for value in values]
    if name in JSON:
        return ["null" if value is None else value for value in values]
    if name in ("real", "double"):
        return [json.dumps(value) if value is None or np.isfinite(value) else f'"{value}"' for value in values]
    return [json.dumps(value, ensure_ascii=number % 2 == 0) for number, value in enumerate(values)]


def json_lines(text_columns):
    cells = [[f"{json.dumps(name)}: {cell}" for cell in json_cells(name, values)]
             for name, values in text_columns.items()]
    return ["{" + ", ".join(row) + "}" for row in zip(*cells)]


def text_codecs():
    import cramjam
    from backports import zstd

    def lz4(data):
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "lz4") as out:
            out.write(data)
        return sink.getvalue().to_pybytes()

    return {"gz": gzip.compress, "bz2": bz2.compress, "zst": zstd.compress, "lz4": lz4, "deflate": zlib.compress,
            "snappy": lambda data: bytes(cramjam.snappy.compress(data))}


def write_text(folder, text_columns, codecs):
    enclosed, lines = csv_text(text_columns), json_lines(text_columns)
    joined = ("\n".join(lines) + "\n").encode()
    if not codecs:
        (folder / "csv/rows.csv").write_bytes(enclosed)
        (folder / "json/rows.json").write_bytes(joined)
        return
    (folder / "csv/escaped.tsv").write_bytes(escaped_text(text_columns))
    (folder / "json/array.json").write_bytes(("[\n" + ",\n".join(lines) + "]").encode())
    for suffix, compress in text_codecs().items():
        (folder / f"csv/codec.csv.{suffix}").write_bytes(compress(enclosed))
        (folder / f"json/codec.json.{suffix}").write_bytes(compress(joined))


# ---- what is meant


def meant(table):
    """The table as a load stores it: instants as local times of the load's zone."""
    if "instant" in table.schema.names:
        local = pc.add(table["instant"].cast(pa.timestamp("us")), pa.scalar(LOAD_OFFSET, pa.duration("us")))
        table = table.set_column(table.schema.get_field_index("instant"), "instant", local)
    return table.sort_by("id").combine_chunks()


def save(table, path):
    with pa.ipc.new_file(path, table.schema) as out:
        out.write_table(table)


def write(folder, rows, fewer):
    for name in ("parquet", "orc", "avro", "csv", "json"):
        (folder / name).mkdir()
    made = columns(rows)
    table = pa.table({field.name: pa.array(made[field.name], field.type) for field in SCHEMA}, schema=SCHEMA)
    as_text = texts(made)
    save(meant(table), folder / "meant.arrow")
    flat = table
    for name in NESTED:
        flat = flat.set_column(flat.schema.get_field_index(name), name, pa.array(as_text[name], pa.string()))
    save(meant(flat), folder / "flat.arrow")
    maps = [None if value is None else dict(value) for value in made["map"]]
    records = [dict(zip(made, row)) for row in zip(*(made | {"map": maps}).values())]
    write_binary(folder, table, records, False)
    write_text(folder, as_text, False)
    write_by_others(folder, table)
    write_binary(folder, table.slice(0, fewer), records[:fewer], True)
    write_text(folder, {name: values[:fewer] for name, values in as_text.items()}, True)


# ---- readers that are not ours


def bits(array):
    """Floating point as its bits: NaN equals NaN, and -0.0 is not 0.0."""
    width = {pa.float32(): pa.int32(), pa.float64(): pa.int64()}.get(array.type)
    return array.view(width) if width else array


def one_array(column, data_type):
    """A column as one array of the type that is meant."""
    if pa.types.is_map(data_type) and not pa.types.is_map(column.type):
        column = pa.chunked_array([pa.array([None if value is None else list(map(tuple, pairs(value)))
                                             for value in column.to_pylist()], data_type)])
    array = column.cast(data_type).combine_chunks()
    return array.chunk(0) if isinstance(array, pa.ChunkedArray) else array


def pairs(value):
    return value.items() if isinstance(value, dict) else ((entry["key"], entry["value"]) for entry in value)


def compare(name, found, expected):
    """Row for row; the names of nested fields and how a reader holds text do not count."""
    if found.num_rows != expected.num_rows:
        sys.exit(f"{name}: {found.num_rows} rows instead of {expected.num_rows}")
    order = pc.sort_indices(found["id"])
    for field in expected.schema:
        wanted = expected[field.name].combine_chunks()
        wanted = wanted.chunk(0) if isinstance(wanted, pa.ChunkedArray) else wanted
        got = one_array(found[field.name], field.type).take(order)
        if bits(got).equals(bits(wanted)):
            continue
        for row, (mine, other) in enumerate(zip(bits(wanted).to_pylist(), bits(got).to_pylist())):
            if mine != other:
                identity = expected["id"][row].as_py()
                sys.exit(f"{name}: id {identity}, column {field.name}: {other!r} instead of {mine!r}")
    print(f"{name}: {found.num_rows} rows alike")


def load_meant(folder, kind):
    return pa.ipc.open_file(folder / f"{kind}.arrow").read_all()


def read_avro(path):
    with open(path, "rb") as source:
        rows = list(fastavro.reader(source))
    for row in rows:
        row["map"] = None if row["map"] is None else list(row["map"].items())
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def duckdb_text(query, without=()):
    """Text as DuckDB reads it; what a load converts is converted by it, too."""
    import duckdb

    duckdb.sql("SET timezone = 'UTC'")
    kinds = {"real": "FLOAT", "double": "DOUBLE", "day": "DATE", "at": "TIMESTAMP", "flag": "BOOLEAN",
             "tiny": "TINYINT", "small": "SMALLINT", "int": "INT", "big": "BIGINT", "large": "DECIMAL(38,0)",
             "money": "DECIMAL(9,2)", "price": "DECIMAL(18,4)", "wide": "DECIMAL(38,10)", "id": "BIGINT"}
    chosen = [f'CAST("{name}" AS {kind}) AS "{name}"' for name, kind in kinds.items() if name not in without]
    chosen += ["CAST(instant AS TIMESTAMPTZ) AS instant", "from_base64(bytes64) AS bytes"]
    chosen += [f'"{field.name}"' for field in SCHEMA
               if field.name not in kinds | {"instant": 0, "bytes": 0}]
    return duckdb.sql(f"SELECT {', '.join(chosen)} FROM {query}").arrow().read_all()


def read(path):
    """A file by a reader that is not ours; what it cannot read is left out."""
    suffix = Path(path).suffix
    fields = [*(name for name in SCHEMA.names if name != "bytes"), "bytes64"]
    if suffix == ".parquet":
        return pq.ParquetFile(path).read()
    if suffix == ".orc":
        # pyarrow reads no timestamp of ORC outside of the years that nanoseconds reach.
        return orc.read_table(path, columns=[name for name in SCHEMA.names if name not in ("at", "instant")])
    if suffix == ".avro":
        return read_avro(path)
    if suffix == ".csv":
        order = [name.replace("bytes", "bytes64") for name in SCHEMA.names]
        return duckdb_text(f"read_csv('{path}', header=true, delim=',', quote='\"', escape='\"', nullstr='\\N', "
                           f"new_line='\\n', auto_detect=false, allow_quoted_nulls=false, "
                           f"columns={{{', '.join(f'{name!r}: {VARCHAR!r}' for name in order)}}})")
    columns = ", ".join(f"{name!r}: {'JSON' if name in JSON else VARCHAR!r}" for name in fields)
    found = duckdb_text(f"read_json('{path}', format='newline_delimited', columns={{{columns}}})", DECIMALS)
    # DuckDB reads numbers with a point as DOUBLE; Python does not.
    digits = {row["id"]: row for row in map(exact, open(path))}
    for name in DECIMALS:
        values = [digits[identity][name] for identity in found["id"].to_pylist()]
        found = found.append_column(name, pa.array(values, SCHEMA.field(name).type))
    return found


def exact(line):
    return json.loads(line, parse_float=decimal.Decimal, parse_int=decimal.Decimal)


def check_file(folder, path):
    found, is_text = read(path), Path(path).suffix in (".csv", ".json")
    names = [name for name in SCHEMA.names if name in found.schema.names]
    found, expected = meant(found.select(names)), load_meant(folder, "flat" if is_text else "meant").select(names)
    if path.endswith(".json"):
        # DuckDB writes JSON anew.
        found, expected = parsed(found), parsed(expected)
    compare(Path(path).name, found, expected)


def parsed(table):
    """JSON values by what they mean."""
    for name in JSON:
        values = [None if value is None else repr(json.loads(value)) for value in table[name].to_pylist()]
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values, pa.string()))
    return table


def duckdb_with_delta():
    import glob
    import os

    import duckdb
    import duckdb_extension_delta

    folder = os.path.dirname(duckdb_extension_delta.__file__)
    extension = glob.glob(os.path.join(folder, "**", "*.duckdb_extension"), recursive=True)[0]
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{extension}'")
    return connection


def check_table(folder, path, kind, table_dir):
    import deltalake

    expected, name = load_meant(folder, kind), f"table of {Path(path).name}"
    delta = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(table_dir)).execute("SELECT * FROM t")
    compare(f"{name} by delta-rs", pa.table(delta.read_all()), expected)
    found = duckdb_with_delta().sql(f"SELECT * FROM delta_scan('{table_dir}')").arrow().read_all()
    compare(f"{name} by DuckDB", found, expected)


def main():
    command, folder, *rest = sys.argv[1:]
    if command == "write":
        write(Path(folder), *map(int, rest))
        return
    for path, kind, table_dir in zip(rest[::3], rest[1::3], rest[2::3]):
        check_file(Path(folder), path)
        check_table(Path(folder), path, kind, table_dir)


if __name__ == "__main__":
    main()
