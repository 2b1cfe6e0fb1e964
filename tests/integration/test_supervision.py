#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Modules that die, hang or are killed, and an agent without a hub."""

import os
import signal
import socket
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import line as lines  # noqa: E402
from line import Line, wait_until  # noqa: E402


def start_line(line, **station):
    line.simulate(good=6, mixed=0)
    line.agent.start()
    modules = {"cam": lines.camera(line.captures, 20),
               "station": dict(lines.golden_station(line.captures / "part-00001.jpg"), **station)}
    line.wait_applied(line.set_desired(lines.document(modules)))
    line.agent.wait_ready("cam", "station")
    wait_until(lambda: len(line.verdicts()) > 5, 20, line.agent.log_tail)


class SupervisionTest(unittest.TestCase):
    def test_a_killed_module_runs_again_at_once_and_its_end_is_in_reported_state(self):
        with Line() as line:
            start_line(line)
            pid = line.agent.modules()["station"]["pid"]
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: line.agent.modules()["station"].get("pid", pid) != pid, 5, line.agent.log_tail)
            line.agent.wait_ready("station")

            def evidence():
                return line.reported()["modules"]["station"].get("lastExit")
            last = wait_until(evidence, 10, line.agent.log_tail)
            self.assertEqual((last["cause"], last["signal"]), ("killed", signal.SIGKILL))
            self.assertGreater(last["ranMs"], 0)
            before = len(line.verdicts())
            wait_until(lambda: len(line.verdicts()) > before + 10, 20, line.agent.log_tail)
            self.assertEqual(line.agent.modules()["cam"]["restarts"], 0)
            # It is there after a restart of the agent too.
            line.agent.stop()
            line.agent.start()
            self.assertEqual(line.agent.modules()["station"]["lastExit"]["signal"], signal.SIGKILL)

    def test_a_hung_module_is_restarted_at_its_heartbeat_deadline(self):
        with Line() as line:
            start_line(line, heartbeatMs=200)
            pid = line.agent.modules()["station"]["pid"]
            os.kill(pid, signal.SIGSTOP)
            wait_until(lambda: line.agent.modules()["station"].get("pid", pid) != pid, 10, line.agent.log_tail)
            line.agent.wait_ready("station")
            last = wait_until(lambda: line.reported()["modules"]["station"].get("lastExit"), 10, "evidence")
            self.assertEqual(last["cause"], "hung")
            before = len(line.verdicts())
            wait_until(lambda: len(line.verdicts()) > before + 10, 20, line.agent.log_tail)

    def test_the_line_boots_and_inspects_from_the_last_good_document_with_the_hub_unreachable(self):
        with Line() as line:
            start_line(line)
            line.agent.stop()
            seen = len(line.verdicts())
            line.cloud.kill("broker")
            line.agent.start()
            line.agent.wait_ready("cam", "station")
            status = line.agent.call("status")
            self.assertNotEqual(status["link"]["state"], "up")
            self.assertGreaterEqual(status["desired"]["inForce"], 2)

            def waiting():
                classes = line.agent.call("outbox")["store"]["classes"]
                return classes["verdict"]["records"] > 20
            wait_until(waiting, 20, line.agent.log_tail)
            line.cloud.start("broker")
            wait_until(lambda: len(line.verdicts()) > seen + 20, 30, line.agent.log_tail)

    def test_a_hub_that_accepts_and_never_answers_disturbs_nothing_and_is_left_in_time(self):
        with Line() as line:
            start_line(line)
            line.cloud.kill("broker")
            with socket.socket() as silent:
                silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                silent.bind(("127.0.0.1", line.cloud.mqtts_port))
                silent.listen(16)
                work = line.agent.modules()["station"]["work"]
                time.sleep(1)
                self.assertGreater(line.agent.modules()["station"]["work"], work + 10)
                wait_until(lambda: line.agent.call("status")["link"]["lastError"], 20, line.agent.log_tail)
            line.cloud.start("broker")
            wait_until(lambda: line.agent.call("status")["link"]["state"] == "up", 30, line.agent.log_tail)

    def metrics(self, line):
        """{series: value}, each line in the form that Prometheus reads."""
        done = subprocess.run([str(line.agent.build / "bin" / "vedette"), "--socket",
                               str(line.agent.run_folder / "agent.sock"), "metrics"],
                              capture_output=True, text=True, timeout=20, check=True)
        series = {}
        for row in done.stdout.splitlines():
            if not row.startswith("#"):
                self.assertRegex(row, r'^vedette_[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [-+.e0-9]+$')
                name, value = row.rsplit(" ", 1)
                self.assertNotIn(name, series)
                series[name] = float(value)
        return series

    def test_the_local_commands_answer_without_a_network(self):
        with Line() as line:
            start_line(line)
            line.cloud.kill("broker")
            for command in ("status", "modules", "twin", "outbox", "packages"):
                self.assertTrue(line.agent.call(command))
            metrics = self.metrics(line)
            self.assertEqual(metrics['vedette_module_ready{module="station"}'], 1)
            self.assertGreater(metrics['vedette_outbox_accepted_total{class="verdict"}'], 0)
            self.assertEqual(line.agent.vedette("logs", "nobody").returncode, 3)
            self.assertEqual(line.agent.vedette("dance").returncode, 2)
            answer = line.agent.vedette("call", "station", "no-such-method")
            self.assertEqual(answer.returncode, 3, answer.stderr)
            line.cloud.start("broker")

    def test_systemd_is_told_of_readiness_and_fed_while_the_loop_turns(self):
        with Line() as line:
            path = str(line.folder / "notify")
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
                notify.bind(path)
                notify.settimeout(10)
                os.environ["NOTIFY_SOCKET"], os.environ["WATCHDOG_USEC"] = path, "400000"
                try:
                    line.agent.start()
                finally:
                    del os.environ["NOTIFY_SOCKET"], os.environ["WATCHDOG_USEC"]
                seen = b""
                while b"READY=1" not in seen or seen.count(b"WATCHDOG=1") < 3:
                    seen += notify.recv(4096) + b"\n"
                # A stopped agent feeds no watchdog.
                line.agent.process.send_signal(signal.SIGSTOP)
                try:
                    notify.settimeout(0.1)
                    with self.assertRaises(TimeoutError):
                        while True:
                            notify.recv(4096)
                    notify.settimeout(1)
                    with self.assertRaises(TimeoutError):
                        notify.recv(4096)
                finally:
                    line.agent.process.send_signal(signal.SIGCONT)


if __name__ == "__main__":
    unittest.main(verbosity=2)
