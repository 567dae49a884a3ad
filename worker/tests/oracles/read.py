"""Reads a Longshore table with other engines and compares it with the files that went in.

usage: read.py TABLE_DIR SOURCE.parquet [ENGINE ...]

The source has the table's columns: `id` (unique, not null), `extreme` (true: dates outside of ClickHouse's
range) and one column a type. Every engine must give the same rows, the same sums, and the same counts for
filters one microsecond (one, one day) around each file's bounds. Prints one line an engine; exits 1 at the
first difference.
"""

import datetime
import decimal
import glob
import json
import math
import os
import sys

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def canonical(value, data_type, flat_nulls):
    """A value of the source's type in a form that does not depend on the engine: maps as sorted pairs, bytes as
    hex, decimals and times as text. `flat_nulls`: NULL lists, maps and structs are empty ones, as ClickHouse
    has no others."""
    if pa.types.is_map(data_type):
        if value is None:
            return [] if flat_nulls else None
        pairs = value.items() if isinstance(value, dict) else map(pair, value)
        types = (data_type.key_type, data_type.item_type)
        return sorted([canonical(part, kind, flat_nulls) for part, kind in zip(entry, types)] for entry in pairs)
    if pa.types.is_list(data_type):
        if value is None:
            return [] if flat_nulls else None
        return [canonical(part, data_type.value_type, flat_nulls) for part in value]
    if pa.types.is_struct(data_type):
        if value is None and not flat_nulls:
            return None
        if isinstance(value, (list, tuple)):
            value = dict(zip([part.name for part in data_type], value))
        return {part.name: canonical((value or {}).get(part.name), part.type, flat_nulls) for part in data_type}
    return scalar(value, data_type)


def pair(entry):
    return (entry["key"], entry["value"]) if isinstance(entry, dict) else entry


def scalar(value, data_type):
    if value is None:
        return None
    if pa.types.is_boolean(data_type):
        return bool(value)
    if pa.types.is_integer(data_type):
        return int(value)
    if pa.types.is_floating(data_type):
        return "nan" if math.isnan(value) else repr(float(value))
    if pa.types.is_decimal(data_type):
        return format(decimal.Decimal(value).normalize(), "f") if value else "0"
    if pa.types.is_timestamp(data_type):
        return value.replace(tzinfo=None).isoformat(timespec="microseconds")
    if pa.types.is_date(data_type):
        return value.isoformat()[:10]
    if pa.types.is_binary(data_type):
        return (value.encode() if isinstance(value, str) else bytes(value)).hex()
    if pa.types.is_string(data_type):
        return value if isinstance(value, str) else bytes(value).decode()
    raise TypeError(f"{data_type}: {value!r}")


def rows(table, schema, flat_nulls=False):
    """Rows by id, canonical."""
    result = {}
    columns = {field.name: table.column(field.name).to_pylist() for field in schema}
    for place, identity in enumerate(columns["id"]):
        if int(identity) in result:
            sys.exit(f"id {identity} is there twice")
        result[int(identity)] = {
            field.name: canonical(columns[field.name][place], field.type, flat_nulls) for field in schema
        }
    return result


def log_bounds(table_dir):
    """Bounds of each file for the columns `id`, `dt` and `day`, as the log states them."""
    bounds = {"id": set(), "dt": set(), "day": set()}
    for commit in sorted(glob.glob(os.path.join(table_dir, "_delta_log", "*.json"))):
        with open(commit) as lines:
            for line in lines:
                add = json.loads(line).get("add")
                if not add or not add.get("stats"):
                    continue
                stats = json.loads(add["stats"])
                for side in ("minValues", "maxValues"):
                    for name in bounds:
                        if name in stats.get(side, {}):
                            bounds[name].add(stats[side][name])
    return bounds


def filters(table_dir, source):
    """(column, operator, value) one step around each bound."""
    bounds = log_bounds(table_dir)
    microsecond = datetime.timedelta(microseconds=1)
    day = datetime.timedelta(days=1)
    for value in sorted(bounds["id"])[:6]:
        for step in (-1, 0, 1):
            yield "id", value + step
    for text in sorted(bounds["dt"])[:6]:
        value = datetime.datetime.fromisoformat(text)
        for step in (-microsecond, 0 * microsecond, microsecond):
            yield "dt", value + step
    exact = pc.min_max(source.filter(pc.invert(source["extreme"]))["dt"])
    for value in (exact["min"].as_py(), exact["max"].as_py()):
        for step in (-microsecond, 0 * microsecond, microsecond):
            yield "dt", value + step
    for text in sorted(bounds["day"])[:4]:
        value = datetime.date.fromisoformat(text)
        if datetime.date.min < value < datetime.date.max:
            for step in (-day, 0 * day, day):
                yield "day", value + step


COMPARE = {">=": pc.greater_equal, "<=": pc.less_equal, "=": pc.equal}


def literal(value):
    if isinstance(value, datetime.datetime):
        return f"TIMESTAMP '{value.isoformat(sep=' ', timespec='microseconds')}'"
    if isinstance(value, datetime.date):
        return f"DATE '{value.isoformat()}'"
    return str(value)


class DeltaRs:
    def __init__(self, table_dir):
        import deltalake

        self.table = deltalake.DeltaTable(table_dir)

    def all(self):
        return pa.table(deltalake_query(self.table, "SELECT * FROM t"))

    def count(self, column, operator, value):
        if isinstance(value, datetime.datetime):
            # A TIMESTAMP literal has nanoseconds there, which do not reach to the ends of our calendar.
            text = value.isoformat(timespec="microseconds")
            quoted = f"\"{column}\" {operator} arrow_cast('{text}', 'Timestamp(Microsecond, None)')"
        else:
            quoted = f'"{column}" {operator} {literal(value)}'
        return pa.table(deltalake_query(self.table, f"SELECT count(*) AS n FROM t WHERE {quoted}"))["n"][0].as_py()


def deltalake_query(table, sql):
    from deltalake import QueryBuilder

    return QueryBuilder().register("t", table).execute(sql).read_all()


class Polars:
    def __init__(self, table_dir):
        import polars

        self.polars = polars
        self.scan = polars.scan_delta(table_dir)

    def all(self):
        return self.scan.collect().to_arrow()

    def count(self, column, operator, value):
        name = self.polars.col(column)
        wanted = {">=": name >= value, "<=": name <= value, "=": name == value}[operator]
        return self.scan.filter(wanted).select(self.polars.len()).collect().item()


class DuckDb:
    def __init__(self, table_dir):
        import duckdb
        import duckdb_extension_delta

        folder = os.path.dirname(duckdb_extension_delta.__file__)
        extension = glob.glob(os.path.join(folder, "**", "*.duckdb_extension"), recursive=True)[0]
        self.connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
        self.connection.execute(f"LOAD '{extension}'")
        self.table = f"delta_scan('{table_dir}')"

    def all(self):
        return arrow_table(self.connection.sql(f"SELECT * FROM {self.table}"))

    def count(self, column, operator, value):
        sql = f'SELECT count(*) FROM {self.table} WHERE "{column}" {operator} {literal(value)}'
        return self.connection.sql(sql).fetchone()[0]


def arrow_table(relation):
    result = relation.arrow()
    return result.read_all() if isinstance(result, pa.RecordBatchReader) else result


class ClickHouse:
    flat_nulls = True

    def __init__(self, table_dir):
        import chdb

        self.chdb = chdb
        # It reads only what lies below the working directory, and only by an absolute path.
        table = os.path.realpath(table_dir)
        os.chdir(os.path.dirname(table))
        self.table = f"deltaLakeLocal('{table}')"

    def query(self, sql):
        settings = "SETTINGS output_format_arrow_string_as_string = 0, session_timezone = 'UTC'"
        return pa.ipc.open_file(pa.py_buffer(self.chdb.query(f"{sql} {settings}", "Arrow").bytes())).read_all()

    def all(self):
        return self.query(f"SELECT * FROM {self.table} WHERE NOT extreme")

    def count(self, column, operator, value):
        if isinstance(value, datetime.datetime):
            wanted = f"toDateTime64('{value.isoformat(sep=' ', timespec='microseconds')}', 6, 'UTC')"
        elif isinstance(value, datetime.date):
            wanted = f"toDate32('{value.isoformat()}')"
        else:
            wanted = str(value)
        sql = f"SELECT count() AS n FROM {self.table} WHERE NOT extreme AND `{column}` {operator} {wanted}"
        return self.query(sql)["n"][0].as_py()


ENGINES = {"delta-rs": DeltaRs, "polars": Polars, "duckdb": DuckDb, "clickhouse": ClickHouse}


def in_clickhouse_range(value):
    year = getattr(value, "year", None)
    return year is None or 1900 <= year <= 2299


def compare(name, table_dir, source):
    engine = ENGINES[name](table_dir)
    flat = getattr(engine, "flat_nulls", False)
    expected_table = source.filter(pc.invert(source["extreme"])) if flat else source
    expected = rows(expected_table, source.schema, flat)
    found = rows(engine.all(), source.schema, flat)
    if set(expected) != set(found):
        missing = sorted(set(expected) - set(found))[:5]
        extra = sorted(set(found) - set(expected))[:5]
        sys.exit(f"{name}: {len(found)} rows instead of {len(expected)}; missing ids {missing}, extra ids {extra}")
    for identity, row in expected.items():
        for column, value in row.items():
            if found[identity][column] != value:
                sys.exit(f"{name}: id {identity}, column {column}: {found[identity][column]!r} instead of {value!r}")
    checked = 0
    for column, value in filters(table_dir, source):
        if flat and not in_clickhouse_range(value):
            continue
        for operator, matches in COMPARE.items():
            data_type = expected_table.schema.field(column).type
            mask = matches(expected_table[column], pa.scalar(value, data_type))
            wanted = expected_table.filter(mask).num_rows
            got = engine.count(column, operator, value)
            if got != wanted:
                sys.exit(f"{name}: {got} rows with {column} {operator} {value} instead of {wanted}")
            checked += 1
    print(f"{name}: {len(expected)} rows alike, {checked} filters alike")


def main():
    table_dir, source_file, *names = sys.argv[1:]
    source = pq.ParquetFile(source_file).read()
    for name in names or ENGINES:
        compare(name, table_dir, source)


if __name__ == "__main__":
    main()
