"""What is claimed about speed, as commands: each prints a ratio against something known."""
