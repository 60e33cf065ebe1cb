"""reidzoo.backbones"""
