"""reidzoo.render"""
