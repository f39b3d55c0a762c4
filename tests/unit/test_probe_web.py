"""The look at a machine's web servers, on machines made up of files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nospof.adapters.machine.probe_script import look


@pytest.fixture
def root(tmp_path: Path) -> Path:
    runs(tmp_path, 1, "systemd")
    return tmp_path


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def runs(root: Path, pid: int, name: str) -> None:
    put(root, f"proc/{pid}/comm", f"{name}\n")
    put(root, f"proc/{pid}/cmdline", name)


def told(root: Path) -> dict[str, tuple[str, str]]:
    rows: Any = look(str(root))["web"]["found"]
    return {one["setting"]: (one["value"], one["path"]) for one in rows}


def test_a_machine_without_web_servers_has_nothing_to_tell(root: Path) -> None:
    put(root, "etc/apache2/apache2.conf", "KeepAliveTimeout 5\n")
    assert look(str(root))["web"]["status"] == "none"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", "5"),
        ("KeepAlive On\nKeepAliveTimeout 15\n", "15"),
        ("keepalivetimeout 500ms\n", "0.5"),
        ("# KeepAliveTimeout 90\n", "5"),
        ("KeepAliveTimeout 90\nKeepAliveTimeout 3\n", "3"),
    ],
)
def test_c74_apache_tells_how_long_it_keeps_idle_connections(root: Path, text: str, value: str) -> None:
    runs(root, 7, "apache2")
    put(root, "etc/apache2/apache2.conf", f"ServerRoot x\n{text}")
    assert told(root)["KeepAliveTimeout"] == (value, "/etc/apache2/apache2.conf")


def test_c74_a_server_that_keeps_no_connections_cannot_hang_up_too_soon(root: Path) -> None:
    runs(root, 7, "httpd")
    put(root, "etc/httpd/conf/httpd.conf", "KeepAlive Off\n")
    assert "KeepAliveTimeout" not in told(root)


def test_c74_the_shortest_of_nginx_counts_and_without_one_its_default(root: Path) -> None:
    runs(root, 7, "nginx")
    put(root, "etc/nginx/nginx.conf", "http {\n}\n")
    assert told(root)["keepalive_timeout"] == ("75", "/etc/nginx/nginx.conf")
    put(root, "etc/nginx/nginx.conf", "http {\n  keepalive_timeout 2m;\n}\n")
    put(root, "etc/nginx/conf.d/shop.conf", "  keepalive_timeout 65s 60;\n")
    assert told(root)["keepalive_timeout"] == ("65", "/etc/nginx/conf.d/shop.conf")


def test_c68_who_knows_a_balancer_is_told_and_who_does_not(root: Path) -> None:
    for pid, name in enumerate(("apache2", "nginx", "fail2ban-server"), start=7):
        runs(root, pid, name)
    put(root, "etc/nginx/conf.d/real.conf", "real_ip_header X-Forwarded-For;\n")
    put(root, "etc/apache2/conf-enabled/remote.conf", "RemoteIPHeader X-Forwarded-For\n")
    put(root, "etc/fail2ban/jail.local", "[DEFAULT]\nignoreip = 127.0.0.1/8, 10.0.0.0/16\nsecret = 1\n")
    put(root, "var/www/shop/web/sites/default/settings.php", "$settings['hash_salt'] = 'secret';\n")
    seen = told(root)
    assert seen["real_ip_header"] == ("set", "/etc/nginx/conf.d/real.conf")
    assert seen["RemoteIPHeader"] == ("set", "/etc/apache2/conf-enabled/remote.conf")
    assert seen["ignoreip"] == ("127.0.0.1/8 10.0.0.0/16", "/etc/fail2ban/jail.local")
    assert seen["reverse_proxy"] == ("", "/var/www/shop/web/sites/default/settings.php")
    assert "secret" not in str(look(str(root))["web"])
    drupal = "$settings['reverse_proxy'] = TRUE;\n"
    put(root, "var/www/shop/web/sites/default/settings.php", drupal)
    assert told(root)["reverse_proxy"][0] == "set"
    put(root, "var/www/shop/web/sites/default/settings.php", f"# {drupal}$settings['x'] = 1;")
    assert told(root)["reverse_proxy"][0] == ""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("define('DB_NAME', 'secret');\n", ""),
        ("define( \"DISABLE_WP_CRON\", true );\ndefine('DB_PASSWORD', 'secret');\n", "set"),
        ("define('DISABLE_WP_CRON', false);\n", ""),
        ("// define('DISABLE_WP_CRON', true);\n", ""),
    ],
)
@pytest.mark.parametrize(
    "name", ["etc/wordpress/config-blog.example.php", "var/www/html/wp-config.php", "srv/blog/wp-config.php"]
)
def test_c54_each_wordpress_tells_whether_visitors_run_what_is_due(
    root: Path, name: str, text: str, value: str
) -> None:
    put(root, name, f"<?php\n{text}")
    assert told(root) == {"DISABLE_WP_CRON": (value, f"/{name}")}
    assert "secret" not in str(look(str(root))["web"])


def test_one_configuration_of_wordpress_under_two_names_is_told_once(root: Path) -> None:
    put(root, "etc/wordpress/config-blog.example.php", "define('DB_NAME', 'blog');")
    (root / "etc/wordpress/config-default.php").symlink_to("config-blog.example.php")
    put(root, "etc/wordpress/htaccess", "define(")
    assert [one["path"] for one in look(str(root))["web"]["found"]] == [
        "/etc/wordpress/config-blog.example.php"
    ]
