"""Loaded by a measured server: notes the CPU time of each Argon2 call, one number a line, in nanoseconds.

It wraps the binding to the C library and nothing above it, so that only raw Argon2 work counts.
"""

import importlib
import os
import time
from typing import Any

low_level: Any = importlib.import_module("argon2.low_level")
hasher: Any = importlib.import_module("argon2._password_hasher")
_verify = low_level.verify_secret
_log = os.open(os.environ["ARGON2_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def verify_secret(*values: Any, **named: Any) -> bool:
    """argon2-cffi's, with a clock."""
    began = time.thread_time_ns()
    try:
        return bool(_verify(*values, **named))
    finally:
        os.write(_log, b"%d\n" % (time.thread_time_ns() - began))


low_level.verify_secret = hasher.verify_secret = verify_secret
