"""reidzoo.datasets"""
