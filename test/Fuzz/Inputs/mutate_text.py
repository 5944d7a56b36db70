"""Mutations of MLIR text and of the files beside a model: policies, profiles, checkpoints, data."""
import re
import shlex
import subprocess

import mutate_onnx

TOKEN = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|[%@#!^]?[\w.$]+|->|::|\s+|.", re.S)
NUMBERS = ["0", "1", "-1", "2", "3", "65536", "4294967296", "9223372036854775807", "-9223372036854775808", "1.0", "1e40", "0x7FC00000", "nan"]
TYPES = ["f16", "f32", "f64", "bf16", "i1", "i8", "i32", "i64", "ui8", "index", "none", "f8E4M3FN", "tf32"]
WORDS = ["tensor<f32>", "tensor<0xf32>", "tensor<?xf32>", "tensor<*xf32>", "tensor<2x3xf32>", "tensor<4x8xf16>", "tensor<complex<f32>>", "vector<4xf32>",
         "mp.cast", "nn.add", "nn.matmul", "{}", "{mp.pin}", "[]", "[0]", "dense<0.0>", "dense<[1, 2]>", "unit", "@forward", "mp.decision", "true", "false",
         "array<i64: 0>", "array<i64>", "#mp.role<parameter>", "loc(\"n\")"]  # fmt: skip


def change_type(rng, tokens, i):
    """Another extent, rank or element type, everywhere: the text stays consistent."""
    shape = re.fullmatch(r"((?:\d+x)*)(b?f\d+|i\d+)", tokens[i])
    extents = [part for part in shape.group(1).split("x") if part]
    element = shape.group(2)
    what = rng.randrange(4)
    if what == 0:
        element = rng.choice(TYPES)
    elif what == 1 and extents:
        extents[rng.randrange(len(extents))] = rng.choice(["0", "1", "2", "5", "?", "2147483648", "4611686018427387904"])
    elif what == 2 and extents:
        del extents[rng.randrange(len(extents))]
    else:
        extents.insert(rng.randrange(len(extents) + 1), rng.choice(["1", "2", "0"]))
    old, new = tokens[i], "x".join([*extents, element])
    everywhere = rng.random() < 0.7
    return [new if (token == old and everywhere) or k == i else token for k, token in enumerate(tokens)]


def change_value(rng, tokens, i):
    """An operand becomes another value of the same type, as far as the text tells."""
    alike = sorted({token for token in tokens if token[0] == tokens[i][0] and re.match(r"[%@]\w", token)})
    return [*tokens[:i], rng.choice(alike), *tokens[i + 1 :]]


def mutate(rng, text):
    """A few tokens changed: mostly numbers, types, operations and operands, so that it still parses."""
    for _ in range(rng.choice([1, 1, 2, 3])):
        tokens = TOKEN.findall(text)
        kinds = {
            "number": [i for i, t in enumerate(tokens) if re.fullmatch(r"\d[\d.e]*", t)],
            "type": [i for i, t in enumerate(tokens) if re.fullmatch(r"(?:\d+x)*(b?f\d+|i\d+)", t)],
            "operation": [i for i, t in enumerate(tokens) if re.match(r"(nn|mp|arith|math|linalg|tosa)\.\w", t)],
            "value": [i for i, t in enumerate(tokens) if re.match(r"[%@]\w", t)],
            "any": [i for i, t in enumerate(tokens) if not t.isspace()],
        }
        kind = rng.choices(list(kinds), [4, 4, 2, 2, 1])[0]
        if not kinds[kind]:
            continue
        i, j = rng.choice(kinds[kind]), rng.choice(kinds[kind])
        if kind == "number":
            tokens[i] = rng.choice(NUMBERS)
        elif kind == "type":
            tokens = change_type(rng, tokens, i)
        elif kind == "operation":
            tokens[i] = tokens[j]
        elif kind == "value":
            tokens = change_value(rng, tokens, i)
        elif rng.random() < 0.5:
            tokens[i], tokens[j] = tokens[j], tokens[i]
        elif rng.random() < 0.5:
            tokens[i] = rng.choice(WORDS + NUMBERS + TYPES)
        else:
            del tokens[i]
        text = "".join(tokens)
    return text


def load_tests(folder):
    """(sections, pipelines) of every .mlir test that mpt-opt reads."""
    tests = []
    for path in sorted(folder.rglob("*.mlir")):
        text = path.read_text()
        pipelines = []
        for line in re.findall(r"RUN:\s*(.*)", text):
            run = re.match(r"(?:not )?mpt-opt %s(.*?)(?:\||>|2>|$)", line)
            if not run or "%" in run.group(1):
                continue
            try:
                arguments = [a for a in shlex.split(run.group(1)) if a not in ("--split-input-file", "--verify-diagnostics")]
            except ValueError:
                continue
            if "-o" not in arguments and arguments not in pipelines:
                pipelines.append(arguments)
        if pipelines:
            body = "\n".join(line for line in text.split("\n") if not re.match(r"\s*//(?! -----)", line))
            tests.append(([section for section in body.split("// -----") if section.strip()], pipelines))
    return tests


# ---- files beside a model --------------------------------------------------------------------
MODEL = """<ir_version: 8, opset_import: ["" : 17]>
small (float[4,3] x) => (float[4,2] logits)
<float[3,5] w = {0.1,0.2,0.3,-0.4,0.5,-0.1,0.2,-0.3,0.4,0.5,0.1,-0.2,0.3,-0.4,0.5}, float[5] b = {0.1,0.2,0.3,0.4,0.5},
 float[5,2] v = {0.1,-0.2,0.3,0.4,-0.5,0.6,0.7,0.8,0.9,1.0}>
{
  [first] h = MatMul(x, w)
  [bias] i = Add(h, b)
  [act] r = Relu(i)
  [second] z = MatMul(r, v)
  [soft] logits = Softmax(z)
}
"""
TRAIN = ["mpt-train", "small.onnxtxt", "--data", "data.npz", "--loss", "mse(logits, target)", "--steps", "2", "--quiet", "--target=reference"]
POLICY_WORDS = ["preset: ", "low: ", "{forward: f16, backward: bf16}", "target: ", "flops: ", "nodes:\n  - match: ", "regex: ", "class: fp32", "operands: {0: fp32}",
                "&a [*a]", "*b", "? ", "!!binary ", "thresholds:\n  max_abs: ", "-1e999", ".nan", "99999999999999999999", "[", "]", "{", "\t", "---\n", "(((a+)+)+", "\x00"]
JSON_WORDS = ["{", "}", "[", "null", "-1", "1e999", "NaN", "9223372036854775808", "\"min\"", "\"exponents\"", "\"tensors\"", "\"runs\": -5", "\\ud800", "\"\"", "\xff"]  # fmt: skip
SAFETENSORS_WORDS = ["\"dtype\"", "\"shape\":[", "\"data_offsets\":[0,24]", "-1", "1e999", "[[[[", "18446744073709551615", "\"BF16\"", "{}", "null", "\\u0000", "__metadata__"]
POLICY = """preset: conservative
low: f16
strategy: cut
target: {name: h100, bandwidth: 3.0e12, flops: {f32: 5.0e13, f16: 6.0e14, bf16: 6.0e14}, cast_overhead: 3.0e-6}
ops:
  softmax: fp32
  relu: follow
  matmul: {class: default, operands: {0: fp32}}
nodes:
  - match: "fir*"
    class: fp32
  - regex: "sec.nd"
    class: low
fp32_tensors:
  - logits
  - regex: ".*h.*"
thresholds: {constants_may_vanish: false, max_abs: 512}
"""


def make_files(runner, scratch):
    """Well-formed files of a small model, by what the tools write."""
    import numpy

    folder = scratch / "corpus"
    folder.mkdir()
    (folder / "small.onnxtxt").write_text(MODEL)
    generator = numpy.random.default_rng(0)
    numpy.save(folder / "x.npy", generator.normal(size=(4, 3)).astype("f4"))
    numpy.savez(folder / "data.npz", x=generator.normal(size=(12, 3)).astype("f4"), target=generator.normal(size=(12, 2)).astype("f4"))
    (folder / "policy.yaml").write_text(POLICY)
    for command in (
        ["mpt-run", "small.onnxtxt", "--input", "x=x.npy", "--profile=profile.json"],
        [*TRAIN, "--checkpoint", "checkpoint.safetensors", "--checkpoint-every", "1"],
    ):
        subprocess.run([runner.tools / command[0], *command[1:]], cwd=folder, env=runner.environment, check=True, capture_output=True)
    return folder


def damage_words(rng, data, words):
    for _ in range(rng.choice([1, 1, 2, 3])):
        at, word = rng.randrange(len(data) + 1), rng.choice(words).encode(errors="surrogatepass")
        choice = rng.randrange(8)
        if choice == 0:
            data = data[:at] + word + data[at:]
        elif choice == 1:
            data = data[:at] + word + data[at + len(word) :]
        elif choice == 2:
            data = data[:at] + data[at + rng.randrange(20) :]
        elif choice == 3 and len(lines := data.split(b"\n")) > 1:
            del lines[rng.randrange(len(lines))]
            data = b"\n".join(lines)
        else:
            numbers = list(re.finditer(rb"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", data[:100000]))
            if numbers:
                number = rng.choice(numbers)
                data = data[: number.start()] + rng.choice(NUMBERS).encode() + data[number.end() :]
    return data


def damage_file(rng, corpus, folder):
    """(command, what was damaged, outputs, whether an error is one line)"""
    for path in corpus.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    file, words, commands = rng.choice(
        [
            ("policy.yaml", POLICY_WORDS, [["mpt-opt", "small.onnxtxt", "--mpt-mixed-precision=policy=policy.yaml", "-o", "out.mlir"],
                                           [*TRAIN, "--precision", "fp16", "--policy", "policy.yaml", "--save", "out.safetensors"]]),
            ("profile.json", JSON_WORDS, [["mpt-opt", "small.onnxtxt", "--mpt-infer-ranges=profile=profile.json", "-o", "out.mlir"],
                                          ["mpt-opt", "small.onnxtxt", "--mpt-mixed-precision=profile=profile.json", "-o", "out.onnx"],
                                          ["mpt-run", "--profile=out.json", "--profile-merge=profile.json", "--profile-merge=profile.json"],
                                          [*TRAIN, "--precision", "fp16", "--loss-scale", "auto", "--scale-profile", "profile.json"]]),
            ("checkpoint.safetensors", SAFETENSORS_WORDS, [[*TRAIN[:-4], "--steps", "4", *TRAIN[-2:], "--resume", "checkpoint.safetensors", "--save", "out.safetensors"]]),
            ("data.npz", ["PK\x03\x04", "'descr'", "(12, 3)", "<f8"], [[*TRAIN, "--save", "out.safetensors"]]),
            ("small.onnxtxt", ["float[", "=>", "(", "<", ">", "{", "}", "If", "Loop", "= {", "int64", "\"", "[x]", "//"],
             [["mpt-opt", "small.onnxtxt", "--mpt-mixed-precision", "-o", "out.onnx"], [*TRAIN, "--save", "out.safetensors"]]),
        ]
    )  # fmt: skip
    data = (corpus / file).read_bytes()
    data = mutate_onnx.damage_bytes(rng, data) if rng.random() < 0.3 else damage_words(rng, data, words)
    (folder / file).write_bytes(data)
    return rng.choice(commands), file, [folder / name for name in ("out.mlir", "out.onnx", "out.json", "out.safetensors")], True
