"""reidzoo.heads"""
