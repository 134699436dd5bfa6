"""The pictures in screenshots/ are what the dashboard draws: whoever changes its looks looks at them."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .pictures import PICTURES, SIZES, Picture, draw

FOLDER = Path(__file__).parent.parent.parent / "screenshots"
ADVICE = "look at what `make screenshots` makes of it, and commit that if it is as it should be"


def text_of(svg: str) -> str:
    """What a picture says, without its colours: shorter to compare where it differs."""
    return "\n".join(re.sub(r"<[^>]+>", "", line) for line in svg.splitlines() if "<text" in line)


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
async def test_a_screen_looks_as_in_its_picture(picture: Picture, size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    path = FOLDER / f"{picture.name}-{size}.svg"
    drawn, kept = await draw(picture, SIZES[size]), path.read_text(encoding="utf-8")
    assert text_of(drawn) == text_of(kept), ADVICE
    assert drawn == kept, ADVICE


def test_there_is_no_picture_of_what_is_no_more() -> None:
    assert {path.stem for path in FOLDER.glob("*.svg")} == {f"{p.name}-{size}" for p in PICTURES for size in SIZES}
