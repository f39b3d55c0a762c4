"""The part of the data program that counts and sums what a PostgreSQL's tables hold.

It runs by any Python from 3.6 on.
"""

import json
from typing import Any

from nospof.adapters.machine.data_postgresql_server import PostgresServer
from nospof.adapters.machine.data_seen import WHILE_SECONDS, with_seen

# The sender cuts here: what stands above is in the parts before, but for the imports.

CHECK_SECONDS = 3000
DATABASE_NAMES = "SELECT datname AS name FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1"
WHERE_IT_IS = (
    "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END;"
)
SUM_OF_EACH = """
format('SELECT json_build_object(''name'', %L, ''rows'', count(*), ''sum'', '
  'coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text) FROM ONLY %I.%I t',
  current_database() || '.' || nspname || '.' || relname, nspname, relname)
"""
NAME = "current_database() || '.' || nspname || '.' || relname"
KEPT_TABLES = """
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'm') AND relpersistence = 'p' AND nspname NOT IN ('pg_catalog', 'information_schema')
  AND nspname NOT LIKE 'pg_toast%'
"""
ONCE = f"""
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
{WHERE_IT_IS}
SELECT {SUM_OF_EACH} {KEPT_TABLES} ORDER BY 1 \\gexec
{WHERE_IT_IS}
COMMIT;
"""
FOR_A_WHILE = f"""
{WHERE_IT_IS}
DO $while$
DECLARE
  statement text;
  told text;
  seen text[] := '{{}}';
  ends timestamptz := clock_timestamp() + interval '{WHILE_SECONDS} s';
BEGIN
  LOOP
    FOR statement IN SELECT {SUM_OF_EACH} {KEPT_TABLES} AND {NAME} IN (
        SELECT json_array_elements_text(current_setting('nospof.wanted')::json)
      ) LOOP
      EXECUTE statement INTO told;
      seen := seen || told;
    END LOOP;
    EXIT WHEN clock_timestamp() > ends OR cardinality(seen) = 0;
  END LOOP;
  PERFORM set_config('nospof.seen', array_to_string(seen, chr(10)), false);
END $while$;
SELECT current_setting('nospof.seen');
{WHERE_IT_IS}
"""
"""Each statement sees what is committed by then, so that a table is told of as it was again and again."""


def table_sums(server: PostgresServer, wanted: "list[str]") -> "dict[str, Any]":
    """Return rows and sum of every table, of one moment for each database, and the position if nothing moved.

    Args:
        wanted: names of tables, to read those alone for a while; none for all of them, once.
    """
    read, positions = [], []
    for database in (one["name"] for one in server.rows(DATABASE_NAMES)):
        here = [one for one in wanted if one.startswith(database + ".")]
        if wanted and not here:
            continue
        is_once = not wanted or database + ".*" in here
        names = json.dumps(here).replace("'", "''")
        text = ONCE if is_once else f"SET nospof.wanted = '{names}';" + FOR_A_WHILE
        lines = [one for one in server.tell(text, database, CHECK_SECONDS).split("\n") if one]
        positions += [lines[0], lines[-1]]
        read += [json.loads(one) for one in lines[1:-1]]
    is_exact = len(set(positions)) == 1
    return {
        "tables": with_seen(read) if wanted else read,
        "position": positions[0] if is_exact else "",
        "reached": positions[0] if positions else "",
        "problem": "",
    }
