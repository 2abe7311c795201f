// Nothing: importing it is what counts.
