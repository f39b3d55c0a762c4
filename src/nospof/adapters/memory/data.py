"""Database servers inside the instances of the in-memory cloud, as their machines would tell of them.

A server's content is the list of what was acknowledged. Members in step have the same, and only a majority of
the votes takes more.
"""

from __future__ import annotations

from dataclasses import replace

from nospof.adapters.memory.account import refused, serves
from nospof.adapters.memory.images import Images
from nospof.adapters.memory.machines import Machine
from nospof.adapters.memory.site import MemoryServer
from nospof.model.layout import (
    Applied,
    Checked,
    Examined,
    Layout,
    MemberState,
    Obstacle,
    Seat,
    TableSum,
)

SEND = "ssm:SendCommand"


class Data(Images):
    """What a machine's agent does about its database."""

    # What a test says ----------------------------------------------------------------------------

    def keep_data(self, instance_id: str, engine: str = "mariadb", *obstacles: Obstacle) -> None:
        """Have an instance keep a database that is in use."""
        self._managed.setdefault(instance_id, (engine,))
        self._machines[instance_id].server = MemoryServer(engine, obstacles=obstacles, rows=["old"])

    def write(self, instance_id: str, row: str) -> bool:
        """Write as the application on an instance does; return whether it was acknowledged."""
        self.settle()
        server = self._machines[instance_id].server
        if server is None or not self._is_up(instance_id):
            return False
        self._catch_up(server.layout)
        if server.layout is None:
            server.rows.append(row)
            return True
        writer = self._writer(server.layout)
        if writer is None or self._seat(instance_id, server.layout) is None:
            return False
        for seat in server.layout.members:
            other = self._server(seat.instance_id)
            if self._is_in_step(seat, server.layout):
                other.rows.append(row)
            else:
                other.has_joined = False
        return True

    def rows_of(self, instance_id: str) -> tuple[str, ...]:
        """Return what an instance's server has."""
        server = self._machines[instance_id].server
        return tuple(server.rows) if server else ()

    # The acts ------------------------------------------------------------------------------------

    @serves("ssm:GetCommandInvocation")
    def examine_database(self, instance_id: str) -> Examined:
        """See `ports.databases`."""
        server = self._asked(instance_id).server
        if server is None:
            return Examined(problem=f"no database server runs on {instance_id}")
        left = tuple(one for one in server.obstacles if not (one.mend and server.is_mended))
        return Examined(server.engine, "1.0", "/var/lib/data", 4096, server.layout, left)

    @serves("ssm:GetCommandInvocation")
    def database_state(self, instance_id: str) -> MemberState:
        """See `ports.databases`."""
        machine = self._asked(instance_id)
        layout = machine.votes_in
        self._catch_up(layout or (machine.server.layout if machine.server else None))
        if layout is not None:
            return MemberState("arbitrator", self._votes(layout) >= layout.quorum, "", self._votes(layout))
        server = machine.server
        if server is None:
            return MemberState(problem=f"no database server runs on {instance_id}")
        layout, position = server.layout, str(len(server.rows))
        if layout is None:
            return MemberState("alone", True, "a plain server", 1, position)
        seat = self._seat(instance_id, layout)
        if seat is None:
            return MemberState("stranger", False, "a copy that nobody let in yet", 0, position)
        votes, writer = self._votes(layout), self._writer(layout)
        if writer is None or not self._is_in_step(seat, layout):
            return MemberState("down", False, "not in step", votes, position)
        return MemberState(
            "primary" if writer == seat else "replica",
            True,
            "in step",
            votes,
            position,
            writer=writer.address,
        )

    @serves(SEND, writes=True)
    def apply_layout(self, instance_id: str, layout: Layout) -> Applied:
        """See `ports.databases`."""
        machine, instance = self._asked(instance_id), self._instances[instance_id]
        if layout.arbitrator and layout.arbitrator.address == instance.private_ip:
            machine.votes_in = layout
            return Applied(("votes",))
        server = machine.server
        if server is None:
            return Applied(problem=f"no database server runs on {instance_id}")
        if instance.private_ip not in {one.address for one in layout.members}:
            server.layout, server.has_joined = None, True
            return Applied(("is a plain server",))
        server.layout, server.is_stuck = layout, False
        others = [one for one in layout.members if one.address != instance.private_ip]
        source = next((one for one in others if self._is_in_step(one, layout)), None)
        if source is not None:
            server.rows, server.has_joined = list(self._server(source.instance_id).rows), True
        elif not others:
            server.has_joined = True
        return Applied(("has the layout",))

    @serves(SEND, writes=True)
    def mend_tables(self, instance_id: str, *, undo: bool) -> Applied:
        """See `ports.databases`."""
        server = self._asked(instance_id).server
        if server is not None:
            server.is_mended = not undo
        return Applied(("mended",))

    @serves(SEND, writes=True)
    def hand_over_writes(self, instance_id: str) -> Applied:
        """See `ports.databases`."""
        server = self._asked(instance_id).server
        layout = server.layout if server else None
        writer = self._writer(layout) if layout else None
        if layout is None or writer is None or writer.instance_id != instance_id:
            return Applied()
        others = tuple(one for one in layout.members if one != writer)
        if not any(self._is_in_step(one, layout) for one in others):
            return Applied(problem="no other member is in step")
        turned = replace(layout, members=(*others, writer))
        for seat in turned.members:
            self._server(seat.instance_id).layout = turned
        return Applied((f"writes went to {others[0].address}",))

    @serves(SEND, writes=True)
    def rest_database(self, instance_id: str, rest_id: str, seconds: int) -> Applied:
        """See `ports.databases`."""
        server = self._asked(instance_id).server
        layout = server.layout if server else None
        if server is None or layout is None or len(layout.members) < 2:
            return Applied(problem="this machine is no member of several")
        self._catch_up(layout)
        writer = self._writer(layout)
        if not self._rests(instance_id) and (writer is None or writer.instance_id == instance_id):
            return Applied(problem="writes come here: hand them over first")
        server.rest = (rest_id, self.now() + seconds)
        return Applied(("its database ended cleanly and rests",))

    @serves(SEND, writes=True)
    def wake_database(self, instance_id: str, rest_id: str) -> Applied:
        """See `ports.databases`."""
        server = self._asked(instance_id).server
        if server is None:
            return Applied(problem=f"no database server runs on {instance_id}")
        lasted = self._rests(instance_id) and server.rest[0] == rest_id
        server.rest = ("", 0.0)
        self._catch_up(server.layout)
        return Applied(("its database runs again",), "" if lasted else "its disks were not at rest")

    @serves(SEND, writes=True)
    def bootstrap_cluster(self, instance_id: str) -> Applied:
        """See `ports.databases`."""
        server = self._asked(instance_id).server
        if server is None or server.layout is None:
            return Applied(problem=f"{instance_id} is no member of a cluster")
        server.has_joined, server.is_stuck = True, False
        return Applied(("began as the first",))

    @serves("ssm:GetCommandInvocation")
    def check_tables(self, instance_id: str) -> Checked:
        """See `ports.databases`."""
        rows = self.rows_of(instance_id) if self._asked(instance_id) else ()
        position = f"memory:{len(rows)}"
        return Checked((TableSum("rows", len(rows), "-".join(rows)),), position, position)

    # What the acts use ---------------------------------------------------------------------------

    def _asked(self, instance_id: str) -> Machine:
        instance = self._get(instance_id, SEND)
        if instance.state != "running" or self._machines[instance_id].is_impaired:
            raise refused(SEND, "InvalidInstanceId", f"the agent of {instance_id} does not answer")
        return self._machines[instance_id]

    def _server(self, instance_id: str) -> MemoryServer:
        server = self._machines[instance_id].server
        assert server is not None  # noqa: S101 - of a member that is in step
        return server

    def _is_up(self, instance_id: str) -> bool:
        return self.answers_now(instance_id)

    def _seat(self, instance_id: str, layout: Layout) -> Seat | None:
        address = self._instances[instance_id].private_ip
        return next((one for one in layout.members if one.address == address), None)

    def _is_in_step(self, seat: Seat, layout: Layout) -> bool:
        machine = self._machines.get(seat.instance_id)
        server = machine.server if machine else None
        return (
            server is not None
            and server.layout is not None
            and server.layout.cluster == layout.cluster
            and self._seat(seat.instance_id, server.layout) is not None
            and server.has_joined
            and not self._rests(seat.instance_id)
            and self._is_up(seat.instance_id)
        )

    def _catch_up(self, layout: Layout | None) -> None:
        """Have members that missed something get it from one that did not, while a majority decides."""
        writer = self._writer(layout) if layout else None
        for seat in layout.members if layout and writer else ():
            server = self._machines[seat.instance_id].server
            if (
                writer
                and server
                and not server.has_joined
                and not server.is_stuck
                and not self._rests(seat.instance_id)
                and server.layout == layout
            ):
                server.rows, server.has_joined = list(self._server(writer.instance_id).rows), True

    def _votes(self, layout: Layout) -> int:
        arbitrator = layout.arbitrator
        has_third = (
            arbitrator is not None
            and self._machines[arbitrator.instance_id].votes_in is not None
            and self._is_up(arbitrator.instance_id)
        )
        return sum(self._is_in_step(one, layout) for one in layout.members) + has_third

    def _writer(self, layout: Layout) -> Seat | None:
        if self._votes(layout) < layout.quorum:
            return None
        return next((one for one in layout.members if self._is_in_step(one, layout)), None)
