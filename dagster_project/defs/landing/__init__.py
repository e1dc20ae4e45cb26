"""Landing: the book and the scope of the close."""
