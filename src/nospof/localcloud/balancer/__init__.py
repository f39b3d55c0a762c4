"""Load balancers as real HAProxy processes. Knows nothing of any cloud API.

Two profiles. `alb` behaves as Application Load Balancer is documented: the target group's own check
interval and thresholds, and a request whose target fails fails. `retry` is better than the real thing:
checks every 0.5 s, and what may be repeated (GET, HEAD, OPTIONS, or what never reached a target) is
repeated on another target, so that a dying target costs no such request.
"""

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
