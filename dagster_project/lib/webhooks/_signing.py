"""Signatures of Standard Webhooks, version 1: HMAC-SHA256 over `id.timestamp.body`."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from dagster_project.lib.errors import InputError

_PREFIX = "whsec_"
_KEY_BYTES_MIN, _KEY_BYTES_MAX = 24, 64


def signing_key(secret: str) -> bytes:
    """Return the key of a secret `whsec_<base64 of 24 to 64 bytes>`; InputError for any other."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or not _KEY_BYTES_MIN <= len(key) <= _KEY_BYTES_MAX:
        # The secret itself stays out of the message, which ends up in logs.
        raise InputError(
            f"A webhook secret must be `{_PREFIX}` followed by the base64 of {_KEY_BYTES_MIN} to "
            f"{_KEY_BYTES_MAX} random bytes; this one is not."
        )
    return key


def signed_headers(message_id: str, body: bytes, *, secrets: Sequence[str], now: datetime) -> dict[str, str]:
    """Return the three headers that let a receiver check a message, one signature per secret.

    `now` (aware) is the moment of this attempt: receivers refuse timestamps that are minutes old.
    """
    timestamp = str(int(now.timestamp()))
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    signatures = (hmac.digest(signing_key(secret), signed, hashlib.sha256) for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(signature).decode()}" for signature in signatures),
    }
