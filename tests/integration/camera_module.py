#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""vedette-camera as a process; this test plays the agent and a consumer of its frames.

usage: camera_module.py MODULE MAKE_JPEGS [unittest arguments]
"""
import hashlib
import json
import mmap
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

MODULE, MAKE_JPEGS = "", ""
PATIENCE_S = 15
PACKET_BYTES = 65536


def receive(sock, wait_s):
    """A packet and its descriptors; None: nothing came; {}: the end."""
    sock.settimeout(wait_s)
    try:
        text, fds, _, _ = socket.recv_fds(sock, PACKET_BYTES, 8)
    except (TimeoutError, BlockingIOError):
        return None, []
    except ConnectionResetError:
        return {}, []
    return (json.loads(text) if text else {}), fds


class Consumer:
    """One end of a frame channel."""

    def __init__(self):
        self.sock, self.peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pool = self.slot_bytes = None
        self.packets = []

    def next(self, wait_s=PATIENCE_S):
        """The next frame (with its bytes under "data") or failed capture; None: nothing came."""
        packet, fds = receive(self.sock, wait_s)
        if packet and packet["type"] == "pool":
            self.slot_bytes = packet["slotBytes"]
            self.pool = mmap.mmap(fds[0], packet["slots"] * self.slot_bytes, prot=mmap.PROT_READ)
            os.close(fds[0])
            return self.next(wait_s)
        if packet:
            self.packets.append(packet)
            if packet["type"] == "frame":
                packet["data"] = self.bytes_of(packet)
        return packet

    def bytes_of(self, frame):
        start = frame["slot"] * self.slot_bytes
        return self.pool[start:start + frame["bytes"]]

    def done(self, frame):
        self.sock.send(json.dumps({"type": "done", "slot": frame["slot"], "seq": frame["seq"]}).encode())

    def take(self, count, wait_s=PATIENCE_S):
        """So many packets, frames given back at once."""
        packets = []
        for _ in range(count):
            packet = self.next(wait_s)
            if not packet:
                raise AssertionError("only %d of %d came" % (len(packets), count))
            if packet["type"] == "frame":
                self.done(packet)
            packets.append(packet)
        return packets

    def close(self):
        self.sock.close()
        self.peer.close()


class Camera:
    """The process, and the agent's end of its descriptor 3."""

    def __init__(self, folder, **parameters):
        self.folder, self.parameters = folder, parameters
        self.state = folder / "state"
        self.state.mkdir(exist_ok=True)
        self.calls = 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.end()

    def start(self):
        self.packets = []
        self.sock, child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen([MODULE], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        pass_fds=(3,), preexec_fn=lambda: os.dup2(child.fileno(), 3))
        child.close()
        self.wait("hello")
        self.send({"type": "start", "instance": "cam-top", "deviceId": "d1", "stateFolder": str(self.state),
                   "heartbeatMs": 100, "version": 1, "parameters": self.parameters})

    def end(self):
        self.sock.close()
        self.process.wait(PATIENCE_S)
        self.log.close()

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE_S)
        self.sock.close()
        self.log.close()

    def send(self, packet, fds=()):
        socket.send_fds(self.sock, [json.dumps(packet).encode()], fds)

    def wait(self, kind, wanted=lambda p: True, wait_s=PATIENCE_S):
        return self.wait_any((kind,), wanted, wait_s)

    def wait_any(self, kinds, wanted, wait_s=PATIENCE_S):
        """The first packet of these types, also one that came before, that wanted() likes."""
        seen, end = 0, time.monotonic() + wait_s
        while True:
            for packet in self.packets[seen:]:
                if packet.get("type") in kinds and wanted(packet):
                    return packet
            seen = len(self.packets)
            packet, fds = receive(self.sock, max(0.0, end - time.monotonic()))
            if not packet:
                raise AssertionError("no %s among %s\n%s" % (
                    kinds, self.packets[-8:], (self.folder / "log").read_text()[-2000:]))
            self.note(packet, fds)
            self.packets.append(packet)

    def note(self, packet, fds):
        """What came with a packet is not wanted."""
        for fd in fds:
            os.close(fd)

    def wait_state(self, state):
        return self.wait("report", lambda p: p["body"].get("state") == state)["body"]

    def forget(self):
        self.packets = []

    def connect(self, peer="station"):
        consumer = Consumer()
        self.send({"type": "channel", "role": "producer", "port": "frame", "peer": peer},
                  [consumer.peer.fileno()])
        consumer.peer.close()
        return consumer

    def call(self, method, **body):
        self.calls += 1
        self.send({"type": "call", "id": self.calls, "method": method, "body": body})
        return self.wait("answer", lambda p: p["id"] == self.calls)

    def set(self, version, **parameters):
        """applied or refused, whichever it is."""
        self.send({"type": "parameters", "version": version, "parameters": parameters})
        return self.wait_any(("applied", "refused"), lambda p: p["version"] == version)


class CameraCase(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="vd-camera-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.captures = self.folder / "captures"
        self.source = "folder:%s" % self.captures

    def make(self, count):
        subprocess.run([MAKE_JPEGS, str(self.captures), str(count)], check=True)
        return sorted(self.captures.iterdir())

    def assert_is_file(self, frame, path):
        data = path.read_bytes()
        self.assertEqual(frame["type"], "frame")
        self.assertEqual(frame["data"], data)
        self.assertEqual(frame["sha256"], hashlib.sha256(data).hexdigest())
        self.assertEqual((frame["format"], frame["width"], frame["height"]), ("jpeg", 64, 48))


class CameraTest(CameraCase):
    def test_each_frame_is_its_file_bit_for_bit_in_order_with_its_serial(self):
        files = self.make(20)
        with Camera(self.folder, source=self.source, fps=200, loop=False,
                    serialPattern="frame-([0-9]+)") as camera:
            camera.wait("applied")
            camera.wait("ready")
            consumer = camera.connect()
            frames = consumer.take(20)
            for frame, path in zip(frames, files):
                self.assert_is_file(frame, path)
                self.assertEqual("frame-%s.jpg" % frame["serial"], path.name)
                self.assertEqual((frame["source"], frame["trigger"]["source"]), ("cam-top", "timer"))
                self.assertRegex(frame["tWall"], r"^\d{4}-.*Z$")
            self.assertEqual([f["seq"] for f in frames], list(range(1, 21)))
            self.assertEqual(camera.wait_state("exhausted")["text"],
                             "folder %s is exhausted" % self.captures)
            self.assertIsNone(consumer.next(0.3))
            camera.forget()
            self.assertFalse(camera.wait("alive")["due"])
            self.assertEqual(camera.call("capture")["status"], 410)
            consumer.close()

    def test_a_capture_that_fails_is_told_with_its_cause_and_never_an_old_frame(self):
        files = self.make(6)
        files[1].write_bytes(b"")
        files[2].write_bytes(b"this is no picture")
        files[4].unlink()
        files[4].symlink_to(self.folder / "nowhere")
        with Camera(self.folder, source=self.source, fps=100, loop=False, failEvery=6) as camera:
            camera.wait("ready")
            consumer = camera.connect()
            packets = consumer.take(6)
            for i in (0, 3):
                self.assert_is_file(packets[i], files[i])
            for i, cause in ((1, "is empty"), (2, "Not a JPEG"), (4, "No such file"), (5, "injected")):
                self.assertEqual(packets[i]["type"], "captureFailed")
                self.assertNotIn("sha256", packets[i])
                self.assertIn(files[i].name, packets[i]["text"])
                self.assertIn(cause, packets[i]["text"])
                self.assertEqual(packets[i]["seq"], i + 1)
            self.assertEqual(camera.wait_state("failed")["state"], "failed")
            consumer.close()

    def test_a_picture_is_cut_and_turned_where_it_may_be_recoded_and_damage_is_not_hidden(self):
        files = self.make(2)
        files[1].write_bytes(files[1].read_bytes()[:-60])
        roi = {"x": 8, "y": 4, "width": 40, "height": 20}
        with Camera(self.folder, source=self.source, trigger="call", roi=roi, rotate=90, recode=True) as camera:
            camera.wait("ready")
            consumer = camera.connect()
            self.assertEqual(camera.call("capture")["status"], 200)
            frame = consumer.take(1)[0]
            self.assertEqual((frame["format"], frame["width"], frame["height"]), ("jpeg", 20, 40))
            self.assertEqual(frame["sha256"], hashlib.sha256(frame["data"]).hexdigest())
            failed = camera.call("capture")
            self.assertEqual(failed["status"], 503)
            self.assertIn("damaged", failed["body"]["text"])
            refused = camera.set(2, source=self.source, rotate=90)
            self.assertEqual((refused["type"], refused["pointer"]), ("refused", "/rotate"))
            metadata = camera.call("metadata")["body"]
            self.assertEqual((metadata["state"], metadata["actual"]["kind"]), ("failed", "folder"))
            consumer.close()

    def test_a_call_is_answered_with_what_the_consumer_got(self):
        files = self.make(2)
        with Camera(self.folder, source=self.source, trigger="call") as camera:
            camera.wait("ready")
            alone = camera.call("capture")
            self.assertEqual((alone["status"], alone["body"]["handedTo"]), (200, "nobody"))
            consumer = camera.connect()
            answer = camera.call("capture", serial="S-1")
            frame = consumer.take(1)[0]
            self.assert_is_file(frame, files[1])
            self.assertEqual(answer["status"], 200)
            for key in ("sha256", "seq", "bytes", "width", "height", "tMono", "tWall", "source", "serial"):
                self.assertEqual(answer["body"][key], frame[key], key)
            self.assertEqual((frame["serial"], frame["trigger"]["source"]), ("S-1", "call"))
            self.assertEqual(camera.call("nonsense")["status"], 404)
            consumer.close()

    def test_a_message_triggers_a_capture_for_its_serial(self):
        files = self.make(1)
        with Camera(self.folder, source=self.source, trigger="call") as camera:
            camera.wait("ready")
            consumer = camera.connect()
            camera.send({"type": "message", "input": "trigger", "from": "bus/part", "body": {"serial": "4711"}})
            frame = consumer.take(1)[0]
            self.assert_is_file(frame, files[0])
            self.assertEqual((frame["serial"], frame["trigger"]["source"]), ("4711", "message"))
            consumer.close()

    def test_a_consumer_that_keeps_its_slots_is_told_and_its_frames_stay_as_they_are(self):
        self.make(30)
        with Camera(self.folder, source=self.source, fps=50, waitForConsumer=False) as camera:
            camera.wait("ready")
            consumer = camera.connect()
            kept = []
            while True:
                packet = consumer.next()
                if packet["type"] == "captureFailed":
                    break
                kept.append(packet)
            self.assertEqual(packet["text"], "no free slot")
            self.assertGreaterEqual(len(kept), 2)
            consumer.take(5)
            for frame in kept:
                self.assertEqual(hashlib.sha256(consumer.bytes_of(frame)).hexdigest(), frame["sha256"])
                consumer.done(frame)
            end = time.monotonic() + PATIENCE_S
            while consumer.take(1)[0]["type"] != "frame":
                self.assertLess(time.monotonic(), end)
            self.assertGreater(camera.call("health")["body"]["drops"], 4)
            consumer.close()

    def test_a_folder_waits_for_a_slow_consumer_and_loses_no_file(self):
        files = self.make(12)
        with Camera(self.folder, source=self.source, fps=200, loop=False) as camera:
            camera.wait("ready")
            consumer = camera.connect()
            for path in files:
                frame = consumer.next()
                self.assert_is_file(frame, path)
                time.sleep(0.05)
                consumer.done(frame)
            self.assertGreater(camera.call("health")["body"]["missedTicks"], 0)
            consumer.close()

    def test_bad_parameters_are_refused_whole_and_good_ones_apply_between_captures(self):
        files = self.make(40)
        with Camera(self.folder, source=self.source, fps=100) as camera:
            camera.wait("ready")
            consumer = camera.connect()
            consumer.take(3)
            refused = camera.set(2, source=self.source, fps=100, intervalMs=5)
            self.assertEqual((refused["type"], refused["pointer"]), ("refused", "/intervalMs"))
            refused = camera.set(3, source=self.source, fps=5000)
            self.assertEqual((refused["type"], refused["pointer"]), ("refused", "/fps"))
            before = [p["sha256"] for p in consumer.take(3)]
            applied = camera.set(4, source=self.source, fps=100, serialPattern="frame-([0-9]+)")
            self.assertEqual(applied["type"], "applied")
            frames = consumer.take(12)
            self.assertIn("serial", frames[-1])
            digests = [hashlib.sha256(f.read_bytes()).hexdigest() for f in files]
            seen = [p["sha256"] for p in consumer.packets if p["type"] == "frame"]
            self.assertEqual(seen, (digests * 2)[:len(seen)], "files were skipped or repeated")
            self.assertEqual(len(before), 3)
            consumer.close()

    def test_after_a_kill_it_goes_on_behind_the_last_file_handed_over(self):
        files = self.make(30)
        camera = Camera(self.folder, source=self.source, fps=50, loop=False, resume=True)
        seen = []
        for round_size in (5, 5, 30):
            camera.start()
            consumer = camera.connect()
            while len(seen) < len(files) and round_size > 0:
                frame = consumer.take(1)[0]
                self.assertEqual(frame["type"], "frame")
                # Handed over in the very instant of the kill: it may come again, nothing else may.
                if not seen or frame["data"] != seen[-1]:
                    seen.append(frame["data"])
                round_size -= 1
            camera.kill()
            left = consumer.next(0)
            while left:
                seen.append(left["data"])
                left = consumer.next(0)
            consumer.close()
        self.assertEqual(seen, [f.read_bytes() for f in files])

    def test_a_folder_that_is_not_there_is_waited_for(self):
        with Camera(self.folder, source=self.source, fps=50) as camera:
            camera.wait("applied")
            self.assertIn("No such file", camera.wait_state("waiting")["text"])
            consumer = camera.connect()
            failed = consumer.take(1)[0]
            self.assertEqual(failed["type"], "captureFailed")
            self.assertIn("No such file", failed["text"])
            self.make(1)
            camera.wait_state("ok")
            while consumer.take(1)[0]["type"] != "frame":
                pass
            consumer.close()

    def test_without_a_consumer_no_file_is_used_up(self):
        files = self.make(3)
        with Camera(self.folder, source=self.source, fps=100, loop=False) as camera:
            camera.wait("ready")
            time.sleep(0.3)
            consumer = camera.connect()
            self.assert_is_file(consumer.take(1)[0], files[0])
            consumer.close()

    def test_health_is_published_and_work_goes_on(self):
        self.make(5)
        with Camera(self.folder, source=self.source, fps=100, healthIntervalMs=200) as camera:
            camera.wait("ready")
            consumer = camera.connect()
            consumer.take(20)
            body = camera.wait("publish", lambda p: p["body"]["captures"] > 5)["body"]
            self.assertEqual((body["state"], body["failures"], body["drops"]), ("ok", 0, 0))
            self.assertGreater(body["fps"], 0)
            self.assertLess(body["lastFrameAgeMs"], 5000)
            self.assertEqual(camera.wait("publish")["class"], "telemetry")
            picture = camera.wait("publish", lambda p: p["body"]["picture"])["body"]["picture"]
            self.assertGreater(picture["sharpness"], 0)
            self.assertFalse(picture["damaged"])
            first = camera.wait("alive")["work"]
            camera.wait("alive", lambda p: p["work"] > first)
            consumer.close()

    def test_it_ends_with_the_agent_and_on_stop(self):
        self.make(1)
        camera = Camera(self.folder, source=self.source)
        camera.start()
        camera.wait("ready")
        camera.send({"type": "stop"})
        self.assertEqual(camera.process.wait(PATIENCE_S), 0)
        camera.end()
        camera.start()
        camera.wait("ready")
        camera.sock.shutdown(socket.SHUT_RDWR)
        camera.process.wait(PATIENCE_S)
        camera.end()


if __name__ == "__main__":
    signal.alarm(170)
    MODULE, MAKE_JPEGS = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0]] + sys.argv[3:], verbosity=2)
