"""Undo: back from what a clone or a pair made to the one instance that served before.

The source serves first and last: it is healthy behind the balancer before anybody else leaves, and it
answers at its own address when the balancer goes. Each thing is looked at again right before it is
taken away: it goes only while it carries the tag of the run that is undone.
"""

from __future__ import annotations

from dataclasses import replace

from nospof.errors import CloudError, NotFound
from nospof.model.answers import Answer
from nospof.model.cloud import (
    TAG_GUARANTEE,
    TAG_RUN,
    TAG_SERVICE,
    Image,
    Instance,
    LoadBalancer,
    Seat,
    SecurityGroup,
    Tags,
    TargetGroup,
)
from nospof.model.requests import UndoRequest
from nospof.model.results import UndoResult
from nospof.model.sharing import TAG_FILES, FilesFound, Sharing
from nospof.planning.pair import resource_name
from nospof.planning.undo import UndoPlan, marks_before, plan_undo, refuse_without_consent
from nospof.planning.undo_rules import Opening, UndoFacts
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.clone import url_of
from nospof.procedures.data import stand_plain, state_now
from nospof.procedures.data_left import data_of, doors_opened
from nospof.procedures.files import look_at_files, stop_sharing
from nospof.procedures.guarantee import promise, release
from nospof.procedures.membership import drain, register, wait_healthy
from nospof.procedures.mounting import bring_files_home, mounts_left
from nospof.procedures.rehearse import rehearse
from nospof.procedures.taking_away import is_of, take_away


def undo(steps: Steps, world: World, request: UndoRequest) -> UndoResult:
    """Undo a run. Guarantee: the source serves throughout."""
    facts = steps.read("look at what the run made and who uses it", undo_facts, world, request)
    plan = plan_undo(facts, request, steps.token)
    refuse_without_consent(plan, facts, request)
    for warning in plan.plan.warnings:
        world.reporter.warn(warning)
    steps.read("ask the cloud whether it would allow each call", rehearse, world, plan.plan)
    source, run_id = facts.source.id, request.run_id
    removed: list[str] = []
    steps.do("promise that the source stays on", promise, world, source, steps.token)
    if plan.serving:
        steps.do("have the source serve", have_it_serve, world, source, plan.serving)
    if plan.leaving:
        steps.do("drain everybody else", drain_others, world, plan.leaving)
    have_all(steps, world, facts)
    for name, kind, things in ways_in(facts):
        removed += steps.do(name, take_away, world, kind, things, run_id)
    if facts.openings:
        removed += steps.do("close the instances to the balancer", close, world, facts.openings, run_id)
    if facts.marked:
        steps.do("give the members the marks they had", unmark, world, facts.marked, request)
    if facts.protected:
        steps.do("let the twin be terminated", let_go, world, facts.protected, run_id)
    for name, kind, things in copies(facts, plan):
        removed += steps.do(name, take_away, world, kind, things, run_id)
    steps.do("release the promise", release, world, source, steps.token)
    return UndoResult(run_id, source, facts.answer.url, tuple(removed), plan.left_alone)


def have_all(steps: Steps, world: World, facts: UndoFacts) -> None:
    """Have the source have all that was written anywhere, and keep it alone."""
    if facts.files:
        stop_sharing(steps, world, facts.source.id, facts.sharing or Sharing(), facts.files_gone)
    if facts.mounts:
        bring_files_home(steps, world, facts.source.id, facts.mounts_leaving, facts.mounts_staying)
    if facts.data:
        stand_plain(steps, world, facts.source.id, facts.layout)


def ways_in(facts: UndoFacts) -> tuple[tuple[str, str, dict[str, str]], ...]:
    """Return the steps that take the way in apart, as `copies`."""
    steps = (
        ("delete the load balancer", "load balancer", {one.arn: one.name for one in facts.balancers}),
        ("delete the target group", "target group", {one.arn: one.name for one in facts.groups}),
    )
    return tuple(step for step in steps if step[2])


def copies(facts: UndoFacts, plan: UndoPlan) -> tuple[tuple[str, str, dict[str, str]], ...]:
    """Return the rest of the steps that take things away: name, kind, and what to call each thing by id."""
    steps = (
        ("terminate the twin", "instance", [one.id for one in facts.twins]),
        ("deregister the image", "image", [one.id for one in plan.images]),
        ("delete its snapshots", "snapshot", [one.id for one in plan.snapshots]),
        ("delete the placement group", "placement group", plan.placement_groups),
        ("delete the balancer's security group", "security group", [one.id for one in facts.guards]),
    )
    return tuple((name, kind, {one: one for one in ids}) for name, kind, ids in steps if ids)


# Looking -----------------------------------------------------------------------------------------


def undo_facts(world: World, request: UndoRequest) -> UndoFacts:
    """Read everything the decision rests on."""
    cloud, run_id = world.cloud, request.run_id
    source = cloud.instance(request.instance_id)
    twins = tuple(one for one in cloud.instances(TAG_RUN, run_id) if one.id != source.id)
    images = cloud.images(TAG_RUN, run_id)
    groups = cloud.target_groups()
    mine = tuple(group for group in groups if is_of(group.tags, run_id))
    balancers = tuple(one for one in cloud.load_balancers() if is_of(one.tags, run_id))
    ours = {balancer.arn for balancer in balancers}
    guards = cloud.security_groups(TAG_RUN, run_id)
    members = (source, *twins, *adopted_twin(world, request))
    names, names_unread = names_leading_to(world, balancers)
    joined = tuple(group for group in groups if group.arn in request.joined)
    seats, alone = seats_of(world, members[1:], joined)
    inherits = cloud.is_termination_protected(source.id)
    data, strangers_data = data_of(world, source, request, tuple(one.id for one in twins))
    files, off, gone = partners_left(world, source)
    mounts, staying, leaving = mounts_left(world, source, {one.id for one in twins})
    marked = () if strangers_data or is_of_another_run(request, groups) else members
    return UndoFacts(
        source=source,
        checks=cloud.instance_status((source.id,)),
        answer=answer_of(world, source, request),
        twins=twins,
        images=images,
        snapshots=cloud.snapshots(TAG_RUN, run_id),
        groups=mine,
        balancers=balancers,
        guards=guards,
        placement_groups=tuple(one for one in cloud.placement_groups() if is_of(one.tags, run_id)),
        members=tuple(member for group in mine for member in members_of(world, group)),
        listeners=tuple(one for balancer in balancers for one in cloud.listeners(balancer.arn)),
        openings=(*openings(world, members, guards), *doors_opened(world, source, request)),
        marked=tuple(one.id for one in marked if one not in twins and is_marked(one, request)),
        others=(*other_things(world, request), *strangers_data),
        relied_on=(
            *relied_on(world, twins, tuple(one for one in groups if one not in (*mine, *joined))),
            *protected_by_somebody(world, twins if not inherits else (), balancers),
        ),
        image_users=launched_from(world, images, run_id),
        strangers=tuple(
            f"{group.name} is behind the load balancer as well"
            for group in groups
            if group not in mine and ours & set(group.balancer_arns)
        ),
        names=names,
        names_unread=names_unread,
        seats=seats,
        alone=alone,
        protected=tuple(one.id for one in twins if inherits and cloud.is_termination_protected(one.id)),
        files=files,
        files_off=off,
        files_gone=gone,
        mounts=mounts,
        mounts_staying=staying,
        mounts_leaving=leaving,
        data=data,
        data_state=state_now(world, source.id) if data else None,
    )


def answer_of(world: World, source: Instance, request: UndoRequest) -> Answer:
    """Return what the source answers where it is asked, without the page itself."""
    url = request.url or url_of(source, request.port, request.path)
    return replace(world.probe.get(url, verify=bool(request.url)), body="")


def partners_left(
    world: World, source: Instance
) -> tuple[FilesFound | None, tuple[str, ...], tuple[str, ...]]:
    """Return who shares the source's files, who of them is off, and who is no more."""
    if TAG_FILES not in source.tags or world.files is None:
        return None, (), ()
    found, states = look_at_files(world, source.id), {}
    for one in found.sharing.members if found.sharing else ():
        try:
            states[one.instance_id] = world.cloud.instance(one.instance_id).state
        except NotFound:
            states[one.instance_id] = "terminated"
    gone = tuple(one for one, state in states.items() if state in ("terminated", "shutting-down"))
    off = (one for one, state in states.items() if state != "running" and one not in (source.id, *gone))
    return found, tuple(off), gone


def seats_of(
    world: World, twins: tuple[Instance, ...], groups: tuple[TargetGroup, ...]
) -> tuple[tuple[Seat, ...], tuple[str, ...]]:
    """Return the places of the twins in groups of others, and the groups where nobody else is healthy."""
    seats: list[Seat] = []
    alone = []
    for group in groups:
        ids = {group.target_id(twin) for twin in twins}
        targets = world.cloud.targets(group.arn)
        mine = [
            Seat(group.arn, group.name, one.port, one.instance_id)
            for one in targets
            if one.instance_id in ids
        ]
        seats += mine
        if mine and not any(one.is_healthy for one in targets if one.instance_id not in ids):
            alone.append(group.name)
    return tuple(seats), tuple(alone)


def names_leading_to(world: World, balancers: tuple[LoadBalancer, ...]) -> tuple[tuple[str, ...], str]:
    """Return the names of Route 53 that lead to the balancers, and why they could not be read."""
    try:
        found = [name for one in balancers for name in world.cloud.names_of(one.dns_name)]
    except CloudError as error:
        return (), f"{error.operation} failed, {error.code or error}"
    return tuple(dict.fromkeys(found)), ""


def is_of_another_run(request: UndoRequest, groups: tuple[TargetGroup, ...]) -> bool:
    """Whether another run made a way in for the service, so that its marks are that one's."""
    service, run_id = request.service, request.run_id
    return any(
        service and one.tags.get(TAG_SERVICE) == service and not is_of(one.tags, run_id) for one in groups
    )


def is_marked(instance: Instance, request: UndoRequest) -> bool:
    """Whether an instance carries the mark of the service, and did not before the run."""
    service = request.service
    return bool(service) and instance.tags.get(TAG_SERVICE) == service != request.service_before


def adopted_twin(world: World, request: UndoRequest) -> tuple[Instance, ...]:
    """Return the twin that a pair found and did not make, where it still exists."""
    if not request.twin_id:
        return ()
    try:
        twin = world.cloud.instance(request.twin_id)
    except NotFound:
        return ()
    return () if is_of(twin.tags, request.run_id) or twin.state == "terminated" else (twin,)


def members_of(world: World, group: TargetGroup) -> tuple[Seat, ...]:
    """Return the seats of a group that are taken."""
    return tuple(
        Seat(group.arn, group.name, target.port, target.instance_id)
        for target in world.cloud.targets(group.arn)
    )


def openings(
    world: World, members: tuple[Instance, ...], guards: tuple[SecurityGroup, ...]
) -> tuple[Opening, ...]:
    """Return the rules of the members' security groups that let the balancer in."""
    worn = dict.fromkeys(group for member in members for group in member.security_groups)
    peers = {guard.id for guard in guards}
    return tuple(
        Opening(group, rule)
        for group in (worn if peers else ())
        for rule in world.cloud.ingress_rules(group)
        if rule.from_group in peers
    )


def other_things(world: World, request: UndoRequest) -> tuple[str, ...]:
    """Return what the run used or should have made and that does not carry its tag, a sentence each."""
    cloud, name = world.cloud, resource_name(request.service) if request.service else ""
    found: list[tuple[str, Tags]] = [
        (f"the twin {twin.id}", twin.tags) for twin in adopted_twin(world, request)
    ]
    try:
        image = cloud.image(request.image_id) if request.image_id else None
    except NotFound:
        image = None
    if image and not image.is_lost:
        found.append((f"the image {image.id}", image.tags))
    balancer = cloud.load_balancer_named(name) if name else None
    if balancer:
        found.append((f"the load balancer {name}", balancer.tags))
    group = cloud.target_group_named(name) if name else None
    if group:
        found.append((f"the target group {name}", group.tags))
    return tuple(
        f"{what}: {f'{tags[TAG_RUN]} made it' if TAG_RUN in tags else 'no tag says that a run made it'}"
        for what, tags in found
        if not is_of(tags, request.run_id)
    )


def relied_on(world: World, twins: tuple[Instance, ...], groups: tuple[TargetGroup, ...]) -> tuple[str, ...]:
    """Return who relies on a twin outside what the run made."""
    cloud, ids = world.cloud, {twin.id for twin in twins}
    reasons = [
        f"{target.instance_id} serves in {group.name}"
        for group in (groups if ids else ())
        for target in cloud.targets(group.arn)
        if target.instance_id in {group.target_id(twin) for twin in twins}
    ]
    home = world.whereabouts().instance_id
    for twin in twins:
        if twin.id == home:
            reasons.append(f"nospof itself runs on {twin.id}")
        owner = cloud.auto_scaling_group_of(twin.id)
        if owner:
            reasons.append(f"{twin.id} belongs to the Auto Scaling group {owner}")
        if TAG_GUARANTEE in twin.tags:
            reasons.append(f"another run works on {twin.id} now ({twin.tags[TAG_GUARANTEE]})")
    return tuple(reasons)


def protected_by_somebody(
    world: World, twins: tuple[Instance, ...], balancers: tuple[LoadBalancer, ...]
) -> tuple[str, ...]:
    """Return what somebody has protected against being taken away, with how that is lifted."""
    return (
        *(
            f"{twin.id} is protected against termination (aws ec2 modify-instance-attribute "
            f"--instance-id {twin.id} --no-disable-api-termination)"
            for twin in twins
            if world.cloud.is_termination_protected(twin.id)
        ),
        *(
            f"the load balancer {one.name} is protected against deletion (aws elbv2 "
            f"modify-load-balancer-attributes --load-balancer-arn {one.arn} --attributes "
            "Key=deletion_protection.enabled,Value=false)"
            for one in balancers
            if world.cloud.is_deletion_protected(one.arn)
        ),
    )


def launched_from(world: World, images: tuple[Image, ...], run_id: str) -> tuple[str, ...]:
    """Return the instances of others that were launched from the images."""
    ids = {image.id for image in images}
    others = (one for one in world.cloud.instances() if not is_of(one.tags, run_id)) if ids else ()
    return tuple(one.id for one in others if one.image_id in ids)


# Changing ----------------------------------------------------------------------------------------


def have_it_serve(world: World, source_id: str, groups: tuple[TargetGroup, ...]) -> str:
    """Have the source in each group and healthy there."""
    for group in groups:
        register(world, group.arn, source_id, group.port)
    for group in groups:
        wait_healthy(world, group.arn, (source_id,))
    return source_id


def drain_others(world: World, leaving: tuple[Seat, ...]) -> tuple[str, ...]:
    """Drain everybody but the source, and wait until the balancer has let go of each (C75)."""
    ids = tuple(dict.fromkeys(one.target_id for one in leaving))
    for target_id in ids:
        drain(world, [one for one in leaving if one.target_id == target_id])
    return ids


def let_go(world: World, twin_ids: tuple[str, ...], run_id: str) -> tuple[str, ...]:
    """Lift the protection that the run's own twins have from their source."""
    mine = {one.id for one in world.cloud.instances(TAG_RUN, run_id)} & set(twin_ids)
    for twin_id in sorted(mine):
        world.cloud.allow_termination(twin_id)
    return tuple(sorted(mine))


def close(world: World, rules: tuple[Opening, ...], run_id: str) -> tuple[str, ...]:
    """Take away the rules that let the run's balancer in."""
    guards = {group.id for group in world.cloud.security_groups(TAG_RUN, run_id)}
    mine = [one for one in rules if one.rule.from_group in guards or one.is_among_members]
    for opening in mine:
        world.cloud.revoke(opening.group_id, opening.rule)
    return tuple(f"rule for port {one.rule.port} in {one.group_id}" for one in mine)


def unmark(world: World, instance_ids: tuple[str, ...], request: UndoRequest) -> tuple[str, ...]:
    """Give the members the marks they had before; one marked for something else meanwhile keeps that."""
    kept, dropped = marks_before(request)
    for instance_id in instance_ids:
        if is_marked(world.cloud.instance(instance_id), request):
            world.cloud.tag(instance_id, kept)
            world.cloud.untag(instance_id, dropped)
    return instance_ids
