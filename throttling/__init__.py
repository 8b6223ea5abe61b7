"""Limits by purpose, an exact limiter and its stores, the lockout, and where a request comes from."""
