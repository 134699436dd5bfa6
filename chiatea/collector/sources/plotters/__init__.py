"""Plotters: what their logs say, a module for each kind, and what their processes tell."""
