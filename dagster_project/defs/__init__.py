"""The definitions, by stage of a close."""
