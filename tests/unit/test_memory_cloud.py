"""The in-memory cloud: its time, its log, the faults it can be told, and the eyes that look at it."""

from __future__ import annotations

import inspect

import pytest

from nospof.adapters.memory import MemoryClock, MemoryCloud, MemoryProbe, MemoryService, Timings
from nospof.adapters.memory.account import OPERATIONS
from nospof.adapters.memory.machines import SPREAD_LIMIT, Disk
from nospof.errors import CloudError, NotFound, UnknownOutcome
from nospof.model.cloud import HealthCheck, LaunchRequest, LoadBalancerRequest, TargetGroupRequest
from nospof.model.plans import PlannedCall
from nospof.ports.cloud import Cloud


@pytest.fixture
def cloud():
    return MemoryCloud.with_one_instance(service=MemoryService(port=8080))


@pytest.fixture
def probe(cloud):
    return MemoryProbe(cloud)


def state(cloud):
    return cloud.the_instance.state


def image_of(cloud, name="image"):
    image = cloud.create_image(cloud.the_instance.id, name, {})
    cloud.clock.sleep(cloud.timings.image)
    return cloud.image(image.id)


def twin_request(cloud, zone=1, **changes):
    subnet = cloud.subnets(cloud.the_instance.vpc_id)[zone]
    given = {"token": "t", "image_id": cloud.base_image(), "type": "t3.small", "subnet_id": subnet.id}
    return LaunchRequest(**{**given, **changes})


def serving_group(cloud, *instance_ids, path="/"):
    vpc = cloud.the_instance.vpc_id
    group = cloud.create_target_group(TargetGroupRequest("tg", vpc, 8080, HealthCheck(path=path)))
    subnets = tuple(subnet.id for subnet in cloud.subnets(vpc)[:2])
    balancer = cloud.create_load_balancer(LoadBalancerRequest("lb", subnets))
    cloud.create_listener(balancer.arn, 80, group.arn)
    for instance_id in instance_ids:
        cloud.register(group.arn, instance_id, 8080)
    return group.arn, f"http://{balancer.dns_name}/"


ACTS_OF_MACHINES = {
    "apply_layout",
    "apply_sharing",
    "attach_mounts",
    "begin_command",
    "bootstrap_cluster",
    "command_state",
    "check_files",
    "check_tables",
    "copy_from_mounts",
    "copy_to_mounts",
    "database_state",
    "detach_mounts",
    "examine_database",
    "files_key",
    "files_state",
    "hand_over_writes",
    "hold_writes",
    "let_writes_go",
    "look_at_files",
    "look_at_mounts",
    "mend_tables",
    "mounts_state",
    "rest_database",
    "settle_files",
    "wake_database",
}


def test_it_has_every_method_of_the_port_and_logs_each():
    methods = {name for name, _ in inspect.getmembers(Cloud, inspect.isfunction) if name[0] != "_"}
    assert methods | ACTS_OF_MACHINES == set(OPERATIONS)
    for name in methods:
        ours, theirs = inspect.signature(getattr(MemoryCloud, name)), inspect.signature(getattr(Cloud, name))
        assert list(ours.parameters) == list(theirs.parameters), name


def test_two_clouds_asked_alike_answer_alike():
    def story():
        cloud = MemoryCloud.with_one_instance()
        image = image_of(cloud)
        cloud.launch(twin_request(cloud, image_id=image.id))
        return cloud.instances(), cloud.volumes(), cloud.image(image.id)

    assert story() == story()


def test_nothing_changes_until_time_passes(cloud):
    cloud.stop_instance(cloud.the_instance.id)
    assert [state(cloud), state(cloud)] == ["stopping", "stopping"]
    cloud.clock.sleep(cloud.timings.stopping - 0.1)
    assert cloud.instance(cloud.the_instance.id).state == "stopping"
    cloud.clock.sleep(0.1)
    assert cloud.instance(cloud.the_instance.id).state == "stopped"


def test_a_change_happens_when_it_is_due_and_not_when_it_is_noticed():
    def checks_after(*sleeps):
        cloud = MemoryCloud.with_one_instance()
        cloud.stop_instance(cloud.the_instance.id)
        cloud.clock.sleep(10)
        cloud.start_instance(cloud.the_instance.id)
        for seconds in sleeps:
            cloud.clock.sleep(seconds)
            status = cloud.instance_status((cloud.the_instance.id,))
        return status

    assert checks_after(30) == checks_after(*[1] * 30)


def test_calls_and_writes_are_logged_with_their_arguments(cloud):
    instance_id = cloud.the_instance.id
    cloud.instance(instance_id)
    cloud.tag(instance_id, {"a": "1"})
    cloud.instances(tag="a")
    assert cloud.calls == [
        ("instance", (instance_id,)),
        ("tag", (instance_id, {"a": "1"})),
        ("instances", ("a",)),
    ]
    assert [call.name for call in cloud.writes] == ["tag"]


def test_a_fault_strikes_as_often_as_asked_and_changes_nothing(cloud):
    instance_id = cloud.the_instance.id
    cloud.fail("stop_instance", "RequestLimitExceeded", times=2)
    for _ in range(2):
        with pytest.raises(CloudError) as caught:
            cloud.stop_instance(instance_id)
        assert (caught.value.code, caught.value.retryable) == ("RequestLimitExceeded", True)
        assert state(cloud) == "running"
    cloud.stop_instance(instance_id)
    assert state(cloud) == "stopping"


def test_a_fault_after_the_deed_leaves_the_outcome_unknown_and_the_deed_done(cloud):
    cloud.fail("create_image", "ReadTimeout", after=True)
    with pytest.raises(UnknownOutcome):
        cloud.create_image(cloud.the_instance.id, "image", {})
    assert cloud.image_named("image") is not None


def test_a_lost_request_leaves_the_outcome_unknown_and_nothing_done(cloud):
    cloud.fail("create_image", "ReadTimeout")
    with pytest.raises(UnknownOutcome):
        cloud.create_image(cloud.the_instance.id, "image", {})
    assert cloud.image_named("image") is None


def test_faults_that_cannot_be_are_refused(cloud):
    with pytest.raises(KeyError):
        cloud.fail("stop_the_world", "x")
    with pytest.raises(ValueError, match="writes nothing"):
        cloud.fail("instance", "x", after=True)


def test_a_start_finds_no_capacity_as_often_as_asked(cloud):
    instance_id = cloud.the_instance.id
    cloud.stop_instance(instance_id)
    cloud.clock.sleep(5)
    cloud.fail("start_instance", "InsufficientInstanceCapacity", times=1)
    with pytest.raises(CloudError) as caught:
        cloud.start_instance(instance_id)
    assert caught.value.retryable
    assert cloud.instance(instance_id).state == "stopped"
    cloud.start_instance(instance_id)
    assert cloud.instance(instance_id).state == "pending"


def test_what_is_denied_is_denied_in_its_rehearsal_too(cloud):
    call = PlannedCall("ec2", "StopInstances", {"InstanceIds": [cloud.the_instance.id]}, "stop")
    cloud.rehearse(call)
    cloud.deny("stop_instance")
    for attempt in (lambda: cloud.rehearse(call), lambda: cloud.stop_instance(cloud.the_instance.id)):
        with pytest.raises(CloudError) as caught:
            attempt()
        assert caught.value.is_denied
    assert state(cloud) == "running"


def test_a_rehearsal_knows_unknown_instances_but_not_stand_ins(cloud):
    parameters = {"InstanceIds": ["i-later"]}
    with pytest.raises(NotFound):
        cloud.rehearse(PlannedCall("ec2", "StopInstances", parameters, "stop"))
    cloud.rehearse(PlannedCall("ec2", "StopInstances", parameters, "stop", ("InstanceIds",)))


def test_a_late_id_is_waited_for_and_left_out_of_lists(cloud):
    cloud.late_ids = 3
    twin = cloud.launch(twin_request(cloud))
    assert twin.id not in {one.id for one in cloud.instances()}
    began = cloud.clock.now()
    assert cloud.instance(twin.id).id == twin.id
    assert cloud.clock.now() - began == 2


def test_an_id_that_stays_late_for_a_minute_is_not_found(cloud):
    cloud.late_ids = 1000
    twin = cloud.launch(twin_request(cloud))
    with pytest.raises(NotFound):
        cloud.instance(twin.id)


def test_an_image_can_end_as_failed(cloud):
    cloud.fail_image("Client.SnapshotLimitExceeded: quota")
    image = image_of(cloud)
    assert (image.state, image.state_reason, image.snapshot_ids) == (
        "failed",
        "Client.SnapshotLimitExceeded: quota",
        (),
    )
    volumes = tuple(at.volume_id for at in cloud.the_instance.attachments)
    assert {one.state for one in cloud.snapshots_of("image", volumes)} == {"error"}


def test_snapshots_tell_whether_the_source_was_still_off_when_they_began():
    cloud = MemoryCloud.with_one_instance(disks=(Disk("/dev/sda1", 8), Disk("/dev/sdf", 100)))
    source = cloud.the_instance
    cloud.stop_instance(source.id)
    cloud.clock.sleep(5)
    cloud.create_image(source.id, "sound", {})
    cloud.clock.sleep(cloud.timings.snapshot_appears)
    cloud.start_instance(source.id)
    assert cloud.source_states_of("sound") == ("stopped", "stopped")
    cloud.clock.sleep(60)
    cloud.create_image(source.id, "torn", {})
    cloud.clock.sleep(60)
    cloud.settle()
    assert cloud.source_states_of("torn") == ("running", "running")


def test_a_type_that_is_not_offered_in_a_zone_is_not_launched_there(cloud):
    cloud.offer("t3.small", (cloud.zones()[0].name,))
    assert cloud.zones_offering("t3.small") == (cloud.zones()[0].name,)
    with pytest.raises(CloudError) as caught:
        cloud.launch(twin_request(cloud, zone=1))
    assert caught.value.code == "Unsupported"
    cloud.launch(twin_request(cloud, zone=0))


def test_a_launch_that_was_refused_leaves_its_token_unused(cloud):
    cloud.fail("launch", "InsufficientInstanceCapacity")
    with pytest.raises(CloudError):
        cloud.launch(twin_request(cloud))
    cloud.launch(twin_request(cloud, zone=2))
    assert len(cloud.instances()) == 2


def test_a_spread_group_has_room_for_seven_in_a_zone(cloud):
    cloud.create_placement_group("pg", {})
    for number in range(SPREAD_LIMIT):
        cloud.launch(twin_request(cloud, token=str(number), placement_group="pg"))
    with pytest.raises(CloudError) as caught:
        cloud.launch(twin_request(cloud, token=str(SPREAD_LIMIT), placement_group="pg"))
    assert caught.value.code == "InsufficientInstanceCapacity"
    cloud.launch(twin_request(cloud, token=str(SPREAD_LIMIT + 1), zone=2, placement_group="pg"))


def test_a_stop_and_start_gives_another_public_address(cloud):
    before = cloud.the_instance.public_ip
    cloud.stop_instance(cloud.the_instance.id)
    cloud.clock.sleep(5)
    assert cloud.instance(cloud.the_instance.id).public_ip == ""
    cloud.start_instance(cloud.the_instance.id)
    assert cloud.the_instance.public_ip not in ("", before)


def test_a_hung_instance_is_running_and_impaired_until_it_is_stopped_and_started(cloud, probe):
    instance_id, url = cloud.the_instance.id, f"http://{cloud.the_instance.private_ip}:8080/"
    cloud.impair(instance_id)
    (status,) = cloud.instance_status((instance_id,))
    assert (status.state, status.instance_check, status.is_ok) == ("running", "impaired", False)
    assert probe.get(url).error == "timed out"
    cloud.stop_instance(instance_id)
    cloud.clock.sleep(5)
    cloud.start_instance(instance_id)
    cloud.clock.sleep(60)
    assert cloud.instance_status((instance_id,))[0].is_ok
    assert probe.get(url).is_good


def test_an_event_happens_when_it_is_due(cloud, probe):
    instance_id, url = cloud.the_instance.id, f"http://{cloud.the_instance.private_ip}:8080/"
    cloud.announce(instance_id, "system-reboot", in_seconds=100)
    assert cloud.instance_status((instance_id,))[0].events[0].is_live
    cloud.clock.sleep(100)
    assert not probe.get(url).is_good
    assert cloud.instance_status((instance_id,))[0].events[0].description.startswith("[Completed]")
    cloud.clock.sleep(cloud.timings.reboot)
    assert probe.get(url).is_good


def test_an_event_that_stops_the_instance_stops_it(cloud):
    cloud.announce(cloud.the_instance.id, "instance-stop", in_seconds=100)
    cloud.clock.sleep(100)
    assert cloud.instance(cloud.the_instance.id).state == "stopping"


def test_a_stop_and_start_is_done_with_an_event_but_a_reboot_is_not(cloud):
    instance_id = cloud.the_instance.id
    cloud.announce(instance_id, "system-reboot", in_seconds=10_000)
    cloud.reboot_instance(instance_id)
    assert cloud.instance_status((instance_id,))[0].events[0].is_live
    cloud.stop_instance(instance_id)
    cloud.clock.sleep(5)
    cloud.start_instance(instance_id)
    cloud.clock.sleep(20_000)
    (event,) = cloud.instance_status((instance_id,))[0].events
    assert event.description == "[Completed] scheduled maintenance"
    assert cloud.instance(instance_id).state == "running"


def test_something_can_happen_later(cloud):
    cloud.later(10, lambda: cloud.terminate(cloud.the_instance.id))
    cloud.clock.sleep(10)
    assert cloud.instance(cloud.the_instance.id).state == "shutting-down"


@pytest.mark.parametrize(
    ("port", "host", "error"),
    [(8080, "", ""), (81, "", "connection refused"), (8080, "nowhere", "name or service not known")],
)
def test_an_instance_answers_on_the_port_of_its_service(cloud, probe, port, host, error):
    answer = probe.get(f"http://{host or cloud.the_instance.public_ip}:{port}/")
    assert answer.error == error
    assert answer.is_good is not bool(error)


def test_a_service_answers_by_path(cloud, probe):
    service = MemoryService(8080, status=302, paths={"/health": 503}, location="/install")
    cloud.serve(cloud.the_instance.id, service)
    root = f"http://{cloud.the_instance.public_ip}:8080"
    assert probe.get(f"{root}/").says == "302 to /install"
    assert probe.get(f"{root}/health").status == 503


def test_a_balancer_goes_round_its_healthy_targets(cloud, probe):
    twin = cloud.launch(twin_request(cloud, image_id=image_of(cloud).id))
    cloud.clock.sleep(60)
    arn, url = serving_group(cloud, cloud.the_instance.id, twin.id)
    assert probe.get(url).error == "name or service not known"
    cloud.clock.sleep(60)
    bodies = [probe.get(url).body for _ in range(4)]
    assert set(bodies) == {f"served by {cloud.the_instance.id}", f"served by {twin.id}"}
    cloud.deregister(arn, twin.id, 8080)
    assert {probe.get(url).body for _ in range(4)} == {f"served by {cloud.the_instance.id}"}


def test_c64_a_balancer_fails_open_when_nobody_is_healthy(cloud, probe):
    arn, url = serving_group(cloud, cloud.the_instance.id, path="/health")
    cloud.serve(cloud.the_instance.id, MemoryService(8080, paths={"/health": 500}))
    cloud.clock.sleep(60)
    (target,) = cloud.targets(arn)
    assert (target.state, target.reason) == ("unhealthy", "Target.ResponseCodeMismatch")
    assert target.description == "Health checks failed with these codes: [500]"
    assert probe.get(url).is_good


def test_a_balancer_without_targets_says_503_and_with_a_dead_one_504(cloud, probe):
    arn, url = serving_group(cloud)
    cloud.clock.sleep(60)
    assert probe.get(url).status == 503
    cloud.register(arn, cloud.the_instance.id, 8080)
    cloud.stop_instance(cloud.the_instance.id)
    assert probe.get(url).status == 504


def test_a_rebooting_target_is_unhealthy_and_comes_back(cloud):
    arn, _ = serving_group(cloud, cloud.the_instance.id)
    cloud.clock.sleep(60)
    cloud.reboot_instance(cloud.the_instance.id)
    states = []
    for _ in range(30):
        states.append(cloud.targets(arn)[0].state)
        cloud.clock.sleep(1)
    assert states[0] == "unhealthy"
    assert states[-1] == "healthy"


def test_timings_can_be_chosen():
    cloud = MemoryCloud.with_one_instance(MemoryClock(0), timings=Timings(stopping=100))
    cloud.stop_instance(cloud.the_instance.id)
    cloud.clock.sleep(99)
    assert cloud.instance(cloud.the_instance.id).state == "stopping"


def test_one_subnet_twice_in_a_zone_is_refused_by_a_balancer(cloud):
    subnet = cloud.subnets(cloud.the_instance.vpc_id)[0].id
    with pytest.raises(CloudError) as caught:
        cloud.create_load_balancer(LoadBalancerRequest("lb", (subnet, subnet)))
    assert caught.value.code == "InvalidConfigurationRequest"


def test_an_auto_scaling_group_is_named(cloud):
    cloud.join_auto_scaling_group(cloud.the_instance.id, "web")
    assert cloud.auto_scaling_group_of(cloud.the_instance.id) == "web"


def test_reads_answer_as_before_a_write_for_a_while_and_a_new_id_is_waited_for():
    cloud = MemoryCloud.with_one_instance()
    cloud.stale_seconds = 5
    source = cloud.the_instance.id
    cloud.tag(source, {"a": "1"})
    assert "a" not in cloud.instance(source).tags
    assert cloud.instances("a") == ()
    cloud.clock.sleep(5)
    assert cloud.instance(source).tags["a"] == "1"
    began = cloud.clock.now()
    image = cloud.create_image(source, "new", {})
    assert cloud.image_named("new") is None
    assert cloud.image(image.id).state == "pending"
    assert cloud.clock.now() == began + 5
