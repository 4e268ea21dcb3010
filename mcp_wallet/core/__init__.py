"""The pure rules of the wallet: no clock, disk, network, environment, log or randomness."""
