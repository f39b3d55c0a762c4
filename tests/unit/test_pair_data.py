"""A pair whose source keeps a database: what is decided, what is refused, what is left when it goes wrong."""

from contextlib import nullcontext
from dataclasses import replace

import pytest

from nospof.adapters.memory.databases import MemoryDatabases
from nospof.errors import PreconditionFailed, ProcedureFailed
from nospof.model.cloud import IngressRule
from nospof.model.layout import TAG_ARBITRATOR, TAG_DATA, Applied, Obstacle
from nospof.model.requests import CloneRequest, TakeRequest
from nospof.planning.data import cluster_of
from nospof.procedures.clone import clone
from nospof.procedures.guarantee import keep_guarantees
from nospof.procedures.maintain import take
from nospof.procedures.registry import PROCEDURES
from nospof.procedures.undo import undo
from nospof.runtime.memory import Killed, MemorySteps
from support.memory_world import Looks, keep_data, memory_world, one_instance, stick
from support.pairing import Pairing
from support.undoing import things, told

KEYLESS = Obstacle("key", "shop.cart", "shop.cart has no primary key", "table")
MYISAM = Obstacle("engine", "shop.words", "shop.words is MyISAM", "table")
PEERS = Obstacle("account", "app@localhost", "app@localhost has no password: it cannot come by TCP")
LOCKS = Obstacle("use", "GET_LOCK", "GET_LOCK is used, which holds on one member only")
PAIRING = Pairing()
asked, make, refusal = PAIRING.asked, PAIRING.make, PAIRING.refusal


def with_data(engine="mariadb", *obstacles, **options):
    cloud = one_instance(**options)
    keep_data(cloud, engine, *obstacles)
    return cloud


@pytest.mark.parametrize(("engine", "keeper"), [("mariadb", "galera"), ("postgresql", "patroni")])
def test_c79_both_members_have_what_was_written_at_any_time_and_only_one_is_written_to(engine, keeper):
    cloud = with_data(engine)
    source = cloud.the_instance.id
    assert cloud.write(source, "before")
    result = make(cloud)
    twin = next(one for one in result.members if one != source)
    assert cloud.write(twin, "after")
    assert cloud.rows_of(source) == cloud.rows_of(twin) == ("old", "before", "after")
    databases = MemoryDatabases(cloud)
    assert [databases.state(one).role for one in (source, twin)] == ["primary", "replica"]
    assert {cloud.instance(one).tags[TAG_DATA] for one in result.members} == {keeper}


def test_a_table_with_two_obstacles_is_told_as_one_that_is_changed():
    keyless_too = replace(KEYLESS, what=MYISAM.what)
    cloud = with_data("mariadb", MYISAM, KEYLESS, keyless_too)
    plan = PROCEDURES["pair"].plan(memory_world(cloud), asked(cloud, mend_tables=True))
    assert "2 tables are changed first: shop.words, shop.cart" in plan.warnings
    assert "mend 2 tables" in [one.says for one in plan.calls]


def test_the_third_vote_is_in_a_third_zone_and_the_smallest_machine():
    cloud = with_data()
    make(cloud)
    (arbitrator,) = cloud.instances(TAG_ARBITRATOR, "www")
    assert arbitrator.type == "t3.nano"
    assert arbitrator.zone not in {one.zone for one in cloud.instances() if one.id != arbitrator.id}
    assert arbitrator.security_groups == cloud.the_instance.security_groups


def test_c81_two_zones_are_too_few_for_three_votes():
    assert "no subnet with a free address in a zone other than" in refusal(with_data(zone_count=2))


def test_c82_an_arbitrator_in_the_zone_of_a_member_is_refused():
    cloud = with_data()
    said = refusal(cloud, arbitrator_zone=cloud.the_instance.zone)
    assert "fails together with the member there" in said


def test_an_account_without_an_image_for_the_arbitrator_is_told_so():
    cloud = with_data()
    cloud._images.pop("ami-debian")
    assert "--arbitrator-image" in refusal(cloud)
    assert "is not to be found" in refusal(cloud, arbitrator_image="votes")


@pytest.mark.parametrize("obstacle", [KEYLESS, MYISAM])
def test_c78_tables_that_two_cannot_keep_are_named_and_mended_with_consent_only(obstacle):
    cloud = with_data("mariadb", obstacle)
    assert obstacle.says in refusal(cloud)
    assert "--mend-tables" in refusal(cloud)
    make(cloud, mend_tables=True)
    assert not MemoryDatabases(cloud).examine(cloud.the_instance.id).obstacles


def test_what_nobody_can_mend_is_refused_and_all_of_it_named():
    said = refusal(with_data("mariadb", PEERS, replace(PEERS, says="port 4567 is taken")), mend_tables=True)
    assert PEERS.says in said
    assert "port 4567 is taken" in said


def test_what_is_only_to_be_known_is_told_in_the_plan():
    cloud = with_data("mariadb", LOCKS)
    plan = PROCEDURES["pair"].plan(memory_world(cloud), asked(cloud))
    assert LOCKS.says in plan.warnings
    assert "kept in step by Galera" in plan.says
    assert plan.details["third vote"].startswith("a t3.nano in ")


@pytest.mark.parametrize(("engine", "writer"), [("mariadb", "9280/writer"), ("postgresql", "8008/primary")])
def test_c54_jobs_that_must_run_once_are_told_how_to_ask_where_the_writer_is(engine, writer):
    cloud = with_data(engine)
    jobs = [{"kind": "cron", "name": "/etc/cron.d/wiki"}]
    views, job = (
        [{"server": "wordpress", "setting": "DISABLE_WP_CRON", "value": one, "path": "/x"}]
        for one in ("", "set")
    )
    for looks, is_told in (
        (Looks(engine, web=job), False),
        (Looks(engine, jobs=jobs), True),
        (Looks(engine, web=views), True),
    ):
        world = replace(memory_world(cloud), machines=looks)
        plan = PROCEDURES["pair"].plan(world, asked(cloud, jobs_may_run_twice=True))
        assert any(f"curl -fs http://ADDRESS:{writer} " in one for one in plan.warnings) == is_told


def test_a_look_that_nobody_could_take_is_no_server_without_obstacles():
    cloud = with_data()
    cloud.fail("examine_database", "AccessDeniedException")
    assert "could not be looked at" in refusal(cloud)


def test_an_engine_that_nothing_keeps_in_step_is_refused_as_before():
    assert "keeps engines mongodb" in refusal(with_data("mongodb"))


def test_the_owners_word_that_nothing_changes_goes_before_all():
    cloud = with_data("mariadb", PEERS)
    result = make(cloud, stateless=True)
    assert len(result.members) == 2
    assert not cloud.instances(TAG_ARBITRATOR)


def test_members_reach_each_other_by_rules_that_go_with_the_pair_and_by_no_others():
    cloud = with_data()
    group = cloud.the_instance.security_groups[0]
    own = IngressRule(3306, from_group=group)
    cloud.allow(group, own)
    before = things(cloud)
    request = told(cloud, "pair", "run-0", stateless=False)
    assert IngressRule(4567, from_group=group) in cloud.ingress_rules(group)
    assert 3306 not in request.ports_opened
    undo(MemorySteps("run-1"), memory_world(cloud), request)
    assert things(cloud) == before
    assert own in cloud.ingress_rules(group)


def test_undo_brings_everything_that_was_written_back_to_the_source_also_where_the_twin_was_written_to():
    cloud = with_data("postgresql")
    source = cloud.the_instance.id
    request = told(cloud, "pair", "run-0", stateless=False)
    MemoryDatabases(cloud).hand_over(source)
    assert cloud.write(source, "new")
    undo(MemorySteps("run-1"), memory_world(cloud), request)
    assert cloud.rows_of(source) == ("old", "new")
    assert MemoryDatabases(cloud).state(source).role == "alone"
    assert TAG_DATA not in cloud.instance(source).tags


def test_undo_is_refused_while_only_another_member_has_everything():
    cloud = with_data()
    request = told(cloud, "pair", "run-0", stateless=False)
    stick(cloud, cloud.the_instance.id)
    before = things(cloud)
    with pytest.raises(PreconditionFailed, match="what only another member has would be lost"):
        undo(MemorySteps("run-1"), memory_world(cloud), request)
    assert things(cloud) == before


def test_a_copy_that_nobody_let_in_takes_no_writes():
    cloud = with_data()
    steps = MemorySteps("run-1", "before launch the arbitrator")
    with pytest.raises(Killed):
        make(cloud, steps=steps)
    twin = next(one.id for one in cloud.instances() if one.id != cloud.the_instance.id)
    assert MemoryDatabases(cloud).state(twin).role == "stranger"
    assert not cloud.write(twin, "astray")
    assert cloud.write(cloud.the_instance.id, "kept")


class Stubborn(MemoryDatabases):
    """A machine whose server does not come up with any other configuration."""

    def apply(self, instance_id, layout):
        return Applied(problem="the server did not come up, and has its old configuration back")


def test_a_server_that_takes_the_change_back_ends_the_run_before_anything_is_stopped():
    cloud = with_data()
    world = replace(memory_world(cloud), databases=Stubborn(cloud))
    with pytest.raises(ProcedureFailed, match="has its old configuration back"):
        make(cloud, world=world)
    assert not [call for call in cloud.calls if call.name in ("stop_instance", "create_image")]


def test_the_names_of_clusters_are_their_own():
    assert cluster_of("shop") == "shop"
    assert cluster_of("Shop!") != cluster_of("shop?")
    assert len(cluster_of("a" * 200)) <= 32


def paired(**options):
    cloud = with_data(**options)
    result = make(cloud)
    cloud.announce(cloud.the_instance.id)
    return cloud, next(one for one in result.members if one != cloud.the_instance.id)


def test_maintenance_has_the_writes_elsewhere_before_the_member_goes_and_loses_none():
    cloud, twin = paired()
    source = cloud.the_instance.id
    written = []

    class Writing(MemorySteps):
        def do(self, name, function, *args, **kwargs):
            written.extend(row for one in (source, twin) if cloud.write(one, row := f"{name} at {one}"))
            return super().do(name, function, *args, **kwargs)

    take(Writing("run-2"), memory_world(cloud), TakeRequest(source))
    assert len(written) > 10
    assert not set(written) - set(cloud.rows_of(source))
    assert cloud.rows_of(source) == cloud.rows_of(twin)
    assert MemoryDatabases(cloud).state(twin).role == "primary"


@pytest.mark.parametrize("broken", ["twin", "arbitrator"])
def test_maintenance_is_refused_while_the_data_is_not_in_step(broken):
    cloud, twin = paired()
    (arbitrator,) = cloud.instances(TAG_ARBITRATOR)
    if broken == "twin":
        stick(cloud, twin)
    else:
        cloud.impair(arbitrator.id)
    before = things(cloud)
    with pytest.raises(PreconditionFailed, match="is not in step, so nobody who keeps it is touched"):
        take(MemorySteps("run-2"), memory_world(cloud), TakeRequest(cloud.the_instance.id))
    assert things(cloud) == before


def test_a_member_that_falls_behind_while_the_other_is_drained_keeps_the_other_from_being_stopped():
    cloud, twin = paired()
    source = cloud.the_instance.id

    class Falling(MemorySteps):
        def do(self, name, function, *args, **kwargs):
            if name == "stop it and start it on other hardware":
                stick(cloud, twin)
            return super().do(name, function, *args, **kwargs)

    with pytest.raises(ProcedureFailed):
        take(Falling("run-2"), memory_world(cloud), TakeRequest(source))
    assert not [call for call in cloud.calls if call.name == "stop_instance" and call.arguments[0] == source][
        1:
    ]
    assert any(one.instance_id == source for arn in cloud._target_groups for one in cloud.targets(arn))


def steps_of_a_pair():
    steps = MemorySteps("run-1")
    make(with_data("mariadb", KEYLESS), steps=steps, mend_tables=True)
    return steps.names[4:]  # the first four change nothing


@pytest.mark.parametrize("name", steps_of_a_pair())
def test_a_pair_that_died_anywhere_is_undone_with_all_that_was_written(name):
    cloud = with_data("mariadb", KEYLESS)
    before, source = things(cloud), cloud.the_instance.id
    request = told(cloud, "pair", "run-0", f"after {name}", stateless=False, mend_tables=True)
    keep_guarantees(memory_world(cloud), lambda _: nullcontext(True))
    assert cloud.write(source, "meanwhile")
    undo(MemorySteps("run-1"), memory_world(cloud), request)
    assert things(cloud) == before
    assert cloud.rows_of(source) == ("old", "meanwhile")
    server = cloud._machines[source].server
    assert (server.layout, server.is_mended) == (None, False)


def test_undo_of_an_earlier_run_leaves_data_alone_that_another_run_keeps_by_now():
    cloud = with_data()
    died = "after have the source's database be a cluster of one"
    request = told(cloud, "pair", "run-0", died, stateless=False)
    make(cloud)
    with pytest.raises(PreconditionFailed, match="of another run keep it too"):
        undo(MemorySteps("run-2"), memory_world(cloud), request)
    assert MemoryDatabases(cloud).examine(cloud.the_instance.id).layout


def test_the_database_of_a_twin_is_never_replaced():
    cloud = with_data()
    clone(MemorySteps("run-0"), memory_world(cloud), CloneRequest(cloud.the_instance.id))
    twin = next(one.id for one in cloud.instances() if one.id != cloud.the_instance.id)
    cloud.clock.sleep(60)
    assert f"the database of the twin {twin} is its own" in refusal(cloud)
    assert cloud.write(twin, "its own")
    assert "its own" in cloud.rows_of(twin)


def test_maintenance_is_refused_where_two_take_writes():
    cloud, twin = paired()

    class Split(MemoryDatabases):
        def state(self, instance_id):
            found = super().state(instance_id)
            return replace(found, role="primary") if instance_id == twin else found

    before, world = things(cloud), replace(memory_world(cloud), databases=Split(cloud))
    with pytest.raises(PreconditionFailed, match=f"and {twin} both take writes"):
        take(MemorySteps("run-2"), world, TakeRequest(cloud.the_instance.id))
    assert things(cloud) == before
