"""One panel in hundreds of disguises, through every public function.

A case of tests/golden is run again with its data disguised at the door of the package: another
order of rows or of index levels, another dtype, other names, other forms of W. What comes out must
be the golden value, an error of ours, or a warning of ours that says why. Everything else is a
finding: a foreign traceback, or a number that differs in silence.
"""
