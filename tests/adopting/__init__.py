"""A project that adopts the service: its settings, its addresses, an app of its own, and the tests that ask it."""
