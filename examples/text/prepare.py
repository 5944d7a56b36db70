#!/usr/bin/env python3
"""Text for GPT and BERT: the Jargon File (Debian package jargon-text) as bytes, cut into samples.

    scripts/torch.sh examples/text/prepare.py OUT.npz [--task causal|masked] [--length 64] [--samples 4000]

Bytes are tokens: transformers' byte-level tokenizer (ByT5) needs no vocabulary file. causal: `input_ids`, and `labels`,
the bytes that come next. masked: one byte in seven is to be guessed, by transformers' own collator (80 % of them masked,
10 % random, 10 % left), a quarter of the samples end in padding; `labels` is -100 where nothing is asked.
"""

import argparse
import gzip
import sys

import numpy as np

SOURCE = "/usr/share/doc/jargon-text/jargon.txt.gz"


def bytes_of(path):
    from transformers import ByT5Tokenizer

    try:
        with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError as error:
        sys.exit(f"prepare.py: {path}: {error.strerror}; install the Debian package jargon-text (scripts/setup.sh --examples), or give --source")
    # Three spaces in front of every line of the package's text say nothing.
    text = "\n".join(line.strip() for line in text.splitlines())
    tokenizer = ByT5Tokenizer(mask_token="<extra_id_0>")
    return tokenizer, np.array(tokenizer(text, add_special_tokens=False).input_ids)


def causal(tokens, starts, length):
    windows = tokens[starts[:, None] + np.arange(length + 1)]
    return {"input_ids": windows[:, :-1], "labels": windows[:, 1:]}


def masked(tokenizer, tokens, starts, length, rng):
    import torch
    from transformers import DataCollatorForLanguageModeling

    torch.manual_seed(3)
    windows = tokens[starts[:, None] + np.arange(length)]
    lengths = np.where(rng.random(len(starts)) < 0.25, rng.integers(length // 2, length, len(starts)), length)
    mask = (np.arange(length) < lengths[:, None]).astype(np.int64)
    windows = np.where(mask == 1, windows, tokenizer.pad_token_id)
    collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)
    ids, labels = collator.torch_mask_tokens(torch.from_numpy(windows), torch.from_numpy(1 - mask).bool())
    return {"input_ids": ids.numpy(), "attention_mask": mask, "token_type_ids": np.zeros_like(mask), "labels": labels.numpy()}


def main():
    parser = argparse.ArgumentParser(description="Text samples for GPT (causal) and BERT (masked)")
    parser.add_argument("output")
    parser.add_argument("--task", choices=["causal", "masked"], default="causal")
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--source", default=SOURCE)
    args = parser.parse_args()
    tokenizer, tokens = bytes_of(args.source)
    rng = np.random.default_rng(7)
    starts = rng.integers(0, len(tokens) - args.length - 1, args.samples)
    made = causal(tokens, starts, args.length) if args.task == "causal" else masked(tokenizer, tokens, starts, args.length, rng)
    np.savez(args.output, **made)
    print(f"{args.output}: {args.samples} samples of {args.length} bytes, of a text of {len(tokens)}")


if __name__ == "__main__":
    main()
