"""The services of an estate, whole."""

from __future__ import annotations

from dataclasses import dataclass

from nospof.audit.builder import Entry, Service
from nospof.audit.crew import InTurn
from nospof.audit.entries import Front, Reader
from nospof.audit.entries import find_services as find
from nospof.model.estate import Estate


@dataclass(frozen=True)
class Services:
    """As the audit's own, with the services whole."""

    found: tuple[Service, ...]
    not_serving: tuple[str, ...]


def find_services(
    estate: Estate, fronts: tuple[Front, ...], wanted: str = "", roots: tuple[Entry, ...] = ()
) -> Services:
    reader = Reader(estate, fronts)
    services = find(estate, fronts, InTurn(reader), wanted, roots)
    return Services(tuple(map(reader.service, services.found)), services.not_serving)
