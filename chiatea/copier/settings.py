"""What the configuration says to a copier, in the form in which it is used."""

from dataclasses import dataclass
from pathlib import Path

from chiatea.config import BandwidthPeriod, Config
from chiatea.copier.job_spec import Verification
from chiatea.copier.jobs import RetryPolicy
from chiatea.copier.placement import Limits

__all__ = ["Settings", "settings_of"]

_ONCE_RETRIES = 2
_ONCE_RETRY_SECONDS = 1.0
"""Somebody waits for `copy --once`: what is only busy is tried again soon, and the rest is said."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Numbers are bytes, bytes per second, and seconds."""

    limits: Limits
    retry: RetryPolicy
    verification: Verification
    settle_seconds: float
    max_bytes_per_second: int
    max_bytes_per_second_per_job: int
    bandwidth_periods: tuple[BandwidthPeriod, ...]
    retry_targets_after: float
    rescan_every: float
    journal_folder: Path
    orders_filepath: Path
    disks_filepath: Path
    speeds_filepath: Path


def settings_of(config: Config, *, once: bool) -> Settings:
    """The section `copy`, and where the journal is."""
    copy, folder = config.copy_, config.machine.state_folder / "copy"
    retry = RetryPolicy(copy.retries, copy.retry_after)
    if once:
        retry = RetryPolicy(min(retry.retries, _ONCE_RETRIES), min(retry.after_seconds, _ONCE_RETRY_SECONDS))
    return Settings(
        limits=Limits(copy.reserve, copy.max_per_target, copy.max_per_source, copy.max_active),
        retry=retry,
        verification=copy.verification,
        settle_seconds=copy.settle_seconds,
        max_bytes_per_second=copy.max_bandwidth,
        max_bytes_per_second_per_job=copy.max_bandwidth_per_job,
        bandwidth_periods=copy.bandwidth_by_time,
        retry_targets_after=copy.retry_targets_after,
        rescan_every=copy.rescan_every,
        journal_folder=folder / "journal",
        orders_filepath=folder / "orders.json",
        disks_filepath=folder / "disks.json",
        speeds_filepath=folder / "speeds.json",
    )
