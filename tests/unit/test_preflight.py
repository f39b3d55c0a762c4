"""What is known before an instance is turned off: each public case, met and not met."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nospof.errors import PreconditionFailed
from nospof.model.auto_scaling import AutoScalingGroup, GroupMember
from nospof.model.cloud import Attachment, Instance
from nospof.model.requests import CloneRequest
from nospof.model.surroundings import Inside, Key, Mark, NamedAddress, Surroundings, Whereabouts
from nospof.planning.concerns import CONSENTS, SourceFacts
from nospof.planning.preflight import RULES, heed

SOURCE = Instance(
    id="i-1",
    state="running",
    type="t3.small",
    image_id="ami-1",
    zone="za",
    subnet_id="subnet-a",
    vpc_id="vpc-1",
    private_ip="10.0.0.4",
    root_device="/dev/sda1",
    attachments=(Attachment("/dev/sda1", "vol-1"),),
    tags={"Name": "site"},
)
FACTS = SourceFacts(source=SOURCE, auto_scaling_group="", is_stop_protected=False, has_local_disks=False)
KEY = Key("arn:key/1", "Enabled", "CUSTOMER", ("vol-1",))
MARKETPLACE = {"product_codes": ("abc",)}


def facts(**changes: Any) -> SourceFacts:
    """Return facts with changes, each where its name belongs."""
    parts: dict[str, dict[str, Any]] = {"source": {}, "around": {}, "inside": {}, "nospof": {}, "": {}}
    homes = {"source": Instance, "around": Surroundings, "inside": Inside, "nospof": Whereabouts}
    for name, value in changes.items():
        home = next((one for one, kind in homes.items() if name in kind.__dataclass_fields__), "")
        parts[home][name] = value
    changed = {
        name: replace(getattr(FACTS, name), **values) for name, values in parts.items() if name and values
    }
    return replace(FACTS, **changed, **parts[""])


def heard(request: CloneRequest | None = None, **changes: Any) -> str:
    return "\n".join(heed(facts(**changes), request or CloneRequest("i-1")))


def refusal(request: CloneRequest | None = None, **changes: Any) -> str:
    with pytest.raises(PreconditionFailed) as refused:
        heed(facts(**changes), request or CloneRequest("i-1"))
    assert str(refused.value).endswith("Nothing was changed.")
    return str(refused.value)


def test_an_ordinary_instance_is_not_refused() -> None:
    assert heard() == "a stopped instance gives its capacity back; a start may have to wait for new capacity"


def test_while_a_run_works_on_the_other_member_this_one_is_not_turned_off() -> None:
    other = replace(SOURCE, id="i-2")
    assert "a run works on i-2 now, and i-1 serves meanwhile" in refusal(worked_on=(other,))
    assert "i-2" not in heard(worked_on=(other,), state="stopped")


def test_c01_a_member_of_an_auto_scaling_group_is_refused_with_the_way_out() -> None:
    assert "enter-standby --instance-ids i-1 --auto-scaling-group-name web" in refusal(
        auto_scaling_group="web"
    )


def test_c02_a_one_time_spot_instance_is_refused_and_its_request_named() -> None:
    assert "request one-time sir-1" in refusal(lifecycle="spot", spot_request="one-time sir-1")


def test_c04_an_instance_store_root_is_refused() -> None:
    assert "instance-store" in refusal(root_device_type="instance-store")


@pytest.mark.parametrize("name", ["xvda", "/dev/sda2", "/dev/sda"])
def test_c05_a_root_of_any_name_is_known_by_its_name(name: str) -> None:
    heard(root_device=name, attachments=(Attachment(name, "vol-1"),))


def test_c05_a_root_that_is_not_among_the_disks_is_refused() -> None:
    assert "/dev/xvda" in refusal(root_device="/dev/xvda")


def test_c06_local_disks_need_consent() -> None:
    assert "--local-disks-are-scratch" in refusal(has_local_disks=True)
    heard(CloneRequest("i-1", local_disks_are_scratch=True), has_local_disks=True)


def test_c07_what_keeps_it_from_booting_needs_consent() -> None:
    traps = ("fstab wants /data without nofail, and nothing is mounted there now",)
    assert "/data" in refusal(boot_traps=traps)
    assert "(accepted with --it-boots-again)" in heard(
        CloneRequest("i-1", it_boots_again=True), boot_traps=traps
    )
    heard(boot_traps=traps, state="stopped")


def test_c07_a_machine_nobody_could_look_into_is_not_checked_and_not_fine() -> None:
    assert "not checked: what is inside i-1: not managed by SSM" in heard(
        unread=("what is inside i-1: not managed by SSM",)
    )


def test_c08_stop_protection_is_refused_and_overridden_only_with_consent() -> None:
    assert "--no-disable-api-stop" in refusal(is_stop_protected=True)
    assert "accepted" in heard(CloneRequest("i-1", override_stop_protection=True), is_stop_protected=True)
    heard(is_stop_protected=True, state="stopped")


@pytest.mark.parametrize("state", ["pending", "stopping", "shutting-down", "terminated"])
def test_c09_only_what_runs_or_is_off_is_begun_with(state: str) -> None:
    assert f"i-1 is {state}" in refusal(state=state)


def test_c11_the_risk_of_no_capacity_is_told_before_the_stop() -> None:
    assert "gives its capacity back" in heard()
    assert "gives its capacity back" not in heard(state="stopped")


def test_c14_a_key_of_ones_own_may_keep_it_off_and_nobody_can_tell() -> None:
    assert "not checked: whether you may kms:CreateGrant on arn:key/1" in heard(keys=(KEY,))
    assert "CreateGrant" not in heard(keys=(replace(KEY, manager="AWS"),))


@pytest.mark.parametrize("state", ["Disabled", "PendingDeletion", "Unavailable", "PendingImport", ""])
def test_c15_a_key_that_cannot_be_used_is_refused(state: str) -> None:
    said = refusal(keys=(replace(KEY, state=state),))
    assert "would not come back" in said
    assert "arn:key/1 of vol-1" in said


def test_c23_a_marketplace_product_is_told() -> None:
    assert "Marketplace product abc" in heard(**MARKETPLACE)


def test_c24_an_owner_that_will_not_know_the_twin_is_told() -> None:
    assert "the CloudFormation stack prod" in heard(tags={"aws:cloudformation:stack-name": "prod"})
    assert "the cluster blue" in heard(tags={"kubernetes.io/cluster/blue": "owned"})


def test_c26_a_public_address_that_is_lost_needs_consent_and_names_are_told() -> None:
    lost = {"public_ip": "203.0.113.7", "records": (NamedAddress("www.example.org", "Z1", 300),)}
    said = refusal(**lost)
    assert "203.0.113.7" in said
    assert "www.example.org" in said
    assert "--allow-address-change" in said
    heard(CloneRequest("i-1", allow_address_change=True), **lost)


def test_c26_an_elastic_address_stays() -> None:
    assert "203.0.113.7" not in heard(public_ip="203.0.113.7", elastic_addresses=("203.0.113.7",))


def test_c28_nospof_does_not_turn_off_the_machine_it_runs_on() -> None:
    assert "nospof itself is on i-1" in refusal(instance_id="i-1")
    heard(instance_id="i-2")


@pytest.mark.parametrize("address", ["10.0.0.4", "203.0.113.7"])
def test_c28_nospof_does_not_turn_off_its_own_database(address: str) -> None:
    kept = {"public_ip": "203.0.113.7", "elastic_addresses": ("203.0.113.7",)}
    assert "own database" in refusal(journal_addresses=("10.9.9.9", address), **kept)
    heard(journal_addresses=("10.9.9.9",), **kept)


@pytest.mark.parametrize(("used", "is_refused"), [(6, False), (7, True), (8, True)])
def test_c35_a_quota_without_room_for_the_twin_is_refused(used: int, is_refused: bool) -> None:
    of_quota = {"vcpus": 2, "vcpus_used": used, "vcpu_quota": 8.0, "quota_code": "L-1"}
    if is_refused:
        assert f"--quota-code L-1 --desired-value {used + 2}" in refusal(**of_quota)
    else:
        heard(**of_quota)


def test_c35_a_quota_nobody_could_read_refuses_nothing() -> None:
    heard(vcpus=2, vcpus_used=0, vcpu_quota=None)


def test_c51_user_data_is_not_run_again_and_that_is_told() -> None:
    assert "launched without" in heard(has_user_data=True)


def test_c54_jobs_that_would_run_twice_need_consent() -> None:
    said = refusal(jobs=tuple(f"cron {one}" for one in "abcdefg"))
    assert "cron a, cron b, cron c, cron d, cron e and 2 more" in said
    heard(CloneRequest("i-1", jobs_may_run_twice=True), jobs=("cron a",))


def test_c52_files_by_which_software_knows_its_machine_are_named() -> None:
    own = (Mark("node id", "/var/lib/consul/node-id", "a"), Mark("machine id", "/etc/machine-id", "b"))
    said = heard(marks=own)
    assert "the same /var/lib/consul/node-id as" in said
    assert "machine-id" not in said
    assert "knows its machine" not in heard(marks=own[1:])


def test_hosts_and_interfaces_that_the_twin_does_not_get_are_told() -> None:
    assert "dedicated host h-1" in heard(tenancy="host", host_id="h-1")
    assert "eni-2" in heard(more_interfaces=("eni-2",))


def test_everything_that_speaks_against_it_is_told_at_once() -> None:
    said = refusal(auto_scaling_group="web", is_stop_protected=True, public_ip="203.0.113.7")
    assert said.count("\n  - ") + said.startswith("- ") == 3
    for one in ("web", "disableApiStop", "203.0.113.7"):
        assert one in said


def test_every_consent_is_a_field_of_a_request_and_accepts_one_rule() -> None:
    for field in CONSENTS:
        assert field in CloneRequest.__dataclass_fields__
    everything = facts(
        is_stop_protected=True,
        has_local_disks=True,
        public_ip="203.0.113.7",
        boot_traps=("fstab",),
        jobs=("cron a",),
        auto_scaling_group="web",
        scaling=AutoScalingGroup("web", "arn:web", (GroupMember("i-1"),)),
    )
    asked = {
        concern.consent for rule in RULES if (concern := rule(everything)) and concern.level == "consent"
    }
    assert asked == set(CONSENTS.values())


def test_every_rule_names_its_public_case_or_says_why() -> None:
    assert all(rule.__doc__ for rule in RULES)
    assert len(set(RULES)) == len(RULES)
