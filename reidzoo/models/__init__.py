"""reidzoo.models"""
