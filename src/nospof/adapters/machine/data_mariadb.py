"""The part of the data program that knows MariaDB, kept in step by Galera.

It runs by any Python from 3.6 on.
"""

from nospof.adapters.machine.data_machine import Database

# The sender cuts here: what stands above is in the parts before, but for the imports.


class MariaDb(Database):
    """A MariaDB, alone or a member of a Galera cluster."""

    engine = "galera"

    def is_here(self) -> bool:
        """See `Database`."""
        return False
