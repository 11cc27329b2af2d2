"""Round after round: a ledger that is only ever added to, and what follows from it."""
