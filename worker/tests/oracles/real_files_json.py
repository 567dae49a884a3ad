"""JSON files by DuckDB, Polars, pandas and ClickHouse, each as it writes them by default."""

import decimal

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from real_files_csv import rows

PART = pa.struct([("a", pa.int32()), ("b", pa.string()), ("c", pa.list_(pa.float64()))])


def nested(table):
    n = range(table.num_rows)
    lists = [None if number % 7 == 1 else [f"e{number}", None, 'q"\\/'][: number % 4] for number in n]
    parts = [None if number % 5 == 1 else {"a": number, "b": [None, "ä"][number % 2], "c": [number / 8] * (number % 3)}
             for number in n]
    table = table.append_column("list", pa.array(lists, pa.list_(pa.string())))
    table = table.append_column("part", pa.array(parts, PART))
    big = [decimal.Decimal(number * (10**30 + 1)) for number in n]
    return table.append_column("big", pa.array(big, pa.decimal128(38, 0)))


def array():
    return {"json": {"stripOuterArray": True}}


def write(cases):
    table = nested(rows())
    # No value that JSON cannot say, and DOUBLEs as short as they are: the writers have their own ways to print them.
    table = table.set_column(table.schema.get_field_index("d"), "d",
                             pa.array([number / 64 for number in range(table.num_rows)]))
    maps = [None if number % 5 == 1 else [("k", number), ("ü\"", None)][: number % 3] for number in range(table.num_rows)]
    with_map = table.append_column("map", pa.array(maps, pa.map_(pa.string(), pa.int32())))
    for name, options, format_of in [("duckdb.json", "", None), ("duckdb-array.json", ", ARRAY true", array()),
                                     ("duckdb.json.zst", ", COMPRESSION zstd", None)]:
        duckdb.sql(f"COPY (SELECT * FROM with_map) TO '{cases.path(name)}' (FORMAT json{options})")
        cases.loads(name, with_map, format=format_of)
    frame = pl.from_arrow(table)
    frame.write_ndjson(cases.path("polars.jsonl"))
    cases.loads("polars.jsonl", table)
    frame.write_json(cases.path("polars.json"))
    cases.loads("polars.json", table, format=array())
    by_pandas(cases, table.drop_columns(["big", "money"]))
    import chdb

    plain = table.drop_columns(["list", "part", "b"])
    pq.write_table(plain, cases.path("for-clickhouse.parquet"))
    for style, format_of in [("JSONEachRow", None), ("JSON", {"json": {"jsonRoot": "$.data", "stripOuterArray": True}})]:
        chdb.query(f"INSERT INTO FUNCTION file('{cases.path(style)}.json', {style}) SELECT * FROM "
                   f"file('{cases.path('for-clickhouse.parquet')}', Parquet) SETTINGS session_timezone = 'UTC'")
        cases.loads(f"{style}.json", plain, format=format_of)


def by_pandas(cases, table):
    """Lines, one array, and its table schema with the rows under `data`; times in ISO form, for its default is a
    number."""
    frame = table.drop_columns(["list", "part"]).to_pandas(types_mapper=pd.ArrowDtype)
    # It keeps milliseconds unless it is told otherwise, and writes a DATE with a time.
    form = {"orient": "records", "date_format": "iso", "date_unit": "us"}
    stored = table.drop_columns(["list", "part"])
    frame.to_json(cases.path("pandas.jsonl.gz"), lines=True, **form)
    cases.loads("pandas.jsonl.gz", stored)
    frame.to_json(cases.path("pandas.json"), force_ascii=False, indent=2, **form)
    cases.loads("pandas.json", stored, format=array())
    frame.to_json(cases.path("pandas-table.json"), orient="table", index=False, date_unit="us")
    cases.loads("pandas-table.json", stored, format={"json": {"jsonRoot": "$.data", "stripOuterArray": True}})
