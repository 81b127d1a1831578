"""Sample studies made on the spot from formulas: nothing is downloaded, nobody's data is shown."""
