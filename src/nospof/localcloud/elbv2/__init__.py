"""Elastic Load Balancing v2 made real: moto keeps the API's objects, HAProxy does what they say.

`install` patches moto once; a `Balancing` object, made known with `set_current`, keeps the HAProxies
in line with moto's objects and answers what HAProxy says of each target.
"""

from nospof.localcloud.balancer import MachineView
from nospof.localcloud.elbv2.balancing import Balancing, set_current
from nospof.localcloud.elbv2.responses import install

__all__ = ["Balancing", "MachineView", "install", "set_current"]
