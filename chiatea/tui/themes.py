"""chia-tea's own themes, and the styles that panels name."""

from typing import Final

from rich.style import Style
from textual.color import Color
from textual.theme import Theme

__all__ = ["THEMES", "styles_of"]

THEMES: Final = (
    Theme(
        name="chia-tea",
        primary="#7fc97f",
        secondary="#5fafaf",
        accent="#6cb6d9",
        success="#7fc97f",
        warning="#e5c07b",
        error="#ef6b73",
        foreground="#d5dbd3",
        background="#11150f",
        surface="#161b14",
        panel="#1f261c",
        dark=True,
        variables={"border-blurred": "#3a4636", "footer-key-foreground": "#7fc97f"},
    ),
    Theme(
        name="chia-tea-light",
        primary="#2e7d32",
        secondary="#00695c",
        accent="#00639b",
        success="#2e7d32",
        warning="#9a6700",
        error="#b3261e",
        foreground="#1d231b",
        background="#f7f9f4",
        surface="#ffffff",
        panel="#e9eee4",
        dark=False,
        variables={"footer-key-foreground": "#2e7d32"},
    ),
    # Blue and orange differ for every common kind of colour blindness; states are told by glyph and word as well.
    Theme(
        name="chia-tea-colour-blind",
        primary="#56b4e9",
        secondary="#009e73",
        accent="#56b4e9",
        success="#56b4e9",
        warning="#f0e442",
        error="#e69f00",
        foreground="#e4e4e4",
        background="#101216",
        surface="#15181d",
        panel="#1e232b",
        dark=True,
        variables={"footer-key-foreground": "#56b4e9"},
    ),
)


def styles_of(theme: Theme) -> dict[str, Style]:
    """The styles that spans name, in the colours of a theme."""
    foreground = theme.foreground or ("#dddddd" if theme.dark else "#222222")
    muted = Style(color="#8a9485" if theme.dark else "#5f6b5a")
    return {
        "normal": Style(color=_hex(foreground)),
        "strong": Style(color=_hex(foreground), bold=True),
        "muted": muted,
        "title": muted + Style(bold=True),
        "accent": Style(color=_hex(theme.accent or theme.primary)),
        "good": Style(color=_hex(theme.success or theme.primary)),
        "warn": Style(color=_hex(theme.warning or "#d7af00")),
        "bad": Style(color=_hex(theme.error or "#d70000"), bold=True),
        "stale": Style(color="#5d6659" if theme.dark else "#9aa396", italic=True),
        "tab": Style(color=_hex(theme.background or "#000000"), bgcolor=_hex(theme.primary), bold=True),
        "frozen": Style(color=_hex(theme.background or "#000000"), bgcolor=_hex(theme.accent or theme.primary)),
        "flash": Style(bold=True, underline=True),
        "cursor": Style(bgcolor="#2c3628" if theme.dark else "#dbe5d5"),
    }


def _hex(colour: str) -> str:
    return Color.parse(colour).hex6
