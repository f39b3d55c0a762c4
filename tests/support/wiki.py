"""A MediaWiki as Debian packages it, on instances of a local cloud, and people who edit it.

Nothing of it was written here: nginx, PHP, MariaDB and MediaWiki are the packages', configured as somebody
does who follows their documentation. What is not as on EC2 are two lines: machines of a local cloud share
the network of one computer, so the web server listens at the machine's own address, and the plain database
at its socket alone, where MediaWiki asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from support.application import Application, Browser, Write, form, launch, need_application, picture
from support.local_cloud import RunningCloud

PACKAGES = "curl mediawiki nginx php8.2-fpm"
NEEDED = ("nginx", "php")
SITE = "http://wiki.example"
IMAGES = "/var/lib/mediawiki/images"
PASSWORD = "a long word for the wiki"
HEALTH = "/api.php?action=query&meta=siteinfo&format=json"
JSON = {"format": "json", "formatversion": "2"}

INSTALL = f"""
set -e
cat >/etc/mysql/mariadb.conf.d/99-wiki.cnf <<'END'
[mysqld]
skip-networking
END
cat >/etc/nginx/sites-available/default <<'END'
server {{
    include /etc/nginx/own-address.conf;
    root /var/lib/mediawiki;
    index index.php;
    client_max_body_size 20m;
    location /images/ {{ }}
    location ~ ^/(cache|includes|languages|maintenance|vendor)/ {{ deny all; }}
    location ~ \\.php$ {{
        include snippets/fastcgi-php.conf;
        fastcgi_pass unix:/run/php/php8.2-fpm.sock;
        fastcgi_param SERVER_NAME wiki.example;
    }}
}}
END
mkdir -p /etc/systemd/system/nginx.service.d
cat >/etc/systemd/system/nginx.service.d/own-address.conf <<'END'
[Service]
ExecStartPre=
ExecStartPre=/bin/sh -c 'echo "listen $NOSPOF_ADDRESS:8080;" >/etc/nginx/own-address.conf'
END
systemctl daemon-reload
systemctl enable --now mariadb
mariadb -e "CREATE DATABASE wiki; GRANT ALL ON wiki.* TO wiki@localhost IDENTIFIED BY 'wiki'"
php /usr/share/mediawiki/maintenance/install.php --quiet --dbtype mysql --dbserver localhost --dbname wiki \\
    --dbuser wiki --dbpass wiki --server http://wiki.example --scriptpath '' --pass '{PASSWORD}' \\
    --confpath /etc/mediawiki Wiki Admin
cat >>/etc/mediawiki/LocalSettings.php <<'END'
$wgEnableUploads = true;
$wgUploadPath = "/images";
END
systemctl enable --now php8.2-fpm nginx
"""


def need_wiki() -> None:
    """Skip where MediaWiki and what carries it is not there; fail in CI."""
    need_application(PACKAGES, NEEDED, "/usr/share/mediawiki/api.php")


class Person(Browser):
    """Somebody with a browser, for whom the wiki's name leads to one address."""

    def __init__(self, address: str) -> None:
        super().__init__(SITE, address)

    def ask(self, **asked: str) -> Any:
        """Return the wiki's answer to a question. Raises OSError, ValueError: it gave none."""
        return self.json(f"/api.php?{urlencode({**asked, **JSON})}")

    def tell(self, **told: str) -> Any:
        """Return the wiki's answer to what changes it. Raises OSError, ValueError: it gave none."""
        return self.json("/api.php", form(**told, **JSON))

    def token(self, kind: str = "csrf") -> str:
        """Return what a form has to carry. Raises OSError, ValueError, KeyError."""
        return str(self.ask(action="query", meta="tokens", type=kind)["query"]["tokens"][f"{kind}token"])

    def log_in(self) -> None:
        """Be the wiki's administrator from now on, whom nobody limits."""
        said = self.tell(action="login", lgname="Admin", lgpassword=PASSWORD, lgtoken=self.token("login"))
        assert said["login"]["result"] == "Success", said

    def name(self) -> str:
        """Return who the wiki takes this for."""
        return str(self.ask(action="query", meta="userinfo")["query"]["userinfo"]["name"])

    def edit(self, title: str, token: str) -> bool:
        """Write a page whose text is its title; return whether that was acknowledged. Raises OSError."""
        said = self.tell(action="edit", title=title, text=title, token=token)
        return bool(said.get("edit", {}).get("result") == "Success")

    def texts(self) -> dict[str, str]:
        """Return what is on each page, by its title."""
        found: dict[str, str] = {}
        more: dict[str, str] = {}
        asked = {"action": "query", "generator": "allpages", "gaplimit": "max", "prop": "revisions"}
        while True:
            said = self.ask(**asked, rvprop="content", rvslots="main", **more)
            for one in said["query"]["pages"]:
                if "revisions" in one:  # an answer has room for the texts of some of its pages
                    found[one["title"]] = one["revisions"][0]["slots"]["main"]["content"]
            if "continue" not in said:
                return found
            more = said["continue"]

    def upload(self, name: str, content: bytes) -> str:
        """Upload a file; return where it is on the site. Raises OSError, ValueError, KeyError."""
        fields = {"action": "upload", "filename": name, "token": self.token(), "ignorewarnings": "1", **JSON}
        edge = "nospof-edge-of-a-part"
        parts = [
            f'--{edge}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            for key, value in fields.items()
        ]
        head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        parts += [head.encode(), b"Content-Type: image/png\r\n\r\n", content, f"\r\n--{edge}--\r\n".encode()]
        said = self.json("/api.php", b"".join(parts), Content_Type=f"multipart/form-data; boundary={edge}")
        assert said.get("upload", {}).get("result") == "Success", said
        return urlsplit(said["upload"]["imageinfo"]["url"]).path


class Wiki(Application):
    """The wiki on one instance or two, and what those who edit it were told so far."""

    def __init__(self, cloud: RunningCloud, home: Path) -> None:
        super().__init__(cloud, home, launch(cloud, "wiki-1", INSTALL))

    def browser(self, address: str) -> Person:
        """Return somebody's browser at an address."""
        return Person(address)

    def owner(self, address: str) -> Person:
        """Return the wiki's administrator, logged in at an address."""
        person = Person(address)
        person.log_in()
        return person

    def people(self, address: str) -> Sequence[Callable[[], Write]]:
        """Return two who write pages."""

        def come_in() -> Write:
            person = self.owner(address)
            token = person.token()
            return lambda title: person.edit(title, token)

        return come_in, come_in

    def texts(self, address: str) -> set[str]:
        """Return the titles of the pages whose text is their title."""
        return {title for title, text in Person(address).texts().items() if text == title}

    def upload(self, person: Person, name: str) -> None:
        """Upload a picture as somebody."""
        self.uploads[person.upload(name, picture(name))] = picture(name)
