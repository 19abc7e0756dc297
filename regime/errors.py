"""What can be wrong with the data or settings that the science is given."""


class RegimeError(Exception):
    """Base of every error raised in ``regime``."""


class BarsInvalidError(RegimeError):
    """Bars break a rule that every consumer relies on.

    Parameters
    ----------
    code
        Stable reason code, one of those listed in ``daemon/formats/reasons.py``.
    sentence
        What is wrong, where, and what to do.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class HistoryTooShortError(RegimeError):
    """There are not enough bars, days or rows for what was asked."""


class FeatureMismatchError(RegimeError):
    """Rows and model disagree on feature names, order or catalogue version."""


class SettingInvalidError(RegimeError):
    """A setting has a value that the science cannot work with."""


class FitFailedError(RegimeError):
    """A model, or too many models of an ensemble, could not be fitted."""
