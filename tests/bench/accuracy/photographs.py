#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
The accuracy programs on photographs that Debian packages bring (opencv-doc, python3-skimage): cuts
them, makes them grey, and hands them to accuracy_ladder or accuracy_gauges of the build VD_BUILD.
Needs python3-opencv.

    photographs.py ladder [good=150 defects=150 var=3.5 ...]
    photographs.py gauges
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
SETTINGS = ["abs=5", "var=3.5", "edge=0", "open=1", "area=4", "merge=1"]

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


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else "ladder"
    program = BUILD / "modules" / "inspect" / ("accuracy_" + what)
    with tempfile.TemporaryDirectory(prefix="vd-") as folder:
        seen = [path for path in (cut(source, Path(folder)) for source in SEEN) if path]
        unseen = [path for path in (cut(source, Path(folder)) for source in UNSEEN) if path]
        missing = len(SEEN) + len(UNSEEN) - len(seen) - len(unseen)
        if missing:
            print("%d photographs are not installed (opencv-doc, python3-skimage)" % missing)
        chosen = [*seen, "unseen", *unseen] if what == "ladder" else seen + unseen
        options = SETTINGS + sys.argv[2:] if what == "ladder" else []
        return subprocess.run([str(program), *options, *chosen], check=False).returncode


if __name__ == "__main__":
    try:
        import cv2
    except ImportError:
        print("skipped: python3-opencv is not installed")
        sys.exit(77)
    sys.exit(main())
