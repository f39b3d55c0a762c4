"""Commands inside the instances of the in-memory cloud, and root volumes that are replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from nospof.adapters.memory.account import refused, serves
from nospof.adapters.memory.data import SEND
from nospof.adapters.memory.databases import says
from nospof.adapters.memory.machines import NEVER
from nospof.adapters.memory.mounts import MountedFiles
from nospof.adapters.memory.site import MemoryServer
from nospof.errors import CloudError
from nospof.model.layout import Applied
from nospof.model.maintaining import CommandState, RootTask

COMMAND_SECONDS = 30.0
ROOT_SECONDS = 15.0

Act = Callable[[str], int]
"""What a command does to an instance; returns its exit code."""


@dataclass
class Begun:
    """A command that was begun: in which boot, and its exit code once it has ended."""

    boot: str
    exit_code: int | None = None


class CommandsInside(MountedFiles):
    """What a machine's agent does about commands; and root volumes.

    Attributes:
        acts: what commands do, by the command; others do nothing, well.
        done: who began which, in order.
        roots_fail: whether replacements of root volumes end as failed.
    """

    def _set_up(self, zone_count: int) -> None:
        super()._set_up(zone_count)
        self.acts: dict[str, Act] = {}
        self.done: list[tuple[str, str]] = []
        self.roots_fail = False
        self._begun: dict[str, dict[str, Begun]] = {}
        self._root_tasks: dict[str, RootTask] = {}
        self._root_tokens: dict[str, str] = {}

    # The acts ------------------------------------------------------------------------------------

    @serves(SEND, writes=True)
    def begin_command(self, instance_id: str, token: str, command: str) -> Applied:
        """See `ports.running`."""
        here = self._begun_on(instance_id)
        if token in here:
            return Applied()
        begun = here[token] = Begun(self._boot_of(instance_id))
        self.done.append((instance_id, command))

        def end() -> None:
            is_there = self._begun.get(instance_id, {}).get(token) is begun
            if is_there and self.answers_now(instance_id) and self._boot_of(instance_id) == begun.boot:
                act = self.acts.get(command)
                begun.exit_code = act(instance_id) if act else 0

        self.later(COMMAND_SECONDS, end)
        return Applied((f"began {token}",))

    @serves("ssm:GetCommandInvocation")
    def command_state(self, instance_id: str, token: str) -> CommandState:
        """See `ports.running`."""
        begun, boot = self._begun_on(instance_id).get(token), self._boot_of(instance_id)
        if begun is None:
            return CommandState("none", boot=boot)
        if begun.exit_code is not None:
            return CommandState("ended", begun.exit_code, lines=("did it",), boot=boot)
        if begun.boot != boot:
            return CommandState("cut off", says="by a reboot", boot=boot)
        return CommandState("running", lines=("doing it",), boot=boot)

    @serves("ec2:CreateReplaceRootVolumeTask", writes=True)
    def replace_root(self, instance_id: str, image_id: str, token: str) -> RootTask:
        """See the port."""
        operation = "ec2:CreateReplaceRootVolumeTask"
        instance = self._get(instance_id, operation)
        if token in self._root_tokens:
            return self._root_tasks[self._root_tokens[token]]
        if instance.state != "running":
            raise refused(operation, "IncorrectInstanceState", f"{instance_id} is {instance.state}")
        self.contents_of_image(image_id, operation)
        task = RootTask(self.new_id("replacevol"), instance_id, "pending", image_id)
        self._root_tasks[task.id], self._root_tokens[token] = task, task.id
        self._machines[instance_id].up_at = self._machines[instance_id].ok_at = NEVER
        self.later(ROOT_SECONDS, lambda: self._has_another_root(task))
        return task

    @serves("ec2:DescribeReplaceRootVolumeTasks")
    def root_task(self, task_id: str) -> RootTask:
        """See the port."""
        operation, code = "ec2:DescribeReplaceRootVolumeTasks", "InvalidReplaceRootVolumeTaskID.NotFound"
        return self.find(self._root_tasks, task_id, operation, code)

    def _has_another_root(self, task: RootTask) -> None:
        machine, contents = self._machines[task.instance_id], self._contents.get(task.image_id)
        state = "failed" if contents is None or self.roots_fail else "succeeded"
        self._root_tasks[task.id] = replace(task, state=state)
        if contents is not None and state == "succeeded":
            machine.service = contents.service
            machine.server = self._server_told(task.instance_id, task.image_id)
            machine.uploads = self.uploads_of_image(task.image_id)
            self._begun.pop(task.instance_id, None)
            self._exchange_volumes(task.instance_id)
        machine.is_impaired = False
        machine.up_at, machine.ok_at = self.now() + self.timings.boot, self.now() + self.timings.checks

    def _server_told(self, instance_id: str, image_id: str) -> MemoryServer | None:
        """Return the server of an image, told by the others who is written to by now."""
        server = self.server_of_image(image_id)
        for seat in server.layout.members if server and server.layout else ():
            other = self._machines[seat.instance_id].server
            if server and other and seat.instance_id != instance_id:
                server.layout = other.layout
        return server

    def _exchange_volumes(self, instance_id: str) -> None:
        instance = self._instances[instance_id]
        at = next(one for one in instance.attachments if one.device == instance.root_device)
        before, made = self._volumes[at.volume_id], self.new_id("vol")
        self._volumes[made] = replace(before, id=made, tags={})
        self._volumes[before.id] = replace(before, attached_to=())
        attached = (replace(one, volume_id=made) if one == at else one for one in instance.attachments)
        self._instances[instance_id] = replace(instance, attachments=tuple(attached))

    def _begun_on(self, instance_id: str) -> dict[str, Begun]:
        self._asked(instance_id)
        if not self.answers_now(instance_id):
            raise refused(SEND, "InvalidInstanceId", f"the agent of {instance_id} does not answer")
        return self._begun.setdefault(instance_id, {})

    def _boot_of(self, instance_id: str) -> str:
        return f"{self._machines[instance_id].up_at:.0f}"


class MemoryRunning:
    """Implements `ports.running.Running`.

    Args:
        cloud: the in-memory cloud, or what stands between it and the procedures.
    """

    def __init__(self, cloud: Any) -> None:
        self._cloud = cloud

    def begin(self, instance_id: str, token: str, command: str, seconds: int) -> Applied:  # noqa: ARG002 - all end
        """See the port."""
        try:
            done: Applied = self._cloud.begin_command(instance_id, token, command)
        except CloudError as error:
            return Applied(problem=says(error), is_reached=False)
        return done

    def state(self, instance_id: str, token: str) -> CommandState:
        """See the port."""
        try:
            found: CommandState = self._cloud.command_state(instance_id, token)
        except CloudError as error:
            return CommandState(problem=says(error), is_reached=False)
        return found
