"""The dashboard in a browser on the same machine: `chia-tea tui --web`. Needs what `chia-tea[web]` installs."""
