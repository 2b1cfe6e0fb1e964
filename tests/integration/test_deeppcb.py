#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Real boards through the running agent: the camera is a folder of the test boards of DeepPCB, the
golden template of each is chosen by its serial number. Every test board has defects; so that good
boards are judged too, each template is also sent as a board, under a serial of its own.

The data is not part of the project: VD_DEEPPCB names its folder; without it this is skipped.
"""

import os
import shutil
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import line as lines  # noqa: E402
from line import Line, wait_until  # noqa: E402

DATA = Path(os.environ.get("VD_DEEPPCB") or lines.ROOT.parent / "shared" / "data" / "deeppcb")


def truth_of(stem):
    boxes = []
    for row in (DATA / (stem + ".txt")).read_text().splitlines():
        x1, y1, x2, y2, _ = (int(field) for field in row.replace(",", " ").split())
        boxes.append((x1, y1, x2, y2))
    return boxes


def matches(box, found):
    """As in the literature on this set: IoU above 0.33, or the centre inside the box."""
    x1, y1, x2, y2 = box
    u1, v1, u2, v2 = found
    width, height = min(x2, u2) - max(x1, u1), min(y2, v2) - max(y1, v1)
    both = max(width, 0) * max(height, 0)
    union = (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - both
    cx, cy = (u1 + u2) / 2, (v1 + v2) / 2
    return both > 0.33 * union or (x1 <= cx <= x2 and y1 <= cy <= y2)


def score(boxes, found):
    """(boxes found, boxes missed, finds without a box)"""
    hit = sum(any(matches(box, f) for f in found) for box in boxes)
    false = sum(not any(matches(box, f) for box in boxes) for f in found)
    return hit, len(boxes) - hit, false


@unittest.skipUnless((DATA / "pairs.txt").exists(), "no DeepPCB folder: set VD_DEEPPCB")
class DeepPcbTest(unittest.TestCase):
    def test_all_pairs_are_judged_through_the_running_agent(self):
        stems = sorted(p.name[:-len("_test.jpg")] for p in DATA.glob("*_test.jpg"))
        self.assertEqual(len(stems), 125)
        with Line() as line:
            boards = line.folder / "boards"
            boards.mkdir()
            for stem in stems:
                shutil.copy(DATA / (stem + "_test.jpg"), boards / ("%s-a-part.jpg" % stem))
                shutil.copy(DATA / (stem + "_temp.jpg"), boards / ("%s-b-good.jpg" % stem))
            line.agent.start()
            station = lines.golden_station("unused")
            station["parameters"]["queueMax"] = 64  # a slow machine may fall behind, but judges each
            recipe = station["parameters"]["recipes"]["r"]
            recipe["steps"]["board"]["golden"] = {"folder": str(DATA), "name": "{serial}_temp.jpg"}
            # The set is binarised: two boards are white but for a corner, which no camera shows.
            recipe["exposure"] = {"meanMax": 255, "spreadMin": 0}
            line.wait_applied(line.set_desired(lines.document({
                "cam": lines.camera(boards, 12, loop=False, serialPattern="^([0-9]+)"),
                "station": station})))
            wait_until(lambda: len(line.verdicts()) >= 250, 120,
                       lambda: "%d verdicts\n%s" % (len(line.verdicts()), line.agent.log_tail()))
            verdicts = line.verdicts()
            self.assertEqual(len(verdicts), 250)

            # The folder sends <stem>-a-part before <stem>-b-good; verdicts keep that order.
            hits = misses = false = right = good_right = 0
            for stem, bad, good in zip(stems, verdicts[0::2], verdicts[1::2]):
                self.assertEqual((bad["body"]["serial"], good["body"]["serial"]), (stem, stem))
                found = [(d["x"], d["y"], d["x"] + d["width"], d["y"] + d["height"])
                         for d in bad["body"]["steps"]["board"]["defects"]]
                h, m, f = score(truth_of(stem), found)
                hits, misses, false = hits + h, misses + m, false + f
                right += bad["body"]["verdict"] == "NG"
                good_right += good["body"]["verdict"] == "OK"
            recall, precision = hits / (hits + misses), hits / (hits + false)
            f1 = 2 * recall * precision / (recall + precision)
            print("boards judged right: %d of 125 defective NG, %d of 125 templates OK (%.1f %%)" % (
                right, good_right, (right + good_right) / 2.5))
            print("boxes: F1 %.3f recall %.3f precision %.3f, %.2f false positives an image" % (
                f1, recall, precision, false / 125))
            self.assertEqual(right, 125)
            self.assertEqual(good_right, 125)
            self.assertGreater(f1, 0.95)


if __name__ == "__main__":
    unittest.main(verbosity=2)
