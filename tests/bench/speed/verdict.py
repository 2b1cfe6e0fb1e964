#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
A verdict's time beside its peers', in one run on the same JPEG, taking turns: bare grey decode and
verdict of the library (speed_verdict), the same verdict in OpenCV-Python tuned by hand, in plain
OpenCV-Python, and the path of a pipeline that hands files and shrunken pictures around (as VIO
does, without its HTTP calls and without a model: the least it can cost). One thread each. Prints
medians and ratios; asserts nothing. Needs python3-opencv, python3-numpy and python3-pil of Debian.

    VD_BUILD=build/release tests/bench/speed/verdict.py [rounds]
"""

import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("VD_BUILD") or ROOT / "build" / "release")
MARGIN, PATCH, REACH, OPEN, AREA = 16, 128, 16, 2, 8
SUBJECTS = [  # name, width, height, grain, targets: of decode, tuned, VIO
    ("1080p soft", 1920, 1080, 0, 1.30, 4.0, 12.0),
    ("1080p busy", 1920, 1080, 60, 1.15, 2.2, None),
    ("12 MP busy", 4000, 3000, 60, 1.10, 3.0, None),
]


def picture(width, height, grain, random):
    """Waves, discs and grain: soft or busy."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    image = 120 + 40 * np.sin(x / 37) * np.cos(y / 29) + 25 * np.sin((x + 2 * y) / 91)
    image += np.where(np.hypot(x % 240 - 120, y % 200 - 100) < 50, 30, 0)
    return image + (grain + 2) * (random.random((height, width), dtype=np.float32) - 0.5)


def write_capture(path, image, dx, dy, random):
    moved = cv2.warpAffine(image, np.float32([[1, 0, dx], [0, 1, dy]]), (image.shape[1], image.shape[0]),
                           flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    moved = moved + 2 * random.standard_normal(image.shape, dtype=np.float32)
    grey = np.clip(moved, 0, 255).astype(np.uint8)
    cv2.imwrite(str(path), cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])


def prepare(folder, width, height, grain):
    random = np.random.default_rng(5)
    image = picture(width, height, grain, random)
    write_capture(folder / "golden.jpg", image, 0, 0, random)
    for i in range(6):
        write_capture(folder / ("good-%d.jpg" % i), image, 2 * random.random() - 1, 2 * random.random() - 1, random)
    write_capture(folder / "test.jpg", image, 1.4, -0.7, random)


class Ours:
    def __init__(self, folder):
        program = str(BUILD / "modules" / "inspect" / "speed_verdict")
        self.process = subprocess.Popen([program, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit("%s did not start" % program)

    def run(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        return float(answer[0]), float(answer[1]), int(answer[2])

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Model:
    """What both OpenCV verdicts compare with: the library's mean and spread, its thresholds."""

    def __init__(self, folder):
        golden = cv2.imread(str(folder / "golden.jpg"), cv2.IMREAD_GRAYSCALE)
        self.height, self.width = golden.shape[0] - 2 * MARGIN, golden.shape[1] - 2 * MARGIN
        shape = (self.height, self.width)
        self.mean = np.fromfile(folder / "mean.u16", np.uint16).reshape(shape).astype(np.float32) / 256
        spread = np.fromfile(folder / "spread.u16", np.uint16).reshape(shape).astype(np.float32) / 256
        band = np.maximum(10, 3 * np.maximum(1, np.maximum(spread, np.sqrt(cv2.blur(spread * spread, (5, 5))))))
        slope = np.maximum(np.abs(cv2.Sobel(self.mean, cv2.CV_32F, 1, 0, ksize=1)),
                           np.abs(cv2.Sobel(self.mean, cv2.CV_32F, 0, 1, ksize=1))) / 2
        band += 0.5 * slope
        self.upper = np.clip(self.mean + band, 0, 255).astype(np.uint8)
        self.lower = np.clip(self.mean - band, 0, 255).astype(np.uint8)
        self.top, self.left = (golden.shape[0] - PATCH) // 2, (golden.shape[1] - PATCH) // 2
        self.patch = golden[self.top:self.top + PATCH, self.left:self.left + PATCH]
        self.small_patch = cv2.resize(self.patch, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        self.kernel = np.ones((OPEN, OPEN), np.uint8)
        self.cells = cv2.resize(self.mean, None, fx=1 / 16, fy=1 / 16, interpolation=cv2.INTER_AREA)
        self.wanted = cv2.blur(self.cells, (5, 5))
        self.wanted_full = cv2.blur(self.mean, (65, 65))


def vertex(before, at, after):
    curve = before - 2 * at + after
    return (before - after) / (2 * curve) if curve < 0 else 0.0


def best(scores):
    """Sub-pixel place of the highest score."""
    _, _, _, (x, y) = cv2.minMaxLoc(scores)
    inside = 0 < x < scores.shape[1] - 1 and 0 < y < scores.shape[0] - 1
    if not inside:
        return float(x), float(y)
    return (x + vertex(scores[y, x - 1], scores[y, x], scores[y, x + 1]),
            y + vertex(scores[y - 1, x], scores[y, x], scores[y + 1, x]))


def tuned(model, jpeg):
    """By hand: pyramid search in small windows, gain from 1/16 size, inRange, no float image, no stats."""
    image = cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)
    top, left = model.top - REACH, model.left - REACH
    window = image[top:top + PATCH + 2 * REACH, left:left + PATCH + 2 * REACH]
    small = cv2.resize(window, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    x, y = best(cv2.matchTemplate(small, model.small_patch, cv2.TM_CCOEFF_NORMED))
    x, y = min(max(int(round(4 * x)) - 3, 0), 2 * REACH - 6), min(max(int(round(4 * y)) - 3, 0), 2 * REACH - 6)
    dx, dy = best(cv2.matchTemplate(window[y:y + PATCH + 6, x:x + PATCH + 6], model.patch, cv2.TM_CCOEFF_NORMED))
    dx, dy = x + dx - REACH, y + dy - REACH
    # getRectSubPix is OpenCV's fastest sub-pixel shift of 8 bits; the region's middle, moved.
    centre = (MARGIN + (model.width - 1) / 2 + dx, MARGIN + (model.height - 1) / 2 + dy)
    region = cv2.getRectSubPix(image, (model.width, model.height), centre)
    cells = cv2.resize(region, (model.cells.shape[1], model.cells.shape[0]), interpolation=cv2.INTER_AREA)
    gain = model.wanted / (cv2.blur(cells, (5, 5)).astype(np.float32) + 1)
    # Gains in 8 bits would be twice as fast, but their steps of 0.8 % reject good parts.
    gain = cv2.resize(gain, (model.width, model.height), interpolation=cv2.INTER_LINEAR)
    region = cv2.multiply(region, gain, dtype=cv2.CV_8U)
    mask = cv2.bitwise_not(cv2.inRange(region, model.lower, model.upper))
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, model.kernel)
    if cv2.countNonZero(mask) == 0:
        return 0
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return sum(cv2.contourArea(c) >= AREA for c in contours)


def plain(model, jpeg):
    """As most would write it: whole-frame search, warpAffine, float normalisation, component statistics."""
    image = cv2.cvtColor(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), cv2.COLOR_BGR2GRAY)
    top, left = model.top - REACH, model.left - REACH
    window = image[top:top + PATCH + 2 * REACH, left:left + PATCH + 2 * REACH]
    dx, dy = best(cv2.matchTemplate(window, model.patch, cv2.TM_CCOEFF_NORMED))
    dx, dy = dx - REACH, dy - REACH
    region = cv2.warpAffine(image, np.float32([[1, 0, MARGIN + dx], [0, 1, MARGIN + dy]]), (model.width, model.height),
                            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP).astype(np.float32)
    region *= model.wanted_full / (cv2.blur(region, (65, 65)) + 1)
    mask = ((region > model.upper) | (region < model.lower)).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, model.kernel)
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    return int((stats[1:, cv2.CC_STAT_AREA] >= AREA).sum())


def vio_shaped(jpeg, folder):
    """Decode, write the picture at quality 95, read the file, decode, RGB, LANCZOS to 224: input of a model."""
    image = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
    path = str(folder / "handed.jpg")
    cv2.imwrite(path, image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    again = Image.open(io.BytesIO(Path(path).read_bytes())).convert("RGB")
    return np.asarray(again.resize((224, 224), Image.LANCZOS), np.float32) / 255


def timed(call, *arguments):
    start = time.perf_counter()
    result = call(*arguments)
    return (time.perf_counter() - start) * 1000, result


def ratio(value, target, larger):
    if target is None:
        return "%6.2f           " % value
    reached = value >= target if larger else value <= target
    return "%6.2f (%s %.2f)%s" % (value, ">=" if larger else "<=", target, " " if reached else "!")


def run(name, width, height, grain, targets, rounds):
    with tempfile.TemporaryDirectory(prefix="vd-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        folder = Path(folder)
        prepare(folder, width, height, grain)
        jpeg = np.fromfile(folder / "test.jpg", np.uint8)
        ours = Ours(folder)
        model = Model(folder)
        times = {"decode": [], "verdict": [], "tuned": [], "plain": [], "vio": []}
        for i in range(-2, rounds):
            decode, verdict, found = ours.run()
            took = {"decode": decode, "verdict": verdict}
            took["tuned"], tuned_found = timed(tuned, model, jpeg)
            took["plain"], plain_found = timed(plain, model, jpeg)
            took["vio"], _ = timed(vio_shaped, jpeg, folder)
            if i >= 0:
                for key, value in took.items():
                    times[key].append(value)
        ours.close()
    median = {key: statistics.median(values) for key, values in times.items()}

    def paired(a, b):
        return statistics.median(x / y for x, y in zip(times[a], times[b]))
    print("%-11s %5d kB  decode %6.2f  verdict %6.2f  tuned %7.2f  plain %7.2f  VIO's path %7.2f ms  (found %d %d %d)"
          % (name, len(jpeg) // 1024, median["decode"], median["verdict"], median["tuned"], median["plain"],
             median["vio"], found, tuned_found, plain_found))
    print("            verdict/decode %s   tuned/verdict %s   plain/verdict %s   VIO's path/verdict %s" % (
        ratio(paired("verdict", "decode"), targets[0], False), ratio(paired("tuned", "verdict"), targets[1], True),
        ratio(paired("plain", "verdict"), None, True), ratio(paired("vio", "verdict"), targets[2], True)), flush=True)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    cv2.setNumThreads(1)
    print("OpenCV %s, numpy %s, one thread, medians of %d rounds in turns; ! misses its target"
          % (cv2.__version__, np.__version__, rounds))
    for name, width, height, grain, *targets in SUBJECTS:
        run(name, width, height, grain, targets, rounds)
    return 0


if __name__ == "__main__":
    try:
        import cv2
        import numpy as np
        from PIL import Image
    except ImportError:
        print("skipped: python3-opencv, python3-numpy or python3-pil is not installed")
        sys.exit(77)
    sys.exit(main())
