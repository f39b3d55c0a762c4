"""What functions are fed from: brokers and Kafka clusters, by their event source mappings."""

from __future__ import annotations

from collections.abc import Iterator

from nospof.model.estate import Estate, Use

STORES = ("broker", "Kafka cluster")
"""Sources that can fail as a whole; queues, streams and tables serve from the region."""


def uses_from_streams(estate: Estate) -> Iterator[Use]:
    """Yield what functions do not get to work on when it is lost; what clients ask them for they still do."""
    for item in estate.of("event source mapping"):
        # An alias or a version stands behind the seven parts of a function's ARN.
        function = estate.find("function", ":".join(item.text("FunctionArn").split(":")[:7]))
        key = item.text("EventSourceArn")
        store = next((one for kind in STORES if (one := estate.find(kind, key))), None)
        if function is not None and store is not None and item.text("State") != "Disabled":
            why = f"{function.says} is fed from {store.says}"
            yield Use(function.id, store.kind.name, store.id, "degraded", why=why)
