"""`python -m bench [NAME] [--quick] [--json]`."""

import sys

from bench.run import main

sys.exit(main())
