"""The part of the data program that counts and sums what a MariaDB's tables hold.

It runs by any Python from 3.6 on.
"""

import time
from typing import Any

from nospof.adapters.machine.data_mariadb_server import SYSTEM_SCHEMAS, Asking, named
from nospof.adapters.machine.data_seen import WHILE_SECONDS, is_wanted, with_seen

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


def sums(asking: Asking, wanted: "list[str]") -> "dict[str, Any]":
    """Return rows and sum of every table, all of one moment, and the position where nothing was written then.

    The order of rows is no matter to a sum, and columns that are not seen count too.

    Args:
        wanted: names of tables, to read those alone for a while; none for all of them, once.
    """
    reached = committed(asking)
    asking.rows("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    names = [(schema, table) for schema, table in asking.rows(TABLES_SQL) if is_wanted(schema, table, wanted)]
    asking.rows("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    is_exact = committed(asking) == reached
    tables = [summed(asking, *one) for one in names]
    asking.rows("COMMIT")
    if wanted:
        read, ends = list(tables), time.monotonic() + WHILE_SECONDS
        while tables and time.monotonic() < ends:
            for one in names:
                asking.rows("START TRANSACTION WITH CONSISTENT SNAPSHOT")
                read.append(summed(asking, *one))
                asking.rows("COMMIT")
        is_exact = is_exact and committed(asking) == reached
        tables = with_seen(read)
    return {"tables": tables, "position": reached if is_exact else "", "reached": reached, "problem": ""}


def summed(asking: Asking, schema: str, table: str) -> "dict[str, Any]":
    """Return rows and sum of a table as the transaction sees it."""
    name = named(schema, table)
    count = asking.rows(f"SELECT COUNT(*) FROM {name}", SUM_SECONDS)[0][0]
    total = asking.rows(f"CHECKSUM TABLE {name} EXTENDED", SUM_SECONDS)[0][1]
    return {"name": f"{schema}.{table}", "rows": int(count), "sum": total}
