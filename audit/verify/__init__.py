"""Judges the log, with nothing of what writes it: own hashing, own canonical JSON, own notes.

Read-only, and without Django: a database, an export or a proof file is judged on any machine that has Python and
`cryptography`. A mistake in the writer is no mistake here too, which is the point.
"""
