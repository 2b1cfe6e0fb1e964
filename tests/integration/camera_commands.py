#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What people ask of a camera beside inspection: photo, keep, clip, preview, with vedette-camera as a process.

usage: camera_commands.py MODULE MAKE_JPEGS [unittest arguments]
"""
import base64
import hashlib
import json
import os
import shutil
import signal
import struct
import sys
import time
import unittest

import camera_module
from camera_module import PATIENCE_S, CameraCase


def read_avi(data):
    """The frames on the time line (b"": nothing there), size and period of an AVI file; strict."""
    def chunk(at, end):
        code, size = struct.unpack_from("<4sI", data, at)
        assert at + 8 + size <= end, "%s at %d reaches beyond its list" % (code, at)
        return code, at + 8, at + 8 + size

    def chunks(at, end):
        while at < end:
            code, start, stop = chunk(at, end)
            yield code, at, start, stop
            at = stop + (stop - start) % 2
        assert at == end, "%d bytes too much" % (at - end)

    code, start, stop = chunk(0, len(data))
    assert (code, data[start:start + 4], stop) == (b"RIFF", b"AVI ", len(data))
    (hdrl, _, h0, h1), (movi, m, m0, m1), (idx1, _, i0, i1) = chunks(start + 4, stop)
    assert (hdrl, data[h0:h0 + 4], movi, data[m0:m0 + 4], idx1) == (b"LIST", b"hdrl", b"LIST", b"movi", b"idx1")
    (avih, _, a0, a1), (strl, _, s0, _) = chunks(h0 + 4, h1)
    period_us, _, _, flags, places, _, streams, largest, width, height = struct.unpack_from("<10I", data, a0)
    assert (avih, a1 - a0, flags & 0x10, streams) == (b"avih", 56, 0x10, 1)
    _, strh, = chunk(s0 + 4, h1)[:2]
    assert data[strh:strh + 8] == b"vidsMJPG"
    scale, rate, _, length = struct.unpack_from("<4I", data, strh + 20)
    assert (scale * 1000000, length) == (period_us * rate, places)
    frames, index = [], []
    for code, at, start, stop in chunks(m0 + 4, m1):
        assert code == b"00dc"
        frames.append(data[start:stop])
        index.append((b"00dc", 0x10 if stop > start else 0, at - m0, stop - start))
    assert index == list(struct.iter_unpack("<4sIII", data[i0:i1])), "the index does not tell the truth"
    assert (len(frames), largest) == (places, max(map(len, frames)))
    return frames, (width, height), period_us


class Camera(camera_module.Camera):
    """Keeps what publications bring along."""

    def note(self, packet, fds):
        packet["files"] = [self.take_file(fd) for fd in fds]
        if packet["type"] == "publish" and "id" in packet and self.stores:
            self.send({"type": "stored", "id": packet["id"], "seq": 4711})

    stores = True

    def end(self):
        super().end()
        text = (self.folder / "log").read_text()
        assert self.process.returncode == 0 and "Sanitizer" not in text, text[-4000:]

    @staticmethod
    def take_file(fd):
        data, block = b"", os.pread(fd, 1 << 20, 0)
        while block:
            data += block
            block = os.pread(fd, 1 << 20, len(data))
        os.close(fd)
        return data

    def ask(self, method, body):
        """Without waiting for the answer; its id."""
        self.calls += 1
        self.send({"type": "call", "id": self.calls, "method": method, "body": body})
        return self.calls

    def answer(self, call):
        return self.wait("answer", lambda p: p["id"] == call)

    def published(self, output, wanted=lambda b: True):
        return self.wait("publish", lambda p: p["output"] == output and wanted(p["body"]))

    def kept(self, name):
        return self.published("kept", lambda b: b["name"] == name and b["kind"] != "fetch")["body"]

    def folders(self):
        return sorted(p.name for p in (self.state / "kept").iterdir())

    def index(self, name):
        return json.loads((self.state / "kept" / name / "index.json").read_text())

    def reported(self, part, state):
        return self.wait("report", lambda p: (p["body"].get(part) or {}).get("state") == state)["body"][part]


class CommandsTest(CameraCase):
    def make(self, count):
        return [p.read_bytes() for p in super().make(count)]

    def camera(self, **parameters):
        parameters.setdefault("kept", {"minFreeBytes": 1 << 20})
        return Camera(self.folder, source=self.source, **parameters)

    def assert_intact(self, camera, name):
        """Every frame of the index is there, bit for bit; returns them."""
        frames = camera.index(name)["frames"]
        found = []
        for frame in frames:
            data = (camera.state / "kept" / name / frame["file"]).read_bytes()
            self.assertEqual(hashlib.sha256(data).hexdigest(), frame["sha256"])
            self.assertEqual(len(data), frame["bytes"])
            found.append(data)
        self.assertEqual(len(list((camera.state / "kept" / name).iterdir())), len(frames) + 1)
        return found

    # --- photo ---

    def test_a_photo_is_published_with_its_image_and_inspection_does_not_get_it(self):
        files = self.make(3)
        with self.camera(trigger="call") as camera:
            camera.wait("ready")
            consumer = camera.connect()
            answer = camera.call("photo", serial="S-9")
            self.assertEqual(answer["status"], 200)
            record = camera.published("photo")
            self.assertEqual(record["files"], [files[0]])
            attachment = record["attachments"][0]
            self.assertEqual((attachment["type"], attachment["name"]), ("image/jpeg", "photo.jpg"))
            self.assertEqual(attachment["sha256"], hashlib.sha256(files[0]).hexdigest())
            self.assertEqual(record["class"], "event")
            body = answer["body"]
            self.assertEqual(dict(record["body"], record=4711), body)
            self.assertEqual((body["sha256"], body["type"], body["bytes"], body["serial"], body["source"]),
                             (attachment["sha256"], "image/jpeg", len(files[0]), "S-9", "cam-top"))
            self.assertTrue(body["asCaptured"])
            self.assertIsNone(consumer.next(0.2))
            consumer.close()

    def test_a_photo_that_fails_is_an_error_and_no_older_picture(self):
        files = self.make(2)
        sorted(self.captures.iterdir())[1].write_bytes(b"nothing of the kind")
        with self.camera(trigger="call") as camera:
            camera.wait("ready")
            self.assertEqual(camera.call("photo")["body"]["bytes"], len(files[0]))
            camera.forget()
            failed = camera.call("photo")
            self.assertEqual(failed["status"], 503)
            self.assertIn("Not a JPEG", failed["body"]["text"])
            self.assertFalse([p for p in camera.packets if p["type"] == "publish" and p["output"] == "photo"])

    def test_a_photo_that_the_agent_refuses_is_not_answered_as_taken(self):
        self.make(1)
        with self.camera(trigger="call") as camera:
            camera.stores = False
            camera.wait("ready")
            call = camera.ask("photo", {})
            record = camera.published("photo")
            camera.send({"type": "rejected", "id": record["id"], "text": "the disk is full"})
            answer = camera.answer(call)
            self.assertEqual((answer["status"], answer["body"]["text"]), (507, "the disk is full"))

    def test_many_photos_at_once_are_each_answered(self):
        self.make(3)
        with self.camera(trigger="call") as camera:
            camera.wait("ready")
            calls = [camera.ask("photo", {}) for _ in range(40)]
            statuses = [camera.answer(call)["status"] for call in calls]
            self.assertLessEqual(set(statuses), {200, 429})
            self.assertIn(200, statuses)
            self.assertEqual(camera.call("photo")["status"], 200)

    # --- arguments ---

    def test_arguments_that_make_no_sense_are_refused_with_their_place(self):
        self.make(1)
        with self.camera(trigger="call", ring={"frames": 10}) as camera:
            camera.wait("ready")
            for method, body, place in (
                    ("clip", {"seconds": "ten"}, "/seconds"), ("clip", {"seconds": -1}, "/seconds"),
                    ("clip", {"seconds": 1e300}, "/seconds"), ("clip", {"fps": 0}, "/fps"),
                    ("clip", {"maxBytes": 1.5}, "/maxBytes"), ("clip", {"maxBytes": 1e18}, "/maxBytes"),
                    ("clip", {"seconds": 100}, "/seconds"), ("clip", {"secods": 1}, "secods"),
                    ("keep", {"afterS": 1e9}, "/afterS"), ("keep", {"beforeS": None}, "/beforeS"),
                    ("keep", {"reason": "x" * 201}, "/reason"), ("preview", {"width": 1e9}, "/width"),
                    ("preview", {"fps": 1000}, "/fps"), ("preview", {"seconds": True}, "/seconds"),
                    ("previewFrame", {"after": -1}, "/after"), ("photo", {"serial": 7}, "/serial"),
                    ("fetch", {}, ""), ("fetch", {"name": "x", "files": []}, "/files"),
                    ("fetch", {"name": "x", "files": ["a"] * 5}, "/files"), ("kept", {"limit": 0}, "/limit")):
                answer = camera.answer(camera.ask(method, body))
                self.assertEqual(answer["status"], 400, (method, body, answer))
                self.assertIn(place, answer["body"]["text"])
            for body in ([], "text", 7, True):
                self.assertEqual(camera.answer(camera.ask("clip", body))["status"], 400)
            unknown = camera.call("nonsense")
            self.assertEqual(unknown["status"], 404)
            self.assertIn("previewFrame", unknown["body"]["text"])
            self.assertEqual(camera.answer(camera.ask("photo", None))["status"], 200)

    def test_a_ring_between_captures_is_refused_of_a_folder(self):
        self.make(1)
        with self.camera(ring={"frames": 10, "fps": 5}) as camera:
            refused = camera.wait("refused")
            self.assertEqual(refused["pointer"], "/ring/fps")

    # --- keep ---

    def test_a_verdict_that_is_listed_keeps_the_frames_around_it_bit_for_bit(self):
        files = self.make(30)
        with self.camera(fps=50, ring={"frames": 20, "seconds": 60, "beforeS": 60, "afterS": 0.2}) as camera:
            camera.wait("ready")
            consumer = camera.connect()
            consumer.take(10)
            for verdict in ("OK", "WARN"):
                camera.send({"type": "message", "input": "keep", "from": "station-3/verdict",
                             "body": {"verdict": verdict, "itemId": "good"}})
            camera.send({"type": "message", "input": "keep", "from": "station-3/verdict",
                         "body": {"verdict": "NG", "itemId": "item-1", "serial": "S-1"}})
            consumer.take(20)
            record = camera.published("kept")["body"]
            self.assertEqual((record["kind"], record["state"], record["name"]), ("keep", "ok", "00000001-keep"))
            self.assertEqual([(d["reason"], d["itemId"], d["serial"], d["by"]) for d in record["demands"]],
                             [("NG", "item-1", "S-1", "station-3/verdict")])
            found = self.assert_intact(camera, record["name"])
            self.assertEqual(len(found), record["frames"])
            self.assertGreater(len(found), 10)
            start = files.index(found[0])
            self.assertEqual(found, (files * 2)[start:start + len(found)])
            index = camera.index(record["name"])
            at_ms = index["demands"][0]["tMono"]
            times = [f["tMono"] for f in index["frames"]]
            self.assertEqual(times, sorted(times))
            self.assertTrue(times[0] <= at_ms and times[-1] <= at_ms + 200)
            self.assertEqual([f["seq"] for f in index["frames"]],
                             list(range(index["frames"][0]["seq"], index["frames"][0]["seq"] + len(found))))
            consumer.close()

    def test_the_window_lies_around_the_trigger_and_not_around_the_late_verdict(self):
        self.make(30)
        with self.camera(fps=50, ring={"frames": 100, "seconds": 60, "beforeS": 0.1, "afterS": 0.1}) as camera:
            camera.wait("ready")
            consumer = camera.connect()
            frames = consumer.take(40)
            at_ms = frames[15]["trigger"]["tMono"]
            camera.send({"type": "message", "input": "keep", "from": "station-3/verdict",
                         "body": {"verdict": "NO_DECISION", "trigger": {"tMono": at_ms}}})
            name = camera.published("kept")["body"]["name"]
            times = [f["tMono"] for f in camera.index(name)["frames"]]
            self.assertTrue(times)
            self.assertTrue(all(at_ms - 100 <= t <= at_ms + 100 for t in times), (at_ms, times))
            consumer.close()

    def test_demands_in_a_row_join_one_entry(self):
        self.make(10)
        with self.camera(fps=50, ring={"frames": 100, "seconds": 60, "beforeS": 1, "afterS": 0.5}) as camera:
            camera.wait("ready")
            consumer = camera.connect()
            consumer.take(5)
            for i in range(30):
                camera.send({"type": "message", "input": "keep", "from": "bus/alarm", "body": {"reason": "r%d" % i}})
            consumer.take(40)
            body = camera.published("kept")["body"]
            self.assertEqual([d["reason"] for d in body["demands"]], ["r%d" % i for i in range(16)])
            self.assertEqual(body["furtherDemands"], 14)
            self.assertEqual(camera.folders(), [body["name"]])
            consumer.close()

    def test_keep_by_call_and_its_files_fetched_later(self):
        self.make(5)
        with self.camera(trigger="call", ring={"frames": 100, "seconds": 60}) as camera:
            camera.wait("ready")
            for _ in range(3):
                camera.call("capture")
            answer = camera.call("keep", beforeS=60, afterS=0, reason="look at this")
            self.assertEqual(answer["status"], 202)
            name = answer["body"]["name"]
            body = camera.kept(name)
            self.assertEqual((body["frames"], body["demands"][0]["reason"]), (3, "look at this"))
            found = self.assert_intact(camera, name)
            listed = camera.call("kept")["body"]
            self.assertEqual([e["name"] for e in listed["entries"]], [name])
            self.assertEqual((listed["ring"]["frames"], listed["ring"]["refused"]), (3, 0))
            fetched = camera.call("fetch", name=name, files=["0002.jpg", "index.json"])
            self.assertEqual(fetched["status"], 200)
            record = camera.published("kept", lambda b: b["kind"] == "fetch")
            self.assertEqual(record["files"][0], found[1])
            self.assertEqual(json.loads(record["files"][1])["name"], name)
            self.assertEqual([a["type"] for a in record["attachments"]], ["image/jpeg", "application/json"])
            self.assertEqual([f["sha256"] for f in fetched["body"]["files"]],
                             [hashlib.sha256(f).hexdigest() for f in record["files"]])
            for files in (["../../log"], ["0009.jpg"], ["index.json", "."]):
                self.assertEqual(camera.call("fetch", name=name, files=files)["status"], 404)
            self.assertEqual(camera.call("fetch", name="..", files=["log"])["status"], 404)

    def test_without_a_ring_nothing_is_kept_and_that_is_said(self):
        self.make(1)
        with self.camera(trigger="call") as camera:
            camera.wait("ready")
            answer = camera.call("keep")
            self.assertEqual(answer["status"], 409)
            self.assertIn("ring.frames", answer["body"]["text"])

    def test_the_oldest_entries_make_room_within_the_quota(self):
        size = max(map(len, self.make(10)))
        with self.camera(trigger="call", ring={"frames": 10, "seconds": 600},
                         kept={"maxBytes": 65536, "minFreeBytes": 1 << 20}) as camera:
            camera.wait("ready")
            for _ in range(10):
                camera.call("capture")
            names = []
            while len(names) < 65536 // (5 * size) + 4:
                names.append(camera.call("keep", beforeS=600, afterS=0)["body"]["name"])
                self.assertEqual(camera.kept(names[-1])["state"], "ok")
            self.assertLessEqual(sum(p.stat().st_size for p in (camera.state / "kept").rglob("*.*")
                                     if p.is_file()), 65536)
            left = camera.folders()
            self.assertEqual(left, names[-len(left):])
            listed = camera.call("kept")["body"]
            self.assertEqual((listed["count"], listed["evicted"]), (len(left), len(names) - len(left)))

    def test_a_disk_without_room_is_told_and_capturing_goes_on(self):
        self.make(3)
        with self.camera(trigger="call", ring={"frames": 10, "seconds": 600},
                         kept={"minFreeBytes": 1 << 40}) as camera:
            camera.wait("ready")
            camera.call("capture")
            body = camera.kept(camera.call("keep", afterS=0)["body"]["name"])
            self.assertEqual(body["state"], "failed")
            self.assertIn("minFreeBytes", body["text"])
            name = camera.call("clip", seconds=0.5)["body"]["name"]
            camera.call("capture")
            body = camera.kept(name)
            self.assertEqual(body["state"], "failed")
            self.assertIn("minFreeBytes", body["text"])
            self.assertEqual(camera.folders(), [])
            self.assertEqual(camera.call("capture")["status"], 200)

    def test_a_kill_leaves_no_half_entry_behind(self):
        self.make(10)
        camera = self.camera(fps=100, waitForConsumer=False, ring={"frames": 500, "seconds": 60})
        names = set()
        for _ in range(3):
            camera.start()
            camera.wait("ready")
            time.sleep(0.2)
            for _ in range(3):
                name = camera.call("keep", beforeS=60, afterS=0)["body"].get("name")
                if name:
                    names.add(name)
            camera.call("clip", seconds=30)
            time.sleep(0.15)
            camera.kill()
            for name in [n for n in camera.folders() if not n.startswith(".")]:
                self.assertIn(name, names)
                self.assert_intact(camera, name)
        camera.start()
        camera.wait("ready")
        self.assertFalse([n for n in camera.folders() if n.startswith(".")])
        camera.end()

    # --- clip ---

    def test_a_clip_is_a_film_of_the_frames_at_their_true_times(self):
        files = self.make(20)
        with self.camera(fps=20, waitForConsumer=False) as camera:
            camera.wait("ready")
            name = camera.call("clip", seconds=1.5, fps=20)["body"]["name"]
            self.assertEqual(camera.call("clip", seconds=1)["status"], 409)
            self.assertEqual(camera.reported("clip", "recording")["name"], name)
            record = camera.published("kept", lambda b: b["name"] == name)
            body, film = record["body"], record["files"][0]
            attachment = record["attachments"][0]
            self.assertEqual((attachment["type"], attachment["name"]), ("video/x-msvideo", "clip.avi"))
            self.assertEqual(attachment["sha256"], hashlib.sha256(film).hexdigest())
            self.assertEqual((body["kind"], body["state"], body["type"]), ("clip", "ok", "video/x-msvideo"))
            frames, size, period_us = read_avi(film)
            self.assertEqual((size, period_us, body["fps"]), ((64, 48), 50000, 20))
            self.assertTrue(all(f in files for f in frames if f))
            self.assertEqual(len([f for f in frames if f]), body["frames"])
            self.assertEqual(body["seconds"], len(frames) * 0.05)
            index = camera.index(name)["frames"]
            self.assertEqual([i["place"] for i in index], [i for i, f in enumerate(frames) if f])
            for i in index:
                self.assertLessEqual(abs(i["tMono"] - index[0]["tMono"] - i["place"] * 50), 26)
            self.assertEqual(film, (camera.state / "kept" / name / "clip.avi").read_bytes())
            self.assertEqual(camera.reported("clip", "done")["frames"], body["frames"])
            self.check_by_a_player(film, body)

    def check_by_a_player(self, film, body):
        """Debian's FFmpeg, by way of OpenCV, where it is installed."""
        try:
            import cv2
        except ImportError:
            return
        path = self.folder / "clip.avi"
        path.write_bytes(film)
        video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        self.assertTrue(video.isOpened())
        self.assertAlmostEqual(video.get(cv2.CAP_PROP_FPS), body["fps"], places=3)
        count = 0
        while video.read()[0]:
            count += 1
        self.assertEqual(count, body["frames"])

    def test_a_clip_of_rare_frames_lasts_as_long_as_they_took(self):
        self.make(4)
        with self.camera(fps=2, waitForConsumer=False) as camera:
            camera.wait("ready")
            name = camera.call("clip", seconds=2, fps=10)["body"]["name"]
            body = camera.kept(name)
            frames = read_avi((camera.state / "kept" / name / "clip.avi").read_bytes())[0]
            self.assertLessEqual(body["frames"], 5)
            self.assertGreater(len(frames), 2 * body["frames"])
            self.assertIn(b"", frames)

    def test_a_clip_leaves_out_frames_that_come_faster_than_asked(self):
        self.make(10)
        with self.camera(fps=100, waitForConsumer=False) as camera:
            camera.wait("ready")
            name = camera.call("clip", seconds=1, fps=5)["body"]["name"]
            body = camera.kept(name)
            self.assertLessEqual(body["frames"], 6)
            self.assertEqual(body["dropped"], 0)

    def test_a_clip_ends_at_its_bytes_with_what_it_has(self):
        self.make(10)
        with self.camera(fps=50, waitForConsumer=False) as camera:
            camera.wait("ready")
            name = camera.call("clip", seconds=20, fps=50, maxBytes=20000)["body"]["name"]
            body = camera.kept(name)
            self.assertEqual((body["state"], body["cutShort"]), ("ok", "its bytes are used up"))
            film = (camera.state / "kept" / name / "clip.avi").read_bytes()
            self.assertLessEqual(len(film), 20000)
            self.assertEqual(len([f for f in read_avi(film)[0] if f]), body["frames"])

    def test_a_clip_ends_at_the_quota_with_what_it_has(self):
        self.make(10)
        with self.camera(fps=50, waitForConsumer=False,
                         kept={"maxBytes": 262144, "minFreeBytes": 1 << 20}) as camera:
            camera.wait("ready")
            name = camera.call("clip", seconds=20, fps=50)["body"]["name"]
            body = camera.kept(name)
            self.assertEqual((body["state"], body["cutShort"]), ("ok", "there is no room for more"))
            read_avi((camera.state / "kept" / name / "clip.avi").read_bytes())
            self.assertLessEqual(sum(p.stat().st_size for p in (camera.state / "kept" / name).iterdir()), 262144)

    def test_a_camera_that_is_lost_ends_the_clip_with_what_it_has(self):
        self.make(10)
        with self.camera(fps=20, waitForConsumer=False) as camera:
            camera.wait("ready")
            name = camera.call("clip", seconds=60)["body"]["name"]
            time.sleep(0.5)
            shutil.rmtree(self.captures)
            body = camera.kept(name)
            self.assertEqual((body["state"], body["cutShort"]), ("ok", "the camera was lost"))
            frames = read_avi((camera.state / "kept" / name / "clip.avi").read_bytes())[0]
            self.assertEqual(len([f for f in frames if f]), body["frames"])

    def test_a_clip_without_a_frame_is_a_failure(self):
        self.make(1)
        with self.camera(trigger="call") as camera:
            camera.wait("ready")
            name = camera.call("clip", seconds=0.2)["body"]["name"]
            body = camera.kept(name)
            self.assertEqual((body["state"], body["text"]), ("failed", "no frame came"))
            self.assertEqual(camera.folders(), [])
            self.assertEqual(camera.reported("clip", "failed")["text"], "no frame came")

    def test_a_start_takes_back_what_was_reported_of_a_clip_under_way(self):
        self.make(1)
        with self.camera(trigger="call") as camera:
            camera.wait("ready")
            nothing = camera.wait("report", lambda p: "clip" in p["body"])["body"]
            self.assertEqual((nothing["clip"], nothing["preview"]), (None, None))

    def test_a_stop_ends_clip_and_keep_with_what_they_have(self):
        self.make(10)
        camera = self.camera(fps=20, waitForConsumer=False, ring={"frames": 100, "seconds": 60})
        camera.start()
        camera.wait("ready")
        clip = camera.call("clip", seconds=60)["body"]["name"]
        time.sleep(0.5)
        keep = camera.call("keep", afterS=60)["body"]["name"]
        camera.send({"type": "stop"})
        self.assertEqual(camera.process.wait(PATIENCE_S), 0)
        camera.end()
        self.assertEqual(camera.folders(), [clip, keep])
        read_avi((camera.state / "kept" / clip / "clip.avi").read_bytes())
        self.assertTrue(self.assert_intact(camera, keep))
        self.assertEqual(camera.index(keep)["cutShort"], "the module stopped")

    # --- preview ---

    def test_preview_clip_and_ring_cost_inspection_no_frame_and_end_by_themselves(self):
        files = self.make(20)
        with self.camera(fps=50, loop=False, ring={"frames": 50, "seconds": 60}) as camera:
            camera.wait("ready")
            clip = camera.call("clip", seconds=1, fps=50)["body"]["name"]
            status = camera.call("preview", seconds=1, fps=5, width=32)["body"]
            self.assertEqual((status["state"], status["fps"]), ("on", 5))
            consumer = camera.connect()
            frames = consumer.take(20)
            self.assertEqual([f.get("data") for f in frames], files)
            self.assertEqual([f["seq"] for f in frames], list(range(1, 21)))
            picture = camera.published("preview")
            self.assertEqual((picture["class"], picture.get("attachments")), ("raw", None))
            data = base64.b64decode(picture["body"]["data"], validate=True)
            self.assertEqual((len(data), data[:2], picture["body"]["width"]), (picture["body"]["bytes"], b"\xff\xd8", 32))
            ended = camera.reported("preview", "off")
            self.assertGreaterEqual(ended["frames"], 1)
            self.assertLessEqual(ended["frames"], 6)
            health = camera.call("health")["body"]
            self.assertEqual((health["captures"], health["drops"], health["failures"]), (20, 0, 0))
            self.assertEqual(camera.kept(clip)["state"], "ok")
            kept = camera.kept(camera.call("keep", beforeS=60, afterS=0)["body"]["name"])
            self.assertEqual(self.assert_intact(camera, kept["name"]), files)
            consumer.close()

    def test_the_newest_picture_is_given_to_who_asks(self):
        self.make(5)
        with self.camera(fps=20, waitForConsumer=False) as camera:
            camera.wait("ready")
            self.assertEqual(camera.call("previewFrame")["status"], 409)
            camera.call("preview", seconds=30, fps=5, width=64)
            camera.published("preview")
            first = camera.call("previewFrame")
            self.assertEqual(first["status"], 200)
            self.assertLess(len(json.dumps(first["body"])), 60000)
            seen = first["body"]["n"]
            later = camera.published("preview", lambda b: b["n"] > seen)["body"]
            self.assertEqual(camera.call("previewFrame", after=seen)["body"]["n"], later["n"])
            self.assertEqual(camera.call("previewFrame", after=9007199254740991)["status"], 404)
            self.assertEqual(camera.call("preview", seconds=0)["body"]["state"], "off")
            self.assertEqual(camera.call("previewFrame")["status"], 409)

    def test_a_preview_waits_for_an_agent_that_is_slow(self):
        self.make(5)
        with self.camera(fps=50, waitForConsumer=False) as camera:
            camera.stores = False
            camera.wait("ready")
            camera.call("preview", seconds=1, fps=5, width=64)
            ended = camera.reported("preview", "off")
            self.assertEqual(ended["frames"], 1)
            self.assertGreaterEqual(ended["skipped"], 1)
            self.assertEqual(camera.call("health")["body"]["failures"], 0)

    # --- consumers ---

    def test_frames_that_one_of_two_consumers_loses_are_counted(self):
        self.make(30)
        with self.camera(fps=50, loop=False, waitForConsumer=False) as camera:
            camera.wait("ready")
            slow = camera.connect("slow")
            quick = camera.connect("quick")
            self.assertEqual({f["type"] for f in quick.take(20)}, {"frame"})
            lost = [f for f in (slow.next() for _ in range(20)) if f["type"] == "captureFailed"]
            self.assertTrue(lost)
            self.assertGreaterEqual(camera.call("health")["body"]["drops"], len(lost))
            for consumer in (slow, quick):
                consumer.close()

    def test_a_slow_consumer_is_counted_while_all_else_goes_on(self):
        self.make(20)
        with self.camera(fps=50, waitForConsumer=False, ring={"frames": 200, "seconds": 60}) as camera:
            camera.wait("ready")
            slow = camera.connect()
            frames = [slow.next() for _ in range(20)]
            lost = [f for f in frames if f["type"] == "captureFailed"]
            self.assertTrue(lost)
            self.assertEqual({f["text"] for f in lost}, {"no free slot"})
            name = camera.call("keep", beforeS=60, afterS=0)["body"]["name"]
            self.assertGreaterEqual(camera.kept(name)["frames"], 20)
            health = camera.call("health")["body"]
            self.assertGreaterEqual(health["drops"], len(lost))
            self.assertEqual(camera.call("preview", seconds=1, fps=5)["status"], 200)
            camera.published("preview")
            slow.close()


if __name__ == "__main__":
    signal.alarm(170)
    camera_module.MODULE, camera_module.MAKE_JPEGS = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0]] + sys.argv[3:], verbosity=2)
