"""Questions about what cannot exist here, answered truthfully: there is none.

moto does not offer these calls, nor any that would make what they list. A client that reads a whole
account needs the answer all the same: "none" is something else than "not answered".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs

from werkzeug.wrappers import Request, Response


@dataclass(frozen=True)
class Nothing:
    """A call that lists what cannot exist.

    Args:
        service: what the request is signed for.
        operation: the call.
        member: the list in the answer, as it is called on the wire.
        route: method and path, where the protocol names the call by them.
        sdk: boto3's name of the service, where it is another.
    """

    service: str
    operation: str
    member: str
    route: str = ""
    sdk: str = ""


NOTHING = (
    Nothing("apigateway", "GetRestApis", "item", "GET /restapis"),
    Nothing("apigateway", "GetDomainNames", "item", "GET /domainnames"),
    Nothing("apigateway", "GetApis", "items", "GET /v2/apis", "apigatewayv2"),
    Nothing("apigateway", "GetDomainNames", "items", "GET /v2/domainnames", "apigatewayv2"),
    Nothing("arc-zonal-shift", "ListManagedResources", "items", "GET /managedresources"),
    Nothing("backup", "ListProtectedResources", "Results", "GET /resources"),
    Nothing("directconnect", "DescribeDirectConnectGateways", "directConnectGateways"),
    Nothing("directconnect", "DescribeVirtualInterfaces", "virtualInterfaces"),
    Nothing("dlm", "GetLifecyclePolicies", "Policies", "GET /policies"),
    Nothing("ec2", "DescribeCapacityReservations", "capacityReservationSet"),
    Nothing("ec2", "DescribeInstanceEventWindows", "instanceEventWindowSet"),
    Nothing("ec2", "DescribeInstanceTopology", "instanceSet"),
    Nothing("elasticache", "DescribeServerlessCaches", "ServerlessCaches"),
    Nothing("elasticloadbalancing", "DescribeTrustStores", "TrustStores", sdk="elbv2"),
    Nothing("globalaccelerator", "ListAccelerators", "Accelerators"),
    Nothing("rds", "DescribePendingMaintenanceActions", "PendingMaintenanceActions"),
)
_BY_NAME = {(one.service, one.route or one.operation): one for one in NOTHING}
_SERVICES = frozenset(one.service for one in NOTHING)


def asked_for(request: Request, environ: dict[str, Any], service: str) -> Nothing | None:
    """Return the question a request asks, if it is one of these; the request can be read again afterwards.

    Args:
        request: what came.
        environ: where it came in; its body is put back.
        service: what the request is signed for.
    """
    if service not in _SERVICES:
        return None
    name = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
    if not name and "/operation/" in request.path:
        name = request.path.rpartition("/")[2]
    if not name and request.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        body = request.get_data(cache=False, parse_form_data=False)
        environ["wsgi.input"] = BytesIO(body)
        name = parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
    return _BY_NAME.get((service, name or f"{request.method} {request.path.rstrip('/')}"))


def none_of(question: Nothing, request: Request) -> Response:
    """Return the answer "none", in the protocol that was asked in."""
    if request.headers.get("smithy-protocol") == "rpc-v2-cbor":
        member = question.member.encode()
        # A map of one text to an empty list (RFC 8949, section 3).
        body = bytes([0xA1, 0x78, len(member)]) + member + bytes([0x80])
        return Response(body, content_type="application/cbor", headers={"smithy-protocol": "rpc-v2-cbor"})
    if request.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        name = question.operation
        empty = f"<{question.member}/>"
        inside = empty if question.service == "ec2" else f"<{name}Result>{empty}</{name}Result>"
        return Response(f"<{name}Response>{inside}</{name}Response>", content_type="text/xml")
    return Response(json.dumps({question.member: []}), content_type="application/json")
