#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Photo, keep, clip and preview of a camera on a whole line: what they leave with the agent and the hub."""

import base64
import hashlib
import json
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import line as lines  # noqa: E402
from line import Line, wait_until  # noqa: E402

ROUTES = dict(lines.ROUTES, **{
    "keep": "FROM station/verdict INTO cam/keep",
    "kept": "FROM cam/kept INTO $upstream",
    "photo": "FROM cam/photo INTO $upstream",
})


def start(line, good, mixed, **camera):
    truth = line.simulate(good=good, mixed=mixed)
    line.agent.start()
    modules = {"cam": lines.camera(line.captures, 10, kept={"minFreeBytes": 1 << 20},
                                   ring={"frames": 30, "seconds": 30, "beforeS": 1, "afterS": 0.5}, **camera),
               "station": lines.golden_station(line.captures / "part-00001.jpg")}
    line.wait_applied(line.set_desired(lines.document(modules, ROUTES)))
    line.agent.wait_ready("cam", "station")
    return truth


def call(line, method, **body):
    return line.agent.call("call", "cam", method, json.dumps(body))


class CameraServiceTest(unittest.TestCase):
    def records(self, line, output, wanted=lambda b: True, seconds=30):
        def check():
            return [r["body"] for r in line.records() if r.get("output") == output and wanted(r["body"])]
        return wait_until(check, seconds, line.agent.log_tail)

    def test_what_the_camera_saw_around_a_bad_part_is_kept_and_the_hub_is_told(self):
        with Line() as line:
            truth = start(line, good=6, mixed=6)
            self.assertIn("defect", truth.values())
            kept = self.records(line, "kept", lambda b: b["kind"] == "keep" and b["state"] == "ok")[0]
            self.assertTrue({d["reason"] for d in kept["demands"]} <= {"NG", "NO_DECISION"}, kept)
            folder = line.agent.state_folder / "modules" / "cam" / "kept" / kept["name"]
            index = json.loads((folder / "index.json").read_text())
            self.assertEqual(len(index["frames"]), kept["frames"])
            originals = {hashlib.sha256(p.read_bytes()).hexdigest() for p in line.captures.glob("*.jpg")}
            for frame in index["frames"]:
                data = (folder / frame["file"]).read_bytes()
                self.assertEqual(hashlib.sha256(data).hexdigest(), frame["sha256"])
                self.assertIn(frame["sha256"], originals)
            self.assertIn(kept["demands"][0]["serial"], [f["serial"] for f in index["frames"]])

    def test_photo_clip_and_preview_cost_the_line_no_part(self):
        with Line() as line:
            start(line, good=6, mixed=0)
            wait_until(lambda: len(line.verdicts()) > 5, 20, line.agent.log_tail)
            self.assertEqual(call(line, "preview", seconds=20, fps=5, width=640)["state"], "on")
            clip = call(line, "clip", seconds=2, fps=10)["name"]
            photo = call(line, "photo")
            image = line.agent.state_folder / "images" / (photo["sha256"] + ".jpg")
            self.assertEqual(hashlib.sha256(image.read_bytes()).hexdigest(), photo["sha256"])
            told = self.records(line, "photo")[0]
            self.assertEqual((told["sha256"], told["type"]), (photo["sha256"], "image/jpeg"))
            done = self.records(line, "kept", lambda b: b["name"] == clip)[0]
            self.assertEqual((done["state"], done["attached"]), ("ok", True))
            self.assertTrue(list((line.agent.state_folder / "images").glob(done["sha256"] + ".*")))
            picture = wait_until(lambda: line.agent.vedette("call", "cam", "previewFrame", "{}").stdout, 10,
                                 lambda: line.agent.vedette("call", "cam", "previewFrame", "{}").stderr +
                                 json.dumps(line.reported()["modules"]["cam"]))
            data = base64.b64decode(json.loads(picture)["data"], validate=True)
            self.assertEqual(data[:2], b"\xff\xd8")
            health = call(line, "health")
            self.assertEqual((health["drops"], health["failures"]), (0, 0), health)
            classes = line.agent.call("outbox")["store"]["classes"]
            self.assertEqual(classes["raw"]["accepted"], 0)
            seen = [v["body"]["trigger"]["seq"] for v in line.verdicts()]
            self.assertEqual(seen, list(range(seen[0], seen[0] + len(seen))), "parts are missing")


if __name__ == "__main__":
    unittest.main(verbosity=2)
