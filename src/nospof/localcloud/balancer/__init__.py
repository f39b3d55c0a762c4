"""Load balancers as real HAProxy processes. Knows nothing of any cloud API."""

from nospof.localcloud.balancer.configuration import structure as check_structure
from nospof.localcloud.balancer.haproxy import HaproxyBalancer
from nospof.localcloud.balancer.process import stop_all_in, why_it_cannot_listen
from nospof.localcloud.balancer.runtime import HaproxyUnreachable, ServerView
from nospof.localcloud.balancer.spec import (
    Action,
    Balancer,
    Condition,
    FixedResponse,
    Forward,
    HealthCheck,
    Listener,
    MachineView,
    Profile,
    Redirect,
    Rule,
    Target,
    TargetGroup,
)

__all__ = [
    "Action",
    "Balancer",
    "Condition",
    "FixedResponse",
    "Forward",
    "HaproxyBalancer",
    "HaproxyUnreachable",
    "HealthCheck",
    "Listener",
    "MachineView",
    "Profile",
    "Redirect",
    "Rule",
    "ServerView",
    "Target",
    "TargetGroup",
    "check_structure",
    "stop_all_in",
    "why_it_cannot_listen",
]
