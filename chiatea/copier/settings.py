"""What the configuration says to a copier, in the form in which it is used."""

from dataclasses import dataclass
from pathlib import Path

from chiatea.config import BandwidthPeriod, Config
from chiatea.copier.job_spec import KNOWN_PLOTS_NAME, Verification
from chiatea.copier.jobs import RetryPolicy
from chiatea.copier.placement import Limits
from chiatea.copier.replace_rules import ReplaceRule

__all__ = ["Settings", "settings_of"]

_ONCE_RETRIES = 2
_ONCE_RETRY_SECONDS = 1.0
"""Somebody waits for `copy --once`: what is only busy is tried again soon, and the rest is said."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Numbers are bytes, bytes per second, and seconds. Where hashes of moved plots are kept, `JobSpec` says too."""

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
    known_plots_filepath: Path
    replace_rules: tuple[ReplaceRule, ...]


def settings_of(config: Config, *, once: bool) -> Settings:
    """The section `copy`, and where files are."""
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
        known_plots_filepath=folder / KNOWN_PLOTS_NAME,
        replace_rules=tuple(
            ReplaceRule(
                name=rule.name or f"{number}",
                suffixes=rule.old.suffixes or copy.suffixes,
                version=rule.old.version or 0,
                pattern=rule.old.name,
                made_before=rule.old.made_before,
                older_than=rule.old.older_than,
                new_suffixes=rule.new.suffixes,
                when_full=rule.when_full,
            )
            for number, rule in enumerate(copy.replace, start=1)
        ),
    )
