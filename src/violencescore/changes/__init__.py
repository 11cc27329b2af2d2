"""From one run to another: what changed in the data and the rules, and what that did to the verdict."""
