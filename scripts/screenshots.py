"""Renders the dashboard to screenshots/, from the real app over a fixed farm: `make screenshots`, or some by name."""

import asyncio
import os
import sys
from pathlib import Path

os.environ["TEXTUAL_ANIMATIONS"] = "none"
os.environ["TZ"] = "UTC"

import resvg_py

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.tui.pictures import FONT, PICTURES, SIZES, draw

FOLDER = ROOT / "screenshots"


async def main(names: list[str]) -> None:
    """All of them, or those whose name begins with one of the names."""
    FOLDER.mkdir(exist_ok=True)
    for picture in PICTURES:
        for size_name, size in SIZES.items():
            name = f"{picture.name}-{size_name}"
            if names and not name.startswith(tuple(names)):
                continue
            svg = await draw(picture, size)
            (FOLDER / f"{name}.svg").write_text(svg, encoding="utf-8")
            png = resvg_py.svg_to_bytes(svg_string=svg, font_family=FONT, monospace_family=FONT)
            (FOLDER / f"{name}.png").write_bytes(bytes(png))
            print(FOLDER / f"{name}.png")


asyncio.run(main(sys.argv[1:]))
