"""`nospof audit --probe` of a local cloud: what stands inside real machines, found and judged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.audited_account import AuditedAccount
from support.local_cloud import RunningCloud, running_cloud
from support.site import nospof
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud

DATABASE = """\
import os, socket
here = socket.create_server((os.environ["NOSPOF_ADDRESS"], 3306))
held = []
while True:
    held.append(here.accept())
"""
CLIENT = """\
import socket, time
there = socket.create_connection(("{address}", 3306))
while True:
    time.sleep(1)
"""


class Account(AuditedAccount):
    """A cloud with three pairs behind balancers; nobody has said what any of them keeps."""

    def __init__(self, cloud: RunningCloud) -> None:
        super().__init__(cloud)
        self.pairs = {
            name: [self.machine(name, zone, {}) for zone in (self.a, self.b)]
            for name in ("clean", "drift", "cloned")
        }
        for name, members in self.pairs.items():
            self.serve(name, members)
        first, second = self.pairs["cloned"]
        for one in (*self.pairs["drift"], first):
            self.run_inside(one, "mysqld", DATABASE)
        self.run_inside(second, "php-fpm", CLIENT.format(address=self.address(first)))

    def address(self, instance_id: str) -> str:
        found = self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
        return str(found["PrivateIpAddress"])

    def run_inside(self, instance_id: str, name: str, program: str) -> None:
        """Let a machine run a program by a name, as a service of its own."""
        service = f"$NOSPOF_DISK/etc/services/{name}"
        script = (
            f"mkdir -p $NOSPOF_DISK/var/lib/mysql\n"
            f"(echo '#!'$NOSPOF_PYTHON; cat <<'END'\n{program}END\n) > {service}.new\n"
            f"chmod +x {service}.new && mv {service}.new {service} && kill -HUP $NOSPOF_INIT_PID"
        )
        ssm = self.cloud.client("ssm")
        sent = ssm.send_command(
            InstanceIds=[instance_id], DocumentName="AWS-RunShellScript", Parameters={"commands": [script]}
        )["Command"]["CommandId"]

        def ended() -> bool:
            found = ssm.get_command_invocation(CommandId=sent, InstanceId=instance_id)
            assert found["Status"] not in ("Failed", "TimedOut"), found["StandardErrorContent"]
            return bool(found["Status"] == "Success")

        eventually(ended, "the script has ended")


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with running_cloud("probed") as cloud:
        found = Account(cloud)

        def works() -> bool:
            (drift,) = found.report("--probe", "--service", "drift")["services"]
            (cloned,) = found.report("--probe", "--service", "cloned")["services"]
            return "diverges:mysql" in events(drift) and found.pairs["cloned"][0] in events(cloned)

        eventually(works, "the databases listen and are asked", every_seconds=0.5)
        yield found


def events(service: dict[str, Any], view: str = "") -> dict[str, dict[str, Any]]:
    return {one["event"]: one for one in service["findings"] if view in ("", one["view"])}


def test_an_untagged_site_is_proved_with_a_look_inside_and_only_with_one(account: Account) -> None:
    without = account.report("--service", "clean")
    assert without["returned"] == 13
    done = account.nospof("audit", "--service", "clean", "--probe")
    assert done.returncode == 0, done.stdout
    said = " ".join(done.stdout.split())
    assert said.startswith("No single point of failure in 1 service;")
    assert "keep nothing that changes: a look inside found none" in said
    assert "files changed below document roots since " in said


def test_a_machine_whose_look_is_denied_is_named_and_the_verdict_incomplete(account: Account) -> None:
    rule = {"service": "ssm", "action": "SendCommand", "code": "AccessDeniedException", "count": 0}
    assert account.cloud.admin("POST", "inject", rule)[0] == 200
    try:
        done = account.nospof("audit", "--service", "clean", "--probe")
    finally:
        account.cloud.admin("DELETE", "inject")
    assert done.returncode == 13, done.stdout
    said = " ".join(done.stdout.split())
    for one in account.pairs["clean"]:
        assert f"of {one} (ssm:SendCommand: access denied)" in said


def test_a_machine_that_does_not_answer_is_named_and_the_other_is_known(account: Account) -> None:
    silent, known = account.pairs["clean"]
    account.cloud.admin("POST", "fault", {"instance": silent, "fault": "freeze"})
    try:
        report = account.report("--service", "clean", "--probe")
    finally:
        account.cloud.admin("POST", "fault", {"instance": silent, "fault": "thaw"})
        account.wait_until_healthy("clean")
    assert report["returned"] in (10, 13)  # the balancer may have missed it already
    unread = {one["about"]: one["reason"] for one in report["unread"]}
    assert unread == {silent: "its agent is ConnectionLost"}
    (service,) = report["services"]
    assert [one for one in service["assumptions"] if one.startswith(f"{known} keep nothing")]
    assert [one for one in service["not_read"] if silent in one and known not in one]


def test_two_databases_that_know_nothing_of_each_other_drift_apart(account: Account) -> None:
    (service,) = account.report("--service", "drift", "--probe")["services"]
    found = events(service)["diverges:mysql"]
    assert (found["rule"], found["severity"]) == ("NSP301", "critical")
    assert sorted(found["members"]) == sorted(account.pairs["drift"])
    for one in account.pairs["drift"]:
        assert f"loses:mysql data of {one}" in events(service)


def test_the_one_database_of_a_cloned_pair_is_its_single_point(account: Account) -> None:
    first, second = account.pairs["cloned"]
    (service,) = account.report("--service", "cloned", "--probe")["services"]
    serving = events(service, "serving")
    assert serving[first]["rule"] == "NSP101"
    assert serving[first]["confidence"] == "certain"
    assert second not in serving
    assert f"zone:{account.a}" in serving
    (blind,) = account.report("--service", "cloned")["services"]
    assert first not in events(blind, "serving")  # a look at the settings alone sees a pair


def test_a_saved_account_with_looks_gives_the_same_report_with_no_cloud(
    account: Account, tmp_path: Path
) -> None:
    saved = tmp_path / "saved"
    live = account.nospof("audit", "--probe", "--save", str(saved), "--format", "json")
    assert (saved / "probes.json").is_file()
    again = nospof(tmp_path, "audit", str(saved), "--format", "json")
    assert again.returncode == live.returncode == 10, again.stderr
    assert again.stdout == live.stdout
    assert "diverges:mysql" in {
        one["event"] for each in json.loads(again.stdout)["services"] for one in each["findings"]
    }


def test_a_refused_look_is_refused_in_the_replay_too(account: Account, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    rule = {"service": "ssm", "action": "SendCommand", "code": "AccessDeniedException", "count": 0}
    account.cloud.admin("POST", "inject", rule)
    try:
        live = account.nospof("audit", "--probe", "--save", str(saved), "--format", "json")
    finally:
        account.cloud.admin("DELETE", "inject")
    again = nospof(tmp_path, "audit", str(saved), "--format", "json")
    assert "access denied" in live.stdout
    assert (again.returncode, again.stdout) == (live.returncode, live.stdout)


def test_c71_a_pair_of_a_machine_with_a_database_of_its_own_is_refused(account, tmp_path):
    source, _ = account.pairs["drift"]
    asked = ["pair", source, "--yes", "--allow-address-change", "--port", "8080", "--health-path", "/health"]
    refused = nospof(tmp_path, *asked, **account.cloud.environment)
    assert refused.returncode == 3, refused.stderr
    for said in (f"{source} keeps engines mysql", "--stateless", "Nothing was changed"):
        assert said in refused.stderr
