#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""vedette-camera with a web server as its camera: what it answers well, badly, late and never.

usage: camera_http.py MODULE MAKE_JPEGS [unittest arguments]
"""
import hashlib
import http.server
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import unittest
from email.utils import formatdate
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import camera_module as rig  # noqa: E402
from camera_module import Camera, CameraCase  # noqa: E402


class Server(http.server.ThreadingHTTPServer):
    """A camera on the web. script: for each request behind the first good ones a function that answers."""
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, pictures, tls=None, port=0):
        self.pictures, self.script, self.requests, self.connections = pictures, [], [], []
        self.release = threading.Event()
        self.usual = Answers.good
        super().__init__(("127.0.0.1", port), Answers)
        self.scheme = "http"
        if tls:
            self.scheme = "https"
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def url(self, host="127.0.0.1"):
        return "%s://%s:%d/snapshot.jpg?channel=1" % (self.scheme, host, self.port)

    def handle_error(self, *_):
        pass

    def close(self):
        """Away, as if its cable were pulled, also from connections that are kept open."""
        self.release.set()
        self.shutdown()
        self.server_close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.connections.append(self.connection)

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.requests.append(dict(self.headers))
        answer = self.server.script.pop(0) if self.server.script else self.server.usual
        try:
            answer(self)
        except OSError:
            self.close_connection = True

    def head(self, length, status=200, kind="image/jpeg", **more):
        self.send_response_only(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        else:
            self.close_connection = True
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def good(self, **more):
        data = self.server.pictures[len(self.server.requests) % len(self.server.pictures)]
        self.head(len(data), **more)
        self.wfile.write(data)

    def same(self, **more):
        self.head(len(self.server.pictures[0]), **more)
        self.wfile.write(self.server.pictures[0])

    def missing(self):
        self.head(4, 404, "text/plain")
        self.wfile.write(b"gone")

    def moved(self):
        self.head(0, 302, Location="/other.jpg")

    def page(self):
        self.head(13, kind="text/html")
        self.wfile.write(b"<html></html>")

    def garbage(self):
        self.head(20)
        self.wfile.write(b"\xff\xd8 no picture \xff\xd9....")

    def truncated(self):
        data = self.server.pictures[0]
        self.head(len(data))
        self.wfile.write(data[:len(data) // 2])
        self.close_connection = True

    def truncated_without_length(self):
        self.head(None)
        self.wfile.write(self.server.pictures[0][:-40])

    def huge(self):
        self.head(None)
        while True:
            self.wfile.write(bytes(65536))

    def huge_by_its_length(self):
        self.head(1 << 40)
        self.wfile.write(bytes(10))
        self.server.release.wait(20)

    def hang(self):
        self.server.release.wait(20)
        self.close_connection = True

    def drip(self):
        self.head(1000000)
        while not self.server.release.wait(0.02):
            self.wfile.write(b"\xff")
            self.wfile.flush()

    def no_http(self):
        self.wfile.write(b"220 mail ready\r\n")
        self.close_connection = True

    def endless_headers(self):
        self.send_response_only(200)
        self.flush_headers()
        while True:
            self.wfile.write(b"X-Padding: " + b"x" * 1000 + b"\r\n")

    def basic_only(self):
        self.head(0, 401, WWW_Authenticate='Basic realm="camera"')

    def digest(self):
        if "response=" in self.headers.get("Authorization", ""):
            return self.good()
        return self.head(0, 401, WWW_Authenticate='Digest realm="camera", nonce="%d", qop="auth"' % time.time_ns())


class HttpTest(CameraCase):
    def setUp(self):
        super().setUp()
        self.pictures = [path.read_bytes() for path in self.make(7)]

    def serve(self, **more):
        server = Server(self.pictures, **more)
        self.addCleanup(server.close)
        return server

    def camera(self, server, host="127.0.0.1", **parameters):
        return Camera(self.folder, **dict({"source": server.url(host), "trigger": "call"}, **parameters))

    def make_certificate(self, name):
        key, certificate = self.folder / "key.pem", self.folder / "certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-days", "2", "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + name,
                        "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context, certificate

    def assert_good(self, answer):
        self.assertEqual(answer["status"], 200, answer)
        self.assertIn(answer["body"]["sha256"], [hashlib.sha256(p).hexdigest() for p in self.pictures])

    def test_each_capture_is_a_request_of_its_own_and_its_bytes_come_as_they_are(self):
        server = self.serve()
        with self.camera(server) as camera:
            self.assertEqual(camera.wait_state("ok")["actual"]["host"], "127.0.0.1:%d" % server.port)
            consumer = camera.connect()
            for i in range(3):
                answer = camera.call("capture")
                self.assert_good(answer)
                frame = consumer.take(1)[0]
                self.assertIn(frame["data"], self.pictures)
                self.assertEqual(frame["sha256"], hashlib.sha256(frame["data"]).hexdigest())
                self.assertGreaterEqual(frame["tMono"], frame["trigger"]["tMono"])
            self.assertEqual(len(server.requests), 4, "one to open, one each capture")
            self.assertEqual(server.requests[-1]["Cache-Control"], "no-cache")
            self.assertNotIn("Authorization", server.requests[-1])
            consumer.close()

    def test_whatever_is_no_picture_of_this_capture_is_a_failure_that_names_host_and_cause(self):
        server = self.serve()
        cases = [(Answers.missing, "answers 404"), (Answers.moved, "redirects are not followed"),
                 (Answers.page, "text/html"), (Answers.garbage, ""), (Answers.truncated, ""),
                 (Answers.truncated_without_length, "has no end"), (Answers.huge, "above maxBytes"),
                 (Answers.huge_by_its_length, "above maxBytes"), (Answers.no_http, ""),
                 (Answers.endless_headers, "above maxBytes"), (Answers.basic_only, "wants credentials")]
        with self.camera(server, maxBytes=200000) as camera:
            camera.wait_state("ok")
            consumer = camera.connect()
            for answer, cause in cases:
                with self.subTest(answer.__name__):
                    server.script = [answer]
                    failed = camera.call("capture")
                    self.assertEqual(failed["status"], 503, failed)
                    self.assertIn("127.0.0.1:%d" % server.port, failed["body"]["text"])
                    self.assertIn(cause, failed["body"]["text"])
                    self.assertNotIn("channel", failed["body"]["text"])
                    self.assertEqual(consumer.take(1)[0]["type"], "captureFailed")
                    server.script = []
                    self.until_good(camera)
                    consumer.take(1)
            self.assertTrue(all(p["type"] == "frame" or "sha256" not in p for p in consumer.packets))
            consumer.close()

    def until_good(self, camera):
        end = time.monotonic() + rig.PATIENCE_S
        while camera.call("capture")["status"] != 200:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def test_a_server_that_hangs_or_drips_is_lost_after_the_deadline_and_found_again(self):
        server = self.serve()
        with self.camera(server, timeoutMs=300) as camera:
            camera.wait_state("ok")
            for answer in (Answers.hang, Answers.drip):
                camera.forget()
                server.usual = answer
                failed = camera.call("capture")
                self.assertIn("no whole answer in time", failed["body"]["text"])
                camera.wait_state("lost")
                server.usual = Answers.good
                server.release.set()
                camera.wait_state("ok")
                server.release.clear()
                self.assert_good(camera.call("capture"))

    def test_a_server_that_goes_away_is_lost_and_opened_again_when_it_is_back(self):
        server = self.serve()
        port = server.port
        with self.camera(server) as camera:
            camera.wait_state("ok")
            server.close()
            failed = camera.call("capture")
            self.assertIn("127.0.0.1:%d" % port, failed["body"]["text"])
            camera.wait_state("lost")
            camera.forget()
            self.serve(port=port)
            camera.wait_state("ok")
            self.assert_good(camera.call("capture"))

    def test_the_last_picture_again_is_refused_as_stale(self):
        server = self.serve()
        server.usual = Answers.same
        with self.camera(server) as camera:
            camera.wait_state("ok")
            self.assert_good(camera.call("capture"))
            self.assertIn("last one again", camera.call("capture")["body"]["text"])
            server.usual = lambda a: a.same(Date=formatdate(time.time() - 60, usegmt=True))
            self.assertIn("last one again", camera.call("capture")["body"]["text"])
            server.usual = lambda a: a.good(Age="30")
            self.assertIn("from a cache", camera.call("capture")["body"]["text"])
            server.usual = lambda a: a.same(Date=formatdate(time.time() + 1, usegmt=True))
            self.assert_good(camera.call("capture"))
            self.assertEqual(camera.call("health")["body"]["staleFrames"], 3)
            server.usual = Answers.same
            self.assertEqual(camera.set(2, source=server.url(), trigger="call", refuseRepeats=False)["type"],
                             "applied")
            camera.wait_state("ok")
            self.assert_good(camera.call("capture"))
            self.assert_good(camera.call("capture"))

    def test_a_server_is_trusted_by_its_certificate_alone(self):
        context, certificate = self.make_certificate("localhost")
        server = self.serve(tls=context)
        with self.camera(server, "localhost", caFile=str(certificate)) as camera:
            camera.wait_state("ok")
            self.assert_good(camera.call("capture"))
        with self.camera(server, "localhost") as camera:
            self.assertIn("certificate", camera.wait_state("failed")["text"])
            self.assertEqual(camera.call("capture")["status"], 503)
        with self.camera(server, "127.0.0.1", caFile=str(certificate)) as camera:
            self.assertIn("127.0.0.1", camera.wait_state("failed")["text"])

    def test_the_password_comes_from_a_secret_and_goes_to_nobody_in_the_clear(self):
        server = self.serve()
        server.usual = Answers.digest
        with self.camera(server, credentials="secretref:web") as camera:
            self.assertIn("secret web", camera.wait_state("failed")["text"])
            secrets = camera.state / "secrets"
            secrets.mkdir()
            (secrets / "web").write_text("anna:open sesame\n")
            (secrets / "web").chmod(0o600)
            camera.wait_state("ok")
            self.assert_good(camera.call("capture"))
            server.usual = Answers.basic_only
            self.assertIn("does not take the credentials", camera.call("capture")["body"]["text"])
        self.assertTrue(any("Digest" in r.get("Authorization", "") for r in server.requests))
        self.assertFalse(any("Basic" in r.get("Authorization", "") for r in server.requests))
        self.assertNotIn("sesame", (self.folder / "log").read_text())

    def test_two_cameras_capture_at_the_same_time_for_one_trigger(self):
        server = self.serve()
        folders = [self.folder / "a", self.folder / "b"]
        for folder in folders:
            folder.mkdir()
        with Camera(folders[0], source=server.url(), trigger="call") as first, \
                Camera(folders[1], source=server.url(), trigger="call") as second:
            first.wait_state("ok")
            second.wait_state("ok")
            both = threading.Barrier(2)  # neither picture comes before both were asked for

            def together(answer):
                both.wait(rig.PATIENCE_S)
                answer.good()

            server.usual = together
            for camera in (first, second):
                camera.send({"type": "call", "id": 77, "method": "capture", "body": {}})
            for camera in (first, second):
                self.assert_good(camera.wait("answer", lambda p: p["id"] == 77))


if __name__ == "__main__":
    signal.alarm(170)
    rig.MODULE, rig.MAKE_JPEGS = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0]] + sys.argv[3:], verbosity=2)
