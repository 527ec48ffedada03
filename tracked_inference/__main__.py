"""`python -m tracked_inference` is `tracked-inference`."""

from tracked_inference.cli import main

raise SystemExit(main())
