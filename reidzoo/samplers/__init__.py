"""reidzoo.samplers"""
