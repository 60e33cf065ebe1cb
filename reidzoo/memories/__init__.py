"""reidzoo.memories"""
