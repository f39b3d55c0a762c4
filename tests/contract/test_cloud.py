"""Every promise of ports.cloud.Cloud that can be tested, on each of its implementations."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from nospof.adapters.aws import connection
from nospof.adapters.memory import MemoryCloud
from nospof.errors import CloudError, NotFound
from nospof.model.auto_scaling import GroupMember
from nospof.model.cloud import IngressRule, LoadBalancerRequest, SecurityGroupRequest
from nospof.model.names import Alias, RecordSet
from nospof.model.plans import PlannedCall
from nospof.model.starts import SCHEDULER, Role, ScheduledStart
from nospof.model.traits import DiskTraits, Traits
from support.cloud_gaps import GAPS

UNKNOWN = "0123456789abcdef0"


# Plain moto serves from a thread of the test's own process, and leaves sockets to the collector.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:Exception ignored in. <socket\.socket:pytest.PytestUnraisableExceptionWarning"
)


def balancer_request(stage, **changes):
    return LoadBalancerRequest(
        **{"name": stage.name("lb"), "subnet_ids": stage.two_subnets(), "is_internal": True, **changes}
    )


def serving_group(stage):
    """Return the ARN of a target group that a balancer forwards to."""
    group = stage.cloud.create_target_group(stage.group_request())
    balancer = stage.cloud.create_load_balancer(balancer_request(stage))
    stage.wait(lambda: stage.cloud.load_balancer_named(balancer.name).state == "active")
    stage.cloud.create_listener(balancer.arn, 8090, group.arn)
    return group.arn


def code_of(call, *arguments):
    """Return the code of the refusal, or an empty string when the call was carried out."""
    try:
        call(*arguments)
    except CloudError as error:
        return error.code
    return ""


class TestRoots:
    def test_a_running_instance_gets_the_root_of_an_image_and_keeps_all_else(self, stage, cloud):
        instance_id = stage.running()
        image = cloud.create_image(instance_id, stage.name("image"), {})
        stage.wait(lambda: cloud.image(image.id).state == "available")
        before, token = cloud.instance(instance_id), stage.name("token")
        task = cloud.replace_root(instance_id, image.id, token)
        assert (task.instance_id, task.image_id) == (instance_id, image.id)
        assert cloud.replace_root(instance_id, image.id, token).id == task.id
        stage.wait(lambda: cloud.root_task(task.id).state == "succeeded")
        stage.wait(lambda: cloud.instance_status((instance_id,))[0].is_ok)
        after = cloud.instance(instance_id)
        assert (after.private_ip, after.state) == (before.private_ip, "running")
        (was,), (now,) = before.attachments, after.attachments
        assert (was.device, was.delete_on_termination) == (now.device, now.delete_on_termination)
        assert was.volume_id != now.volume_id
        assert cloud.volumes((was.volume_id,))[0].attached_to == ()
        assert cloud.volumes((now.volume_id,))[0].attached_to == (instance_id,)

    def test_one_that_is_off_gets_none(self, stage, cloud):
        instance_id = stage.stopped()
        assert code_of(cloud.replace_root, instance_id, stage.image_id, "x") == "IncorrectInstanceState"

    def test_the_root_of_an_unknown_image_is_not_found(self, stage, cloud):
        instance_id = stage.running()
        assert code_of(cloud.replace_root, instance_id, f"ami-{UNKNOWN}", "y") == "InvalidAMIID.NotFound"

    def test_an_unknown_task_is_not_found(self, cloud):
        with pytest.raises(NotFound):
            cloud.root_task(f"replacevol-{UNKNOWN}")


class TestReading:
    def test_identity_names_account_caller_and_region(self, cloud):
        identity = cloud.identity()
        assert re.fullmatch(r"\d{12}", identity.account)
        assert identity.arn.startswith("arn:aws:")
        assert identity.region == "eu-central-1"

    def test_zones_come_by_name_and_ids_are_distinct(self, cloud):
        zones = cloud.zones()
        assert [zone.name for zone in zones] == sorted(zone.name for zone in zones)
        assert len({zone.id for zone in zones}) == len(zones) >= 2

    def test_subnets_come_by_zone_and_belong_to_the_vpc(self, stage, cloud):
        subnets = cloud.subnets(stage.vpc_id())
        assert list(subnets) == sorted(subnets, key=lambda subnet: (subnet.zone, subnet.id))
        assert {subnet.vpc_id for subnet in subnets} == {stage.vpc_id()}
        assert {subnet.zone for subnet in subnets} == {zone.name for zone in cloud.zones()}

    def test_default_subnets_are_public(self, stage, cloud):
        assert all(subnet.is_public and subnet.is_default for subnet in cloud.subnets(stage.vpc_id()))

    def test_an_unknown_instance_is_not_found(self, cloud):
        with pytest.raises(NotFound) as caught:
            cloud.instance(f"i-{UNKNOWN}")
        assert caught.value.code == "InvalidInstanceID.NotFound"
        assert UNKNOWN in str(caught.value)

    def test_a_terminated_instance_is_returned_alone_but_not_in_the_list(self, stage, cloud):
        instance_id = stage.running()
        stage.terminate(instance_id)
        stage.wait(lambda: cloud.instance(instance_id).state == "terminated")
        assert instance_id not in {instance.id for instance in cloud.instances()}

    def test_instances_come_by_id(self, stage, cloud):
        launched = {stage.launch().id, stage.launch().id}
        ids = [instance.id for instance in cloud.instances()]
        assert ids == sorted(ids)
        assert launched <= set(ids)

    def test_instances_are_found_by_tag_and_by_its_value(self, stage, cloud):
        key = stage.name("key")
        red, blue = stage.launch(tags={key: "red"}), stage.launch(tags={key: "blue"})
        stage.launch()
        assert {one.id for one in cloud.instances(key)} == {red.id, blue.id}
        assert [one.id for one in cloud.instances(key, "blue")] == [blue.id]

    def test_a_star_in_a_tag_value_matches_only_itself(self, stage, cloud):
        key = stage.name("key")
        star = stage.launch(tags={key: "a*"})
        stage.launch(tags={key: "ab"})
        assert [one.id for one in cloud.instances(key, "a*")] == [star.id]

    def test_status_is_given_for_stopped_instances_and_unknown_ones_do_not_hide_them(self, stage, cloud):
        stopped, running = stage.stopped(), stage.running()
        statuses = cloud.instance_status((stopped, f"i-{UNKNOWN}", running))
        assert [(one.instance_id, one.state) for one in statuses] == [
            (stopped, "stopped"),
            (running, "running"),
        ]

    def test_no_ids_ask_for_no_status(self, stage, cloud):
        stage.running()
        assert cloud.instance_status(()) == ()

    def test_a_running_instance_becomes_ok(self, stage, cloud):
        instance_id = stage.running()
        stage.wait(lambda: cloud.instance_status((instance_id,))[0].is_ok)

    def test_an_announced_event_is_in_the_status(self, stage, cloud):
        instance_id = stage.running()
        stage.announce(instance_id, "system-reboot")
        (event,) = cloud.instance_status((instance_id,))[0].events
        assert (event.code, event.is_live) == ("system-reboot", True)
        assert event.deadline > event.not_before
        told = {one.instance_id: one.events for one in cloud.announcements()}
        assert told[instance_id] == (event,)

    def test_an_event_is_moved_to_a_time_before_its_deadline_and_to_no_other(self, stage, cloud):
        instance_id = stage.running()
        stage.announce(instance_id, "system-reboot")
        (event,) = cloud.instance_status((instance_id,))[0].events
        for wrong in (event.deadline + 60, event.not_before - 1800):
            with pytest.raises(CloudError, match="InvalidInstanceEventStartTime"):
                cloud.move_event(instance_id, event.id, wrong)
        wanted = event.not_before + 1800
        for _ in range(2):
            cloud.move_event(instance_id, event.id, wanted)
        (moved,) = cloud.instance_status((instance_id,))[0].events
        assert (moved.id, moved.not_before, moved.deadline) == (event.id, wanted, event.deadline)
        assert moved.not_after - moved.not_before == event.not_after - event.not_before

    def test_one_that_nothing_is_announced_for_is_not_among_the_announcements(self, stage, cloud):
        assert stage.running() not in {one.instance_id for one in cloud.announcements()}

    def test_a_stop_and_start_is_done_with_what_was_announced_and_a_reboot_is_not(self, stage, cloud):
        instance_id = stage.running()
        for code in ("system-reboot", "instance-reboot"):
            stage.announce(instance_id, code)
        cloud.reboot_instance(instance_id)

        def live():
            events = cloud.instance_status((instance_id,))[0].events
            return sorted(one.code for one in events if one.is_live)

        assert live() == ["instance-reboot", "system-reboot"]
        cloud.stop_instance(instance_id)
        stage.wait(lambda: cloud.instance(instance_id).state == "stopped")
        cloud.start_instance(instance_id)
        assert live() == []
        events = cloud.instance_status((instance_id,))[0].events
        assert {one.description.partition(" ")[0] for one in events} == {"[Completed]"}

    def test_stop_protection_is_read(self, stage, cloud):
        instance_id = stage.running()
        assert not cloud.is_stop_protected(instance_id)
        stage.protect(instance_id)
        assert cloud.is_stop_protected(instance_id)

    def test_stop_protection_is_set_and_lifted_and_a_repeat_changes_nothing(self, stage, cloud):
        instance_id = stage.running()
        for on in (True, True, False, False):
            cloud.protect_from_stop(instance_id, on=on)
            assert cloud.is_stop_protected(instance_id) is on

    def test_an_ordinary_instance_has_nothing_around_it_that_keeps_it_from_being_stopped(self, stage, cloud):
        around = cloud.surroundings(cloud.instance(stage.running()))
        assert (around.spot_request, around.host_id, around.keys, around.more_interfaces) == ("", "", (), ())
        assert around.tenancy in ("", "default")
        assert not around.has_user_data
        assert [one for one in around.unread if "quota" not in one] == []

    def test_an_address_that_is_an_instances_is_told_to_be_its_and_one_that_nobody_has_is_left_out(
        self, stage, cloud
    ):
        instance = cloud.instance(stage.running())
        found = cloud.stores_behind(instance.vpc_id, (instance.private_ip, "192.0.2.9"), ())
        (holder,) = found.holders
        assert (holder.address, holder.instance_id) == (instance.private_ip, instance.id)
        assert holder.zone == instance.zone
        assert set(instance.security_groups) <= set(holder.groups)
        assert (found.databases, found.file_systems, found.unread) == ((), (), ())

    def test_an_instance_of_its_own_has_no_auto_scaling_group(self, stage, cloud):
        assert cloud.auto_scaling_group_of(stage.running()) == ""

    def test_a_group_knows_its_member_and_the_member_its_group(self, stage, cloud):
        instance_id = stage.running()
        name = stage.group_of(instance_id)
        assert cloud.auto_scaling_group_of(instance_id) == name
        group = cloud.auto_scaling_group(name)
        assert group.arn.endswith(f":autoScalingGroupName/{name}")
        assert group.members == (GroupMember(instance_id, "InService", "Healthy"),)
        assert (group.suspended, group.checks) == ((), ())

    def test_an_unknown_group_is_none(self, cloud):
        assert cloud.auto_scaling_group("unheard-of") is None

    def test_a_known_type_is_offered_in_zones_of_the_region(self, stage, cloud):
        offering = cloud.zones_offering(stage.instance_type)
        assert offering
        assert set(offering) <= {zone.name for zone in cloud.zones()}

    def test_an_unknown_type_is_offered_nowhere(self, cloud):
        assert cloud.zones_offering("x9.unheard-of") == ()

    @pytest.mark.parametrize(("kind", "has"), [("t3.small", False), ("i3.large", True), ("m5d.large", True)])
    def test_local_disks_are_known_by_type(self, cloud, kind, has):
        assert cloud.has_local_disks(kind) is has

    @pytest.mark.parametrize(
        ("kind", "architecture", "hypervisor"),
        [("t3.small", "x86_64", "nitro"), ("m6g.large", "arm64", "nitro"), ("t2.small", "x86_64", "xen")],
    )
    def test_what_boots_on_a_type_is_known(self, cloud, kind, architecture, hypervisor):
        if isinstance(cloud, MemoryCloud):
            cloud.offer(kind, ("eu-central-1a",))
        traits = cloud.type_traits(kind)
        assert architecture in traits.architectures
        assert (traits.name, traits.hypervisor) == (kind, hypervisor)
        assert ("uefi" in traits.boot_modes) is (hypervisor == "nitro")

    def test_an_instance_knows_its_volumes_and_they_know_it(self, stage, cloud):
        instance = cloud.instance(stage.running())
        assert instance.attachments
        volumes = cloud.volumes(tuple(at.volume_id for at in instance.attachments))
        assert {volume.attached_to for volume in volumes} == {(instance.id,)}
        assert {volume.zone for volume in volumes} == {instance.zone}

    def test_all_volumes_come_by_id(self, stage, cloud):
        mine = {at.volume_id for at in cloud.instance(stage.running()).attachments}
        ids = [volume.id for volume in cloud.volumes()]
        assert ids == sorted(ids)
        assert mine <= set(ids)

    def test_an_unknown_volume_is_not_found_even_beside_a_known_one(self, stage, cloud):
        known = cloud.instance(stage.running()).attachments[0].volume_id
        with pytest.raises(NotFound):
            cloud.volumes((known, f"vol-{UNKNOWN}"))

    def test_an_unknown_image_is_not_found(self, cloud):
        with pytest.raises(NotFound):
            cloud.image(f"ami-{UNKNOWN}")

    def test_what_has_no_such_name_is_none(self, stage, cloud):
        assert cloud.image_named(stage.name()) is None
        assert cloud.load_balancer_named(stage.name()) is None
        assert cloud.target_group_named(stage.name()) is None

    def test_an_image_that_was_not_taken_has_no_snapshots(self, stage, cloud):
        volume_id = cloud.instance(stage.running()).attachments[0].volume_id
        assert cloud.snapshots_of(stage.name(), (volume_id,)) == ()

    def test_an_unknown_security_group_is_not_found(self, cloud):
        with pytest.raises(NotFound):
            cloud.ingress_rules(f"sg-{UNKNOWN}")

    def test_an_unknown_target_group_is_not_found(self, stage, cloud):
        arn = cloud.create_target_group(stage.group_request()).arn
        with pytest.raises(NotFound):
            cloud.targets(arn[:-4] + "0000")


class TestRehearsing:
    def test_an_allowed_write_is_rehearsed_and_nothing_happens(self, stage, cloud):
        instance_id = stage.running()
        cloud.rehearse(PlannedCall("ec2", "StopInstances", {"InstanceIds": [instance_id]}, "stop"))
        cloud.rehearse(
            PlannedCall("ec2", "CreateImage", {"InstanceId": instance_id, "Name": "rehearsed"}, "image")
        )
        assert cloud.instance(instance_id).state == "running"
        assert cloud.image_named("rehearsed") is None

    def test_a_write_that_has_no_dry_run_is_not_attempted(self, stage, cloud):
        name = stage.name("tg")
        with pytest.raises(CloudError):
            cloud.rehearse(PlannedCall("elbv2", "CreateTargetGroup", {"Name": name}, "make a group"))
        assert cloud.target_group_named(name) is None

    def test_a_read_is_rehearsed_like_a_write(self, cloud):
        cloud.rehearse(PlannedCall("ec2", "DescribeSnapshots", {}, "look"))

    def test_whoever_may_do_all_is_told_so_of_a_call_without_a_rehearsal_and_nothing_happens(
        self, stage, cloud
    ):
        name = stage.name("tg")
        call = PlannedCall(
            "elbv2", "CreateTargetGroup", {"Name": name, "Tags": []}, "make", on=(f"targetgroup/{name}/0",)
        )
        assert cloud.simulate(call) == dict.fromkeys(call.permissions, True)
        assert cloud.target_group_named(name) is None


class TestTags:
    def test_tags_are_put_on_and_taken_off_and_repeats_change_nothing(self, stage, cloud):
        instance_id = stage.running(tags={"kept": "1"})
        for _ in range(2):
            cloud.tag(instance_id, {"a": "1", "b": "2"})
            assert cloud.instance(instance_id).tags == {"kept": "1", "a": "1", "b": "2"}
        for _ in range(2):
            cloud.untag(instance_id, ("a", "never-there"))
            assert cloud.instance(instance_id).tags == {"kept": "1", "b": "2"}

    def test_no_tags_and_no_keys_change_nothing(self, stage, cloud):
        instance_id = stage.running(tags={"kept": "1"})
        cloud.tag(instance_id, {})
        cloud.untag(instance_id, ())
        assert cloud.instance(instance_id).tags == {"kept": "1"}

    def test_an_unknown_instance_cannot_be_tagged(self, cloud):
        with pytest.raises(NotFound):
            cloud.tag(f"i-{UNKNOWN}", {"a": "1"})


class TestPower:
    def test_a_stop_ends_in_stopped_and_repeats_change_nothing(self, stage, cloud):
        instance_id = stage.running()
        cloud.stop_instance(instance_id)
        assert cloud.instance(instance_id).state in ("stopping", "stopped")
        cloud.stop_instance(instance_id)
        stage.wait(lambda: cloud.instance(instance_id).state == "stopped")
        cloud.stop_instance(instance_id)
        assert cloud.instance(instance_id).state == "stopped"
        assert cloud.instance(instance_id).state_reason

    def test_a_start_ends_in_running_and_repeats_change_nothing(self, stage, cloud):
        instance_id = stage.stopped()
        cloud.start_instance(instance_id)
        cloud.start_instance(instance_id)
        stage.wait(lambda: cloud.instance(instance_id).state == "running")
        cloud.start_instance(instance_id)
        assert cloud.instance(instance_id).state == "running"

    def test_a_started_instance_is_seen_to_be_pending(self, stage, cloud):
        # A busy computer may blink while it happens; five times in a row it does not.
        seen = []
        while len(seen) < 5 and "pending" not in seen:
            instance_id = stage.stopped()
            cloud.start_instance(instance_id)
            seen.append(cloud.instance(instance_id).state)
        assert "pending" in seen

    def test_a_start_is_refused_while_stopping(self, stage, cloud):
        codes = []
        while len(codes) < 5 and "IncorrectInstanceState" not in codes:
            instance_id = stage.running()
            cloud.stop_instance(instance_id)
            codes.append(code_of(cloud.start_instance, instance_id))
        assert codes[-1] == "IncorrectInstanceState"

    def test_stopping_a_terminated_instance_is_refused(self, stage, cloud):
        instance_id = stage.running()
        stage.terminate(instance_id)
        stage.wait(lambda: cloud.instance(instance_id).state == "terminated")
        with pytest.raises(CloudError) as caught:
            cloud.stop_instance(instance_id)
        assert caught.value.code == "IncorrectInstanceState"

    def test_a_stop_protected_instance_is_not_stopped(self, stage, cloud):
        instance_id = stage.running()
        stage.protect(instance_id)
        with pytest.raises(CloudError) as caught:
            cloud.stop_instance(instance_id)
        assert caught.value.code == "OperationNotPermitted"
        assert cloud.instance(instance_id).state == "running"

    def test_a_rebooted_instance_keeps_running(self, stage, cloud):
        instance_id = stage.running()
        cloud.reboot_instance(instance_id)
        assert cloud.instance(instance_id).state == "running"

    def test_rebooting_a_stopped_instance_is_refused(self, stage, cloud):
        instance_id = stage.stopped()
        with pytest.raises(CloudError) as caught:
            cloud.reboot_instance(instance_id)
        assert caught.value.code == "IncorrectInstanceState"

    @pytest.mark.parametrize("act", ["stop_instance", "start_instance", "reboot_instance"])
    def test_an_unknown_instance_has_no_power_switch(self, cloud, act):
        with pytest.raises(NotFound):
            getattr(cloud, act)(f"i-{UNKNOWN}")


class TestImages:
    def test_an_image_becomes_available_and_a_repeat_returns_it(self, stage, cloud):
        instance_id, name = stage.stopped(), stage.name("image")
        image = cloud.create_image(instance_id, name, {"nospof:run": "r1"})
        assert (image.name, image.state) == (name, "pending")
        assert cloud.create_image(instance_id, name, {"nospof:run": "r1"}).id == image.id
        stage.wait(lambda: cloud.image(image.id).state == "available")
        assert cloud.create_image(instance_id, name, {}).id == image.id
        found = cloud.image_named(name)
        assert found is not None
        assert (found.id, found.tags) == (image.id, {"nospof:run": "r1"})

    def test_every_volume_gets_a_snapshot_found_by_the_image_name(self, stage, cloud):
        instance_id, name = stage.stopped(), stage.name("image")
        volumes = tuple(at.volume_id for at in cloud.instance(instance_id).attachments)
        image = cloud.create_image(instance_id, name, {})
        stage.wait(lambda: len(cloud.snapshots_of(name, volumes)) == len(volumes))
        assert {one.volume_id for one in cloud.snapshots_of(name, volumes)} == set(volumes)
        stage.wait(lambda: cloud.image(image.id).state == "available")
        completed = cloud.snapshots_of(name, volumes)
        assert {(one.state, one.progress_percent) for one in completed} == {("completed", 100)}
        assert set(cloud.image(image.id).snapshot_ids) == {one.id for one in completed}

    def test_snapshots_tell_their_point_in_time_and_an_instance_its_last_start(self, stage, cloud):
        instance_id, name = stage.stopped(), stage.name("image")
        launched_at = cloud.instance(instance_id).launched_at
        volumes = tuple(at.volume_id for at in cloud.instance(instance_id).attachments)
        cloud.create_image(instance_id, name, {})
        stage.wait(lambda: cloud.snapshots_of(name, volumes))
        cloud.start_instance(instance_id)
        stage.wait(lambda: cloud.instance(instance_id).state == "running")
        began = max(one.started_at for one in cloud.snapshots_of(name, volumes))
        assert launched_at <= began <= cloud.instance(instance_id).launched_at + 1  # whole seconds

    def test_the_snapshots_of_a_volume_that_was_not_asked_for_are_left_out(self, stage, cloud):
        instance_id, name = stage.stopped(), stage.name("image")
        cloud.create_image(instance_id, name, {})
        volumes = tuple(at.volume_id for at in cloud.instance(instance_id).attachments)
        stage.wait(lambda: cloud.snapshots_of(name, volumes))
        assert cloud.snapshots_of(name, (f"vol-{UNKNOWN}",)) == ()
        assert cloud.snapshots_of(name, ()) == ()

    def test_a_running_source_keeps_running(self, stage, cloud):
        instance_id = stage.running()
        cloud.create_image(instance_id, stage.name("image"), {})
        assert cloud.instance(instance_id).state == "running"

    def test_an_unknown_instance_has_no_image(self, stage, cloud):
        with pytest.raises(NotFound):
            cloud.create_image(f"i-{UNKNOWN}", stage.name("image"), {})

    def test_a_twin_comes_out_of_an_image(self, stage, cloud):
        instance_id = stage.stopped()
        image = cloud.create_image(instance_id, stage.name("image"), {})
        stage.wait(lambda: cloud.image(image.id).state == "available")
        twin = cloud.instance(stage.running(image_id=image.id))
        source = cloud.instance(instance_id)
        assert (twin.image_id, twin.root_device) == (image.id, source.root_device)
        assert [at.device for at in twin.attachments] == [at.device for at in source.attachments]
        assert not {at.volume_id for at in twin.attachments} & {at.volume_id for at in source.attachments}

    def test_nothing_is_launched_from_an_image_that_is_pending(self, stage, cloud):
        def launch(request):
            stage.launched(cloud.launch(request))

        source, codes = stage.stopped(), []
        while len(codes) < 5 and "InvalidAMIID.Unavailable" not in codes:
            request = stage.launch_request()
            image = cloud.create_image(source, stage.name("image"), {})
            codes.append(code_of(launch, replace(request, image_id=image.id)))
        assert codes[-1] == "InvalidAMIID.Unavailable"


class TestLaunching:
    def test_a_launched_instance_is_what_was_asked_for(self, stage, cloud):
        subnet = cloud.subnets(stage.vpc_id())[-1]
        group = cloud.create_security_group(SecurityGroupRequest(stage.name("sg"), "test", stage.vpc_id()))
        instance_id = stage.running(subnet_id=subnet.id, security_groups=(group,), tags={"Name": "asked"})
        instance = cloud.instance(instance_id)
        assert (instance.zone, instance.subnet_id, instance.vpc_id) == (subnet.zone, subnet.id, subnet.vpc_id)
        assert (instance.image_id, instance.type) == (stage.image_id, stage.instance_type)
        assert (instance.security_groups, instance.tags) == ((group,), {"Name": "asked"})
        assert instance.private_ip
        assert instance.launched_at

    def test_volumes_carry_the_tags_of_their_instance(self, stage, cloud):
        instance = cloud.instance(stage.running(tags={"nospof:run": "r1"}))
        volumes = cloud.volumes(tuple(at.volume_id for at in instance.attachments))
        assert {volume.tags["nospof:run"] for volume in volumes} == {"r1"}

    def test_a_launch_is_pending_first(self, stage):
        assert stage.launch().state == "pending"

    def test_tags_that_belong_to_aws_are_not_copied(self, stage, cloud):
        instance_id = stage.running(tags={"Name": "a", "aws:cloudformation:stack-name": "s", "AWS:x": "y"})
        assert cloud.instance(instance_id).tags == {"Name": "a"}

    def test_a_repeat_with_the_same_token_returns_the_same_instance(self, stage, cloud):
        request = stage.launch_request()
        first = stage.launched(cloud.launch(request))
        assert stage.launched(cloud.launch(request)).id == first.id

    def test_another_token_launches_another_instance(self, stage):
        assert stage.launch().id != stage.launch().id

    def test_a_token_is_refused_for_another_type(self, stage, cloud):
        request = stage.launch_request()
        stage.launched(cloud.launch(request))
        with pytest.raises(CloudError) as caught:
            stage.launch(token=request.token, type="t3.large")
        assert caught.value.code == "IdempotentParameterMismatch"

    def test_a_token_used_with_other_tags_still_finds_its_instance(self, stage, cloud):
        request = stage.launch_request(tags={"Name": "before"})
        first = stage.launched(cloud.launch(request))
        again = stage.launch(token=request.token, tags={"Name": "after"})
        assert again.id == first.id

    def test_nothing_is_launched_from_an_unknown_image(self, stage):
        with pytest.raises(NotFound):
            stage.launch(image_id=f"ami-{UNKNOWN}")

    def test_nothing_is_launched_with_an_unknown_type(self, stage):
        with pytest.raises(CloudError):
            stage.launch(type="x9.unheard-of")


def settings_of(stage, **traits):
    """Return what an instance launched with these settings, and a root of its own, is told to have."""
    instance_id = stage.running(traits=Traits(**traits))
    return stage.cloud.surroundings(stage.cloud.instance(instance_id)).traits


class TestSettings:
    """A copy is what its source is: what a launch asks for is what is read back."""

    def test_metadata_options(self, stage):
        told = settings_of(
            stage, http_endpoint="enabled", http_tokens="required", hop_limit=2, metadata_tags="enabled"
        )
        assert (told.http_endpoint, told.http_tokens) == ("enabled", "required")
        assert (told.hop_limit, told.metadata_tags) == (2, "enabled")

    @pytest.mark.parametrize("on", [True, False])
    def test_monitoring_and_disk_throughput_of_its_own(self, stage, on):
        told = settings_of(stage, is_monitored_in_detail=on, is_ebs_optimized=on)
        assert (told.is_monitored_in_detail, told.is_ebs_optimized) == (on, on)

    def test_credits(self, stage):
        assert settings_of(stage, cpu_credits="standard").cpu_credits == "standard"
        assert settings_of(stage, cpu_credits="unlimited").cpu_credits == "unlimited"

    def test_protection_against_termination(self, stage, cloud):
        instance_id = stage.running(traits=Traits(is_termination_protected=True))
        assert cloud.is_termination_protected(instance_id)
        assert cloud.surroundings(cloud.instance(instance_id)).traits.is_termination_protected

    @pytest.mark.parametrize("what", ["stop", "terminate"])
    def test_what_a_shutdown_does(self, stage, what):
        assert settings_of(stage, shutdown_behavior=what).shutdown_behavior == what

    def test_private_names(self, stage):
        told = settings_of(stage, hostname_type="resource-name", has_name_record=True)
        assert (told.hostname_type, told.has_name_record) == ("resource-name", True)
        assert not told.has_ipv6_name_record

    def test_tenancy(self, stage, cloud):
        instance_id = stage.running(tenancy="dedicated")
        assert cloud.surroundings(cloud.instance(instance_id)).tenancy == "dedicated"

    def test_passing_on_is_let_and_not_let_and_a_repeat_changes_nothing(self, stage, cloud):
        instance_id = stage.running()
        for on in (False, False, True, True):
            cloud.check_source_and_destination(instance_id, on=on)
            traits = cloud.surroundings(cloud.instance(instance_id)).traits
            assert traits.checks_source_and_destination is on

    def test_disks_are_what_was_bought_and_hold_what_the_image_holds(self, stage, cloud):
        device = cloud.instance(stage.running()).root_device
        asked = DiskTraits(device, "gp3", 20, 4000, 250, delete_on_termination=False)
        instance = cloud.instance(stage.running(traits=Traits(disks=(asked,)), volume_tags={"a": "1"}))
        (told,) = cloud.surroundings(instance).traits.disks
        assert told == replace(asked, tags={"a": "1"})

    def test_disks_of_an_older_kind_are_bought_without_what_it_does_not_sell(self, stage, cloud):
        device = cloud.instance(stage.running()).root_device
        asked = DiskTraits(device, "gp2", 20, 0, 0)
        instance = cloud.instance(stage.running(traits=Traits(disks=(asked,)), volume_tags={"a": "1"}))
        (told,) = cloud.surroundings(instance).traits.disks
        assert told == replace(asked, tags={"a": "1"})

    def test_an_instances_own_user_data_is_given_to_another_and_is_told_to_be_there(self, stage, cloud):
        first = stage.running(user_data="#!/bin/sh\nexit 0\n")
        other = stage.running(user_data_of=first)
        for instance_id in (first, other):
            assert cloud.surroundings(cloud.instance(instance_id)).has_user_data


class TestPlacement:
    def test_a_stopped_instance_moves_into_a_group_and_out_of_it(self, stage, cloud):
        name, instance_id = stage.name("pg"), stage.stopped()
        for _ in range(2):
            cloud.create_placement_group(name, {"nospof:run": "r1"})
        for _ in range(2):
            cloud.move_into_group(instance_id, name)
            assert cloud.instance(instance_id).placement_group == name
        cloud.move_into_group(instance_id, "")
        assert cloud.instance(instance_id).placement_group == ""

    def test_a_running_instance_is_not_moved(self, stage, cloud):
        name, instance_id = stage.name("pg"), stage.running()
        cloud.create_placement_group(name, {})
        with pytest.raises(CloudError) as caught:
            cloud.move_into_group(instance_id, name)
        assert caught.value.code == "IncorrectInstanceState"

    def test_an_instance_is_launched_into_a_group(self, stage, cloud):
        name = stage.name("pg")
        cloud.create_placement_group(name, {})
        assert cloud.instance(stage.running(placement_group=name)).placement_group == name


class TestSecurityGroups:
    def test_a_group_is_found_again_by_its_name(self, stage, cloud):
        request = SecurityGroupRequest(stage.name("sg"), "test", stage.vpc_id(), {"nospof:run": "r1"})
        assert cloud.create_security_group(request) == cloud.create_security_group(request)

    def test_peers_are_let_in_and_a_repeat_changes_nothing(self, stage, cloud):
        group = cloud.create_security_group(SecurityGroupRequest(stage.name("sg"), "test", stage.vpc_id()))
        rules = (
            IngressRule(0, cidr="10.0.0.0/8"),
            IngressRule(80, cidr="0.0.0.0/0"),
            IngressRule(80, cidr="::/0"),
            IngressRule(8080, from_group=group),
        )
        assert cloud.ingress_rules(group) == ()
        for _ in range(2):
            for rule in rules:
                cloud.allow(group, rule)
            assert cloud.ingress_rules(group) == rules


class TestTargetGroups:
    def test_a_group_is_what_was_asked_for_and_a_repeat_returns_it(self, stage, cloud):
        request = stage.group_request(tags={"nospof:run": "r1"}, deregistration_delay_seconds=17)
        made = cloud.create_target_group(request)
        assert cloud.create_target_group(request) == made
        found = cloud.target_group_named(request.name)
        assert found == made
        assert (found.port, found.target_type, found.health_check) == (
            request.port,
            "instance",
            request.health_check,
        )
        assert (found.deregistration_delay_seconds, found.tags) == (17, {"nospof:run": "r1"})

    def test_visitors_stay_at_a_member_of_a_group_that_was_made_so(self, stage):
        group = stage.cloud.create_target_group(stage.group_request(sticky_seconds=3600))
        if isinstance(stage.cloud, MemoryCloud):
            assert stage.cloud.sticky_seconds_of(group.arn) == 3600
        else:
            said = stage.cloud.elbv2.describe_target_group_attributes(TargetGroupArn=group.arn)["Attributes"]
            found = {one["Key"]: one["Value"] for one in said}
            assert found["stickiness.enabled"] == "true"
            assert found["stickiness.lb_cookie.duration_seconds"] == "3600"

    def test_a_group_of_the_same_name_that_differs_is_refused(self, stage, cloud):
        request = stage.group_request()
        cloud.create_target_group(request)
        with pytest.raises(CloudError) as caught:
            cloud.create_target_group(stage.group_request(name=request.name, port=request.port + 1))
        assert caught.value.code == "DuplicateTargetGroupName"

    def test_a_name_of_33_characters_is_refused(self, stage, cloud):
        with pytest.raises(CloudError):
            cloud.create_target_group(stage.group_request(name="n" * 33))

    def test_groups_come_by_name(self, stage, cloud):
        mine = {cloud.create_target_group(stage.group_request()).arn for _ in range(2)}
        groups = cloud.target_groups()
        assert [group.name for group in groups] == sorted(group.name for group in groups)
        assert mine <= {group.arn for group in groups}


class TestBalancers:
    def test_a_balancer_becomes_active_and_a_repeat_returns_it(self, stage, cloud):
        request = balancer_request(stage, tags={"nospof:run": "r1"})
        made = cloud.create_load_balancer(request)
        assert made.state == "provisioning"
        assert cloud.create_load_balancer(request).arn == made.arn
        stage.wait(lambda: cloud.load_balancer_named(request.name).state == "active")
        found = cloud.load_balancer_named(request.name)
        zones = {one.zone for one in cloud.subnets(stage.vpc_id()) if one.id in request.subnet_ids}
        assert (set(found.zones), found.type, found.is_cross_zone) == (zones, "application", True)
        assert found.tags == {"nospof:run": "r1"}
        assert found.dns_name

    def test_balancers_come_by_name(self, stage, cloud):
        mine = {cloud.create_load_balancer(balancer_request(stage)).arn for _ in range(2)}
        balancers = cloud.load_balancers()
        assert [one.name for one in balancers] == sorted(one.name for one in balancers)
        assert mine <= {one.arn for one in balancers}

    def test_the_names_that_lead_to_a_balancer_are_known(self, stage, cloud):
        balancer, other = (cloud.create_load_balancer(balancer_request(stage)) for _ in "ab")
        name = f"www.{stage.name()}.example.com"
        assert cloud.names_of(balancer.dns_name) == ()
        stage.name_leads_to(name, balancer.dns_name)
        assert cloud.names_of(balancer.dns_name) == (name,)
        assert cloud.names_of(other.dns_name) == ()

    def test_one_subnet_is_refused(self, stage, cloud):
        request = balancer_request(stage, subnet_ids=stage.two_subnets()[:1])
        with pytest.raises(CloudError):
            cloud.create_load_balancer(request)
        assert cloud.load_balancer_named(request.name) is None

    def test_a_listener_forwards_and_a_repeat_returns_it(self, stage, cloud):
        group = cloud.create_target_group(stage.group_request())
        other = cloud.create_target_group(stage.group_request())
        balancer = cloud.create_load_balancer(balancer_request(stage))
        made = cloud.create_listener(balancer.arn, 8090, group.arn)
        assert (made.port, made.protocol, made.forwards_to) == (8090, "HTTP", ((group.arn, 1),))
        assert cloud.create_listener(balancer.arn, 8090, group.arn) == made
        assert cloud.create_listener(balancer.arn, 8090, other.arn) == made
        assert cloud.listeners(balancer.arn) == (made,)
        assert cloud.target_group_named(group.name).balancer_arns == (balancer.arn,)

    def test_a_listener_with_a_certificate_speaks_https_and_a_repeat_returns_it(self, stage, cloud):
        group = cloud.create_target_group(stage.group_request())
        balancer = cloud.create_load_balancer(balancer_request(stage))
        certificate = stage.certificate("shop.example.org")
        made = cloud.create_listener(balancer.arn, 8493, group.arn, certificate)
        assert (made.port, made.protocol, made.forwards_to) == (8493, "HTTPS", ((group.arn, 1),))
        assert cloud.create_listener(balancer.arn, 8493, group.arn, certificate) == made
        assert cloud.listeners(balancer.arn) == (made,)

    def test_a_listener_redirects_to_https_and_a_repeat_returns_it(self, stage, cloud):
        group = cloud.create_target_group(stage.group_request())
        balancer = cloud.create_load_balancer(balancer_request(stage))
        made = cloud.create_redirect(balancer.arn, 8090, 8493)
        assert (made.protocol, made.forwards_to, made.redirects_to) == ("HTTP", (), "https:8493")
        assert cloud.create_redirect(balancer.arn, 8090, 443) == made
        assert cloud.create_listener(balancer.arn, 8090, group.arn) == made
        assert cloud.listeners(balancer.arn) == (made,)

    def test_a_listener_with_a_certificate_nobody_knows_is_refused(self, stage, cloud, monkeypatch):
        # What was made a moment ago may not be known everywhere yet; here nothing becomes known by waiting.
        monkeypatch.setattr(connection, "PATIENCE_SECONDS", 1.0)
        group = cloud.create_target_group(stage.group_request())
        balancer = cloud.create_load_balancer(balancer_request(stage))
        unknown = stage.certificate("shop.example.org")[:-12] + "000000000000"
        with pytest.raises(NotFound):
            cloud.create_listener(balancer.arn, 8493, group.arn, unknown)
        assert cloud.listeners(balancer.arn) == ()

    def test_certificates_come_by_arn_with_all_their_names(self, stage, cloud):
        names = ("shop.example.org", "*.shop.example.org")
        arns = {stage.certificate(*names), stage.certificate(*names)}
        found = cloud.certificates()
        assert [one.arn for one in found] == sorted(one.arn for one in found)
        mine = [one for one in found if one.arn in arns]
        assert [(one.status, one.key_type, set(one.names)) for one in mine] == [
            ("ISSUED", "EC_prime256v1", set(names))
        ] * 2
        assert all(one.expires_at > cloud.instance(stage.launch().id).launched_at for one in mine)

    def test_a_group_may_speak_https_to_its_members(self, stage, cloud):
        request = stage.group_request(protocol="HTTPS")
        made = cloud.create_target_group(request)
        assert made.protocol == "HTTPS"
        assert cloud.target_group_named(request.name) == made
        assert code_of(cloud.create_target_group, replace(request, protocol="HTTP")) == (
            "DuplicateTargetGroupName"
        )

    def test_listeners_come_by_port(self, stage, cloud):
        group = cloud.create_target_group(stage.group_request())
        balancer = cloud.create_load_balancer(balancer_request(stage))
        for port in (8092, 8091):
            cloud.create_listener(balancer.arn, port, group.arn)
        assert [listener.port for listener in cloud.listeners(balancer.arn)] == [8091, 8092]

    def test_an_unknown_balancer_has_no_listeners(self, stage, cloud):
        balancer = cloud.create_load_balancer(balancer_request(stage))
        with pytest.raises(NotFound):
            cloud.listeners(balancer.arn[:-4] + "0000")


OLD = RecordSet("www", "A", 300, ("203.0.113.7",))


class TestNames:
    """A change is a swap: it is made where what it replaces is there exactly so, and else not at all."""

    def zone(self, stage, **options):
        """Return a new zone's id and an old record in it, which is there."""
        name = f"{stage.name('zone')}.example.com"
        zone_id = stage.add_zone(name, **options)
        record = replace(OLD, name=f"www.{name}")
        stage.cloud.replace_records(zone_id, (), (record,))
        return zone_id, record

    def weighted(self, record):
        """Return what shares a record's name between its address and a balancer."""
        alias = Alias("Z35SXDOTRQ7X7K", "www-1.elb.example.com", asks_health=True)
        kept = replace(record, ttl_seconds=60, identifier="a", weight=90)
        return kept, RecordSet(record.name, "A", alias=alias, identifier="b", weight=10)

    def test_zones_are_known_with_their_names_and_whether_they_are_private(self, stage, cloud):
        zone_id, record = self.zone(stage)
        found = next(zone for zone in cloud.hosted_zones() if zone.id == zone_id)
        assert found.holds(record.name)
        assert not found.is_private
        private = stage.add_zone(f"{stage.name('zone')}.internal", is_private=True)
        assert next(zone for zone in cloud.hosted_zones() if zone.id == private).is_private

    def test_the_records_of_one_name_are_all_of_them_and_no_others(self, stage, cloud):
        zone_id, record = self.zone(stage)
        beside = [
            RecordSet(record.name, "AAAA", 60, ("2001:db8::1",)),
            replace(record, name=f"a.{record.name}"),
            replace(record, name=f"zzz{record.name[3:]}"),
        ]
        cloud.replace_records(zone_id, (), tuple(beside))
        assert cloud.record_sets(zone_id, record.name) == (record, beside[0])
        assert {record, *beside} <= set(cloud.record_sets(zone_id))
        assert cloud.record_sets(zone_id, f"b.{record.name}") == ()

    def test_a_record_becomes_two_by_weight_and_is_as_before_again(self, stage, cloud):
        zone_id, record = self.zone(stage)
        change_id = cloud.replace_records(zone_id, (record,), self.weighted(record))
        assert cloud.record_sets(zone_id, record.name) == self.weighted(record)
        stage.wait(lambda: cloud.is_in_sync(change_id))
        cloud.replace_records(zone_id, self.weighted(record), (record,))
        assert cloud.record_sets(zone_id, record.name) == (record,)

    def test_a_change_is_not_answered_everywhere_at_once(self, stage, cloud):
        zone_id, record = self.zone(stage)
        change_id = cloud.replace_records(zone_id, (record,), (replace(record, ttl_seconds=60),))
        assert not cloud.is_in_sync(change_id)
        stage.wait(lambda: cloud.is_in_sync(change_id))

    @pytest.mark.parametrize("differs", [{"ttl_seconds": 60}, {"values": ("203.0.113.8",)}])
    def test_what_is_there_otherwise_is_not_replaced(self, stage, cloud, differs):
        zone_id, record = self.zone(stage)
        other = replace(record, **differs)
        swap = (zone_id, (other,), (replace(record, ttl_seconds=30),))
        assert code_of(cloud.replace_records, *swap) == "InvalidChangeBatch"
        assert cloud.record_sets(zone_id, record.name) == (record,)

    def test_of_a_batch_that_cannot_be_made_whole_nothing_is_made(self, stage, cloud):
        zone_id, record = self.zone(stage)
        kept, added = self.weighted(record)
        batch = (zone_id, (kept,), (replace(record, name=f"new.{record.name}"),))
        assert code_of(cloud.replace_records, *batch) == "InvalidChangeBatch"
        assert cloud.record_sets(zone_id, f"new.{record.name}") == ()
        assert code_of(cloud.replace_records, zone_id, (), (added,)) == "InvalidChangeBatch"
        assert cloud.record_sets(zone_id, record.name) == (record,)

    def test_an_unknown_zone_is_not_found(self, cloud):
        with pytest.raises(NotFound):
            cloud.record_sets("Z00000000UNKNOWN")
        with pytest.raises(NotFound):
            cloud.replace_records("Z00000000UNKNOWN", (), (replace(OLD, name="www.example.com"),))


class TestTargets:
    def test_a_target_without_a_balancer_is_unused(self, stage, cloud):
        group, instance_id = cloud.create_target_group(stage.group_request()), stage.running()
        cloud.register(group.arn, instance_id, stage.port)
        (target,) = cloud.targets(group.arn)
        assert (target.instance_id, target.port) == (instance_id, stage.port)
        assert (target.state, target.reason) == ("unused", "Target.NotInUse")

    def test_a_target_becomes_healthy_and_a_repeat_changes_nothing(self, stage, cloud):
        arn, instance_id = serving_group(stage), stage.running()
        cloud.register(arn, instance_id, stage.port)
        stage.wait(lambda: cloud.targets(arn)[0].is_healthy)
        cloud.register(arn, instance_id, stage.port)
        assert [target.is_healthy for target in cloud.targets(arn)] == [True]

    def test_a_target_on_a_port_nobody_listens_on_is_unhealthy(self, stage, cloud):
        arn, instance_id = serving_group(stage), stage.running()
        cloud.register(arn, instance_id, stage.port + 1)
        stage.wait(lambda: cloud.targets(arn)[0].state == "unhealthy")
        assert cloud.targets(arn)[0].reason

    def test_a_deregistered_target_drains_then_is_gone_and_a_repeat_changes_nothing(self, stage, cloud):
        arn, instance_id = serving_group(stage), stage.running()
        cloud.register(arn, instance_id, stage.port)
        stage.wait(lambda: cloud.targets(arn)[0].is_healthy)
        cloud.deregister(arn, instance_id, stage.port)
        assert [target.state for target in cloud.targets(arn)] == ["draining"]
        cloud.deregister(arn, instance_id, stage.port)
        stage.wait(lambda: cloud.targets(arn) == ())
        cloud.deregister(arn, instance_id, stage.port)

    def test_targets_come_by_id(self, stage, cloud):
        group = cloud.create_target_group(stage.group_request())
        ids = [stage.running(), stage.running()]
        for instance_id in sorted(ids, reverse=True):
            cloud.register(group.arn, instance_id, stage.port)
        assert [target.instance_id for target in cloud.targets(group.arn)] == sorted(ids)

    def test_an_unknown_instance_is_not_registered(self, stage, cloud):
        group = cloud.create_target_group(stage.group_request())
        with pytest.raises(CloudError) as caught:
            cloud.register(group.arn, f"i-{UNKNOWN}", stage.port)
        assert caught.value.code == "InvalidTarget"

    def test_a_stopped_instance_is_not_registered(self, stage, cloud):
        group, instance_id = cloud.create_target_group(stage.group_request()), stage.stopped()
        with pytest.raises(CloudError) as caught:
            cloud.register(group.arn, instance_id, stage.port)
        assert caught.value.code == "InvalidTarget"

    def test_a_member_that_is_stopped_is_not_healthy(self, stage, cloud):
        arn, instance_id = serving_group(stage), stage.running()
        cloud.register(arn, instance_id, stage.port)
        stage.wait(lambda: cloud.targets(arn)[0].is_healthy)
        cloud.stop_instance(instance_id)
        stage.wait(lambda: cloud.targets(arn)[0].state == "unused")
        assert cloud.targets(arn)[0].reason == "Target.InvalidState"


class TestClassicBalancers:
    """A classic balancer is told as the target group that it is."""

    def test_it_is_a_balancer_with_listeners_that_lead_to_itself(self, stage, cloud):
        name = stage.name("old")
        arn = stage.classic(name)
        (balancer,) = [one for one in cloud.load_balancers() if one.name == name]
        assert (balancer.type, balancer.is_cross_zone, len(balancer.zones)) == ("classic", False, 2)
        assert balancer.dns_name
        assert [dict(one.forwards_to) for one in cloud.listeners(arn)] == [{arn: 1}]
        (group,) = [one for one in cloud.target_groups() if one.arn == arn]
        assert (group.name, group.port, group.balancer_arns) == (f"classic/{name}", stage.port, (arn,))
        assert (group.vpc_id, group.target_type) == (stage.vpc_id(), "instance")
        assert (group.health_check.protocol, group.health_check.path) == ("TCP", "")
        assert (group.health_check.port, cloud.targets(arn)) == (stage.port, ())

    def test_a_member_becomes_healthy_leaves_and_repeats_change_nothing(self, stage, cloud):
        arn, instance_id = stage.classic(stage.name("old")), stage.running()
        for _ in range(2):
            cloud.register(arn, instance_id, stage.port)
        stage.wait(lambda: cloud.targets(arn)[0].is_healthy)
        assert [(one.instance_id, one.port) for one in cloud.targets(arn)] == [(instance_id, stage.port)]
        for _ in range(2):
            cloud.deregister(arn, instance_id, stage.port)
        stage.wait(lambda: cloud.targets(arn) == ())

    def test_an_unknown_one_has_no_members(self, stage, cloud):
        arn = stage.classic(stage.name("old"))
        with pytest.raises(NotFound):
            cloud.targets(arn + "x")


class TestTakingAway:
    """What is gone already is no error: each is taken away twice."""

    def test_a_terminated_instance_is_gone_and_a_repeat_changes_nothing(self, stage, cloud):
        instance_id = stage.running()
        cloud.terminate_instance(instance_id)
        cloud.terminate_instance(instance_id)
        stage.wait(lambda: cloud.instance(instance_id).state == "terminated")
        cloud.terminate_instance(instance_id)
        cloud.terminate_instance(f"i-{UNKNOWN}")

    def test_an_instance_that_is_protected_is_not_terminated(self, stage, cloud):
        instance_id = stage.running()
        assert not cloud.is_termination_protected(instance_id)
        stage.protect_from_termination(instance_id)
        assert cloud.is_termination_protected(instance_id)
        assert code_of(cloud.terminate_instance, instance_id) == "OperationNotPermitted"
        assert cloud.instance(instance_id).state == "running"
        for _ in range(2):
            cloud.allow_termination(instance_id)
        assert not cloud.is_termination_protected(instance_id)
        cloud.terminate_instance(instance_id)

    def test_a_balancer_that_is_protected_is_not_deleted(self, stage, cloud):
        balancer = cloud.create_load_balancer(balancer_request(stage))
        assert not cloud.is_deletion_protected(balancer.arn)
        stage.protect_balancer(balancer.arn)
        assert cloud.is_deletion_protected(balancer.arn)
        assert code_of(cloud.delete_load_balancer, balancer.arn) == "OperationNotPermitted"

    def test_an_image_goes_and_then_its_snapshots(self, stage, cloud):
        run, instance_id = stage.name("run"), stage.stopped()
        image = cloud.create_image(instance_id, stage.name("image"), {"nospof:run": run})
        stage.wait(lambda: cloud.image(image.id).state == "available")
        assert [one.id for one in cloud.images("nospof:run", run)] == [image.id]
        assert image.id in {one.id for one in cloud.images("nospof:run")}
        snapshots = cloud.snapshots("nospof:run", run)
        assert {one.id for one in snapshots} == set(cloud.image(image.id).snapshot_ids)
        assert {one.tags["nospof:run"] for one in snapshots} == {run}
        assert code_of(cloud.delete_snapshot, snapshots[0].id) == "InvalidSnapshot.InUse"
        for _ in range(2):
            cloud.deregister_image(image.id)
        stage.wait(lambda: cloud.images("nospof:run", run) == ())
        for _ in range(2):
            for snapshot in snapshots:
                cloud.delete_snapshot(snapshot.id)
        assert cloud.snapshots("nospof:run", run) == ()

    def test_a_pending_image_is_deregistered_and_its_snapshots_deleted(self, stage, cloud):
        run, name, instance_id = stage.name("run"), stage.name("image"), stage.stopped()
        image = cloud.create_image(instance_id, name, {"nospof:run": run})
        stage.wait(lambda: cloud.snapshots("nospof:run", run))
        cloud.deregister_image(image.id)
        for snapshot in cloud.snapshots("nospof:run", run):
            cloud.delete_snapshot(snapshot.id)
        assert (cloud.snapshots("nospof:run", run), cloud.image_named(name)) == ((), None)

    def test_a_placement_group_with_a_member_stays_until_it_is_empty(self, stage, cloud):
        name, instance_id = stage.name("pg"), stage.stopped()
        cloud.create_placement_group(name, {"nospof:run": "r1"})
        (group,) = (one for one in cloud.placement_groups() if one.name == name)
        assert (group.strategy, group.tags) == ("spread", {"nospof:run": "r1"})
        cloud.move_into_group(instance_id, name)
        assert code_of(cloud.delete_placement_group, name) == "InvalidPlacementGroup.InUse"
        cloud.move_into_group(instance_id, "")
        for _ in range(2):
            cloud.delete_placement_group(name)
        assert name not in {one.name for one in cloud.placement_groups()}

    def test_a_security_group_that_another_lets_in_stays_until_that_is_revoked(self, stage, cloud):
        run = stage.name("run")
        asked = (
            SecurityGroupRequest(stage.name("sg"), "test", stage.vpc_id(), {"nospof:run": run}) for _ in "ab"
        )
        one, other = (cloud.create_security_group(request) for request in asked)
        assert {group.id for group in cloud.security_groups("nospof:run", run)} == {one, other}
        assert {group.vpc_id for group in cloud.security_groups("nospof:run", run)} == {stage.vpc_id()}
        rule, kept = IngressRule(80, from_group=one), IngressRule(81, cidr="0.0.0.0/0")
        cloud.allow(other, rule)
        cloud.allow(other, kept)
        assert code_of(cloud.delete_security_group, one) == "DependencyViolation"
        for _ in range(2):
            cloud.revoke(other, rule)
            assert cloud.ingress_rules(other) == (kept,)
        for _ in range(2):
            cloud.delete_security_group(one)
        assert [group.id for group in cloud.security_groups("nospof:run", run)] == [other]

    def test_a_security_group_with_an_instance_in_it_stays(self, stage, cloud):
        group = cloud.create_security_group(SecurityGroupRequest(stage.name("sg"), "test", stage.vpc_id()))
        stage.running(security_groups=(group,))
        assert code_of(cloud.delete_security_group, group) == "DependencyViolation"

    def test_a_target_group_in_use_stays_until_its_balancer_is_gone(self, stage, cloud):
        request = stage.group_request()
        group = cloud.create_target_group(request)
        balancer = cloud.create_load_balancer(balancer_request(stage))
        cloud.create_listener(balancer.arn, 8090, group.arn)
        assert code_of(cloud.delete_target_group, group.arn) == "ResourceInUse"
        for _ in range(2):
            cloud.delete_load_balancer(balancer.arn)
        stage.wait(lambda: cloud.load_balancer_named(balancer.name) is None)
        stage.wait(lambda: cloud.target_group_named(request.name).balancer_arns == ())
        for _ in range(2):
            cloud.delete_target_group(group.arn)
        assert cloud.target_group_named(request.name) is None


class TestStarts:
    def start(self, stage, instance_id, role, seconds, name=""):
        return ScheduledStart(name or stage.name("start"), instance_id, stage.now() + seconds, role)

    def test_a_role_tells_which_services_may_take_it(self, stage, cloud):
        name = stage.name("role")
        arn = stage.make_role(name, SCHEDULER)
        assert cloud.role(name) == Role(arn, (SCHEDULER,))

    def test_an_unknown_role_is_not_found(self, cloud):
        with pytest.raises(NotFound) as caught:
            cloud.role("nobody")
        assert caught.value.code == "NoSuchEntity"

    def test_a_start_happens_at_its_time_and_one_that_was_moved_at_its_new_one(self, stage, cloud):
        role = stage.make_role(stage.name("role"), SCHEDULER)
        one, moved = stage.stopped(), stage.stopped()
        later = self.start(stage, moved, role, 3600)
        cloud.schedule_start(later)
        cloud.schedule_start(self.start(stage, one, role, 1))
        cloud.schedule_start(self.start(stage, moved, role, 2, name=later.name))
        stage.wait(lambda: {cloud.instance(each).state for each in (one, moved)} == {"running"})
        cloud.cancel_start(later.name)  # it is forgotten by now, and that is no error

    def test_a_start_that_is_taken_back_does_not_happen(self, stage, cloud):
        role = stage.make_role(stage.name("role"), SCHEDULER)
        spared, started = stage.stopped(), stage.stopped()
        start = self.start(stage, spared, role, 1)
        cloud.schedule_start(start)
        for _ in range(2):
            cloud.cancel_start(start.name)
        cloud.schedule_start(self.start(stage, started, role, 2))
        stage.wait(lambda: cloud.instance(started).state == "running")
        assert cloud.instance(spared).state == "stopped"

    def test_a_start_as_a_role_that_the_scheduler_may_not_take_is_refused(self, stage, cloud):
        role = stage.make_role(stage.name("role"), "ec2.amazonaws.com")
        start = self.start(stage, stage.running(), role, 3600)
        assert code_of(cloud.schedule_start, start) == "ValidationException"


def test_every_known_gap_is_a_promise_tested_here():
    tests = {name for thing in globals().values() if isinstance(thing, type) for name in vars(thing)}
    assert {name for gaps in GAPS.values() for name in gaps} <= tests


class TestTypes:
    def test_a_stopped_instance_becomes_one_of_another_type_and_a_repeat_changes_nothing(self, stage, cloud):
        instance_id = stage.stopped()
        for _ in range(2):
            cloud.change_type(instance_id, "t3.small")
            assert cloud.instance(instance_id).type == "t3.small"

    def test_a_running_instance_stays_what_it_is(self, stage, cloud):
        instance_id = stage.running()
        assert code_of(cloud.change_type, instance_id, "t3.small") == "IncorrectInstanceState"
        assert cloud.instance(instance_id).type == stage.instance_type


class TestAutoScaling:
    def test_processes_are_suspended_and_resumed_and_a_repeat_changes_nothing(self, stage, cloud):
        name = stage.group_of(stage.running())
        for _ in range(2):
            cloud.suspend_processes(name, ("HealthCheck", "Terminate"))
            assert set(cloud.auto_scaling_group(name).suspended) == {"HealthCheck", "Terminate"}
        for _ in range(2):
            cloud.resume_processes(name, ("Terminate",))
            assert cloud.auto_scaling_group(name).suspended == ("HealthCheck",)

    def test_a_group_of_which_nothing_is_asked_is_left_as_it_is(self, stage, cloud):
        name = stage.group_of(stage.running())
        cloud.suspend_processes(name, ())
        assert cloud.auto_scaling_group(name).suspended == ()

    def test_a_mark_is_taken_back_while_nothing_is_replaced(self, stage, cloud):
        instance_id = stage.running()
        name = stage.group_of(instance_id)
        cloud.suspend_processes(name, ("ReplaceUnhealthy",))
        stage.mark_unhealthy(instance_id)
        assert cloud.auto_scaling_group(name).member(instance_id).health == "Unhealthy"
        for _ in range(2):
            cloud.mark_healthy(instance_id)
            assert cloud.auto_scaling_group(name).member(instance_id).health == "Healthy"

    def test_a_member_that_is_off_is_ended_unless_the_processes_are_suspended(self, stage, cloud):
        instance_id = stage.running()
        name = stage.group_of(instance_id)
        processes = ("HealthCheck", "ReplaceUnhealthy")
        cloud.suspend_processes(name, processes)
        cloud.stop_instance(instance_id)
        stage.wait(lambda: cloud.instance(instance_id).state == "stopped")
        cloud.resume_processes(name, processes)
        stage.wait(lambda: cloud.instance(instance_id).state in ("shutting-down", "terminated"))

    def test_a_group_that_is_gone_acts_no_more_and_cannot_be_suspended(self, cloud):
        cloud.resume_processes("unheard-of", ("Terminate",))
        assert code_of(cloud.suspend_processes, "unheard-of", ("Terminate",)) == "ValidationError"

    def test_what_is_in_no_group_is_healthy_for_all_it_matters(self, stage, cloud):
        cloud.mark_healthy(stage.running())
