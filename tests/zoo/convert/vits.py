"""The plain layers of vision transformers, for the originals of tests."""

from __future__ import annotations

import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens):
        dim = tokens.shape[2]
        outputs = []
        for q, k, v in zip(*(part.chunk(self.heads, dim=2) for part in self.qkv(tokens).chunk(3, dim=2))):
            weights = (q @ k.transpose(1, 2) / (dim // self.heads) ** 0.5).softmax(2)
            outputs.append(weights @ v)
        return self.proj(torch.cat(outputs, dim=2))


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads)
        self.mlp = nn.Module()
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, tokens):
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp.fc2(nn.functional.gelu(self.mlp.fc1(self.norm2(tokens))))


class Base(nn.Module):
    """TransReID's network: patches of 16 pixels at each ``stride``, and side information of ``sides`` kinds."""

    def __init__(self, size, stride, sides, depth=3, dim=192, heads=3):
        super().__init__()
        self.stride = stride
        rows, columns = ((n - 16) // stride + 1 for n in size)
        self.cls_token = nn.Parameter(torch.empty(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.empty(1, rows * columns + 1, dim))
        if sides:
            self.sie_embed = nn.Parameter(torch.empty(sides, 1, dim))
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, dim, 16, stride)
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.fc = nn.Linear(dim, 10)

    def forward(self, images, side=None, weight=3.0, blocks=None):
        tokens = self.patch_embed.proj(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(images), -1, -1), tokens], dim=1) + self.pos_embed
        if side is not None:
            tokens = tokens + weight * self.sie_embed[side]
        for block in self.blocks[:blocks]:
            tokens = block(tokens)
        return tokens
