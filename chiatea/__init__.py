"""chia-tea: watches a Chia farm and moves its plots, from one terminal."""

__version__ = "2.0.0.dev1"
