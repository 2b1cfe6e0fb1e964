#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""vedette-camera with the GigE Vision camera that comes with Aravis, on loopback.

usage: camera_aravis.py MODULE MAKE_JPEGS [unittest arguments]; ends with 77 where libaravis is not
installed. camera_aravis.py --camera SERIAL LOST is the camera, which loses LOST of 1000 packets.
"""
import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import camera_commands as commands  # noqa: E402
import camera_module as rig  # noqa: E402
from camera_module import Camera, CameraCase  # noqa: E402

SKIPPED = 77


def load():
    try:
        return ctypes.CDLL("libaravis-0.8.so.0")
    except OSError:
        return None


def isolate():
    """A network of this test's own, where that is allowed: GigE Vision has one port, and others may use it."""
    new_user, new_net, set_flags, up_and_running = 0x10000000, 0x40000000, 0x8914, 0x41
    unshare, uid, gid = ctypes.CDLL(None, use_errno=True).unshare, os.getuid(), os.getgid()
    if unshare(new_net) != 0:
        if unshare(new_user | new_net) != 0:
            return
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text("%d %d 1" % (uid, uid))
        Path("/proc/self/gid_map").write_text("%d %d 1" % (gid, gid))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, set_flags, struct.pack("16sh14x", b"lo", up_and_running))


def be_camera(serial, lost):
    """The simulated camera of the library, until killed."""
    library = load()
    library.arv_gv_fake_camera_new.restype = ctypes.c_void_p
    camera = library.arv_gv_fake_camera_new(b"127.0.0.1", serial.encode())
    library.g_object_set(ctypes.c_void_p(camera), b"gvsp-lost-ratio", ctypes.c_double(lost / 1000), None)
    signal.pause()


def jpeg_shape(data):
    """Width, height and components, as the frame header has them."""
    at = 2
    while data[at + 1] not in (0xc0, 0xc1, 0xc2):
        at += 2 + int.from_bytes(data[at + 2:at + 4], "big")
    return (int.from_bytes(data[at + 7:at + 9], "big"), int.from_bytes(data[at + 5:at + 7], "big"), data[at + 9])


class AravisTest(CameraCase):
    def plug_in(self, serial="VD1", lost=0):
        process = subprocess.Popen([sys.executable, __file__, "--camera", serial, str(lost)],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(self.unplug, process)
        return process

    def unplug(self, process):
        if process.poll() is None:
            process.kill()
            process.wait(rig.PATIENCE_S)

    def camera(self, **parameters):
        return Camera(self.folder, **dict({"source": "aravis:VD1", "trigger": "call"}, **parameters))

    def test_frames_of_a_free_running_camera_are_found_by_its_serial_number(self):
        self.plug_in()
        with self.camera(trigger="device", fps=20, exposureUs=5000, gain=3, width=256, height=128,
                         controls={"GainRaw": 3}) as camera:
            actual = camera.wait_state("ok")["actual"]
            self.assertEqual((actual["serial"], actual["vendor"], actual["kind"]), ("VD1", "Aravis", "aravis"))
            self.assertEqual((actual["width"], actual["height"]), (256, 128))
            self.assertEqual((actual["exposureUs"], actual["gain"]), (5000, 3))
            self.assertAlmostEqual(actual["fps"], 20, 0)
            self.assertEqual((actual["deviations"], actual["deviation"]), (0, None))
            self.assertEqual(actual["controls"]["GainRaw"], {"wanted": 3, "actual": 3})
            consumer = camera.connect()
            frames = consumer.take(4)
            for frame in frames:
                self.assertEqual((frame["type"], frame["trigger"]["source"]), ("frame", "device"))
                self.assertEqual(jpeg_shape(frame["data"]), (256, 128, 1))
            times = [f["tMono"] for f in frames]
            self.assertEqual(times, sorted(set(times)))
            consumer.close()

    def test_what_the_camera_is_and_can_do_is_asked_of_the_open_camera(self):
        self.plug_in()
        with self.camera(exposureUs=4000, healthIntervalMs=100) as camera:
            self.assertNotIn("modes", camera.wait_state("ok")["actual"])
            actual = camera.call("metadata")["body"]["actual"]
            self.assertEqual(actual["device"], "Aravis-Fake-VD1")
            self.assertIn("Mono8", actual["modes"]["pixelFormats"])
            self.assertGreater(actual["modes"]["fpsMost"], 1)
            self.assertEqual(actual["modes"]["sensorWidth"], 2048)
            self.assertEqual(camera.call("capture")["status"], 200)
            body = camera.wait("publish", lambda p: p["body"].get("picture"))["body"]
            self.assertEqual((body["exposureUs"], body["opened"]), (4000, 1))

    def test_a_capture_takes_the_first_frame_that_began_after_its_trigger(self):
        self.plug_in()
        with self.camera(fps=20) as camera:
            camera.wait_state("ok")
            consumer = camera.connect()
            for _ in range(3):
                self.assertEqual(camera.call("capture")["status"], 200)
                frame = consumer.take(1)[0]
                self.assertGreaterEqual(frame["tMono"], frame["trigger"]["tMono"])
            self.assertGreater(camera.call("health")["body"]["staleFrames"], 0)
            consumer.close()

    def test_a_software_trigger_exposes_for_each_capture_and_not_else(self):
        self.plug_in()
        with self.camera(deviceTrigger="Software", output="grey") as camera:
            camera.wait_state("ok")
            consumer = camera.connect()
            for i in range(3):
                answer = camera.call("capture", serial="S-%d" % i)
                self.assertEqual(answer["status"], 200, answer)
                frame = consumer.take(1)[0]
                self.assertEqual((frame["format"], frame["stride"], len(frame["data"])), ("grey", 512, 512 * 512))
                self.assertGreaterEqual(frame["tMono"], frame["trigger"]["tMono"])
            self.assertIsNone(consumer.next(0.3))
            self.assertEqual(camera.call("health")["body"]["sequenceGaps"], 0)
            consumer.close()

    def test_a_camera_at_whose_input_nothing_happens_is_well(self):
        self.plug_in()
        with self.camera(trigger="device", deviceTrigger="Line0", timeoutMs=100) as camera:
            camera.wait_state("ok")
            consumer = camera.connect()
            self.assertIsNone(consumer.next(1))
            body = camera.call("health")["body"]
            self.assertEqual((body["state"], body["captures"], body["failures"]), ("ok", 0, 0))
            self.assertIn("no frame within", camera.call("capture")["body"]["text"])
            consumer.close()

    def test_a_camera_that_goes_is_lost_and_found_again_by_itself(self):
        for parameters in ({"trigger": "device"}, {"deviceTrigger": "Software"}):
            with self.subTest(**parameters):
                process = self.plug_in()
                with self.camera(**parameters) as camera:
                    camera.wait_state("ok")
                    self.unplug(process)
                    lost = camera.wait_state("lost")
                    self.assertIn("lost: it does not answer", lost["text"])
                    self.assertEqual(camera.call("capture")["status"], 503)
                    camera.forget()
                    process = self.plug_in()
                    camera.wait_state("ok")
                    self.assertEqual(camera.call("capture")["status"], 200)
                self.unplug(process)

    def test_an_incomplete_frame_is_a_failed_capture(self):
        self.plug_in(lost=30)
        with self.camera(trigger="device", timeoutMs=10000) as camera:
            camera.wait_state("ok")
            consumer = camera.connect()
            while True:
                packet = consumer.take(1)[0]
                if packet["type"] == "captureFailed":
                    break
            self.assertIn("incomplete frame", packet["text"])
            self.assertGreater(camera.call("health")["body"]["flaggedBuffers"], 0)
            consumer.close()

    def test_colours_come_from_the_pattern_of_the_sensor(self):
        self.plug_in()
        with self.camera(controls={"PixelFormat": "BayerRG8"}) as camera:
            self.assertEqual(camera.wait_state("ok")["actual"]["pixelFormat"], "BayerRG8")
            consumer = camera.connect()
            self.assertEqual(camera.call("capture")["status"], 200)
            self.assertEqual(jpeg_shape(consumer.take(1)[0]["data"]), (512, 512, 3))
            camera.forget()
            camera.set(2, source="aravis:VD1", trigger="call", controls={"PixelFormat": "Mono16"})
            camera.wait_state("ok")
            self.assertIn("pixel format Mono16 cannot be used", camera.call("capture")["body"]["text"])
            consumer.close()

    def test_a_part_of_the_picture_is_cut_out_and_turned(self):
        self.plug_in()
        with self.camera(roi={"x": 10, "y": 20, "width": 64, "height": 32}, rotate=90) as camera:
            camera.wait_state("ok")
            consumer = camera.connect()
            self.assertEqual(camera.call("capture")["status"], 200)
            self.assertEqual(jpeg_shape(consumer.take(1)[0]["data"]), (32, 64, 1))
            camera.forget()
            camera.set(2, source="aravis:VD1", trigger="call", roi={"x": 500, "y": 0, "width": 64, "height": 32})
            camera.wait_state("ok")
            self.assertIn("reaches beyond", camera.call("capture")["body"]["text"])
            consumer.close()

    def test_settings_that_the_camera_does_not_take_are_told_and_stop_a_strict_one(self):
        self.plug_in()
        with self.camera(strictSettings=True, controls={"Nonsense": 1, "GainRaw": "loud"}) as camera:
            actual = camera.wait_state("ok")["actual"]
            self.assertEqual(actual["deviations"], 2)
            self.assertIn("Nonsense", actual["deviation"])
            self.assertIn("text", actual["controls"]["GainRaw"])
            failed = camera.call("capture")
            self.assertEqual(failed["status"], 503)
            self.assertIn("control Nonsense", failed["body"]["text"])

    def test_a_camera_that_is_not_there_is_waited_for(self):
        with self.camera() as camera:
            self.assertEqual(camera.wait_state("waiting")["text"], "aravis VD1: no such camera")
            self.plug_in()
            camera.wait_state("ok")


    def test_ring_clip_and_photo_see_frames_between_captures(self):
        self.plug_in()
        for output, ending in (("jpeg", "jpg"), ("grey", "pgm")):
            with self.subTest(output=output), commands.Camera(
                    self.folder, source="aravis:VD1", trigger="call", fps=20, output=output, width=256, height=128,
                    kept={"minFreeBytes": 1 << 20}, ring={"frames": 100, "fps": 10}) as camera:
                camera.wait_state("ok")
                consumer = camera.connect()
                clip = camera.call("clip", seconds=1, fps=10)["body"]["name"]
                body = camera.kept(clip)
                self.assertEqual((body["state"], body["width"], body["height"]), ("ok", 256, 128))
                frames = commands.read_avi((camera.state / "kept" / clip / "clip.avi").read_bytes())[0]
                self.assertGreater(len([f for f in frames if f]), 3)
                self.assertEqual({jpeg_shape(f)[:2] for f in frames if f}, {(256, 128)})
                self.assertEqual(camera.call("capture")["status"], 200)
                self.assertEqual(consumer.take(1)[0]["seq"], 1)
                name = camera.call("keep", afterS=0.2)["body"]["name"]
                self.assertEqual(camera.kept(name)["state"], "ok")
                index = camera.index(name)["frames"]
                self.assertLessEqual({"watch", "call"}, {f["trigger"] for f in index})
                files = {(camera.state / "kept" / name / f["file"]).suffix for f in index}
                self.assertEqual(files, {"." + ending})
                photo = camera.call("photo")["body"]
                self.assertEqual((photo["type"], photo["asCaptured"]), ("image/jpeg", output == "jpeg"))
                self.assertEqual(jpeg_shape(camera.published("photo")["files"][0])[:2], (256, 128))
                self.assertIsNone(consumer.next(0.2))
                camera.call("preview", seconds=5, fps=5, width=100)
                self.assertLessEqual(camera.published("preview")["body"]["width"], 100)
                consumer.close()

    def test_a_software_trigger_is_not_fired_for_a_look(self):
        self.plug_in()
        with commands.Camera(self.folder, source="aravis:VD1", deviceTrigger="Software",
                             kept={"minFreeBytes": 1 << 20}) as camera:
            camera.wait_state("ok")
            name = camera.call("clip", seconds=0.5)["body"]["name"]
            self.assertEqual(camera.kept(name)["text"], "no frame came")
            refused = camera.set(2, source="aravis:VD1", deviceTrigger="Software", ring={"frames": 9, "fps": 5})
            self.assertEqual(refused["pointer"], "/ring/fps")


if __name__ == "__main__":
    if not load():
        print("libaravis-0.8-0 is not installed")
        sys.exit(SKIPPED)
    if sys.argv[1] == "--camera":
        be_camera(sys.argv[2], int(sys.argv[3]))
    isolate()
    signal.alarm(170)
    rig.MODULE, rig.MAKE_JPEGS = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0]] + sys.argv[3:], verbosity=2)
