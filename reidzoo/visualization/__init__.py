"""reidzoo.visualization"""
