"""CSV files by DuckDB, Polars, pyarrow, pandas, ClickHouse and Python, each in the dialect that it writes by default."""

import csv
import datetime as dt
import decimal

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

TEXTS = ["plain", "", None, "with, comma", 'with "quotes"', "two\nlines", "two\r\nlines", "tab\t", " blanks ", "NULL",
         "\\N", "\\", "Ω 日本 😀", "'", ";", '"', "a\\", "nan", "0012", "\u2028"]


def rows(count=1_000):
    def every(values, each):
        return [None if number % each == 2 else value for number, value in enumerate(values)]

    n = range(count)
    return pa.table({
        "id": pa.array(n, pa.int64()),
        "t": pa.array([TEXTS[number % len(TEXTS)] for number in n]),
        "n": pa.array(every([number * 7919 - 10**6 for number in n], 5), pa.int32()),
        "d": pa.array(every([number / 3 * 10 ** (number % 60 - 30) for number in n], 7), pa.float64()),
        "b": pa.array(every([number % 3 == 0 for number in n], 4), pa.bool_()),
        "day": pa.array(every([dt.date(1969, 6, 1) + dt.timedelta(days=number) for number in n], 6), pa.date32()),
        "at": pa.array(every([dt.datetime(1969, 12, 1) + dt.timedelta(hours=number, microseconds=number % 2 * number)
                              for number in n], 9), pa.timestamp("us")),
        "money": pa.array(every([decimal.Decimal(number * 31 - 9_000) / 100 for number in n], 8), pa.decimal128(9, 2)),
    })


def csv_of(separator=",", null="", **more):
    return {"csv": {"columnSeparator": separator, "enclose": '"', "nullValue": null, **more}}


def by_engines(cases, table):
    """DuckDB, Polars, pyarrow, ClickHouse: NULL is a field without a byte, an empty text is enclosed."""
    named = csv_of(header=True)
    frame = pl.from_arrow(table)
    duckdb.from_arrow(table).write_csv(cases.path("duckdb.csv"))
    cases.loads("duckdb.csv", table, format=named)
    duckdb.from_arrow(table).write_csv(cases.path("pipes.csv"), sep="|", header=False, quotechar="'", escapechar="'",
                                       na_rep="--")
    cases.loads("pipes.csv", table, format={"csv": {"columnSeparator": "|", "enclose": "'", "nullValue": "--"}})
    frame.write_csv(cases.path("polars.csv"))
    cases.loads("polars.csv", table, format=named)
    frame.write_csv(cases.path("polars.tsv"), include_bom=True, separator="\t", null_value="\\N",
                    quote_style="non_numeric")
    cases.loads("polars.tsv", table, format=csv_of("\\t", "\\N", header=True))
    for style in ("needed", "all_valid"):
        file = f"pyarrow-{style}.csv"
        pa.csv.write_csv(table, cases.path(file), pa.csv.WriteOptions(quoting_style=style))
        cases.loads(file, table, format=named)
    import chdb

    pq.write_table(table, cases.path("for-clickhouse.parquet"))
    for style, format_of in [("CSV", csv_of(null="\\N")), ("CSVWithNames", csv_of(null="\\N", header=True))]:
        chdb.query(f"INSERT INTO FUNCTION file('{cases.path(style)}.csv', {style}) SELECT * FROM "
                   f"file('{cases.path('for-clickhouse.parquet')}', Parquet) SETTINGS session_timezone = 'UTC'")
        cases.loads(f"{style}.csv", table, format=format_of)


def by_pandas(cases, table):
    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    frame.to_csv(cases.path("pandas.csv"), index=False, na_rep="NA")
    cases.loads("pandas.csv", table, format=csv_of(null="NA", header=True))
    # Its index comes first, without a name.
    frame.to_csv(cases.path("index.csv.gz"), sep=";", na_rep="\\0")
    cases.loads("index.csv.gz", table, format=csv_of(";", "\\0", skipHeader=1), names=["index", *table.schema.names])


def by_python(cases, table):
    """Its dialects write NULL as an empty text, and what is a number or a text alike."""
    cells = list(zip(*(column.to_pylist() for column in table.columns)))
    for dialect, separator in [("excel", ","), ("excel-tab", "\\t")]:
        with open(cases.path(f"{dialect}.csv"), "w", newline="", encoding="utf-8-sig") as out:
            csv.writer(out, dialect).writerows([table.schema.names, *cells])
        texts = pa.array([text or None for text in table["t"].to_pylist()])
        # Its records end with CR LF; with the default delimiter that end within a value would stay, too.
        cases.loads(f"{dialect}.csv", table.set_column(1, "t", texts), format=csv_of(separator, header=True))
    table = table.select(["id", "t"]).set_column(1, "t", pa.array([text or "" for text in table["t"].to_pylist()]))
    with open(cases.path("unix.csv"), "w", newline="", encoding="utf-8") as out:
        csv.writer(out, "unix").writerows([table.schema.names, *zip(*table.to_pydict().values())])
    cases.loads("unix.csv", table, format=csv_of(header=True))


def write(cases):
    table = rows()
    for part in (by_engines, by_pandas, by_python):
        part(cases, table)
