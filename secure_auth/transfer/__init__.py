"""Accounts that come from elsewhere and accounts that move away."""
