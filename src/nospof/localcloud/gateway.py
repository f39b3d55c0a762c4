"""The gateway process: puts the parts together, serves the API, and ends as it was told to.

Told to stop (SIGTERM), it powers the machines down and remembers to boot them again. Killed, it
leaves machines and balancers running, and the next gateway adopts them. When the owner that holds
its lifeline is gone, it takes everything with it.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import signal
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto import backends as moto_backends
from moto.ec2.models import ec2_backends
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer

from nospof.localcloud import classic, elbv2, file_systems, iam, route53, scaling, scheduler, ssm
from nospof.localcloud.addresses import release_blocks
from nospof.localcloud.admin import Admin
from nospof.localcloud.balancer import MachineView
from nospof.localcloud.calls import Calls
from nospof.localcloud.cloud import ACCOUNT, Cloud, set_current
from nospof.localcloud.commands import RunCommand
from nospof.localcloud.ec2.images import seed_image, sweep_disks
from nospof.localcloud.ec2.install import install as install_ec2
from nospof.localcloud.ec2.reconcile import reconcile_region
from nospof.localcloud.errors import LocalCloudError
from nospof.localcloud.faults import Faults
from nospof.localcloud.images import SEEDS
from nospof.localcloud.limits import Limits
from nospof.localcloud.machines.hypervisor import Hypervisor
from nospof.localcloud.machines.processes import stat_of
from nospof.localcloud.persistence import Store
from nospof.localcloud.remembered import install as remember
from nospof.localcloud.wsgi import Application

log = logging.getLogger(__name__)

FIRST_PORT = 4566
PORTS_TRIED = 200
WAITING_CONNECTIONS = 128
ROUND_SECONDS = 0.1
IDLE_CONNECTION_SECONDS = 300.0
POWER_DOWN_SECONDS = 15.0
SEED_GIB = 8


@dataclass
class Own:
    """What is kept beside moto's backends."""

    commands: dict[str, Any]
    seeded: set[tuple[str, str]]
    balancer_hosts: dict[str, int]


class _Handler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_CONNECTION_SECONDS

    def log_request(self, *_: Any) -> None:
        """Keep no access log."""


class Gateway:
    """One local cloud in this process.

    Args:
        directory: where everything of it is kept; made by the caller.
        name: its name, for people.
        port: the port of 127.0.0.1 to listen on; 0 for the one it had, or a free one.
    """

    def __init__(self, directory: Path, name: str, port: int) -> None:
        self._directory = directory
        self._ending = threading.Event()
        self._abandoned = False
        self._cloud = Cloud(directory, Hypervisor(directory / "machines"))
        set_current(self._cloud)
        remember()
        install_ec2()
        for service in (ssm, iam, route53, scaling, scheduler, elbv2):
            service.install()
        self._balancing = elbv2.Balancing(directory / "balancers", self._view, self.allocate_balancer_address)
        elbv2.set_current(self._balancing)
        self._classic = classic.install(directory / "classic", self._view, self.allocate_balancer_address)
        self._groups = scaling.Groups(self._cloud)
        self._store = Store(directory / "state.sqlite")
        self._own = self._store.load() or Own({}, set(), {})
        self._run_command = RunCommand(self._cloud, self._takes_commands)
        ssm.set_run_command(self._run_command)
        self._faults = Faults()
        limits = Limits()
        calls = Calls(self._cloud.lock, self._faults, limits, self._prepare, self._save, self._after_change)
        calls.install()
        late = calls.consistency
        admin = Admin(
            self._cloud, self._faults, limits, late, name, lambda: self._save({"ec2"}), self._not_kept
        )
        listening = listen(port, int(self._store.setting("port") or 0), ports_of_others(directory))
        self._port = int(listening.getsockname()[1])
        # Given as a handle: werkzeug itself ends the process when a port is in use.
        self._server = ThreadedWSGIServer(
            "127.0.0.1", self._port, Application(admin, self._faults), _Handler, fd=listening.fileno()
        )
        self._server.daemon_threads = True
        listening.close()
        self._resume()

    @property
    def url(self) -> str:
        """Return the endpoint's URL."""
        return f"http://127.0.0.1:{self._port}"

    # Serving --------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Serve until told to end, then end in the way that was asked for."""
        loop = threading.Thread(target=self._loop, name="reconcile", daemon=True)
        loop.start()
        web = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="web", daemon=True)
        web.start()
        self._ending.wait()
        self._server.shutdown()
        loop.join()
        self._run_command.close()
        self._cloud.close()
        if self._abandoned:
            self._delete_everything()
        else:
            self._power_down()

    def end(self, *, abandoned: bool = False) -> None:
        """End soon: power down, or, when abandoned, delete everything."""
        self._abandoned = self._abandoned or abandoned
        self._ending.set()

    def _loop(self) -> None:
        while not self._ending.wait(ROUND_SECONDS):
            try:
                self._round()
            except Exception:
                log.exception("a round of reconciliation failed; the next one tries again")

    def _round(self) -> None:
        for backend in self._backends("ec2"):
            reconcile_region(self._cloud, backend)
        self._balance()
        self._cloud.partitions.end_without(self._cloud.hypervisor.is_on)
        self._groups.reconcile(self._backends("autoscaling"))
        if scheduler.carry_out():
            with self._cloud.lock:
                self._save({"scheduler", "ec2"})
        if self._cloud.dirty.is_set():
            with self._cloud.lock:
                self._save({"ec2", "autoscaling"})

    # What the parts ask for -----------------------------------------------------------------------------

    def _prepare(self, account: str, region: str) -> None:
        """Give a region its images when it is first used."""
        if (account, region) in self._own.seeded or region not in ec2_backends[account]:
            return
        self._own.seeded.add((account, region))
        backend = ec2_backends[account][region]
        for seed in SEEDS:
            content = self._directory / "seeds" / seed.name
            if not content.is_dir():
                seed.build(content)
            seed_image(backend, seed, content, SEED_GIB)
        self._save({"ec2"})

    def _save(self, services: set[str]) -> None:
        self._cloud.dirty.clear()
        self._own.commands = self._run_command.commands
        self._store.save(services, self._own)

    def _not_kept(self) -> list[str]:
        return sorted(self._store.not_kept)

    def _after_change(self, service: str) -> None:
        if service == "efs":
            file_systems.write_down(self._directory, self._backends("efs"))
        if service in ("elbv2", "elb", "ec2", "autoscaling", "cloudformation"):
            self._balance()

    def _balance(self) -> None:
        self._balancing.reconcile(moto_backends.get_backend("elbv2"))
        self._classic.reconcile(moto_backends.get_backend("elb"))

    @staticmethod
    def _backends(service: Any) -> list[Any]:
        return [backend for _, _, backend in list(moto_backends.get_backend(service).iter_backends())]

    def _instance(self, instance_id: str) -> Any | None:
        found = (backend.get_instance_by_id(instance_id) for backend in self._backends("ec2"))
        return next((one for one in found if one is not None), None)

    def _takes_commands(self, instance_id: str) -> bool:
        with self._cloud.lock:
            instance = self._instance(instance_id)
            return instance is not None and instance.state == "running" and not instance.is_cut_off

    def _view(self, instance_id: str) -> MachineView | None:
        instance = self._instance(instance_id)
        return MachineView(instance.private_ip_address, instance.state) if instance else None

    def allocate_balancer_address(self, region: str) -> str:
        """Return an address for a new balancer, 127.B.255.x of the region's block.

        Raises:
            LocalCloudError: all 254 are in use.
        """
        with self._cloud.lock:
            block = self._cloud.block(ACCOUNT, region)
            taken = {
                getattr(balancer, "dns_name", "")
                for backend in (*self._backends("elbv2"), *self._backends("elb"))
                for balancer in backend.load_balancers.values()
            }
            last = self._own.balancer_hosts.get(region, 0)
            for offset in range(254):
                host = (last + offset) % 254 + 1
                if f"{block}.255.{host}" not in taken:
                    self._own.balancer_hosts[region] = host
                    return f"{block}.255.{host}"
        raise LocalCloudError(f"all addresses for balancers in {region} are in use; delete some balancers")

    # Beginning and ending -------------------------------------------------------------------------------

    def _resume(self) -> None:
        """Adopt what an earlier gateway left, or boot again what was running when it was stopped."""
        boot_id = _boot_id()
        boot_again = self._store.setting("powered down") == "yes" or (
            self._store.setting("boot id") not in ("", boot_id)
        )
        with self._cloud.lock:
            snapshots: set[str] = set()
            for backend in self._backends("ec2"):
                _drop_unanswered_images(backend)
                snapshots |= set(backend.snapshots)
                for instance in backend.all_instances():
                    off = self._cloud.hypervisor.state(instance.id) in ("off", "absent")
                    is_lost = bool(instance.reboot_phase) and instance.is_lost_by_reboot
                    if boot_again and instance.state == "running" and off and not is_lost:
                        instance.reboot_phase = ""
                        instance.enter("pending")
            sweep_disks(snapshots)
            self._run_command.adopt(self._own.commands)
            self._save(set())
        self._store.remember("port", str(self._port))
        self._store.remember("powered down", "no")
        self._store.remember("boot id", boot_id)

    def _power_down(self) -> None:
        self._balancing.stop_all()
        self._classic.stop_all()
        hypervisor, deadline = self._cloud.hypervisor, time.monotonic() + POWER_DOWN_SECONDS
        machines = [m for m in hypervisor.machines() if hypervisor.state(m) in ("on", "frozen")]
        for machine in machines:
            hypervisor.thaw(machine)
            hypervisor.shutdown(machine)
        while time.monotonic() < deadline and any(hypervisor.state(m) == "on" for m in machines):
            time.sleep(0.05)
        for machine in machines:
            hypervisor.power_off(machine)
        self._cloud.lock.acquire()  # for good: no call may be answered after the last save
        self._save(set())
        self._store.remember("powered down", "yes")
        self._store.close()

    def _delete_everything(self) -> None:
        self._balancing.stop_all()
        self._classic.stop_all()
        for machine in self._cloud.hypervisor.machines():
            self._cloud.hypervisor.power_off(machine)
        self._store.close()
        release_blocks(self._directory)
        shutil.rmtree(self._directory, ignore_errors=True)


def _drop_unanswered_images(backend: Any) -> None:
    """Forget images whose copy was under way in the call itself: that call was never answered."""
    wanted = {instance.imaging for instance in backend.all_instances()}
    for image in list(backend.amis.values()):
        if image.state == "pending" and image.waits_for_copy and image.id not in wanted:
            del backend.amis[image.id]


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _watch(lifeline: Path, gateway: Gateway) -> None:
    """Block until the owner's lock on the file is gone, then end and delete everything."""
    with lifeline.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
    gateway.end(abandoned=True)


def _write_endpoint(directory: Path, name: str, url: str, lifeline: Path | None) -> None:
    stat = stat_of(os.getpid())
    document = {
        "name": name,
        "url": url,
        "pid": os.getpid(),
        "started": stat.started if stat else 0,
        "lifeline": str(lifeline) if lifeline else "",
    }
    partial = directory / "endpoint.json.partial"
    partial.write_text(json.dumps(document), encoding="utf-8")
    partial.replace(directory / "endpoint.json")


def ports_of_others(directory: Path) -> frozenset[int]:
    """Return the ports on which the clouds beside this one are known, running or not."""
    ports = set()
    for record in directory.parent.glob("*/endpoint.json"):
        if record.parent != directory:
            with suppress(OSError, ValueError, KeyError):
                ports.add(int(json.loads(record.read_text(encoding="utf-8"))["url"].rpartition(":")[2]))
    return frozenset(ports)


def listen(port: int, before: int, kept: frozenset[int] = frozenset()) -> socket.socket:
    """Return a socket that listens on 127.0.0.1.

    Args:
        port: the port asked for; 0 for the one of before, else the first free one from 4566.
        before: the port this cloud had the last time; 0 for none.
        kept: ports of other clouds, which may be down for a moment: whoever still has their address
            must not find a stranger there.

    Raises:
        LocalCloudError: the port, or every port tried, is in use.
    """
    free = [one for one in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED) if one not in kept]
    wanted = (port,) if port else (*filter(None, (before,)), *free)
    reason = ""
    for candidate in wanted:
        found = socket.socket()
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind(("127.0.0.1", candidate))
            found.listen(WAITING_CONNECTIONS)
        except OSError as error:
            found.close()
            reason = error.strerror or str(error)
        else:
            return found
    ports = str(port) if port else f"{FIRST_PORT} to {FIRST_PORT + PORTS_TRIED - 1}"
    raise LocalCloudError(f"port {ports} of 127.0.0.1 cannot be used: {reason}; give another with --port")


def serve(directory: Path, name: str, port: int, lifeline: Path | None) -> None:
    """Run a gateway until it is told to end.

    Args:
        directory: the cloud's directory.
        name: the cloud's name.
        port: the port of 127.0.0.1 to listen on.
        lifeline: a file its owner holds locked; when the lock is gone, so is everything.

    Raises:
        LocalCloudError: another gateway serves this directory, or the port cannot be used.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "gateway.lock").open("w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LocalCloudError(f"another process already serves {directory}") from error
        gateway = Gateway(directory, name, port)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: gateway.end())
        if lifeline:
            threading.Thread(target=_watch, args=(lifeline, gateway), daemon=True).start()
        _write_endpoint(directory, name, gateway.url, lifeline)
        gateway.serve()
        (directory / "endpoint.json").unlink(missing_ok=True)
