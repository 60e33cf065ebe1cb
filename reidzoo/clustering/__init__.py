"""reidzoo.clustering"""
