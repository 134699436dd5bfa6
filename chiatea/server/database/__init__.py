"""History and current state in SQLite, its tables made from the protocol. Nothing outside this folder knows SQL."""
