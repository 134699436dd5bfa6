"""The panels: each a function from the farm and a width to lines, and what it says of itself."""

from chiatea.tui.panels import copies, farm, hardware, harvesters, missed
from chiatea.tui.panels.panel import PanelContent

__all__ = ["PANELS"]

PANELS: tuple[PanelContent, ...] = (farm.PANEL, harvesters.PANEL, missed.PANEL, hardware.PANEL, copies.PANEL)
"""In the order of their numbers."""
