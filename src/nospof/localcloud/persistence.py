"""The state of the cloud on disk: one SQLite row per moto backend, written before a call is answered.

Backends refer to each other and to themselves; each reference is written as a name, otherwise every
row would carry a shadow copy of the others and, once read, act on it.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import Certificate, load_pem_x509_certificate
from moto import backends as moto_backends
from moto.core.base_backend import AccountSpecificBackend, BackendDict, BaseBackend
from moto.ssm.models import ParameterDict

Key = tuple[str, str, str]
# A service outside this list that cannot be written is named in the status as not kept over a restart.
MUST_BE_KEPT = (
    "",
    "ec2",
    "elbv2",
    "elb",
    "acm",
    "ssm",
    "iam",
    "sts",
    "autoscaling",
    "kms",
    "route53",
    "scheduler",
    "efs",
)
OWN = ("", "", "")
_UNPICKLABLE_FACTORY = "<lambda>"


def live_backends() -> Iterator[tuple[Key, BaseBackend]]:
    """Yield every backend in use with its (service, account, region)."""
    registries: Any = BackendDict
    for registry in list(registries._instances):
        for account, region, backend in list(registry.iter_backends()):
            yield (registry.service_name, account, region), backend


def registry_of(service: Any) -> Any:
    """Return moto's register of a service's backends."""
    return moto_backends.get_backend(service)


def backend_of(key: Key) -> Any:
    """Return the backend of a (service, account, region), made if need be."""
    service, account, region = key
    return registry_of(service)[account][region]


def _tree() -> Any:
    return defaultdict(dict)


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, names: dict[int, Key]) -> None:
        super().__init__(file, protocol=5)
        self._names = names

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, BaseBackend) and id(obj) in self._names:
            return ("backend", *self._names[id(obj)])
        if isinstance(obj, BackendDict):
            return ("registry", obj.service_name)
        if isinstance(obj, AccountSpecificBackend):
            return ("account", obj.service_name, obj.account_id)
        return None

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, ParameterDict):
            return (_parameters, (obj.account_id, obj.region_name, dict(obj)))
        if (
            isinstance(obj, defaultdict)
            and getattr(obj.default_factory, "__name__", "") == _UNPICKLABLE_FACTORY
        ):
            return (_two_levels, (dict(obj),))
        if isinstance(obj, Certificate):
            return (_certificate, (obj.public_bytes(Encoding.PEM),))
        if isinstance(obj, RSAPrivateKey | EllipticCurvePrivateKey):
            pem = obj.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            return (_private_key, (pem,))
        if type(obj) in _LOCKS:
            return (_LOCKS[type(obj)], ())
        return NotImplemented


_LOCKS: dict[type, Any] = {type(threading.Lock()): threading.Lock, type(threading.RLock()): threading.RLock}


# cryptography's own functions tell a wrong module and cannot be named in a pickle.
def _certificate(pem: bytes) -> Certificate:
    return load_pem_x509_certificate(pem)


def _private_key(pem: bytes) -> Any:
    return load_pem_private_key(pem, None)


def _parameters(account: str, region: str, content: dict[str, Any]) -> ParameterDict:
    parameters = ParameterDict(account, region)
    parameters.update(content)
    return parameters


def _two_levels(content: dict[Any, Any]) -> Any:
    tree: Any = defaultdict(_tree)
    tree.update(content)
    return tree


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, pid: Any) -> Any:
        kind, service, *rest = pid
        if kind == "backend":
            return backend_of((service, rest[0], rest[1]))
        registry = registry_of(service)
        return registry if kind == "registry" else registry[rest[0]]


class Store:
    """The SQLite file of a cloud.

    Args:
        path: the file; made when missing.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")  # survives kill -9; a power cut may lose the last call
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS backend (service TEXT, account TEXT, region TEXT, state BLOB, "
            "PRIMARY KEY (service, account, region))"
        )
        self._db.execute("CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT)")
        self._written: dict[Key, bytes] = {}
        self.not_kept: set[str] = set()

    def save(self, services: set[str], own: Any) -> None:
        """Write the backends of some services, and what is ours, where they changed.

        Args:
            services: names of services; empty for all in use.
            own: an object of ours that is kept beside moto's.
        """
        found = list(live_backends())
        names = {id(backend): key for key, backend in found}
        rows = [(OWN, own)]
        rows += [(key, b.__dict__) for key, b in found if not services or key[0] in services]
        changed: list[tuple[str, str, str, bytes]] = []
        for key, state in rows:
            buffer = io.BytesIO()
            try:
                _Pickler(buffer, names).dump(state)
            except (pickle.PicklingError, TypeError, AttributeError):
                if key[0] in MUST_BE_KEPT:
                    raise
                self.not_kept.add(key[0])
                continue
            blob = buffer.getvalue()
            digest = hashlib.blake2b(blob, digest_size=16).digest()
            if self._written.get(key) != digest:
                self._written[key] = digest
                changed.append((*key, blob))
        if changed:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("REPLACE INTO backend VALUES (?, ?, ?, ?)", changed)
            self._db.execute("COMMIT")

    def load(self) -> Any:
        """Fill moto's backends with what was saved; return what is ours, None in a new cloud."""
        rows = self._db.execute("SELECT service, account, region, state FROM backend").fetchall()
        own = None
        for service, account, region, _ in rows:
            if (service, account, region) != OWN:
                backend_of((service, account, region))  # all exist before any refers to another
        for service, account, region, blob in rows:
            state = _Unpickler(io.BytesIO(blob)).load()
            if (service, account, region) == OWN:
                own = state
            else:
                backend_of((service, account, region)).__dict__ = state
        return own

    def setting(self, name: str) -> str:
        """Return a remembered setting, or an empty string."""
        row = self._db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def remember(self, name: str, value: str) -> None:
        """Remember a setting."""
        self._db.execute("REPLACE INTO setting VALUES (?, ?)", (name, value))

    def close(self) -> None:
        """Close the file."""
        self._db.close()
