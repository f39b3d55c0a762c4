"""A MediaWiki as Debian packages it, on instances of a local cloud, and people who edit it.

Nothing of it was written here: nginx, PHP, MariaDB and MediaWiki are the packages', configured as somebody
does who follows their documentation. What is not as on EC2 are two lines: machines of a local cloud share
the network of one computer, so the web server listens at the machine's own address, and the plain database
at its socket alone, where MediaWiki asks for it.
"""

from __future__ import annotations

import base64
import http.cookiejar
import json
import os
import shutil
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support import ec2_words
from support.local_cloud import RunningCloud
from support.waiting import eventually

PACKAGES = "curl mediawiki nginx php8.2-fpm libapache2-mod-php8.2-"
NEEDED = ("nginx", "php", "curl", "mariadbd", "garbd", "syncthing", "haproxy")
IMAGES = "/var/lib/mediawiki/images"
PASSWORD = "a long word for the wiki"
HEALTH = "/api.php?action=query&meta=siteinfo&format=json"
ANSWER_SECONDS = 30.0
REST_SECONDS = 0.1
"""How long somebody rests whose edit was not taken."""

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


PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def picture(name: str) -> bytes:
    """Return a picture that is no other's: of one point, with its name behind it."""
    return PIXEL + name.encode()


def need_wiki() -> None:
    """Skip where MediaWiki and what carries it is not there; fail in CI."""
    is_there = all(shutil.which(one) for one in NEEDED) and Path("/usr/share/mediawiki/api.php").exists()
    if os.geteuid() != 0 or not is_there:
        message = f"needs root, and MediaWiki: sudo apt-get install --no-install-recommends {PACKAGES}"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)


def inside(cloud: RunningCloud, instance_id: str, script: str, seconds: float = 300.0) -> str:
    """Run a script in an instance; return what it says."""
    ssm = cloud.client("ssm")
    sent = ssm.send_command(
        InstanceIds=[instance_id], DocumentName="AWS-RunShellScript", Parameters={"commands": [script]}
    )
    asked = {"CommandId": sent["Command"]["CommandId"], "InstanceId": instance_id}

    def ended() -> Any:
        said = ssm.get_command_invocation(**asked)
        return said if said["Status"] not in ("Pending", "InProgress", "Delayed") else None

    said = eventually(ended, "the script ends", timeout_seconds=seconds, every_seconds=0.2)
    assert said["Status"] == "Success", said
    return str(said["StandardOutputContent"])


def launch_wiki(cloud: RunningCloud, name: str = "wiki-1") -> str:
    """Launch an instance with a wiki; return its id."""
    image = cloud.image_named("nospof-overlay-root")
    launched = ec2_words.launch(cloud, ImageId=image, TagSpecifications=ec2_words.tagged("instance", name))
    instance_id = ec2_words.running(cloud.client("ec2"), launched)
    inside(cloud, instance_id, INSTALL)
    return instance_id


class Person:
    """Somebody with a browser, at one address of the wiki.

    Args:
        site: scheme, address and port.
    """

    def __init__(self, site: str) -> None:
        self.site = site
        jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(jar)
        )

    def ask(self, **asked: str) -> Any:
        """Return the wiki's answer to a question. Raises OSError, ValueError: it gave none."""
        query = urllib.parse.urlencode({**asked, "format": "json", "formatversion": "2"})
        with self._opener.open(f"{self.site}/api.php?{query}", timeout=ANSWER_SECONDS) as answer:
            return json.load(answer)

    def tell(self, **told: str) -> Any:
        """Return the wiki's answer to what changes it. Raises OSError, ValueError: it gave none."""
        form = urllib.parse.urlencode({**told, "format": "json", "formatversion": "2"}).encode()
        with self._opener.open(f"{self.site}/api.php", form, timeout=ANSWER_SECONDS) as answer:
            return json.load(answer)

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

    def edit(self, title: str, text: str, token: str = "") -> bool:
        """Write a page; return whether that was acknowledged. Raises OSError, ValueError, KeyError."""
        said = self.tell(action="edit", title=title, text=text, token=token or self.token())
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
        fields = {"action": "upload", "filename": name, "token": self.token(), "format": "json"}
        fields |= {"formatversion": "2", "ignorewarnings": "1"}
        edge = "nospof-edge-of-a-part"
        parts = [
            f'--{edge}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            for key, value in fields.items()
        ]
        head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        parts += [head.encode(), b"Content-Type: image/png\r\n\r\n", content, f"\r\n--{edge}--\r\n".encode()]
        request = urllib.request.Request(
            f"{self.site}/api.php",
            b"".join(parts),
            {"Content-Type": f"multipart/form-data; boundary={edge}"},
        )
        with self._opener.open(request, timeout=ANSWER_SECONDS) as answer:
            said = json.load(answer)
        assert said.get("upload", {}).get("result") == "Success", said
        return urllib.parse.urlsplit(said["upload"]["imageinfo"]["url"]).path

    def has(self, path: str, content: bytes) -> bool:
        """Whether this is at a place of the site, whole. Raises OSError: it does not answer."""
        try:
            with self._opener.open(self.site + path, timeout=ANSWER_SECONDS) as answer:
                return bool(answer.read() == content)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 404:
                return False
            raise


@dataclass
class Edits:
    """What those who edit were told."""

    acknowledged: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)

    def more(self, wanted: int) -> Callable[[], bool]:
        """Return a question: whether so many more were acknowledged since now."""
        wanted += len(self.acknowledged)
        return lambda: len(self.acknowledged) >= wanted


@contextmanager
def editing(site: str, label: str, people: int = 2) -> Iterator[Edits]:
    """Have people write new pages at a site until the block ends; a page's text is its own title."""
    edits, over = Edits(), threading.Event()

    def write(number: int) -> None:
        person, token, count = Person(site), "", 0
        while not over.is_set():
            count += 1
            title = f"{label.capitalize()}-{number}-{count}"
            try:
                if not token:
                    person = Person(site)
                    person.log_in()
                    token = person.token()
                is_taken = person.edit(title, title, token)
            except (OSError, ValueError, KeyError, AssertionError) as error:
                is_taken, why = False, f"{type(error).__name__}: {error}"
            else:
                why = "not acknowledged"
            if is_taken:
                edits.acknowledged.add(title)
            else:
                edits.failed.append(f"{title}: {why}")
                token = ""
                over.wait(REST_SECONDS)

    threads = [threading.Thread(target=write, args=(one,), daemon=True) for one in range(people)]
    for one in threads:
        one.start()
    try:
        yield edits
    finally:
        over.set()
        for one in threads:
            one.join()
