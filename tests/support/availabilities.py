"""Services of small estates, and what they can be expected to give."""

from __future__ import annotations

from dataclasses import replace

from nospof.audit.analysis import analyse, analyse_pairs
from nospof.audit.availability import availability_of, with_minutes
from nospof.audit.builder import Entry, Service
from nospof.audit.entries import FRONTS
from nospof.audit.judging import RULES_OF_VIEW, judge
from nospof.audit.rates import Rates
from nospof.audit.readings import read_both_ways
from nospof.model.estate import Estate, Item, Use, Watched
from nospof.model.findings import Availability, Finding
from nospof.model.topology import Topology
from support.estates import A, B, account, balancer, group, instance, item, target
from support.services import find_services


def listener() -> Item:
    to = {"Type": "forward", "TargetGroupArn": "arn:group:www"}
    return item("listener", ListenerArn="arn:listener", LoadBalancerArn="arn:www", DefaultActions=[to])


def pair_of_instances() -> tuple[Item, ...]:
    machines = (instance("i-1", A), instance("i-2", B))
    return (*machines, balancer(), group(), listener(), target("i-1"), target("i-2"))


def pair_on(kind: str, key: str, *items: Item) -> Service:
    """A pair of machines that both need one store."""
    uses = tuple(Use(one, kind, key, "serving", "assumed") for one in ("i-1", "i-2"))
    estate = replace(account(*pair_of_instances(), *items), uses=uses)
    (only,) = find_services(estate, FRONTS).found
    return only


def service(*items: Item) -> Service:
    """The only service of an account that holds these."""
    (only,) = find_services(account(*items), FRONTS).found
    return only


def service_of(topology: Topology) -> Service:
    """A service with nothing but a topology; its machines are its instances."""
    members = tuple(node.name for node in topology.nodes if node.kind == "instance")
    return Service(Entry("s", "instance", "s"), topology, Watched(Estate("by hand")), members)


def expected(one: Service, rates: Rates | None = None) -> Availability:
    """What a service can be expected to give, with its findings and pairs."""
    known = analyse(one.topology)
    return availability_of(one, known, analyse_pairs(known), findings(one), rates or Rates())


def findings(one: Service) -> tuple[Finding, ...]:
    """The findings of a service with what each costs."""
    return with_minutes(judge(one, read_both_ways(one.topology), 0.0, RULES_OF_VIEW), one, Rates())


def term(found: Availability, begins: str) -> float:
    """The median of the one term that begins so."""
    (only,) = [one.minutes.likely for one in found.terms if one.says.startswith(begins)]
    return only
