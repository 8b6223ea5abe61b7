"""The audit log: closed event vocabulary, one writer, reading, and the guards that keep it append-only."""
