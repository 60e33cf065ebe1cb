"""reidzoo.zoo"""
