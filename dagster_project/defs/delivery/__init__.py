"""Telling the outside world."""
