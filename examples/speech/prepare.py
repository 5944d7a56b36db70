#!/usr/bin/env python3
"""Speech for Whisper and Wav2Vec2: the prompts of Asterisk, spoken by Allison Smith, with their transcripts (Debian
packages asterisk-core-sounds-en-wav and asterisk-core-sounds-en).

    scripts/torch.sh examples/speech/prepare.py OUT.npz [--task whisper|wav2vec2] [--seconds 4]

whisper: `input_features`, the log-mel spectrum of transformers' WhisperFeatureExtractor; `decoder_input_ids` and `labels`,
the transcript in bytes (ByT5Tokenizer). wav2vec2: `input_values`, the sound with mean 0 and variance 1
(Wav2Vec2FeatureExtractor), padded with silence; `labels`, letters numbered from 1 (0 is CTC's blank), `label_lengths`, and
`logit_lengths`, the frames that the model makes of the sound without the padding.
The sounds have 8 kHz and are resampled to 16 kHz (scipy).
"""

import argparse
import gzip
import pathlib
import re
import sys

import numpy as np

SOUNDS = "/usr/share/asterisk/sounds/en_US_f_Allison"
TRANSCRIPTS = "/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
RATE = 16000
# Index 0 is the blank. Digits are spoken in so many ways that transcripts with some are left out.
LETTERS = "_ abcdefghijklmnopqrstuvwxyz'"


def transcripts(path):
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError as error:
        sys.exit(f"prepare.py: {path}: {error.strerror}; install the Debian package asterisk-core-sounds-en (scripts/setup.sh --examples), or give --transcripts")
    pairs = [line.split(":", 1) for line in lines if ":" in line and not line.startswith(";")]
    # In square brackets stand descriptions of sounds without words.
    return {name.strip(): text.strip() for name, text in pairs if not re.search(r"[\[\]<>0-9]", text)}


def recordings(args):
    """(sound at 16 kHz, transcript) of every prompt that fits into the time."""
    from scipy.io import wavfile
    from scipy.signal import resample_poly

    for name, text in sorted(transcripts(args.transcripts).items()):
        path = pathlib.Path(args.sounds) / f"{name}.wav"
        if not path.exists():
            continue
        rate, sound = wavfile.read(path)
        if len(sound) <= args.seconds * rate:
            yield resample_poly(sound / 32768.0, RATE, rate).astype(np.float32), text


def whisper(pairs, args):
    from transformers import ByT5Tokenizer, WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor(feature_size=80, sampling_rate=RATE, chunk_length=args.seconds)
    tokenizer = ByT5Tokenizer()  # a transcript ends in the end-of-sequence token
    ids = [tokenizer(text).input_ids[: args.tokens] for _, text in pairs]
    features = extractor([sound for sound, _ in pairs], sampling_rate=RATE, return_tensors="np").input_features
    labels = np.full((len(ids), args.tokens), -100)
    decoder = np.full((len(ids), args.tokens), tokenizer.pad_token_id)
    for row, tokens in enumerate(ids):
        labels[row, : len(tokens)] = tokens
        decoder[row, 1 : len(tokens)] = tokens[:-1]  # the pad token starts a sentence
    return {"input_features": features.astype(np.float32), "decoder_input_ids": decoder, "labels": labels}


def frames(samples):
    """What is left of so many samples behind Wav2Vec2's seven convolutions."""
    for kernel, stride in [(10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2)]:
        samples = (samples - kernel) // stride + 1
    return samples


def wav2vec2(pairs, args):
    from transformers import Wav2Vec2FeatureExtractor

    extractor = Wav2Vec2FeatureExtractor(sampling_rate=RATE, do_normalize=True)
    size = int(args.seconds * RATE)
    values = np.zeros((len(pairs), size), np.float32)
    labels = np.zeros((len(pairs), args.tokens), np.int64)
    lengths, available = np.zeros(len(pairs), np.int64), np.zeros(len(pairs), np.int64)
    for row, (sound, text) in enumerate(pairs):
        values[row, : len(sound)] = extractor(sound, sampling_rate=RATE).input_values[0]
        letters = [LETTERS.index(c) for c in re.sub(r"[^a-z' ]+", " ", text.lower()).strip() if c in LETTERS][: args.tokens]
        labels[row, : len(letters)] = letters
        lengths[row], available[row] = len(letters), frames(len(sound))
    repeats = (labels[:, 1:] == labels[:, :-1]).sum(1)  # a blank must stand between equal letters
    keep = (lengths > 0) & (lengths + repeats <= available)
    made = {"input_values": values, "labels": labels, "logit_lengths": available, "label_lengths": lengths}
    return {key: value[keep] for key, value in made.items()}


def main():
    parser = argparse.ArgumentParser(description="Spoken prompts with transcripts")
    parser.add_argument("output")
    parser.add_argument("--task", choices=["whisper", "wav2vec2"], default="whisper")
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=48, help="length of the label rows")
    parser.add_argument("--samples", type=int, help="at most so many")
    parser.add_argument("--sounds", default=SOUNDS)
    parser.add_argument("--transcripts", default=TRANSCRIPTS)
    args = parser.parse_args()
    pairs = list(recordings(args))[: args.samples]
    if not pairs:
        sys.exit(f"prepare.py: no .wav file of a transcript in {args.sounds}; install the Debian package asterisk-core-sounds-en-wav (scripts/setup.sh --examples)")
    made = (whisper if args.task == "whisper" else wav2vec2)(pairs, args)
    np.savez(args.output, **made)
    print(f"{args.output}: {len(made['labels'])} recordings, {', '.join(f'{k} {v.shape[1:]}' for k, v in made.items())}")


if __name__ == "__main__":
    main()
