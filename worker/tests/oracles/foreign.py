"""Does something to a Longshore table with delta-rs and prints the ids that it reads afterwards, sorted.

usage: foreign.py TABLE_DIR append|delete|checkpoint|optimize|nothing
"""

import sys

import deltalake
import pyarrow as pa


def append(table_dir):
    ids = list(range(1000, 1010))
    rows = pa.table({"id": pa.array(ids, pa.int64()), "text": [f"text {i}" for i in ids]})
    deltalake.write_deltalake(table_dir, rows, mode="append")


def delete(table_dir):
    deltalake.DeltaTable(table_dir).delete("id < 5")


def checkpoint(table_dir):
    deltalake.DeltaTable(table_dir).create_checkpoint()


def optimize(table_dir):
    deltalake.DeltaTable(table_dir).optimize.compact()


def nothing(_):
    pass


def main():
    table_dir, operation = sys.argv[1:]
    globals()[operation](table_dir)
    query = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(table_dir))
    ids = pa.table(query.execute("SELECT id FROM t ORDER BY id").read_all())["id"]
    print(" ".join(str(i) for i in ids.to_pylist()))


if __name__ == "__main__":
    main()
