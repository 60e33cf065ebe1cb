"""reidzoo.transforms"""
