"""The life of a fictional company, played through Baton's public doors; and the movable world clock it is played by.

Not part of the production image.
"""
