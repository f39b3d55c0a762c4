"""Root volumes, as a part of the cloud: the rules of `ports.cloud` are theirs."""

from __future__ import annotations

from typing import Protocol

from nospof.model.maintaining import RootTask


class Roots(Protocol):
    """The part of the cloud that gives instances another root volume."""

    def root_task(self, task_id: str) -> RootTask:
        """Return how far the replacement of a root volume is. Raises NotFound."""

    def replace_root(self, instance_id: str, image_id: str, token: str) -> RootTask:
        """Begin to give a RUNNING instance the root volume of an image; it reboots, and keeps its id.

        Its addresses and other volumes stay. The volume it had stays too, attached to nothing. A repeat
        with the same token returns the same task. Raises CloudError IncorrectInstanceState when it is not
        running.
        """
