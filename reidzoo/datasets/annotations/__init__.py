"""Reads frames with boxes of tracked people, in several formats, and cuts the people into crops."""
