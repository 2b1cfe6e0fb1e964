#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Queries over twins by REST, as Azure's service SDK asks them."""

import base64
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import cloud as harness  # noqa: E402

BUILD = os.environ.get("VD_BUILD") or str(Path(__file__).resolve().parents[2] / "build" / "dev")
COUNT = 25


class Query(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="vd-")
        cls.cloud = harness.Cloud(cls.folder.name, BUILD)
        cls.cloud.__enter__()
        try:
            cls.fill()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def fill(cls):
        """d00 to d24 with tags and desired properties; d03 and d07 have modules."""
        for i in range(COUNT):
            cls.cloud.create_device(f"d{i:02}")
            cls.patch(f"d{i:02}", {"tags": {"site": "Ulm" if i % 2 else "Jena", "n": i},
                                   "properties": {"desired": {"rate": {"fps": i % 5}}}})
        for name in "d03/a", "d03/b", "d07/a":
            cls.cloud.create_device(name)
        cls.patch("d07/modules/a", {"tags": {"kind": "camera"}})

    @classmethod
    def patch(cls, path, body):
        cls.cloud.must("PATCH", f"/twins/{path}", body, headers={"If-Match": '"*"'})

    @classmethod
    def tearDownClass(cls):
        cls.cloud.__exit__(None)
        cls.folder.cleanup()

    def ask(self, query, size=None, continuation=None, **options):
        headers = {}
        if size is not None:
            headers["x-ms-max-item-count"] = str(size)
        if continuation:
            headers["x-ms-continuation"] = continuation
        return self.cloud.request("POST", "/devices/query", {"query": query}, headers=headers,
                                  **options)

    def page(self, query, size=None, continuation=None):
        """(rows, item type, continuation or None)"""
        status, headers, rows = self.ask(query, size, continuation)
        self.assertEqual(status, 200, rows)
        return rows, headers["x-ms-item-type"], headers["x-ms-continuation"]

    def pages(self, query, size=None):
        pages, continuation = [], None
        while not pages or continuation:
            rows, _, continuation = self.page(query, size, continuation)
            pages.append(rows)
        return pages

    def rows(self, query):
        page, = self.pages(query)
        return page

    def ids(self, where):
        return [row["deviceId"] for row in self.rows(f"SELECT deviceId FROM devices {where}")]

    def refused(self, query, part, status=400, **options):
        got, _, answer = self.ask(query, **options)
        self.assertEqual(got, status, answer)
        self.assertIn(part, answer["Message"])
        return answer["Message"]

    # -- pages

    def test_25_twins_come_in_three_pages_in_the_order_of_their_ids(self):
        pages = self.pages("SELECT * FROM devices", 10)
        self.assertEqual([len(page) for page in pages], [10, 10, 5])
        self.assertEqual([twin["deviceId"] for page in pages for twin in page],
                         [f"d{i:02}" for i in range(COUNT)])

    def test_a_last_page_that_is_full_has_no_continuation(self):
        self.assertEqual([len(page) for page in self.pages("SELECT * FROM devices", 5)], [5] * 5)

    def test_a_row_is_the_twin_as_the_service_reads_it(self):
        rows, kind, _ = self.page("SELECT * FROM devices WHERE deviceId = 'd03'")
        self.assertEqual((rows, kind), ([self.cloud.must("GET", "/twins/d03")], "twin"))

    def test_what_comes_and_goes_between_pages_neither_repeats_nor_hides_others(self):
        query = "SELECT deviceId FROM devices WHERE tags.passing = true"
        for name in "p1", "p3", "p5":
            self.cloud.create_device(name)
            self.patch(name, {"tags": {"passing": True}})
        rows, _, continuation = self.page(query, 2)
        self.assertEqual(rows, [{"deviceId": "p1"}, {"deviceId": "p3"}])
        for name in "p0", "p4":
            self.cloud.create_device(name)
            self.patch(name, {"tags": {"passing": True}})
        self.cloud.must("DELETE", "/devices/p3", headers={"If-Match": "*"})
        rows, _, continuation = self.page(query, 2, continuation)
        for name in "p0", "p1", "p4", "p5":
            self.cloud.must("DELETE", f"/devices/{name}", headers={"If-Match": "*"})
        self.assertEqual((rows, continuation), ([{"deviceId": "p4"}, {"deviceId": "p5"}], None))

    def test_top_is_counted_over_all_pages(self):
        self.assertEqual([len(p) for p in self.pages("SELECT TOP 7 * FROM devices", 3)], [3, 3, 1])
        self.assertEqual([len(p) for p in self.pages("SELECT TOP 6 * FROM devices", 3)], [3, 3])

    # -- columns and conditions

    def test_columns_are_raw_rows(self):
        rows, kind, _ = self.page("SELECT deviceId, tags.n AS number, properties.desired.rate.fps,"
                                  " status FROM devices WHERE tags.n >= 23")
        self.assertEqual(kind, "raw")
        self.assertEqual(rows, [
            {"deviceId": "d23", "number": 23, "fps": 3, "status": "enabled"},
            {"deviceId": "d24", "number": 24, "fps": 4, "status": "enabled"}])

    def test_conditions_reach_every_part_of_a_twin(self):
        self.assertEqual(self.ids("WHERE tags.site = 'Ulm' AND properties.desired.rate.fps = 1"),
                         ["d01", "d11", "d21"])
        self.assertEqual(len(self.ids("WHERE capabilities.iotEdge = false"
                                      " AND connectionState = 'Disconnected'")), COUNT)
        self.assertEqual(self.ids("WHERE IS_DEFINED(properties.reported.x)"), [])
        self.assertEqual(len(self.ids("WHERE properties.desired.$version = 2")), COUNT)
        self.assertEqual(len(self.ids("WHERE is_defined(properties)")), COUNT)
        self.assertEqual(self.rows("SELECT properties.desired.rate AS r FROM devices"
                                   " WHERE deviceId = 'd04'"), [{"r": {"fps": 4}}])

    def test_ids_bound_the_walk_without_changing_the_answer(self):
        self.assertEqual(self.ids("WHERE deviceId = 'd05'"), ["d05"])
        self.assertEqual(self.ids("WHERE deviceId IN ['d09', 'd02', 'no']"), ["d02", "d09"])
        self.assertEqual(self.ids("WHERE deviceId > 'd22'"), ["d23", "d24"])
        self.assertEqual(self.ids("WHERE deviceId >= 'd03' AND deviceId < 'd05'"), ["d03", "d04"])
        self.assertEqual(self.ids("WHERE deviceId = 'd05' AND deviceId = 'd06'"), [])
        pages = self.pages("SELECT deviceId FROM devices WHERE deviceId >= 'd20'", 2)
        self.assertEqual([len(page) for page in pages], [2, 2, 1])

    def test_modules_are_a_collection_of_their_own(self):
        query = "SELECT deviceId, moduleId FROM devices.modules"
        everything = [{"deviceId": d, "moduleId": m}
                      for d, m in (("d03", "a"), ("d03", "b"), ("d07", "a"))]
        self.assertEqual(self.rows(query), everything)
        self.assertEqual(self.pages(query, 1), [[row] for row in everything])
        self.assertEqual(self.rows(query + " WHERE tags.kind = 'camera'"), everything[2:])
        self.assertEqual(self.rows(query + " WHERE deviceId = 'd03' AND moduleId = 'b'"),
                         everything[1:2])
        rows, kind, _ = self.page("SELECT * FROM devices.modules WHERE tags.kind = 'camera'")
        self.assertEqual((rows, kind), ([self.cloud.must("GET", "/twins/d07/modules/a")], "twin"))

    # -- aggregates

    def test_aggregates_count_and_sum(self):
        self.assertEqual(self.rows("SELECT COUNT() AS c FROM devices"), [{"c": COUNT}])
        self.assertEqual(self.rows("SELECT COUNT() AS c, SUM(tags.n) AS s, MAX(tags.n) AS m,"
                                   " AVG(properties.desired.rate.fps) AS a FROM devices"
                                   " WHERE tags.site = 'Jena'"),
                         [{"c": 13, "s": 156, "m": 24, "a": 2}])
        self.assertEqual(self.rows("SELECT COUNT() AS c FROM devices WHERE deviceId = 'none'"),
                         [{"c": 0}])

    def test_groups_come_in_pages(self):
        query = ("SELECT properties.desired.rate.fps AS fps, COUNT() AS c FROM devices"
                 " GROUP BY properties.desired.rate.fps")
        pages = self.pages(query, 2)
        self.assertEqual([len(page) for page in pages], [2, 2, 1])
        self.assertEqual([row for page in pages for row in page],
                         [{"fps": i, "c": 5} for i in range(5)])
        self.assertEqual([len(p) for p in self.pages(query.replace("SELECT", "SELECT TOP 3"), 2)],
                         [2, 1])

    # -- jobs

    def test_the_devices_of_jobs_are_found(self):
        for name in "job-1", "job-2":
            self.cloud.must("PUT", f"/jobs/v2/{name}", {
                "jobId": name, "type": "scheduleUpdateTwin",
                "updateTwin": {"etag": "*", "tags": {"done": name}},
                "queryCondition": "deviceId IN ['d01', 'd02', 'd03']"})
        query = "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'job-2'"
        for _ in range(200):
            rows, kind, _ = self.page(query + " AND devices.jobs.status = 'completed'")
            if len(rows) == 3:
                break
        self.assertEqual(kind, "deviceJob")
        self.assertEqual([row["deviceId"] for row in rows], ["d01", "d02", "d03"])
        pages = self.pages("SELECT * FROM devices.jobs", 4)
        self.assertEqual([(row["jobId"], row["deviceId"]) for page in pages for row in page],
                         [(j, d) for j in ("job-1", "job-2") for d in ("d01", "d02", "d03")])
        self.assertEqual([len(page) for page in pages], [4, 2])

    # -- refusals

    def test_a_bad_query_is_refused_with_its_place(self):
        message = self.refused("SELECT * FORM devices", "position 10")
        self.assertTrue(message.startswith("ErrorCode:ArgumentInvalid;"), message)
        self.refused("SELECT * FROM devices WHERE tags.a = ", "position 38")
        self.refused("SELECT * FROM twins", "position 15")
        status, _, answer = self.cloud.request("POST", "/devices/query", {"query": 7})
        self.assertEqual(status, 400)
        self.assertIn("/query", answer["Message"])
        self.refused("SELECT * FROM devices WHERE tags.a = '" + "x" * 70000 + "'", "65536", 413)

    def test_a_page_has_1_to_10000_rows(self):
        for size in 0, -1, 10001, "x":
            self.refused("SELECT * FROM devices", "x-ms-max-item-count", size=size)

    def test_a_continuation_of_another_query_or_of_nobody_is_refused(self):
        _, _, continuation = self.page("SELECT * FROM devices", 10)
        self.refused("SELECT * FROM devices WHERE tags.n > 1", "another query",
                     continuation=continuation)
        digest = base64.b64decode(continuation).decode().split(" ")[1]
        for token in ("x", "AAAA", base64.b64encode(b"1 2 3").decode(), continuation[:-8],
                      base64.b64encode(f"1 {digest} {2 ** 63 - 1} d01 ".encode()).decode(),
                      base64.b64encode(f"1 {digest} -1 d01 ".encode()).decode(),
                      base64.b64encode(f"2 {digest} 1 d01 ".encode()).decode()):
            status, _, _ = self.ask("SELECT * FROM devices", continuation=token)
            self.assertEqual(status, 400, token)

    def test_the_right_to_read_the_registry_is_needed(self):
        self.assertEqual(self.ask("SELECT * FROM devices", policy="registryRead")[0], 200)
        self.refused("SELECT * FROM devices", "policy service", 401, policy="service")
        self.assertEqual(self.ask("SELECT * FROM devices", token="none")[0], 401)


class Many(unittest.TestCase):
    """So many twins that a query has to look at them in slices."""

    COUNT = 20000

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="vd-")
        self.addCleanup(folder.cleanup)
        self.cloud = harness.Cloud(folder.name, BUILD)
        self.cloud.__enter__()
        self.addCleanup(self.cloud.__exit__, None)
        self.cloud.create_device("d")
        self.cloud.must("PATCH", "/twins/d", {"tags": {"site": "Ulm"}}, headers={"If-Match": '"*"'})
        self.cloud.stop("hub")
        self.fill()
        self.cloud.start("hub")

    def fill(self):
        """Copies of d, which the index has not seen."""
        base = sqlite3.connect(next(Path(self.cloud.state).rglob("hub.sqlite")))
        with base:
            for table in "identities", "twins":
                columns = [row[1] for row in base.execute(f"PRAGMA table_info({table})")]
                others = ", ".join(name for name in columns if name != "device_id")
                base.execute("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
                             f" INSERT INTO {table} (device_id, {others})"
                             f" SELECT 'x' || i, {others} FROM n, {table} WHERE device_id = 'd'",
                             (self.COUNT,))
            base.execute("UPDATE index_state SET built = 0")
        base.close()

    def hub(self, *arguments):
        return subprocess.run([f"{BUILD}/bin/vedette-hub", "-c", str(self.cloud.hub_config), *arguments],
                              capture_output=True, text=True, check=False)

    def ask(self, query):
        return self.cloud.must("POST", "/devices/query", {"query": query})

    def test_others_are_served_while_a_query_looks_at_all_and_the_index_is_built(self):
        answers, reads = [], 0
        asking = threading.Thread(target=lambda: answers.extend(self.ask(
            "SELECT COUNT() AS n FROM devices WHERE NOT tags.site = 'Jena'")))
        asking.start()
        while asking.is_alive():
            self.cloud.must("GET", "/twins/d")
            reads += 1
        asking.join()
        self.assertEqual(answers, [{"n": self.COUNT + 1}])
        self.assertGreater(reads, 2)
        end = time.monotonic() + 60
        while "not built" in self.hub("--check-index").stdout and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual(self.hub("--check-index").stdout,
                         f"{self.COUNT + 1} twins, {self.COUNT + 1} entries, 0 missing, 0 stale\n")
        self.assertEqual(len(self.ask("SELECT TOP 7 * FROM devices WHERE tags.site = 'Ulm'")), 7)

    def test_an_index_that_lacks_entries_is_found_out_and_built_again(self):
        refused = self.hub("--rebuild-index")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("the hub is running", refused.stderr)
        self.cloud.stop("hub")
        self.assertEqual(self.hub("--rebuild-index").returncode, 0)
        base = sqlite3.connect(next(Path(self.cloud.state).rglob("hub.sqlite")))
        with base:
            base.execute("DELETE FROM index_values WHERE device_id = 'x7'")
            base.execute("INSERT INTO index_values SELECT path_id, 'Jena', 'x9', '' FROM index_values LIMIT 1")
        base.close()
        checked = self.hub("--check-index")
        self.assertEqual(checked.returncode, 1)
        self.assertIn("1 missing, 1 stale", checked.stdout)
        done = self.hub("--rebuild-index")
        self.assertEqual((done.returncode, done.stdout.split(", ")[2:]), (0, ["0 missing", "0 stale\n"]))
        self.cloud.start("hub")


if __name__ == "__main__":
    unittest.main(verbosity=2)
