#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
The same JPEG gives the same bits on every instruction set, however often: pixels, pose, defects and
scores of the library with and without its SIMD loops, on every path of libjpeg-turbo. VD_ROUNDS for
more than the usual few: 10000 takes minutes.
"""

import os
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("VD_BUILD") or ROOT / "build" / "dev")
ROUNDS = os.environ.get("VD_ROUNDS", "5")
PROGRAMS = ("speed_paths", "speed_paths_baseline")
DECODERS = ({}, {"JSIMD_FORCENONE": "1"}, {"JSIMD_FORCESSE2": "1"}, {"JSIMD_FORCEAVX2": "1"})


class PathsTest(unittest.TestCase):
    def test_every_instruction_set_gives_the_same_bits(self):
        digests = {}
        for program in PROGRAMS:
            for decoder in DECODERS:
                done = subprocess.run([str(BUILD / "modules" / "vision" / program), ROUNDS], check=False, text=True,
                                      capture_output=True, env=dict(os.environ, **decoder))
                self.assertEqual(done.returncode, 0, (program, decoder, done.stdout, done.stderr))
                digests[program, *decoder] = done.stdout.strip()
        self.assertEqual(len(set(digests.values())), 1, digests)
        self.assertEqual(len(digests), len(PROGRAMS) * len(DECODERS))


if __name__ == "__main__":
    unittest.main(verbosity=2)
