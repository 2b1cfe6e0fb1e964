#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
The accuracy programs on photographs that Debian packages bring (opencv-doc, python3-skimage): cuts
them, makes them grey, and hands them to accuracy_ladder, accuracy_gauges or accuracy_station of the
build VD_BUILD, seen and unseen ones side by side. Needs python3-opencv.

    photographs.py ladder [good=150 defects=150 var=3.5 ...]
    photographs.py gauges | escapes | drift | grr | pod
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("VD_BUILD") or ROOT / "build" / "release")
OPENCV = Path("/usr/share/doc/opencv-doc/examples/data")
SKIMAGE = Path("/usr/lib/python3/dist-packages/skimage/data")
SIDE = 448
STATION = {  # which photographs of each group
    "escapes": (slice(0, 5), slice(0, 5)),
    "drift": (slice(0, 1), slice(3, 4)),
    "grr": (slice(2, 3), slice(0, 0)),
    "pod": (slice(2, 3), slice(3, 4)),
}

# Settings were chosen on the first five; the others are looked at only to be reported.
SEEN = [SKIMAGE / "motorcycle_left.png", SKIMAGE / "brick.png", SKIMAGE / "coffee.png",
        OPENCV / "fruits.jpg", OPENCV / "building.jpg"]
UNSEEN = [SKIMAGE / "gravel.png", SKIMAGE / "grass.png", SKIMAGE / "page.png",
          OPENCV / "board.jpg", OPENCV / "smarties.png"]


def cut(source, folder):
    """The middle of the photograph, grey, as a JPEG of quality 98."""
    image = cv2.imread(str(source), cv2.IMREAD_GRAYSCALE)
    if image is None:
        return None
    height, width = min(SIDE, image.shape[0]), min(SIDE, image.shape[1])
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    path = folder / (source.stem + ".jpg")
    cv2.imwrite(str(path), image[top:top + height, left:left + width], [cv2.IMWRITE_JPEG_QUALITY, 98])
    return str(path)


def run_both(commands):
    """Both at once; what they print, one after the other."""
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    status = 0
    for process in running:
        print(process.communicate()[0], end="", flush=True)
        status |= process.returncode
    return status


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else "ladder"
    if what not in ("ladder", "gauges", *STATION):
        print(__doc__)
        return 2
    program = str(BUILD / "modules" / "inspect" / ("accuracy_" + ("station" if what in STATION else what)))
    with tempfile.TemporaryDirectory(prefix="vd-") as folder:
        seen = [path for path in (cut(source, Path(folder)) for source in SEEN) if path]
        unseen = [path for path in (cut(source, Path(folder)) for source in UNSEEN) if path]
        missing = len(SEEN) + len(UNSEEN) - len(seen) - len(unseen)
        if missing:
            print("%d photographs are not installed (opencv-doc, python3-skimage)" % missing)
        if what == "ladder":
            return run_both([[program, *sys.argv[2:], *seen], [program, *sys.argv[2:], "unseen", *unseen]])
        if what == "gauges":
            return run_both([[program, *seen, *unseen]])
        first, second = STATION[what]
        return run_both([[program, what, *seen[first]], [program, what, *unseen[second]]])


if __name__ == "__main__":
    try:
        import cv2
    except ImportError:
        print("skipped: python3-opencv is not installed")
        sys.exit(77)
    sys.exit(main())
