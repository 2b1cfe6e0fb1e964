# SPDX-License-Identifier: Apache-2.0
"""A test case with one hub for all its tests, and a device of its own for each."""

import os
import tempfile
import unittest
from pathlib import Path

import cloud as harness

BUILD = os.environ.get("VD_BUILD") or str(Path(__file__).resolve().parents[2] / "build" / "dev")


class HubCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="vd-")
        cls.cloud = harness.Cloud(cls.folder.name, BUILD)
        cls.cloud.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.cloud.__exit__(None)
        cls.folder.cleanup()

    def setUp(self):
        self.id = self._testMethodName
        self.key = self.cloud.create_device(self.id)

    def connect(self, clean=False):
        client = self.cloud.client(self.id, self.key, clean=clean).connect()
        self.addCleanup(client.close)
        return client
