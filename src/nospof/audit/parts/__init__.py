"""What each kind of resource needs to serve: one interpreter a kind, and what concerns several."""

from __future__ import annotations

from nospof.audit.builder import Finisher, Interpreter
from nospof.audit.parts.announced import announce_stores, doubts
from nospof.audit.parts.balancing import classic_balancer, load_balancer
from nospof.audit.parts.certificates import dated
from nospof.audit.parts.containers import container_service, function, node_group, task
from nospof.audit.parts.data import (
    broker,
    cache,
    cache_cluster,
    database,
    database_cluster,
    database_proxy,
    dax_cluster,
    directory,
    kafka_cluster,
    memory_database,
    regional,
    search_domain,
    warehouse,
)
from nospof.audit.parts.edges import accelerator, address, api, api_domain, distribution
from nospof.audit.parts.entry import health_check, record_set
from nospof.audit.parts.files import bucket, file_system, fsx_file_system, mount_target, mounts
from nospof.audit.parts.inside import inside
from nospof.audit.parts.lines import virtual_interface, vpn_connection
from nospof.audit.parts.machines import announce, instance, scaling_group
from nospof.audit.parts.network import egress, inline, nat_gateway, vpc_endpoint
from nospof.audit.parts.recovery import pets, replacements
from nospof.audit.parts.trust import key, keys, secret

INTERPRETERS: dict[str, Interpreter] = {
    "instance": instance,
    "auto scaling group": scaling_group,
    "load balancer": load_balancer,
    "classic load balancer": classic_balancer,
    "record set": record_set,
    "health check": health_check,
    "distribution": distribution,
    "accelerator": accelerator,
    "address": address,
    "REST API": api,
    "HTTP API": api,
    "API domain": api_domain,
    "NAT gateway": nat_gateway,
    "VPC endpoint": vpc_endpoint,
    "VPN connection": vpn_connection,
    "virtual interface": virtual_interface,
    "database": database,
    "database cluster": database_cluster,
    "database proxy": database_proxy,
    "warehouse": warehouse,
    "cache": cache,
    "cache cluster": cache_cluster,
    "memory database": memory_database,
    "DAX cluster": dax_cluster,
    "broker": broker,
    "Kafka cluster": kafka_cluster,
    "search domain": search_domain,
    "directory": directory,
    "queue": regional,
    "topic": regional,
    "table": regional,
    "file system": file_system,
    "mount target": mount_target,
    "FSx file system": fsx_file_system,
    "bucket": bucket,
    "container service": container_service,
    "task": task,
    "node group": node_group,
    "function": function,
    "key": key,
    "secret": secret,
}
FINISHERS: tuple[Finisher, ...] = (
    announce,
    egress,
    inline,
    replacements,
    pets,
    dated,
    mounts,
    keys,
    announce_stores,
    inside,
    doubts,
)

__all__ = ["FINISHERS", "INTERPRETERS"]
