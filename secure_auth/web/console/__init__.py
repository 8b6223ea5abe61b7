"""The console of security teams: what the log holds and proves, and what admins do about it."""
