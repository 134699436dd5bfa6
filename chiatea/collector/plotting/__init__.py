"""Plots in progress, from plotters' logs and processes."""
