"""Where Chia is on this machine, and how its services are asked: for the collector and the copier."""
