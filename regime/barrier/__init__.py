"""Volatility forecasts, what they say of a target's barriers, and what has come of it so far."""
