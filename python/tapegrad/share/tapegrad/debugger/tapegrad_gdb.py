"""gdb on tapegrad: prints tensors, shapes, state dicts and modules; `tg graph t`, `tg tape [t]`, `tg stats t`, `tg print t`; and
`step` passes over accessors. gdb loads it by itself with libtapegrad.so where its auto-load safe-path allows, otherwise

    (gdb) source /path/that/python/-m/tapegrad.gdb/prints

Only memory is read, so it works on release builds and core files too.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(sys._getframe().f_code.co_filename)))  # __file__ may be that of an outer script
import tapegrad_printers  # noqa: E402, F401  a module, so that gdb's own names stay as they are

sys.path.pop(0)
