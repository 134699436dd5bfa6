"""Hardware: machines, their disks, Chia's processes."""

from chiatea.tui.lists.disks import DISKS
from chiatea.tui.lists.machines import MACHINES
from chiatea.tui.lists.processes import PROCESSES
from chiatea.tui.screens.disks import DisksScreen

__all__ = ["HardwareScreen"]


class HardwareScreen(DisksScreen):
    """Three lists over all machines. Enter on a machine opens all of it."""

    CSS_PATH = "hardware.tcss"
    title_of_screen = "Hardware"
    contents = (MACHINES, DISKS, PROCESSES)
