"""Attacks recognised in the log: rules, the windows they count in, and the engine that follows the entries."""
