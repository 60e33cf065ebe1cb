"""reidzoo.hooks"""
