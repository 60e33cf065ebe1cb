"""reidzoo.evaluation"""
