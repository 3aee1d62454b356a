"""ConnectWise PSA: reads companies, agreements, additions and the catalog; writes one addition's quantity."""

from trueup.adapters.connectwise.billing import ConnectWiseBilling, open_connectwise

__all__ = ["ConnectWiseBilling", "open_connectwise"]
