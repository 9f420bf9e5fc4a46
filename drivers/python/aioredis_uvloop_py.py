# /// script
# requires-python = "<3.10"
# dependencies = ["aioredis==1.3.1", "async-timeout==4.0.3", "hiredis==2.3.2", "uvloop==0.21.0"]
# ///
"""aioredis on uvloop, the article's fastest client. There is no uvloop for PyPy: this needs CPython 3.8 or 3.9."""

import aioredis_py

aioredis_py.main(uvloop=True)
