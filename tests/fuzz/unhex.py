#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""unhex.py CORPUS FOLDER: copies a corpus into folder, NAME.hex as the bytes that it spells.
Seeds that are no text stand in the tree as hexadecimal digits."""

import shutil
import sys
from pathlib import Path

source, target = Path(sys.argv[1]), Path(sys.argv[2])
target.mkdir(parents=True, exist_ok=True)
for seed in source.iterdir():
    if seed.suffix == ".hex":
        (target / seed.stem).write_bytes(bytes.fromhex(seed.read_text()))
    else:
        shutil.copyfile(seed, target / seed.name)
