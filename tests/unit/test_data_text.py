"""What the commands about data say to somebody who reads them at night."""

from nospof.model.layout import Layout, MemberState, Seat
from nospof.model.results import DataCheck, DataStatus, Noticed
from nospof.model.sharing import FilesState, Partner
from nospof.render.result_text import check_text, data_text, noticed_text

SEAT = Seat("i-a", "10.0.0.1", "zone-a")
PARTNER = Partner("i-a", "10.0.0.1", "zone-a", "KEY")
PRIMARY = MemberState("primary", True, "running", 3, "1/0/30")


def test_a_line_of_what_was_noticed_has_when_who_what_and_how_long_it_took():
    at = 1_800_000_000.0
    answered = Noticed(at, "answered", "shop", "another member leads", "i-b", 2.54)
    assert noticed_text(answered) == "2027-01-15 08:00:00Z  shop: another member leads (2.5 s)"
    blind = Noticed(at, "unread", "", "the cloud could not be read", problem="Throttling")
    assert noticed_text(blind) == "2027-01-15 08:00:00Z  the cloud could not be read: Throttling"


def test_files_stand_beside_the_database_and_a_rejoin_is_for_databases_only():
    waits = FilesState("member", False, "i-b is not connected", 3, 4096, "2026-11-27T19:00:00Z")
    found = DataStatus(
        "shop",
        Layout("patroni", "shop", (SEAT,)),
        ((SEAT, PRIMARY),),
        ("files: i-a is member: i-b is not connected",),
        directories=("/srv/uploads",),
        files=((PARTNER, waits),),
    )
    told = data_text(found)
    assert "shop: not in step; kept by Patroni as shop; files by Syncthing: /srv/uploads" in told
    assert (
        "files: member (3 files on the way (4,096 bytes), i-b is not connected, looked through "
        "2026-11-27T19:00:00Z)" in told
    )
    assert "rejoin" not in told


def test_what_was_not_compared_is_told_beside_what_is_the_same():
    same = DataCheck("shop", ("i-a", "i-b"), 2, 90, files=7, files_in_part=1)
    assert check_text(same) == (
        "shop: i-a and i-b have the same 90 rows in 2 tables and 7 files "
        "(1 large ones by size, beginning and end)"
    )
    busy = DataCheck("shop", ("i-a", "i-b"), 2, 90, not_compared=("shop.log: in use",))
    assert check_text(busy).splitlines() == [
        "shop: i-a and i-b have the same 90 rows in 2 tables, as far as they were compared",
        "  - not compared: shop.log: in use",
    ]
    apart = DataCheck("shop", ("i-a", "i-b"), 2, 90, ("shop.orders: differs",), ("shop.log: in use",))
    assert check_text(apart).splitlines()[:2] == ["shop: members differ", "  - shop.orders: differs"]
