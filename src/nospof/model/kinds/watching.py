"""What AWS itself sees of a service: whether its names' checks pass, and what it feeds to functions."""

from __future__ import annotations

from nospof.model.kinds.kind import Kind

WATCHING = (
    Kind(
        # One for each of the places that a check is made from.
        "health check status",
        "route53:GetHealthCheckStatus",
        "HealthCheckObservations",
        "Region+IPAddress",
        ("StatusReport.Status",),
        plural="health check status",
        per="health check",
        argument="HealthCheckId",
        parent="HealthCheckId",
        is_global=True,
    ),
    Kind(
        "event source mapping",
        "lambda:ListEventSourceMappings",
        "EventSourceMappings",
        "UUID",
        ("EventSourceArn", "FunctionArn", "State"),
    ),
)
