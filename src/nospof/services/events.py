"""What AWS has announced, read from accounts and regions and joined to the services there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from nospof.errors import NospofError
from nospof.model.cloud import TAG_SERVICE, Instance, TargetGroup
from nospof.model.events import EventsFound, Notice, Over, Place
from nospof.model.settings import Settings
from nospof.model.window import Window
from nospof.planning.events import Crew, Seen, all_at_once, announced, fit_of, split, unmatched
from nospof.ports.world import World


@dataclass(frozen=True)
class Asked:
    """An account's region to ask: how it is called in messages, and what connects to it."""

    name: str
    profile: str
    connect: Callable[[], World]


def events_of(
    asked: Sequence[Asked], notice: Notice | None = None, settings: Settings | None = None
) -> EventsFound:
    """Return what is announced in several regions; one that cannot be read hides no other. Changes nothing.

    Args:
        asked: where to look.
        notice: a mail from AWS; only those whom it names are told then.
        settings: what people wrote down; of it, when a service may be worked on.

    Raises:
        NospofError: the only region there is could not be read.
    """
    read: list[EventsFound] = []
    known: set[str] = set()
    unread = []
    wishes = settings.services if settings else ()
    windows = {wish.name: wish.maintenance for wish in wishes if wish.maintenance}
    for one in asked:
        try:
            world = one.connect()
            instances = {instance.id: instance for instance in world.cloud.instances()}
            read.append(events_in(world, one.profile, instances, windows))
            known.update(instances)
        except NospofError as error:
            if len(asked) == 1:
                raise
            unread.append(f"{one.name}: {error}")
    found = EventsFound(
        places=tuple(place for each in read for place in each.places),
        ahead=tuple(
            sorted((one for each in read for one in each.ahead), key=lambda one: one.event.not_before)
        ),
        together=tuple(one for each in read for one in each.together),
        over=tuple(one for each in read for one in each.over),
        unread=tuple(unread),
        read_at=max((each.read_at for each in read), default=0.0),
    )
    return found if notice is None else named_by(notice, found, frozenset(known))


def seen_in(
    world: World, profile: str, instances: Mapping[str, Instance], *, with_crews: bool = False
) -> Seen:
    """Read what is announced, and who serves where if anything is, or if that is asked for.

    Args:
        instances: those that are there, by id.

    Raises:
        CloudError: it could not be read; nothing is then said of it.
    """
    identity, now = world.cloud.identity(), world.clock.now()
    place = Place(identity.account, identity.region, profile)
    live, finished = split(world.cloud.announcements())
    over = tuple(Over(place, *one) for one in finished)
    live = [(who, event) for who, event in live if who in instances]  # else it is terminated by now
    crews = []
    if live or with_crews:
        crews = [crew_of(world, group, instances) for group in world.cloud.target_groups()]
    return Seen(place, now, instances, tuple(live), over, tuple(crews))


def events_in(
    world: World, profile: str, instances: Mapping[str, Instance], windows: Mapping[str, Window]
) -> EventsFound:
    """Return what is announced in one account's region.

    Args:
        instances: those that are there, by id.
        windows: when services may be worked on, by their names.

    Raises:
        CloudError: it could not be read; nothing is then said of it.
    """
    seen = seen_in(world, profile, instances)
    at_once = all_at_once(seen.place, seen.live, seen.crews)
    ahead = []
    for who, event in seen.live:
        services = dict.fromkeys(crew.name for crew in seen.crews if who in crew.members)
        fits = [fit_of(event, name, windows[name], seen.read_at) for name in services if name in windows]
        ahead.append(announced(seen.place, event, instances[who], seen.crews, at_once, fits))
    return EventsFound((seen.place,), tuple(ahead), at_once, seen.over, read_at=seen.read_at)


def crew_of(world: World, group: TargetGroup, instances: Mapping[str, Instance]) -> Crew:
    """Return who is in a group, and who of them is healthy now, by their instances' ids."""
    targets = world.cloud.targets(group.arn)
    # Only a group of addresses has to look at everybody: there may be thousands of each.
    named = instances if group.target_type == "ip" else [one.instance_id for one in targets]
    ids = {
        group.target_id(instances[who]): who
        for who in named
        if who in instances and group.vpc_id in ("", instances[who].vpc_id)
    }
    targets = tuple(one for one in targets if one.instance_id in ids)
    return Crew(
        group.tags.get(TAG_SERVICE) or group.name,
        frozenset(ids[one.instance_id] for one in targets),
        frozenset(ids[one.instance_id] for one in targets if one.is_healthy),
    )


def named_by(notice: Notice, found: EventsFound, known: frozenset[str]) -> EventsFound:
    """Return of what was found only what a mail names, and what of the mail is announced nowhere."""
    ids = set(notice.instance_ids)
    return replace(
        found,
        ahead=tuple(one for one in found.ahead if one.instance_id in ids),
        together=tuple(one for one in found.together if ids & set(one.instance_ids)),
        over=tuple(one for one in found.over if one.instance_id in ids),
        unmatched=unmatched(notice, known, found),
    )
