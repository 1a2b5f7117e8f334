"""`python -m jaxstyle.cli` is `jaxstyle`."""

import sys

from jaxstyle.cli import main

sys.exit(main())
