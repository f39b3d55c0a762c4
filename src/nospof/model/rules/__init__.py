"""Every rule of the audit by its id, with what people should know of it."""

from __future__ import annotations

from nospof.model.rules.data import DATA
from nospof.model.rules.domain import DOMAIN
from nospof.model.rules.failover import FAILOVER
from nospof.model.rules.limits import LIMITS
from nospof.model.rules.reach import REACH
from nospof.model.rules.recovery import RECOVERY
from nospof.model.rules.rule import Rule
from nospof.model.rules.serving import SERVING

FAMILIES = {
    "serving": "what takes the service down",
    "domain": "what several parts lose together",
    "data": "what can be lost for good",
    "failover": "what keeps a spare from helping",
    "recovery": "what keeps a failed part from being replaced",
    "egress": "what members need from outside",
    "admin": "what operators need",
    "dated": "what is known to happen on a day",
    "capacity": "whether the rest can bear the load",
    "completeness": "what the audit could not see",
}
"""The families in order, and what each is about."""

EVERY_RULE: dict[str, Rule] = {
    rule.id: rule for rule in (*SERVING, *DOMAIN, *DATA, *FAILOVER, *RECOVERY, *REACH, *LIMITS)
}
"""All rules, those whose check is not built yet too: their ids are taken."""

NOT_BUILT = frozenset(
    {
        "NSP207",
        "NSP405",
        "NSP604",
        "NSP802",
        "NSP902",
        "NSP903",
        "NSP904",
        "NSP905",
    }
)
"""Rules that no check of the audit finds yet. They are shown to nobody."""

RULES: dict[str, Rule] = {key: rule for key, rule in EVERY_RULE.items() if key not in NOT_BUILT}
"""The rules that the audit finds, by id, in order."""

__all__ = ["EVERY_RULE", "FAMILIES", "NOT_BUILT", "RULES", "Rule"]
