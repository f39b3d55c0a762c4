"""What a look inside a machine tells: each section of the probe's answer with its fields."""

from __future__ import annotations

from nospof.model.kinds.kind import Kind

SECTIONS: dict[str, tuple[str, ...]] = {
    "devices": (
        "name",
        "called",
        "volume",
        "instance_store",
        "level",
        "parts",
        "failed",
        "disks",
        "degraded",
    ),
    "mounts": ("point", "type", "device", "server", "export"),
    "fstab": ("point", "type", "nofail", "by_kernel_name"),
    "swap": ("device",),
    "memory": ("name", "corrected", "uncorrected"),
    "bonds": ("name", "up", "down"),
    "routing": ("name",),
    "resolvers": ("address",),
    "clocks": ("name", "servers"),
    "listening": ("address", "port", "process"),
    "connections": ("address", "port", "process"),
    "engines": ("engine", "directory", "role", "group", "peers", "synchronous"),
    "votes": ("by", "group", "cluster", "role", "id", "address", "zone"),
    "sessions": ("directory", "files"),
    "written": ("directory", "files", "in_step"),
    "files": ("path", "process"),
    "jobs": ("kind", "name"),
    "units": ("name", "restart"),
    "certificates": ("path", "ends_at"),
    "identity": ("kind", "name", "hash"),
    "web": ("server", "setting", "value", "path"),
}

INSIDE = (
    Kind(
        "machine",
        "nospof:probe",
        "",
        "InstanceId",
        (
            "schema",
            "is_root",
            *(f"{name}.{one}" for name in SECTIONS for one in ("status", "reason")),
            "written.since",
            *(f"{name}.found.{one}" for name, fields in SECTIONS.items() for one in fields),
        ),
        action="ssm:SendCommand",
    ),
)
