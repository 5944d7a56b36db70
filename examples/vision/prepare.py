#!/usr/bin/env python3
"""Images for ResNet and Inception: Fashion-MNIST (Debian package dataset-fashion-mnist), made larger and given three
channels.

    scripts/torch.sh examples/vision/prepare.py OUT.npz [--extent 64] [--how tile|enlarge] [--samples 4000]

tile: the image repeated side by side until the extent is full, so that its detail keeps its size. enlarge: Pillow's
bilinear resampling. Writes `pixel_values` as uint8 (mpt-train divides by 255) and `labels`.
"""

import argparse
import gzip
import pathlib
import sys

import numpy as np

SOURCE = "/usr/share/datasets/fashion-mnist"


def idx(path, header):
    try:
        with gzip.open(path) as file:
            return np.frombuffer(file.read(), np.uint8, offset=header)
    except OSError as error:
        sys.exit(f"prepare.py: {path}: {error.strerror}; install the Debian package dataset-fashion-mnist, or give --source")


def tiled(images, extent):
    times = -(-extent // images.shape[-1])
    return np.tile(images, (1, times, times))[:, :extent, :extent]


def enlarged(images, extent):
    from PIL import Image

    return np.stack([np.asarray(Image.fromarray(i).resize((extent, extent), Image.Resampling.BILINEAR)) for i in images])


def main():
    parser = argparse.ArgumentParser(description="Fashion-MNIST for larger networks")
    parser.add_argument("output")
    parser.add_argument("--extent", type=int, default=64)
    parser.add_argument("--how", choices=["tile", "enlarge"], default="tile")
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--source", default=SOURCE)
    args = parser.parse_args()
    folder = pathlib.Path(args.source)
    images = idx(folder / "train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)[: args.samples]
    labels = idx(folder / "train-labels-idx1-ubyte.gz", 8)[: args.samples]
    grown = (tiled if args.how == "tile" else enlarged)(images, args.extent)
    pixels = np.broadcast_to(grown[:, None], (len(grown), 3, args.extent, args.extent))
    np.savez(args.output, pixel_values=np.ascontiguousarray(pixels), labels=labels.astype(np.int64))
    print(f"{args.output}: {len(grown)} images of {args.extent}x{args.extent}")


if __name__ == "__main__":
    main()
