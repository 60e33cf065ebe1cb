"""reidzoo.discriminators"""
