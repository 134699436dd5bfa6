"""chia-tea: watches a Chia farm and moves its plots, from one terminal."""

import os

# Before gRPC is loaded, wherever that happens first: its C core writes its own lines to the terminal, which a dashboard
# draws on and which would spoil a command's single line of error.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

__version__ = "2.0.0.dev1"
