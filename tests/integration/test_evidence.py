#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""No evidence, no OK: each way that a frame fails to be evidence, through the running agent."""

import shutil
import struct
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import line as lines  # noqa: E402
from line import Line, wait_until  # noqa: E402

SIZE = (640, 480)  # of the photograph that the captures are made of


def flat_jpeg(width, height, level):
    """A grey JPEG of one level. Huffman tables of two and one codes: DC none or its size, AC the end."""
    dc = 8 * (level - 128)
    size = abs(dc).bit_length()
    bits = "10" + format(dc if dc > 0 else dc + (1 << size) - 1, "0%db" % size) + "0"
    bits += "00" * ((width + 7) // 8 * ((height + 7) // 8) - 1)
    bits += "1" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")

    def segment(marker, body):
        return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
    return (b"\xff\xd8" + segment(0xDB, b"\0" + b"\1" * 64)
            + segment(0xC0, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0")
            + segment(0xC4, b"\x00" + bytes([1, 1] + [0] * 14) + bytes([0, size]))
            + segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\0")
            + segment(0xDA, b"\1\1\0\0\x3f\0") + data + b"\xff\xd9")


def put(line, name, data):
    """Replaces a capture at once: half a file would be another fault."""
    temporary = line.folder / "next"
    temporary.write_bytes(data)
    temporary.rename(line.captures / name)


def start(line, camera=None, recipe=None, station=None, files=6):
    """A line whose captures are its template, over and over; the others change parameters."""
    line.simulate(good=1, mixed=0)
    template = line.captures / "part-00001.jpg"
    for n in range(2, files + 1):
        shutil.copy(template, line.captures / ("part-%05d.jpg" % n))
    line.agent.start()
    parameters = lines.golden_station(shutil.copy(template, line.folder / "template.jpg"))
    parameters["parameters"].update(station or {})
    parameters["parameters"]["recipes"]["r"].update({"frame": {"width": SIZE[0], "height": SIZE[1]}}, **recipe or {})
    modules = {"cam": lines.camera(line.captures, 20, **(camera or {})), "station": parameters}
    line.wait_applied(line.set_desired(lines.document(modules)))
    line.agent.wait_ready("cam", "station")


def bodies(line):
    return [v["body"] for v in line.verdicts()]


def said(body, code):
    return any(code in reason for reason in body["reasons"])


class EvidenceTest(unittest.TestCase):
    def wait_for(self, line, wanted, count=1, seconds=30):
        """The verdicts, once count of them are as wanted."""
        def check():
            found = bodies(line)
            return found if sum(1 for body in found if wanted(body)) >= count else None
        return wait_until(check, seconds, lambda: "%s\n%s" % (
            [(b["verdict"], b["reasons"]) for b in bodies(line)][-5:], line.agent.log_tail()))

    def assert_never_ok(self, found, code):
        concerned = [body for body in found if said(body, code)]
        self.assertTrue(concerned)
        for body in concerned:
            self.assertEqual(body["verdict"], "NO_DECISION", body)
        return concerned

    def test_a_capture_that_failed_is_no_decision_and_its_neighbours_are_judged(self):
        with Line() as line:
            start(line, camera={"failEvery": 3})
            found = self.wait_for(line, lambda b: said(b, "capture_failed"), 5)
            failed = self.assert_never_ok(found, "capture_failed")
            for body in failed:
                self.assertEqual(body["cameras"]["cam"]["state"], "failed")
                self.assertNotIn(body["cameras"]["cam"].get("sha256"), [
                    b["cameras"]["cam"].get("sha256") for b in found if b["verdict"] == "OK"])
            self.assertEqual({b["verdict"] for b in found}, {"OK", "NO_DECISION"})
            seqs = [b["trigger"]["seq"] for b in found]
            self.assertEqual(seqs, list(range(seqs[0], seqs[0] + len(seqs))), "a trigger has no verdict")

    def test_a_frame_cut_short_is_no_decision_and_its_neighbours_are_judged(self):
        with Line() as line:
            start(line, camera={"corruptEvery": 3})
            found = self.wait_for(line, lambda b: said(b, "damaged"), 5)
            self.assert_never_ok(found, "damaged")
            self.assertEqual({b["verdict"] for b in found}, {"OK", "NO_DECISION"})

    def check_replaced(self, data, *codes):
        """A capture turns into something else: no OK for it from then on, OK for all others."""
        with Line() as line:
            start(line)
            self.wait_for(line, lambda b: b["verdict"] == "OK", 3)
            put(line, "part-00002.jpg", data)
            # A capture that failed has no serial.
            found = self.wait_for(line, lambda b: b.get("serial", "00002") == "00002" and b["verdict"] != "OK", 3)
            replaced = [b for b in found if b.get("serial", "00002") == "00002"]
            first = [b["verdict"] != "OK" for b in replaced].index(True)
            for body in replaced[first:]:
                self.assertEqual(body["verdict"], "NO_DECISION", body)
                self.assertTrue(any(said(body, code) for code in codes), body["reasons"])
            self.assertEqual({b["verdict"] for b in found if b.get("serial", "00002") != "00002"}, {"OK"})

    def test_a_black_frame_is_never_ok(self):
        self.check_replaced(flat_jpeg(*SIZE, 0), "exposure")

    def test_a_saturated_frame_is_never_ok(self):
        self.check_replaced(flat_jpeg(*SIZE, 255), "exposure")

    def test_a_covered_lens_is_never_ok(self):
        self.check_replaced(flat_jpeg(*SIZE, 128), "exposure")

    def test_a_frame_of_another_size_is_never_ok(self):
        self.check_replaced(flat_jpeg(320, 240, 128), "wrong_size")

    def test_a_file_that_is_no_picture_is_never_ok(self):
        self.check_replaced(b"no picture at all" * 100, "damaged", "capture_failed")

    def test_an_empty_file_is_never_ok(self):
        self.check_replaced(b"", "damaged", "capture_failed")

    def test_the_same_frame_again_is_refused_where_the_recipe_wants_new_ones(self):
        with Line() as line:
            start(line, recipe={"exposure": {"repeated": "refuse"}}, files=1)
            found = self.wait_for(line, lambda b: said(b, "repeated"), 5)
            self.assert_never_ok(found, "repeated")
            self.assertLessEqual(sum(b["verdict"] == "OK" for b in found), 1)

    def test_with_one_of_two_cameras_silent_no_item_is_ok(self):
        with Line() as line:
            golden = {"file": str(line.folder / "template.jpg")}
            start(line, station={"deadlineMs": 200}, recipe={"cameras": ["cam", "cam-side"], "steps": {
                name: {"camera": name, "tool": "golden", "golden": golden} for name in ("cam", "cam-side")}})
            found = self.wait_for(line, lambda b: said(b, "missing"), 5)
            self.assert_never_ok(found, "missing")
            self.assertEqual({b["verdict"] for b in found}, {"NO_DECISION"})
            self.assertEqual({name: step["camera"] for name, step in found[0]["steps"].items()},
                             {"cam": "cam", "cam-side": "cam-side"})

    def test_a_camera_unplugged_is_never_ok_and_comes_back(self):
        with Line() as line:
            start(line)
            self.wait_for(line, lambda b: b["verdict"] == "OK")
            hidden = line.folder / "unplugged"
            line.captures.rename(hidden)
            found = self.wait_for(line, lambda b: said(b, "capture_failed"), 5)
            after = [b["verdict"] for b in found[[said(b, "capture_failed") for b in found].index(True):]]
            self.assertEqual(set(after), {"NO_DECISION"})
            count = len(found)
            hidden.rename(line.captures)
            wait_until(lambda: "OK" in [b["verdict"] for b in bodies(line)[count:]], 30, line.agent.log_tail)

    def test_a_camera_killed_leaves_no_item_ok_that_it_did_not_see(self):
        with Line() as line:
            start(line)
            self.wait_for(line, lambda b: b["verdict"] == "OK", 3)
            line.wait_applied(line.set_desired({"modules": {"cam": {"status": "stopped"}}}))
            wait_until(lambda: line.agent.modules()["cam"]["state"] == "stopped", 10, line.agent.log_tail)
            found = bodies(line)
            for body in found:
                if body["verdict"] == "OK":
                    self.assertTrue(body["cameras"]["cam"]["sha256"])
            items = [b["itemId"] for b in found]
            self.assertEqual(len(items), len(set(items)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
