"""reidzoo.losses"""
