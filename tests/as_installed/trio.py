"""The processes that tests start find no trio, as with users: only simulations need it.

httpcore would import it wherever it is, which is a tenth of the program's start.
"""

raise ModuleNotFoundError(name="trio")
