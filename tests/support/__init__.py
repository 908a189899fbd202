"""What the tests share.

Real servers, cloned databases, the world clock, builders and material from beside the checkout.
"""
