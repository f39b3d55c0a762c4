"""Which of Terraform's types become which items: one row a type."""

from __future__ import annotations

from nospof.adapters.iac.terraform.cells import Translation
from nospof.adapters.iac.terraform.tables.balancing import BALANCING
from nospof.adapters.iac.terraform.tables.entries import ENTRIES
from nospof.adapters.iac.terraform.tables.harmless import is_harmless
from nospof.adapters.iac.terraform.tables.machines import MACHINES
from nospof.adapters.iac.terraform.tables.network import NETWORK
from nospof.adapters.iac.terraform.tables.stores import STORES

TABLE: dict[str, tuple[Translation, ...]] = {**MACHINES, **BALANCING, **NETWORK, **ENTRIES, **STORES}

FACTS = frozenset(
    {"aws_subnet", "aws_lb", "aws_alb", "aws_lb_listener", "aws_alb_listener", "aws_lb_target_group"}
    | {"aws_alb_target_group", "aws_route53_zone", "aws_vpc"}
)
"""Data sources that are read: they tell of what is managed elsewhere and others here refer to."""

__all__ = ["FACTS", "TABLE", "is_harmless"]
