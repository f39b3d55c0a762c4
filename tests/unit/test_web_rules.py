"""What the settings of web servers mean behind a balancer."""

import pytest

from nospof.model.surroundings import Inside, Listening, WebSetting
from nospof.planning.web_rules import warnings_of

CIDRS = ("10.0.0.0/24", "10.0.1.0/24")


def said(*web, port=80, cidrs=CIDRS, **inside):
    return warnings_of(Inside(web=web, **inside), port, cidrs)


@pytest.mark.parametrize(
    ("server", "setting", "line"),
    [
        ("apache", "KeepAliveTimeout", "KeepAliveTimeout 75"),
        ("nginx", "keepalive_timeout", "keepalive_timeout 75s;"),
    ],
)
@pytest.mark.parametrize(("value", "is_told"), [("5", True), ("60", True), ("60.5", False), ("75", False)])
def test_c74_a_server_that_hangs_up_before_the_balancer_is_told_its_line(
    server, setting, line, value, is_told
):
    told = said(WebSetting(server, setting, value, "/etc/x.conf"))
    assert bool(told) is is_told
    assert not is_told or (line in told[0] and "/etc/x.conf" in told[0])


def test_c74_a_server_behind_another_never_meets_the_balancer():
    apache = WebSetting("apache", "KeepAliveTimeout", "5", "/etc/apache2/apache2.conf")
    front = (Listening(80, "nginx"), Listening(8080, "apache2"))
    assert said(apache, listening=front) == ()
    assert said(apache, port=8080, listening=front)
    assert said(apache, listening=(Listening(80, ""),))


@pytest.mark.parametrize(
    ("server", "setting", "line"),
    [
        ("apache", "RemoteIPHeader", "RemoteIPInternalProxy 10.0.0.0/24 10.0.1.0/24"),
        ("nginx", "real_ip_header", "set_real_ip_from 10.0.1.0/24;"),
        ("drupal", "reverse_proxy", "['10.0.0.0/24', '10.0.1.0/24']"),
    ],
)
def test_c68_who_takes_the_balancer_for_every_client_is_told_which_networks_to_believe(server, setting, line):
    (told,) = said(WebSetting(server, setting, "", "/etc/x"))
    assert line in told
    assert said(WebSetting(server, setting, "set", "/etc/x")) == ()


@pytest.mark.parametrize(
    ("ignored", "named"),
    [
        ("", "10.0.0.0/24, 10.0.1.0/24"),
        ("127.0.0.1/8 ::1", "10.0.0.0/24, 10.0.1.0/24"),
        ("10.0.0.0/24 nonsense", "10.0.1.0/24"),
        ("10.0.0.0/8", ""),
    ],
)
def test_c68_fail2ban_must_never_ban_the_balancer(ignored, named):
    told = said(WebSetting("fail2ban", "ignoreip", ignored, "/etc/fail2ban/jail.local"))
    assert bool(told) is bool(named)
    assert not named or f"add {named} to ignoreip" in told[0]


def test_what_a_machine_makes_up_says_nothing():
    assert said(WebSetting("apache", "KeepAliveTimeout", "nan", "/x")) == ()
    assert said(WebSetting("iis", "KeepAliveTimeout", "5", "/x")) == ()
    assert said(WebSetting("iis", "reverse_proxy", "", "/x"), WebSetting("apache", "Secret", "", "/x")) == ()


def test_what_was_not_read_is_told():
    assert said(web_unread="web servers of i-1: not root") == ("not checked: web servers of i-1: not root",)


@pytest.mark.parametrize(("value", "is_told"), [("", True), ("set", False)])
def test_c54_a_wordpress_whose_visitors_run_what_is_due_is_told_how_it_runs_once(value, is_told):
    told = said(WebSetting("wordpress", "DISABLE_WP_CRON", value, "/srv/blog/wp-config.php"))
    assert bool(told) is is_told
    assert not is_told or "define('DISABLE_WP_CRON', true); in /srv/blog/wp-config.php" in told[0]
