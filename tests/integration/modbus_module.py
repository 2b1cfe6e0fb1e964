#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""vedette-modbus against vedette-modbus-simulator, both as processes; this test plays the agent.

usage: modbus_module.py MODULE SIMULATOR [unittest arguments]
"""
import json
import os
import pty
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import tty
import unittest

MODULE, SIMULATOR = "", ""
PATIENCE_S = 15


class Lines:
    """Lines of a pipe, collected by a thread."""

    def __init__(self, pipe):
        self.lines = []
        self.news = threading.Condition()
        self.thread = threading.Thread(target=self.collect, args=(pipe,), daemon=True)
        self.thread.start()

    def collect(self, pipe):
        for line in pipe:
            with self.news:
                self.lines.append(line.decode(errors="replace").rstrip("\n"))
                self.news.notify_all()

    def wait(self, wanted, since=0):
        """The first line from index since on that wanted() likes, and its index."""
        end = time.monotonic() + PATIENCE_S
        with self.news:
            while True:
                for i in range(since, len(self.lines)):
                    if wanted(self.lines[i]):
                        return self.lines[i], i
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError("no such line among:\n" + "\n".join(self.lines[-30:]))
                self.news.wait(left)


class Simulator:
    def __init__(self, config, serial=None, port=0):
        self.folder = tempfile.TemporaryDirectory()
        path = os.path.join(self.folder.name, "config.json")
        with open(path, "w") as f:
            json.dump(config, f)
        self.process = subprocess.Popen(
            [SIMULATOR, "--config", path] + (["--serial", serial] if serial else ["--port", str(port)]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.out = Lines(self.process.stdout)
        self.port = 0 if serial else int(self.out.wait(lambda l: l.startswith("port "))[0].split()[1])

    def command(self, line):
        since = len(self.out.lines)
        self.process.stdin.write((line + "\n").encode())
        self.process.stdin.flush()
        self.out.wait(lambda l: l == "done " + line, since)

    def writes(self, area, address, since=0):
        """Values written there, in order."""
        return [int(l.split()[4]) for l in self.out.lines[since:]
                if l.split()[1:4] == ["write", area, str(address)]]

    def wait_write(self, area, address, value, since=0):
        return self.out.wait(
            lambda l: l.split()[1:] == ["write", area, str(address), str(value)], since)[1]

    def close(self):
        self.process.terminate()
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)
        self.out.thread.join(PATIENCE_S)
        self.process.stdout.close()
        self.folder.cleanup()


class Module:
    """The module's process; packets it sends are kept, in order."""

    def __init__(self, parameters):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        number = theirs.fileno()
        self.socket = ours
        self.process = subprocess.Popen(
            [MODULE], pass_fds=[3], preexec_fn=lambda: os.dup2(number, 3),
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        theirs.close()
        self.log = Lines(self.process.stderr)
        self.packets = []
        self.items = 0
        self.news = threading.Condition()
        self.thread = threading.Thread(target=self.receive, daemon=True)
        self.thread.start()
        self.wait(lambda p: p["type"] == "hello")
        self.send({"type": "start", "instance": "bus-1", "deviceId": "d1", "stateFolder": "",
                   "heartbeatMs": 200, "version": 1, "parameters": parameters})

    def receive(self):
        while True:
            try:
                packet = self.socket.recv(65536)
            except OSError:
                return
            if not packet:
                return
            with self.news:
                message = json.loads(packet)
                message["at"] = time.monotonic()
                self.packets.append(message)
                self.news.notify_all()
                if "id" in message and message["type"] == "publish":
                    self.send({"type": "stored", "id": message["id"], "seq": len(self.packets)})

    def send(self, packet):
        self.socket.send(json.dumps(packet).encode())

    def wait(self, wanted, since=0):
        end = time.monotonic() + PATIENCE_S
        with self.news:
            while True:
                for packet in self.packets[since:]:
                    if wanted(packet):
                        return packet
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"no such packet among {self.packets[-8:]}\n" +
                                         "\n".join(self.log.lines[-20:]))
                self.news.wait(left)

    def published(self, output, since=0):
        with self.news:
            return [p for p in self.packets[since:] if p["type"] == "publish" and p["output"] == output]

    def samples(self, device, tag, since=0):
        return [p["body"]["samples"][tag] for p in self.published("samples", since)
                if p["body"]["device"] == device and tag in p["body"]["samples"]]

    def wait_sample(self, device, tag, wanted, since=0):
        found = self.wait(lambda p: p["type"] == "publish" and p["output"] == "samples" and
                          p["body"]["device"] == device and tag in p["body"]["samples"] and
                          wanted(p["body"]["samples"][tag]), since)
        return found["body"]["samples"][tag]

    def wait_ready(self):
        self.wait(lambda p: p["type"] == "ready")

    def wait_status(self, device, status, since=0):
        return self.wait(lambda p: p["type"] == "publish" and p["output"] == "status" and
                         p["body"]["device"] == device and p["body"]["status"] == status, since)

    def verdict(self, name, item=None, seq=None, age_ms=0, **more):
        self.items += 1
        trigger = {"source": "timer", "tMono": int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000) - age_ms}
        if seq is not None:
            trigger["seq"] = seq
        body = dict({"itemId": item or "item-%d" % self.items, "verdict": name, "trigger": trigger}, **more)
        self.send({"type": "message", "input": "write", "from": "station-3/verdict", "body": body})

    def stop(self):
        self.send({"type": "stop"})
        status = self.process.wait(PATIENCE_S)
        self.close()
        return status

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
        self.log.thread.join(PATIENCE_S)
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(PATIENCE_S)
        self.socket.close()
        self.process.stderr.close()
        if any("Sanitizer" in line for line in self.log.lines):
            raise AssertionError("\n".join(self.log.lines))


def words_of(layout, value):
    data = struct.pack(layout, value)
    return list(struct.unpack(f">{len(data) // 2}H", data))


def tcp(port, **more):
    return dict({"transport": {"type": "tcp", "host": "127.0.0.1", "port": port}, "intervalMs": 50,
                 "responseTimeoutMs": 300}, **more)


GATE = {
    "outputs": {"reject": {"address": 0}, "accept": {"address": 1},
                "code": {"area": "holding", "address": 10},
                "sequence": {"area": "holding", "address": 11},
                "stackLight": {"address": 7}},
}
VERDICTS = {"device": "press", "ngOutput": "reject", "okOutput": "accept", "codeOutput": "code",
            "sequenceOutput": "sequence", "holdMs": 80, "deadlineMs": 500}


class Case(unittest.TestCase):
    def simulator(self, config=None, serial=None):
        simulator = Simulator(config or {}, serial)
        self.addCleanup(simulator.close)
        return simulator

    def module(self, parameters, ready=True):
        module = Module(parameters)
        self.addCleanup(module.close)
        if ready:
            module.wait_ready()
        return module


class Reading(Case):
    VALUES = [
        {"address": 0, "words": [0xFF85]},                             # int16 -123
        {"address": 1, "words": [0x0001, 0x0002]},                     # uint32 65538
        {"address": 3, "words": words_of(">f", 12.5)[::-1]},           # CDAB
        {"address": 5, "words": words_of(">d", -0.125)},
        {"address": 9, "words": words_of(">q", -(2 ** 60))},
        {"address": 13, "words": [0x1234, 0x5678]},                    # bcd32
        {"address": 15, "words": [0x12A4]},                            # no bcd16
        {"address": 16, "words": [0x4142, 0x4300]},                    # "ABC"
        {"address": 18, "words": [0x0250]},                            # mode in bits 4 to 7
        {"area": "input", "address": 100, "words": [215]},
        {"area": "coil", "address": 5, "words": [1, 0]},
        {"area": "discrete", "address": 9, "words": [0, 1]},
    ]
    TAGS = {
        "i16": {"address": 0, "type": "int16"},
        "u32": {"address": 1, "type": "uint32"},
        "f32": {"address": 3, "type": "float32", "order": "CDAB"},
        "f64": {"address": 5, "type": "float64"},
        "i64": {"address": 9, "type": "int64"},
        "bcd": {"address": 13, "type": "bcd32"},
        "noBcd": {"address": 15, "type": "bcd16"},
        "text": {"address": 16, "type": "string", "length": 4},
        "mode": {"address": 18, "mask": 0xF0, "enum": {"5": "running"}},
        "temp": {"area": "input", "address": 100, "scale": 0.1, "unit": "Cel"},
        "door": {"area": "coil", "address": 5},
        "guard": {"area": "discrete", "address": 10},
    }
    WANTED = {"i16": -123, "u32": 65538, "f32": 12.5, "f64": -0.125, "i64": str(-(2 ** 60)),
              "bcd": 12345678, "text": "ABC", "mode": 5, "temp": 21.5, "door": True, "guard": True}

    def check(self, module):
        module.wait_sample("press", "i16", lambda s: s["quality"] == "good")
        module.wait_sample("press", "guard", lambda s: s["quality"] == "good")
        for tag, value in self.WANTED.items():
            sample = module.wait_sample("press", tag, lambda s: True)
            self.assertEqual((sample["value"], sample["quality"]), (value, "good"), tag)
        no_bcd = module.wait_sample("press", "noBcd", lambda s: True)
        self.assertEqual((no_bcd["value"], no_bcd["quality"]), (None, "decode"))
        self.assertEqual(module.samples("press", "mode")[0]["label"], "running")
        self.assertEqual(module.samples("press", "temp")[0]["unit"], "Cel")
        module.wait_status("press", "partial")
        self.assertTrue(any("noBcd" in l for l in module.log.lines))

    def test_every_area_and_type_is_read_over_tcp(self):
        simulator = self.simulator({"values": self.VALUES})
        module = self.module({"devices": {"press": tcp(simulator.port, tags=self.TAGS)}})
        self.check(module)
        self.assertEqual(module.stop(), 0)

    def test_every_area_and_type_is_read_over_a_serial_line(self):
        left, right = self.cross_over()
        self.simulator({"values": self.VALUES}, serial=right)
        module = self.module({"devices": {"press": {
            "transport": {"type": "rtu", "device": left, "baud": 115200, "parity": "none"},
            "intervalMs": 100, "responseTimeoutMs": 1000, "tags": self.TAGS}}})
        self.check(module)
        self.assertEqual(module.stop(), 0)

    def test_frames_of_a_serial_line_are_read_over_tcp(self):
        left, right = self.cross_over()
        self.simulator({"values": self.VALUES}, serial=right)
        port = self.gateway(left)
        module = self.module({"devices": {"press": {
            "transport": {"type": "rtuOverTcp", "host": "127.0.0.1", "port": port},
            "intervalMs": 100, "responseTimeoutMs": 1000, "tags": self.TAGS}}})
        self.check(module)
        self.assertEqual(module.stop(), 0)

    def cross_over(self):
        """Two pseudo terminals whose far ends are joined; the paths of the near ends."""
        masters, paths = [], []
        for _ in range(2):
            master, slave = pty.openpty()
            tty.setraw(slave)
            masters.append(master)
            paths.append(os.ttyname(slave))
            self.addCleanup(os.close, slave)
        for source, sink in (masters, masters[::-1]):
            threading.Thread(target=pump, args=(source, sink), daemon=True).start()
        return paths

    def gateway(self, path):
        """A serial gateway: bytes of one TCP connection to the line and back, as they are."""
        line = os.open(path, os.O_RDWR | os.O_NOCTTY)
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve():
            connection, _ = listener.accept()
            threading.Thread(target=pump, args=(line, connection.fileno()), daemon=True).start()
            pump(connection.fileno(), line)

        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1]

    def test_a_bad_register_is_isolated_and_nothing_else_is_lost(self):
        simulator = self.simulator({"faults": {"exceptions": [{"address": 40, "count": 2}]}})
        tags = {f"r{i}": {"address": i} for i in range(100)}
        module = self.module({"devices": {"press": tcp(simulator.port, tags=tags)}})
        module.wait_status("press", "partial")
        for i in range(100):
            sample = module.wait_sample("press", f"r{i}", lambda s: True)
            self.assertEqual(sample["quality"], "bad_address" if i in (40, 41) else "good", i)
        self.assertEqual(module.stop(), 0)

    def test_an_exception_is_told_with_its_code(self):
        simulator = self.simulator({"faults": {"exceptions": [{"address": 3, "code": 4}]}})
        module = self.module({"devices": {"press": tcp(simulator.port, tags={"a": {"address": 3}})}})
        sample = module.wait_sample("press", "a", lambda s: True)
        self.assertEqual((sample["value"], sample["quality"], sample["code"]), (None, "exception", 4))

    def test_a_deadband_keeps_small_changes_back(self):
        simulator = self.simulator({"waves": [
            {"address": 0, "wave": "counter", "periodMs": 100},
            {"address": 1, "wave": "square", "low": 10, "high": 11, "periodMs": 100}]})
        module = self.module({"devices": {"press": tcp(simulator.port, tags={
            "moves": {"address": 0, "deadband": 0}, "rests": {"address": 1, "deadband": 2}})}})
        module.wait_sample("press", "moves", lambda s: s["value"] >= 5)
        self.assertEqual(len(module.samples("press", "rests")), 1)


class Troubles(Case):
    def test_a_device_never_polled_is_unknown(self):
        module = self.module({"devices": {"press": tcp(9, tags={})}})
        report = module.wait(lambda p: p["type"] == "report" and "press" in p["body"].get("devices", {}))
        self.assertEqual(report["body"]["devices"]["press"]["status"], "unknown")
        time.sleep(0.5)
        self.assertFalse([p for p in module.published("status") if p["body"]["status"] == "ok"])

    def test_a_silent_device_delays_no_other(self):
        silent = self.simulator({"faults": {"silent": True}})
        lively = self.simulator({})
        module = self.module({"devices": {
            "dead": tcp(silent.port, tags={"a": {"address": 0}}),
            "gone": tcp(9, tags={"a": {"address": 0}}),
            "live": tcp(lively.port, tags={"a": {"address": 0}})}})
        module.wait_status("dead", "dead")
        module.wait_status("live", "ok")
        since = len(module.packets)
        time.sleep(2)
        times = [p["at"] for p in module.published("samples", since) if p["body"]["device"] == "live"]
        self.assertGreaterEqual(len(times), 36, "of 40 polls in two seconds")
        self.assertEqual(module.samples("dead", "a")[0]["quality"], "timeout")
        self.assertEqual(module.samples("gone", "a")[0]["quality"], "disconnected")
        module.wait(lambda p: p["type"] == "alive" and p["work"] > 30)

    def test_a_late_reply_is_recovered_from(self):
        simulator = self.simulator({"values": [{"address": 0, "words": [7]}, {"address": 500, "words": [9]}]})
        module = self.module({"devices": {"press": tcp(
            simulator.port, backOffMs=50, maxRegisters=1,
            tags={"a": {"address": 0}, "b": {"address": 500}})}})
        module.wait_status("press", "ok")
        simulator.command("delay 400")
        module.wait_sample("press", "a", lambda s: s["quality"] == "timeout")
        simulator.command("delay 0")
        since = len(module.packets)
        module.wait_status("press", "ok", since)
        time.sleep(0.5)
        for tag, value in (("a", 7), ("b", 9)):
            good = [s["value"] for s in module.samples("press", tag) if s["quality"] == "good"]
            self.assertEqual(set(good), {value})
        module.wait_sample("press", "b", lambda s: s["quality"] == "good", since)

    def test_garbage_is_named_and_survived(self):
        simulator = self.simulator({"faults": {"garbage": True}})
        module = self.module({"devices": {"press": tcp(simulator.port, backOffMs=50, responseTimeoutMs=100,
                                                       tags={"temp": {"address": 0}})}})
        status = module.wait_status("press", "dead")
        self.assertIn("holding 0 to 0", status["body"]["text"])
        self.assertIsNone(module.wait_sample("press", "temp", lambda s: True)["value"])
        simulator.command("heal")
        module.wait_status("press", "ok")
        self.assertEqual(module.stop(), 0)

    def test_a_dropped_connection_is_made_again(self):
        simulator = self.simulator({})
        module = self.module({"devices": {"press": tcp(simulator.port, backOffMs=50,
                                                       tags={"a": {"address": 0}})}})
        module.wait_status("press", "ok")
        simulator.command("drop on")
        module.wait_status("press", "dead")
        simulator.command("drop off")
        since = len(module.packets)
        module.wait_status("press", "ok", since)

    def test_parameters_change_while_it_runs_and_bad_ones_are_refused(self):
        one = self.simulator({"values": [{"address": 0, "words": [1]}]})
        two = self.simulator({"values": [{"address": 0, "words": [2]}]})
        module = self.module({"devices": {"press": tcp(one.port, tags={"a": {"address": 0}})}})
        module.wait_sample("press", "a", lambda s: s["value"] == 1)
        module.send({"type": "parameters", "version": 2, "parameters": {"devices": {"press": tcp(
            two.port, tags={"a": {"address": 0, "scale": 0}})}}})
        refused = module.wait(lambda p: p["type"] == "refused")
        self.assertEqual((refused["version"], refused["pointer"]), (2, "/devices/press/tags/a/scale"))
        module.send({"type": "parameters", "version": 3, "parameters": {"devices": {"mill": tcp(
            two.port, tags={"a": {"address": 0}})}}})
        module.wait(lambda p: p["type"] == "applied" and p["version"] == 3)
        module.wait_sample("mill", "a", lambda s: s["value"] == 2)
        module.wait(lambda p: p["type"] == "report" and "press" in p["body"].get("devices", {}) and
                    p["body"]["devices"]["press"] is None)

    def test_the_module_ends_with_the_agent(self):
        simulator = self.simulator({})
        module = self.module({"devices": {"press": tcp(simulator.port, tags={"a": {"address": 0}}, **GATE)},
                              "verdicts": dict(VERDICTS, holdMs=0)})
        module.verdict("NG")
        since = simulator.wait_write("coil", 0, 1)
        module.socket.shutdown(socket.SHUT_RDWR)
        module.process.wait(PATIENCE_S)
        simulator.wait_write("coil", 0, 0, since)


class Writing(Case):
    def start(self, config=None, verdicts=None, **more):
        simulator = self.simulator(config or {})
        module = self.module({"devices": {"press": tcp(simulator.port, **dict(GATE, **more))},
                              "verdicts": dict(VERDICTS, **(verdicts or {}))})
        for address in (0, 1):
            simulator.wait_write("coil", address, 0)
        simulator.wait_write("holding", 10, 0)
        return simulator, module

    def test_a_verdict_reaches_its_coil_code_and_sequence(self):
        simulator, module = self.start(tags={"a": {"address": 0}})
        since = len(simulator.out.lines)
        module.verdict("NG", seq=17)
        simulator.wait_write("holding", 11, 17, since)
        simulator.wait_write("coil", 0, 0, since)
        order = [l.split()[2:5] for l in simulator.out.lines[since:]]
        self.assertEqual(order, [["holding", "10", "3"], ["coil", "0", "1"], ["holding", "11", "17"],
                                 ["coil", "0", "0"]])
        since = len(simulator.out.lines)
        module.verdict("OK", seq=18)
        simulator.wait_write("holding", 11, 18, since)
        self.assertEqual(simulator.writes("coil", 1, since)[:1], [1])
        self.assertEqual(simulator.writes("coil", 0, since), [])

    def test_no_decision_is_a_reject(self):
        simulator, module = self.start()
        module.verdict("NO_DECISION")
        simulator.wait_write("coil", 0, 1)
        self.assertEqual(simulator.writes("coil", 1), [0])

    def test_an_unknown_verdict_is_a_reject_and_an_event(self):
        simulator, module = self.start()
        module.verdict("GREAT")
        simulator.wait_write("coil", 0, 1)
        event = module.wait(lambda p: p["type"] == "publish" and p["body"].get("event") == "messageRefused")
        self.assertEqual(event["output"], "status")
        self.assertIn("GREAT", event["body"]["text"])

    def test_a_message_without_verdict_is_an_event_and_writes_nothing(self):
        simulator, module = self.start()
        since = len(simulator.out.lines)
        module.send({"type": "message", "input": "write", "from": "x/y", "body": {"reject": 1}})
        event = module.wait(lambda p: p["type"] == "publish" and p["body"].get("event") == "messageRefused")
        self.assertEqual(event["output"], "status")
        self.assertEqual(event["body"]["from"], "x/y")
        module.wait(lambda p: p["type"] == "report" and p["body"].get("refusedMessages") == 1)
        self.assertFalse([l for l in simulator.out.lines[since:] if " write " in l])

    def test_a_write_that_fails_is_an_alarm(self):
        simulator, module = self.start(verdicts={"deadlineMs": 300})
        simulator.command("silent on")
        module.verdict("NG", item="item-9")
        alarm = module.wait(lambda p: p["type"] == "publish" and p["class"] == "alarm")
        self.assertEqual(alarm["body"]["event"], "verdictWriteFailed")
        self.assertEqual(alarm["body"]["itemId"], "item-9")
        module.wait(lambda p: p["type"] == "report" and
                    p["body"].get("devices", {}).get("press", {}).get("writeFailures", 0) >= 1)

    def test_a_write_is_tried_again_within_its_deadline(self):
        simulator, module = self.start(verdicts={"deadlineMs": 3000}, responseTimeoutMs=100)
        since = len(simulator.out.lines)
        simulator.command("drop on")
        module.verdict("NG")
        time.sleep(0.4)
        simulator.command("drop off")
        simulator.wait_write("coil", 0, 1, since)
        self.assertFalse(module.published("alarm"))

    def test_the_outputs_are_safe_after_the_stop(self):
        simulator, module = self.start(verdicts={"holdMs": 0})
        module.verdict("NG")
        since = simulator.wait_write("coil", 0, 1)
        self.assertEqual(module.stop(), 0)
        simulator.wait_write("coil", 0, 0, since)

    def test_only_declared_outputs_are_ever_written(self):
        simulator, module = self.start()
        for name in ("OK", "NG", "WARN", "NO_DECISION"):
            module.verdict(name, item="../../coil/7/" + name)
        simulator.wait_write("holding", 11, 4)
        self.assertEqual(module.stop(), 0)
        places = {tuple(l.split()[2:4]) for l in simulator.out.lines if " write " in l}
        self.assertEqual(places, {("coil", "0"), ("coil", "1"), ("holding", "10"), ("holding", "11")})

    def test_an_undeclared_output_is_refused(self):
        module = self.module({"devices": {"press": tcp(9, **GATE)},
                              "verdicts": dict(VERDICTS, ngOutput="siren")}, ready=False)
        refused = module.wait(lambda p: p["type"] == "refused")
        self.assertEqual(refused["pointer"], "/verdicts/ngOutput")


    def test_a_verdict_that_came_too_late_writes_nothing_and_is_told(self):
        simulator, module = self.start(verdicts={"maxAgeMs": 1000})
        since = len(simulator.out.lines)
        module.verdict("NG", item="late", age_ms=2000)
        module.verdict("NO_DECISION", item="crashed", recovered=True)
        module.verdict("OK", item="good", seq=5)
        module.verdict("NG", item="good", seq=6)
        module.verdict("OK", seq=7)
        simulator.wait_write("holding", 11, 7, since)
        self.assertEqual(simulator.writes("coil", 0, since), [])
        self.assertEqual(simulator.writes("holding", 11, since), [5, 7])
        module.wait(lambda p: p["type"] == "publish" and p["body"].get("why") == "repeated")
        told = [(p["body"]["itemId"], p["body"]["why"]) for p in module.published("status")
                if p["body"]["event"] == "verdictPassedOver"]
        self.assertEqual(told, [("late", "tooOld"), ("crashed", "recovered"), ("good", "repeated")])
        module.wait(lambda p: p["type"] == "report" and
                    p["body"].get("passedOver") == {"tooOld": 1, "recovered": 1, "repeated": 1})


class Events(Case):
    PART = {"area": "discrete", "address": 3, "periodMs": 10, "acknowledge": "taken",
            "serial": {"address": 20, "type": "string", "length": 6}}

    def parameters(self, port, event=None, **more):
        return {"devices": {"press": tcp(port, outputs={"taken": {"address": 2}}, backOffMs=50,
                                         events={"part": {k: v for k, v in dict(self.PART, **(event or {})).items()
                                                          if v is not None}}, **more)}}

    def start(self, config=None, event=None, **more):
        simulator = self.simulator(config or {})
        module = self.module(self.parameters(simulator.port, event, **more))
        module.wait_status("press", "ok")
        return simulator, module

    def serial(self, simulator, text):
        for i in range(3):
            simulator.command("set holding %d %d" % (20 + i, int.from_bytes(text[2 * i:2 * i + 2].encode(), "big")))

    def edges(self, module):
        return [p["body"] for p in module.published("event")]

    def wait_edges(self, module, count):
        module.wait(lambda p: p["type"] == "publish" and p["output"] == "event" and p["body"]["seq"] == count)
        self.assertEqual(len(self.edges(module)), count)
        return self.edges(module)[-1]

    def part(self, simulator, module, number):
        """A part comes, is acknowledged and goes, as a PLC does it."""
        since = len(simulator.out.lines)
        self.serial(simulator, "P%05d" % number)
        simulator.command("set discrete 3 1")
        since = simulator.wait_write("coil", 2, 1, since)
        simulator.command("set discrete 3 0")
        simulator.wait_write("coil", 2, 0, since)

    def test_each_part_is_one_event_with_its_serial_number_and_is_acknowledged(self):
        simulator, module = self.start()
        for n in range(1, 21):
            self.part(simulator, module, n)
        self.wait_edges(module, 20)
        self.assertEqual([e["serial"] for e in self.edges(module)], ["P%05d" % n for n in range(1, 21)])
        self.assertEqual([e["seq"] for e in self.edges(module)], list(range(1, 21)))
        self.assertEqual([e.get("missedUnknown", False) for e in self.edges(module)], [True] + [False] * 19)
        self.assertEqual({(e["event"], e["device"], e["edge"], e["value"]) for e in self.edges(module)},
                         {("part", "press", "rise", True)})
        self.assertEqual(module.stop(), 0)

    def test_a_part_that_was_there_before_is_none_unless_the_event_says_so(self):
        there = {"values": [{"area": "discrete", "address": 3, "words": [1]}]}
        simulator, module = self.start(there)
        eager = self.module(self.parameters(simulator.port, {"atStart": True}))
        self.assertEqual(self.wait_edges(eager, 1)["edge"], "start")
        since = simulator.wait_write("coil", 2, 1)
        # Killed now, the next one finds the acknowledgement, and clears it with the level.
        again = self.module(self.parameters(simulator.port, {"atStart": True}))
        again.wait_status("press", "ok")
        eager.close()
        simulator.command("set discrete 3 0")
        simulator.wait_write("coil", 2, 0, since)
        self.assertEqual(self.edges(again), [])
        self.assertEqual(self.edges(module), [])

    def test_an_outage_is_said_and_makes_no_edge(self):
        simulator, module = self.start(event={"gapMs": 0}, responseTimeoutMs=100)
        self.part(simulator, module, 1)
        simulator.command("drop on")
        module.wait(lambda p: p["type"] == "publish" and p["body"].get("event") == "edgesUnseen")
        simulator.command("set discrete 3 1")
        since = len(module.packets)
        simulator.command("drop off")
        module.wait_status("press", "ok", since)
        simulator.command("set discrete 3 0")
        time.sleep(0.1)
        self.part(simulator, module, 2)
        self.assertTrue(self.wait_edges(module, 2)["missedUnknown"])

    def test_a_fast_source_delays_no_other_and_is_not_delayed(self):
        tags = {"t%d" % i: {"address": 7 * i, "intervalMs": 100} for i in range(100)}
        simulator, module = self.start(tags=tags, maxRegisters=3, event={"periodMs": 5})
        simulator.command("delay 1")  # a poll of the tags takes 100 requests
        since = len(module.packets)
        for n in range(1, 6):
            self.part(simulator, module, n)
        self.wait_edges(module, 5)
        module.wait_sample("press", "t99", lambda s: s["quality"] == "good", since)

    def test_a_counter_register_is_an_event_a_change(self):
        simulator, module = self.start(event={"area": "holding", "address": 50, "on": "change",
                                              "acknowledge": None, "serial": {"address": 50}})
        for n in (3, 4, 7):
            since = len(module.packets)
            simulator.command("set holding 50 %d" % n)
            module.wait(lambda p: p["type"] == "publish" and p["output"] == "event", since)
        self.assertEqual([(e["before"], e["value"], e["serial"]) for e in self.edges(module)],
                         [(0, 3, 3), (3, 4, 4), (4, 7, 7)])


def pump(source, sink):
    try:
        while True:
            data = os.read(source, 4096)
            if not data:
                return
            os.write(sink, data)
    except OSError:
        return


if __name__ == "__main__":
    MODULE, SIMULATOR = sys.argv[1:3]
    del sys.argv[1:3]
    # Descriptor 3 is taken here, so that none that matters has its number when a child gets its own.
    os.dup2(os.open(os.devnull, os.O_RDWR), 3)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    unittest.main(verbosity=2)
