"""Keys that a machine's volumes are encrypted with: one that cannot be used keeps it from starting."""

from __future__ import annotations

from typing import Any

from moto.kms.models import kms_backends

USABLE = "Enabled"
CODE, MESSAGE = "Client.InternalError", "Client.InternalError: Client error on launch"
"""What EC2 says of a start that falls back because of a key: nothing of the key (EC2 User Guide,
"Troubleshoot instance launch issues")."""


def is_kept_off(instance: Any) -> bool:
    """Whether a key of an instance's volumes is disabled, about to be deleted, or gone."""
    backend = instance.ec2_backend
    keys = kms_backends[backend.account_id][backend.region_name]
    for _, block in instance.get_block_device_mapping:
        asked = str(backend.get_volume(block.volume_id).kms_key_id or "")
        if not asked or asked.startswith("alias/aws/"):
            continue  # AWS's own key cannot be switched off.
        name = keys.any_id_to_key_id(asked)
        if name not in keys.keys or keys.keys[name].key_state != USABLE:
            return True
    return False
