"""The real worker, with small steps, so that few bytes go through all that many go through."""

from chiatea.copier.steps import Geometry
from chiatea.copier.worker import main

if __name__ == "__main__":
    main(Geometry(step_bytes=4 << 10, window_bytes=16 << 10, block_bytes=32 << 10, checkpoint_bytes=128 << 10))
