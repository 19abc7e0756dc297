"""Child processes: the only places where pandas, scikit-learn, xgboost, lightgbm and river are imported."""
