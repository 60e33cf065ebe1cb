"""reidzoo.trainers"""
