"""Which modules of tests begin first, so that none is left that all workers but one wait for."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parents[1]

LONGEST = (
    "crash/test_kill9.py",
    "drill/test_demo.py",
    "functional/test_cli_runs.py",
    "crash/test_durable.py",
    "functional/test_permissions_missing.py",
    "functional/test_pair_data_local_cloud.py",
    "functional/test_patroni_local_machines.py",
    "functional/test_cli_undo.py",
    "functional/test_console.py",
    "functional/test_web_api_attacks.py",
)
"""Modules that take minutes, the longest first: one that began last would be waited for by itself."""
QUICK = ("docs", "property", "tidy", "unit")


def place(module: Path) -> int:
    """Return how early a module begins: the longest, then what starts processes, then the quick ones."""
    name = module.relative_to(TESTS).as_posix()
    if name in LONGEST:
        return LONGEST.index(name)
    return len(LONGEST) + (name.partition("/")[0] in QUICK)
