"""Households' PINs: scrypt over a peppered HMAC, so that a stolen table alone tells nothing.

Four digits are few; the pepper, which is not in the database, and the lock after wrong tries are
what protects them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from itertools import pairwise

COST_N = 2**14
BLOCK_R = 8
SALT_BYTES = 16
STEPS_TOO_EASY = frozenset({0, 1, 9})


def is_weak(pin: str) -> bool:
    """Return whether a PIN of four digits is among the first that anybody tries.

    All alike (0000), a run up or down (1234, 8901, 4321), or one pair twice (1212).
    """
    steps = {(int(right) - int(left)) % 10 for left, right in pairwise(pin)}
    return (len(steps) == 1 and steps <= STEPS_TOO_EASY) or pin[:2] == pin[2:]


def hash_pin(*, pin: str, pepper: str, salt: bytes | None = None) -> str:
    """Return the text to store for a PIN: "scrypt$salt$hash". About 40 ms."""
    salt = secrets.token_bytes(SALT_BYTES) if salt is None else salt
    keyed = hmac.digest(pepper.encode(), pin.encode(), "sha256")
    digest = hashlib.scrypt(keyed, salt=salt, n=COST_N, r=BLOCK_R, p=1)
    return f"scrypt${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def is_right(*, pin: str, stored: str, pepper: str) -> bool:
    """Return whether a PIN is the one stored; a household without a PIN has no right one."""
    try:
        _, salt_text, _ = stored.split("$")
        salt = base64.b64decode(salt_text, validate=True)
    except ValueError:
        return False
    again = hash_pin(pin=pin, pepper=pepper, salt=salt)
    return hmac.compare_digest(again.encode(), stored.encode())
