"""To the public and back: rules fixed in advance, a bundle that strangers can check, and the checks."""
