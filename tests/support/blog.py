"""A WordPress as Debian packages it, on instances of a local cloud, and people who write in it.

Nothing of it was written here: Apache with PHP inside, MariaDB and WordPress are the packages', configured as
their documentation says. What is not as on EC2: machines of a local cloud share the network of one
computer, so the web server listens at the machine's own address, and the plain database at its socket alone;
there is no DNS, so a line in the machine's table of names says where the site's own name leads; and
WordPress, which asks its makers for news, is told not to.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from support.application import Application, Browser, Write, form, launch, need_application, picture
from support.local_cloud import RunningCloud

PACKAGES = "curl wordpress wordpress-theme-twentytwentythree apache2 libapache2-mod-php8.2"
NEEDED = ("apache2", "php")
NAME = "blog.example"
SITE = f"http://{NAME}:8080"
CONTENT = "/var/lib/wordpress/wp-content"
UPLOADS, PLUGINS = f"{CONTENT}/uploads", f"{CONTENT}/mu-plugins"
CONFIG = f"/etc/wordpress/config-{NAME}.php"
HEALTH = "/wp-login.php"
PASSWORD = "a long word for the blog"
LIGHT = "/wp-includes/images/blank.gif"
"""A page that costs nothing, where somebody is sent to whose comment was taken."""
NONCE = "/wp-admin/admin-ajax.php?action=rest-nonce"
PER_PAGE = 100

INSTALL = f"""
set -e
cat >/etc/mysql/mariadb.conf.d/99-blog.cnf <<'END'
[mysqld]
skip-networking
END
echo 'Listen ${{NOSPOF_ADDRESS}}:8080' >/etc/apache2/ports.conf
cat >/etc/apache2/sites-available/000-default.conf <<'END'
ServerName {NAME}
<VirtualHost *:8080>
    DocumentRoot /usr/share/wordpress
    Alias /wp-content {CONTENT}
    <Directory /usr/share/wordpress>
        Options FollowSymLinks
        DirectoryIndex index.php
        Require all granted
    </Directory>
    <Directory {CONTENT}>
        Options FollowSymLinks
        Require all granted
    </Directory>
</VirtualHost>
END
cat >{CONFIG} <<'END'
<?php
define('DB_NAME', 'blog');
define('DB_USER', 'blog');
define('DB_PASSWORD', 'blog');
define('WP_HTTP_BLOCK_EXTERNAL', true);
END
for one in AUTH SECURE_AUTH LOGGED_IN NONCE; do
    for kind in KEY SALT; do
        echo "define('${{one}}_$kind', '$(head -c 40 /dev/urandom | base64 -w 0)');" >>{CONFIG}
    done
done
mkdir -p {PLUGINS}
cat >{PLUGINS}/runs.php <<'END'
<?php
// Events that note each time they run, and on which machine.
add_action('noted', function ($event) {{ add_post_meta(1, 'ran', "$event " . getenv('NOSPOF_ADDRESS')); }});
add_action('rest_api_init', function () {{
    $route = fn($of, $method, $does) => register_rest_route('events/v1', $of,
        ['methods' => $method, 'callback' => $does, 'permission_callback' => '__return_true']);
    $route('soon', 'POST',
        fn($asked) => wp_schedule_single_event(time() + $asked['seconds'], 'noted', [$asked['event']]));
    $route('ran', 'GET', fn() => get_post_meta(1, 'ran'));
}});
END
echo "$NOSPOF_ADDRESS {NAME}" >>/etc/hosts
systemctl enable --now mariadb
mariadb -e "CREATE DATABASE blog; GRANT ALL ON blog.* TO blog@localhost IDENTIFIED BY 'blog'"
systemctl enable --now apache2
"""


def need_blog() -> None:
    """Skip where WordPress and what carries it is not there; fail in CI."""
    need_application(PACKAGES, NEEDED, "/usr/share/wordpress/wp-cron.php")


class Person(Browser):
    """Somebody with a browser, for whom the blog's name leads to one address."""

    def __init__(self, address: str) -> None:
        super().__init__(SITE, address)
        self.nonce = ""

    def install(self) -> None:
        """Answer what WordPress asks when it is new."""
        asked = {"weblog_title": "Blog", "user_name": "admin", "admin_email": "admin@blog.example"}
        words = {"admin_password": PASSWORD, "admin_password2": PASSWORD, "pw_weak": "on", "blog_public": "0"}
        said = self.read("/wp-admin/install.php?step=2", form(**asked, **words, language=""))
        assert b"Success!" in said, said.decode()

    def log_in(self) -> None:
        """Be the blog's owner from now on, whom nobody limits. Raises OSError."""
        self.nonce = self.read(
            "/wp-login.php", form(log="admin", pwd=PASSWORD, redirect_to=SITE + NONCE)
        ).decode()
        assert re.fullmatch(r"\w{10}", self.nonce), self.nonce

    def rest(self, route: str, content: bytes | None = None, **more: str) -> Any:
        """Return the open answer of WordPress's API to what is asked or sent. Raises OSError."""
        path, _, asked = route.partition("?")
        query = urllib.parse.urlencode({"rest_route": path if path[0] == "/" else f"/wp/v2/{path}"})
        who = {"X_WP_Nonce": self.nonce} if self.nonce else {}
        return self.get(f"/?{query}&{asked}", content, **who, **more)

    def said(self, route: str, content: bytes | None = None, **more: str) -> Any:
        """Return what WordPress's API says. Raises OSError, ValueError."""
        with self.rest(route, content, **more) as answer:
            return json.load(answer)

    def name(self) -> str:
        """Return who the blog takes this for. Raises OSError, ValueError: it is a stranger."""
        return str(self.said("users/me")["name"])

    def comment(self, text: str) -> bool:
        """Comment on the first post as readers do; return whether that was acknowledged. Raises OSError."""
        fields = form(comment_post_ID="1", comment_parent="0", comment=text, redirect_to=LIGHT)
        with self.get("/wp-comments-post.php", fields) as answer:
            return "#comment-" in answer.geturl()

    def post(self, title: str) -> bool:
        """Publish a post whose text is its title; return whether that was acknowledged. Raises OSError."""
        said = self.said("posts", form(title=title, content=title, status="publish"))
        return bool(said["status"] == "publish")

    def schedule(self, event: str, seconds: int) -> None:
        """Have WordPress run an event in so many seconds. Raises OSError, ValueError."""
        assert self.said("/events/v1/soon", form(event=event, seconds=str(seconds))) is True

    def upload(self, name: str) -> str:
        """Upload a picture; return where it is on the site. Raises OSError, ValueError, KeyError."""
        sent = {"Content_Type": "image/png", "Content_Disposition": f'attachment; filename="{name}"'}
        return urllib.parse.urlsplit(self.said("media", picture(name), **sent)["source_url"]).path

    def all(self, route: str, fields: str) -> list[Any]:
        """Return everything of a kind. Raises OSError, ValueError."""
        found, page, pages = [], 1, 1
        while page <= pages:
            asked = f"per_page={PER_PAGE}&orderby=id&order=asc&_fields={fields}&page={page}"
            with self.rest(f"{route}?{asked}") as answer:
                found += json.load(answer)
                pages, page = int(answer.headers["X-WP-TotalPages"]), page + 1
        return found

    def texts(self) -> set[str]:
        """Return the text of each comment, and of each post that has its own title. Raises OSError."""
        posts = self.all("posts", "title,content")
        texts = {bare(one["content"]) for one in self.all("comments", "content")}
        return texts | {bare(one["title"]) for one in posts if bare(one["title"]) == bare(one["content"])}

    def runs(self) -> list[tuple[str, str]]:
        """Return each run of an event: its name, and the address that it ran at. Raises OSError."""
        return [(one.split()[0], one.split()[1]) for one in self.said("/events/v1/ran")]


def bare(shown: dict[str, str]) -> str:
    """Return a text as it was written, without what WordPress puts around it."""
    return re.sub(r"<[^>]*>", "", shown["rendered"]).strip()


class Blog(Application):
    """The blog on one instance or two, and what those who write in it were told so far."""

    def __init__(self, cloud: RunningCloud, home: Path) -> None:
        super().__init__(cloud, home, launch(cloud, "blog-1", INSTALL))
        Person(self.address(self.source)).install()

    def browser(self, address: str) -> Person:
        """Return somebody's browser at an address."""
        return Person(address)

    def owner(self, address: str) -> Person:
        """Return the blog's owner, logged in at an address."""
        person = Person(address)
        person.log_in()
        return person

    def people(self, address: str) -> Sequence[Callable[[], Write]]:
        """Return one who comments and one who publishes posts."""
        return (lambda: self.owner(address).comment), (lambda: self.owner(address).post)

    def texts(self, address: str) -> set[str]:
        """Return all comments and posts that are read at an address."""
        return Person(address).texts()

    def upload(self, person: Person, name: str) -> None:
        """Upload a picture as somebody."""
        self.uploads[person.upload(name)] = picture(name)
