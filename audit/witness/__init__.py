"""A witness of logs: it cosigns the checkpoints of a log that only grows (C2SP tlog-witness), alone on a machine."""
