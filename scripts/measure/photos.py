# SPDX-License-Identifier: Apache-2.0
"""Seeded square crops of photographs as raw pixels: /usr/bin/python3 photos.py FOLDER COUNT HEIGHT WIDTH OUT

FOLDER holds JPEG files (Debian's opencv-doc has some). OUT/I.rgb is crop I: HEIGHT rows of WIDTH pixels of three bytes. Needs Debian's
python3-pil.
"""

import pathlib
import random
import sys

from PIL import Image

SEED = 1


def main():
    folder, count, height, width, out = sys.argv[1], *map(int, sys.argv[2:5]), pathlib.Path(sys.argv[5])
    photos = [Image.open(path).convert("RGB") for path in sorted(pathlib.Path(folder).glob("*.jpg"))]
    if not photos:
        sys.exit(f"photos: found no JPEG file in {folder}, expected some")
    generator = random.Random(SEED)
    for i in range(count):
        photo = photos[i % len(photos)]
        side = int(min(photo.size) * generator.uniform(0.6, 1))
        left, top = (generator.randint(0, extent - side) for extent in photo.size)
        crop = photo.crop((left, top, left + side, top + side)).resize((width, height), Image.BILINEAR)
        (out / f"{i}.rgb").write_bytes(crop.tobytes())


if __name__ == "__main__":
    main()
