"""What people ask for: one frozen request per procedure, the same from every face."""

from __future__ import annotations

from dataclasses import dataclass

from nospof.model.cutting_over import Move
from nospof.model.writes import WriteWish


@dataclass(frozen=True)
class CloneRequest:
    """Make a copy of an instance, in another zone.

    Args:
        instance_id: the instance to copy.
        zone: the zone wanted for the twin, or several with commas; empty chooses one.
        same_zone: consent to a twin in the source's own zone, on other hardware.
        url: where the service answers, to measure the time off by; empty tries the instance's
            address on `port`.
        port: the port the service listens on.
        path: the page to ask for.
        or_types: types that would do where there is no room for the instance's own, best first, with commas.
        or_type_for_source: start the instance itself as one of them too, where there is no room for its own.
        copy_user_data: launch the twin with the source's own user data, which then runs a second time.
        live: take the image while it runs, its writes held for the moment where they can be.
        hold_seconds: how long they may be held at most.
        require_consistent: do without an image rather than with one as of a power cut.
        local_disks_are_scratch: the owner's word that nothing on instance-store disks is needed.
        allow_address_change: consent to another public address after the stop.
        override_stop_protection: consent to lift disableApiStop for the moment.
        suspend_auto_scaling: consent to keep its Auto Scaling group from acting for the moment.
        it_boots_again: the owner's word, whatever its fstab says.
        jobs_may_run_twice: the owner's word that cron jobs and workers do no harm on two machines.
        dead_man_seconds: after which AWS itself starts the instance, whatever became of nospof; 0 for never.
        dead_man_role: the name or the ARN of the role as which it does; empty for the usual one.
    """

    instance_id: str
    zone: str = ""
    same_zone: bool = False
    url: str = ""
    port: int = 80
    path: str = "/"
    or_types: str = ""
    or_type_for_source: bool = False
    copy_user_data: bool = False
    live: bool = False
    hold_seconds: int = 20
    require_consistent: bool = False
    local_disks_are_scratch: bool = False
    allow_address_change: bool = False
    override_stop_protection: bool = False
    suspend_auto_scaling: bool = False
    it_boots_again: bool = False
    jobs_may_run_twice: bool = False
    dead_man_seconds: int = 0
    dead_man_role: str = ""


@dataclass(frozen=True)
class PairRequest:
    """Put an instance and its twin behind a load balancer, making the twin where there is none.

    Args:
        instance_id: the instance that serves today.
        twin_id: its copy; empty takes the twin it already has, or clones.
        service: the service's name; empty takes the instance's Name.
        port: the port the instances serve on.
        listener_port: the port the balancer listens on.
        health_path: the page the balancer asks for to know whether a member works.
        page: what the twin is asked for, with the files it is made of, before it may take traffic; empty
            takes `health_path`.
        expect: a text that page must contain.
        write_check: a command that writes to the twin and reads that back, before it may take traffic.
        stateless: the owner's word that the instance keeps nothing that changes.
        efs: directories that move to a file system of EFS, as FS-ID[:/PATH]=DIR.
        sync: directories, with commas, that both have from then on, each taking what the other is given.
        drain_seconds: how long a member that leaves may finish its requests; AWS waits all of it.
        mend_tables: consent to change tables that cannot be kept by two as they are.
        arbitrator_zone: where the third vote stands; empty takes a zone without a member.
        arbitrator_image: the image it is made of, by id or by name; empty takes Debian's.
        arbitrator_type: its instance type.
        balancer: name or ARN of the balancer to join; empty joins each that the instance is behind.
        new_balancer: make one, although there is one.
        certificate: the ARN of the certificate the balancer ends TLS with; "auto" takes the best one for
            the names; empty for a balancer that speaks HTTP only.
        names: what clients call the service, with commas; empty takes those Route 53 leads to the instance.
        https_port: the port the balancer ends TLS on.
        no_redirect: let the plain listener forward too, instead of sending clients to HTTPS.
        http_only: the owner's word that clients may lose the HTTPS that the instance serves today.
        zone, same_zone, or_types, or_type_for_source, copy_user_data, live, hold_seconds, require_consistent,
            local_disks_are_scratch, allow_address_change, override_stop_protection, suspend_auto_scaling,
            it_boots_again, jobs_may_run_twice, dead_man_seconds, dead_man_role: as in `CloneRequest`.
    """

    instance_id: str
    twin_id: str = ""
    service: str = ""
    port: int = 80
    listener_port: int = 80
    health_path: str = "/"
    page: str = ""
    expect: str = ""
    write_check: str = ""
    stateless: bool = False
    sync: str = ""
    efs: tuple[str, ...] = ()
    mend_tables: bool = False
    arbitrator_zone: str = ""
    arbitrator_image: str = ""
    arbitrator_type: str = "t3.nano"
    drain_seconds: int = 30
    balancer: str = ""
    new_balancer: bool = False
    certificate: str = ""
    names: str = ""
    https_port: int = 443
    no_redirect: bool = False
    http_only: bool = False
    zone: str = ""
    same_zone: bool = False
    or_types: str = ""
    or_type_for_source: bool = False
    copy_user_data: bool = False
    live: bool = False
    hold_seconds: int = 20
    require_consistent: bool = False
    local_disks_are_scratch: bool = False
    allow_address_change: bool = False
    override_stop_protection: bool = False
    suspend_auto_scaling: bool = False
    it_boots_again: bool = False
    jobs_may_run_twice: bool = False
    dead_man_seconds: int = 0
    dead_man_role: str = ""


@dataclass(frozen=True)
class TakeRequest:
    """Take an announced maintenance event of one member early: drain, stop, start, undrain.

    Args:
        instance_id: the member.
        path: the page to ask it for; empty takes the page its balancer asks for.
        local_disks_are_scratch, it_boots_again, dead_man_seconds, dead_man_role: as in `CloneRequest`.
    """

    instance_id: str
    path: str = ""
    local_disks_are_scratch: bool = False
    it_boots_again: bool = False
    dead_man_seconds: int = 0
    dead_man_role: str = ""


@dataclass(frozen=True)
class UndoRequest:
    """Take apart what a clone or a pair made, back to the single instance.

    Args:
        run_id: the run to undo; what carries its tag goes, and nothing else.
        instance_id: the source, which serves alone afterwards.
        twin_id: the twin that the run made or found, as its journal has it; empty where it has none.
        image_id: likewise the image.
        service: the service that a pair made; empty for a clone.
        url: where the service is asked; empty takes the source's address on `port`.
        port: the port the source serves on.
        path: the page to ask for.
        answered: whether the source answered there when the run began.
        service_before, state_before: the source's marks before the run.
        clients_are_back: the owner's word that no client comes in through the balancer any more.
        joined: the ARNs of the target groups of others that a pair put its twin into.
        moved_by: the newest run that led names to the balancer, as the journal has it; empty for none.
        ports_opened: that the run let members of the source's security group reach of each other.
    """

    run_id: str
    instance_id: str = ""
    twin_id: str = ""
    image_id: str = ""
    service: str = ""
    url: str = ""
    port: int = 80
    path: str = "/"
    answered: bool = False
    service_before: str = ""
    state_before: str = ""
    clients_are_back: bool = False
    joined: tuple[str, ...] = ()
    moved_by: str = ""
    ports_opened: tuple[int, ...] = ()


@dataclass(frozen=True)
class DrillRequest:
    """Break one member of a service under load and count what the clients saw.

    Args:
        service: the service's name.
        instance_id: the member to break; empty takes the first by id.
        fault: "kill" pulls the plug (the local cloud only), "stop" is StopInstances.
        rate_per_second: requests per second, sent on schedule whatever the answers do.
        seconds: how long the load lasts in all.
        path: the page to ask for.
        name: what clients call the service; needed where its balancer ends TLS, whose certificate is for it.
        writes: what is written meanwhile and read back afterwards; empty only reads.
    """

    service: str
    instance_id: str = ""
    fault: str = "kill"
    rate_per_second: int = 200
    seconds: int = 20
    path: str = "/"
    name: str = ""
    writes: tuple[WriteWish, ...] = ()


@dataclass(frozen=True)
class RejoinRequest:
    """Bring those who keep a service's data together again.

    Args:
        service: the service's name.
        begin: the instance that begins where nobody takes writes, by the owner's word; empty for the one that
            has the most.
    """

    service: str
    begin: str = ""


@dataclass(frozen=True)
class CutOverRequest:
    """Lead a service's names from its first instance to its balancer, bit by bit.

    Args:
        service: the service's name.
        names: those to move; empty takes all of Route 53 that lead to a member's public address.
        steps: the balancer's share after each step, in percent; the last is 100.
        watch_seconds: how long each share is watched once no client remembers an earlier one.
        path: the page to ask for.
    """

    service: str
    names: tuple[str, ...] = ()
    steps: tuple[int, ...] = (10, 50, 100)
    watch_seconds: int = 60
    path: str = "/"


@dataclass(frozen=True)
class RollbackRequest:
    """Lead names back to where they led before a cut-over.

    Args:
        run_id: the cut-over.
        service: whose names they are.
        moves: what it did or would have done.
    """

    run_id: str
    service: str = ""
    moves: tuple[Move, ...] = ()
