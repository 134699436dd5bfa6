"""The copier: moves finished plots from source folders to target folders, and never loses one."""
