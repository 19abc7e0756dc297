"""What a replay or a live daemon has shown: the document, and the page and figures that are drawn from it."""
