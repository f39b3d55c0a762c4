"""The last part of the mounts program: it reads what it is asked, does it, and answers.

`ACT BASE64-OF-JSON` answers in one line, as the data program does; `boot UNIT` comes before the start of a
unit that serves and says by its exit code whether it may; `keep` runs for good. It runs by any Python from
3.6 on.
"""

import sys

from nospof.adapters.machine.data_answer import answer_acts, may_start, source_text
from nospof.adapters.machine.mounts_guard import Guard
from nospof.adapters.machine.mounts_host import MountsHost
from nospof.adapters.machine.mounts_look import look, state
from nospof.adapters.machine.mounts_move import attach, copy, detach

# The sender cuts here: what stands above is in the parts before, but for the imports.

MOUNTS_SCHEMA = "nospof.mounts/1"


def main() -> None:
    """Do what the command line says."""
    m = MountsHost(source_text())
    if sys.argv[1] == "keep":
        Guard(m).keep()
    if sys.argv[1] == "boot":
        may_start(lambda: Guard(m).boot(sys.argv[2]))
        return
    answer_acts(
        m, MOUNTS_SCHEMA, {"look": look, "state": state}, {"copy": copy, "attach": attach, "detach": detach}
    )


if __name__ == "__main__":
    main()
