"""The story of a pair whose balancer ends TLS, on the reference cloud."""

from dataclasses import replace

import pytest

from nospof.adapters.memory import MemoryService
from nospof.adapters.memory.probe import MemoryProbe
from nospof.errors import PreconditionFailed, ProcedureFailed, UsageError
from nospof.model.answers import Answer
from nospof.model.cloud import IngressRule
from nospof.model.requests import CloneRequest, DrillRequest, PairRequest
from nospof.planning.https_rules import setting_for
from nospof.procedures.clone import clone
from nospof.procedures.drill import service_facts
from nospof.procedures.pair import pair
from nospof.procedures.registry import pair_plan
from nospof.render.result_text import pair_text
from nospof.runtime.memory import MemorySteps
from support.certificates import memory_certificate
from support.memory_world import Silent, memory_world, one_instance
from support.standing import put_behind

NAME = "www.example.org"
TRUSTING = MemoryService(paths={"/health": 200}, forces_https=True, trusts_proxy=True)
DEAF = replace(TRUSTING, trusts_proxy=False)


class Listening(Silent):
    def __init__(self):
        self.warnings = []

    def warn(self, says):
        self.warnings.append(says)


def with_twin(service=None, **about):
    """A cloud with an instance, its twin and a certificate for the name."""
    cloud = one_instance(service=service or MemoryService())
    MemorySteps("before").tell(clone, memory_world(cloud), CloneRequest(cloud.the_instance.id))
    memory_certificate(cloud, NAME, **about)
    cloud.calls.clear()
    return cloud


def request_for(cloud, **request):
    asked = {"service": "www", "stateless": True, "names": NAME, "certificate": "auto", **request}
    return PairRequest(cloud.the_instance.id, **asked)


def tell(cloud, world=None, **request):
    return MemorySteps("run-1").tell(pair, world or memory_world(cloud), request_for(cloud, **request))


def listeners(cloud):
    (balancer,) = cloud.load_balancers()
    return [(one.port, one.protocol, one.redirects_to) for one in cloud.listeners(balancer.arn)]


def refusal(cloud, kind=PreconditionFailed, world=None, **request):
    with pytest.raises(kind) as refused:
        tell(cloud, world, **request)
    return str(refused.value)


# What comes of it -----------------------------------------------------------------------------------


def test_the_balancer_ends_tls_and_sends_plain_clients_there():
    cloud = with_twin()
    result = tell(cloud)
    assert listeners(cloud) == [(80, "HTTP", "https:443"), (443, "HTTPS", "")]
    assert result.url.startswith("https://")
    assert MemoryProbe(cloud).get(f"{result.url}/", host=NAME).is_good
    assert (result.watched_requests, result.watched_failures) == (20, 0)
    assert f"nospof drill www --name {NAME}" in pair_text(result)
    assert not any("https://" in one for one in result.next_steps)


def test_plain_clients_are_served_where_no_redirect_is_wanted():
    cloud = with_twin()
    tell(cloud, no_redirect=True)
    assert listeners(cloud) == [(80, "HTTP", ""), (443, "HTTPS", "")]


def test_who_may_reach_the_source_may_reach_both_ports():
    cloud = with_twin()
    cloud.allow(cloud.default_group, IngressRule(80, "10.0.0.0/8"))
    cloud.allow(cloud.default_group, IngressRule(443, "0.0.0.0/0"))
    tell(cloud)
    (guard,) = [key for key, group in cloud._groups.items() if group.name == "nospof-www"]
    assert set(cloud.ingress_rules(guard)) == {IngressRule(80, "10.0.0.0/8"), IngressRule(443, "0.0.0.0/0")}


def test_a_pair_that_spoke_http_gets_https_and_its_plain_listener_is_left_as_it_is():
    cloud = with_twin()
    tell(cloud, certificate="")
    heard = Listening()
    MemorySteps("run-2").tell(pair, replace(memory_world(cloud), reporter=heard), request_for(cloud))
    assert listeners(cloud) == [(80, "HTTP", ""), (443, "HTTPS", "")]
    assert any("modify-listener" in one for one in heard.warnings)


def test_a_port_that_does_something_else_is_not_taken_over():
    cloud = with_twin()
    tell(cloud, certificate="")
    assert "--https-port" in refusal(cloud, ProcedureFailed, https_port=80, listener_port=81)


def test_members_that_serve_https_are_spoken_to_in_https():
    cloud = with_twin(MemoryService(port=443, tls_port=443))
    tell(cloud, port=443)
    assert cloud.target_group_named("nospof-www").protocol == "HTTPS"


def test_the_plan_shows_certificate_names_ports_and_where_tls_ends():
    cloud = with_twin()
    plan = pair_plan(memory_world(cloud), request_for(cloud))
    made = [call.parameters for call in plan.calls if call.operation == "CreateListener"]
    assert [(one["Port"], one["Protocol"]) for one in made] == [(443, "HTTPS"), (80, "HTTP")]
    assert made[0]["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
    assert plan.details["names"] == NAME
    assert any("spoken to in HTTP on port 80" in one for one in plan.warnings)


def test_who_would_not_find_the_way_back_is_told_before_a_redirect_that_lasts():
    def remembered(cloud, **request):
        warnings = pair_plan(memory_world(cloud), request_for(cloud, **request)).warnings
        return any("browsers remember for good" in one for one in warnings)

    assert remembered(with_twin())
    assert not remembered(with_twin(), no_redirect=True)
    assert not remembered(with_twin(MemoryService(tls_port=443)))


def test_a_drill_comes_in_by_the_name_that_the_certificate_is_for():
    cloud = with_twin()
    tell(cloud)
    with pytest.raises(UsageError, match="--name"):
        service_facts(memory_world(cloud), DrillRequest("www"))
    facts = service_facts(memory_world(cloud), DrillRequest("www", name=NAME))
    assert facts.answer.is_good
    assert facts.url("/").startswith("https://")


# What is refused before anything is made ----------------------------------------------------------


def test_https_that_is_served_today_is_not_lost_unasked():
    cloud = with_twin(MemoryService(tls_port=443))
    said = refusal(cloud, certificate="")
    assert "--certificate auto" in said
    assert "--http-only" in said
    assert not cloud.writes
    assert tell(cloud, certificate="", http_only=True).url.startswith("http://")


def test_a_source_that_sends_plain_clients_to_its_own_https_is_told_of_port_443():
    cloud = with_twin(MemoryService(forces_https=True, tls_port=443))
    assert "--port 443" in refusal(cloud)


@pytest.mark.parametrize(
    ("headers", "setting"),
    [
        ({"x-redirect-by": "WordPress"}, "wp-config.php"),
        ({"x-generator": "Drupal 11"}, "reverse_proxy_addresses'] = ['172.31."),
        ({}, "trust X-Forwarded-Proto of 172.31."),
    ],
)
def test_c66_an_application_that_does_not_believe_its_balancer_is_refused_with_its_setting(headers, setting):
    cloud = with_twin(replace(DEAF, headers=headers))
    said = refusal(cloud, health_path="/health")
    assert f"https://{NAME}/ redirects in a loop" in said
    assert setting in said
    assert not cloud.writes


def test_c66_an_application_that_believes_its_balancer_becomes_a_pair():
    cloud = with_twin(TRUSTING)
    assert tell(cloud, health_path="/health").watched_failures == 0


def test_a_balancer_that_is_joined_keeps_its_listeners():
    cloud = with_twin()
    put_behind(cloud)
    assert "--new-balancer" in refusal(cloud)
    assert tell(cloud, new_balancer=True).url.startswith("https://")


def test_contradictions_are_refused():
    cloud = with_twin()
    refusal(cloud, UsageError, http_only=True)
    refusal(cloud, UsageError, https_port=80)
    refusal(cloud, UsageError, https_port=0)


# What stops it before anybody is pointed there ------------------------------------------------------


class Changing:
    """Eyes that see the twin's application forget its setting once it stands behind the balancer."""

    def __init__(self, cloud, status=0):
        self._cloud, self._probe, self._status = cloud, MemoryProbe(cloud), status

    def get(self, url, *, host="", headers=None, verify=True, timeout_seconds=5.0):
        is_start = url.endswith(("/", ".css"))
        if ".elb." in url and url.startswith("https") and is_start:
            location = "" if self._status else f"https://{host}/"
            return Answer(url, self._status or 301, 0.1, location=location)
        return self._probe.get(url, host=host, headers=headers, verify=verify)


def test_c66_a_loop_through_the_balancer_stops_the_run_before_the_source_joins():
    cloud = with_twin(TRUSTING)
    world = replace(memory_world(cloud), probe=Changing(cloud))
    said = refusal(cloud, ProcedureFailed, world, health_path="/health")
    assert "redirects in a loop" in said
    assert "Nobody was pointed at the balancer" in said
    (group,) = cloud.target_groups()
    assert cloud.the_instance.id not in {one.instance_id for one in cloud.targets(group.arn)}


def test_an_error_through_the_balancer_stops_the_run_too():
    cloud = with_twin(TRUSTING)
    world = replace(memory_world(cloud), probe=Changing(cloud, 500))
    assert "500" in refusal(cloud, ProcedureFailed, world, health_path="/health")


def test_a_certificate_that_is_not_trusted_here_stops_at_once_and_says_what_helps():
    cloud = with_twin()

    class Wary(Changing):
        def get(self, url, **more):
            if ".elb." in url and url.startswith("https"):
                return Answer(url, 0, 0.1, error="certificate not trusted: self-signed certificate")
            return self._probe.get(url, **more)

    began = cloud.clock.now()
    said = refusal(cloud, ProcedureFailed, replace(memory_world(cloud), probe=Wary(cloud)))
    assert "SSL_CERT_FILE" in said
    assert cloud.clock.now() - began < 120


def test_every_setting_names_who_is_to_be_trusted():
    assert all(setting_for(one, ("10.0.0.0/24",)) for one in ("WordPress", "Drupal", ""))
