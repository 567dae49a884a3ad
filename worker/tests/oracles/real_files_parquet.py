"""Parquet files: the features that the files of Apache's parquet-testing are named for, as far as pyarrow, DuckDB,
Polars, pandas and ClickHouse write them."""

import datetime as dt
import decimal
import json

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

COUNT = 3_000


def some(values, each=7):
    return [None if number % each == 3 else value for number, value in enumerate(values)]


def flat(count=COUNT):
    """Rows of the types that every writer has."""
    return pa.table({
        "id": pa.array(range(count), pa.int64()),
        "n": pa.array(some([number * 7919 % 100_003 - 50_000 for number in range(count)]), pa.int32()),
        "l": pa.array(some([number * 2**40 - 2**51 for number in range(count)]), pa.int64()),
        "f": pa.array(some([number / 64 for number in range(count)]), pa.float32()),
        "d": pa.array(some([number / 3 for number in range(count)]), pa.float64()),
        "b": pa.array(some([number % 3 == 0 for number in range(count)]), pa.bool_()),
        "t": pa.array(some([f"text {number % 97} ä" for number in range(count)]), pa.string()),
        "u": pa.array(some([f"{number:07d}" for number in range(count)]), pa.string()),
        "day": pa.array(some([dt.date(1969, 1, 1) + dt.timedelta(days=number) for number in range(count)]), pa.date32()),
        "at": pa.array(some([dt.datetime(1969, 12, 1) + dt.timedelta(hours=number, microseconds=number)
                             for number in range(count)]), pa.timestamp("us")),
        "money": pa.array(some([decimal.Decimal(number * 31 - 9_000) / 100 for number in range(count)]),
                          pa.decimal128(9, 2)),
        "list": pa.array(some([list(range(number % 4)) for number in range(count)], 5), pa.list_(pa.int32())),
    })


def pages(cases):
    """Encodings, versions of pages and of the format, indexes, checksums, codecs by level."""
    rows = flat()
    encodings = {"id": "DELTA_BINARY_PACKED", "n": "BYTE_STREAM_SPLIT", "l": "DELTA_BINARY_PACKED",
                 "f": "BYTE_STREAM_SPLIT", "d": "BYTE_STREAM_SPLIT", "b": "RLE", "t": "DELTA_BYTE_ARRAY",
                 "u": "DELTA_LENGTH_BYTE_ARRAY", "day": "DELTA_BINARY_PACKED", "at": "BYTE_STREAM_SPLIT",
                 "money": "BYTE_STREAM_SPLIT", "list.list.element": "DELTA_BINARY_PACKED"}
    plain = {name: "PLAIN" for name in encodings}
    variants = {
        "encodings": {"use_dictionary": False, "column_encoding": encodings},
        "plain": {"use_dictionary": False, "column_encoding": plain},
        "dictionary": {"use_dictionary": True},
        "fallback": {"use_dictionary": True, "dictionary_pagesize_limit": 200, "data_page_size": 500},
        "index": {"write_page_index": True, "write_page_checksum": True, "data_page_size": 300, "write_batch_size": 50},
        "decimals": {"store_decimal_as_integer": True},
    }
    for version in ("1.0", "2.0"):
        for name, options in variants.items():
            file = f"{name}.v{version[0]}.parquet"
            pq.write_table(rows, cases.path(file), data_page_version=version, **options)
            cases.loads(file, rows)
    for version in ("1.0", "2.4", "2.6"):
        file = f"format-{version}.parquet"
        pq.write_table(rows, cases.path(file), version=version, compression="zstd", compression_level=19)
        cases.loads(file, rows)
    # All values NULL, whose page of version 2 has no bytes to decompress.
    nothing = pa.table({"id": pa.array(range(9), pa.int64()), "n": pa.nulls(9, pa.int32()), "t": pa.nulls(9, pa.string())})
    for codec in ("snappy", "zstd", "gzip", "brotli", "lz4", "none"):
        file = f"no-values.{codec}.parquet"
        pq.write_table(nothing, cases.path(file), compression=codec, data_page_version="2.0")
        cases.loads(file, nothing)
    # More pages than 16 bits count.
    many = pa.table({"id": pa.array(range(40_000), pa.int64()), "n": pa.array(range(40_000), pa.int32())})
    pq.write_table(many, cases.path("pages.parquet"), data_page_size=1, write_batch_size=1, use_dictionary=False,
                   compression="none")
    cases.loads("pages.parquet", many)


def groups(cases):
    """Row groups: none, empty ones, very many, one that is large."""
    rows = flat(90)
    pq.ParquetWriter(cases.path("no-groups.parquet"), rows.schema).close()
    cases.loads("no-groups.parquet", rows.slice(0, 0), allowEmpty=True)
    pq.write_table(rows.slice(0, 0), cases.path("no-rows.parquet"))
    cases.loads("no-rows.parquet", rows.slice(0, 0), allowEmpty=True)
    with pq.ParquetWriter(cases.path("empty-groups.parquet"), rows.schema) as out:
        for start in range(0, 90, 30):
            out.write_table(rows.slice(0, 0))
            out.write_table(rows.slice(start, 30))
        out.write_table(rows.slice(0, 0))
    assert pq.ParquetFile(cases.path("empty-groups.parquet")).num_row_groups == 7
    cases.loads("empty-groups.parquet", rows)
    many = flat().select(["id", "n", "t"])
    pq.write_table(many, cases.path("many-groups.parquet"), row_group_size=5)
    cases.loads("many-groups.parquet", many)
    large = pa.table({"id": pa.array(range(400_000), pa.int64()),
                      "t": pa.array([f"{number * 7919 % 400_009:020d}" for number in range(400_000)])})
    pq.write_table(large, cases.path("one-group.parquet"), row_group_size=400_000, use_dictionary=False,
                   compression="none", data_page_size=16 << 20)
    cases.loads("one-group.parquet", large)


def shapes(cases):
    """Wide, deep, long."""
    wide = pa.table({"id": pa.array([1, 2, 3], pa.int64()),
                     **{f"c{number}": pa.array([number, None, -number], pa.int32()) for number in range(1_999)}})
    pq.write_table(wide, cases.path("wide.parquet"))
    # A table has 1,000 columns at most.
    cases.loads("wide.parquet", wide.select(["id", *wide.schema.names[-999:]]))
    for levels in (15, 20):
        kind, value = pa.int32(), 5
        for level in range(levels):
            kind = pa.struct([("v", kind)]) if level % 2 else pa.list_(kind)
            value = {"v": value} if level % 2 else [value, None]
        deep = pa.table({"id": pa.array([1, 2], pa.int64()), "v": pa.array([value, None], kind)})
        file = f"deep-{levels}.parquet"
        pq.write_table(deep, cases.path(file))
        if levels == 15:
            cases.loads(file, deep)
        # Deeper than a column's type may be: as JSON.
        text = [json.dumps(value, separators=(",", ":")), None]
        cases.loads(file, pa.table({"id": deep["id"], "v": pa.array(text, pa.string())}), {"v": "JSON"})
    long = pa.table({"id": pa.array(range(4), pa.int64()),
                     "t": pa.array(["x", "ü" * 10_000_000, None, "z" * 20_000_000], pa.string())})
    for file, options in [("long.parquet", {"compression": "zstd"}),
                          ("long-plain.parquet", {"compression": "none", "use_dictionary": False})]:
        pq.write_table(long, cases.path(file), **options)
        cases.loads(file, long)


def types(cases):
    """Types that are stored as others."""
    at = dt.datetime(2024, 2, 29, 12, 30, 45, 123_456)
    ends = [dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999_999), at, None]
    ids = pa.array(range(4), pa.int64())

    def case(file, column, stored, types=None, **options):
        pq.write_table(pa.table({"id": ids, "v": column}), cases.path(file), **options)
        cases.loads(file, pa.table({"id": ids, "v": stored}), types)

    near = [dt.datetime(1969, 12, 31, 23, 59, 59, 999_999), dt.datetime(2200, 1, 1), at, None]
    case("int96.parquet", pa.array(near, pa.timestamp("ns")), pa.array(near, pa.timestamp("us")),
         use_deprecated_int96_timestamps=True)
    case("micros.parquet", pa.array(ends, pa.timestamp("us")), pa.array(ends, pa.timestamp("us")))
    case("nanos.parquet", pa.array(near, pa.timestamp("ns")), pa.array(near, pa.timestamp("us")), version="2.6")
    millis = [value and value.replace(microsecond=value.microsecond // 1000 * 1000) for value in ends]
    case("millis.parquet", pa.array(millis, pa.timestamp("ms")), pa.array(millis, pa.timestamp("us")))
    seconds = [value and value.replace(microsecond=0) for value in ends]
    case("instants.parquet", pa.array(seconds, pa.timestamp("s", tz="Asia/Tokyo")), pa.array(seconds, pa.timestamp("us")))
    for kind, wider in [(pa.uint8(), pa.int16()), (pa.uint16(), pa.int32()), (pa.uint32(), pa.int64()),
                        (pa.uint64(), pa.decimal128(38, 0))]:
        most = 2**kind.bit_width - 1
        wide = [0, most, most // 2 + 1, None]
        wide = [value if value is None or wider != pa.decimal128(38, 0) else decimal.Decimal(value) for value in wide]
        case(f"{kind}.parquet", pa.array([0, most, most // 2 + 1, None], kind), pa.array(wide, wider))
    halves = pa.array([1.5, -0.0, float("nan"), None], pa.float16())
    case("half.parquet", halves, halves.cast(pa.float32()))
    for digits in (1, 4, 5, 9, 10, 18, 19, 28, 38):
        kind = pa.decimal128(digits, digits // 2)
        most = decimal.Decimal(10**digits - 1).scaleb(-(digits // 2), decimal.Context(prec=60))
        less = most.copy_negate()
        values = pa.array([most, less, decimal.Decimal(0), None], kind)
        case(f"decimal-{digits}.parquet", values, values)
    times = [dt.time(0), dt.time(23, 59, 59, 999_000), dt.time(1, 2, 3), None]
    micros = [value and ((value.hour * 60 + value.minute) * 60 + value.second) * 10**6 + value.microsecond
              for value in times]
    micros[0] = 0
    case("time64.parquet", pa.array(times, pa.time64("us")), pa.array(micros, pa.int64()))
    text = [value and value.isoformat(timespec="microseconds") for value in times]
    text[0] = "00:00:00.000000"
    case("time32.parquet", pa.array(times, pa.time32("ms")), pa.array(text, pa.string()))
    case("bytes.parquet", pa.array([b"\x00\xff", b"", b"abc", None]), pa.array([b"\x00\xff", b"", b"abc", None]))
    case("fixed.parquet", pa.array([b"\x00\xff", b"ab", b"cd", None], pa.binary(2)),
         pa.array([b"\x00\xff", b"ab", b"cd", None], pa.binary()))
    words = ["a", "", "ü" * 9, None]
    for kind in (pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())):
        case(f"{str(kind).split('<')[0]}.parquet", pa.array(words, pa.string()).cast(kind), pa.array(words))
    uuid = bytes(range(16))
    case("uuid.parquet", pa.ExtensionArray.from_storage(pa.uuid(), pa.array([uuid, None, uuid, None], pa.binary(16))),
         pa.array(["00010203-0405-0607-0809-0a0b0c0d0e0f", None] * 2))
    texts = ['{"a":1}', '{"a": 1,"b":null}', "[1,null,3]", None]
    case("json.parquet", pa.ExtensionArray.from_storage(pa.json_(), pa.array(texts)), pa.array(texts), {"v": "JSON"})
    case("null.parquet", pa.nulls(4), pa.nulls(4, pa.int32()))
    lists = [[1, None], [], None, [3]]
    for kind in (pa.large_list(pa.int32()), pa.list_view(pa.int32())):
        case(f"{str(kind).split('<')[0]}.parquet", pa.array(lists, kind), pa.array(lists, pa.list_(pa.int32())))
    case("item.parquet", pa.array(lists, pa.list_(pa.int32())), pa.array(lists, pa.list_(pa.int32())),
         use_compliant_nested_type=False)
    pairs = [[1, 2], [3, None], None, [5, 6]]
    case("fixed-list.parquet", pa.array(pairs, pa.list_(pa.int32(), 2)), pa.array(pairs, pa.list_(pa.int32())))
    keys = pa.map_(pa.struct([("a", pa.int32())]), pa.int32())
    case("map-of-structs.parquet", pa.array([[({"a": 1}, 2)], [], None, None], keys),
         pa.array(['{"{\\"a\\":1}":2}', "{}", None, None]), {"v": "JSON"})
    maps = [[("a", 1), ("b", None)], [], None, [("", 2)]]
    case("map.parquet", pa.array(maps, pa.map_(pa.string(), pa.int32())),
         pa.array(maps, pa.map_(pa.string(), pa.int32())))
    case("list-of-null.parquet", pa.array([[], [None], None, []], pa.list_(pa.null())),
         pa.array([[], [None], None, []], pa.list_(pa.int32())))


class Keys(pe.KmsClient):
    """Keys that are wrapped in nothing."""

    def __init__(self, _):
        pe.KmsClient.__init__(self)

    def wrap_key(self, key_bytes, _):
        return key_bytes.hex()

    def unwrap_key(self, wrapped_key, _):
        return bytes.fromhex(wrapped_key)


def encrypted(cases):
    """Footer and columns, columns alone, all with one key: none can be read."""
    rows = flat(50)
    columns = [("id", "BIGINT"), ("n", "INT")]
    factory = pe.CryptoFactory(Keys)
    for name, options in [("footer", {"column_keys": {"c": ["n"]}}),
                          ("column", {"column_keys": {"c": ["n"]}, "plaintext_footer": True}),
                          ("uniform", {"uniform_encryption": True})]:
        config = pe.EncryptionConfiguration("f", double_wrapping=False, **options)
        properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), config)
        with pq.ParquetWriter(cases.path(f"encrypted-{name}.parquet"), rows.schema, encryption_properties=properties) as out:
            out.write_table(rows)
        cases.refused(f"encrypted-{name}.parquet", columns, f"encrypted-{name}.parquet", "encrypted")
    # What is not encrypted can be read.
    cases.loads("encrypted-column.parquet", rows.select(["id", "t"]))
    # Its own random numbers, which are good enough for a test.
    duckdb.sql("SET force_mbedtls_unsafe = 'true'")
    duckdb.sql("PRAGMA add_parquet_key('k', '0123456789112345')")
    duckdb.sql(f"COPY (SELECT 1 AS id, 2 AS n) TO '{cases.path('encrypted-duckdb.parquet')}' "
               "(FORMAT parquet, ENCRYPTION_CONFIG {footer_key: 'k'})")
    cases.refused("encrypted-duckdb.parquet", columns, "encrypted")


def others(cases):
    """Other writers with what they write by default, bloom filters among it."""
    rows = flat()
    for version in ("V1", "V2"):
        file = f"duckdb-{version}.parquet"
        duckdb.sql(f"COPY (SELECT * FROM rows) TO '{cases.path(file)}' (FORMAT parquet, PARQUET_VERSION {version}, "
                   "ROW_GROUP_SIZE 1000, KV_METADATA {made: 'by hand'}, FIELD_IDS 'auto')")
        cases.loads(file, rows)
    blooms = duckdb.sql(f"SELECT bloom_filter_offset FROM parquet_metadata('{cases.path(file)}')").fetchall()
    assert any(offset for (offset,) in blooms), "DuckDB wrote no bloom filter"
    pl.from_arrow(rows).write_parquet(cases.path("polars.parquet"))
    cases.loads("polars.parquet", rows)
    pl.from_arrow(rows).write_parquet(cases.path("polars-v2.parquet"), compression="lz4", row_group_size=100,
                                      data_page_size=100)
    cases.loads("polars-v2.parquet", rows)
    import chdb

    ours = rows.select(["id", "n", "l", "d", "t", "money"])
    pq.write_table(ours, cases.path("for-clickhouse.arrow.parquet"))
    chdb.query(f"INSERT INTO FUNCTION file('{cases.path('clickhouse.parquet')}', Parquet) "
               f"SELECT * FROM file('{cases.path('for-clickhouse.arrow.parquet')}', Parquet)")
    cases.loads("clickhouse.parquet", ours)
    duckdb.sql(f"COPY (SELECT 1 AS id, {{'a': 1}}::VARIANT AS v) TO '{cases.path('variant.parquet')}' (FORMAT parquet)")
    cases.loads("variant.parquet", pa.table({"id": pa.array([1], pa.int32())}))
    cases.refused("variant.parquet", [("id", "INT"), ("v", "JSON")], "column v", "VARIANT")


def pandas(cases):
    """Frames with what pandas keeps beside the columns."""
    # No range: pandas keeps no column for an index that is one.
    ids, level = [3, 1, 4, 15, 9], [9, 2, 6, 5, 35]
    frame = pd.DataFrame({
        "id": ids,
        "whole": pd.array([1, None, 3, 4, 5], dtype="Int16"),
        "real": [1.5, float("nan"), 3.0, 4.0, float("inf")],
        "kind": pd.Categorical(["a", "b", None, "a", "b"]),
        "text": ["x", None, "", "ü", "z"],
        "at": pd.to_datetime(["2024-01-01", None, "1969-12-31 23:59:59.999999", "2024-06-01", "2024-07-01"], format="ISO8601"),
        "instant": pd.to_datetime(["2024-01-01", None, "1970-01-01", "2024-06-01", "2024-07-01"]).tz_localize("Asia/Tokyo"),
    })
    frame.attrs["note"] = "kept"
    at = [value if value is None else dt.datetime.fromisoformat(value) for value in
          ["2024-01-01", None, "1969-12-31T23:59:59.999999", "2024-06-01", "2024-07-01"]]
    instants = [None if value is None else dt.datetime.fromisoformat(value) - dt.timedelta(hours=9) for value in
                ["2024-01-01", None, "1970-01-01", "2024-06-01", "2024-07-01"]]
    stored = pa.table({
        "id": pa.array(ids, pa.int64()),
        "whole": pa.array([1, None, 3, 4, 5], pa.int16()),
        # A frame has no NULL beside NaN there.
        "real": pa.array([1.5, None, 3.0, 4.0, float("inf")], pa.float64()),
        "kind": pa.array(["a", "b", None, "a", "b"]),
        "text": pa.array(["x", None, "", "ü", "z"]),
        "at": pa.array(at, pa.timestamp("us")),
        "instant": pa.array(instants, pa.timestamp("us")),
    })
    frame.to_parquet(cases.path("pandas.parquet"))
    cases.loads("pandas.parquet", stored)
    frame.set_index("id").to_parquet(cases.path("pandas-index.parquet"))
    cases.loads("pandas-index.parquet", stored)
    frame.set_index(pd.Index(level)).to_parquet(cases.path("pandas-level.parquet"), compression="gzip")
    rows = stored.append_column("__index_level_0__", pa.array(level, pa.int64()))
    cases.loads("pandas-level.parquet", rows)


def write(cases):
    for part in (pages, groups, shapes, types, encrypted, others, pandas):
        part(cases)
