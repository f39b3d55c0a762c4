"""What every part of the AWS adapter shares: clients made when first used, and patience."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.config import Config

from nospof import __version__
from nospof.adapters.aws.errors import is_lost, is_lost_answer, translated
from nospof.adapters.clock import SystemClock
from nospof.errors import CloudError, NotFound
from nospof.model.cloud import Identity, Tags
from nospof.model.launching import tag_pairs

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_sts import STSClient

    from nospof.ports.world import Clock

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
"""How long AWS may take to know an id it has just given out (EC2 API, "Eventual consistency")."""

POLL_SECONDS = 1.0
IDS_PER_CALL = 100
"""DescribeInstanceStatus takes no more ids than this in one request."""
PAGE_SIZE = 1000
"""Asking for pages draws on EC2's larger token bucket (EC2 API, "Request throttling")."""

CONFIG = Config(
    # Of 50 launches at once against moto with EC2's documented token buckets in front of it,
    # "adaptive" failed none and "standard" eleven.
    retries={"mode": "adaptive", "total_max_attempts": 8},
    connect_timeout=5,
    read_timeout=30,
    user_agent_extra=f"nospof/{__version__}",
)
ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})
"""For a call that its caller repeats: EC2 answers want of room with 500, and botocore asks again after that
for a minute without a word."""


class Connection:
    """One session of boto3, which knows its region.

    Args:
        session: boto3's; its region is set.
        endpoint: the address to ask; when not given AWS_ENDPOINT_URL or AWS itself, as boto3 has it.
        clock: what patience waits on; the computer's own when not given.
        config: botocore's; for whoever needs other time limits.
        caller: who is asking, where that has been read already.
    """

    def __init__(
        self,
        session: boto3.Session,
        *,
        endpoint: str = "",
        clock: Clock | None = None,
        config: Config = CONFIG,
        caller: Identity | None = None,
    ) -> None:
        self.session = session
        self.region = session.region_name
        self.clock: Clock = clock or SystemClock()
        self._endpoint = endpoint or None
        self._config = config
        self._caller = caller
        self._making = threading.Lock()
        self._attempts = _Attempts()
        self._made_at: dict[str, float] = {}

    # Clients: boto3 takes a tenth of a second or more to make each.

    @cached_property
    def ec2(self) -> EC2Client:
        """The client for EC2."""
        return self._client("ec2", "ec2:*")  # type: ignore[no-any-return]

    @cached_property
    def ec2_once(self) -> EC2Client:
        """The client for EC2 that asks once."""
        return self._client("ec2", "ec2:*", ONCE)  # type: ignore[no-any-return]

    @cached_property
    def elbv2(self) -> ElasticLoadBalancingv2Client:
        """The client for Elastic Load Balancing."""
        return self._client("elbv2", "elasticloadbalancing:*")  # type: ignore[no-any-return]

    @cached_property
    def autoscaling(self) -> AutoScalingClient:
        """The client for Auto Scaling."""
        return self._client("autoscaling", "autoscaling:*")  # type: ignore[no-any-return]

    @cached_property
    def sts(self) -> STSClient:
        """The client for the Security Token Service."""
        return self._client("sts", "sts:*")  # type: ignore[no-any-return]

    def _client(self, service: Any, operation: str, config: Config | None = None) -> Any:
        client = self.client(service, self.region, config, operation=operation)
        client.meta.events.register("needs-retry", self._attempts.note)
        return client

    def client(self, service: Any, region: str, config: Config | None = None, *, operation: str = "") -> Any:
        """Return a new client for any service.

        Args:
            service: as boto3 calls it.
            region: where it is asked.
            config: what differs from this connection's own.
            operation: what is about to be asked, for the words of an error.

        Raises:
            CloudError: boto3 knows no such service, or cannot reach it.
        """
        chosen = self._config.merge(config) if config else self._config
        # boto3 is not safe to make two at once.
        with self._making, translated(operation or f"{service}:*"):
            return self.session.client(
                service, region_name=region, endpoint_url=self._endpoint, config=chosen
            )

    # Calls ---------------------------------------------------------------------------------------

    def reading(self, operation: str, about: str = "") -> AbstractContextManager[None]:
        """Return the block in which a read is made."""
        return translated(operation, about)

    @contextmanager
    def writing(self, operation: str, about: str = "") -> Iterator[None]:
        """Return the block in which ONE write is made."""
        self._attempts.was_lost = False
        with translated(operation, about, writes=True, lost=lambda: self._attempts.was_lost):
            yield

    @contextmanager
    def deleting(self, operation: str, about: str) -> Iterator[None]:
        """Return the block in which ONE thing is taken away; that it is gone already is no error."""
        with suppress(NotFound), self.writing(operation, about):
            yield

    # Patience ------------------------------------------------------------------------------------

    def made(self, resource_id: str) -> None:
        """Remember an id that has just been given to us: others may not know it yet."""
        self._made_at[resource_id] = self.clock.now()

    def is_new(self, resource_id: str) -> bool:
        """Whether the id is so new that "not found" may only mean "not yet"."""
        made_at = self._made_at.get(resource_id)
        return made_at is not None and self.clock.now() - made_at < PATIENCE_SECONDS

    def patiently(self, resource_ids: Sequence[str], ask: Callable[[], T]) -> T:
        """Ask again while the answer is NotFound and one of the ids is new."""
        while True:
            try:
                return ask()
            except NotFound:
                if not any(self.is_new(resource_id) for resource_id in resource_ids):
                    raise
            self.clock.sleep(POLL_SECONDS)

    def until_found(self, look: Callable[[], T | None], refusal: CloudError) -> T:
        """Look for what a refusal says exists already, until it shows; else raise the refusal."""
        ends = self.clock.now() + PATIENCE_SECONDS
        while True:
            found = look()
            if found is not None:
                return found
            if self.clock.now() >= ends:
                raise refusal
            self.clock.sleep(POLL_SECONDS)


class _Attempts(threading.local):
    """What became of the attempts botocore made for the call under way in this thread."""

    was_lost = False

    def note(self, response: Any = None, caught_exception: Any = None, **_: Any) -> None:
        """Listen to botocore's "needs-retry": one event for every attempt."""
        if is_lost(caught_exception) or (response is not None and is_lost_answer(response[1])):
            self.was_lost = True


def chunks(ids: Sequence[str], size: int = IDS_PER_CALL) -> Iterator[list[str]]:
    """Cut ids into lists that one call takes."""
    for start in range(0, len(ids), size):
        yield list(ids[start : start + size])


def as_tags(pairs: Any) -> Tags:
    """Return AWS's list of keys and values as a mapping."""
    return {pair["Key"]: pair["Value"] for pair in pairs or ()}


def specification(*tagged: tuple[str, Tags]) -> Any:
    """Return TagSpecifications for pairs of (resource type, tags); AWS refuses empty lists."""
    pairs = [(kind, tag_pairs(tags)) for kind, tags in tagged]
    return [{"ResourceType": kind, "Tags": listed} for kind, listed in pairs if listed]


def tag_filters(tag: str, value: str) -> Any:
    """Return the EC2 filter for a tag and, when it is given, its value."""
    if value:
        return [{"Name": f"tag:{tag}", "Values": [exactly(value)]}]
    return [{"Name": "tag-key", "Values": [exactly(tag)]}]


def has_tag(tags: Tags, tag: str, value: str) -> bool:
    """Whether there is the tag with, when it is given, the value: letters' case counts here."""
    return tag in tags and value in ("", tags[tag])


def exactly(value: str) -> str:
    """Return a filter value that matches only itself: EC2 filters know wildcards."""
    return "".join(f"\\{character}" if character in "*?\\" else character for character in value)
