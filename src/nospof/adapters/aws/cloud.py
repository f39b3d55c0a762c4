"""AWS as a whole: one account in one region."""

from __future__ import annotations

from nospof.adapters.aws.balancing import Balancing
from nospof.adapters.aws.launching import Launching
from nospof.adapters.aws.placement import Placement
from nospof.adapters.aws.roots import Roots
from nospof.adapters.aws.scaling import Scaling
from nospof.adapters.aws.starting import Starting
from nospof.adapters.aws.stores import StoresBehind


class AwsCloud(Roots, Launching, Placement, Starting, Balancing, Scaling, StoresBehind):
    """`ports.cloud.Cloud` over boto3, for AWS and for endpoints that speak as AWS does."""
