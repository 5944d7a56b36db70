"""The six model families, at full size and scaled down, with random weights, and how each is exported to be trained.

docs/ExportingModels.md says why the exporters' options are what they are.
"""

import dataclasses
import functools
import logging
import warnings

import torch
import torch.nn as nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    ResNetConfig,
    ResNetForImageClassification,
    Wav2Vec2Config,
    Wav2Vec2ForCTC,
    WhisperConfig,
    WhisperForConditionalGeneration,
)

TOKENS = "cross_entropy(logits, labels, axis=-1, ignore_index=-100)"
NAMES = ["resnet", "inception", "bert", "gpt", "whisper", "wav2vec2"]


@dataclasses.dataclass
class Model:
    module: nn.Module  # takes the inputs by position, returns the outputs
    inputs: dict  # name -> example
    outputs: tuple
    loss: str  # for mpt-train
    exporter: str  # "torchscript" or "dynamo"


class Named(nn.Module):
    """A transformers model with positional inputs and tensors as outputs, as exporters want it."""

    def __init__(self, model, inputs, outputs=("logits",)):
        super().__init__()
        self.model, self.names, self.outputs = model, list(inputs), outputs

    def forward(self, *values):
        result = self.model(**dict(zip(self.names, values)))
        values = tuple(getattr(result, name) for name in self.outputs)
        return values if len(values) > 1 else values[0]


def wrapped(model, inputs, loss, exporter):
    return Model(Named(model, inputs).train(), inputs, ("logits",), loss, exporter)


def kaiming(module):
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out")
    return module


def calm(module):
    """Other initial weights for batch norms, with which a network does not amplify rounding.

    Rectifiers behind batch norms at scale 1 and shift 0 drive two inputs that differ a little apart, by a factor of 1.2
    per layer in the mean field (Yang et al. 2019, "A mean field theory of batch normalization"): behind fifty layers the
    low bits decide. The last batch norm of a residual block starts with scale 0, as in Goyal et al. 2017 and
    torchvision's zero_init_residual; where there are no residuals, shifts start at 1, so that rectifiers are nearly
    linear at first (1.06 per layer).
    """
    blocks = [layer for layer in module.modules() if type(layer).__name__ == "ResNetBottleNeckLayer"]
    for block in blocks:
        nn.init.zeros_(block.layer[-1].normalization.weight)
    for layer in module.modules() if not blocks else []:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.ones_(layer.bias)


def resnet(full, batch):
    """ResNet-50; scaled down: the same 50 layers with an eighth of the channels, on 64x64."""
    if full:
        config = ResNetConfig(num_labels=1000)
    else:
        config = ResNetConfig(embedding_size=8, hidden_sizes=[16, 32, 64, 128], num_labels=10)
    extent = 224 if full else 64
    inputs = {"pixel_values": torch.rand(batch, 3, extent, extent)}
    return wrapped(kaiming(ResNetForImageClassification(config)), inputs, "cross_entropy(logits, labels)", "torchscript")


class Heads(nn.Module):
    """torchvision's Inception v3 returns a named tuple in training mode only."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        result = self.model(pixel_values)
        return result.logits, result.aux_logits


def inception(full, batch):
    """Inception v3; scaled down: every convolution with a sixteenth of the channels, at least four."""
    from torchvision.models import inception as vision
    from torchvision.models import inception_v3

    if full:
        module = inception_v3(num_classes=1000, aux_logits=True, init_weights=False, dropout=0.0)
    else:
        module = narrow_inception(vision)
    inputs = {"pixel_values": torch.rand(batch, 3, 299, 299)}
    loss = "cross_entropy(logits, labels) + 0.4*cross_entropy(aux_logits, labels)"
    return Model(Heads(kaiming(module)).train(), inputs, ("logits", "aux_logits"), loss, "torchscript")


def narrow_inception(vision, divisor=16, classes=10):
    """torchvision's network with narrow convolutions: its blocks take every width from the layer that makes them."""

    def width(channels):
        return channels if channels <= 3 else max(4, channels // divisor)

    class Narrow(vision.BasicConv2d):
        """A convolution whose input width is what arrives: branches are joined to widths that no formula in the
        blocks knows."""

        def __init__(self, in_channels, out_channels, **options):
            nn.Module.__init__(self)
            self.conv = nn.LazyConv2d(width(out_channels), bias=False, **options)
            self.bn = nn.BatchNorm2d(width(out_channels), eps=0.001)

    class NarrowAux(vision.InceptionAux):
        def __init__(self, in_channels, num_classes):
            super().__init__(in_channels, num_classes, Narrow)
            self.fc = nn.LazyLinear(num_classes)

    blocks = [vision.InceptionA, vision.InceptionB, vision.InceptionC, vision.InceptionD, vision.InceptionE]
    module = vision.Inception3(
        num_classes=classes,
        aux_logits=True,
        init_weights=False,
        dropout=0.0,
        inception_blocks=[Narrow, *(functools.partial(block, conv_block=Narrow) for block in blocks), NarrowAux],
    )
    module.fc = nn.LazyLinear(classes)
    with torch.no_grad():
        module.train()(torch.rand(2, 3, 299, 299))  # gives the lazy layers their widths
    return module


def bert(full, batch):
    """BERT-base; scaled down: three layers of width 64 over bytes."""
    if full:
        config, length = BertConfig(), 128
    else:
        config, length = BertConfig(vocab_size=384, hidden_size=64, num_hidden_layers=3, num_attention_heads=4,
                                    intermediate_size=256, max_position_embeddings=64), 64  # fmt: skip
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    ids = torch.randint(3, config.vocab_size, (batch, length))
    mask = torch.ones_like(ids)
    mask[-1, length // 2 :] = 0
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
    return wrapped(BertForMaskedLM(config), inputs, TOKENS, "dynamo")


def gpt(full, batch):
    """GPT-2 124M; scaled down: three layers of width 64 over bytes."""
    if full:
        config, length = GPT2Config(), 128
    else:
        config, length = GPT2Config(vocab_size=384, n_embd=64, n_layer=3, n_head=4, n_positions=64), 64
    config.use_cache = False
    config.resid_pdrop = config.embd_pdrop = config.attn_pdrop = 0.0
    inputs = {"input_ids": torch.randint(3, config.vocab_size, (batch, length))}
    return wrapped(GPT2LMHeadModel(config), inputs, TOKENS, "dynamo")


def whisper(full, batch):
    """Whisper-small; scaled down: two and two layers of width 64, four seconds of sound, bytes as tokens."""
    if full:
        config = WhisperConfig(vocab_size=51865, d_model=768, encoder_layers=12, decoder_layers=12, encoder_attention_heads=12,
                               decoder_attention_heads=12, encoder_ffn_dim=3072, decoder_ffn_dim=3072)  # fmt: skip
        frames, length = 3000, 64
    else:
        config = WhisperConfig(vocab_size=384, d_model=64, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
                               decoder_attention_heads=4, encoder_ffn_dim=256, decoder_ffn_dim=256, max_source_positions=200,
                               max_target_positions=64, pad_token_id=0, bos_token_id=1, eos_token_id=1,
                               decoder_start_token_id=0)  # fmt: skip
        frames, length = 400, 48
    config.use_cache, config.dropout = False, 0.0
    inputs = {"input_features": torch.randn(batch, 80, frames), "decoder_input_ids": torch.randint(3, config.vocab_size, (batch, length))}
    return wrapped(WhisperForConditionalGeneration(config), inputs, TOKENS, "dynamo")


def wav2vec2(full, batch):
    """Wav2Vec2-base; scaled down: three layers of width 64 behind the same seven convolutions, narrower."""
    quiet = {key: 0.0 for key in ("mask_time_prob", "layerdrop", "hidden_dropout", "attention_dropout", "activation_dropout",
                                  "feat_proj_dropout", "final_dropout")}  # fmt: skip
    if full:
        config, samples = Wav2Vec2Config(apply_spec_augment=False, **quiet), 32000
    else:
        config = Wav2Vec2Config(vocab_size=32, hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=256,
                                conv_dim=[32] * 7, apply_spec_augment=False, **quiet)  # fmt: skip
        samples = 32000
    loss = "ctc(logits, labels, logit_lengths, label_lengths)"
    return wrapped(Wav2Vec2ForCTC(config), {"input_values": torch.randn(batch, samples)}, loss, "dynamo")


def build(name, full=False, batch=None, seed=1, calm_weights=False):
    """The model of a family with fresh weights."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.manual_seed(seed)
    model = globals()[name](full, batch or 8)
    if calm_weights:
        calm(model.module)
    return model


def export(model, path, opset=18):
    """Writes the model so that it can be trained; weights beside it where the file would be above 2 GB."""
    if model.exporter == "dynamo":
        options = dict(dynamo=True, optimize=False, verbose=False, external_data=False)
    else:
        options = dict(dynamo=False, training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False)
    torch.onnx.export(model.module, tuple(model.inputs.values()), str(path), opset_version=opset, input_names=list(model.inputs),
                      output_names=list(model.outputs), **options)  # fmt: skip
