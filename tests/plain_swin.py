"""SOLIDER's Swin written out plainly, window by window, under the authors' names."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

SIDE, SHIFT = 7, 3
"""A window's side in patches, and by how many it is shifted in every second block."""


def randomise(module, seed=0):
    """Give parameters, and the controller with them, values that show in the output."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in module.named_parameters():
            if "semantic" in name or name.endswith("table"):
                tensor.normal_(0, 1.0, generator=generator)
            elif tensor.dim() > 1:
                tensor.normal_(0, 1.5 / tensor[0].numel() ** 0.5, generator=generator)
            else:
                tensor.normal_(1.0 if "norm" in name and name.endswith("weight") else 0, 0.3, generator=generator)
    return module.eval()


class PlainAttention(nn.Module):
    """Attention of the tokens (n, C) of one window to each other; ``places`` (n, 2) are theirs in the window."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * SIDE - 1) ** 2, heads))
        self.register_buffer("relative_position_index", torch.zeros(SIDE**2, SIDE**2, dtype=torch.long))
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, tokens, places, wrapped):
        dim = tokens.shape[1] // self.heads
        apart = (places[:, None] - places[None]) + SIDE - 1
        bias = self.relative_position_bias_table[apart[..., 0] * (2 * SIDE - 1) + apart[..., 1]]
        strangers = (wrapped[:, None] != wrapped[None]).any(-1)
        outputs = []
        for head, (q, k, v) in enumerate(zip(*(x.split(dim, dim=1) for x in self.qkv(tokens).chunk(3, dim=1)))):
            logits = q @ k.t() / dim**0.5 + bias[..., head] - 100.0 * strangers
            outputs.append(logits.softmax(1) @ v)
        return self.proj(torch.cat(outputs, dim=1))


class PlainBlock(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn, self.ffn = nn.Module(), nn.Module()
        self.attn.w_msa = PlainAttention(dim, heads)
        self.ffn.layers = nn.Sequential(nn.Sequential(nn.Linear(dim, 4 * dim)), nn.Linear(4 * dim, dim))

    def forward(self, maps, shift, pad_first):
        normed = self.norm1(maps)
        maps = maps + torch.stack([self.attend(image, shift, pad_first) for image in normed])
        return maps + self.ffn.layers[1](functional.gelu(self.ffn.layers[0](self.norm2(maps))))

    def attend(self, maps, shift, pad_first):
        """Return the attention of one image's map (H, W, C)."""
        rows, columns, _ = maps.shape
        right, below = -columns % SIDE, -rows % SIDE
        shifted = functional.pad(maps, (0, 0, 0, right, 0, below)) if pad_first else maps
        shifted = shifted.roll((-shift, -shift), (0, 1))
        if not pad_first:
            shifted = functional.pad(shifted, (0, 0, 0, right, 0, below))
        high, wide, _ = shifted.shape
        found = torch.empty_like(shifted)
        for top in range(0, high, SIDE):
            for left in range(0, wide, SIDE):
                places = torch.cartesian_prod(torch.arange(SIDE), torch.arange(SIDE))
                wrapped = places + torch.tensor([top, left]) >= torch.tensor([high, wide]) - shift
                window = shifted[top : top + SIDE, left : left + SIDE]
                new = self.attn.w_msa(window.flatten(0, 1), places, wrapped)
                found[top : top + SIDE, left : left + SIDE] = new.unflatten(0, (SIDE, SIDE))
        if not pad_first:
            found = found[:rows, :columns]
        return found.roll((shift, shift), (0, 1))[:rows, :columns]


class PlainSwin(nn.Module):
    """The network; ``semantic`` is whether it has the controller.

    Arguments of ``forward`` take away one by one in what it differs from timm's Swin.
    """

    def __init__(self, semantic=True, dim=8, depths=(2, 2, 2, 2), heads=(1, 1, 2, 2)):
        super().__init__()
        dims = [dim * 2**n for n in range(4)]
        self.patch_embed = nn.Module()
        self.patch_embed.projection, self.patch_embed.norm = nn.Conv2d(3, dim, 4, 4), nn.LayerNorm(dim)
        self.stages = nn.ModuleList()
        for n in range(4):
            stage = nn.Module()
            stage.blocks = nn.ModuleList(PlainBlock(dims[n], heads[n]) for _ in range(depths[n]))
            if n < 3:
                stage.downsample = nn.Module()
                stage.downsample.norm = nn.LayerNorm(4 * dims[n])
                stage.downsample.reduction = nn.Linear(4 * dims[n], dims[n + 1], bias=False)
            self.stages.append(stage)
            self.add_module(f"norm{n}", nn.LayerNorm(dims[n]))
        self.semantic = semantic
        if semantic:
            outputs = [*dims[1:], dims[3]]  # the last pair is of what no stage takes
            self.semantic_embed_w = nn.ModuleList(nn.Linear(2, n) for n in outputs)
            self.semantic_embed_b = nn.ModuleList(nn.Linear(2, n) for n in outputs)

    def forward(self, images, weight=0.2, pad_first=True, shift_last=True, unfold=True):
        """(B, 3, H, W) -> (B, 8 dim, h, w)."""
        images = functional.pad(images, (0, -images.shape[3] % 4, 0, -images.shape[2] % 4))
        maps = self.patch_embed.norm(self.patch_embed.projection(images).permute(0, 2, 3, 1))
        for n, stage in enumerate(self.stages):
            for number, block in enumerate(stage.blocks):
                shifts = number % 2 and (shift_last or n < 3)
                maps = block(maps, SHIFT if shifts else 0, pad_first)
            if n < 3:
                maps = self.merge(stage.downsample, maps, unfold)
                if self.semantic and weight is not None:
                    share = maps.new_tensor([weight, 1 - weight])
                    scale, shift = self.semantic_embed_w[n](share), self.semantic_embed_b[n](share)
                    maps = maps * functional.softplus(scale) + shift
        return self.norm3(maps).permute(0, 3, 1, 2)

    @staticmethod
    def merge(downsample, maps, unfold):
        """Merge 2 x 2 patches; in the order of ``nn.Unfold`` or in timm's."""
        maps = functional.pad(maps, (0, 0, 0, maps.shape[2] % 2, 0, maps.shape[1] % 2))
        corners = [[maps[:, row::2, column::2] for column in (0, 1)] for row in (0, 1)]  # (B, H / 2, W / 2, C)
        if unfold:
            merged = torch.stack([*corners[0], *corners[1]], dim=-1).flatten(-2)
        else:
            merged = torch.cat([corners[0][0], corners[1][0], corners[0][1], corners[1][1]], dim=-1)
        return downsample.reduction(downsample.norm(merged))
