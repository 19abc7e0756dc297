"""The 179 features: scale-free, of fixed look-back, causal, and the same in a batch as one bar at a time."""

from regime.features.catalogue import CATALOGUE, CATALOGUE_VERSION, catalogue_hash
from regime.features.compute import compute_features
from regime.features.feature import Feature

__all__ = ["CATALOGUE", "CATALOGUE_VERSION", "Feature", "catalogue_hash", "compute_features"]
