"""Reads a table of the user guide's columns with delta-rs; prints version, rows and sums as JSON.

usage: oracle.py TABLE_DIR
"""

import json
import sys

import deltalake
import pyarrow as pa

table = deltalake.DeltaTable(sys.argv[1])
query = """SELECT count(*) AS "rows", sum("UserID") AS "userIdSum", sum("ItemID") AS "itemIdSum",
           count("Timestamp") AS "timestamps" FROM t"""
counted = pa.table(deltalake.QueryBuilder().register("t", table).execute(query).read_all())
print(json.dumps({"version": table.version(), **counted.to_pylist()[0]}))
