"""The part of the data program that counts and sums what a MariaDB's tables hold.

It runs by any Python from 3.6 on.
"""

from typing import Any

from nospof.adapters.machine.data_mariadb_server import SYSTEM_SCHEMAS, Asking, named

# The sender cuts here: what stands above is in the parts before, but for the imports.

SUM_SECONDS = 3600.0
TABLES_SQL = (
    "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' "
    f"AND TABLE_SCHEMA NOT IN {SYSTEM_SCHEMAS} ORDER BY 1, 2"
)
COMMITTED = "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_local_state_uuid', 'wsrep_last_committed')"


def committed(asking: Asking) -> str:
    """Return how far the server is; empty where it is no member."""
    found = dict(asking.rows(COMMITTED))
    uuid = found.get("wsrep_local_state_uuid", "")
    return "{}:{}".format(uuid, found["wsrep_last_committed"]) if uuid.strip("0-") else ""


def sums(asking: Asking) -> "dict[str, Any]":
    """Return rows and sum of every table, all of one moment, and the position where nothing was written then.

    The order of rows is no matter to a sum, and columns that are not seen count too.
    """
    before = committed(asking)
    asking.rows("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    asking.rows("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    is_exact = committed(asking) == before
    tables = []
    for schema, table in asking.rows(TABLES_SQL):
        name = named(schema, table)
        count = asking.rows(f"SELECT COUNT(*) FROM {name}", SUM_SECONDS)[0][0]
        total = asking.rows(f"CHECKSUM TABLE {name} EXTENDED", SUM_SECONDS)[0][1]
        tables.append({"name": f"{schema}.{table}", "rows": int(count), "sum": total})
    asking.rows("COMMIT")
    return {"tables": tables, "position": before if is_exact else "", "problem": ""}
