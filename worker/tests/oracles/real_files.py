"""Files of every kind that users have, each by a writer that they use, and what their writers meant.

real_files.py write FORMAT FOLDER         the files, cases.json (how each is loaded, or why it is refused) and, for each
                                          case that loads, <its number>.arrow: the rows as they are to be stored
real_files.py check FOLDER CASE TABLE_DIR …  delta-rs reads these rows in the table that the file was loaded into
"""

import json
import sys
from importlib import import_module
from pathlib import Path

import pyarrow as pa

from equal_rows import compare, save

SQL = {pa.bool_(): "BOOLEAN", pa.int8(): "TINYINT", pa.int16(): "SMALLINT", pa.int32(): "INT", pa.int64(): "BIGINT",
       pa.float32(): "FLOAT", pa.float64(): "DOUBLE", pa.string(): "STRING", pa.binary(): "VARBINARY",
       pa.date32(): "DATE", pa.timestamp("us"): "DATETIME", pa.decimal128(38, 0): "LARGEINT"}


def sql(data_type):
    """The type of a table's column for an Arrow type."""
    if pa.types.is_decimal(data_type) and data_type not in SQL:
        return f"DECIMAL({data_type.precision},{data_type.scale})"
    if pa.types.is_list(data_type):
        return f"ARRAY<{sql(data_type.value_type)}>"
    if pa.types.is_map(data_type):
        return f"MAP<{sql(data_type.key_type)},{sql(data_type.item_type)}>"
    if pa.types.is_struct(data_type):
        return f"STRUCT<{', '.join(f'{part.name} {sql(part.type)}' for part in data_type)}>"
    return SQL[data_type]


class Cases:
    """The files of a format; the first column of each is `id`."""

    def __init__(self, folder):
        self.folder = folder
        self.cases = []

    def path(self, name):
        return str(self.folder / name)

    def loads(self, name, rows, types=None, **request):
        save(rows.combine_chunks(), self.folder / f"{len(self.cases)}.arrow")
        columns = [(field.name, (types or {}).get(field.name) or sql(field.type)) for field in rows.schema]
        self.cases.append({"file": name, "columns": columns, "rows": rows.num_rows, **request})

    def refused(self, name, columns, *words, **request):
        """A file that has been written does not load into these columns; the words stand in the message."""
        self.cases.append({"file": name, "columns": columns, "words": words, **request})


def write(name, folder):
    cases = Cases(folder)
    import_module(f"real_files_{name}").write(cases)
    (folder / "cases.json").write_text(json.dumps(cases.cases))


def check(folder, case, table_dir):
    import deltalake

    name = json.loads((folder / "cases.json").read_text())[int(case)]["file"]
    expected = pa.ipc.open_file(folder / f"{case}.arrow").read_all()
    found = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(table_dir)).execute("SELECT * FROM t")
    compare(name, pa.table(found.read_all()), expected.sort_by("id"))


if __name__ == "__main__":
    command, *rest = sys.argv[1:]
    if command == "write":
        write(rest[0], Path(rest[1]))
    else:
        for case, table_dir in zip(rest[1::2], rest[2::2]):
            check(Path(rest[0]), case, table_dir)
