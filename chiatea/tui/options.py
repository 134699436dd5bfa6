"""How a dashboard is set up: what the configuration says of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chiatea.config import Config
from chiatea.errors import ConfigurationError
from chiatea.tui.thresholds import DEFAULT_THRESHOLDS, Thresholds, thresholds_of

__all__ = ["DEFAULT_OPTIONS", "Options", "check_names", "options_of"]


@dataclass(frozen=True, slots=True)
class Options:
    """What the configuration says of dashboards.

    Attributes:
        thresholds: from where on numbers are yellow and red.
        theme: "" for the one that was chosen last.
        keymap: keys by the id of what they do, as Textual takes them: "f5,ctrl+r".
        is_read_only: gives no orders whatever the token allows.
        remembered_filepath: what is remembered from one time to the next; None: nothing is.
    """

    thresholds: Thresholds = DEFAULT_THRESHOLDS
    theme: str = ""
    keymap: Mapping[str, str] = field(default_factory=dict)
    is_read_only: bool = False
    remembered_filepath: Path | None = None


DEFAULT_OPTIONS = Options()


def options_of(config: Config) -> Options:
    """The options of a configuration."""
    tui = config.tui
    return Options(
        thresholds_of(tui.thresholds),
        tui.theme,
        dict(tui.keymap),
        tui.read_only,
        config.machine.state_folder / "dashboard.json",
    )


def check_names(options: Options, *, themes: Mapping[str, object], ids: set[str]) -> None:
    """Makes sure that theme and keys are ones that there are.

    Raises:
        ConfigurationError: when one is not.
    """
    if options.theme and options.theme not in themes:
        raise ConfigurationError(
            f"tui.theme: there is no theme {options.theme}", f"themes are {', '.join(sorted(themes))}"
        )
    unknown = sorted(set(options.keymap) - ids)
    if unknown:
        raise ConfigurationError(
            f"tui.keymap: there is no key {', '.join(unknown)}", f"keys are {', '.join(sorted(ids))}"
        )
