"""Reading an account: the fewest calls, nothing lost, and the same estate whatever came first."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nospof.errors import CloudError
from nospof.model.cloud import LoadBalancerRequest
from nospof.model.estate import Estate
from nospof.model.kinds import ASKED
from nospof.model.kinds.additions import ADDITIONS
from nospof.model.kinds.kind import rows_of
from nospof.services.audit import audit_estate
from nospof.services.reading import read_estate, waves
from nospof.services.reading_plan import FEW, MENTIONS, WANTED
from support.audit_accounts import Pair
from support.memory_discovery import MemoryDiscovery
from support.scripted_discovery import ScriptedDiscovery, balancer, many

NOW = 1_800_000_000.0


def read(answers: dict[str, Any], **changes: Any) -> tuple[Estate, ScriptedDiscovery]:
    discovery = ScriptedDiscovery(answers, **changes)
    return read_estate(discovery, NOW), discovery


def told(estate: Estate) -> dict[str, list[tuple[str, Any]]]:
    return {kind: [(one.id, one.fields) for one in items] for kind, items in estate.items.items()}


def instances(*ids: str) -> dict[str, Any]:
    return {"Reservations": [{"Instances": [{"InstanceId": one}]} for one in ids]}


# Everything is asked for ------------------------------------------------------------------------------


LISTS = [one.call for one in ASKED.values() if not one.per and one.name not in MENTIONS]


def test_every_kind_is_asked_for_once_or_for_each_parent() -> None:
    _, discovery = read({})
    assert sorted(call for call, _ in discovery.asked) == sorted(LISTS)


def test_every_kind_is_read_after_its_parent() -> None:
    order = [kind.name for wave in waves() for kind in wave]
    assert sorted(order) == sorted(ASKED)
    assert all(order.index(one.per) < order.index(one.name) for one in ASKED.values() if one.per)


def test_what_is_left_out_or_added_is_of_kinds_there_are() -> None:
    assert WANTED.keys() <= {one.name for one in ASKED.values() if one.per}
    assert all(ASKED[one.kind].per == "" for one in ADDITIONS)


def test_who_is_asking_must_be_known() -> None:
    pair = Pair()
    pair.cloud.deny("identity")
    with pytest.raises(CloudError):
        read_estate(MemoryDiscovery(pair.cloud), NOW)


# Nothing is lost --------------------------------------------------------------------------------------


def test_every_page_counts_and_what_two_pages_tell_is_one() -> None:
    estate, _ = read({"ec2:DescribeInstances": [instances("i-2", "i-1"), {}, instances("i-3", "i-2")]})
    assert [one.id for one in estate.of("instance")] == ["i-1", "i-2", "i-3"]


def test_pages_before_a_refusal_are_kept_and_the_rest_is_named() -> None:
    estate, _ = read(
        {"ec2:DescribeInstances": [instances("i-1")]}, refused={"ec2:DescribeInstances": "Throttling"}
    )
    assert [one.id for one in estate.of("instance")] == ["i-1"]
    assert [(one.kind, one.operation, one.reason) for one in estate.unread] == [
        ("instances", "ec2:DescribeInstances", "Throttling")
    ]


def test_what_all_parents_refuse_alike_is_one_line() -> None:
    estate, _ = read(many(3), refused={"elbv2:DescribeListeners": "AccessDenied"})
    assert [one.says for one in estate.unread] == [
        "listeners (elasticloadbalancing:DescribeListeners: AccessDenied)"
    ]


def test_a_refusal_of_one_parent_among_several_is_named_after_it() -> None:
    pair = Pair()
    discovery = MemoryDiscovery(pair.cloud)
    subnets = tuple(one.id for one in pair.cloud.subnets(pair.members[0].vpc_id))
    pair.cloud.create_load_balancer(LoadBalancerRequest("other", subnets))
    pair.cloud.fail("listeners", "InternalError")
    unread = read_estate(discovery, NOW).unread
    assert [(one.kind, one.about in ("www", "other")) for one in unread] == [("listeners", True)]


def test_tags_of_balancers_are_theirs() -> None:
    answers = many(2)
    tags = [{"Key": "Name", "Value": "shop"}]
    answers["elbv2:DescribeTags"] = [{"TagDescriptions": [{"ResourceArn": balancer("b001"), "Tags": tags}]}]
    estate, _ = read(answers)
    assert [one.tags for one in estate.of("load balancer")] == [{}, {"Name": "shop"}]


def test_tags_that_are_denied_are_named_and_the_balancers_are_still_read() -> None:
    estate, _ = read(many(2), refused={"elbv2:DescribeTags": "AccessDenied"})
    assert [one.kind for one in estate.unread] == ["tags of load balancers"]
    assert not estate.is_unread("load balancer")


INDEX = "resourcegroupstaggingapi:GetResources"
TAGS = "elbv2:DescribeTags"


def indexed(*names: str) -> list[dict[str, Any]]:
    tags = [{"Key": "Name", "Value": "shop"}]
    return [{"ResourceTagMappingList": [{"ResourceARN": balancer(name), "Tags": tags}]} for name in names]


def test_tags_of_many_balancers_come_from_the_index_page_by_page() -> None:
    estate, discovery = read({**many(FEW + 1), INDEX: indexed("b001", "b002")})
    assert [one.tags for one in estate.of("load balancer")][:4] == [{}, *[{"Name": "shop"}] * 2, {}]
    assert discovery.times(TAGS) == 0


def test_tags_of_few_balancers_come_from_the_balancers() -> None:
    _, discovery = read(many(FEW))
    assert (discovery.times(INDEX), discovery.times(TAGS)) == (0, 1)


def test_where_the_index_is_denied_the_balancers_are_asked_and_nothing_is_unread() -> None:
    tags = [{"Key": "Name", "Value": "shop"}]
    told_by_them = [{"TagDescriptions": [{"ResourceArn": balancer("b020"), "Tags": tags}]}]
    answers = {**many(FEW + 1), INDEX: indexed("b000"), TAGS: told_by_them}
    estate, discovery = read(answers, refused={INDEX: "AccessDenied"})
    assert discovery.times(TAGS) == 2
    assert {one.label for one in estate.of("load balancer") if one.tags} == {"b020"}
    assert estate.unread == ()


def test_where_neither_tells_the_tags_they_are_named_once() -> None:
    refused = {INDEX: "AccessDenied", TAGS: "Throttling"}
    estate, _ = read(many(FEW + 1), refused=refused)
    assert [one.says for one in estate.unread] == [
        "tags of load balancers (elasticloadbalancing:DescribeTags: Throttling)"
    ]


@given(st.lists(st.integers(), max_size=3))
def test_rows_are_found_through_lists_and_single_records(numbers: list[int]) -> None:
    assert rows_of({"A": [{"B": [{"n": one} for one in numbers]}, {}]}, "A.B") == [{"n": n} for n in numbers]
    assert rows_of({"A": {"n": 1}}, "A") == [{"n": 1}]
    assert rows_of({"A": "name"}, "A") == ["name"]
    assert rows_of({}, "A.B") == []


# The fewest calls -------------------------------------------------------------------------------------


def test_a_small_account_is_asked_for_everything() -> None:
    estate, discovery = read(many(FEW))
    assert discovery.times("elbv2:DescribeListeners") == FEW
    assert discovery.times("elbv2:DescribeTargetHealth") == FEW
    assert estate.assumptions == ()


def test_a_large_account_is_not_asked_for_what_is_known_and_says_so() -> None:
    estate, discovery = read(many(FEW + 1))
    assert discovery.times("elbv2:DescribeListeners") == 0
    assert discovery.times("elbv2:DescribeTargetHealth") == 0
    assert len(estate.assumptions) == 2


@pytest.mark.parametrize(("balancers", "without"), [(FEW, FEW), (FEW + 1, 0)])
def test_a_group_whose_targets_were_not_asked_for_is_not_taken_for_one_without(
    balancers: int, without: int
) -> None:
    estate, discovery = read(many(balancers))
    assert discovery.times("elbv2:DescribeTargetHealth") == without
    down = [one for one in audit_estate(estate).findings if "without a registered target" in one.title]
    assert len(down) == without


def test_a_thousand_balancers_cost_one_call_beside_the_lists() -> None:
    _, discovery = read(many(1000))
    assert len(discovery.asked) == len(LISTS) + 1
    assert discovery.times(INDEX) == 1


def test_listeners_are_read_where_a_balancer_has_several_groups() -> None:
    _, discovery = read(many(FEW + 1, groups_each=2))
    assert discovery.times("elbv2:DescribeListeners") == FEW + 1


def test_health_is_read_where_no_scaling_group_answers_for_it() -> None:
    _, discovery = read(many(FEW + 1, scaled=False))
    assert discovery.times("elbv2:DescribeTargetHealth") == FEW + 1


@pytest.mark.parametrize(
    "change",
    [
        {"HealthCheckType": "EC2"},
        {"Instances": []},
        {"Instances": [{"InstanceId": "i", "LifecycleState": "Pending", "HealthStatus": "Healthy"}]},
        {"Instances": [{"InstanceId": "i", "LifecycleState": "InService", "HealthStatus": "Unhealthy"}]},
    ],
)
def test_health_is_read_where_the_scaling_group_does_not_see_it_or_not_all_is_well(
    change: dict[str, Any],
) -> None:
    answers = many(FEW + 1)
    group = answers["autoscaling:DescribeAutoScalingGroups"][0]["AutoScalingGroups"][0]
    group.update(change)
    _, discovery = read(answers)
    assert discovery.times("elbv2:DescribeTargetHealth") == 1


def test_a_group_that_no_balancer_uses_is_not_asked_for() -> None:
    answers = many(2)
    answers["elbv2:DescribeTargetGroups"][0]["TargetGroups"][0]["LoadBalancerArns"] = []
    _, discovery = read(answers)
    assert discovery.times("elbv2:DescribeTargetHealth") == 1


def test_listeners_are_read_when_nobody_could_read_the_groups() -> None:
    answers = many(FEW + 1)
    del answers["elbv2:DescribeTargetGroups"]
    _, discovery = read(answers, refused={"elbv2:DescribeTargetGroups": "AccessDenied"})
    assert discovery.times("elbv2:DescribeListeners") == FEW + 1


# The same estate --------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_the_estate_does_not_depend_on_which_answer_comes_first(data: st.DataObject) -> None:
    answers = many(4, groups_each=2)
    answers["ec2:DescribeInstances"] = [instances("i-2", "i-1")]
    calls = ["elbv2:DescribeListeners", "elbv2:DescribeTargetHealth", *answers]
    delays = {call: data.draw(st.sampled_from([0, 0.002, 0.005])) for call in calls}
    refused = dict.fromkeys(data.draw(st.sets(st.sampled_from(calls))), "Throttling")
    slow, _ = read(answers, delays=delays, refused=refused)
    quick, _ = read(answers, refused=refused)
    assert told(slow) == told(quick)
    assert slow.unread == quick.unread
    assert slow.assumptions == quick.assumptions


def test_a_watcher_is_told_of_every_call_and_in_order() -> None:
    says: list[tuple[str, float | None]] = []

    class Watcher:
        def progress(self, said: str, done: float | None = None) -> None:
            says.append((said, done))

    discovery = ScriptedDiscovery(many(2))
    read_estate(discovery, NOW, Watcher())
    total = len(discovery.asked)
    assert len(says) == total
    assert says[-1] == (f"reading: {total} of {total} calls", 1.0)
