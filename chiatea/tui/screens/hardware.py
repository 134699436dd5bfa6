"""Hardware: the disks of all machines."""

from chiatea.tui.lists.disks import DISKS
from chiatea.tui.screens.lists import ListsScreen

__all__ = ["HardwareScreen"]


class HardwareScreen(ListsScreen):
    """Disks, in one list over all machines."""

    title_of_screen = "Hardware"
    contents = (DISKS,)
