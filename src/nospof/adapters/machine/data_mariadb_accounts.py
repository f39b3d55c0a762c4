"""The part of the data program that has a MariaDB know its applications when they come through a door.

Who came by the local socket comes by TCP now, from a member's address. Each account of `localhost` gets a
twin for each member's address, with the same password and the same grants. What is made is noted in the
database itself, in `nospof`, so that the note is wherever the accounts are, and the undo takes back no more.
It runs by any Python from 3.6 on.
"""

import re

from nospof.adapters.machine.data_mariadb_server import Asking, quoted

# The sender cuts here: what stands above is in the parts before, but for the imports.

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
ADMINISTRATORS = ("root", "mysql", "mariadb.sys", "debian-sys-maint", "rdsadmin")
"""They come by the server's own socket; one of them with a password has a twin all the same."""
PASSWORDS = ("mysql_native_password", "mysql_old_password", "ed25519", "parsec", "caching_sha2_password")
NOTES = (
    "CREATE DATABASE IF NOT EXISTS nospof",
    "CREATE TABLE IF NOT EXISTS nospof.made (kind VARCHAR(16) NOT NULL, what VARCHAR(255) NOT NULL, "
    "was TEXT NOT NULL, PRIMARY KEY (kind, what)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
    "CREATE TABLE IF NOT EXISTS nospof.door (one TINYINT NOT NULL PRIMARY KEY, writer VARCHAR(64) NOT NULL) "
    "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
)
SST_GRANTS = "RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR, REPLICA MONITOR, CONNECTION ADMIN"


def account(user: str, host: str) -> str:
    """Return an account, as SQL writes it in answers and takes it in statements."""
    return "`{}`@`{}`".format(user.replace("`", "``"), host.replace("`", "``"))


def by_password(created: str) -> bool:
    """Whether an account, by the statement that makes it, lets anybody in who knows a password."""
    found = re.search(r" IDENTIFIED (BY PASSWORD '[^']*'|VIA .*)", created)
    if not found:
        return False  # nobody's word is asked for: everybody may come in, and that is not carried further
    how = found.group(1)
    if how.startswith("BY PASSWORD"):
        return True
    ways = re.split(r" OR ", re.split(r" (?:REQUIRE|WITH|PASSWORD EXPIRE|ACCOUNT LOCK)\b", how[4:])[0])
    for one in ways:
        plugin, _, rest = one.strip().partition(" ")
        if plugin in PASSWORDS and re.search(r"'[^']+'", rest) and "'invalid'" not in rest:
            return True
    return False


def twin_statements(created: str, grants: "list[str]", user: str, host: str, to: str) -> "list[str]":
    """Return the statements that make an account's twin for another host.

    Args:
        created: what SHOW CREATE USER says of the account.
        grants: what SHOW GRANTS says of it.
    """
    old, new = account(user, host), account(user, to)
    found = [created.replace(f"CREATE USER {old}", f"CREATE USER {new}", 1)]
    for one in grants:
        if one.startswith("GRANT PROXY"):
            continue
        if one.startswith("SET DEFAULT ROLE"):
            found.append(re.sub(r" FOR .*$", "", one) + " FOR " + new)
            continue
        # How it is identified stands in the first statement already.
        plain = re.sub(
            rf"( TO {re.escape(old)})( IDENTIFIED .*?)?( WITH GRANT OPTION| WITH ADMIN OPTION)?$",
            lambda m: " TO " + new + (m.group(3) or ""),
            one,
        )
        plain = re.sub(r" (REQUIRE|WITH MAX_)\b.*$", "", plain) if " TO " + new not in one else plain
        found.append(plain)
    return found


def local_accounts(asking: Asking) -> "list[tuple[str, str, str]]":
    """Return user, host and the statement that makes it of the accounts of this machine."""
    hosts = ", ".join(quoted(one) for one in LOCAL_HOSTS)
    rows = asking.rows(
        f"SELECT User, Host FROM mysql.user WHERE Host IN ({hosts}) AND User <> '' AND is_role = 'N' "
        "AND User <> 'mariadb.sys' ORDER BY User, FIELD(Host, 'localhost', '127.0.0.1', '::1')"
    )
    return [(user, host, asking.value(f"SHOW CREATE USER {account(user, host)}")) for user, host in rows]


def make_twins(asking: Asking, addresses: "list[str]") -> int:
    """Make the twins that are missing; return how many."""
    made = 0
    for user, host, created in local_accounts(asking):
        if not by_password(created):
            continue
        for to in addresses:
            is_there = asking.value(
                f"SELECT COUNT(*) FROM mysql.user WHERE User = {quoted(user)} AND Host = {quoted(to)}"
            )
            if is_there != "0":
                continue
            grants = [row[0] for row in asking.rows(f"SHOW GRANTS FOR {account(user, host)}")]
            # Noted first: an account that was to be made and was not is no harm in the undo.
            note(asking, "account", account(user, to))
            for one in twin_statements(created, grants, user, host, to):
                asking.rows(one)
            made += 1
    return made


def make_sst_account(asking: Asking, os_user: str) -> None:
    """Have the server know its own user of the operating system, who copies its data for one that joins."""
    where = f"User = {quoted(os_user)} AND Host = 'localhost'"
    if asking.value(f"SELECT COUNT(*) FROM mysql.user WHERE {where}") == "0":
        own = account(os_user, "localhost")
        note(asking, "account", own)
        asking.rows(f"CREATE USER {own} IDENTIFIED VIA unix_socket")
        asking.rows(f"GRANT {SST_GRANTS} ON *.* TO {own}")


def drop_made_accounts(asking: Asking) -> int:
    """Take back the accounts that were made; return how many."""
    rows = asking.rows("SELECT what FROM nospof.made WHERE kind = 'account'") if has_notes(asking) else []
    for (what,) in rows:
        asking.rows(f"DROP USER IF EXISTS {what}")
        asking.rows(f"DELETE FROM nospof.made WHERE kind = 'account' AND what = {quoted(what)}")
    return len(rows)


def note(asking: Asking, kind: str, what: str, was: str = "") -> None:
    """Note what is about to be made or changed; what is noted already stays."""
    asking.rows(f"INSERT IGNORE INTO nospof.made VALUES ({quoted(kind)}, {quoted(what)}, {quoted(was)})")


def has_notes(asking: Asking) -> bool:
    """Whether anything was ever noted here."""
    return (
        asking.value(
            "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'nospof' "
            "AND TABLE_NAME = 'made'"
        )
        != "0"
    )


def make_notes(asking: Asking) -> None:
    """Have a place for notes, and for who is the writer."""
    for one in NOTES:
        asking.rows(one)


def drop_notes(asking: Asking) -> None:
    """Forget the place for notes, once there are none."""
    if has_notes(asking):
        asking.rows("DROP TABLE IF EXISTS nospof.door")
        if asking.value("SELECT COUNT(*) FROM nospof.made") == "0":
            asking.rows("DROP DATABASE nospof")


def account_obstacles(asking: Asking) -> "list[dict[str, str]]":
    """Return the accounts whose applications could not come in through a door."""
    found = []
    for user, host, created in local_accounts(asking):
        if user in ADMINISTRATORS or by_password(created) or " ACCOUNT LOCK" in created:
            continue
        says = (
            f"{user}@{host} comes in without a password that could be asked for through a door: give it one "
            f"(ALTER USER {account(user, host)} IDENTIFIED BY '...') and tell it to its application"
        )
        found.append({"kind": "account", "what": f"{user}@{host}", "says": says, "mend": ""})
    return found
