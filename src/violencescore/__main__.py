"""``python -m violencescore``."""

from violencescore.cli import main

main()
