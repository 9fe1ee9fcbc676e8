"""Verdicts: which checks a map stands, in numbers, colours and a sentence."""
