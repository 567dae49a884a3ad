"""ORC files: the features that the examples of the ORC project are named for, as far as pyarrow (the C++ writer) and
ClickHouse write them. Every type and codec, text in dictionaries, file version 0.11, wide, deep, long and empty files are
written by columnar.py."""

import datetime as dt
import decimal
import json

import pyarrow as pa
import pyarrow.orc as orc

from real_files_parquet import flat

COUNT = 20_000


def runs(count=COUNT):
    """Integers that are encoded in each way: short repeats, deltas, direct, with patches; and truth values in runs."""
    n = range(count)
    return pa.table({
        "id": pa.array(n, pa.int64()),
        "repeats": pa.array([number // 5 % 3 for number in n], pa.int32()),
        "constant": pa.array([7] * count, pa.int64()),
        "down": pa.array([-3 * number for number in n], pa.int32()),
        "steps": pa.array([number * number % 1000 + number for number in n], pa.int64()),
        "spread": pa.array([number * 2_654_435_761 % 2**32 - 2**31 for number in n], pa.int32()),
        "wide": pa.array([(number * 0x9E3779B97F4A7C15) % 2**64 - 2**63 for number in n], pa.int64()),
        # Small values and few large ones: those are patched in.
        "patched": pa.array([2**40 + number if number % 301 == 7 else number % 100 for number in n], pa.int64()),
        "tiny": pa.array([number % 256 - 128 for number in n], pa.int8()),
        "small": pa.array([-(2**15) if number % 1000 == 0 else number % 7 for number in n], pa.int16()),
        "flag": pa.array([number // 1000 % 2 == 0 for number in n], pa.bool_()),
        "late": pa.array([None if number > 700 else number for number in n], pa.int32()),
        "first": pa.array([number if number > count - 50 else None for number in n], pa.int32()),
        "never": pa.nulls(count, pa.string()),
        "empty": pa.array([""] * count, pa.string()),
    })


def options(cases):
    """What a writer may choose: stripes, indexes, blocks, padding, filters, the way of encoding."""
    rows, mixed = runs(), flat()
    for name, chosen in {
        "speed": {"compression": "zlib", "compression_strategy": "speed"},
        "compression": {"compression": "zlib", "compression_strategy": "compression"},
        "v11": {"file_version": "0.11"},
        "fine-index": {"row_index_stride": 1000, "compression": "snappy"},
        "stripes": {"stripe_size": 1024, "batch_size": 256},
        "blocks": {"compression": "lz4", "compression_block_size": 65_536},
        "padded": {"padding_tolerance": 1.0, "stripe_size": 50_000, "compression": "zstd"},
        "bloom": {"bloom_filter_columns": [1, 2, 3, 9], "bloom_filter_fpp": 0.01, "compression": "zlib"},
    }.items():
        orc.write_table(rows, cases.path(f"runs.{name}.orc"), **chosen)
        cases.loads(f"runs.{name}.orc", rows)
        orc.write_table(mixed, cases.path(f"flat.{name}.orc"), dictionary_key_size_threshold=0.5, **chosen)
        cases.loads(f"flat.{name}.orc", mixed)
    one = rows.slice(5, 1)
    orc.write_table(one, cases.path("one-row.orc"))
    cases.loads("one-row.orc", one)
    with orc.ORCWriter(cases.path("appended.orc"), compression="zstd") as out:
        for start in range(0, COUNT, 3_001):
            out.write(rows.slice(start, 3_001))
    cases.loads("appended.orc", rows)
    orc.write_table(rows.slice(0, 0), cases.path("no-rows.orc"))
    cases.loads("no-rows.orc", rows.slice(0, 0), allowEmpty=True)


def types(cases):
    """Decimals of all widths, days and moments from the first year to the last, nested types with NULLs."""
    ids = pa.array(range(5), pa.int64())
    columns = {"id": ids}
    for digits in range(1, 39):
        scale = digits // 3
        most = decimal.Decimal(10**digits - 1).scaleb(-scale, decimal.Context(prec=60))
        one = decimal.Decimal(1).scaleb(-scale)
        columns[f"d{digits}"] = pa.array([most, most.copy_negate(), decimal.Decimal(0), None, one],
                                         pa.decimal128(digits, scale))
    table = pa.table(columns)
    for codec in ("uncompressed", "zlib"):
        orc.write_table(table, cases.path(f"decimals.{codec}.orc"), compression=codec)
        cases.loads(f"decimals.{codec}.orc", table)
    days = [dt.date(1900, 1, 1) + dt.timedelta(days=number * 3) for number in range(17_000)]
    days += [dt.date(1, 1, 1), dt.date(1582, 10, 4), dt.date(1582, 10, 15), dt.date(9999, 12, 31), None]
    moments = [day and dt.datetime.combine(day, dt.time(number % 24, number % 60, number % 60, number * 61 % 10**6))
               for number, day in enumerate(days)]
    table = pa.table({"id": pa.array(range(len(days)), pa.int64()), "day": pa.array(days, pa.date32()),
                      "at": pa.array(moments, pa.timestamp("us"))})
    orc.write_table(table, cases.path("days.orc"))
    cases.loads("days.orc", table)
    maps = [[("a", [1, None])], [], None, [("b", None), ("", [])], [("ü", [3])]]
    structs = [{"x": 1, "y": None}, None, {"x": None, "y": {"z": "q"}}, {"x": 4, "y": {"z": None}}, {"x": 5, "y": {"z": ""}}]
    lists = [[structs[0], None], [], None, [structs[2]], structs]
    kind = pa.struct([("x", pa.int32()), ("y", pa.struct([("z", pa.string())]))])
    table = pa.table({"id": ids, "map": pa.array(maps, pa.map_(pa.string(), pa.list_(pa.int32()))),
                      "struct": pa.array(structs, kind), "list": pa.array(lists, pa.list_(kind))})
    orc.write_table(table, cases.path("nested.orc"), compression="snappy")
    cases.loads("nested.orc", table)
    words = pa.array(["a", "", "ü" * 9, None, "a"])
    orc.write_table(pa.table({"id": ids, "v": words.cast(pa.large_string())}), cases.path("large.orc"))
    cases.loads("large.orc", pa.table({"id": ids, "v": words}))
    values, level = 5, pa.int32()
    for depth in range(20):
        level = pa.struct([("v", level)]) if depth % 2 else pa.list_(level)
        values = {"v": values} if depth % 2 else [values, None]
    orc.write_table(pa.table({"id": ids, "v": pa.array([values, None] * 2 + [None], level)}), cases.path("deep.orc"))
    text = json.dumps(values, separators=(",", ":"))
    cases.loads("deep.orc", pa.table({"id": ids, "v": pa.array([text, None] * 2 + [None])}), {"v": "JSON"})
    wide = pa.table({"id": ids, **{f"c{number}": pa.array([number, None, 1, 2, -number], pa.int32())
                                   for number in range(1_999)}})
    orc.write_table(wide, cases.path("wide.orc"))
    # A table has 1,000 columns at most.
    cases.loads("wide.orc", wide.select(["id", *wide.schema.names[-999:]]))


def others(cases):
    """ClickHouse, with each codec that it has."""
    import chdb
    import pyarrow.parquet as pq

    rows = flat().select(["id", "n", "l", "f", "d", "t", "u", "day", "money"])
    pq.write_table(rows, cases.path("for-clickhouse.parquet"))
    for codec in ("none", "lz4", "snappy", "zlib", "zstd"):
        file = f"clickhouse.{codec}.orc"
        chdb.query(f"INSERT INTO FUNCTION file('{cases.path(file)}', ORC) "
                   f"SELECT * FROM file('{cases.path('for-clickhouse.parquet')}', Parquet) "
                   f"SETTINGS output_format_orc_compression_method = '{codec}', output_format_orc_string_as_string = 1")
        cases.loads(file, rows)


def write(cases):
    for part in (options, types, others):
        part(cases)
