"""reidzoo.config"""
