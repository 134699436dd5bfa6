"""Which numbers of each topic are worth a chart."""

from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["CHART_FIELDS", "ChartField"]


class ChartField(NamedTuple):
    """One number: its field, what it is called, and values that its chart reaches to at least."""

    field: str
    title: str
    least: float | None = None
    most: float | None = None


def _percent(field: str, title: str) -> ChartField:
    return ChartField(field, title, 0.0, 100.0)


def _from_zero(field: str, title: str) -> ChartField:
    return ChartField(field, title, 0.0)


CHART_FIELDS: Final = MappingProxyType(
    {
        "cpu": (
            _percent("usage_percent", "Load"),
            ChartField("temperature_celsius", "Temperature"),
            _from_zero("load_1_minute", "Processes that wait (1 minute)"),
        ),
        "cpu_core": (_percent("usage_percent", "Load"),),
        "ram": (_from_zero("used_bytes", "In use"), _from_zero("swap_used_bytes", "Swap in use")),
        "disk": (
            _percent("busy_percent", "Busy"),
            _from_zero("read_bytes_per_second", "Read"),
            _from_zero("write_bytes_per_second", "Written"),
            ChartField("used_bytes", "Used"),
            ChartField("temperature_celsius", "Temperature"),
        ),
        "sensor": (ChartField("value", "Value"),),
        "network_interface": (
            _from_zero("received_bytes_per_second", "Received"),
            _from_zero("sent_bytes_per_second", "Sent"),
        ),
        "process": (_from_zero("cpu_percent", "Processor"), _from_zero("resident_bytes", "Memory")),
        "farmer": (
            ChartField("n_plots", "Plots"),
            ChartField("effective_plot_bytes", "Effective size"),
            ChartField("n_skipped_signage_points", "Signage points skipped, in all"),
        ),
        "farmer_harvester": (
            _from_zero("last_lookup_seconds", "Lookup"),
            ChartField("missed_challenges", "Challenges missed, in all"),
            ChartField("n_plots", "Plots"),
        ),
        "pool": (ChartField("current_points", "Points"), ChartField("current_difficulty", "Difficulty")),
        "harvester": (
            _from_zero("last_lookup_seconds", "Lookup"),
            _from_zero("last_eligible_plots", "Eligible plots"),
            ChartField("n_plots", "Plots"),
            _from_zero("n_failed_to_open", "Failed to open"),
        ),
        "plot_folder": (ChartField("n_plots", "Plots"), ChartField("total_plot_bytes", "Size")),
        "wallet": (ChartField("confirmed_balance_mojo", "Balance"), ChartField("height", "Height")),
        "full_node": (
            ChartField("peak_height", "Height"),
            _from_zero("n_peers", "Peers"),
            ChartField("netspace_bytes", "Netspace"),
            _from_zero("mempool_size", "Transactions that wait"),
        ),
        "plotting_plot": (_percent("progress_percent", "Progress"),),
        "source": (_from_zero("n_not_understood", "Lines not understood, in all"),),
        "collector": (
            _from_zero("cpu_percent", "Processor"),
            _from_zero("resident_bytes", "Memory"),
            _from_zero("n_spooled_events", "Events that wait"),
        ),
        "copier": (_from_zero("bytes_per_second", "Speed"), _from_zero("n_active", "Copies under way")),
        "copy_target": (
            _from_zero("bytes_per_second", "Speed"),
            ChartField("free_bytes", "Free"),
            _from_zero("n_active", "Copies under way"),
        ),
        "copy_job": (_from_zero("bytes_per_second", "Speed"), _from_zero("copied_bytes", "Copied")),
    }
)
"""By topic, what matters most first."""
