"""What happens around every API call: faults, permission, the lock, the answer as AWS words it, the journal.

One wrapper round moto's `BaseResponse.call_action` does it for every service and protocol. A call
that changes something is written to disk before it is answered, so a gateway killed at any point
has never answered for what it does not know afterwards.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores

from nospof.localcloud import iam
from nospof.localcloud.awserrors import AwsError
from nospof.localcloud.consistency import Answer, Consistency
from nospof.localcloud.faults import Faults
from nospof.localcloud.limits import Call, Limits

log = logging.getLogger(__name__)

READS = (
    "Describe",
    "Get",
    "List",
    "Lookup",
    "Search",
    "Simulate",
    "Head",
    "Check",
    "Test",
    "Decode",
    "Query",
    "Scan",
)
# A call to one of these may change any other service.
REACH_FAR = ("autoscaling", "cloudformation", "resource-groups", "fis")


class Calls:
    """Wraps moto's dispatch.

    Args:
        lock: the cloud's lock, held while moto works.
        faults: the rules of injection.
        limits: AWS's request limits.
        prepare: called with (account, region) before a call, under the lock.
        save: called with the services to write before a changing call is answered, under the lock.
        after_change: called with the service after a changing call, without the lock.
    """

    def __init__(
        self,
        lock: Any,
        faults: Faults,
        limits: Limits,
        prepare: Callable[[str, str], None],
        save: Callable[[set[str]], None],
        after_change: Callable[[str], None],
    ) -> None:
        self._lock = lock
        self._faults = faults
        self._limits = limits
        self.consistency = Consistency()
        self._prepare = prepare
        self._save = save
        self._after_change = after_change
        self._moto = BaseResponse.call_action
        self._moto_serialized = BaseResponse.serialized

    def install(self) -> None:
        """Put the wrapper in place of moto's methods."""
        calls = self

        def call_action(response: BaseResponse) -> Answer:
            return calls.call(response)

        def serialized(response: BaseResponse, result: ActionResult) -> Answer:
            status, headers, body = calls._moto_serialized(response, result)
            if isinstance(result.result, AwsError) and result.result.status != 400:
                status = result.result.status
            return status, headers, body

        moto_response: Any = BaseResponse
        moto_response.call_action = call_action
        moto_response.serialized = serialized

    def call(self, response: Any) -> Answer:
        """Serve one call."""
        action = str(response._get_action() or "")
        service = str(response.boto3_service_name)
        parameters = parameters_of(response)
        rule = self._faults.for_call(service, action, parameters)
        if rule and not rule.after:
            return refusal(response, rule.error())
        writes = not action.startswith(READS)
        try:
            self._limits.check(limited(response, service, action, writes))
            self.consistency.refuse_new_ids(service, parameters)
            place = (response.current_account, response.region, service)
            earlier = None if writes else self.consistency.earlier_answer(place, action, parameters)
            if earlier is not None:
                return earlier
            with self._lock:
                self._prepare(response.current_account, response.region)
                iam.check(response, service, action)
                answer = self._serve(response, action)
                if writes:
                    self._save(set() if service in REACH_FAR else {service, "ec2"})
            if writes:
                self.consistency.note_change(place, action, answer[2])
            else:
                self.consistency.note_read(place, action, parameters, answer)
        except AwsError as error:
            return refusal(response, error)
        if writes:
            self._after_change(service)
        return refusal(response, rule.error()) if rule else answer

    def _serve(self, response: Any, action: str) -> Answer:
        self._stop_dry_run_moto_would_do(response, action)
        try:
            return self._moto(response)
        except NotImplementedError as error:
            raise AwsError(
                "InvalidAction", f"The local cloud does not implement {action} in this form: {error}"
            ) from error
        except (ServiceException, AwsError):
            raise
        except Exception as error:
            log.exception("%s failed", action)
            message = f"The local cloud failed in {action}: {type(error).__name__}: {error}"
            raise AwsError("InternalError", message, status=500) from error

    @staticmethod
    def _stop_dry_run_moto_would_do(response: Any, action: str) -> None:
        """Answer a DryRun of an operation in which moto forgets to look at it."""
        if response.service_name != "ec2" or not response.params.get("DryRun"):
            return
        method = getattr(type(response), camelcase_to_underscores(action), None)
        code = getattr(method, "__code__", None)
        checked = code is not None and "error_on_dryrun" in code.co_names
        ours = method is not None and method.__module__.startswith("nospof.")
        if method is not None and not checked and not ours:
            raise AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")


def parameters_of(response: Any) -> str:
    """Return a call's parameters as text, for rules that match on them."""
    if getattr(response, "automated_parameter_parsing", False) and hasattr(response, "params"):
        return json.dumps(response.params, default=str)
    body = response.body
    return body if isinstance(body, str) else ""


def limited(response: Any, service: str, action: str, writes: bool) -> Call:
    """Return what the request limits need to know of a call."""
    parameters = getattr(response, "params", None) or {}
    instances = len(parameters.get("InstanceIds") or []) or int(parameters.get("MaxCount") or 1)
    narrowed = any(value for key, value in parameters.items() if key not in ("DryRun", "NextToken"))
    account, region = response.current_account, response.region
    return Call(account, region, service, action, writes, narrowed, instances)


def refusal(response: Any, error: AwsError) -> Answer:
    """Return an error answer in the protocol of the service that was called."""
    status, headers, body = response.serialized(ActionResult(error))
    headers, body = response._enrich_response(headers, body)
    headers["status"] = str(status)
    return status, headers, body
